"""Malformed orders and targets: each is recorded with its reason, its step and its symbol.

Every row goes in by two doors: as a value from a strategy, and as a line of a tape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import engine
from engine import Strategy
from engine.codec import encode_decision
from engine.model import Costs, Decision, Order, OrderRecord, Target
from engine.sim.observation import Observation
from engine.sim.panel import Panel
from engine.sim.reasons import REMEDIES, STATUS_WITHOUT_FILL, Reason
from engine.sim.simulation import Simulation
from engine.strategies import read_tape
from tests.sim.builders import panel_of, records_of, rules_of, run_steps

NAN, INF = math.nan, math.inf


class Row(NamedTuple):
    """An intent that cannot be, and how it must end.

    ``rules`` are other than 1,000 in cash, whole shares and no costs; ``step`` is that of the
    decision.
    """

    intent: Order | Target
    reason: str
    rules: Mapping[str, Any] = {}
    step: int = 0


def order(**fields: Any) -> Order:
    """A good order to buy two shares of AAPL, spoilt by these fields."""
    return Order("AAPL", "buy", 2)._replace(**fields)


def limit(price: float | None, **fields: Any) -> Order:
    """A limit order."""
    return order(order_type="limit", limit_price=price, **fields)


def stop(price: float | None, **fields: Any) -> Order:
    """A stop order."""
    return order(order_type="stop", stop_price=price, **fields)


def both(limit_price: float | None, stop_price: float | None, **fields: Any) -> Order:
    """A stop-limit order."""
    return order(order_type="stop_limit", limit_price=limit_price, stop_price=stop_price, **fields)


FINE, CENTS = {"lot": 1e-9}, {"lot": 0.01}
DEAR = {"costs": Costs("dear", 5.0, 0.0, 0.0, sec=False, taf=False, slippage_bps=0.0)}

SYMBOLS = (
    "",
    " ",
    "NOPE",
    "aapl",
    " AAPL",
    "AAPL ",
    "AAPL,MSFT",
    "AAPL;MSFT",
    "*",
    "None",
    "Ä",
    "0",
)
SIDES = ("", "BUY", "Sell", "hold", "short", "long", "cover", "sell ", "b", "1", "buy_to_cover")
TYPES = (
    "MARKET",
    "Limit",
    "trailing_stop",
    "moc",
    "loo",
    "stop-limit",
    "stoplimit",
    "iceberg",
    "?",
)
TIMES = ("", "DAY", "Gtc", "ioc", "fok", "gtd", "opg", "good till cancelled")
UNITS = ("", "SHARES", "percent", "lots", "usd", "contracts", "notional ", "Weight")
NO_QUANTITIES = (0, -0.0, -1, -1e-9, -1e308, NAN, INF, -INF)
NO_PRICES = (0.0, -0.0, -1.0, NAN, INF, -INF)

ROWS: tuple[Row, ...] = (
    *(Row(order(symbol=symbol), "invalid_symbol") for symbol in SYMBOLS),
    *(Row(order(side=side), "invalid_side") for side in SIDES),
    *(Row(order(order_type=name), "unsupported_order_type") for name in TYPES),
    *(Row(order(time_in_force=name), "unsupported_order_type") for name in TIMES),
    *(Row(order(quantity_type=name), "unsupported_quantity_type") for name in UNITS),
    *(Row(order(quantity=number), "invalid_quantity") for number in NO_QUANTITIES),
    *(
        Row(order(quantity=number, quantity_type=unit, side="sell"), "invalid_quantity")
        for unit in ("notional", "weight")
        for number in (0, -1, NAN, INF)
    ),
    # A price that the type needs and does not have.
    Row(limit(None), "missing_price"),
    Row(limit(None, side="sell"), "missing_price"),
    Row(stop(None), "missing_price"),
    Row(stop(None, side="sell"), "missing_price"),
    Row(both(None, None), "missing_price"),
    Row(both(99.0, None), "missing_price"),
    Row(both(None, 101.0), "missing_price"),
    Row(order(order_type="limit", stop_price=99.0), "missing_price"),
    Row(order(order_type="stop", limit_price=99.0), "missing_price"),
    # A price that is none, or that the type does not take.
    *(Row(limit(price), "invalid_price") for price in NO_PRICES),
    *(Row(stop(price), "invalid_price") for price in NO_PRICES),
    *(Row(both(99.0, price), "invalid_price") for price in (0.0, NAN)),
    *(Row(both(price, 99.0), "invalid_price") for price in (-1.0, INF)),
    Row(order(limit_price=99.0), "invalid_price"),
    Row(order(stop_price=99.0), "invalid_price"),
    Row(limit(99.0, stop_price=101.0), "invalid_price"),
    Row(stop(101.0, limit_price=99.0), "invalid_price"),
    # Less than a lot, told at once where it is in shares, else when it is sized.
    Row(order(quantity=0.5), "below_lot"),
    Row(order(quantity=0.99999), "below_lot"),
    Row(order(quantity=5e-324), "below_lot"),
    Row(order(quantity=0.009), "below_lot", CENTS),
    Row(order(quantity=1e-10), "below_lot", FINE),
    Row(order(quantity=99.99, quantity_type="notional"), "below_lot"),
    Row(order(quantity=0.0999, quantity_type="weight"), "below_lot"),
    Row(order(quantity=1e-12, quantity_type="weight"), "below_lot", CENTS),
    Row(limit(100.0, quantity=50.0, quantity_type="notional"), "below_lot"),
    Row(limit(100.0, quantity=0.05, quantity_type="weight"), "below_lot"),
    # Parts of a share may rest for a day only.
    Row(limit(90.0, quantity=1.5, time_in_force="gtc"), "fractional_requires_day_tif", CENTS),
    Row(stop(120.0, quantity=0.01, time_in_force="gtc"), "fractional_requires_day_tif", CENTS),
    Row(
        both(120.0, 119.0, quantity=1e-9, time_in_force="gtc"), "fractional_requires_day_tif", FINE
    ),
    Row(
        limit(90.0, quantity=500.0, quantity_type="notional", time_in_force="gtc"),
        "fractional_requires_day_tif",
        CENTS,
    ),
    Row(
        stop(120.0, quantity=0.5, quantity_type="weight", time_in_force="gtc"),
        "fractional_requires_day_tif",
        FINE,
    ),
    # Nothing to sell, nothing to pay with.
    Row(order(side="sell"), "no_position"),
    Row(order(side="sell", quantity=100.0, quantity_type="notional"), "no_position"),
    Row(order(side="sell", quantity=0.5, quantity_type="weight"), "no_position"),
    Row(order(side="sell", time_in_force="gtc"), "no_position"),
    Row(Target("AAPL", -0.5), "no_position"),
    Row(Target("AAPL", shares=-3), "no_position"),
    Row(order(), "insufficient_cash", {"cash": 99.0}),
    Row(limit(100.0), "insufficient_cash", {"cash": 99.99}),
    Row(order(quantity=1), "insufficient_cash", {"cash": 104.0} | DEAR),
    Row(Target("AAPL", shares=1), "insufficient_cash", {"cash": 50.0}),
    Row(order(side="sell"), "max_leverage", {"cash": 50.0, "allow_short": True}),
    Row(order(symbol="MSFT"), "volume_cap", {"participation": 0.1}, 2),
    # Too late, or where there is no bar.
    Row(order(), "no_next_bar", {}, 4),
    Row(limit(90.0, time_in_force="gtc"), "no_next_bar", {}, 4),
    Row(Target("AAPL", 0.5), "no_next_bar", {}, 4),
    Row(order(symbol="MSFT"), "no_bar"),
    Row(Target("MSFT", 0.5), "no_bar"),
    Row(order(symbol="MSFT", quantity=0.5, quantity_type="weight"), "no_bar"),
    # Targets that are no targets.
    *(Row(Target(symbol, 0.5), "invalid_symbol") for symbol in ("", "NOPE", "msft", "AAPL ")),
    *(Row(Target("AAPL", weight), "invalid_quantity") for weight in (NAN, INF, -INF)),
    Row(Target("AAPL"), "invalid_quantity"),
    Row(Target("AAPL", 0.5, 10), "invalid_quantity"),
    *(Row(Target("AAPL", shares=shares), "invalid_quantity") for shares in (NAN, INF, -INF)),
    # Of several faults the first in the order of the policy is named.
    Row(order(symbol="NOPE", side="hold", quantity=-1), "invalid_symbol"),
    Row(order(side="hold", order_type="moc", quantity=-1), "invalid_side"),
    Row(order(order_type="moc", quantity_type="lots", quantity=NAN), "unsupported_order_type"),
    Row(order(quantity_type="lots", quantity=NAN), "unsupported_quantity_type"),
    Row(limit(None, quantity=0), "invalid_quantity"),
    Row(both(None, -1.0), "missing_price"),
    Row(limit(-1.0, quantity=0.5), "invalid_price"),
    Row(limit(90.0, quantity=0.001, time_in_force="gtc"), "below_lot", CENTS),
)


def panel() -> Panel:
    """Five hours of two symbols at 100; MSFT has no bar in the second, no volume in the fourth."""
    bar = (100.0, 100.0, 100.0, 100.0, 1e6)
    return panel_of({"AAPL": [bar] * 5, "MSFT": [bar, None, bar, (*bar[:4], 5.0), bar]})


def decision_of(intent: Order | Target) -> Decision:
    """The decision of one intent."""
    return Decision((intent,)) if isinstance(intent, Order) else Decision((), (intent,))


def told(row: Row, record: OrderRecord) -> None:
    """The record says what was asked, where, how it ended and why."""
    assert record.reason == row.reason
    assert record.status == STATUS_WITHOUT_FILL[row.reason]
    assert (record.step_index, record.order_id) == (row.step, f"{row.step}-0")
    assert record.symbol == row.intent.symbol
    assert (record.filled_quantity, record.closed_step is None) == (0.0, False)
    remedy = REMEDIES[row.reason]
    assert remedy
    assert "\n" not in remedy


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason)
def test_an_order_that_cannot_be_is_recorded(row: Row, tmp_path: Path) -> None:
    """From a strategy and from a tape alike; nothing is filled, no exception is raised."""
    rules = rules_of(**row.rules)
    decision = decision_of(row.intent)
    _, result = run_steps(panel(), rules, {row.step: decision})
    told(row, records_of(result)[f"{row.step}-0"])
    assert result.fills == ()
    assert (result.equity == rules.cash).all()

    path = tmp_path / "tape.jsonl"
    path.write_text(json.dumps({"step": row.step} | encode_decision(decision)) + "\n")
    (line,) = read_tape(path).lines
    _, replayed = run_steps(panel(), rules, {row.step: line.decision})
    assert repr(replayed.orders) == repr(result.orders)


@pytest.mark.parametrize("value", [None, "5", True, b"5", object(), [5], 5j, 10**400])
@pytest.mark.parametrize("field", ["quantity", "limit_price", "stop_price"])
def test_what_is_no_number_is_recorded_too(field: str, value: Any) -> None:
    """Anything may stand where a number belongs; the order is rejected, its run goes on."""
    if field != "quantity" and value is None:
        value = NAN
    spoilt = both(99.0, 98.0)._replace(**{field: value})
    _, result = run_steps(panel(), rules_of(), {1: Decision((spoilt,))})
    (record,) = records_of(result).values()
    assert (record.status, record.step_index, record.symbol) == ("rejected", 1, "AAPL")
    assert record.reason == ("invalid_quantity" if field == "quantity" else "invalid_price")


@pytest.mark.parametrize(
    "answer", [5, "buy", b"", {"AAPL": 1}, 1.5, [None], [("AAPL", 0.5)], ["x"]]
)
def test_an_answer_that_is_no_decision_ends_the_run_there(answer: Any) -> None:
    """The fault names what was answered and what to answer; the steps before it stand."""
    simulation = Simulation(panel(), rules_of())
    state, _ = simulation.start(simulation.initial())
    state, _, fault = simulation.advance(
        state, lambda obs: answer if obs.step == 2 else None, simulation.total_steps
    )
    assert fault is not None
    assert (fault.code, state.decided) == ("strategy_error", 2)
    assert fault.remedy == "answer Order and Target values, or None"
    assert len(str(fault).splitlines()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Decision((), (Target("AAPL", 0.5, tag="\ud800"),)),
        Decision((Order.buy("AAPL", 1, tag="\udfff"),), rationale="\ud800"),
        Decision((Order("\ud800", "\ud800", NAN, "\ud800", "\ud800"),), (), ("\ud800",)),
    ],
)
def test_texts_that_no_file_can_hold_end_in_the_ledger(answer: Decision, tmp_path: Path) -> None:
    """Half of a surrogate pair, as a JSON escape may bring it, is written as a question mark."""

    class Odd(Strategy):
        def decide(self, obs: Observation) -> Decision | None:
            return answer if obs.step == 1 else None

    result = engine.run(Odd, symbols=["AAPL"], end="2000-04-01", ledger=tmp_path / "runs.db")
    (record,) = result.order_records
    assert "?" in (record.tag, record.symbol)
    assert len(result.fill_records) == (record.symbol == "AAPL")


def test_every_reason_has_a_remedy() -> None:
    """No code stands for itself alone."""
    assert set(REMEDIES) == {reason.value for reason in Reason}
    assert all(line and len(line) < 80 for line in REMEDIES.values())
