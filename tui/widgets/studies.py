"""Indicators as they are drawn: lines over the price, and strips on their own scale. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tui import format as show
from tui.widgets.grid import Grid, Ints
from tui.widgets.raster import decimate, dots
from tui.widgets.scale import Floats, Span, span_of
from tui.widgets.window import Window


@dataclass(frozen=True, eq=False)
class StudyLine:
    """One line: its values by grid point, float64[n], NaN until there are bars enough."""

    name: str
    values: Floats
    role: str = "info"

    def at(self, step: int) -> float | None:
        """Its value at a grid point, None where it has none."""
        if not 0 <= step < len(self.values) or not np.isfinite(self.values[step]):
            return None
        return float(self.values[step])


@dataclass(frozen=True, eq=False)
class StudyStrip:
    """Lines on one scale beneath the price; ``levels`` are marked, ``span`` is fixed if given."""

    lines: tuple[StudyLine, ...]
    levels: tuple[float, ...] = ()
    span: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Studies:
    """What is drawn over the price and beneath it."""

    overlays: tuple[StudyLine, ...] = ()
    strips: tuple[StudyStrip, ...] = ()

    def until(self, settled: int) -> Studies:
        """The same without a value past ``settled`` grid points."""
        return Studies(
            tuple(_cut(line, settled) for line in self.overlays),
            tuple(
                replace(strip, lines=tuple(_cut(line, settled) for line in strip.lines))
                for strip in self.strips
            ),
        )


NO_STUDIES: Final = Studies()


def _cut(line: StudyLine, settled: int) -> StudyLine:
    return replace(line, values=line.values[:settled])


def overlay_levels(studies: Studies, start: int, stop: int) -> list[float]:
    """The least and greatest value of each overlay in a stretch of grid points."""
    levels = []
    for line in studies.overlays:
        part = line.values[start:stop]
        part = part[np.isfinite(part)]
        if len(part):
            levels += [float(part.min()), float(part.max())]
    return levels


def draw_line(
    grid: Grid,
    line: StudyLine,
    window: Window,
    last: Ints,
    span: Span,
    columns: int,
    top: int,
    rows: int,
) -> None:
    """Draw a line through the values at the last grid point of each group (``last``)."""
    values = line.values[np.minimum(last, len(line.values) - 1)]
    known = np.isfinite(values)
    if not known.any():
        return
    dense, tall = (1, 1) if grid.ascii else (2, 4)
    places = window.columns[known].astype(np.int64) * dense
    curve = decimate(places, values[known], columns * dense, 0, columns * dense)
    mask = dots(curve, span, rows * tall)
    inside = (curve.high >= span.low) & (curve.low <= span.high)
    mask &= inside
    if grid.ascii:
        grid.character(mask, 0, top, "~", line.role)
    else:
        grid.braille(mask, 0, top, line.role)


def draw_strip(
    grid: Grid, strip: StudyStrip, window: Window, last: Ints, columns: int, top: int, rows: int
) -> None:
    """Draw a strip of ``rows`` lines with its names, its newest values and its marked levels."""
    held = [line.values[window.start : window.stop] for line in strip.lines]
    parts = [part[np.isfinite(part)] for part in held]
    known = np.concatenate(parts) if parts else np.empty(0)
    if strip.span is not None:
        span = Span(*strip.span)
    elif len(known):
        span = span_of(float(known.min()), float(known.max()))
    else:
        span = Span(0.0, 1.0)
    for level in strip.levels:
        if span.holds(level):
            grid.rule(top + span.row(level, rows), columns, grid.glyphs.rule, "faint")
    for line in strip.lines:
        draw_line(grid, line, window, last, span, columns, top, rows)
    # The label area is narrow: a name on top, its newest value beneath.
    for row, line in zip(range(0, rows, 2), strip.lines, strict=False):
        value = line.at(window.stop - 1)
        grid.put(columns + 1, top + row, line.name, line.role)
        if row + 1 < rows:
            grid.put(columns + 1, top + row + 1, show.ratio(value), "text")
