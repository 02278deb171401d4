"""Bars as candles: several bars to a column merged, drawn in half lines. Pure functions."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tui.widgets.scale import Floats, Span

Ints = npt.NDArray[np.intp]
Codes = npt.NDArray[np.uint32]

# What a half line of a candle's column holds.
NOTHING, WICK, BODY = 0, 1, 2
# The character for 3 * upper half + lower half. Rising bodies are hollow (a double line), falling
# ones solid, as on paper: the two are told apart without colour wherever a body fills a line.
_RISING: Final = " ╷╻╵│╽╹╿║"
_FALLING: Final = " ╷╻╵│╽╹╿┃"


def _table(characters: str) -> Codes:
    return np.array([ord(c) for c in characters], np.uint32)


RISING: Final = _table(_RISING)
FALLING: Final = _table(_FALLING)
RISING_ASCII: Final = _table(" |o||oooo")
FALLING_ASCII: Final = _table(" |#||####")


class Merged(NamedTuple):
    """Bars merged column by column, oldest first; ``float64[groups]`` each, volume summed.

    ``first`` and ``last`` are the grid indices of each group's first and last grid point. A group
    without any bar is NaN throughout, its volume 0.
    """

    first: Ints
    last: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def merge(
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    start: int,
    stop: int,
    size: int,
) -> Merged:
    """Merge the bars of grid points ``start`` to ``stop`` (exclusive), ``size`` to a group.

    Groups begin at multiples of ``size``, so a new bar never redraws the old ones.
    """
    first_group, last_group = start // size, (stop - 1) // size
    groups = np.arange(first_group, last_group + 1)
    first = np.maximum(groups * size, start)
    last = np.minimum((groups + 1) * size, stop) - 1
    bars = np.flatnonzero(np.isfinite(close[start:stop])) + start
    shape = len(groups)
    out = [np.full(shape, np.nan) for _ in range(4)]
    total = np.zeros(shape)
    if len(bars):
        group = bars // size - first_group
        runs = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        ends = np.r_[runs[1:], len(bars)] - 1
        at = group[runs]
        out[0][at] = open_[bars[runs]]
        out[1][at] = np.maximum.reduceat(high[bars], runs)
        out[2][at] = np.minimum.reduceat(low[bars], runs)
        out[3][at] = close[bars[ends]]
        total[at] = np.add.reduceat(np.nan_to_num(volume[bars]), runs)
    return Merged(first, last, out[0], out[1], out[2], out[3], total)


def candle_cells(
    bars: Merged,
    span: Span,
    rows: int,
    *,
    ascii: bool = False,  # noqa: A002
) -> tuple[Codes, npt.NDArray[np.bool_]]:
    """The characters ``uint32[rows, groups]`` of the candles, and which groups rose ``[groups]``.

    A candle that closed where it opened counts as risen if it closed at or above the one before.
    """
    known = np.isfinite(bars.close)
    halves = rows * 2

    def place(values: Floats) -> Ints:
        return span.rows(np.where(known, values, span.low), halves)

    top, bottom = place(bars.high), place(bars.low)
    upper, lower = (
        place(np.maximum(bars.open, bars.close)),
        place(np.minimum(bars.open, bars.close)),
    )
    half = np.arange(halves)[:, None]
    state = np.where(
        (half >= upper) & (half <= lower), BODY, np.where((half >= top) & (half <= bottom), WICK, 0)
    )
    state[:, ~known] = NOTHING
    pair = state[0::2] * 3 + state[1::2]
    before = np.r_[np.nan, bars.close[:-1]]
    with np.errstate(invalid="ignore"):
        rose = (bars.close > bars.open) | ((bars.close == bars.open) & ~(bars.close < before))
    tables = (RISING_ASCII, FALLING_ASCII) if ascii else (RISING, FALLING)
    return np.where(rose, tables[0][pair], tables[1][pair]), rose
