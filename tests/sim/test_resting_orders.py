"""Limits, stops, OCO groups and sessions: O3, O8, O9; volume caps: O10; splits: O9."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.model import CorporateAction, Costs, Decision, Fill, Order, OrderRecord, Target
from engine.sim.reasons import Reason
from engine.sim.simulation import Simulation
from tests.sim.builders import (
    DAY,
    HOUR,
    MONDAY,
    NO_COSTS,
    Bars,
    flat_bars,
    panel_of,
    play,
    records_of,
    rules_of,
)

A, B = "AAPL", "MSFT"
FLAT = (100.0, 100.0, 100.0, 100.0)


def outcome(record: OrderRecord) -> tuple[str, str | None, float]:
    """What became of an order."""
    return record.status, record.reason, record.filled_quantity


def traded(fills: Sequence[Fill]) -> list[tuple[int, str, float, float]]:
    """Fills as (grid point, side, quantity, price)."""
    return [(f.step_index, f.side, f.quantity, f.price) for f in fills]


# order, the bar it meets -> price, or None where it rests
PRICES: list[tuple[Order, tuple[float, float, float, float], float | None]] = [
    (Order.buy(A, 1, limit=95), (96, 97, 95, 96), 95),  # a touch
    (Order.buy(A, 1, limit=95), (94, 97, 93, 96), 94),  # opens through: better
    (Order.buy(A, 1, limit=95), (95, 97, 93, 96), 95),  # opens at
    (Order.buy(A, 1, limit=95), (96, 97, 95.01, 96), None),
    (Order.sell(A, 1, limit=105), (104, 105, 103, 104), 105),
    (Order.sell(A, 1, limit=105), (106, 107, 103, 104), 106),
    (Order.sell(A, 1, limit=105), (104, 104.99, 103, 104), None),
    (Order.buy(A, 1, stop=105), (104, 105, 103, 104), 105 * 1.001),
    (Order.buy(A, 1, stop=105), (106, 107, 103, 104), 106 * 1.001),  # opens through: worse
    (Order.buy(A, 1, stop=105), (104, 104.99, 103, 104), None),
    (Order.sell(A, 1, stop=95), (96, 97, 95, 96), 95 * 0.999),
    (Order.sell(A, 1, stop=95), (94, 97, 93, 96), 94 * 0.999),
    (Order.sell(A, 1, stop=95), (96, 97, 95.01, 96), None),
    # A stop-limit at its trigger is a limit: it does not slip, and may refuse the gapped open.
    (Order.buy(A, 1, stop=105, limit=106), (104, 107, 103, 104), 105),
    (Order.buy(A, 1, stop=105, limit=106), (105.5, 107, 103, 104), 105.5),
    (Order.buy(A, 1, stop=105, limit=106), (106.5, 107, 100, 104), None),
    (Order.buy(A, 1, stop=105, limit=104), (104.5, 107, 103, 104), None),
    (Order.sell(A, 1, stop=95, limit=94), (96, 97, 93, 96), 95),
    (Order.sell(A, 1, stop=95, limit=94), (93.5, 97, 93, 96), None),
]


@pytest.mark.parametrize(("order", "bar", "price"), PRICES)
def test_price_of_a_resting_order(
    order: Order, bar: tuple[float, float, float, float], price: float | None
) -> None:
    """At or through the open fills at the open, a touch in the range at the price (O8, M4)."""
    panel = panel_of({A: [FLAT, FLAT, bar]})
    decisions = {0: Decision((Order.buy(A, 2),)), 1: Decision((order._replace(tag="x"),))}
    costs = Costs("x", sec=False, taf=False, slippage_bps=10)
    _, result = play(panel, rules_of(costs=costs), decisions)
    filled = [fill for fill in result.fills if fill.step_index == 2]
    assert [fill.price for fill in filled] == ([] if price is None else [price])
    if filled:
        assert bar[2] <= filled[0].reference_price <= bar[1]
        assert outcome(records_of(result)["x"]) == ("filled", None, 1)
    else:
        assert outcome(records_of(result)["x"]) == ("expired", "end_of_data", 0)


def test_triggered_stop_limit_rests_as_a_limit_from_the_next_bar() -> None:
    """A stop-limit that its trigger's price does not satisfy is a plain limit afterwards (O8)."""
    panel = panel_of({A: [FLAT, (110, 111, 100, 101), (104, 106, 103, 105), FLAT]})
    order = Order.buy(A, 1, stop=105, limit=106, time_in_force="gtc")
    _, result = play(panel, rules_of(), {0: Decision((order,))})
    # Bar 1 gaps over 106 and comes back to 100: not in that bar. Bar 2 opens below 106, untouched
    # by the stop at 105, which no longer counts.
    assert traded(result.fills) == [(2, "buy", 1.0, 104)]


