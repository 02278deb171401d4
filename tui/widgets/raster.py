"""Curves as rasters of dots: decimation that keeps every peak and trough. Pure functions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tui.widgets.grid import Bools
from tui.widgets.scale import Floats, Span


class Columns(NamedTuple):
    """A curve by column: its least and greatest value there; NaN where it has none.

    Neighbouring columns overlap by the value that joins them, so the curve has no gaps.
    """

    low: Floats
    high: Floats


def decimate(
    steps: npt.NDArray[np.int64], values: Floats, columns: int, start: int, stop: int
) -> Columns:
    """The curve through (step, value), steps rising, between ``start`` and ``stop`` (exclusive).

    Each step between them has a part of the width and stands in its middle. Where several share a
    column it holds their least and greatest value; where there are fewer points than columns the
    curve runs straight between them, at the edges towards the points that lie beyond.
    """
    low = np.full(columns, np.nan)
    high = np.full(columns, np.nan)
    if columns <= 0 or not len(steps):
        return Columns(low, high)
    width = max(1, stop - start) / columns
    borders: Floats = start - 0.5 + np.arange(columns + 1, dtype=np.float64) * width
    # The grid points that a border lies between; rounding must not move it past one.
    starts = np.searchsorted(steps, np.ceil(borders - 1e-9).astype(np.int64))
    # Where the curve crosses from column to column: both hold that value, so it has no gaps.
    crossing = _between(steps, values, starts, borders)
    np.minimum(crossing[:-1], crossing[1:], out=low)
    np.maximum(crossing[:-1], crossing[1:], out=high)
    held = np.flatnonzero(starts[1:] > starts[:-1])
    if len(held):
        end = int(starts[-1])
        runs = starts[:-1][held]
        # reduceat takes the run from each start to the next one.
        low[held] = np.minimum(low[held], np.minimum.reduceat(values[:end], runs))
        high[held] = np.maximum(high[held], np.maximum.reduceat(values[:end], runs))
    # Before its first point and after its last there is no curve.
    begun, over = starts[1:] > 0, starts[:-1] >= len(steps)
    low[~begun | over] = high[~begun | over] = np.nan
    return Columns(low, high)


def _between(
    steps: npt.NDArray[np.int64], values: Floats, after: npt.NDArray[np.intp], borders: Floats
) -> Floats:
    """The curve's value at borders, straight between points; its end values beyond them.

    ``after`` is the first point at or past each border. (``np.interp`` would convert a million
    steps to floats for the sake of a few hundred borders.)
    """
    right = np.minimum(after, len(steps) - 1)
    left = np.maximum(right - 1, 0)
    width = np.maximum(steps[right] - steps[left], 1)
    part = np.clip((borders - steps[left]) / width, 0.0, 1.0)
    between = values[left] + (values[right] - values[left]) * part
    # Rounding must not carry the end of a line past its point.
    exact: Floats = np.where(part >= 1.0, values[right], between)
    return exact


def dots(curve: Columns, span: Span, rows: int) -> Bools:
    """The raster ``bool[rows, columns]`` of a curve, row 0 on top."""
    known = ~np.isnan(curve.low)
    top = span.rows(np.where(known, curve.high, span.high), rows)
    bottom = span.rows(np.where(known, curve.low, span.high), rows)
    row = np.arange(rows)[:, None]
    return (row >= top) & (row <= bottom) & known


def dotted(curve: Columns, span: Span, rows: int) -> Bools:
    """The raster of a thin broken line through the middle of what the curve does in each column."""
    known = ~np.isnan(curve.low)
    middle = (curve.low + curve.high) / 2
    before = np.r_[middle[:1], middle[:-1]]
    before = np.where(np.isnan(before), middle, before)
    joined = Columns(np.minimum(middle, before), np.maximum(middle, before))
    mask = dots(joined, span, rows)
    # The line from the column before ends a dot short of where that one stands.
    here = span.rows(np.where(known, middle, span.high), rows)
    there = span.rows(np.where(known, before, span.high), rows)
    row = np.arange(rows)[:, None]
    mask &= (row != there) | (here == there)
    mask[:, 3::4] = False
    return mask


def filled_from_top(depth: Floats, rows: int) -> Bools:
    """The raster of bars hanging from the top; ``depth[columns]`` in rows, NaN for none.

    Anything above zero shows at least one dot.
    """
    known = ~np.isnan(depth)
    size = np.where(known, np.ceil(np.where(known, depth, 0.0) - 1e-9), 0)
    return np.arange(rows)[:, None] < size


def filled_from_bottom(height: Floats, rows: int) -> Bools:
    """The raster of bars standing on the bottom; the mirror of ``filled_from_top``."""
    return filled_from_top(height, rows)[::-1]
