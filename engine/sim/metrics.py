"""The figures of a run (policy F1 to F5). What cannot be computed is None, never zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import isfinite, sqrt
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.model import CashFlow, Fill, Rules
from engine.sim.panel import Floats, Panel
from engine.sim.records import Fills
from engine.sim.state import StepResult

# A deviation of returns below this is the rounding of equal returns, not a spread.
_NO_SPREAD: Final = 1e-14

FORMULAS: Final[Mapping[str, str]] = {
    "total_return": "final equity / initial cash - 1",
    "max_drawdown": "lowest equity / highest equity before it - 1, initial cash included",
    "sharpe": "mean(r - rf) / sample deviation(r) x sqrt(periods), daily r, rf = rate / periods",
    "sortino": "mean(r - rf) / root mean square of min(r - rf, 0) x sqrt(periods), daily r",
    "cagr": "(final / initial) ^ (365.25 / calendar days) - 1",
    "annual_volatility": "sample deviation of daily returns x sqrt(periods)",
    "calmar": "cagr / |max_drawdown|",
    "win_rate": "round trips with a profit after costs / round trips",
    "profit_factor": "profit of winning round trips / loss of losing ones",
    "expectancy": "mean profit of a round trip, in currency",
    "average_hold_bars": "mean grid points from a round trip's first fill to its last",
    "exposure": "share of grid points that end with a holding",
    "turnover": "half of all notional traded / mean equity",
    "best_day": "highest daily return",
    "worst_day": "lowest daily return",
    "longest_drawdown_days": "most calendar days from a peak until it is reached again, or the end",
    "total_commission": "sum over fills",
    "total_fees": "sum over fills",
    "total_slippage": "sum over fills of |price - reference price| x quantity",
    "total_costs": "commission + fees + slippage",
    "num_trades": "round trips closed: to flat, or through zero",
    "num_fills": "executions",
}


class Traded(NamedTuple):
    """Fills as columns, in their order. ``notional`` is price x quantity; ``closes`` says whether a
    fill took a holding to zero or through it; ``after`` is the holding it left."""

    steps: list[int]
    symbols: list[str]
    notional: Floats
    commission: Floats
    fees: Floats
    slippage: Floats
    realized: Floats
    after: Floats
    closes: NDArray[np.bool_]

    @classmethod
    def of(cls, fills: Sequence[Fill]) -> Traded:
        """The columns of some fills, without making records of packed ones."""
        if isinstance(fills, Fills):
            rows, names = fills.rows, fills.legend.symbols
            steps, symbols = rows["step"].tolist(), [names[i] for i in rows["column"].tolist()]
            buys, quantity, after = rows["lots"] > 0, fills.quantities(), fills.positions()
            price, slippage = rows["price"], fills.slippages()
            commission, fees, realized = rows["commission"], rows["fees"], rows["realized"]
        else:
            steps, symbols = [f.step_index for f in fills], [f.symbol for f in fills]
            buys = np.array([fill.side == "buy" for fill in fills], dtype=np.bool_)
            figures = np.array([(*fill[6:8], *fill[9:14]) for fill in fills], dtype=np.float64)
            quantity, price, commission, fees, slippage, realized, after = figures.reshape(-1, 7).T
        beyond = after * np.where(buys, 1.0, -1.0) > 0.0
        through = beyond & (np.abs(after) < quantity * (1.0 - 1e-12))
        return cls(
            steps,
            symbols,
            quantity * price,
            commission,
            fees,
            slippage,
            realized,
            after,
            (after == 0.0) | through,
        )


def _total(values: Floats, before: float = 0.0) -> float:
    """The sum, added in order: the same however fills are divided among results."""
    return float(np.add.accumulate(np.concatenate(([before], values)))[-1])


@dataclass(frozen=True, slots=True)
class Tally:
    """Running figures of a run that is still going; ``after`` gives those one result later.

    ``peak`` is the highest equity so far, which begins as the initial cash; ``max_drawdown`` is
    <= 0; costs are in currency.
    """

    peak: float
    max_drawdown: float = 0.0
    num_fills: int = 0
    num_trades: int = 0
    commission: float = 0.0
    fees: float = 0.0
    slippage: float = 0.0

    @classmethod
    def of(cls, rules: Rules) -> Tally:
        """The figures before anything has happened."""
        return cls(rules.cash)

    @property
    def total_costs(self) -> float:
        """Commission, fees and slippage together."""
        return self.commission + self.fees + self.slippage

    def after(self, result: StepResult) -> Tally:
        """The figures once a result's rows and fills are counted."""
        peak, lowest = self.peak, self.max_drawdown
        if result.rows:
            peaks = np.maximum(np.maximum.accumulate(result.equity), peak)
            lowest = min(lowest, float((result.equity / peaks - 1.0).min()))
            peak = float(peaks[-1])
        if not len(result.fills):
            return replace(self, peak=peak, max_drawdown=lowest)
        traded = Traded.of(result.fills)
        return Tally(
            peak,
            lowest,
            self.num_fills + len(traded.steps),
            self.num_trades + int(np.count_nonzero(traded.closes)),
            _total(traded.commission, self.commission),
            _total(traded.fees, self.fees),
            _total(traded.slippage, self.slippage),
        )


