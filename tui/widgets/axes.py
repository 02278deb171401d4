"""What every chart over time is drawn with: its lines, value axis, time axis, cursor. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

import numpy as np

from tui.safe import cells
from tui.widgets.grid import Grid
from tui.widgets.scale import Label, Span, Stamps, tick_text, time_labels
from tui.widgets.window import Window

Words = Sequence[tuple[str, str]]
"""What belongs together in a line of values: texts, each with its role."""


class Frame(NamedTuple):
    """Where things stand on a sheet: the plot's size, then the lines beneath it, the axis last.

    ``strip`` is the height of the strip under the plot (volume, drawdown), ``studies`` that of what
    stands under it.
    """

    columns: int
    top: int
    rows: int
    strip: int
    studies: int
    axis: int

    @property
    def below(self) -> int:
        """The first line under the plot."""
        return self.top + self.rows


class Picture(NamedTuple):
    """A drawn chart with what a click needs: its plot's columns, its window.

    ``label`` is how many cells its value axis asks for; charts above one another take the same.
    """

    grid: Grid
    columns: int
    window: Window
    label: int = 0

    def step_at(self, x: int) -> int | None:
        """The grid point at a column; None beside the plot and where there is none."""
        return self.window.step_at(x) if 0 <= x < self.columns else None


def draw_ticks(
    grid: Grid, frame: Frame, span: Span, ticks: Sequence[float], step: float, largest: float
) -> None:
    """Faint lines at round values, and what they stand for."""
    for value in ticks:
        row = frame.top + span.row(value, frame.rows)
        grid.rule(row, frame.columns, grid.glyphs.rule, "faint")
        grid.put(frame.columns + 1, row, tick_text(value, step, largest), "muted")


def draw_tag(grid: Grid, frame: Frame, span: Span, value: float, text: str, role: str) -> None:
    """The newest value as a tag on the value axis; one that is out of sight says where it is."""
    row = frame.top + span.row(value, frame.rows)
    lead = " "
    if not span.holds(value):
        lead = grid.glyphs.above if value > span.high else grid.glyphs.below
    text = f"{lead}{text} "
    grid.put(frame.columns, row, text.ljust(grid.width - frame.columns), role, "tag")


def draw_time_axis(
    grid: Grid,
    frame: Frame,
    window: Window,
    stamps: Stamps,
    zone: tzinfo,
    otherwise: Sequence[Label] = (),
) -> int:
    """The turns of time under their columns, ``otherwise`` where nothing has a stamp.

    Returns the column that the last label ends before.
    """
    known = np.full(frame.columns, -1, np.int64)
    # Each column has the stamp of the group at it or before it.
    last = min(frame.columns, int(window.columns[-1]) + 1)
    group = np.searchsorted(window.columns, np.arange(last), side="right") - 1
    first = window.firsts[np.maximum(group, 0)]
    if len(stamps):
        known[:last] = stamps[np.minimum(first, len(stamps) - 1)]
    end = 0
    for label in time_labels(known, zone) if len(stamps) else otherwise:
        if label.column + cells(label.text) <= frame.columns:
            grid.put(label.column, frame.axis, label.text, "muted")
            end = label.column + cells(label.text)
    grid.upright(frame.columns, frame.top, frame.axis, "faint")
    return end


def draw_cursor(grid: Grid, frame: Frame, window: Window, cursor: int) -> int | None:
    """A ground behind the cursor's column and a line through what is blank in it; the column."""
    column = window.column_of(cursor)
    if column is not None:
        grid.shade(column, frame.top, frame.axis)
        grid.upright(column, frame.top, frame.axis, "muted", blank=True)
    return column


def put_words(grid: Grid, x: int, y: int, words: Words) -> int:
    """Write words one after the other; the column after them."""
    for text, role in words:
        grid.put(x, y, text, role)
        x += cells(text)
    return x


def words_width(words: Words) -> int:
    """The cells that words take, without the blanks at their end."""
    return cells("".join(text for text, _ in words).rstrip())
