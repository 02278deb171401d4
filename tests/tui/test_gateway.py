"""The gateway's reading: only what is new, and the same as reading everything."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from engine.errors import RunNotActive
from engine.model import Breakpoint, Decision, Order, RunRequest
from engine.runs.limits import Limits
from tests.runs.conftest import Deck
from tui.gateway import Gateway, RunDetail

MANUAL = RunRequest("manual", symbols=("AAPL", "IBM"), baselines=False)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A ledger of its own, open for driving."""
    gateway = Gateway.open(tmp_path / "runs.db")
    yield gateway
    gateway.close()


def _same(one: RunDetail, other: RunDetail) -> None:
    assert np.array_equal(one.stamps, other.stamps)
    assert np.array_equal(one.equity, other.equity)
    assert np.array_equal(one.cash, other.cash)
    for name in ("record", "fills", "orders", "decisions", "positions", "cash_flows"):
        assert getattr(one, name) == getattr(other, name), name


def test_reading_on_equals_reading_everything(gateway: Gateway) -> None:
    """Whatever rests, fills, is cut or cancelled meanwhile, a detail read on is the whole one."""
    run_id = gateway.create(MANUAL).run_id
    assert gateway.settle(60)
    far = Order.buy("AAPL", 5, limit=1.0, time_in_force="gtc", tag="far")
    near = Order.sell("AAPL", 5, limit=1.0, time_in_force="gtc", tag="near")
    script = [
        Decision((far, Order.buy("AAPL", 10))),
        Decision((near, Order.buy("IBM", 1e9))),
        Decision(),
        Decision((Order.buy("NOPE", 1),)),
        Decision(cancels=("far",)),
        Decision((Order.sell("IBM", 3), far)),
    ]
    detail = gateway.detail(run_id)
    for decision in script:
        assert detail.next_decision is not None
        gateway.submit(run_id, detail.next_decision, decision)
        detail = gateway.detail(run_id, detail)
        _same(detail, gateway.detail(run_id))
    assert {order.status for order in detail.orders} == {
        "filled", "partially_filled", "rejected", "cancelled", "resting",
    }  # fmt: skip
    assert gateway.detail(run_id, detail) is detail
    gateway.cancel(run_id)
    detail = gateway.detail(run_id, detail)
    _same(detail, gateway.detail(run_id))
    assert detail.orders[-1].reason == "run_ended"


def test_a_baseline_that_comes_late_is_seen(gateway: Gateway) -> None:
    """The run's own row does not change any more when its baseline is done; the detail does."""
    request = RunRequest("sma_cross", symbols=("IBM",), start=date(2010, 1, 1))
    without = gateway.create(replace(request, baselines=False))
    gateway.wait(without.run_id)
    assert gateway.settle(60)
    detail = gateway.detail(without.run_id)
    assert detail.baseline is None
    assert gateway.detail(without.run_id, detail) is detail
    run = gateway.create(request)
    gateway.wait(run.run_id)
    early = gateway.detail(run.run_id)
    assert gateway.settle(60)
    late = gateway.detail(run.run_id, replace(early, baseline=None))
    assert late.baseline is not None
    assert len(late.baseline[0]) == late.record.total_steps


def test_waiting_ends_where_a_run_is_held(gateway: Gateway) -> None:
    """Who quits and waits for a run is not kept by one that a breakpoint or somebody pauses."""
    run_id = gateway.create(replace(MANUAL, strategy="sma_cross", speed=20.0)).run_id
    leaving = threading.Thread(target=gateway.close, kwargs={"live": "wait"}, daemon=True)
    while gateway.record(run_id).status != "running":
        pass
    leaving.start()
    with closing(Gateway.open(gateway.path)) as other:
        # The leaver may have gone between the pause and its answer.
        with suppress(RunNotActive):
            other.pause(run_id)
        leaving.join(60)
        assert not leaving.is_alive()
        assert other.record(run_id).status == "interrupted"


def test_recovery_may_be_left_to_the_reaper(tmp_path: Path) -> None:
    """Told not to recover when it starts, a process leaves a dead owner's run to its reaper."""
    dead = Deck(tmp_path / "runs.db")
    run_id = dead.ready(MANUAL).run_id
    dead.die()
    try:
        never = Limits(recover_on_start=False, reaper_interval_seconds=1e9)
        with closing(Gateway.open(tmp_path / "runs.db", limits=never)) as gateway:
            assert gateway.record(run_id).status == "running"
        soon = Limits(recover_on_start=False, reaper_interval_seconds=0.1)
        with closing(Gateway.open(tmp_path / "runs.db", limits=soon)) as gateway:
            dead.until(lambda: gateway.record(run_id).status == "interrupted")
    finally:
        dead.ledger.close()


def test_the_list_knows_who_is_at_the_wheel(gateway: Gateway) -> None:
    """By hand, or taken over and handed back: a run that a person moves has no ETA."""
    request = RunRequest("buy_and_hold", symbols=("IBM",), paused=True, baselines=False)
    run_id = gateway.create(request).run_id
    assert gateway.settle(60)

    def by_hand() -> bool:
        (row,) = gateway.snapshot().rows
        return row.record.by_hand

    assert not by_hand()
    gateway.take_over(run_id)
    gateway.step(run_id, 3)
    assert by_hand()
    gateway.hand_back(run_id)
    assert not by_hand()


def test_a_list_stands_what_others_wrote_into_metadata(gateway: Gateway) -> None:
    """A row whose metadata are no JSON is listed like any other."""
    run_id = gateway.create(RunRequest("manual", symbols=("IBM",), baselines=False)).run_id
    assert gateway.settle(60)
    with closing(sqlite3.connect(gateway.path, timeout=60)) as conn, conn:
        conn.execute("UPDATE runs SET metadata = 'no json {' WHERE run_id = ?", (run_id,))
    (row,) = gateway.snapshot().rows
    assert row.record.by_hand
    assert not row.record.taken_over


def test_again_stops_where_the_run_stops_now(gateway: Gateway) -> None:
    """What was set on the breakpoints' screen goes along; what is off or for once does not."""
    request = RunRequest("sma_cross", symbols=("AAPL",), paused=True, baselines=False)
    run_id = gateway.create(request).run_id
    points = (
        Breakpoint(1, "drawdown < -0.5"),
        Breakpoint(2, "cash < 1", once=True),
        Breakpoint(3, "fill", enabled=False),
    )
    gateway.set_breakpoints(run_id, points)
    again = gateway.again(run_id)
    assert again.config["breakpoints"] == ["drawdown < -0.5"]
    assert [point.expression for point in gateway.breakpoints(again.run_id)] == ["drawdown < -0.5"]
    gateway.set_breakpoints(run_id, ())
    assert gateway.again(run_id).config["breakpoints"] == []
