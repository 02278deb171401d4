"""Market orders and targets: G3, G4, O2 to O7."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from engine.model import Costs, Decision, Fill, Order, OrderRecord, Target
from tests.sim.builders import flat_bars, panel_of, play, records_of, rules_of

A, B = "AAPL", "MSFT"


def outcome(record: OrderRecord) -> tuple[str, str | None, float]:
    """What became of an order."""
    return record.status, record.reason, record.filled_quantity


def traded(fills: Sequence[Fill]) -> list[tuple[int, str, str, float, float]]:
    """Fills as (grid point, symbol, side, quantity, price)."""
    return [(f.step_index, f.symbol, f.side, f.quantity, f.price) for f in fills]


def test_market_order_fills_at_the_next_open() -> None:
    """An order decided on bar 0 fills at bar 1's open (G3)."""
    panel = panel_of({A: [(9, 9, 9, 9), (10, 12, 10, 12), (12, 12, 12, 12)]})
    state, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 5, tag="x"),))})
    assert traded(result.fills) == [(1, A, "buy", 5.0, 10)]
    assert result.equity.tolist() == [1000, 1010, 1010]
    assert result.cash.tolist() == [1000, 950, 950]
    assert outcome(records_of(result)["x"]) == ("filled", None, 5)
    assert state.ended == "end_of_data"


def test_close_fill_trades_at_the_deciding_bar() -> None:
    """With close fills an order fills at the close of the bar it was decided on, the last too."""
    panel = panel_of({A: [(9, 10, 9, 10), (11, 20, 11, 20)]})
    decisions = {
        0: Decision((Order.buy(A, 5),)),
        1: Decision((), (Target(A, 1.0, tag="all"),)),
    }
    state, result = play(panel, rules_of(fill="close"), decisions)
    # At 1: equity 950 + 5 x 20 = 1050 -> 52 shares of 20, 47 more for 940 of 950.
    assert traded(result.fills) == [(0, A, "buy", 5.0, 10), (1, A, "buy", 47.0, 20)]
    assert result.equity.tolist() == [1000, 1050]
    assert state.cash == 10


def test_day_order_without_a_bar_is_cancelled_and_gtc_waits() -> None:
    """A DAY market order meets the next grid point or nothing; a GTC one the next bar (G4)."""
    panel = panel_of({A: flat_bars(10, None, 12, 12), B: flat_bars(1, 1, 1, 1)})
    decisions = {
        0: Decision(
            (
                Order.buy(A, 5, tag="day"),
                Order.buy(A, 6, time_in_force="gtc", tag="gtc"),
                Order.buy(A, 60, quantity_type="notional", time_in_force="gtc", tag="sized"),
            ),
            (Target(A, 0.5, tag="target"),),
        )
    }
    _, result = play(panel, rules_of(), decisions)
    records = records_of(result)
    assert outcome(records["day"]) == ("cancelled", "no_bar", 0)
    assert outcome(records["target"]) == ("cancelled", "no_bar", 0)
    assert outcome(records["gtc"]) == ("filled", None, 6)
    assert outcome(records["sized"]) == ("filled", None, 5)
    assert traded(result.fills) == [(2, A, "buy", 6.0, 12), (2, A, "buy", 5.0, 12)]


def test_close_fill_waits_for_a_bar_too() -> None:
    """With close fills a GTC market order without a bar fills at its next bar's close."""
    panel = panel_of({A: [None, (10, 11, 10, 11), (11, 11, 11, 11)], B: flat_bars(1, 1, 1)})
    orders = (Order.buy(A, 5, tag="day"), Order.buy(A, 6, time_in_force="gtc", tag="gtc"))
    _, result = play(panel, rules_of(fill="close"), {0: Decision(orders)})
    assert outcome(records_of(result)["day"]) == ("cancelled", "no_bar", 0)
    assert traded(result.fills) == [(1, A, "buy", 6.0, 11)]


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_last_grid_point_leaves_no_next_bar(fill: str) -> None:
    """An order decided at the end that would need a later bar expires, no_next_bar (G4)."""
    panel = panel_of({A: flat_bars(10, 10)})
    resting = Order.buy(A, 1, limit=9, time_in_force="gtc", tag="limit")
    _, result = play(panel, rules_of(fill=fill), {1: Decision((resting, Order.buy(A, 1, tag="m")))})
    records = records_of(result)
    assert outcome(records["limit"]) == ("expired", "no_next_bar", 0)
    assert records["limit"].closed_step == 1
    expected = ("expired", "no_next_bar", 0) if fill == "next_open" else ("filled", None, 1)
    assert outcome(records["m"]) == expected