def compute(
    panel: Panel,
    rules: Rules,
    equity: Floats,
    fills: Sequence[Fill],
    cash_flows: Iterable[CashFlow],
) -> dict[str, Any]:
    """Every figure of a run by name; ``FORMULAS`` says what each is.

    ``equity`` is float64, one value per settled grid point from 0 on (fewer than the panel's, where
    the run ended early). Periods a year are the panel's ``sessions_per_year``.
    """
    initial_cash = rules.cash
    figures: dict[str, Any] = dict.fromkeys(FORMULAS)
    traded = Traded.of(fills)
    figures["num_fills"] = len(fills)
    figures |= _costs(traded)
    figures |= _round_trips(traded, cash_flows)
    if not len(equity):
        return figures
    curve = np.concatenate(([initial_cash], equity))
    figures["total_return"] = float(curve[-1] / curve[0] - 1.0) if initial_cash > 0 else None
    figures["max_drawdown"] = float((curve / np.maximum.accumulate(curve) - 1.0).min())
    figures["exposure"] = _exposure(traded, len(equity))
    mean_equity = float(equity.mean())
    if mean_equity > 0.0:
        figures["turnover"] = _total(traded.notional) / 2.0 / mean_equity
    closing = _session_closes(panel, len(equity))
    dates = [panel.session_dates[panel.sessions[step]] for step in closing]
    daily = np.concatenate(([initial_cash], equity[closing]))
    returns = daily[1:] / daily[:-1] - 1.0
    figures |= _ratios(returns, rules.risk_free, panel.sessions_per_year)
    figures["longest_drawdown_days"] = _longest_drawdown(daily, dates)
    days = (date.fromisoformat(dates[-1]) - date.fromisoformat(dates[0])).days
    figures["cagr"] = _cagr(curve, days)
    if figures["cagr"] is not None and figures["max_drawdown"] < 0.0:
        figures["calmar"] = figures["cagr"] / -figures["max_drawdown"]
    return {name: _finite(value) for name, value in figures.items()}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def _session_closes(panel: Panel, rows: int) -> Any:
    """The last settled grid point of each session."""
    sessions = panel.sessions[:rows]
    return np.append(np.flatnonzero(sessions[1:] != sessions[:-1]), rows - 1)


