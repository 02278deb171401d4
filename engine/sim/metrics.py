"""The figures of a run (policy F1 to F5). What cannot be computed is None, never zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.model import CashFlow, Fill, Rules
from engine.sim.activity import Activity
from engine.sim.panel import Floats, Panel

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


@dataclass(frozen=True, slots=True)
class Drawdown:
    """How high the equity of a run that is still going has been, and how far below that.

    ``peak`` is the highest so far, which begins as the initial cash; ``lowest`` is <= 0.
    """

    peak: float
    lowest: float = 0.0

    @classmethod
    def of(cls, rules: Rules) -> Drawdown:
        """That of a run before anything has happened."""
        return cls(rules.cash)

    def after(self, equity: Floats) -> Drawdown:
        """That of the run once the rows that follow are settled."""
        if not len(equity):
            return self
        peaks = np.maximum(np.maximum.accumulate(equity), self.peak)
        return Drawdown(float(peaks[-1]), min(self.lowest, float((equity / peaks - 1.0).min())))


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
    return figures_of(panel, rules, equity, Activity.of(fills, cash_flows))


def figures_of(
    panel: Panel | None, rules: Rules, equity: Floats, activity: Activity
) -> dict[str, Any]:
    """As ``compute``, of fills and payments that have been summed up on the way.

    Without the bars (``panel`` None) nobody knows where a session ends: figures of daily returns
    and of calendar days are None.
    """
    initial_cash = rules.cash
    figures: dict[str, Any] = dict.fromkeys(FORMULAS)
    figures["num_fills"] = activity.num_fills
    figures |= _costs(activity)
    figures |= activity.round_trips()
    if not len(equity):
        return figures
    curve = np.concatenate(([initial_cash], equity))
    figures["total_return"] = float(curve[-1] / curve[0] - 1.0) if initial_cash > 0 else None
    figures["max_drawdown"] = float((curve / np.maximum.accumulate(curve) - 1.0).min())
    figures["exposure"] = activity.exposure(len(equity))
    mean_equity = float(equity.mean())
    if mean_equity > 0.0:
        figures["turnover"] = activity.notional / 2.0 / mean_equity
    if panel is not None:
        figures |= _figures_of_days(panel, rules, curve, figures["max_drawdown"])
    return {name: _finite(value) for name, value in figures.items()}


def _figures_of_days(
    panel: Panel, rules: Rules, curve: Floats, max_drawdown: float
) -> dict[str, float | int | None]:
    closing = _session_closes(panel, len(curve) - 1)
    days = panel.session_days[panel.sessions[closing]]
    daily = np.concatenate((curve[:1], curve[closing + 1]))
    returns = daily[1:] / daily[:-1] - 1.0
    figures: dict[str, float | int | None] = {}
    figures |= _ratios(returns, rules.risk_free, panel.sessions_per_year)
    figures["longest_drawdown_days"] = _longest_drawdown(daily, days)
    cagr = figures["cagr"] = _cagr(curve, int(days[-1] - days[0]))
    if cagr is not None and max_drawdown < 0.0:
        figures["calmar"] = cagr / -max_drawdown
    return figures


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


def _longest_drawdown(daily: Floats, days: NDArray[np.int64]) -> int:
    """Calendar days from a peak until it is reached again, or the end; ``daily`` begins with the
    initial cash, of the first session's day."""
    days = np.concatenate((days[:1], days))
    at_peak = daily == np.maximum.accumulate(daily)
    places = np.arange(len(daily))
    since = np.maximum.accumulate(np.where(at_peak, places, 0))[:-1]
    # From one peak straight to the next nothing was under water.
    under = ~(at_peak[1:] & at_peak[:-1])
    return int(((days[1:] - days[since]) * under).max(initial=0))


def _costs(activity: Activity) -> dict[str, float]:
    return {
        "total_commission": activity.commission,
        "total_fees": activity.fees,
        "total_slippage": activity.slippage,
        "total_costs": activity.total_costs,
    }