def test_sells_go_first() -> None:
    """At one open sells execute before buys, within a side in order of submission (O3)."""
    panel = panel_of({A: flat_bars(10, 10, 10), B: flat_bars(10, 10, 10)})
    decisions = {
        0: Decision((Order.buy(A, 100),)),
        1: Decision((Order.buy(B, 30), Order.buy(B, 31), Order.sell(A, 40), Order.sell(A, 20))),
    }
    _, result = play(panel, rules_of(), decisions)
    assert traded(result.fills)[1:] == [
        (2, A, "sell", 40.0, 10),
        (2, A, "sell", 20.0, 10),
        (2, B, "buy", 30.0, 10),
        (2, B, "buy", 30.0, 10),
    ]
    assert outcome(list(records_of(result).values())[2]) == (
        "partially_filled",
        "insufficient_cash",
        30,
    )


def test_sell_is_clipped_or_rejected() -> None:
    """A sell beyond the holding is clipped to it; with none it is rejected (O5)."""
    panel = panel_of({A: flat_bars(10, 10, 10, 10)})
    decisions = {
        0: Decision((Order.buy(A, 5), Order.sell(A, 5, tag="early"))),
        1: Decision((Order.sell(A, 7, tag="much"), Order.sell(A, 1, tag="none"))),
    }
    state, result = play(panel, rules_of(), decisions)
    records = records_of(result)
    assert outcome(records["early"]) == ("rejected", "no_position", 0)
    assert outcome(records["much"]) == ("partially_filled", "clipped_to_position", 5)
    assert outcome(records["none"]) == ("rejected", "no_position", 0)
    assert state.lots == (0,)


# cash, price, lot, costs, wanted -> lots bought
CUTS: list[tuple[float, float, float, Costs, float, int]] = [
    (1000, 125, 1.0, Costs("none", slippage_bps=0), 10, 8),
    (1000, 125, 1e-9, Costs("none", slippage_bps=0), 10, 8_000_000_000),
    # 1000.1 / 0.1 is 10001 exactly, which a double of 1000.1 / 0.1 need not be.
    (1000.1, 0.1, 1.0, Costs("none", slippage_bps=0), 20_000, 10_001),
    (1000.1, 0.1, 1e-9, Costs("none", slippage_bps=0), 20_000, 10_001_000_000_000),
    # 9 x 100 + 1 = 901; a tenth would need 1001.
    (1000, 100, 1.0, Costs("x", commission_min=1, slippage_bps=0), 10, 9),
    (1001, 100, 1.0, Costs("x", commission_min=1, slippage_bps=0), 11, 10),
    # 9.99 x 100 = 999 and 1 of commission.
    (1000, 100, 1e-9, Costs("x", commission_min=1, slippage_bps=0), 10, 9_990_000_000),
    # 1 % of 990.09 is 9.91 up to the cent, and 990.09 + 9.91 = 1000.
    (1000, 100, 1e-9, Costs("x", commission_pct=0.01, slippage_bps=0), 10, 9_900_900_000),
    # 100 bp of slippage: 101 a share.
    (1000, 100, 1.0, Costs("x", slippage_bps=100), 10, 9),
]


