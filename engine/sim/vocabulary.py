"""The words of the expression language: what each means, what it takes, and how it is read.

Values of a symbol take it in brackets, ``close["AAPL"]``; what has happened takes what it happened
to in parentheses, ``fill("AAPL")``. Nothing here asks for a bar after the present one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from math import inf, nan
from types import MappingProxyType
from typing import Final, Literal

from engine.model import Fill, OrderRecord
from engine.sim import indicators
from engine.sim.panel import FIELDS, Panel
from engine.sim.sight import Sight

Kind = Literal["number", "truth", "date", "time"]

# A word compiled for one run's bars: what it is worth before a decision.
Read = Callable[[Sight], float]
Test = Callable[[Sight], bool]


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the language; ``form`` is how it is written."""

    name: str
    kind: Kind
    form: str
    help: str


def _words(kind: Kind, *rows: tuple[str, str, str]) -> dict[str, Word]:
    return {name: Word(name, kind, form, text) for name, form, text in rows}


CLOCK: Final[Mapping[str, Word]] = MappingProxyType(
    _words("number", ("step", "step == 120", "the decision that is due, from 0"))
    | _words("date", ("date", "date >= 2026-03-02", "the session's date"))
    | _words("time", ("ts", "ts >= 2026-03-02T14:30", "the open stamp of the last bar, UTC"))
)
ACCOUNT: Final[Mapping[str, Word]] = MappingProxyType(
    _words(
        "number",
        ("cash", "cash < 1000", "cash at hand"),
        ("equity", "equity > 110k", "cash, holdings at their last closes and what is receivable"),
        ("ret", "ret > 10%", "equity over the initial cash, less 1"),
        ("drawdown", "drawdown < -5%", "equity under its highest so far, 0 or less"),
        ("exposure", "exposure > 0.9", "holdings without their signs, over equity"),
        ("holdings", "holdings == 0", "how many symbols are held"),
        ("realized", "realized < -500", "profit of the fills just made, costs included"),
    )
)
HOLDING: Final[Mapping[str, Word]] = MappingProxyType(
    _words(
        "number",
        ("position", 'position["AAPL"] > 0', "shares held, below 0 when short"),
        ("weight", 'weight["AAPL"] > 25%', "the holding over equity"),
        ("avg_cost", 'close["AAPL"] < avg_cost["AAPL"]', "average cost of what is held"),
        ("unrealized", 'unrealized["AAPL"] < -1000', "gain of the holding, not yet realized"),
    )
)
MARKET: Final[Mapping[str, Word]] = MappingProxyType(
    _words(
        "number",
        ("open", 'open["AAPL"] > high["AAPL", 1]', "the bar's open; with a number, bars ago"),
        ("high", 'high["AAPL"] > 100', "the bar's high"),
        ("low", 'low["AAPL"] < low["AAPL", 1]', "the bar's low"),
        ("close", 'close["AAPL"] > 100', "the bar's close"),
        ("volume", 'volume["AAPL"] > 1m', "the bar's volume"),
        ("price", 'price["AAPL"] > 100', "the last close seen, also where there is no bar"),
        ("change", 'abs(change["AAPL"]) > 5%', "the last close seen over the one before, less 1"),
    )
)
HAPPENINGS: Final[Mapping[str, Word]] = MappingProxyType(
    _words(
        "truth",
        ("fill", 'fill or fill("AAPL")', "an order was filled, in part at least"),
        ("bought", 'bought("AAPL")', "a buy was filled"),
        ("sold", 'sold("AAPL")', "a sell was filled"),
        ("rejection", 'rejection("insufficient_cash")', "an order was rejected"),
        ("cancellation", 'cancellation("no_bar")', "an order was cancelled"),
        ("expiry", 'expiry("session_end")', "an order expired"),
        ("cut", 'cut("insufficient_cash")', "an order ended filled in part"),
        ("dividend", 'dividend("AAPL")', "a dividend was paid"),
        ("decision", "decision", "the decision was more than to hold"),
        ("session_start", "session_start", "the bar is its session's first"),
    )
)
FUNCTIONS: Final[Mapping[str, Word]] = MappingProxyType(
    _words(
        "number",
        ("abs", 'abs(change["AAPL"]) > 3%', "without its sign"),
        ("min", 'min(close["AAPL"], close["IBM"]) < 50', "the smallest of some numbers"),
        ("max", 'max(weight["AAPL"], weight["IBM"]) > 0.5', "the largest of some numbers"),
    )
    | _words(
        "truth",
        (
            "crosses_above",
            'crosses_above(sma["AAPL", 10], sma["AAPL", 30])',
            "the first number is above the second now, and was not before",
        ),
        (
            "crosses_below",
            "crosses_below(equity, 95k)",
            "the first number is below the second now, and was not before",
        ),
    )
)
INDICATORS: Final[Mapping[str, Word]] = MappingProxyType(
    {
        name: Word(
            name,
            "number",
            f'{name}["AAPL", {", ".join(f"{default:g}" for default in one.defaults)}]',
            one.help,
        )
        for name, one in indicators.INDICATORS.items()
    }
)
VALUES: Final[Mapping[str, Word]] = MappingProxyType({**CLOCK, **ACCOUNT})
"""Words that take nothing."""
OF_A_SYMBOL: Final[Mapping[str, Word]] = MappingProxyType({**HOLDING, **MARKET})
WORDS: Final[Mapping[str, Word]] = MappingProxyType(
    {**HAPPENINGS, **CLOCK, **ACCOUNT, **HOLDING, **MARKET, **INDICATORS}
)
"""Everything that can be looked at, beside TA-Lib's functions; the functions are apart, because
``min`` and ``max`` are also TA-Lib's."""

