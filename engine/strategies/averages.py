"""Arithmetic that the built-in strategies share; everything here is causal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def moving_average(values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The mean of the last ``n`` values at each index; NaN before there are ``n``.

    Adds shifted slices instead of differencing a running sum: every window is summed in the same
    order, so a constant price has a constant mean and rounding cannot make two averages cross.
    """
    means = np.full(len(values), np.nan)
    count = len(values) - n + 1
    if count <= 0:
        return means
    total = values[:count].copy()
    for offset in range(1, n):
        total += values[offset : offset + count]
    means[n - 1 :] = total / n
    return means


def relative_strength(values: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    """Wilder's RSI (0 to 100) by TA-Lib; NaN until warm, and until the price has moved at all.

    TA-Lib calls a price that never moved 0, which would read as deeply oversold.
    """
    import talib  # costs 100 ms: only runs that want it pay

    if len(values) <= period:
        return np.full(len(values), np.nan)
    strength = np.array(talib.RSI(values, timeperiod=period), dtype=np.float64)
    moved = np.concatenate(([False], np.maximum.accumulate(np.diff(values) != 0)))
    strength[~moved] = np.nan
    return strength


def carry_forward(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each column's last value that is not NaN, at every row: array [steps, symbols]."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    rows = np.where(missing, 0, np.arange(len(values))[:, None])
    np.maximum.accumulate(rows, axis=0, out=rows)
    return np.take_along_axis(values, rows, axis=0)