OCO = (
    Order.sell(A, 5, limit=110, oco_group="g", tag="limit"),
    Order.sell(A, 5, stop=90, oco_group="g", tag="stop"),
)


@pytest.mark.parametrize("orders", [OCO, OCO[::-1]])
@pytest.mark.parametrize(
    ("bar", "filled", "price"),
    [
        ((100, 111, 89, 100), "stop", 90),  # both in the range: the stop
        ((111, 112, 89, 100), "limit", 111),  # the open decides the limit
        ((89, 112, 88, 100), "stop", 89),
        ((100, 111, 95, 100), "limit", 110),
    ],
)
def test_oco_pair(
    orders: tuple[Order, ...], bar: tuple[float, float, float, float], filled: str, price: float
) -> None:
    """The open decides, else the stop goes first; what fills cancels the other (O8)."""
    panel = panel_of({A: [FLAT, FLAT, bar, FLAT]})
    decisions = {0: Decision((Order.buy(A, 5),)), 1: Decision(orders)}
    _, result = play(panel, rules_of(), decisions)
    assert traded(result.fills)[1:] == [(2, "sell", 5.0, price)]
    records = records_of(result)
    other = "limit" if filled == "stop" else "stop"
    assert outcome(records[filled]) == ("filled", None, 5)
    assert outcome(records[other]) == ("cancelled", "oco_cancelled", 0)


def test_oco_of_entries_takes_the_stop() -> None:
    """Of two entries that one bar reaches the stop is taken, though the limit came first (O8)."""
    panel = panel_of({A: [FLAT, (100, 106, 94, 100), FLAT]})
    orders = (
        Order.buy(A, 1, limit=95, oco_group="g"),
        Order.buy(A, 1, stop=105, oco_group="g"),
    )
    _, result = play(panel, rules_of(), {0: Decision(orders)})
    assert traded(result.fills) == [(1, "buy", 1.0, 105)]


def test_stop_that_cannot_pay_leaves_the_limit() -> None:
    """A stop leg that is rejected cancels nothing: its sibling still trades."""
    panel = panel_of({A: [FLAT, (100, 106, 94, 100), FLAT]})
    orders = (
        Order.buy(A, 1, limit=95, oco_group="g", tag="limit"),
        Order.buy(A, 1, stop=105, oco_group="g", tag="stop"),
    )
    _, result = play(panel, rules_of(cash=100), {0: Decision(orders)})
    assert traded(result.fills) == [(1, "buy", 1.0, 95)]
    assert outcome(records_of(result)["stop"]) == ("rejected", "insufficient_cash", 0)


def test_stop_that_waits_for_an_entry_does_not_go_first() -> None:
    """A stop leg with nothing to sell waits; the other leg, a buy that the bar reaches, fills."""
    panel = panel_of({A: [FLAT, (100, 101, 89, 100), FLAT]})
    orders = (
        Order.buy(A, 1, limit=95, oco_group="g", tag="limit"),
        Order.sell(A, 1, stop=90, oco_group="g", tag="stop"),
    )
    _, result = play(panel, rules_of(), {0: Decision(orders)})
    assert traded(result.fills) == [(1, "buy", 1.0, 95)]
    assert outcome(records_of(result)["stop"]) == ("cancelled", "oco_cancelled", 0)


