"""Made-up bars, curves, fills and orders for the charts' tests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from engine.model import Fill, OrderRecord
from tui.widgets.curve_sheet import Curves, Series
from tui.widgets.price_sheet import PriceView
from tui.widgets.scale import Floats

HOUR = 3_600_000_000
START = 1_735_828_200_000_000  # 2025-01-02T14:30:00Z


class Bars(NamedTuple):
    """One symbol's bars by grid point."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def bars(count: int, seed: int = 0, gaps: bool = False) -> Bars:
    """Open, high, low, close and volume of a random walk, some bars missing if ``gaps``."""
    rng = np.random.default_rng(seed)
    close = 100 + np.cumsum(rng.normal(0, 1, count))
    open_ = np.r_[100.0, close[:-1]]
    high = np.maximum(open_, close) + rng.random(count)
    low = np.minimum(open_, close) - rng.random(count)
    volume = rng.integers(0, 1000, count).astype(float)
    if gaps:
        missing = rng.random(count) < 0.4
        for values in (open_, high, low, close, volume):
            values[missing] = np.nan
    return Bars(open_, high, low, close, volume)


def curves(count: int = 300, total: int | None = None, seed: int = 1) -> Curves:
    """An equity of ``count`` steps and its baseline."""
    rng = np.random.default_rng(seed)
    equity = 100_000 * np.exp(np.cumsum(rng.normal(0, 0.004, count)))
    baseline = 100_000 * np.exp(np.cumsum(rng.normal(0, 0.003, count)))
    steps = np.arange(count)
    return Curves(
        (
            Series("equity", steps, equity),
            Series("buy and hold", steps, baseline, "baseline"),
        ),
        START + HOUR * steps.astype(np.int64),
        total,
        100_000.0,
    )


def fill(step: int, side: str, price: float) -> Fill:
    """A fill of ten shares."""
    return Fill(1, f"{step}-0", step, START, "AAPL", side, 10, price, price, 0, 0, 0, 0, 10, price)


def order(limit: float | None, stop: float | None, status: str = "resting") -> OrderRecord:
    """An order to sell ten shares."""
    kind = "limit" if stop is None else "stop"
    return OrderRecord(
        "1-0", 1, "AAPL", "sell", kind, "shares", 10, 10, limit, stop, "gtc", None, None,
        status, None, 0, None,
    )  # fmt: skip


def view(
    count: int = 60,
    *,
    gaps: bool = False,
    fills: tuple[Fill, ...] = (),
    orders: tuple[OrderRecord, ...] = (),
    avg_cost: float | None = None,
    total_steps: int | None = None,
) -> PriceView:
    """A random walk of hourly bars."""
    stamps = START + HOUR * np.arange(count, dtype=np.int64)
    walk = bars(count, 3, gaps)
    return PriceView(
        "AAPL",
        stamps,
        walk.open,
        walk.high,
        walk.low,
        walk.close,
        walk.volume,
        fills,
        orders,
        avg_cost=avg_cost,
        total_steps=total_steps,
    )
