"""The drawing of curves over a run's steps, with drawdown, axes and legend. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from tui import format as show
from tui.safe import cells, safe_line
from tui.widgets.axes import (
    Frame,
    Picture,
    Words,
    draw_cursor,
    draw_tag,
    draw_ticks,
    draw_time_axis,
    put_words,
    words_width,
)
from tui.widgets.grid import Grid
from tui.widgets.raster import Columns, decimate, dots, dotted, filled_from_top
from tui.widgets.scale import (
    Floats,
    Span,
    Stamps,
    span_of,
    step_labels,
    tag_text,
    tick_text,
    value_ticks,
)
from tui.widgets.spark import spark
from tui.widgets.window import UNZOOMED, Window, Zoom, window_of

SMALLEST: Final = (24, 5)
DRAWDOWN_FROM: Final = 10  # lines of height below which the drawdown strip gives way
LINES_A_NAME: Final = 8  # lines of height that each further line of names takes
GAP: Final = 3  # cells between two names


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
    measured against; ``drawdown_of`` the series whose drawdown is drawn. ``counted`` says that the
    steps are those of one run, whose numbers people know.
    """

    series: tuple[Series, ...]
    stamps: Stamps
    total_steps: int | None = None
    initial: float | None = None
    zone: tzinfo = UTC
    drawdown_of: int | None = 0
    axis_steps: int | None = None
    counted: bool = True

    @cached_property
    def drawdown(self) -> Series | None:
        """The drawdown of its series, as a fraction <= 0, from the beginning on."""
        if self.drawdown_of is None:
            return None
        one = self.series[self.drawdown_of]
        return Series("drawdown", one.steps, drawdown_of(one.values, self.initial), "loss")

    @cached_property
    def largest(self) -> float:
        """The greatest magnitude of all values."""
        held = [one.values for one in self.series if len(one.values)]
        return max((max(float(v.max()), -float(v.min())) for v in held), default=0.0)

    @property
    def steps(self) -> int:
        """How many steps the width stands for."""
        held = max((int(one.steps[-1]) + 1 for one in self.series if len(one.steps)), default=0)
        return max(held, self.axis_steps or self.total_steps or 0)

    @property
    def settled(self) -> int:
        """The last step any series has a value for; -1 if none has."""
        return max((int(one.steps[-1]) for one in self.series if len(one.steps)), default=-1)


