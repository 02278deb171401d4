"""The drawing of curves over a run's steps, with drawdown, axes and legend. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tui import format as show
from tui.safe import cells, safe_line
from tui.widgets.grid import Grid
from tui.widgets.raster import decimate, dots, dotted, filled_from_top
from tui.widgets.scale import (
    Floats,
    Label,
    Span,
    Stamps,
    span_of,
    step_labels,
    tag_text,
    tick_text,
    time_labels,
    value_ticks,
)
from tui.widgets.spark import spark

SMALLEST: Final = (24, 5)
DRAWDOWN_FROM: Final = 10  # lines of height below which the drawdown strip gives way


@dataclass(frozen=True, eq=False)
class Series:
    """One curve: rising ``steps`` ``int64[m]`` and their ``values`` ``float64[m]``.

    ``dotted`` draws it thin and broken, so that it is told from the others without colour; unless
    said, that is what a baseline is.
    """

    name: str
    steps: npt.NDArray[np.int64]
    values: Floats
    role: str = "line"
    dotted: bool | None = None

    @property
    def broken(self) -> bool:
        """Whether the curve is drawn broken."""
        return self.role == "baseline" if self.dotted is None else self.dotted


@dataclass(frozen=True, eq=False)
class Curves:
    """What the chart shows.

    ``stamps`` are the settled grid points, microseconds UTC. ``total_steps`` is how many the whole
    run has; None: as many as there are. ``axis_steps`` is how many the time axis has room for, so
    that a live curve grows to the right; None: all. ``initial`` is the value the curves are
    measured against; ``drawdown_of`` the series whose drawdown is drawn.
    """

    series: tuple[Series, ...]
    stamps: Stamps
    total_steps: int | None = None
    initial: float | None = None
    zone: tzinfo = UTC
    drawdown_of: int | None = 0
    axis_steps: int | None = None

    @property
    def steps(self) -> int:
        """How many steps the width stands for."""
        held = max((int(one.steps[-1]) + 1 for one in self.series if len(one.steps)), default=0)
        return max(held, self.axis_steps or self.total_steps or 0)

    @property
    def settled(self) -> int:
        """The last step any series has a value for; -1 if none has."""
        return max((int(one.steps[-1]) for one in self.series if len(one.steps)), default=-1)


class Frame(NamedTuple):
    """Where things stand on the sheet: the plot's size, the lines of the strips, the axis."""

    columns: int
    top: int
    rows: int
    drawdown: int
    axis: int


