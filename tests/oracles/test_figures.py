"""Every figure that empyrical-reloaded or quantstats defines as we do, on real runs.

The figures are those of F1 to F4. Where a library's figure of the same name is another one, the
last tests say which rule makes it so.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import empyrical
import pandas as pd
import pytest
from quantstats import stats as quantstats

import engine
from engine.api import Result

HOURLY = ("AAPL", "AMZN", "JPM", "KO", "META", "MSFT", "NVDA", "XOM")
RISK_FREE = 0.04


class Measured(NamedTuple):
    """A run and its daily returns, the first of them against the initial cash."""

    result: Result
    returns: pd.Series[float]


def measured(result: Result) -> Measured:
    """The last equity of each UTC date: sessions of New York end within one."""
    dates = pd.DatetimeIndex(result.equity.index).tz_localize(None).normalize()
    closing = result.equity["equity"].groupby(dates).last()
    before = closing.shift(fill_value=result.rules.cash)
    return Measured(result, closing / before - 1.0)


@cache
def run_of(strategy: str, source: str, symbols: tuple[str, ...] | None, costs: str) -> Measured:
    """The run, made once."""
    return measured(engine.run(strategy, source, symbols=symbols, costs=costs, risk_free=RISK_FREE))


@pytest.fixture(params=["buy_and_hold", "sma_cross", "rsi_reversion", "momentum", "hourly"])
def run(request: pytest.FixtureRequest) -> Measured:
    """Each built-in strategy on the sample, and one on real hourly bars; rf of 4 % a year."""
    if request.param != "hourly":
        return run_of(request.param, "sample", None, "us-equity")
    path: Path = request.getfixturevalue("hourly_file")
    return run_of("momentum", f"csv:{path}", HOURLY, "none")


def agree(mine: Any, theirs: Any) -> None:
    """The same number, to nine digits."""
    assert mine is not None
    assert mine == pytest.approx(float(theirs), rel=1e-9, abs=1e-12)


def test_empyrical_agrees(run: Measured) -> None:
    """Return, Sharpe, Sortino, volatility, and the drawdown of daily closes."""
    result, returns = run
    mine = result.metrics
    daily = RISK_FREE / 252
    agree(mine["total_return"], empyrical.cum_returns_final(returns))
    agree(mine["sharpe"], empyrical.sharpe_ratio(returns, risk_free=daily))
    agree(mine["sortino"], empyrical.sortino_ratio(returns, required_return=daily))
    agree(mine["annual_volatility"], empyrical.annual_volatility(returns))
    # F2 is over every grid point, theirs over whatever returns they are given.
    every = result.equity["equity"].pct_change()
    every.iloc[0] = result.equity["equity"].iloc[0] / result.rules.cash - 1.0
    agree(mine["max_drawdown"], empyrical.max_drawdown(every))
    agree(mine["best_day"], returns.max())
    agree(mine["worst_day"], returns.min())


def test_quantstats_agrees(run: Measured) -> None:
    """The same figures by other code; its ratios take the yearly rate."""
    result, returns = run
    mine = result.metrics
    agree(mine["total_return"], quantstats.comp(returns))
    agree(mine["annual_volatility"], quantstats.volatility(returns, periods=252))
    agree(mine["best_day"], quantstats.best(returns))
    agree(mine["worst_day"], quantstats.worst(returns))
    if result.equity.index[0].hour == 0:  # daily bars: every grid point is a session's last
        agree(mine["max_drawdown"], quantstats.max_drawdown(returns))


def profits_of(result: Result) -> pd.Series[float]:
    """The profit of each round trip, flat to flat, told from fills and cash in lieu alone."""
    running: dict[str, float] = defaultdict(float)
    profits: list[float] = []
    lieu = [flow for flow in result.cash_flow_records if flow.kind == "cash_in_lieu"]
    for fill in result.fill_records:
        while lieu and lieu[0].step_index <= fill.step_index:
            flow = lieu.pop(0)
            running[str(flow.symbol)] += flow.realized_pnl
        running[fill.symbol] += fill.realized_pnl
        if fill.position_after == 0:
            profits.append(running.pop(fill.symbol))
    return pd.Series(profits, dtype="float64")


def test_round_trips_are_judged_alike(run: Measured) -> None:
    """Win rate, profit factor and expectancy: their formulas over the profits of round trips."""
    mine = run.result.metrics
    profits = profits_of(run.result)
    assert mine["num_trades"] == len(profits)
    if not len(profits):
        assert mine["win_rate"] is mine["profit_factor"] is mine["expectancy"] is None
        return
    # Theirs leaves out what ended at exactly nothing; ours counts it as not won.
    decided = (profits != 0).mean()
    agree(mine["win_rate"], quantstats.win_rate(profits, prepare_returns=False) * decided)
    agree(mine["profit_factor"], quantstats.profit_factor(profits, prepare_returns=False))
    agree(mine["expectancy"], profits.mean())


# -- figures of the same name that are others, each by one rule ------------------------------------


def test_rule_daily_risk_free_rate(run: Measured) -> None:
    """F3 divides the yearly rate by 252; quantstats takes the root that compounds to it."""
    mine, returns = run.result.metrics, run.returns
    compounds_to_ours = (1 + RISK_FREE / 252) ** 252 - 1
    agree(mine["sharpe"], quantstats.sharpe(returns, rf=compounds_to_ours))
    agree(mine["sortino"], quantstats.sortino(returns, rf=compounds_to_ours))
    assert quantstats.sharpe(returns, rf=RISK_FREE) > mine["sharpe"]


def test_rule_years_of_a_cagr(run: Measured) -> None:
    """F4 counts calendar days / 365.25; both libraries count returns / 252.

    With as many returns to a year as the calendar has, they agree, and so does Calmar.
    """
    mine, returns = run.result.metrics, run.returns
    days = (returns.index[-1] - returns.index[0]).days
    a_year = len(returns) / (days / 365.25)
    agree(mine["cagr"], quantstats.cagr(returns, periods=a_year))
    agree(mine["cagr"], empyrical.cagr(returns, annualization=a_year))
    agree(mine["calmar"], empyrical.cagr(returns, annualization=a_year) / -mine["max_drawdown"])
    assert mine["cagr"] != pytest.approx(quantstats.cagr(returns), rel=1e-4)


def test_rule_days_of_a_drawdown(run: Measured) -> None:
    """F4 counts from the peak until it is reached again; they from the first day below to the last.

    Their curve of drawdowns gives our days.
    """
    below = (quantstats.to_drawdown_series(run.returns) < -1e-12).to_list()
    days = run.returns.index.to_list()
    longest, peak = 0, days[0]
    for number, day in enumerate(days):
        if below[number] or (number and below[number - 1]):
            longest = max(longest, (day - peak).days)
        if not below[number]:
            peak = day
    assert run.result.metrics["longest_drawdown_days"] == longest


def test_rule_daily_and_periodic_winning(run: Measured) -> None:
    """Their win rate and profit factor of returns are of days; ours are of round trips."""
    mine, returns = run.result.metrics, run.returns
    active = returns[returns != 0]
    assert quantstats.win_rate(returns) == pytest.approx((active > 0).mean())
    if mine["win_rate"] is not None:
        assert mine["win_rate"] != pytest.approx(quantstats.win_rate(returns), rel=1e-6)
