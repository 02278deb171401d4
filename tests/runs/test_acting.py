"""Whoever operates on a run has it at its next step, and the others' courtesy meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from engine.failpoints import armed
from engine.model import Decision, Order, RunRequest
from engine.runs.acting import Acting
from engine.runs.commit import MAX_IN_FLIGHT
from engine.runs.verify import verify
from tests.runs.conftest import MANUAL, SMA, Deck

LONG = replace(SMA, symbols=None, source="synthetic:symbols=1,bars=400000,seed=1", timeframe="1Min")
# Quick at first, so that a slice is made to hold thousands of steps; then a long wait each.
GROWS_SLOW = "import time\nif obs.step > 2000:\n    time.sleep(0.03)\nreturn None"


def grown_slow(deck: Deck, spec: str) -> str:
    """A run that has come to its slow steps; its id."""
    session = deck.start(RunRequest(spec, symbols=("AAPL",), baselines=False))
    deck.until(lambda: deck.service.record(session.run_id).step_index > 2000)
    return session.run_id


def test_a_pause_comes_with_the_next_step(deck: Deck, strategy_file: Callable[[str], str]) -> None:
    """However many steps a slice was to have: it ends when somebody wants the run."""
    run_id = grown_slow(deck, strategy_file(GROWS_SLOW))
    record = deck.service.pause(run_id)
    assert record.status == "paused"
    with deck.reader() as reader:
        assert len(reader.equity(run_id).steps) == record.step_index


def test_a_slice_ends_where_steps_grow_slow(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """Its steps are committed on the way, though nobody asks for the run."""
    run_id = grown_slow(deck, strategy_file(GROWS_SLOW))
    first = deck.service.record(run_id).step_index
    deck.until(lambda: deck.service.record(run_id).step_index > first)
    record = deck.service.record(run_id)
    assert record.status == "running"
    assert record.total_steps is not None
    assert record.step_index < record.total_steps
    assert deck.service.cancel(run_id).status == "cancelled"


def test_what_a_slow_strategy_has_done_is_told_before_its_next_call_returns(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """Steps that take longer than a batch may wait are committed one by one: a call that does not
    come back keeps back nothing."""
    gate = tmp_path / "gate"
    spec = strategy_file(
        "import pathlib, time\n"
        "time.sleep(0.06)\n"
        f"while obs.step == 5 and not pathlib.Path({str(gate)!r}).exists():\n"
        "    time.sleep(0.01)\n"
        "return None"
    )
    session = deck.start(RunRequest(spec, symbols=("AAPL",), baselines=False))
    deck.until(lambda: deck.service.record(session.run_id).step_index == 6)
    assert session.progress is not None
    assert session.progress.state.decided == 5
    gate.touch()
    deck.until(lambda: deck.service.record(session.run_id).step_index > 6)


def test_steps_by_hand_end_when_somebody_wants_the_run(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """What has been made stands committed; the other then has the run."""
    spec = strategy_file("import time\ntime.sleep(0.02)\nreturn None")
    run_id = deck.ready(RunRequest(spec, symbols=("AAPL",), paused=True, baselines=False)).run_id
    made: list[int] = []
    stepping = threading.Thread(
        target=lambda: made.append(deck.service.step(run_id, 100_000).step_index)
    )
    stepping.start()
    session = deck.service.sessions[run_id]
    deck.until(lambda: session.progress is not None and session.progress.state.decided > 1)
    record = deck.service.set_speed(run_id, 5.0)
    stepping.join(60)
    assert record.status == "paused"
    assert made[0] == deck.service.record(run_id).step_index


def test_a_run_that_waits_for_the_ledger_keeps_nobody_waiting(deck: Deck) -> None:
    """With its batches on their way it does not move, and whoever wants it can have it."""
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        assert go_on.wait(60)

    session = deck.ready(replace(LONG, paused=True))
    deck.service.resume(session.run_id)
    with armed("append.leased", hold):
        deck.until(lambda: held.is_set() and len(session.in_flight) >= MAX_IN_FLIGHT)
        with session.claim(60) as mine:
            assert mine
            assert not session.closed.is_set()
        go_on.set()
    assert deck.service.cancel(session.run_id).status == "cancelled"


def test_orders_left_by_a_run_that_was_not_replayed_end_with_it(deck: Deck) -> None:
    """Taken up and cancelled before its steps have been gone through again: nothing stays alive."""
    run_id = deck.ready(MANUAL).run_id
    order = Order.buy("AAPL", 1, limit=1.0, time_in_force="gtc")
    deck.service.submit(run_id, 0, Decision((order,)))
    deck.service.interrupt(deck.service.sessions[run_id])
    deck.host.close()
    session = deck.service.take_up(run_id)
    deck.service.load(session)
    assert session.progress is not None
    assert session.log is not None
    assert deck.service.cancel(run_id).status == "cancelled"
    with deck.reader() as reader:
        assert reader.orders(run_id, alive=True) == []
        assert [order.reason for order in reader.orders(run_id)] == ["run_ended"]


def test_the_end_of_a_long_log_is_sealed_from_what_was_known(deck: Deck) -> None:
    """Hashed batch by batch, rewound in between: the log's seal is that of the rows as they are."""
    run_id = deck.ready(replace(SMA, paused=True)).run_id
    for count in (300, 300):
        deck.service.step(run_id, count)
    deck.service.rewind(run_id, 250)
    deck.service.step(run_id, 200)
    assert deck.service.cancel(run_id).status == "cancelled"
    with deck.reader() as reader:
        assert verify(reader, run_id).ok


def test_operations_that_overlap_are_one() -> None:
    """Whoever holds back for them is told once when they begin, once when they are over."""
    acting, told = Acting(), list[str]()
    acting.begun, acting.over = partial(told.append, "begun"), partial(told.append, "over")
    with acting:
        with acting:
            pass
        assert told == ["begun"]
    assert told == ["begun", "over"]


def test_slices_wait_while_somebody_operates(deck: Deck) -> None:
    """While an operation is under way no run begins another slice, for a while; then they go on."""
    session = deck.ready(replace(LONG, paused=True))
    deck.host._acts._most_seconds = 600.0
    with deck.service.acting:
        deck.service.resume(session.run_id)
        deck.until(lambda: deck.host._working == 1)
        threading.Event().wait(0.05)
        assert session.progress is not None
        assert session.progress.state.decided == 0
    deck.until(lambda: deck.service.record(session.run_id).step_index > 1)
    assert deck.service.cancel(session.run_id).status == "cancelled"