@pytest.mark.parametrize(("cash", "price", "lot", "costs", "wanted", "lots"), CUTS)
def test_buy_is_cut_to_the_last_lot_cash_pays(
    cash: float, price: float, lot: float, costs: Costs, wanted: float, lots: int
) -> None:
    """A buy beyond cash, costs included, is cut to the most lots that cash pays, not one less."""
    panel = panel_of({A: flat_bars(price, price, price)})
    rules = rules_of(cash=cash, lot=lot, costs=costs)
    state, result = play(panel, rules, {0: Decision((Order.buy(A, wanted, tag="x"),))})
    assert state.lots == (lots,)
    assert 0 <= state.cash < price * lot * 1.01 + 0.011
    record = records_of(result)["x"]
    assert record[13:15] == ("partially_filled", "insufficient_cash")


def test_buy_without_cash_for_one_lot_is_rejected() -> None:
    """A buy that cash cannot pay one lot of is rejected, insufficient_cash (O4)."""
    panel = panel_of({A: flat_bars(10, 1001, 1001)})
    _, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 5, tag="x"),))})
    assert outcome(records_of(result)["x"]) == ("rejected", "insufficient_cash", 0)


def test_sale_that_costs_more_than_there_is_is_rejected() -> None:
    """A sale whose costs exceed its proceeds and the cash at hand is rejected (O4)."""
    panel = panel_of({A: flat_bars(10, 10, 1, 1)})
    costs = Costs("x", commission_min=5, sec=False, taf=False, slippage_bps=0)
    decisions = {
        0: Decision((Order.buy(A, 10),)),
        1: Decision((Order.sell(A, 1, tag="dear"),)),
        2: Decision((Order.sell(A, 9, tag="fine"),)),
    }
    state, result = play(panel, rules_of(cash=106, costs=costs), decisions)
    records = records_of(result)
    # Cash is 106 - 100 - 5 = 1: a sale of 1 for 5 would leave -3, one of 9 leaves 5.
    assert outcome(records["dear"]) == ("rejected", "insufficient_cash", 0)
    assert outcome(records["fine"]) == ("filled", None, 9)
    assert state.cash == 5


def test_weights_are_sized_from_one_snapshot() -> None:
    """Weights and targets of a grid point share the equity at its open, before any fill (O7)."""
    panel = panel_of(
        {A: [(10, 10, 10, 10), (10, 10, 10, 10), (20, 20, 20, 20)], B: flat_bars(5, 5, 5)}
    )
    decisions = {
        0: Decision((Order.buy(A, 50),)),
        1: Decision(
            (Order.buy(B, 0.1, quantity_type="weight", tag="w"),),
            (Target(A, 0.4, tag="t"),),
        ),
    }
    # At 2: 500 + 50 x 20 = 1500. 0.4 of it is 600 -> 30 shares: sell 20. 0.1 -> 150 -> 30 of B.
    state, result = play(panel, rules_of(), decisions)
    assert traded(result.fills)[1:] == [(2, A, "sell", 20.0, 20), (2, B, "buy", 30.0, 5)]
    assert records_of(result)["t"].side == "sell"
    assert records_of(result)["t"].quantity == 20
    assert state.quantities == (30.0, 30.0)


def test_snapshot_takes_the_last_close_where_there_is_no_open() -> None:
    """A holding without a bar counts in the snapshot at its last close (O7)."""
    panel = panel_of({A: [(10, 10, 10, 10), (10, 12, 10, 12), None], B: flat_bars(8, 8, 8)})
    decisions = {0: Decision((Order.buy(A, 50),)), 1: Decision((), (Target(B, 0.5),))}
    # At 2: 500 + 50 x 12 = 1100, half of it 550 -> 68 shares of 8; cash pays 62.
    _, result = play(panel, rules_of(), decisions)
    assert [record.quantity for _, record in result.orders][-1] == 68
    assert result.fills[-1].quantity == 62


@pytest.mark.parametrize(
    ("weight", "cash", "price", "lots"),
    [(0.7, 99.9, 0.7, 99_900_000_000), (0.15, 1234.5, 0.1, 1_851_750_000_000)],
)
def test_rounding_of_a_product_costs_no_lot(
    weight: float, cash: float, price: float, lots: int
) -> None:
    """A size that is a whole number of fine lots but for its last bit is that number (O6)."""
    panel = panel_of({A: flat_bars(price, price, price)})
    decisions = {0: Decision((), (Target(A, weight),))}
    state, _ = play(panel, rules_of(cash=cash, lot=1e-9), decisions)
    assert state.lots == (lots,)