BRACKET = (
    Order.buy(A, 5, limit=95, tag="entry"),
    Order.sell(A, 5, limit=105, oco_group="g", tag="take"),
    Order.sell(A, 5, stop=90, oco_group="g", tag="stop"),
)


@pytest.mark.parametrize(
    ("bars", "fills"),
    [
        # The entry and the stop in one bar: entered, then stopped.
        ([(100, 101, 89, 91)], [(1, "buy", 5.0, 95), (1, "sell", 5.0, 90)]),
        # The entry and both exits: the stop.
        ([(100, 106, 89, 91)], [(1, "buy", 5.0, 95), (1, "sell", 5.0, 90)]),
        # The entry and the profit taken, tested after it against the same range.
        ([(100, 106, 94, 96)], [(1, "buy", 5.0, 95), (1, "sell", 5.0, 105)]),
        # Gapped below entry and stop: in and out at the open.
        ([(89, 106, 88, 96)], [(1, "buy", 5.0, 89), (1, "sell", 5.0, 89)]),
        # The exits wait for the entry, over bars that reach them.
        (
            [(100, 106, 96, 100), (100, 100, 94, 96), (96, 106, 96, 100)],
            [(2, "buy", 5.0, 95), (3, "sell", 5.0, 105)],
        ),
    ],
)
def test_bracket(
    bars: list[tuple[float, float, float, float]], fills: list[tuple[int, str, float, float]]
) -> None:
    """Resting sells wait for their entry, then are tested in the same phase (O3)."""
    panel = panel_of({A: [FLAT, *bars, FLAT]})
    _, result = play(panel, rules_of(), {0: Decision(BRACKET)})
    assert traded(result.fills) == fills


def test_waiting_stop_above_the_entry_sells_at_the_entry() -> None:
    """A stop that the entry's price is already through trades at that price, inside the bar."""
    panel = panel_of({A: [FLAT, (100, 101, 94, 96), FLAT]})
    orders = (Order.buy(A, 5, limit=95), Order.sell(A, 5, stop=105))
    _, result = play(panel, rules_of(), {0: Decision(orders)})
    assert traded(result.fills) == [(1, "buy", 5.0, 95), (1, "sell", 5.0, 95)]


def test_market_entry_and_stop_in_its_bar() -> None:
    """A stop submitted with a market entry can trade within the entry's bar."""
    panel = panel_of({A: [FLAT, (100, 101, 89, 91), FLAT]})
    orders = (Order.buy(A, 5), Order.sell(A, 5, stop=90))
    _, result = play(panel, rules_of(), {0: Decision(orders)})
    assert traded(result.fills) == [(1, "buy", 5.0, 100), (1, "sell", 5.0, 90)]


def test_sale_within_the_bar_pays_no_purchase_at_its_open() -> None:
    """A market buy at the open cannot spend what a limit sell brings in later in the bar (O3)."""
    panel = panel_of({A: [FLAT, FLAT, (100, 105, 100, 105)], B: flat_bars(50, 50, 50)})
    decisions = {
        0: Decision((Order.buy(A, 10),)),
        1: Decision((Order.sell(A, 10, limit=105), Order.buy(B, 1, tag="b"))),
    }
    state, result = play(panel, rules_of(), decisions)
    assert outcome(records_of(result)["b"]) == ("rejected", "insufficient_cash", 0)
    assert state.cash == 1050


def test_sale_within_the_bar_pays_a_limit_within_it() -> None:
    """Within the range too sells go before buys, and their proceeds can be spent (O3)."""
    bars: dict[str, Bars] = {
        A: [FLAT, FLAT, (100, 105, 100, 105)],
        B: [FLAT, FLAT, (100, 100, 90, 95)],
    }
    decisions = {
        0: Decision((Order.buy(A, 10),)),
        1: Decision((Order.buy(B, 10, limit=95, tag="b"), Order.sell(A, 10, limit=105))),
    }
    _, result = play(panel_of(bars), rules_of(), decisions)
    assert outcome(records_of(result)["b"]) == ("filled", None, 10)
    assert [fill.side for fill in result.fills] == ["buy", "sell", "buy"]


