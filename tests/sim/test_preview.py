"""What a decision would do beforehand is what it does afterwards, bar and rules being the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model import HOLD, Costs, Decision, FillRule, Order, Rules
from engine.sim.panel import Panel
from engine.sim.preview import Standing, preview, when_it_trades
from engine.sim.simulation import Simulation

DATE = "2025-03-03"


def still(price: float, steps: int) -> Panel:
    """One symbol whose bars stand at a price, in one session."""
    prices = np.full((steps, 1), price)
    return Panel(
        ("A",),
        np.arange(steps, dtype=np.int64) * 60_000_000,
        prices,
        prices,
        prices,
        prices,
        np.full((steps, 1), 500.0),
        np.zeros(steps, np.int32),
        (DATE,),
        timeframe="1Min",
    )


def standing(rules: Rules, price: float, cash: float, held: float = 0.0) -> Standing:
    """An account with some of the one symbol."""
    holdings = {"A": (held, price)} if held else {}
    return Standing(rules, ("A",), {"A": price}, {"A": 500.0}, DATE, cash, holdings)


RULES = st.builds(
    Rules,
    cash=st.just(10_000.0),
    lot=st.sampled_from([1.0, 0.01]),
    fill=st.sampled_from(["next_open", "close"]),
    costs=st.builds(
        Costs,
        commission_min=st.sampled_from([0.0, 1.0]),
        commission_pct=st.sampled_from([0.0, 0.001]),
        slippage_bps=st.sampled_from([0.0, 5.0]),
    ),
    participation=st.sampled_from([None, 0.1]),
    allow_short=st.booleans(),
)
ORDERS = st.builds(
    Order,
    st.sampled_from(["A", "B"]),
    st.sampled_from(["buy", "sell"]),
    st.floats(0.001, 400),
    st.sampled_from(["shares", "notional"]),
)


@given(RULES, st.floats(1, 400), st.lists(ORDERS, min_size=1, max_size=3))
@settings(max_examples=120, deadline=None)
def test_it_is_what_the_run_makes_of_it(rules: Rules, price: float, orders: list[Order]) -> None:
    """Reasons, fills, cash and holdings are those of a run whose bars stand at that price."""
    decision = Decision(tuple(orders))
    tried = preview(standing(rules, price, rules.cash), decision)
    run = Simulation(still(price, 8), rules)
    state, _ = run.start(run.initial())
    state, result = run.step(state, decision)
    records = {record.order_id: record for _, record in result.orders}
    for _ in range(2):
        state, later = run.step(state, HOLD)
        records |= {record.order_id: record for _, record in later.orders}
    assert [(one.status, one.reason, one.filled_quantity) for one in tried.orders] == [
        (one.status, one.reason, one.filled_quantity) for one in records.values()
    ]
    assert tried.cash == state.cash
    assert tried.quantities == {"A": state.quantities[0]} if state.quantities[0] else True


def test_weights_count_in_the_holdings() -> None:
    """Half of an equity of 20,000 at 100 is a hundred shares."""
    rules = Rules(costs=Costs.of("none"))
    there = standing(rules, 100.0, 10_000.0, held=100.0)
    tried = preview(there, Decision((Order.buy("A", 0.5, quantity_type="weight"),)))
    assert [fill.quantity for fill in tried.fills] == [100.0]
    assert tried.equity == 20_000.0
    assert there.equity == 20_000.0


def test_what_waits_is_tried_where_it_trades() -> None:
    """A limit at its price, a stop at its trigger, a stop-limit at its limit if that is worse."""
    for fill in ("next_open", "close"):
        rules = Rules(costs=Costs.of("none"), fill=_rule(fill))
        there = standing(rules, 100.0, 10_000.0, held=10.0)
        for order, price in (
            (Order.buy("A", 5, limit=90.0), 90.0),
            (Order.sell("A", 5, stop=80.0), 80.0),
            (Order.sell("A", 5, stop=80.0, limit=79.0), 80.0),
            (Order.sell("A", 5, stop=80.0, limit=85.0), 85.0),
        ):
            assert preview(there, Decision((order,))).orders[0].status == "resting", order
            tried = when_it_trades(there, order)
            assert tried is not None
            assert [one.price for one in tried.fills] == [price], order
    assert when_it_trades(there, Order.buy("A", 5)) is None


def _rule(text: str) -> FillRule:
    return "close" if text == "close" else "next_open"


def test_orders_of_a_group_cancel_each_other() -> None:
    """The group is one decision's, so one preview sees it whole."""
    there = standing(Rules(costs=Costs.of("none")), 100.0, 10_000.0, held=10.0)
    pair = Decision(
        (
            Order.sell("A", 10, limit=99.0, oco_group="out"),
            Order.sell("A", 10, stop=80.0, oco_group="out"),
        )
    )
    first, second = preview(there, pair).orders
    assert (first.status, second.reason) == ("filled", "oco_cancelled")