def frame_of(columns: int, height: int, names: int, *, drawdown: bool) -> Frame:
    """Divide the lines: ``names``, the plot, the drawdown strip, the time axis."""
    strip = 0
    if drawdown and height >= DRAWDOWN_FROM:
        strip = max(2, min(6, height // 6))
    return Frame(columns, names, height - 1 - names - strip, strip, 0, height - 1)


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


def draw_curves(
    curves: Curves,
    width: int,
    height: int,
    *,
    cursor: int | None = None,
    zoom: Zoom = UNZOOMED,
    ascii: bool = False,  # noqa: A002 - the option's name
    drawdown: bool = True,
    label: int = 0,
) -> Picture | None:
    """The chart in ``width`` x ``height`` cells; None where no series has a value yet.

    ``label`` is how many cells the values at the right take at least.
    """
    drawn = [one for one in curves.series if len(one.steps)]
    if not drawn:
        return None
    grid = Grid(width, height, ascii=ascii)
    count = curves.settled + 1
    cursor = None if cursor is None else min(cursor, count - 1)
    if width < SMALLEST[0] or height < SMALLEST[1]:
        _draw_tiny(grid, drawn[0])
        window = window_of(count, max(1, width), zoom, cursor=cursor, total=curves.steps)
        return Picture(grid, width, window)
    last = value_at(drawn[0], count - 1)
    named = [_words_of(grid, one, curves, count - 1) for one in drawn]
    names = _name_lines(named, width - _moment_width(curves, count), height)
    # The axis is as wide as the whole curve asks for: what is in sight depends on its width.
    tag = "" if last is None else tag_text(last, curves.largest)
    wanted = max(len(tag_text(curves.largest, curves.largest)), len(tag), len("-99.9%")) + 1
    columns = max(2, width - max(wanted, label) - 1)
    frame = frame_of(columns, height, names, drawdown=drawdown)
    window = window_of(count, columns, zoom, cursor=cursor, total=curves.steps)
    shapes = [_shape(one, grid, window) for one in drawn]
    span = _value_span(shapes, curves.initial if window.stop - window.start == count else None)
    _draw_values(grid, frame, span, curves.initial)
    for one, shape in reversed(list(zip(drawn, shapes, strict=True))):
        _draw_series(grid, frame, span, one, shape)
    if frame.strip and curves.drawdown is not None:
        _draw_drawdown(grid, frame, curves.drawdown, window)
    _draw_time_axis(grid, frame, curves, window)
    if last is not None:
        draw_tag(grid, frame, span, last, tag, drawn[0].role)
    if cursor is not None:
        draw_cursor(grid, frame, window, cursor)
    _draw_names(grid, drawn, curves, cursor, names)
    return Picture(grid, columns, window, wanted)


def _shape(series: Series, grid: Grid, window: Window) -> Columns:
    """The curve in the columns of a window, two to a cell where it is drawn in dots."""
    dense = 1 if grid.ascii else 2
    return decimate(series.steps, series.values, window.width * dense, *window.edges)


def _value_span(shapes: Sequence[Columns], initial: float | None) -> Span:
    """The values in sight, and the one they began with where all of them are."""
    seen = [one for one in shapes if not np.isnan(one.low).all()]
    low = min((float(np.nanmin(one.low)) for one in seen), default=0.0)
    high = max((float(np.nanmax(one.high)) for one in seen), default=1.0)
    if initial is not None:
        low, high = min(low, initial), max(high, initial)
    return span_of(low, high)


def _draw_tiny(grid: Grid, series: Series) -> None:
    """No room for axes: the last value, and the curve's shape."""
    last = show.money(float(series.values[-1]))
    if grid.height > 1:
        grid.put(0, 0, last, "strong")
    columns = decimate(series.steps, series.values, grid.width, 0, int(series.steps[-1]) + 1)
    shape = spark([float(value) for value in columns.high], grid.width, ascii=grid.ascii)
    grid.put(0, grid.height - 1, shape, series.role)


def _draw_values(grid: Grid, frame: Frame, span: Span, initial: float | None) -> None:
    """The value axis, and a line at the initial value."""
    ticks, step = value_ticks(span, max(2, frame.rows // 4))
    largest = max(abs(span.low), abs(span.high))
    draw_ticks(grid, frame, span, ticks, step, largest)
    if initial is not None and span.holds(initial):
        row = frame.top + span.row(initial, frame.rows)
        grid.rule(row, frame.columns, grid.glyphs.level, "muted")
        grid.put(frame.columns, row, " " * (grid.width - frame.columns))
        # Beside a curve that has grown twentyfold the ticks' decimals leave nothing of it.
        exact = step if abs(initial / step - round(initial / step)) < 1e-6 else initial / 10
        grid.put(frame.columns + 1, row, tick_text(initial, min(step, exact), largest), "text")


def _draw_series(grid: Grid, frame: Frame, span: Span, series: Series, shape: Columns) -> None:
    mask = (dotted if series.broken else dots)(shape, span, frame.rows * (1 if grid.ascii else 4))
    # What only joins a point in sight to one that is not does not run along the edge.
    mask &= (shape.high >= span.low) & (shape.low <= span.high)
    if grid.ascii:
        grid.character(mask, 0, frame.top, "." if series.broken else "*", series.role)
    else:
        grid.braille(mask, 0, frame.top, series.role)


def _draw_drawdown(grid: Grid, frame: Frame, series: Series, window: Window) -> None:
    """Bars hanging from zero; the strip's scale ends at the deepest point in sight."""
    low = _shape(series, grid, window).low
    worst = float(np.nanmin(low)) if not np.isnan(low).all() else 0.0
    rows = frame.strip * (1 if grid.ascii else 4)
    grid.put(frame.columns + 1, frame.below, "0%", "muted")
    if worst < 0:
        mask = filled_from_top(low / worst * rows, rows)
        if grid.ascii:
            grid.character(mask, 0, frame.below, "#", "loss")
        else:
            grid.braille(mask, 0, frame.below, "loss")
        text = show.percent(worst, 1)
        grid.put(frame.columns + 1, frame.below + frame.strip - 1, text, "loss")


def _draw_time_axis(grid: Grid, frame: Frame, curves: Curves, window: Window) -> None:
    """Times where there are stamps, step numbers where there are none."""
    numbers = step_labels(window.width, *window.edges)
    end = draw_time_axis(grid, frame, window, curves.stamps, curves.zone, numbers)
    # What is still to come says how much of it there is.
    total, count = curves.total_steps or 0, curves.settled + 1
    if window.stop == count < total:
        text = f"{total - count:,} to come"
        if end + 2 + len(text) <= frame.columns:
            grid.put_right(frame.columns, frame.axis, text, "muted")


Said = Sequence[str]
"""What is said of a series beside its name: ``value``, ``return``, ``depth``."""


# -- the names with their values ------------------------------------------------------------------


def _moment(curves: Curves, step: int) -> str:
    parts = [f"step {step}"] * curves.counted
    if 0 <= step < len(curves.stamps):
        parts.append(show.stamp(int(curves.stamps[step]), curves.zone))
    return "  ".join(parts)


def _moment_width(curves: Curves, count: int) -> int:
    return cells(_moment(curves, count - 1)) + GAP


def _words_of(
    grid: Grid, series: Series, curves: Curves, step: int, said: Said = ("value", "return", "depth")
) -> Words:
    """Glyph and name of a series, and what is to be ``said`` of it at a step."""
    glyph = grid.glyphs.broken if series.broken else grid.glyphs.solid
    value = value_at(series, step)
    words = [(f"{glyph} ", series.role), (f"{safe_line(series.name, 24)} ", "muted")]
    if "value" in said:
        words.append((f"{show.money(value)} ", "strong"))
    if "return" in said and value is not None and curves.initial:
        change = value / curves.initial - 1
        words.append((f"{show.percent(change)} ", show.gain_role(change)))
    if "depth" in said and curves.drawdown is not None and series is drawn_down(curves):
        depth = value_at(curves.drawdown, step)
        words += [("DD ", "muted"), (f"{show.percent(depth)} ", "loss" if depth else "text")]
    return words


def drawn_down(curves: Curves) -> Series | None:
    """The series whose drawdown is drawn."""
    return None if curves.drawdown_of is None else curves.series[curves.drawdown_of]


def _flow(named: Sequence[Words], room: int, width: int) -> list[list[Words]]:
    """The names line by line: ``room`` in the first, beside the moment, then all the ``width``."""
    lines: list[list[Words]] = [[]]
    used = 0
    for words in named:
        wide = words_width(words)
        if lines[-1] and used + wide > (room if len(lines) == 1 else width):
            lines.append([])
            used = 0
        lines[-1].append(words)
        used += wide + GAP
    return lines


def _name_lines(named: Sequence[Words], room: int, height: int) -> int:
    """How many lines the names get: as many as they need, where the chart is high enough."""
    # A value that grows by a digit must not move the chart.
    return min(len(_flow(named, room - 2, room - 2)), 1 + height // LINES_A_NAME)


def _draw_names(
    grid: Grid, drawn: Sequence[Series], curves: Curves, cursor: int | None, lines: int
) -> None:
    """The names with their values at the cursor, or the newest; at the right the moment."""
    step = curves.settled if cursor is None else cursor
    when = _moment(curves, step)
    room = grid.width - cells(when) - GAP
    # Names are the last to go: under the cursor after returns, else after values, and the present
    # moment also stands on the axis.
    tries: list[tuple[Said, int]] = [(("value", "return", "depth"), room)]
    if cursor is not None:
        tries += [(("value", "depth"), room), (("value",), room)]
    else:
        tries += [(("return",), room), (("return",), grid.width)]
    for said, first in tries:
        named = [_words_of(grid, one, curves, step, said) for one in drawn]
        flowed = _flow(named, first, grid.width)
        if len(flowed) <= lines and words_width(flowed[0][-1]) <= first:
            break
    if first == room:
        grid.put_right(grid.width, 0, when, "accent" if cursor is not None else "muted")
    for y, line in enumerate(flowed[:lines]):
        x, end = 0, grid.width if y else first
        for words in line:
            for word in words:
                if x + words_width([word]) <= end:
                    put_words(grid, x, y, [word])
                x += cells(word[0])
            x += GAP - 1