_STATUSES: Final[Mapping[str, str]] = {
    "rejection": "rejected",
    "cancellation": "cancelled",
    "expiry": "expired",
    "cut": "partially_filled",
}
OF_THE_RUN: Final = frozenset({*ACCOUNT, *HOLDING, *HAPPENINGS} - {"session_start"})
"""Words whose worth depends on what the run does; all others are known from the bars alone."""
TAKES_AGO: Final = frozenset(FIELDS)
TAKES_REASON: Final = frozenset(_STATUSES)
TAKES_SYMBOL: Final = TAKES_REASON | {"fill", "bought", "sold", "dividend"}


# -- values ---------------------------------------------------------------------------------------


def account_read(name: str) -> Read:
    """How a word of ``ACCOUNT`` is read."""
    return _ACCOUNT_READS[name]


def _exposure(sight: Sight) -> float:
    portfolio = sight.portfolio
    if not portfolio.equity:
        return nan
    return sum(abs(held.market_value) for held in portfolio.positions.values()) / portfolio.equity


_ACCOUNT_READS: Final[Mapping[str, Read]] = {
    "cash": lambda sight: sight.portfolio.cash,
    "equity": lambda sight: sight.portfolio.equity,
    "ret": lambda sight: sight.portfolio.equity / sight.simulation.rules.cash - 1.0,
    "drawdown": lambda sight: sight.drawdown,
    "exposure": _exposure,
    "holdings": lambda sight: float(len(sight.portfolio.positions)),
    "realized": lambda sight: sum(fill.realized_pnl for fill in sight.fills),
}


def clock_read(name: str, panel: Panel) -> Read:
    """How a word of ``CLOCK`` is read: steps, days (ordinals), stamps (microseconds)."""
    if name == "step":
        return lambda sight: float(sight.step)
    if name == "ts":
        stamps = panel.stamps.data
        return lambda sight: stamps[sight.step]
    sessions = panel.sessions.data
    days = [date.fromisoformat(text).toordinal() for text in panel.session_dates]
    return lambda sight: days[sessions[sight.step]]


def holding_read(name: str, symbol: str) -> Read:
    """How a word of ``HOLDING`` is read of a symbol; 0 where none is held, for its cost NaN."""

    def position(sight: Sight) -> float:
        held = sight.portfolio.positions.get(symbol)
        return held.quantity if held is not None else 0.0

    def weight(sight: Sight) -> float:
        portfolio = sight.portfolio
        held = portfolio.positions.get(symbol)
        if held is None:
            return 0.0
        return held.market_value / portfolio.equity if portfolio.equity else nan

    def avg_cost(sight: Sight) -> float:
        held = sight.portfolio.positions.get(symbol)
        return held.avg_cost if held is not None else nan

    def unrealized(sight: Sight) -> float:
        held = sight.portfolio.positions.get(symbol)
        return held.unrealized_pnl if held is not None else 0.0

    return {
        "position": position,
        "weight": weight,
        "avg_cost": avg_cost,
        "unrealized": unrealized,
    }[name]


def market_read(name: str, symbol: str, ago: int, panel: Panel) -> Read:
    """How a word of ``MARKET`` is read of a symbol, ``ago`` grid points back."""
    column, width = panel.index[symbol], len(panel.symbols)
    if name in FIELDS or name == "price":
        cells = panel.flat["mark" if name == "price" else name]
        back = column - ago * width

        def read(sight: Sight) -> float:
            step = sight.step
            value: float = cells[step * width + back] if step >= ago else nan
            return value

        return read
    marks = panel.flat["mark"]

    def change(sight: Sight) -> float:
        at = sight.step * width + column
        return marks[at] / marks[at - width] - 1.0 if sight.step else nan

    return change


def indicator_read(name: str, symbol: str, parameters: tuple[float, ...], panel: Panel) -> Read:
    """How an indicator is read of a symbol. Raises ``InvalidParameter``."""
    values: memoryview = indicators.compute(panel, name, *parameters).reshape(-1).data
    column, width = panel.index[symbol], len(panel.symbols)

    def read(sight: Sight) -> float:
        value: float = values[sight.step * width + column]
        return value

    return read


# -- what happened --------------------------------------------------------------------------------


def happening_test(name: str, of: str | None, panel: Panel) -> Test:
    """Whether a word of ``HAPPENINGS`` holds; ``of`` narrows it to a symbol or a reason."""
    if name == "decision":
        return lambda sight: sight.decision is not None
    if name == "session_start":
        sessions = panel.sessions.data
        return lambda sight: sight.step == 0 or sessions[sight.step] != sessions[sight.step - 1]
    if name == "dividend":
        return lambda sight: any(
            flow.kind == "dividend" and of in (None, flow.symbol) for flow in sight.cash_flows
        )
    if name in _STATUSES:
        return _order_test(_STATUSES[name], of)
    side = {"bought": "buy", "sold": "sell"}.get(name)

    def filled(fill: Fill) -> bool:
        return side in (None, fill.side) and of in (None, fill.symbol)

    return lambda sight: any(map(filled, sight.fills))


def _order_test(status: str, of: str | None) -> Test:
    def ended(order: OrderRecord) -> bool:
        return order.status == status and of in (None, order.symbol, order.reason)

    return lambda sight: any(map(ended, sight.orders))


# -- arithmetic -----------------------------------------------------------------------------------


def divided(one: float, other: float) -> float:
    """The quotient; NaN where there is none, so that comparing it is false."""
    return one / other if other else nan


def smallest(values: list[float]) -> float:
    """The smallest; NaN if any is."""
    least = inf
    for value in values:
        if value != value:
            return nan
        least = min(least, value)
    return least


def largest(values: list[float]) -> float:
    """The largest; NaN if any is."""
    return -smallest([-value for value in values])