def _ratios(returns: Floats, risk_free: float, periods: int) -> dict[str, float | None]:
    figures: dict[str, float | None] = {
        "best_day": float(returns.max()),
        "worst_day": float(returns.min()),
    }
    if len(returns) < 2:
        return figures
    excess = returns - risk_free / periods
    annual = sqrt(periods)
    deviation = float(returns.std(ddof=1))
    figures["annual_volatility"] = deviation * annual
    if deviation > _NO_SPREAD:
        figures["sharpe"] = float(excess.mean()) / deviation * annual
    downside = sqrt(float((np.minimum(excess, 0.0) ** 2).mean()))
    if downside > _NO_SPREAD:
        figures["sortino"] = float(excess.mean()) / downside * annual
    return figures


def _cagr(curve: Floats, days: int) -> float | None:
    growth = float(curve[-1]) / float(curve[0]) if curve[0] > 0.0 else 0.0
    if days <= 0 or growth <= 0.0:
        return None
    try:
        return float(growth ** (365.25 / days) - 1.0)
    except OverflowError:
        return None


def _longest_drawdown(daily: Floats, dates: Sequence[str]) -> int:
    """Calendar days; ``daily`` begins with the initial cash, dated as the first session."""
    days = [date.fromisoformat(text) for text in (dates[0], *dates)]
    peak, since, longest = float(daily[0]), days[0], 0
    under = False
    for value, day in zip(daily[1:].tolist(), days[1:], strict=True):
        if value < peak:
            under = True
            longest = max(longest, (day - since).days)
            continue
        if under:
            longest = max(longest, (day - since).days)
            under = False
        peak, since = value, day
    return longest


def _costs(traded: Traded) -> dict[str, float]:
    commission, fees = _total(traded.commission), _total(traded.fees)
    slippage = _total(traded.slippage)
    return {
        "total_commission": commission,
        "total_fees": fees,
        "total_slippage": slippage,
        "total_costs": commission + fees + slippage,
    }


def _round_trips(traded: Traded, cash_flows: Iterable[CashFlow]) -> dict[str, Any]:
    """Trips from flat to flat by symbol; a flip through zero closes one and opens the next.

    Their profit is what their fills realised, and what a split on the way paid in cash.
    """
    profits: list[float] = []
    holds: list[int] = []
    running: dict[str, tuple[int, float]] = {}  # symbol -> first step, profit so far
    happenings = zip(
        traded.steps,
        traded.symbols,
        traded.realized.tolist(),
        traded.closes.tolist(),
        traded.after.tolist(),
        strict=True,
    )
    paid = [
        (flow.step_index, flow.symbol or "", flow.realized_pnl, False, 0.0)
        for flow in cash_flows
        if flow.kind == "cash_in_lieu"
    ]
    # At one grid point splits come before fills; a stable sort keeps them there.
    ordered = sorted([*paid, *happenings], key=itemgetter(0)) if paid else happenings
    for step, symbol, realized, closes, after in ordered:
        begun, profit = running.get(symbol, (step, 0.0))
        profit += realized
        if closes:
            profits.append(profit)
            holds.append(step - begun)
            running.pop(symbol, None)
            if after:
                running[symbol] = (step, 0.0)
        else:
            running[symbol] = (begun, profit)
    figures: dict[str, Any] = {"num_trades": len(profits)}
    if profits:
        won = sum(profit for profit in profits if profit > 0.0)
        lost = -sum(profit for profit in profits if profit < 0.0)
        figures["win_rate"] = sum(profit > 0.0 for profit in profits) / len(profits)
        figures["expectancy"] = sum(profits) / len(profits)
        figures["average_hold_bars"] = sum(holds) / len(holds)
        if lost > 0.0:
            figures["profit_factor"] = won / lost
    return figures


def _exposure(traded: Traded, rows: int) -> float:
    """Share of grid points that end with some symbol held, as the fills leave it."""
    held: set[str] = set()
    exposed, since = 0, 0
    for step, symbol, after in zip(
        traded.steps, traded.symbols, traded.after.tolist(), strict=True
    ):
        exposed += (step - since) if held else 0
        since = step
        if after:
            held.add(symbol)
        else:
            held.discard(symbol)
    exposed += (rows - since) if held else 0
    return exposed / rows