def frame_of(width: int, height: int, label_width: int, *, drawdown: bool) -> Frame:
    """Divide the sheet: a legend line, the plot, the drawdown strip, the time axis."""
    strip = 0
    if drawdown and height >= DRAWDOWN_FROM:
        strip = max(2, min(6, height // 6))
    rows = height - 2 - strip
    return Frame(max(2, width - label_width - 1), 1, rows, strip, height - 1)


def drawdown_of(values: Floats, initial: float | None) -> Floats:
    """The drawdown at each point as a fraction <= 0, the initial value counting as a peak (F2)."""
    peaks = np.maximum.accumulate(values)
    if initial is not None:
        np.maximum(peaks, initial, out=peaks)
    depth: Floats = values / peaks - 1.0
    return depth


def value_at(series: Series, step: int) -> float | None:
    """The series' value at a step, or its last one before; None before it begins."""
    index = int(np.searchsorted(series.steps, step, side="right")) - 1
    return float(series.values[index]) if index >= 0 else None


def step_of_column(column: int, columns: int, steps: int) -> int:
    """The step in the middle of a plot column."""
    return round((2 * column + 0.5) * max(1, steps - 1) / (2 * columns - 1))


def column_of_step(step: int, columns: int, steps: int) -> int:
    """The plot column that a step is drawn in."""
    return min(columns - 1, round(step * (2 * columns - 1) / max(1, steps - 1)) // 2)


class Picture(NamedTuple):
    """A drawn chart and how many columns of it, from the left, are plot."""

    grid: Grid
    columns: int


def draw_curves(
    curves: Curves,
    width: int,
    height: int,
    *,
    cursor: int | None = None,
    ascii: bool = False,  # noqa: A002 - the option's name
    drawdown: bool = True,
) -> Picture | None:
    """The chart in ``width`` x ``height`` cells; None where no series has a value yet."""
    drawn = [one for one in curves.series if len(one.steps)]
    if not drawn:
        return None
    grid = Grid(width, height, ascii=ascii)
    if width < SMALLEST[0] or height < SMALLEST[1]:
        _draw_tiny(grid, drawn[0])
        return Picture(grid, width)
    span = _value_span(drawn, curves.initial)
    ticks, step = value_ticks(span, max(2, height // 4))
    largest = max(abs(span.low), abs(span.high))
    last = value_at(drawn[0], curves.settled)
    tag = "" if last is None else tag_text(last, largest)
    label_width = max(len(text) for text in [*(tick_text(v, step, largest) for v in ticks), tag])
    label_width = max(label_width, len("-99.9%")) + 1
    frame = frame_of(width, height, label_width, drawdown=drawdown)
    _draw_rules(grid, frame, span, ticks, step, largest, curves.initial)
    for one in reversed(drawn):
        _draw_series(grid, frame, span, one, curves.steps)
    if frame.drawdown and curves.drawdown_of is not None:
        _draw_drawdown(grid, frame, curves.series[curves.drawdown_of], curves)
    _draw_time_axis(grid, frame, curves)
    if last is not None:
        row = frame.top + span.row(last, frame.rows)
        grid.put(frame.columns, row, f" {tag}".ljust(label_width + 1), drawn[0].role, "tag")
    if cursor is not None:
        _draw_cursor(grid, frame, column_of_step(cursor, frame.columns, curves.steps))
    _draw_legend(grid, drawn, curves, cursor)
    return Picture(grid, frame.columns)


def _value_span(drawn: Sequence[Series], initial: float | None) -> Span:
    low = min(float(one.values.min()) for one in drawn)
    high = max(float(one.values.max()) for one in drawn)
    if initial is not None:
        low, high = min(low, initial), max(high, initial)
    return span_of(low, high)


def _draw_tiny(grid: Grid, series: Series) -> None:
    """No room for axes: the last value, and the curve's shape."""
    last = show.money(float(series.values[-1]))
    if grid.height > 1:
        grid.put(0, 0, last, "strong")
    columns = decimate(series.steps, series.values, grid.width, int(series.steps[-1]) + 1)
    shape = spark([float(value) for value in columns.high], grid.width, ascii=grid.ascii)
    grid.put(0, grid.height - 1, shape, series.role)


def _draw_rules(
    grid: Grid,
    frame: Frame,
    span: Span,
    ticks: Sequence[float],
    step: float,
    largest: float,
    initial: float | None,
) -> None:
    """Faint lines at the ticks, one at the initial value, and what they stand for."""
    for value in ticks:
        row = frame.top + span.row(value, frame.rows)
        grid.rule(row, frame.columns, grid.glyphs.rule, "faint")
        grid.put(frame.columns + 1, row, tick_text(value, step, largest), "muted")
    if initial is not None and span.holds(initial):
        row = frame.top + span.row(initial, frame.rows)
        grid.rule(row, frame.columns, grid.glyphs.level, "muted")
        grid.put(frame.columns, row, " " * (grid.width - frame.columns))
        grid.put(frame.columns + 1, row, tick_text(initial, step, largest), "text")


def _draw_series(
    grid: Grid,
    frame: Frame,
    span: Span,
    series: Series,
    steps: int,
) -> None:
    dense, tall = (1, 1) if grid.ascii else (2, 4)
    curve = decimate(series.steps, series.values, frame.columns * dense, steps)
    mask = (dotted if series.broken else dots)(curve, span, frame.rows * tall)
    if grid.ascii:
        grid.character(mask, 0, frame.top, "." if series.broken else "*", series.role)
    else:
        grid.braille(mask, 0, frame.top, series.role)


def _draw_drawdown(
    grid: Grid,
    frame: Frame,
    series: Series,
    curves: Curves,
) -> None:
    """Bars hanging from zero; the strip's scale ends at the deepest point."""
    if not len(series.steps):
        return
    top = frame.top + frame.rows
    depth = drawdown_of(series.values, curves.initial)
    worst = float(depth.min())
    dense = 1 if grid.ascii else 2
    curve = decimate(series.steps, depth, frame.columns * dense, curves.steps)
    rows = frame.drawdown * (1 if grid.ascii else 4)
    grid.put(frame.columns + 1, top, "0%", "muted")
    if worst < 0:
        mask = filled_from_top(curve.low / worst * rows, rows)
        if grid.ascii:
            grid.character(mask, 0, top, "#", "loss")
        else:
            grid.braille(mask, 0, top, "loss")
        text = show.percent(worst, 1)
        grid.put(frame.columns + 1, top + frame.drawdown - 1, text, "loss")


def _axis_labels(curves: Curves, columns: int) -> list[Label]:
    """Times where there are stamps, step numbers where there are none."""
    if not len(curves.stamps):
        return step_labels(columns, curves.steps)
    edges = np.ceil(np.arange(columns) * curves.steps / columns).astype(np.int64)
    known = edges < len(curves.stamps)
    stamps = np.full(columns, -1, np.int64)
    stamps[known] = curves.stamps[edges[known]]
    return time_labels(stamps, curves.zone)


def _draw_time_axis(
    grid: Grid,
    frame: Frame,
    curves: Curves,
) -> None:
    end = 0
    for label in _axis_labels(curves, frame.columns):
        if label.column + cells(label.text) <= frame.columns:
            grid.put(label.column, frame.axis, label.text, "muted")
            end = label.column + cells(label.text)
    # What is still to come says how much of it there is.
    total = curves.total_steps or 0
    if curves.settled + 1 < total:
        text = f"{curves.settled + 1:,}/{total:,}"
        if end + 2 + len(text) <= frame.columns:
            grid.put_right(frame.columns, frame.axis, text, "muted")
    bottom = frame.top + frame.rows + frame.drawdown
    grid.upright(frame.columns, frame.top, bottom, "faint")


def _draw_cursor(grid: Grid, frame: Frame, column: int) -> None:
    """A ground behind the column and a line through what is blank in it."""
    bottom = frame.top + frame.rows + frame.drawdown
    grid.shade(column, frame.top, bottom)
    grid.upright(column, frame.top, bottom, "muted", blank=True)


def _draw_legend(
    grid: Grid,
    drawn: Sequence[Series],
    curves: Curves,
    cursor: int | None,
) -> None:
    """Glyph, name, value and return of each series; at the right the moment they are of."""
    step = curves.settled if cursor is None else cursor
    when = f"step {step:,}"
    if 0 <= step < len(curves.stamps):
        when += f"  {show.stamp(int(curves.stamps[step]), curves.zone)}"
    full = [_legend_of(grid, one, curves, step) for one in drawn]
    # Names and returns are the last to go; the present moment also stands on the axis.
    brief = [[part for part in parts if part[1] != "strong"] for parts in full]
    room = grid.width - cells(when) - 3
    for parts, width in ((full, room), (brief, room), (brief, grid.width)):
        chosen = parts
        if sum(_width(one) + 3 for one in parts) - 3 <= width:
            break
    else:
        width = grid.width
    if cursor is not None or width == room:
        grid.put_right(grid.width, 0, when, "accent" if cursor is not None else "muted")
        width = room
    x = 0
    for one in chosen:
        if x and x + _width(one) > width:
            break
        for text, role in one:
            if x + cells(text) <= width:
                grid.put(x, 0, text, role)
            x += cells(text)
        x += 3


def _width(parts: Sequence[tuple[str, str]]) -> int:
    return sum(cells(text) for text, _ in parts)


def _legend_of(
    grid: Grid,
    series: Series,
    curves: Curves,
    step: int,
) -> list[tuple[str, str]]:
    glyph = grid.glyphs.broken if series.broken else grid.glyphs.solid
    value = value_at(series, step)
    parts = [
        (f"{glyph} ", series.role),
        (f"{safe_line(series.name, 24)} ", "muted"),
        (f"{show.money(value)} ", "strong"),
    ]
    if value is not None and curves.initial:
        change = value / curves.initial - 1
        parts.append((show.percent(change), show.gain_role(change)))
    return parts
