"""The digest's input: D3."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.model import CorporateAction, Decision, Order, Target
from engine.sim.digest import canonical_bytes
from engine.sim.records import Orders, Packed
from engine.sim.state import StepResult
from tests.sim.builders import busy, flat_bars, panel_of, play, rules_of

A = "AAPL"


@pytest.fixture(name="whole")
def whole_result() -> StepResult:
    """A small run with a record of every kind."""
    panel = panel_of(
        {A: flat_bars(10, 10, 11, 12)},
        daily=True,
        actions=[CorporateAction(A, "2026-03-04", "dividend", 0.5)],
    )
    decisions = {
        0: Decision((Order.buy(A, 5, tag="x"),), confidence=0.5, rationale="because"),
        1: Decision((Order.buy(A, 5, limit=3.0, oco_group="g"),)),
        2: Decision((), (Target(A, 0.1),), ("x",)),
    }
    return play(panel, rules_of(), decisions)[1]


def test_rationale_is_left_out(whole: StepResult) -> None:
    """Why a decision was made is no part of what was settled."""
    (step, made), *others = whole.decisions
    other = replace(whole, decisions=((step, made._replace(rationale=None)), *others))
    assert canonical_bytes(other) == canonical_bytes(whole)


def changes(whole: StepResult) -> list[StepResult]:
    """The result with one thing changed, for each thing that counts."""

    def elsewhere(value: Any) -> Any:
        if value is None:
            return "other"
        return value + 1 if isinstance(value, (int, float)) else f"{value}'"

    changed: list[StepResult] = []
    for name in ("fills", "cash_flows"):
        first, *others = getattr(whole, name)
        for field, value in first._asdict().items():
            kept: Any = {name: (first._replace(**{field: elsewhere(value)}), *others)}
            changed.append(replace(whole, **kept))
    (grid, record), *rest = whole.orders
    numbers = {"quantity", "limit_price", "stop_price", "closed_step"}
    for field, value in record._asdict().items():
        other: Any = 1.5 if value is None and field in numbers else elsewhere(value)
        change: dict[str, Any] = {field: other}
        changed.append(replace(whole, orders=((grid, record._replace(**change)), *rest)))
    (step, made), *later = whole.decisions
    others_made = (
        made._replace(confidence=0.6),
        made._replace(cancels=("y",)),
        made._replace(orders=(made.orders[0]._replace(quantity=6.0),)),
        made._replace(orders=(made.orders[0]._replace(tag=None),)),
        made._replace(orders=(), targets=(Target(A, 0.5),)),
        made._replace(orders=(), targets=(Target(A, None, 0.5),)),
    )
    changed += [replace(whole, decisions=((step, other), *later)) for other in others_made]
    equity = np.array(whole.equity)
    equity[-1] = np.nextafter(equity[-1], 0)
    changed.append(replace(whole, equity=equity))
    changed.append(replace(whole, cash=whole.cash[::-1]))
    changed.append(replace(whole, first=1))
    return changed


def test_everything_that_counts_changes_the_bytes(whole: StepResult) -> None:
    """Every field of what was settled counts, to the last bit."""
    variants = [canonical_bytes(result) for result in changes(whole)]
    assert len({canonical_bytes(whole), *variants}) == 1 + len(variants)


def test_texts_cannot_run_into_each_other(whole: StepResult) -> None:
    """A tag that looks like another field does not give the same bytes as that field."""
    (grid, record), *rest = whole.orders
    one = record._replace(oco_group="a\x1f1:b", tag=None)
    two = record._replace(oco_group="a", tag="b\x1f-")
    pair = [
        canonical_bytes(replace(whole, orders=((grid, changed), *rest))) for changed in (one, two)
    ]
    assert pair[0] != pair[1]


def test_known_bytes() -> None:
    """The form is pinned: a change of it would break the digests that ledgers hold."""
    panel = panel_of({A: flat_bars(10, 10, 12)})
    decisions = {0: Decision((Order.buy(A, 5),), (Target(A, 0.5),), ("t",), 0.25, "why")}
    _, result = play(panel, rules_of(), decisions)
    digest = hashlib.sha256(canonical_bytes(result)).hexdigest()
    assert digest == "56885942ce8ff405f2a8858bbc18a14ff4281b02855920e36337b4c09f295a8e"


def test_packed_rows_have_the_bytes_of_their_records() -> None:
    """Many rows at once, in columns, are the same bytes as one record after the other."""
    packed = busy()
    records = replace(packed, orders=tuple(packed.orders), fills=tuple(packed.fills))
    assert isinstance(packed.orders, Orders)
    parts = [part.rows for part in packed.orders.parts if isinstance(part, Packed)]
    assert max(map(len, parts)) > 100
    assert len(packed.fills) > 500
    assert {record.reason for _, record in packed.orders} >= {None, "volume_cap", "no_bar"}
    assert canonical_bytes(packed) == canonical_bytes(records)


def test_a_zero_keeps_its_sign_beside_equal_targets() -> None:
    """Targets that are equal and yet have other bits are told apart, within one batch too."""
    rows = np.empty(0)

    def written(*weights: float) -> bytes:
        made = [Decision((), (Target(A, weight),)) for weight in weights]
        return canonical_bytes(StepResult(0, rows, rows, decisions=list(enumerate(made))))

    assert written(0.0) != written(-0.0)
    assert written(0.0, -0.0) not in (written(0.0, 0.0), written(-0.0, -0.0))
