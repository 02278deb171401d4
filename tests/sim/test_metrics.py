"""The figures: F1 to F5."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest

from engine.model import CashFlow, Decision, Fill, Order
from engine.sim import metrics
from engine.sim.activity import Activity
from engine.sim.panel import Panel
from engine.sim.state import join
from tests.sim.builders import (
    DAY,
    HOUR,
    MONDAY,
    flat_bars,
    panel_of,
    play,
    rules_of,
    run_batch,
)

A = "AAPL"


def figures_of(equity: list[float], fills: tuple[Fill, ...] = (), **fields: Any) -> dict[str, Any]:
    """The figures of a curve of daily equity, from 1,000 in cash."""
    per_year = fields.pop("sessions_per_year", 252)
    panel = panel_of({A: flat_bars(*[1.0] * len(equity))}, daily=True, sessions_per_year=per_year)
    return metrics.compute(panel, rules_of(**fields), np.array(equity), fills, ())


def test_return_and_drawdown() -> None:
    """The curve starts at the initial cash, which counts as a peak (F1, F2)."""
    figures = figures_of([900, 1200, 900, 1100])
    assert figures["total_return"] == pytest.approx(0.1, abs=1e-12)
    assert figures["max_drawdown"] == -0.25
    assert figures_of([900, 950])["max_drawdown"] == pytest.approx(-0.1, abs=1e-12)


def test_sharpe_and_sortino() -> None:
    """Sample deviation over daily returns; downside over all periods (F3)."""
    figures = figures_of([1100, 990], risk_free=0.0)
    # Returns 0.1 and -0.1: mean 0, so both are zero and not null.
    assert figures["sharpe"] == pytest.approx(0.0, abs=1e-9)
    assert figures["sortino"] == pytest.approx(0.0, abs=1e-9)
    figures = figures_of([1100, 1210, 1089], risk_free=0.0252)
    excess = [0.1 - 0.0001, 0.1 - 0.0001, -0.1 - 0.0001]
    mean = sum(excess) / 3
    deviation = sqrt(sum((value - mean) ** 2 for value in excess) / 2)
    downside = sqrt(excess[2] ** 2 / 3)
    assert figures["sharpe"] == pytest.approx(mean / deviation * sqrt(252), abs=1e-9)
    assert figures["sortino"] == pytest.approx(mean / downside * sqrt(252), abs=1e-9)
    assert figures["annual_volatility"] == pytest.approx(deviation * sqrt(252), abs=1e-9)
    assert (figures["best_day"], figures["worst_day"]) == (
        pytest.approx(0.1),
        pytest.approx(-0.1),
    )


def test_periods_a_year_are_the_calendars() -> None:
    """A 24/7 calendar has 365 periods (F3)."""
    ratio = figures_of([1100, 1000], sessions_per_year=365)["annual_volatility"]
    assert ratio / figures_of([1100, 1000])["annual_volatility"] == pytest.approx(sqrt(365 / 252))


@pytest.mark.parametrize("equity", [[1000.0], [1000.0] * 5, [1100, 1210, 1331]])
def test_ratios_without_a_spread_are_null(equity: list[float]) -> None:
    """Fewer than two periods, or equal returns, give null and not zero (F3, F5)."""
    figures = figures_of(equity)
    assert figures["sharpe"] is None
    assert figures["sortino"] is None


def test_daily_returns_take_the_last_equity_of_a_session() -> None:
    """Hours of one session are one period (F3)."""
    stamps = [MONDAY + day * DAY + hour * HOUR for day in (0, 1) for hour in (0, 1, 2)]
    panel = panel_of({A: flat_bars(*[1.0] * 6)}, stamps=stamps)
    equity = np.array([500.0, 2000, 1100, 1, 2, 990])
    figures = metrics.compute(panel, rules_of(), equity, (), ())
    assert figures["best_day"] == pytest.approx(0.1)
    assert figures["worst_day"] == pytest.approx(-0.1)


def test_cagr_and_calmar_count_calendar_days() -> None:
    """Growth over calendar days / 365.25 (F4)."""
    figures = figures_of([990, 1010, 1020])  # two days
    assert figures["cagr"] == pytest.approx(1.02 ** (365.25 / 2) - 1)
    assert figures["calmar"] == pytest.approx(figures["cagr"] / 0.01)
    assert figures_of([1010])["cagr"] is None


def test_longest_drawdown_in_days() -> None:
    """From the peak's day to the day it is reached again, or to the end (F4)."""
    assert figures_of([1100, 1050, 1060, 1100, 1090])["longest_drawdown_days"] == 3
    assert figures_of([1100, 1200, 1190, 1180, 1170])["longest_drawdown_days"] == 3
    assert figures_of([1100, 1200])["longest_drawdown_days"] == 0


