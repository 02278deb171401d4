"""What a host keeps, and for how long: runs that are over leave nothing behind in its process."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.drivers import baselines, host
from engine.errors import InvalidOption, StrategyDiverged, TooManyActiveRuns
from engine.model import Decision
from engine.runs import adoption, leaving
from engine.runs.limits import Limits
from engine.runs.session import Session
from tests.runs.conftest import MANUAL, SMA, Deck
from tests.runs.test_isolate import WINDOW, _child, _gone

PAUSED = replace(SMA, paused=True)
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="counts processes and descriptors in /proc"
)


def test_runs_that_are_over_leave_no_memory(deck: Deck) -> None:
    """However a run ends, and whether it moved or waited then, its bars are let go of."""
    gone: list[weakref.ref[Session]] = []

    def start(request: object) -> str:
        session = deck.ready(request)  # type: ignore[arg-type]
        gone.append(weakref.ref(session))
        return session.run_id

    for _ in range(3):
        deck.service.cancel(start(PAUSED))
        run_id = start(MANUAL)
        deck.service.submit(run_id, 0, Decision())
        deck.service.cancel(run_id)
        deck.service.interrupt(deck.service.sessions[start(PAUSED)])
    deck.run(SMA)
    deck.service.pulse.beat()
    deck.service.pulse.beat()
    gc.collect()
    assert [ref().run_id for ref in gone if ref() is not None] == []  # type: ignore[union-attr]


def test_a_session_that_was_replaced_takes_nothing_with_it(
    open_deck: Callable[..., Deck], deck: Deck
) -> None:
    """A run that was taken by force and taken up here again is the new session's alone."""
    other = open_deck()
    old = deck.ready(PAUSED)
    run_id = old.run_id
    adoption.seize(other.service, run_id)
    new = deck.take_up(run_id)
    deck.service.drop(old)
    assert deck.service.sessions[run_id] is new
    assert deck.service.cancel(run_id).status == "cancelled"


def test_a_cancel_over_the_head_of_a_rewind_that_has_landed(deck: Deck) -> None:
    """The run has another epoch by then, and is ours still: it is cancelled all the same."""
    session = deck.ready(PAUSED)
    run_id = session.run_id
    deck.service.step(run_id, 9)
    deck.service.rewind(run_id, 4)
    session.epoch -= 1  # as it is between the rewind's commit and the line after it
    leaving.cancel_held(deck.service, session)
    record = deck.service.record(run_id)
    assert (record.status, record.rewind_count) == ("cancelled", 1)
    assert run_id not in deck.service.sessions


def test_a_result_stands_where_no_baseline_can_be_made(
    deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that is gone when a run ends costs its baselines, and nobody hears an error."""

    def refuse(_request: object) -> list[object]:
        raise InvalidOption("no such source", field="source")

    monkeypatch.setattr(host, "baselines_of", refuse)
    record = deck.run(replace(SMA, baselines=True))
    assert (record.status, record.error_code) == ("completed", None)
    monkeypatch.setattr(host, "baselines_of", baselines.baselines_of)
    run_id = deck.run(replace(SMA, baselines=True)).run_id
    with deck.reader() as reader:
        assert [twin.status for twin in reader.baselines(run_id)] == ["completed"] * 2


def test_nothing_waits_for_a_baseline_that_waits_for_the_ledger(
    deck: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a baseline's row is not to be had, other runs are queued and moved."""
    go = threading.Event()
    told: list[bool] = []

    def wait(_request: object) -> list[object]:
        told.append(go.wait(60))
        return []

    monkeypatch.setattr(host, "baselines_of", wait)
    try:
        over = deck.start(replace(SMA, baselines=True))
        assert over.closed.wait(60)
        next_one = deck.start(SMA)
        assert next_one.closed.wait(60)
        assert deck.service.record(next_one.run_id).status == "completed"
    finally:
        go.set()
    assert deck.host.wait_idle(60)
    assert told == [True]


@needs_proc
def test_no_process_outlives_its_use(
    open_deck: Callable[..., Deck], strategy_file: Callable[[str], str]
) -> None:
    """An isolated strategy that is replaced, refused or sent away takes its process with it."""
    deck = open_deck(Limits(max_active_runs=1))
    spec = strategy_file("return None")
    run_id = deck.ready(replace(WINDOW, strategy=spec, paused=True)).run_id
    deck.service.step(run_id, 5)
    first = _child(deck, run_id)
    deck.service.rewind(run_id, 3)
    second = _child(deck, run_id)
    assert (_gone(first), _gone(second)) == (True, False)
    deck.service.take_over(run_id)
    assert _gone(second)
    deck.service.hand_back(run_id)
    third = _child(deck, run_id)
    before = _children()
    with pytest.raises(TooManyActiveRuns):
        deck.service.fork(run_id, 2)
    assert _children() == before
    path = Path(spec.rpartition(":")[0])
    deck.service.cancel(run_id)
    assert _gone(third)
    assert path.exists()


@needs_proc
def test_no_process_is_left_by_a_strategy_that_diverged(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """One that would decide otherwise now is sent away with its process."""
    flag = deck.ledger.path.with_name("other")
    body = (
        "import pathlib\n"
        f"return Order.buy('AAPL', 2 if pathlib.Path({str(flag)!r}).exists() else 1)"
    )
    run_id = deck.ready(replace(WINDOW, strategy=strategy_file(body), paused=True)).run_id
    deck.service.step(run_id, 5)
    before = _children()
    flag.touch()
    with pytest.raises(StrategyDiverged):
        deck.service.rewind(run_id, 3)
    assert _children() == before


@needs_proc
def test_isolated_runs_leave_no_descriptors(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """What was opened to talk to a strategy's process is closed with it, not some day."""
    request = replace(WINDOW, strategy=strategy_file("return None"), paused=True)
    gc.collect()
    gc.disable()
    try:
        opened = []
        for _ in range(6):
            deck.service.cancel(deck.ready(request).run_id)
            deck.service.pulse.beat()
            deck.service.pulse.beat()
            opened.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208  # no Path for each
    finally:
        gc.enable()
    # Three each, if they stayed. Threads of ours open and close files beside this.
    assert opened[-1] - opened[0] < 10, opened


def _children() -> set[int]:
    """The processes that this one has started and that have not ended."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(") ")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                found.add(int(stat.parent.name))
    return found
