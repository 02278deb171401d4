"""Packed rows of orders and fills, and the records made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from engine.model import Decision, Order, Target
from engine.sim.digest import canonical_bytes
from engine.sim.records import (
    FILL,
    FILL_ROW,
    IDLE,
    ORDER,
    ORDER_ROW,
    Fills,
    Orders,
    Packed,
    present_records,
)
from engine.sim.simulation import Simulation
from engine.sim.state import StepResult, join
from tests.sim.builders import flat_bars, panel_of, rules_of

PANEL = panel_of({"A": flat_bars(10, 11, 12, 11, 10, 9), "B": flat_bars(20, 21, None, 22, 23, 24)})
DECISIONS = {
    0: Decision((Order.buy("A", 5.0, tag="in"),), (Target("B", 0.5),)),
    1: Decision((Order.buy("A", 3.0, limit=8.0, time_in_force="gtc"),), (Target("B", 0.1),)),
    2: Decision((), (Target("A", 0.2), Target("B", 0.2, tag="b"))),
    3: Decision((), (Target("A", 0.0), Target("B", 0.5)), confidence=0.5),
    5: Decision((), (Target("A", 1.0),)),
}


def played(chunk: int) -> StepResult:
    """The run, so many decisions at a time: packed rows and records by turns."""
    simulation = Simulation(PANEL, rules_of())
    state, result = simulation.start(simulation.initial())
    results = [result]
    while not state.done:
        state, result, _ = simulation.advance(
            state, lambda obs: DECISIONS.get(obs.step), state.decided + chunk
        )
        results.append(result)
    return join(results)


def test_packings_are_the_rows() -> None:
    """What the step loop packs is what the arrays read, byte by byte."""
    assert FILL.size == FILL_ROW.itemsize
    assert ORDER.size == IDLE.size == ORDER_ROW.itemsize
    row = np.frombuffer(ORDER.pack(1, 2, 3, 4, 5, 6, 0.5, -1, 7, 1), ORDER_ROW)[0]
    assert row.tolist() == (1, 2, 3, 4, 5.0, 6.0, 0.5, -1, 7, 1)
    idle = np.frombuffer(IDLE.pack(1, 2, 3, 4, 0.5, 7), ORDER_ROW)[0]
    assert idle.tolist() == (1, 2, 3, 4, 0.0, 0.0, 0.5, 0, 7, 0)
    fill = np.frombuffer(FILL.pack(*range(12)), FILL_ROW)[0]
    assert fill.tolist() == tuple(range(12))


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_records_read_like_any_sequence(chunk: int) -> None:
    """Length, places from either end, slices, equality and text are those of the list."""
    result = played(chunk)
    both: tuple[Sequence[Any], ...] = (result.orders, result.fills)
    for records in both:
        listed = list(records)
        assert len(records) == len(listed) > 4
        assert [records[at] for at in range(len(listed))] == listed
        assert records[-1] == listed[-1]
        for cut in (slice(1, 4), slice(None), slice(-3, None), slice(4, 1), slice(None, None, 2)):
            assert list(records[cut]) == listed[cut]
        assert records == listed
        same: Any = tuple(listed)
        text: Any = "orders"
        assert records == same
        assert records != text
        assert records != listed[:-1]
        assert records != [*listed[:-1], listed[0]]
        assert repr(records) == repr(listed)
        assert listed[2] in records
        with pytest.raises(IndexError):
            _ = records[len(listed)]
        with pytest.raises(TypeError):
            hash(records)


def test_joined_results_keep_their_rows() -> None:
    """Results of consecutive steps join to packed rows, with ids that go on, equal to one batch."""
    whole, parts = played(100), played(1)
    assert isinstance(parts.fills, Fills)
    assert isinstance(parts.orders, Orders)
    assert [fill.fill_id for fill in parts.fills] == list(range(len(whole.fills)))
    assert (parts.orders, parts.fills) == (whole.orders, whole.fills)
    assert canonical_bytes(parts) == canonical_bytes(whole)


def test_results_of_different_runs_join_as_records() -> None:
    """Rows are read with their own run's symbols, even where two runs are put together."""
    simulation = Simulation(panel_of({"X": flat_bars(10, 11, 12)}), rules_of())
    state, _ = simulation.start(simulation.initial())
    _, one, _ = simulation.advance(state, lambda _: Target("X", 0.5), 2)
    two, none = played(100), np.empty(0)
    both = join(
        [
            StepResult(0, none, none, orders=one.orders, fills=one.fills),
            StepResult(0, none, none, orders=two.orders, fills=two.fills),
        ]
    )
    assert list(both.fills) == [*one.fills, *two.fills]
    assert list(both.orders) == [*one.orders, *two.orders]


@pytest.mark.parametrize("chunk", [1, 100])
def test_present_records_are_the_last_of_each_order(chunk: int) -> None:
    """An order touched twice is there once, where it was first, as it was last."""
    orders = played(chunk).orders
    last = {record.order_id: record for _, record in orders}
    assert len(last) < len(orders)
    assert list(present_records(orders)) == list(last.values())
    assert list(present_records(tuple(orders))) == list(last.values())
    assert len(present_records(orders)) == len(last)


def test_tags_and_sides_survive_packing() -> None:
    """What a packed order was asked for is in its record: tag, kind, size, side."""
    result = played(100)
    assert isinstance(result.orders, Orders)
    assert any(isinstance(part, Packed) and part.tags for part in result.orders.parts)
    records = {record.tag: record for _, record in result.orders if record.tag}
    assert (records["in"].side, records["in"].quantity_type) == ("buy", "shares")
    assert (records["in"].requested_quantity, records["in"].quantity) == (5.0, 5.0)
    assert records["b"].quantity_type == "target_weight"


def test_rows_cannot_be_written_to() -> None:
    """A result is frozen, its rows too."""
    fills = played(100).fills
    assert isinstance(fills, Fills)
    with pytest.raises(ValueError, match="read-only"):
        fills.rows["price"] = 0.0