def round_trips() -> tuple[Panel, Any]:
    """Three trips: 10 shares from 10 to 12, from 12 to 11; a short of 10 from 11 to 10."""
    panel = panel_of({A: flat_bars(10, 10, 12, 12, 11, 11, 10, 10)})
    decisions = {
        0: Decision((Order.buy(A, 10),)),
        1: Decision((Order.sell(A, 10),)),
        2: Decision((Order.buy(A, 10),)),
        3: Decision((Order.sell(A, 20),)),
        5: Decision((Order.buy(A, 10),)),
    }
    return panel, play(panel, rules_of(allow_short=True), decisions)[1]


def test_round_trips() -> None:
    """Trips run from flat to flat; a flip through zero closes one and opens the next (F4)."""
    panel, result = round_trips()
    figures = metrics.compute(panel, rules_of(), result.equity, result.fills, result.cash_flows)
    assert figures["num_fills"] == 5
    assert figures["num_trades"] == 3
    # Profits 20, -10, 10 over 1, 1 and 2 bars.
    assert figures["win_rate"] == pytest.approx(2 / 3)
    assert figures["profit_factor"] == pytest.approx(3.0)
    assert figures["expectancy"] == pytest.approx(20 / 3)
    assert figures["average_hold_bars"] == pytest.approx(4 / 3)
    # Held at the end of grid points 1, 3, 4 and 5 of eight.
    assert figures["exposure"] == pytest.approx(4 / 8)
    traded = 100 + 120 + 120 + 220 + 100
    assert figures["turnover"] == pytest.approx(traded / 2 / result.equity.mean())


def test_nothing_traded_leaves_nulls() -> None:
    """Figures of trades that were not made are null; sums of costs are zero (F5)."""
    figures = figures_of([1000.0, 1000.0])
    for name in ("win_rate", "profit_factor", "expectancy", "average_hold_bars", "calmar"):
        assert figures[name] is None
    assert figures["total_costs"] == 0.0
    assert figures["exposure"] == 0.0
    assert set(figures) == set(metrics.FORMULAS)


def test_cash_in_lieu_belongs_to_its_trip() -> None:
    """What a split pays in cash is part of the trip's profit."""
    fill = Fill(0, "0-0", 1, 0, A, "buy", 5.0, 90.0, 90.0, 0.0, 0.0, 0.0, 0.0, 5.0, 90.0)
    sold = fill._replace(fill_id=1, step_index=3, side="sell", quantity=7.0, position_after=0.0)
    flow = CashFlow(2, 0, A, "cash_in_lieu", 0.5, 31.0, 1.0)
    panel = panel_of({A: flat_bars(*[1.0] * 4)})
    figures = metrics.compute(panel, rules_of(), np.full(4, 1000.0), (fill, sold), (flow,))
    assert figures["expectancy"] == 1.0


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_running_figures(chunk: int) -> None:
    """The running figures are the final ones of what has been settled, in batches of any size."""
    panel, whole = round_trips()
    rules = rules_of(allow_short=True)
    decisions = dict(whole.decisions)
    state, result = run_batch(panel, rules, decisions, chunk)
    figures = metrics.compute(panel, rules, result.equity, result.fills, result.cash_flows)
    drawdown = metrics.Drawdown.of(rules).after(result.equity)
    activity = Activity.of(result.fills, result.cash_flows)
    assert activity.num_trades == figures["num_trades"]
    assert activity.num_fills == figures["num_fills"]
    assert activity.total_costs == figures["total_costs"]
    assert drawdown.lowest == figures["max_drawdown"]
    assert drawdown.peak == max(1000.0, float(result.equity.max()))
    assert state.done


def test_join_refuses_rows_that_do_not_follow() -> None:
    """Results are joined in order and without holes."""
    _, whole = round_trips()
    with pytest.raises(ValueError, match="go on at"):
        join([whole, whole])
    with pytest.raises(ValueError, match="nothing"):
        join([])