def two_days() -> list[int]:
    """Two sessions of three hours each."""
    return [MONDAY + day * DAY + hour * HOUR for day in (0, 1) for hour in (0, 1, 2)]


def test_day_order_ends_with_its_session() -> None:
    """A DAY order belongs to the session of the first bar it could fill in; GTC rests on (O9)."""
    panel = panel_of({A: [FLAT] * 6}, stamps=two_days())
    decisions = {
        0: Decision(
            (
                Order.buy(A, 1, limit=90, tag="first"),
                Order.buy(A, 1, limit=90, time_in_force="gtc", tag="gtc"),
            )
        ),
        2: Decision((Order.buy(A, 1, limit=90, tag="second"),)),
    }
    _, result = play(panel, rules_of(), decisions)
    records = records_of(result)
    assert outcome(records["first"]) == ("expired", "session_end", 0)
    assert records["first"].closed_step == 2
    # Decided on a session's last bar, so the next session's; that one the data leave unfinished.
    assert outcome(records["second"]) == ("expired", "end_of_data", 0)
    assert outcome(records["gtc"]) == ("expired", "end_of_data", 0)
    assert records["gtc"].closed_step == 5


def test_day_order_waits_for_its_symbols_session() -> None:
    """Where the symbol has no bar the session has not begun for the order (O9)."""
    stamps = two_days()
    bars: dict[str, Bars] = {
        A: [FLAT, None, None, FLAT, (100, 100, 90, 90), FLAT],
        B: [FLAT] * 6,
    }
    decisions = {0: Decision((Order.buy(A, 1, limit=95),))}
    _, result = play(panel_of(bars, stamps=stamps), rules_of(), decisions)
    assert traded(result.fills) == [(4, "buy", 1.0, 95)]


def test_daily_bars_end_their_session_each() -> None:
    """With daily bars a DAY order lives one bar of its symbol, the last one included (O9)."""
    panel = panel_of({A: [FLAT] * 4}, daily=True)
    decisions = {step: Decision((Order.buy(A, 1, limit=90, tag=str(step)),)) for step in range(4)}
    _, result = play(panel, rules_of(), decisions)
    records = records_of(result)
    assert [outcome(records[tag])[:2] for tag in "0123"] == [
        ("expired", "session_end"),
        ("expired", "session_end"),
        ("expired", "session_end"),
        ("expired", "no_next_bar"),
    ]


def test_volume_cap() -> None:
    """A fill is capped at a share of its bar's volume; DAY ends, GTC goes on (O10)."""
    bar = (10.0, 10.0, 10.0, 10.0, 100.0)
    panel = panel_of({A: [bar, bar, (10, 10, 10, 10, 9), bar, bar]})
    orders = (
        Order.buy(A, 25, tag="day"),
        Order.buy(A, 25, time_in_force="gtc", tag="gtc"),
        Order.buy(A, 15, limit=10, time_in_force="gtc", tag="limit"),
    )
    _, result = play(panel, rules_of(participation=0.1), {0: Decision(orders)})
    records = records_of(result)
    assert outcome(records["day"]) == ("partially_filled", "volume_cap", 10)
    # 10 at bar 1, nothing in the thin bar 2, then 10 and 5.
    assert outcome(records["gtc"]) == ("filled", None, 25)
    assert outcome(records["limit"]) == ("filled", None, 15)
    steps = {name: [] for name in ("0-0", "0-1", "0-2")}  # type: dict[str, list[tuple[int, float]]]
    for fill in result.fills:
        steps[fill.order_id].append((fill.step_index, fill.quantity))
    assert steps == {
        "0-0": [(1, 10)],
        "0-1": [(1, 10), (3, 10), (4, 5)],
        "0-2": [(1, 10), (3, 5)],
    }


