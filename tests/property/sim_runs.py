"""Random small runs: panels with gaps and actions, rules of every kind, decisions of every kind."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from engine.model import CorporateAction, Costs, Decision, Order, Rules, Target
from engine.sim.panel import Panel
from tests.sim.builders import DAY, HOUR, MONDAY, date_of, panel_of

SYMBOLS = ("AAPL", "MSFT", "IBM")
PER_SESSION = 3


class Run(NamedTuple):
    """A run as data."""

    panel: Panel
    rules: Rules
    decisions: dict[int, Decision]


def grid(steps: int, daily: bool) -> list[int]:
    """Stamps of so many bars: daily, or three an exchange day."""
    if daily:
        return [MONDAY + step * DAY for step in range(steps)]
    return [MONDAY + step // PER_SESSION * DAY + step % PER_SESSION * HOUR for step in range(steps)]


prices = st.integers(min_value=8, max_value=160).map(lambda ticks: ticks / 4)


@st.composite
def bars(draw: st.DrawFn) -> tuple[float, float, float, float, float] | None:
    """A bar around a random price, or now and then none."""
    if draw(st.integers(0, 9)) == 0:
        return None
    opening, closing, up, down = draw(st.tuples(prices, prices, prices, prices))
    high, low = max(opening, closing, up), min(opening, closing, down)
    return opening, high, low, closing, float(draw(st.sampled_from([0, 40, 1_000, 1_000_000])))


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """Two to fourteen grid points of one to three symbols, with actions; a first bar each."""
    steps = draw(st.integers(2, 14))
    symbols = SYMBOLS[: draw(st.integers(1, 3))]
    daily = draw(st.booleans())
    stamps = grid(steps, daily)
    rows: dict[str, Any] = {
        symbol: draw(st.lists(bars(), min_size=steps, max_size=steps)) for symbol in symbols
    }
    for symbol in symbols:
        rows[symbol][0] = rows[symbol][0] or (10.0, 11.0, 9.0, 10.0, 1e6)
    dates = st.sampled_from([date_of(stamp) for stamp in stamps])
    actions = st.one_of(
        st.builds(
            CorporateAction,
            st.sampled_from(symbols),
            dates,
            st.just("split"),
            st.sampled_from([2.0, 1.5, 0.5, 0.1, 3.0]),
        ),
        st.builds(
            CorporateAction,
            st.sampled_from(symbols),
            dates,
            st.just("dividend"),
            st.sampled_from([0.25, 1.0]),
            st.none() | dates,
        ),
    )
    return panel_of(rows, stamps=stamps, daily=daily, actions=draw(st.lists(actions, max_size=3)))


costs = st.builds(
    Costs,
    st.just("random"),
    st.sampled_from([0.0, 1.0]),
    st.sampled_from([0.0, 0.005]),
    st.sampled_from([0.0, 0.001]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 1.0, 50.0]),
)


def rules(short: st.SearchStrategy[bool]) -> st.SearchStrategy[Rules]:
    """Rules of every kind."""
    return st.builds(
        Rules,
        cash=st.sampled_from([100.0, 1000.0, 12_345.67]),
        lot=st.sampled_from([1.0, 0.01, 1e-9]),
        fill=st.sampled_from(["next_open", "close"]),
        costs=costs,
        participation=st.sampled_from([None, None, 0.1]),
        allow_short=short,
        max_leverage=st.sampled_from([1.0, 2.0]),
    )


tags = st.none() | st.sampled_from(["a", "b"])
amounts = st.sampled_from([0.0, 0.3, 1.0, 5.0, 17.0, 400.0])


@st.composite
def orders(draw: st.DrawFn, symbols: tuple[str, ...]) -> Order:
    """An order of any type, now and then malformed."""
    side = draw(st.sampled_from(["buy", "sell", "buy", "sell", "buy", "sell", "short"]))
    kind = draw(st.sampled_from(["shares", "shares", "notional", "weight"]))
    quantity = draw(st.sampled_from([0.1, 0.5, 1.0]) if kind == "weight" else amounts)
    shape = draw(st.sampled_from(["market", "market", "limit", "stop", "stop_limit"]))
    return Order(
        draw(st.sampled_from((*symbols, *symbols, "XXX"))),
        side,
        quantity,
        kind,
        shape,
        draw(prices) if "limit" in shape else None,
        draw(prices) if "stop" in shape else None,
        draw(st.sampled_from(["day", "gtc"])),
        draw(st.none() | st.sampled_from(["g", "h"])),
        draw(tags),
    )


def targets(symbols: tuple[str, ...]) -> st.SearchStrategy[Target]:
    """Weights mostly, now and then a number of shares."""
    weights = st.sampled_from([0.0, 0.25, 0.5, 1.0, -0.5])
    return st.one_of(
        st.builds(Target, st.sampled_from(symbols), weights, st.none(), tags),
        st.builds(Target, st.sampled_from(symbols), weights),
        st.builds(Target, st.sampled_from(symbols), st.none(), amounts),
    )


def decisions(symbols: tuple[str, ...]) -> st.SearchStrategy[Decision]:
    """Decisions of both kinds: all sorts of things, and plain market orders and weights."""
    plain = st.lists(
        st.builds(Target, st.sampled_from(symbols), st.sampled_from([0.0, 0.3, 0.6])), max_size=3
    )
    return st.one_of(
        st.builds(
            Decision,
            st.lists(orders(symbols), max_size=3).map(tuple),
            st.lists(targets(symbols), max_size=2).map(tuple),
            st.lists(st.sampled_from(["a", "b"]), max_size=1).map(tuple),
        ),
        st.builds(Decision, st.just(()), plain.map(tuple)),
        st.just(Decision()),
        st.just(Decision()),
    )


@st.composite
def runs(draw: st.DrawFn, short: st.SearchStrategy[bool] | None = None) -> Run:
    """A whole run, long only where ``short`` never holds."""
    panel = draw(panels())
    made = draw(st.lists(decisions(panel.symbols), min_size=panel.steps, max_size=panel.steps))
    return Run(
        panel,
        draw(rules(st.booleans() if short is None else short)),
        {step: decision for step, decision in enumerate(made) if not decision.holds},
    )


def truncated(panel: Panel, steps: int) -> Panel:
    """The panel as it was when only so many grid points were known."""
    return Panel(
        panel.symbols,
        panel.stamps[:steps],
        panel.open[:steps],
        panel.high[:steps],
        panel.low[:steps],
        panel.close[:steps],
        panel.volume[:steps],
        panel.sessions[:steps],
        panel.session_dates,
        panel.timeframe,
        panel.calendar,
        panel.sessions_per_year,
        panel.actions,
    )


def with_other_future(panel: Panel, steps: int, factor: float) -> Panel:
    """The panel with every price from ``steps`` on multiplied."""
    scale = np.ones((panel.steps, 1))
    scale[steps:] = factor
    return Panel(
        panel.symbols,
        panel.stamps,
        panel.open * scale,
        panel.high * scale,
        panel.low * scale,
        panel.close * scale,
        panel.volume * scale,
        panel.sessions,
        panel.session_dates,
        panel.timeframe,
        panel.calendar,
        panel.sessions_per_year,
        panel.actions,
    )