def test_target_reached_trades_nothing() -> None:
    """A target whose floored quantity is held is cancelled, already_at_target (O7)."""
    panel = panel_of({A: flat_bars(30, 30, 30, 30)})
    decisions = {
        0: Decision((), (Target(A, 0.5, tag="one"),)),  # 16.67 -> 16
        1: Decision((), (Target(A, 0.5, tag="two"),)),
        2: Decision((), (Target(A, shares=16.9, tag="three"),)),
    }
    _, result = play(panel, rules_of(), decisions)
    records = records_of(result)
    assert outcome(records["one"]) == ("filled", None, 16)
    for tag in ("two", "three"):
        assert outcome(records[tag]) == ("cancelled", "already_at_target", 0)
        assert records[tag].side is None


def test_target_counts_on_intents_before_it() -> None:
    """Two intents for one symbol do not add up: the target is reached, not passed."""
    panel = panel_of({A: flat_bars(10, 10, 10, 10)})
    decisions = {
        0: Decision((Order.buy(A, 20),), (Target(A, 0.5), Target(A, 0.5, tag="again"))),
        1: Decision((Order.sell(A, 10),), (Target(A, shares=45),)),
    }
    state, result = play(panel, rules_of(), decisions)
    assert records_of(result)["again"].reason == "already_at_target"
    assert [fill.quantity for fill in result.fills] == [20, 30, 10, 5]
    assert state.lots == (45,)


def test_target_below_zero_sells_all_without_shorting() -> None:
    """Long only, a negative target sells what there is: clipped, or no position (O5)."""
    panel = panel_of({A: flat_bars(10, 10, 10, 10)})
    decisions = {
        0: Decision((Order.buy(A, 20),)),
        1: Decision((), (Target(A, -0.5, tag="a"),)),
        2: Decision((), (Target(A, -0.5, tag="b"),)),
    }
    _, result = play(panel, rules_of(), decisions)
    assert outcome(records_of(result)["a"]) == ("partially_filled", "clipped_to_position", 20)
    assert outcome(records_of(result)["b"]) == ("rejected", "no_position", 0)


def test_quantities_are_floored_to_lots() -> None:
    """Quantities count in whole lots, a millionth of one forgiven (O6)."""
    panel = panel_of({A: flat_bars(1, 1, 1)})
    orders = (
        Order.buy(A, 2.9999999, tag="nearly"),
        Order.buy(A, 2.9, tag="less"),
        Order.buy(A, 0.3, tag="none"),
    )
    _, result = play(panel, rules_of(), {0: Decision(orders)})
    records = records_of(result)
    assert outcome(records["nearly"]) == ("filled", None, 3)
    assert records["less"].quantity == 2
    assert records["less"].requested_quantity == 2.9
    assert outcome(records["none"]) == ("rejected", "below_lot", 0)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (Order.buy("XXX", 1), "invalid_symbol"),
        (Order(A, "hold", 1.0), "invalid_side"),
        (Order(A, "BUY", 1.0), "invalid_side"),
        (Order(A, "buy", 1.0, order_type="iceberg"), "unsupported_order_type"),
        (Order(A, "buy", 1.0, time_in_force="fok"), "unsupported_order_type"),
        (Order(A, "buy", 1.0, "lots"), "unsupported_quantity_type"),
        (Order.buy(A, 0), "invalid_quantity"),
        (Order.buy(A, -1), "invalid_quantity"),
        (Order.buy(A, float("nan")), "invalid_quantity"),
        (Order.buy(A, float("inf")), "invalid_quantity"),
        (Order.buy(A, 10**400), "invalid_quantity"),
        (Order.buy(A, True), "invalid_quantity"),
        (Order.buy(A, "5"), "invalid_quantity"),  # type: ignore[arg-type]
        (Order(A, "buy", 1.0, order_type="limit"), "missing_price"),
        (Order(A, "buy", 1.0, order_type="stop_limit", stop_price=9.0), "missing_price"),
        (Order.buy(A, 1, limit=0), "invalid_price"),
        (Order.buy(A, 1, stop=float("nan")), "invalid_price"),
        (Order(A, "buy", 1.0, limit_price=9.0), "invalid_price"),
        (Order.buy(A, 0.5), "below_lot"),
        (Order.buy(A, 0.5, quantity_type="notional"), "below_lot"),
        (Order.buy(A, 0.0001, quantity_type="weight"), "below_lot"),
        (Target("XXX", 0.5), "invalid_symbol"),
        (Target(A, float("nan")), "invalid_quantity"),
        (Target(A), "invalid_quantity"),
        (Target(A, 0.5, 5.0), "invalid_quantity"),
    ],
)
def test_bad_intents_are_rejected_by_name(order: Any, reason: str) -> None:
    """Every intent that the policy refuses leaves one rejected record with its reason (O2, O6)."""
    panel = panel_of({A: flat_bars(10, 10, 10)})
    decision = Decision((order,)) if isinstance(order, Order) else Decision((), (order,))
    _, result = play(panel, rules_of(), {0: decision})
    ((_, record),) = result.orders
    assert outcome(record) == ("rejected", reason, 0)
    assert result.fills == ()


