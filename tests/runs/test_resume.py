"""Interrupted runs, and the results they come to when they are taken up again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from engine.errors import (
    LeaseLost,
    RunNotActive,
    RunNotResumable,
    StrategyChanged,
    TooManyActiveRuns,
)
from engine.model import Decision, Order, RunRequest
from engine.runs.lifecycle import Status
from engine.runs.limits import Limits
from engine.runs.recovery import recover
from engine.runs.session import Session
from tests.runs.conftest import MANUAL, SMA, Deck

WINDOW = replace(SMA, start=date(2007, 1, 1), end=date(2009, 12, 31))


def _take_up(deck: Deck, run_id: str, *, play: bool | None = None) -> Session:
    session = deck.service.take_up(run_id, play=play)
    deck.host.enqueue(session)
    return session


@pytest.mark.parametrize("cut", [0, 1, 2, 37, 200, 755])
def test_a_resumed_run_equals_an_uninterrupted_one(deck: Deck, cut: int) -> None:
    """Wherever a run is left, what it comes to is bit for bit what it would have come to."""
    whole = deck.run(WINDOW)
    session = deck.ready(replace(WINDOW, paused=True))
    if cut:
        deck.service.step(session.run_id, cut)
    deck.service.interrupt(session)
    left = deck.service.record(session.run_id)
    assert (left.status, left.step_index) == (Status.INTERRUPTED, cut + 1)
    again = _take_up(deck, session.run_id, play=True)
    assert again.closed.wait(60)
    record = deck.service.record(session.run_id)
    assert (record.status, record.error_message) == ("completed", None)
    assert deck.digest(record.run_id) == deck.digest(whole.run_id)
    assert record.metrics == whole.metrics
    assert record.lease_epoch == 2


def test_a_run_comes_back_as_it_was(deck: Deck) -> None:
    """Paused stays paused; a run that was never started comes back at its beginning."""
    session = deck.ready(replace(WINDOW, paused=True))
    deck.service.step(session.run_id, 10)
    deck.service.interrupt(session)
    _take_up(deck, session.run_id)
    assert deck.host.wait_idle(60)
    record = deck.service.record(session.run_id)
    assert (record.status, record.step_index) == ("paused", 11)
    unstarted = deck.service.create(WINDOW)
    deck.service.interrupt(unstarted)
    assert _take_up(deck, unstarted.run_id).closed.wait(60)
    assert deck.service.record(unstarted.run_id).status == "completed"


def test_a_run_comes_back_at_the_speed_it_had(deck: Deck) -> None:
    """The speed of now, not that of the request; and running, though it was made paused."""
    session = deck.ready(replace(WINDOW, paused=True, speed=7.0))
    deck.service.set_speed(session.run_id, 3.0)
    deck.service.resume(session.run_id)
    deck.service.interrupt(session)
    again = deck.take_up(session.run_id, idle=False)
    assert again.speed == 3.0
    deck.until(lambda: again.status is Status.RUNNING)
    deck.service.set_speed(session.run_id, None)
    assert again.closed.wait(60)
    assert deck.service.record(session.run_id).status == "completed"


@pytest.mark.parametrize("state", ["created", "running", "paused"])
def test_a_live_owner_is_robbed_by_force_alone(open_deck: Callable[..., Deck], state: str) -> None:
    """What was acknowledged stays, the result is that of a run left alone."""
    owner, deck = open_deck(), open_deck()
    whole = deck.run(WINDOW)
    if state == "created":
        session = owner.service.create(WINDOW)
    else:
        session = owner.ready(replace(WINDOW, paused=True))
        owner.service.step(session.run_id, 20)
        if state == "running":
            owner.host.close()
            owner.service.resume(session.run_id)
    run_id = session.run_id
    with pytest.raises(RunNotResumable, match="--take"):
        deck.service.take_up(run_id)
    again = deck.service.take_up(run_id, play=True, force=True)
    with pytest.raises((LeaseLost, RunNotActive)):
        owner.service.step(run_id)
    if state == "created":
        with pytest.raises(LeaseLost):
            owner.service.load(session)
    assert owner.service.cancel(run_id).status == "loading"
    deck.host.enqueue(again)
    assert again.closed.wait(60)
    record = deck.service.record(run_id)
    assert (record.status, record.metrics) == ("completed", whole.metrics)
    assert deck.digest(run_id) == deck.digest(whole.run_id)
    with deck.reader() as reader:
        assert {commit.lease_epoch for commit in reader.commits(run_id)} <= {1, 3}


def test_a_take_that_is_refused_leaves_the_run_with_its_owner(
    open_deck: Callable[..., Deck], strategy_file: Callable[[str], str]
) -> None:
    """Another source, or a cap: nothing changes, and the owner goes on."""
    owner, deck = open_deck(), open_deck(Limits(max_active_runs=1))
    spec = strategy_file("return None")
    session = owner.ready(replace(WINDOW, strategy=spec, paused=True))
    other = owner.ready(replace(WINDOW, paused=True))
    with pytest.raises(TooManyActiveRuns):
        deck.service.take_up(session.run_id, force=True)
    owner.service.cancel(other.run_id)
    strategy_file("return []")
    with pytest.raises(StrategyChanged):
        deck.service.take_up(session.run_id, force=True)
    assert owner.service.step(session.run_id).status == "paused"


def test_manual_decisions_survive_an_interruption(deck: Deck) -> None:
    """A run by hand goes on from its last decision, with the holdings and orders it had."""
    run_id = (session := deck.ready(MANUAL)).run_id
    deck.service.submit(run_id, 0, Decision((Order.buy("AAPL", 10),)))
    resting = Order.sell("AAPL", 10, limit=1_000.0, time_in_force="gtc", tag="far")
    deck.service.submit(run_id, 1, Decision((resting,)))
    before = deck.service.record(run_id)
    deck.service.interrupt(session)
    _take_up(deck, run_id)
    assert deck.host.wait_idle(60)
    after = deck.service.record(run_id)
    assert (after.step_index, after.equity, after.cash) == (3, before.equity, before.cash)
    record = deck.service.submit(run_id, 2, Decision(cancels=("far",)))
    with deck.reader() as reader:
        orders = reader.orders(run_id)
        positions = reader.positions(run_id)
    assert [(order.tag, order.status, order.reason) for order in orders] == [
        (None, "filled", None),
        ("far", "cancelled", "cancelled_by_user"),
    ]
    assert [position.quantity for position in positions] == [10]
    assert record.step_index == 4


def test_only_an_interrupted_run_is_taken_up(deck: Deck) -> None:
    """A live run and a finished one are refused, and left as they are."""
    session = deck.ready(replace(WINDOW, paused=True))
    with pytest.raises(RunNotResumable, match="is paused"):
        deck.service.take_up(session.run_id)
    done = deck.run(WINDOW)
    with pytest.raises(RunNotResumable, match="is completed"):
        deck.service.take_up(done.run_id)
    assert deck.service.record(done.run_id) == done


def test_an_edited_strategy_is_refused_and_the_run_left(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """Another source is named as the reason; put back, the run goes on."""
    body = "return Order.buy(obs.symbols[0], 1) if obs.step % 5 == 0 else None"
    request = replace(WINDOW, strategy=strategy_file(body), paused=True)
    session = deck.ready(request)
    deck.service.step(session.run_id, 20)
    deck.service.interrupt(session)
    strategy_file(body.replace("5", "7"))
    with pytest.raises(StrategyChanged, match="not what the run began with"):
        deck.service.take_up(session.run_id)
    assert deck.service.record(session.run_id).status == Status.INTERRUPTED
    strategy_file(body)
    assert _take_up(deck, session.run_id, play=True).closed.wait(60)
    assert deck.service.record(session.run_id).status == "completed"


def test_a_strategy_that_decides_otherwise_is_named_and_the_run_left(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """Hidden state outside the bars is found while the strategy is warmed, at its step."""
    flag = tmp_path / "flag"
    spec = strategy_file(
        "import pathlib\n"
        f"there = pathlib.Path({str(flag)!r}).exists()\n"
        "return Order.buy(obs.symbols[0], 2 if there and obs.step == 6 else 1)"
    )
    session = deck.ready(replace(WINDOW, strategy=spec, paused=True))
    deck.service.step(session.run_id, 20)
    deck.service.interrupt(session)
    flag.touch()
    again = _take_up(deck, session.run_id, play=True)
    assert again.closed.wait(60)
    record = deck.service.record(session.run_id)
    assert (record.status, record.error_code) == ("interrupted", "strategy_diverged")
    assert "at step 6" in (record.error_message or "")
    assert record.step_index == 21


def test_other_bars_are_refused_and_the_run_left(deck: Deck, tmp_path: Path) -> None:
    """A file that changed since names its hash; the run stays interrupted."""
    file = tmp_path / "bars.csv"
    rows = [f"X,2024-01-{day:02d}T00:00:00Z,10,11,9,10,100" for day in range(1, 29)]
    header = "symbol,timestamp,open,high,low,close,volume"
    file.write_text("\n".join([header, *rows]))
    session = deck.ready(
        RunRequest("buy_and_hold", source=f"csv:{file}", paused=True, baselines=False)
    )
    deck.service.step(session.run_id, 5)
    deck.service.interrupt(session)
    session.bars = None
    file.write_text("\n".join([header, *rows]).replace(",10,100", ",10.5,100"))
    again = _take_up(deck, session.run_id, play=True)
    assert again.closed.wait(60)
    record = deck.service.record(session.run_id)
    assert (record.status, record.error_code) == ("interrupted", "bars_changed")


OWNER = """
import sys
from pathlib import Path
from tests.runs.conftest import Deck, SMA
from dataclasses import replace
deck = Deck(Path(sys.argv[1]))
session = deck.start(replace(SMA, speed=400.0))
print(session.run_id, flush=True)
session.closed.wait()
"""


def test_a_killed_owners_run_is_interrupted_and_comes_to_its_result(
    open_deck: Callable[..., Deck], tmp_path: Path
) -> None:
    """After kill -9 the run is adopted once, resumed, and ends as if nothing had happened."""
    path = tmp_path / "runs.db"
    deck = open_deck()
    whole = deck.run(SMA)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert owner.stdout is not None
    run_id = owner.stdout.readline().strip()
    with deck.reader() as reader:
        while reader.run(run_id).step_index < 50:
            assert owner.poll() is None
    assert recover(deck.ledger, deck.service.instance, deck.service.clock) == []
    owner.kill()
    owner.communicate()
    killed = deck.service.record(run_id)
    assert killed.status == "running"
    assert recover(deck.ledger, deck.service.instance, deck.service.clock) == [run_id]
    assert recover(deck.ledger, deck.service.instance, deck.service.clock) == []
    left = deck.service.record(run_id)
    assert left.status == Status.INTERRUPTED
    assert left.step_index >= killed.step_index
    assert _take_up(deck, run_id).closed.wait(60)
    assert deck.service.record(run_id).metrics == whole.metrics
    assert deck.digest(run_id) == deck.digest(whole.run_id)
