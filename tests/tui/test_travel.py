"""Rewind, fork, take over and hand back through the gateway, in runs of one's own and of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from engine.errors import RunNotResumable, StepRewound
from engine.model import Decision, Order, RunRequest
from tui.gateway import Gateway

REQUEST = RunRequest(
    "sma_cross",
    symbols=("AAPL", "IBM"),
    start=date(2007, 6, 1),
    end=date(2008, 12, 31),
    paused=True,
    baselines=False,
)
BUY = Decision((Order.buy("AAPL", 3),))


@pytest.fixture
def open_gateway(tmp_path: Path) -> Iterator[Callable[[], Gateway]]:
    """Opens one ledger, each time as another owner."""
    gateways: list[Gateway] = []

    def make() -> Gateway:
        gateways.append(Gateway.open(tmp_path / "runs.db"))
        return gateways[-1]

    yield make
    for gateway in gateways:
        gateway.close()


@pytest.fixture(params=["own", "elsewhere"])
def driver(
    request: pytest.FixtureRequest, open_gateway: Callable[[], Gateway]
) -> tuple[str, Gateway]:
    """A paused run that has made 60 decisions, and a gateway to drive it by: its owner's or not."""
    owner = open_gateway()
    run_id = owner.create(REQUEST).run_id
    assert owner.settle(60)
    owner.step(run_id, 60)
    return run_id, owner if request.param == "own" else open_gateway()


def test_a_run_is_driven_wherever_it_lives(driver: tuple[str, Gateway]) -> None:
    """Rewound, taken over, traded by hand, handed back and let go, by its owner or by another."""
    run_id, gateway = driver
    past = gateway.past(run_id)
    record = gateway.rewind(run_id, past.at(41).decided)
    assert (record.status, record.step_index, record.rewind_count) == ("paused", 41, 1)
    again = gateway.past(run_id)
    assert again is not past
    assert (again.settled, again.rewind_count) == (41, 1)
    assert gateway.take_over(run_id).metadata["taken_over"] is True
    assert gateway.submit(run_id, 40, BUY).step_index == 42
    assert gateway.past(run_id).at(41).source == "manual"
    assert "taken_over" not in gateway.hand_back(run_id).metadata
    record = gateway.step(run_id, 5)
    detail = gateway.detail(run_id)
    assert record.step_index == len(detail.stamps) == 47
    assert [row.step_index for row in detail.decisions if row.decision_source == "manual"] == [40]


def test_a_fork_of_a_run_that_lives_elsewhere_is_one_s_own(driver: tuple[str, Gateway]) -> None:
    """It plays in this process; the parent is not touched."""
    run_id, gateway = driver
    before = gateway.record(run_id)
    record = gateway.fork(run_id, 30, play=True)
    assert gateway.wait(record.run_id, 60).status == "completed"
    forked = gateway.record(record.run_id)
    assert (forked.owner_instance, forked.parent_run_id) == (gateway.instance, run_id)
    assert gateway.record(run_id).step_index == before.step_index
    parent, child = gateway.detail(run_id), gateway.detail(forked.run_id)
    assert np.array_equal(parent.equity[:31], child.equity[:31])


def test_a_detail_read_on_across_a_rewind_is_the_whole_one(driver: tuple[str, Gateway]) -> None:
    """Nothing of the discarded future stays on a screen that read it."""
    run_id, gateway = driver
    seen = gateway.detail(run_id)
    gateway.rewind(run_id, 20)
    assert len(gateway.detail(run_id, seen).stamps) == 21
    gateway.step(run_id, 50)
    now = gateway.detail(run_id, seen)
    whole = gateway.detail(run_id)
    assert np.array_equal(now.equity, whole.equity)
    assert (now.orders, now.fills, now.decisions) == (whole.orders, whole.fills, whole.decisions)


def test_a_decision_asked_for_before_a_rewind_does_not_land_after_it(
    open_gateway: Callable[[], Gateway],
) -> None:
    """It names the epoch it was seen under; the owner answers step_rewound."""
    owner, other = open_gateway(), open_gateway()
    run_id = owner.create(replace(REQUEST, strategy="manual")).run_id
    assert owner.settle(60)
    owner.step(run_id, 10)
    seen = other.record(run_id)
    owner.rewind(run_id, 4)
    with pytest.raises(StepRewound):
        other.submit(run_id, 4, BUY, epoch=seen.lease_epoch)
    with pytest.raises(StepRewound):
        owner.submit(run_id, 4, BUY, epoch=seen.lease_epoch)
    assert owner.record(run_id).step_index == 5
    assert other.submit(run_id, 4, BUY).step_index == 6


def test_a_run_that_a_person_took_over_is_not_taken_up_to_play(
    open_gateway: Callable[[], Gateway],
) -> None:
    """Nobody would decide: it names the app, which takes it up as it was."""
    gateway = open_gateway()
    run_id = gateway.create(REQUEST).run_id
    assert gateway.settle(60)
    gateway.submit(run_id, 0, BUY)
    gateway.close()
    again = open_gateway()
    with pytest.raises(RunNotResumable, match=f"`stepdeck {run_id}`"):
        again.take_up(run_id, play=True)
    again.take_up(run_id)
    assert again.settle(60)
    assert again.submit(run_id, 1, BUY).step_index == 3