def test_volume_cap_of_nothing() -> None:
    """A DAY order whose cap is no lot at all is cancelled, volume_cap (O10)."""
    panel = panel_of({A: flat_bars(10, 10, 10, volume=5)})
    decision = Decision((Order.buy(A, 3, tag="x"),), (Target(A, 0.1, tag="y"),))
    _, result = play(panel, rules_of(participation=0.1), {0: decision})
    assert outcome(records_of(result)["x"]) == ("cancelled", "volume_cap", 0)


@pytest.mark.parametrize(
    ("held", "wanted", "volume", "reason", "filled"),
    [
        (5, 10, 100, "clipped_to_position", 5),
        (5, 10, 30, "volume_cap", 3),
        (5, 10, 50, "clipped_to_position", 5),  # a tie names the first
    ],
)
def test_reason_names_the_limit_that_decided(
    held: float, wanted: float, volume: float, reason: str, filled: float
) -> None:
    """Where several limits bind, the one that gives the quantity gives the reason (O10)."""
    bars: Bars = [(10, 10, 10, 10, 1e6), (10, 10, 10, 10, 1e6), (10, 10, 10, 10, volume)]
    decisions = {0: Decision((Order.buy(A, held),)), 1: Decision((Order.sell(A, wanted, tag="x"),))}
    _, result = play(panel_of({A: bars}), rules_of(participation=0.1), decisions)
    assert outcome(records_of(result)["x"]) == ("partially_filled", reason, filled)


def test_cash_decides_below_the_volume_cap() -> None:
    """A buy capped by volume and then cut by cash is cut by cash: terminal, also GTC (O10)."""
    panel = panel_of({A: flat_bars(10, 10, 10, volume=100)})
    order = Order.buy(A, 50, time_in_force="gtc", tag="x")
    _, result = play(panel, rules_of(cash=70, participation=0.1), {0: Decision((order,))})
    assert outcome(records_of(result)["x"]) == ("partially_filled", "insufficient_cash", 7)


def test_order_with_fills_keeps_them_when_it_ends() -> None:
    """A GTC order part filled and then cancelled or out of data is partially_filled (O2)."""
    panel = panel_of({A: flat_bars(10, 10, 10, 10, volume=100)})
    decisions = {
        0: Decision(
            (
                Order.buy(A, 90, limit=10, time_in_force="gtc", tag="x"),
                Order.buy(A, 50, time_in_force="gtc", tag="y"),
            )
        ),
        2: Decision(cancels=("x",)),
    }
    _, result = play(panel, rules_of(participation=0.1), decisions)
    records = records_of(result)
    assert outcome(records["x"]) == ("partially_filled", "cancelled_by_user", 20)
    assert outcome(records["y"]) == ("partially_filled", "end_of_data", 30)


def test_triggered_stop_goes_on_as_a_market_order() -> None:
    """What a volume cap leaves of a triggered GTC stop trades at the next opens (O8, O10)."""
    bars: Bars = [(100, 100, 100, 100, 100), (100, 106, 100, 106, 100), (90, 90, 90, 90, 100)]
    order = Order.buy(A, 8, stop=105, time_in_force="gtc", tag="x")
    panel = panel_of({A: bars})
    _, result = play(panel, rules_of(cash=2000, participation=0.05), {0: Decision((order,))})
    assert traded(result.fills) == [(1, "buy", 5.0, 105), (2, "buy", 3.0, 90)]


def test_weight_of_a_limit_is_sized_where_it_trades() -> None:
    """A priced order by weight takes the snapshot of the grid point it trades at, and its price."""
    panel = panel_of({A: [FLAT, FLAT, (100, 100, 80, 80)], B: [FLAT, FLAT, (300, 300, 300, 300)]})
    decisions = {
        0: Decision((Order.buy(B, 1),)),
        1: Decision((Order.buy(A, 0.5, quantity_type="weight", limit=90, tag="w"),)),
    }
    # At 2: 900 + 300 = 1200, half 600, at 90 each: 6.67 -> 6.
    _, result = play(panel, rules_of(), decisions)
    assert traded(result.fills)[1:] == [(2, "buy", 6.0, 90)]
    assert records_of(result)["w"].quantity == 6


