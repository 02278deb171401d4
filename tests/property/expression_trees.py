"""Random conditions as data: their text, and what they mean, worked out the slow and plain way."""

from __future__ import annotations

from datetime import date
from math import isnan, nan
from typing import Any, NamedTuple

from hypothesis import strategies as st

from engine.sim.observation import Observation
from engine.sim.panel import Panel
from engine.sim.state import StepResult
from tests.property.sim_runs import SYMBOLS

Tree = tuple[Any, ...]


class Seat(NamedTuple):
    """Where a reference evaluation looks from: one decision, and the one before."""

    panel: Panel
    observation: Observation
    peak: float
    cash: float
    result: StepResult | None
    before: Seat | None


def numbers(symbols: tuple[str, ...]) -> st.SearchStrategy[Tree]:
    """Trees of kind number."""
    symbol = st.sampled_from(symbols)
    leaves = st.one_of(
        st.tuples(st.just("constant"), st.integers(-40, 400).map(lambda n: n / 4)),
        st.tuples(st.just("account"), st.sampled_from(_ACCOUNT)),
        st.tuples(st.just("holding"), st.sampled_from(_HOLDING), symbol),
        st.tuples(
            st.just("bar"),
            st.sampled_from(("open", "high", "low", "close", "volume")),
            symbol,
            st.integers(0, 3),
        ),
        st.tuples(st.just("change"), symbol),
        st.tuples(
            st.just("indicator"), st.sampled_from(("sma", "rsi", "momentum")), symbol,
            st.integers(2, 4),
        ),
    )  # fmt: skip
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.just("arithmetic"), st.sampled_from("+-*/"), inner, inner),
            st.tuples(st.just("minus"), inner),
            st.tuples(st.just("abs"), inner),
            st.tuples(st.sampled_from(("min", "max")), inner, inner, inner),
        ),
        max_leaves=4,
    )


def conditions(symbols: tuple[str, ...] = SYMBOLS[:1]) -> st.SearchStrategy[Tree]:
    """Trees of kind truth."""
    number = numbers(symbols)
    sign = st.sampled_from(("<", "<=", ">", ">=", "==", "!="))
    leaves = st.one_of(
        st.tuples(st.just("compare"), number, sign, number),
        st.tuples(st.just("chain"), number, sign, number, sign, number),
        st.tuples(st.sampled_from(("crosses_above", "crosses_below")), number, number),
        st.tuples(st.just("since"), st.integers(0, 3)),
        st.tuples(
            st.sampled_from(("fill", "bought", "sold")), st.none() | st.sampled_from(symbols)
        ),
        st.tuples(
            st.sampled_from(tuple(_STATUSES)),
            st.none() | st.sampled_from((*symbols, "insufficient_cash", "no_bar", "session_end")),
        ),
        st.just(("decision",)),
        st.just(("session_start",)),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(("and", "or")), inner, inner),
            st.tuples(st.just("not"), inner),
        ),
        max_leaves=4,
    )


_ACCOUNT = ("step", "cash", "equity", "ret", "drawdown", "exposure", "holdings")
_HOLDING = ("position", "weight", "avg_cost", "unrealized")
_STATUSES = {
    "rejection": "rejected",
    "cancellation": "cancelled",
    "expiry": "expired",
    "cut": "partially_filled",
}


def text_of(tree: Tree) -> str:
    """How the tree is written, every operator in parentheses of its own."""
    match tree:
        case ("constant", value):
            return f"{value:g}" if value >= 0 else f"(-{-value:g})"
        case ("account", name):
            return str(name)
        case ("holding", name, symbol):
            return f'{name}["{symbol}"]'
        case ("bar", name, symbol, ago):
            return f'{name}["{symbol}", {ago}]' if ago else f"{name}[{symbol}]"
        case ("change", symbol):
            return f"change['{symbol}']"
        case ("indicator", name, symbol, period):
            return f'{name}["{symbol}",{period}]'
        case ("arithmetic", sign, one, other):
            return f"({text_of(one)} {sign} {text_of(other)})"
        case ("minus", one):
            return f"(-{text_of(one)})"
        case ("since", days):
            return f"date >= 2026-03-0{2 + days}"
        case ("compare", one, sign, other):
            return f"({text_of(one)} {sign} {text_of(other)})"
        case ("chain", one, sign, other, second, last):
            return f"({text_of(one)} {sign} {text_of(other)} {second} {text_of(last)})"
        case ("and" | "or", one, other):
            return f"({text_of(one)} {tree[0]} {text_of(other)})"
        case ("not", one):
            return f"not {text_of(one)}"
        case (name, None) | (name,):
            return str(name)
        case (name, str(of)):
            return f'{name}("{of}")'
        case (name, *arguments):
            return f"{name}({', '.join(map(text_of, arguments))})"
    raise AssertionError(tree)


