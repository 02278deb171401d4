"""Panels, lots and indicators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.errors import InvalidOption, MarketDataInvalid
from engine.model import CorporateAction
from engine.sim import indicators
from engine.sim.lots import MOST_LOTS, LotGrid
from engine.sim.panel import Panel
from tests.sim.builders import flat_bars, panel_of

A, B = "AAPL", "MSFT"


def fields_of(panel: Panel) -> dict[str, Any]:
    """The arguments that would make the panel again."""
    names = (
        "symbols stamps open high low close volume sessions session_dates timeframe calendar"
        " sessions_per_year actions content_hash provenance"
    )
    return {name: getattr(panel, name) for name in names.split()}


def test_mark_carries_the_last_close() -> None:
    """Where there is no bar the mark is the last close, NaN before the first one."""
    panel = panel_of({A: flat_bars(1, 2, 3, 4), B: flat_bars(None, 20, None, 40)})
    assert panel.has_gaps
    assert panel.has_bar[:, 1].tolist() == [False, True, False, True]
    assert np.isnan(panel.mark[0, 1])
    assert panel.mark[1:, 1].tolist() == [20, 20, 40]
    full = panel_of({A: flat_bars(1, 2)})
    assert full.mark is full.close


@pytest.mark.parametrize(
    "change",
    [
        {"symbols": (A, A)},
        {"symbols": ()},
        {"close": np.zeros((3, 2))},
        {"stamps": np.array([1, 2, 2, 3])},
        {"sessions": np.array([0, 0, 1, 0])},
        {"session_dates": ()},
        {"actions": (CorporateAction("XXX", "2026-03-02", "split", 2.0),)},
        {"actions": (CorporateAction(A, "2026-03-02", "merger", 2.0),)},
        {"actions": (CorporateAction(A, "2026-03-02", "split", 0.0),)},
    ],
)
def test_panels_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    """Shapes, order and actions that do not fit raise and name what is wrong."""
    panel = panel_of({A: flat_bars(1, 2, 3, 4), B: flat_bars(1, 2, 3, 4)})
    with pytest.raises(MarketDataInvalid):
        Panel(**(fields_of(panel) | change))


def test_arrays_of_the_caller_are_copied_unless_sealed() -> None:
    """A panel does not follow writes to the arrays it was made of, and copies no sealed one."""
    panel = panel_of({A: flat_bars(1, 2)})
    own = panel.close.copy()
    made = Panel(**(fields_of(panel) | {"close": own}))
    own[0] = 9
    assert made.close[0, 0] == 1
    assert made.open is panel.open


@pytest.mark.parametrize(
    ("lot", "quantity", "lots"),
    [
        (1.0, 2.9999999, 3),
        (1.0, 2.99, 2),
        (1e-9, 250.0, 250_000_000_000),  # 250 / 1e-9 is a little less in doubles
        (1e-9, 0.1 + 0.2, 300_000_000),
        (1e-9, 0.7 * 99.9 / 0.7, 99_900_000_000),  # its last bit is one too low
        (0.01, 0.07, 7),
        (100.0, 1050.0, 10),
        (0.3, 0.9, 3),
        (1.0, 1e300, MOST_LOTS),
    ],
)
def test_lots(lot: float, quantity: float, lots: int) -> None:
    """Quantities become whole lots, a millionth forgiven, and back (O6)."""
    grid = LotGrid(lot)
    assert grid.count(quantity) == lots
    assert grid.toward_zero(-quantity) == -lots
    if lots < MOST_LOTS:
        assert grid.count(grid.quantity(lots)) == lots


def test_quantities_read_as_decimals() -> None:
    """A decimal lot gives quantities rounded once, as the decimal reads."""
    assert LotGrid(1e-9).quantity(781_250_001) == 0.781250001
    assert LotGrid(0.1).quantity(3) == 0.3


@pytest.mark.parametrize("lot", [0.0, -1.0, 1e-320, float("nan"), float("inf")])
def test_a_lot_that_is_none(lot: float) -> None:
    """A lot must be a number of a size that arithmetic can carry."""
    with pytest.raises(InvalidOption):
        LotGrid(lot)


def random_panel(gaps: bool) -> Panel:
    """A walk of 120 bars of two symbols, the second one with holes if asked."""
    random = np.random.default_rng(5)
    closes = 100 * np.exp(np.cumsum(random.normal(0, 0.02, (120, 2)), axis=0))
    bars: dict[str, Any] = {
        symbol: [(c, c * 1.01, c * 0.99, c, 1000.0) for c in closes[:, column].tolist()]
        for column, symbol in enumerate((A, B))
    }
    if gaps:
        bars[B] = [None if i % 7 == 3 or i < 5 else bar for i, bar in enumerate(bars[B])]
    return panel_of(bars)


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("name", list(indicators.INDICATORS))
def test_indicators_are_causal(name: str, gaps: bool) -> None:
    """What comes later changes no value of an indicator, bit for bit (G2)."""
    panel = random_panel(gaps)
    whole = indicators.compute(panel, name)
    fields = fields_of(panel)
    for cut in (60, 61, 119):
        known: dict[str, Any] = {
            key: value[:cut] if isinstance(value, np.ndarray) else value
            for key, value in fields.items()
        }
        short = Panel(**known)
        assert indicators.compute(short, name).tobytes() == whole[:cut].tobytes()
    assert not np.isnan(whole[-1]).any()


def test_indicators_skip_gaps_and_carry_on() -> None:
    """A symbol's indicator runs over its own bars and is carried over the holes."""
    panel = panel_of({A: flat_bars(1, 1, 1, 1, 1), B: flat_bars(None, 1, None, 3, None)})
    assert np.isnan(indicators.compute(panel, "sma", 2)[:3, 1]).all()
    assert indicators.compute(panel, "sma", 2)[3:, 1].tolist() == [2, 2]
    assert indicators.compute(panel, "momentum", 1)[3:, 1].tolist() == [2, 2]


def test_indicator_values() -> None:
    """Formulas are the usual ones; a result is kept with its panel."""
    panel = panel_of({A: flat_bars(10, 11, 12, 11)})
    assert indicators.compute(panel, "sma", 3)[2:, 0].tolist() == pytest.approx([11, 34 / 3])
    returns = [0.1, 12 / 11 - 1, 11 / 12 - 1]
    assert indicators.compute(panel, "volatility", 3)[3, 0] == pytest.approx(
        float(np.std(returns, ddof=1))
    )
    assert indicators.compute(panel, "sma", 3) is indicators.compute(panel, "sma", 3)
