"""Which grid points a price chart shows, and in which columns they stand. Pure functions."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from tui.widgets.grid import Ints

WIDEST_SLOT: Final = 4  # columns a candle takes at most, its gap included


class Window(NamedTuple):
    """The grid points shown, how many share a column, and where each group of them stands.

    ``columns[groups]`` rise; groups begin at multiples of ``size``.
    """

    start: int
    stop: int
    size: int
    columns: Ints

    def group_of(self, step: int) -> int | None:
        """The group a grid point is in, None outside the window."""
        if not self.start <= step < self.stop:
            return None
        return step // self.size - self.start // self.size

    def column_of(self, step: int) -> int | None:
        """The column a grid point is in, None outside the window."""
        group = self.group_of(step)
        return None if group is None else int(self.columns[group])


def window_of(
    count: int,
    columns: int,
    *,
    bars: int | None = None,
    cursor: int | None = None,
    total: int = 0,
    stop: int | None = None,
) -> Window:
    """Which of ``count`` grid points to show in ``columns``: ``bars`` (None: all) before ``stop``.

    Without a ``stop`` they are the newest. A cursor outside draws the window to itself. With
    ``total`` above ``count`` all of the window's right is left free for what is still to come.
    """
    shown = count if bars is None else max(1, min(bars, count))
    stop = count if stop is None else max(shown, min(stop, count))
    if cursor is not None and cursor >= stop:
        stop = min(count, cursor + 1)
    if cursor is not None and cursor < stop - shown:
        stop = min(count, max(shown, cursor + shown // 2 + 1))
    start = stop - shown
    end = max(stop, total) if bars is None and stop == count else stop
    size = 1
    # Groups begin at multiples of their size, so a window may touch one more than it fills.
    while (end - 1) // size - start // size + 1 > columns:
        size += 1
    groups = (end - 1) // size - start // size + 1
    held = (stop - 1) // size - start // size + 1
    width = min(columns, groups * WIDEST_SLOT)
    places = ((np.arange(held) + 0.5) * width / groups).astype(np.intp)
    return Window(start, stop, size, places)