def test_fractional_resting_order_must_be_day() -> None:
    """A priced GTC order for part of a share is rejected; a DAY one and a market one are not."""
    panel = panel_of({A: flat_bars(10, 10, 10)})
    orders = (
        Order.buy(A, 0.5, limit=9, time_in_force="gtc", tag="gtc"),
        Order.buy(A, 5, limit=9, time_in_force="gtc", tag="whole"),
        Order.buy(A, 0.5, limit=9, tag="day"),
        Order.buy(A, 0.5, time_in_force="gtc", tag="market"),
        Order.buy(A, 5, quantity_type="notional", limit=9, time_in_force="gtc", tag="sized"),
    )
    _, result = play(panel, rules_of(lot=1e-9), {0: Decision(orders)})
    records = records_of(result)
    assert records["gtc"].reason == "fractional_requires_day_tif"
    assert records["sized"].reason == "fractional_requires_day_tif"
    assert records["whole"].reason == "end_of_data"
    assert records["day"].reason == "end_of_data"
    assert outcome(records["market"]) == ("filled", None, 0.5)


def test_numbers_of_any_kind_are_numbers() -> None:
    """Integers and numpy numbers count as what they are, and are logged as plain floats."""
    panel = panel_of({A: flat_bars(10, 10, 10)})
    decision = Decision(
        (Order.buy(A, np.int64(3), tag="a"), Order.buy(np.str_(A), np.float32(2), tag="b"))  # type: ignore[arg-type]
    )
    _, result = play(panel, rules_of(), {0: decision})
    assert [fill.quantity for fill in result.fills] == [3, 2]
    (_, logged), *_ = result.decisions
    assert [type(order.quantity) for order in logged.orders] == [float, float]
    assert type(logged.orders[1].symbol) is str


def test_cancel_by_tag() -> None:
    """A decision's cancels end the open orders of that tag, and only those that stand before it."""
    panel = panel_of({A: flat_bars(10, 10, 10, 10)})
    decisions = {
        0: Decision((Order.buy(A, 1, limit=5, time_in_force="gtc", tag="x"),)),
        1: Decision((Order.buy(A, 2, limit=5, time_in_force="gtc", tag="x"),), (), ("x", "y")),
    }
    _, result = play(panel, rules_of(), decisions)
    records = {record.order_id: record for _, record in result.orders}
    assert outcome(records["0-0"]) == ("cancelled", "cancelled_by_user", 0)
    assert records["0-0"].closed_step == 1
    assert outcome(records["1-0"]) == ("expired", "end_of_data", 0)
