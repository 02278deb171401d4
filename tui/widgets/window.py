"""The time window of a chart: which grid points it shows, and in which columns. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from tui.widgets.grid import Ints

WIDEST_SLOT: Final = 4  # columns a grid point takes at most, its gap included
LEAST_BARS: Final = 10
ALL: Final = 1 << 30  # also those that are still to come


@dataclass(frozen=True, slots=True)
class Zoom:
    """What somebody chose to see of the time axis.

    ``bars`` is how many grid points, None for as many as a chart shows by itself. ``stop`` is the
    grid point before which the window ends, None for the newest: then it goes along.
    """

    bars: int | None = None
    stop: int | None = None

    def within(self, count: int) -> Zoom:
        """The same where only ``count`` grid points are shown: a moment before what one panned to
        is the newest there."""
        if self.stop is None or self.stop < count:
            return self
        return Zoom(self.bars)


UNZOOMED: Final = Zoom()


class Window(NamedTuple):
    """The grid points shown, how many share a column, and where each group of them stands.

    ``columns[held]`` rise; groups begin at multiples of ``size``. All ``groups``, those still to
    come among them, take ``width`` columns from the left.
    """

    start: int
    stop: int
    size: int
    columns: Ints
    groups: int
    width: int

    @property
    def edges(self) -> tuple[int, int]:
        """The grid points between which the columns stand: those of whole groups."""
        first = self.start // self.size
        return first * self.size, (first + self.groups) * self.size

    @property
    def firsts(self) -> Ints:
        """The first grid point of each group, ``[held]``."""
        groups = np.arange(len(self.columns)) + self.start // self.size
        return np.maximum(groups * self.size, self.start)

    def group_of(self, step: int) -> int | None:
        """The group a grid point is in, None outside the window."""
        if not self.start <= step < self.stop:
            return None
        return step // self.size - self.start // self.size

    def column_of(self, step: int) -> int | None:
        """The column a grid point is in, None outside the window."""
        group = self.group_of(step)
        return None if group is None else int(self.columns[group])

    def step_at(self, x: int) -> int | None:
        """The last grid point of the group nearest to a column; None away from all of them."""
        if not len(self.columns):
            return None
        group = int(np.abs(self.columns - x).argmin())
        if abs(int(self.columns[group]) - x) > WIDEST_SLOT:
            return None
        first = self.start // self.size + group
        return min((first + 1) * self.size, self.stop) - 1

    # -- other windows --------------------------------------------------------------------------

    def zoomed(self, factor: float, count: int, columns: int, about: int | None = None) -> Zoom:
        """Fewer grid points (``factor`` above 1) or more; where all ``count`` of them fit, all.

        What ``about`` names stays where it is; without it the right end does. A plot of ``columns``
        is never left half empty.
        """
        shown = self.stop - self.start
        wanted = round(shown / factor)
        if wanted == shown:
            wanted += 1 if factor < 1 else -1
        if wanted >= count:
            return Zoom(ALL)
        wanted = max(min(max(LEAST_BARS, columns // WIDEST_SLOT), shown), wanted)
        stop = self.stop
        if about is not None:
            right = (self.stop - about - 0.5) / shown
            stop = max(wanted, round(about + 0.5 + right * wanted))
        return Zoom(wanted, None if stop >= count else stop)

    def moved(self, steps: float, count: int) -> Zoom:
        """As many grid points so many later, or earlier below zero; at the newest it goes along."""
        shown = self.stop - self.start
        if shown >= count:
            return Zoom(ALL)
        stop = max(shown, self.stop + round(steps))
        return Zoom(shown, None if stop >= count else stop)


def window_of(
    count: int,
    columns: int,
    zoom: Zoom = UNZOOMED,
    *,
    cursor: int | None = None,
    total: int = 0,
) -> Window:
    """Which of ``count`` grid points to show in ``columns``.

    A cursor outside of what is asked for draws the window to itself. Where all of them are shown
    and ``total`` is more, the window's right is left free for what is still to come.
    """
    shown = count if zoom.bars is None else max(1, min(zoom.bars, count))
    stop = count if zoom.stop is None else max(shown, min(zoom.stop, count))
    if cursor is not None and cursor >= stop:
        stop = min(count, cursor + 1)
    if cursor is not None and cursor < stop - shown:
        stop = min(count, max(shown, cursor + shown // 2 + 1))
    start = stop - shown
    end = max(stop, total) if shown == count else stop
    size = max(1, -(-(end - start) // columns))
    # Groups begin at multiples of their size, so a window may touch one more than it fills.
    while (end - 1) // size - start // size + 1 > columns:
        size += 1
    groups = (end - 1) // size - start // size + 1
    held = (stop - 1) // size - start // size + 1
    width = min(columns, groups * WIDEST_SLOT)
    places = ((np.arange(held) + 0.5) * width / groups).astype(np.intp)
    return Window(start, stop, size, places, groups, width)