def test_split_cancels_what_counts_old_shares() -> None:
    """A split ends priced orders and orders in shares; weights and notionals go on (O9)."""
    split = CorporateAction(A, "2026-03-04", "split", 2.0)
    panel = panel_of(
        {A: [FLAT, FLAT, (50, 50, 50, 50), (50, 50, 50, 50)], B: [FLAT] * 4},
        daily=True,
        actions=[split],
    )
    gtc = "gtc"
    decisions = {
        0: Decision((Order.sell(A, 1, limit=150, time_in_force=gtc, tag="rests"),)),
        1: Decision(
            (
                Order.buy(A, 1, tag="shares"),
                Order.buy(A, 100, quantity_type="notional", tag="notional"),
                Order.buy(A, 0.1, quantity_type="weight", tag="weight"),
                Order.buy(A, 100, quantity_type="notional", limit=60, tag="priced"),
                Order.buy(B, 1, tag="other"),
            ),
            (Target(A, shares=7, tag="count"),),
        ),
    }
    _, result = play(panel, rules_of(), decisions)
    records = records_of(result)
    for tag in ("rests", "shares", "priced", "count"):
        assert outcome(records[tag]) == ("cancelled", "corporate_action", 0)
        assert records[tag].closed_step == 2
    assert outcome(records["notional"]) == ("filled", None, 2)
    assert outcome(records["weight"]) == ("filled", None, 2)
    assert outcome(records["other"]) == ("filled", None, 1)


def test_resting_orders_meet_the_next_bar_with_close_fills() -> None:
    """With close fills a limit rests from the bar after its decision, before that bar's markets."""
    panel = panel_of({A: [FLAT, (100, 100, 90, 90), (90, 120, 90, 110)]})
    decisions = {
        0: Decision((Order.buy(A, 10, limit=95),)),
        # Decided at the close of bar 1, knowing of its fill: sells what the limit bought.
        1: Decision((), (Target(A, 0.0),)),
    }
    state, result = play(panel, rules_of(fill="close", costs=NO_COSTS), decisions)
    assert traded(result.fills) == [(1, "buy", 10.0, 95), (1, "sell", 10.0, 90)]
    assert state.cash == 950


def test_status_of_orders_that_are_alive() -> None:
    """A market order without a bar is pending; a priced one, or what a cap left, rests (O2)."""
    panel = panel_of(
        {A: flat_bars(10, None, 10, 10, 10, volume=100), B: flat_bars(10, 10, 10, 10, 10)}
    )
    orders = (
        Order.buy(A, 15, time_in_force="gtc", tag="m"),
        Order.buy(A, 1, limit=5, time_in_force="gtc", tag="l"),
    )
    _, result = play(panel, rules_of(participation=0.1), {0: Decision(orders)})
    seen = [(step, record.tag, record.status) for step, record in result.orders]
    assert seen == [
        (1, "m", "pending"),
        (1, "l", "resting"),
        (2, "m", "resting"),
        (3, "m", "filled"),
        (5, "l", "expired"),
    ]


def test_closing_a_run_from_outside() -> None:
    """A run that is stopped leaves one terminal record for each order that was open (O2)."""
    simulation = Simulation(panel_of({A: [FLAT] * 4}), rules_of())
    state, _ = simulation.start(simulation.initial())
    order = Order.buy(A, 1, limit=5, time_in_force="gtc", tag="x")
    state, _ = simulation.step(state, Decision((order,)))
    result = simulation.close(state, Reason.RUN_ENDED)
    assert outcome(records_of(result)["x"]) == ("cancelled", "run_ended", 0)
    assert result.rows == 0