def worth(tree: Tree, seat: Seat) -> float:
    """What a number is worth: through the observation, as a strategy would work it out."""
    obs = seat.observation
    portfolio = obs.portfolio
    match tree:
        case ("constant", value):
            return float(value)
        case ("account", name):
            return {
                "step": lambda: float(obs.step),
                "cash": lambda: portfolio.cash,
                "equity": lambda: portfolio.equity,
                "ret": lambda: portfolio.equity / seat.cash - 1.0,
                "drawdown": lambda: portfolio.equity / max(seat.peak, portfolio.equity) - 1.0,
                "exposure": lambda: (
                    sum(abs(held.market_value) for held in portfolio.positions.values())
                    / portfolio.equity
                    if portfolio.equity
                    else nan
                ),
                "holdings": lambda: float(len(portfolio.positions)),
            }[name]()
        case ("holding", name, symbol):
            held = portfolio.positions.get(symbol)
            if held is None:
                return nan if name == "avg_cost" else 0.0
            if name == "weight":
                return held.market_value / portfolio.equity if portfolio.equity else nan
            return float(
                {
                    "position": held.quantity,
                    "avg_cost": held.avg_cost,
                    "unrealized": held.unrealized_pnl,
                }[name]
            )
        case ("bar", name, symbol, ago):
            if obs.step < ago:
                return nan
            bar = obs.bar(symbol, obs.step - ago)
            return nan if bar is None else float(getattr(bar, name))
        case ("change", symbol):
            if obs.step == 0:
                return nan
            marks = [_mark(obs, symbol, obs.step - back) for back in (0, 1)]
            return marks[0] / marks[1] - 1.0
        case ("indicator", name, symbol, period):
            return float(obs.indicator(name, period)[obs.symbols.index(symbol)])
        case ("arithmetic", sign, one, other):
            a, b = worth(one, seat), worth(other, seat)
            if sign == "/":
                return a / b if b else nan
            return {"+": a + b, "-": a - b, "*": a * b}[sign]
        case ("minus", one):
            return -worth(one, seat)
        case ("abs", one):
            return abs(worth(one, seat))
        case ("min" | "max" as name, *parts):
            values = [worth(part, seat) for part in parts]
            if any(map(isnan, values)):
                return nan
            return min(values) if name == "min" else max(values)
    raise AssertionError(tree)


def _mark(obs: Observation, symbol: str, step: int) -> float:
    while step >= 0:
        bar = obs.bar(symbol, step)
        if bar is not None:
            return bar.close
        step -= 1
    return nan


def true_of(tree: Tree, seat: Seat) -> bool:
    """Whether a condition holds."""
    match tree:
        case ("compare", one, sign, other):
            return _holds(worth(one, seat), sign, worth(other, seat))
        case ("chain", one, sign, other, second, last):
            middle = worth(other, seat)
            return _holds(worth(one, seat), sign, middle) and _holds(
                middle, second, worth(last, seat)
            )
        case ("crosses_above" | "crosses_below" as name, one, other):
            if seat.before is None:
                return False
            if name == "crosses_below":
                one, other = other, one
            was = _holds(worth(one, seat.before), "<=", worth(other, seat.before))
            return was and _holds(worth(one, seat), ">", worth(other, seat))
        case ("since", days):
            at = seat.panel.session_dates[seat.panel.sessions[seat.observation.step]]
            return date.fromisoformat(at) >= date(2026, 3, 2 + days)
        case ("and", one, other):
            return true_of(one, seat) and true_of(other, seat)
        case ("or", one, other):
            return true_of(one, seat) or true_of(other, seat)
        case ("not", one):
            return not true_of(one, seat)
        case ("decision",):
            return seat.result is not None and len(seat.result.decisions) > 0
        case ("session_start",):
            sessions, step = seat.panel.sessions, seat.observation.step
            return step == 0 or bool(sessions[step] > sessions[step - 1])
        case (name, of):
            if seat.result is None:
                return False
            if name in _STATUSES:
                return any(
                    record.status == _STATUSES[name]
                    and (of is None or of in (record.symbol, record.reason))
                    for _, record in seat.result.orders
                )
            wanted = {"fill": ("buy", "sell"), "bought": ("buy",), "sold": ("sell",)}[name]
            return any(
                fill.side in wanted and (of is None or of == fill.symbol)
                for fill in seat.result.fills
            )
    raise AssertionError(tree)


def _holds(one: float, sign: str, other: float) -> bool:
    if isnan(one) or isnan(other):
        return False
    return {
        "<": one < other,
        "<=": one <= other,
        ">": one > other,
        ">=": one >= other,
        "==": one == other,
        "!=": one != other,
    }[sign]
