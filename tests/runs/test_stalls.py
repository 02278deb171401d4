"""A ledger that refuses to be written: runs wait for it, and nothing is said that is not so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import LedgerError, LedgerWriteFailed, StepNotActive
from engine.failpoints import armed
from engine.model import Breakpoint, Decision, Order
from engine.runs.reaper import Reaper
from engine.runs.session import Session
from engine.runs.verify import verify
from tests.runs.conftest import AGENT, MANUAL, SMA, Deck

BUY = Decision((Order.buy("AAPL", 2),))


def test_a_decision_that_could_not_be_written_was_not_made(deck: Deck) -> None:
    """Its caller was told; the step is due as before, and takes another decision than that one."""
    run_id = deck.ready(MANUAL).run_id
    with armed("commit.before", "error"), pytest.raises(LedgerWriteFailed):
        deck.service.submit(run_id, 0, BUY, key="k0")
    assert deck.service.record(run_id).step_index == 1
    assert deck.service.observe(run_id).step == 0
    with pytest.raises(StepNotActive):
        deck.service.submit(run_id, 1, Decision(), key="k1")
    deck.service.submit(run_id, 0, Decision(), key="k1")
    record = deck.service.submit(run_id, 1, BUY, key="k0")
    assert (record.step_index, record.num_fills) == (3, 1)
    with deck.reader() as reader:
        assert verify(reader, run_id).ok


def test_who_is_refused_is_told(deck: Deck) -> None:
    """However soon the ledger refuses a pause or a speed, whoever asked hears of it."""
    session = deck.ready(replace(MANUAL, paused=True))
    for _ in range(20):
        with armed("begin.before", "error"), pytest.raises(LedgerWriteFailed):
            deck.service.resume(session.run_id)
        with armed("begin.before", "error"), pytest.raises(LedgerWriteFailed):
            deck.service.set_speed(session.run_id, 3.0)
    assert (session.status, session.speed) == ("paused", None)


def test_no_run_ends_without_its_last_steps(deck: Deck) -> None:
    """A batch is refused and the disk is well again: the end does not land on its own."""
    session = deck.ready(replace(SMA, paused=True))
    before = deck.service.step(session.run_id, 10)
    deck.host.close()
    with session.claim():
        deck.service.advance(session, 20)
        with armed("commit.before", "error"), pytest.raises(LedgerError):
            deck.service.flush(session, wait=True)
        deck.service.advance(session, 10_000)
    record = deck.service.record(session.run_id)
    assert record.status == "completed"
    with deck.reader() as reader:
        assert len(reader.equity(session.run_id).steps) == record.step_index == record.total_steps
    assert before.step_index == 11


@pytest.mark.parametrize("ending", ["cancel", "complete", "fail"])
def test_an_end_that_could_not_be_written_is_written_later(deck: Deck, ending: str) -> None:
    """The row says nothing untrue meanwhile, and the whole truth as soon as it can be written."""
    whole = deck.run(SMA)
    session = deck.ready(replace(SMA, paused=True))
    run_id = session.run_id
    deck.service.step(run_id, 10)
    deck.host.close()
    end: dict[str, Callable[[], object]] = {
        "cancel": lambda: deck.service.cancel(run_id),
        "complete": lambda: deck.service.step(run_id, 10_000),
        "fail": lambda: deck.service.fail(session, LedgerError("as good as any")),
    }
    with armed("end.sealed", "error"), pytest.raises(LedgerWriteFailed):
        end[ending]()
    assert deck.service.record(run_id).status == "paused"
    with armed("begin.after", "error"):
        assert "retry" in Reaper(deck.service).sweep().failed
    assert Reaper(deck.service).sweep().failed == []
    record = deck.service.record(run_id)
    assert (
        record.status == {"cancel": "cancelled", "complete": "completed", "fail": "failed"}[ending]
    )
    if ending == "complete":
        assert record.metrics == whole.metrics
        assert deck.digest(run_id) == deck.digest(whole.run_id)


REFUSES = ("commit.before", "error")
SLOW = replace(SMA, speed=500.0)


def stalled(session: Session) -> bool:
    """Whether it waits for the ledger."""
    return session.stall is not None


def tries(session: Session) -> int:
    """How often the ledger was asked in vain since it began to refuse."""
    return session.stall.tries if session.stall is not None else 0


def statuses(deck: Deck, run_id: str) -> list[str]:
    """What the run has been, in order, as its feed tells it."""
    with deck.reader() as reader:
        events = reader.events_after(0, 1_000, run_id=run_id)
    return [event.data["to"] for event in events if event.kind == "status"]


def same_as_undisturbed(deck: Deck, run_id: str) -> None:
    """It has come to what the same run comes to where nothing is refused, bit for bit."""
    whole = deck.run(SMA)
    record = deck.service.record(run_id)
    assert (record.status, record.metrics) == ("completed", whole.metrics)
    assert deck.digest(run_id) == deck.digest(whole.run_id)
    with deck.reader() as reader:
        assert verify(reader, run_id).ok


def test_a_run_stalls_and_goes_on_by_itself(deck: Deck) -> None:
    """It stays running, holds what was refused and computes nothing more, however long it takes."""
    session = deck.ready(replace(SLOW, paused=True))
    run_id = session.run_id
    before = deck.service.step(run_id, 5)
    deck.service.resume(run_id)
    with armed(*REFUSES):
        deck.until(lambda: tries(session) > 1)
        assert session.progress is not None
        kept = session.progress.state.decided, len(session.in_flight), len(session.unwritten)
        deck.until(lambda: tries(session) > 5)
        deck.service.pulse.beat()
        assert kept == (
            session.progress.state.decided,
            len(session.in_flight),
            len(session.unwritten),
        )
        record = deck.service.record(run_id)
        assert (record.status, record.error_code) == ("running", None)
        assert before.step_index <= record.step_index <= session.progress.state.settled
        first = session.stall
        assert first is not None
        assert "refused the write" in str(first.error)
        deck.until(lambda: tries(session) > 6)
        assert session.stall is not None
        assert session.stall.since == first.since
    deck.until(lambda: not stalled(session))
    deck.service.set_speed(run_id, None)
    assert session.closed.wait(60)
    assert statuses(deck, run_id) == ["created", "loading", "paused", "running", "completed"]
    same_as_undisturbed(deck, run_id)


@pytest.mark.parametrize("seam", ["begin.after", "end.sealed", "transition.written"])
def test_once_refused_at_any_write_of_a_run(deck: Deck, seam: str) -> None:
    """From its first row to its end: it comes to its end by itself, and is no failure."""
    for at in range(1, 12):
        session = deck.service.create(SMA)
        with armed(seam, "error", at=at) as point:
            deck.host.enqueue(session)
            assert session.closed.wait(60)
        assert deck.service.record(session.run_id).status == "completed", at
        if point.passed < at:
            break
    assert at > 1
    same_as_undisturbed(deck, session.run_id)


def test_a_run_that_cannot_even_begin_waits(deck: Deck) -> None:
    """Its row says created until that can be changed; its bars are read once."""
    session = deck.service.create(SMA)
    with armed(*REFUSES):
        deck.host.enqueue(session)
        deck.until(lambda: tries(session) > 3)
        assert deck.service.record(session.run_id).status == "created"
        assert session.progress is None
    assert session.closed.wait(60)
    same_as_undisturbed(deck, session.run_id)


def test_a_resumed_run_that_cannot_be_begun_is_replayed_once(
    open_deck: Callable[..., Deck], deck: Deck
) -> None:
    """What was replayed stays while the ledger refuses to say that it runs again."""
    session = deck.ready(replace(SMA, paused=True))
    deck.service.step(session.run_id, 20)
    deck.service.interrupt(session)
    other = open_deck()
    again = other.service.take_up(session.run_id, play=True)
    with armed("transition.written", "error"):
        other.host.enqueue(again)
        other.until(lambda: tries(again) > 3)
        assert other.service.record(session.run_id).status == "loading"
    assert again.closed.wait(60)
    same_as_undisturbed(other, session.run_id)


def test_who_pauses_or_steps_a_stalled_run_is_told(deck: Deck) -> None:
    """Nothing of it happens, now or later: the run goes on as it was."""
    session = deck.ready(replace(SLOW, paused=True))
    run_id = session.run_id
    deck.service.resume(run_id)
    with armed(*REFUSES):
        deck.until(lambda: stalled(session))
        asked: list[Callable[[], object]] = [
            lambda: deck.service.pause(run_id),
            lambda: deck.service.step(run_id, 3),
            lambda: deck.service.set_speed(run_id, 5.0),
            lambda: deck.service.run_to(run_id, "drawdown < -1%"),
            lambda: deck.service.rewind(run_id, 0),
            lambda: deck.service.take_over(run_id),
            lambda: deck.service.submit(run_id, 0, BUY),
            lambda: deck.service.set_breakpoints(run_id, (Breakpoint(1, "drawdown < -1%"),)),
        ]
        for ask in asked:
            with pytest.raises(LedgerWriteFailed):
                ask()
        assert stalled(session)
        assert (session.speed, session.breaks.goal, session.breaks.points) == (500.0, None, ())
    deck.until(lambda: not stalled(session))
    deck.service.set_speed(run_id, None)
    assert session.closed.wait(60)
    same_as_undisturbed(deck, run_id)


def test_a_cancel_of_a_stalled_run_is_told_and_carried_out(deck: Deck) -> None:
    """Who asks hears that it stands and waits; the run is cancelled with all it had computed."""
    session = deck.ready(replace(SLOW, paused=True))
    run_id = session.run_id
    deck.service.resume(run_id)
    with armed(*REFUSES):
        deck.until(lambda: stalled(session))
        for _ in range(2):
            with pytest.raises(LedgerWriteFailed, match=r"not cancelled yet.*by itself"):
                deck.service.cancel(run_id)
        assert deck.service.record(run_id).status == "running"
        assert session.progress is not None
        computed = session.progress.state.settled
    assert session.closed.wait(60)
    record = deck.service.record(run_id)
    assert (record.status, record.end_reason) == ("cancelled", "cancelled_by_user")
    assert record.step_index == computed
    with deck.reader() as reader:
        assert verify(reader, run_id).ok


def test_a_cancel_over_the_head_of_a_hanging_strategy_is_carried_out(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """Nobody can hold its session, and the ledger refuses: it is cancelled once that can be."""
    stop = tmp_path / "stop"
    body = f"import pathlib, time\nwhile not pathlib.Path({str(stop)!r}).exists(): time.sleep(0.01)"
    session = deck.start(replace(SMA, strategy=strategy_file(body)))
    run_id = session.run_id
    try:
        deck.until(lambda: deck.service.record(run_id).status == "running")
        with armed(*REFUSES):
            with pytest.raises(LedgerWriteFailed, match="not cancelled yet"):
                deck.service.cancel(run_id)
            assert deck.service.record(run_id).status == "running"
        deck.until(lambda: deck.service.record(run_id).status == "cancelled")
    finally:
        stop.touch()


def test_an_end_is_not_undone_by_a_cancel_that_comes_after(deck: Deck) -> None:
    """A run that has come to its end, which the ledger has yet to take, completes."""
    session = deck.service.create(SMA)
    with armed("end.unsealed", "error"):
        deck.host.enqueue(session)
        deck.until(lambda: stalled(session) and session.ends)
        with pytest.raises(LedgerWriteFailed):
            deck.service.cancel(session.run_id)
        assert deck.service.record(session.run_id).status == "running"
    assert session.closed.wait(60)
    same_as_undisturbed(deck, session.run_id)


def test_what_quits_while_a_run_stalls_leaves_it_to_recovery(
    open_deck: Callable[..., Deck],
) -> None:
    """The row says running, for that is what it says; the next owner interrupts it and goes on."""
    deck = open_deck()
    session = deck.ready(replace(SLOW, paused=True))
    run_id = session.run_id
    deck.service.resume(run_id)
    with armed(*REFUSES):
        deck.until(lambda: stalled(session))
        deck.host.close()
        with pytest.raises(LedgerWriteFailed):
            deck.service.interrupt(session)
        deck.service.instance.release()
        assert deck.service.record(run_id).status == "running"
    other = open_deck()
    assert Reaper(other.service).sweep().adopted == [run_id]
    assert other.service.record(run_id).status == "interrupted"
    again = other.take_up(run_id, idle=False)
    other.until(lambda: again.status == "running")
    other.service.set_speed(run_id, None)
    assert again.closed.wait(60)
    same_as_undisturbed(other, run_id)


def test_a_breakpoint_that_cannot_be_written_stops_the_run_all_the_same(deck: Deck) -> None:
    """Not a step further; the pause and what was seen are in the ledger once they can be."""
    session = deck.service.create(replace(SMA, breakpoints=("bought",)))
    with armed("transition.written", "error") as point:
        point.act = lambda: _refuse() if session.status == "running" else None
        deck.host.enqueue(session)
        deck.until(lambda: stalled(session))
        assert session.progress is not None
        stood = session.progress.state.settled
    deck.until(lambda: deck.service.record(session.run_id).status == "paused")
    record = deck.service.record(session.run_id)
    assert (record.step_index, record.metadata["stopped_at"]["settled"]) == (stood, stood)
    assert [point.hits for point in session.breaks.points] == [1]


def _refuse() -> None:
    raise LedgerWriteFailed("no room", field="db")


def test_one_run_that_is_refused_keeps_no_other(deck: Deck) -> None:
    """What the ledger refuses of the first for what it is, is no matter of the second."""
    first, second = (deck.ready(replace(SMA, paused=True)) for _ in range(2))
    deck.host.close()
    for session in (first, second):
        with armed(*REFUSES), pytest.raises(LedgerWriteFailed):
            deck.service.step(session.run_id, 10_000)
    assert second.progress is not None
    computed = second.progress.state.settled
    with sqlite3.connect(deck.ledger.path) as conn:
        conn.execute(
            "CREATE TRIGGER no BEFORE UPDATE ON runs "
            f"WHEN OLD.run_id = '{first.run_id}' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    for _ in range(2):
        assert Reaper(deck.service).sweep().failed == ["retry"]
        assert (second.stall, deck.service.record(second.run_id).step_index) == (None, computed)
        assert deck.service.record(first.run_id).status == "paused"
    assert first.stall is not None
    with sqlite3.connect(deck.ledger.path) as conn:
        conn.execute("DROP TRIGGER no")
    conn.close()
    assert Reaper(deck.service).sweep().failed == []
    record = deck.service.record(first.run_id)
    assert (record.status, record.error_code) == ("interrupted", "ledger_refused")
    assert statuses(deck, first.run_id)[-1] == "interrupted"


def test_an_agent_loses_no_time_to_a_ledger_that_refuses(deck: Deck) -> None:
    """Its deadline stands still meanwhile, and no step is held that could not be written."""
    session = deck.ready(AGENT)
    deck.host.close()
    limit = deck.service.limits.decision_timeout_seconds
    deck.clock.ahead += limit + 1
    with armed(*REFUSES):
        for _ in range(5):
            deck.service.expire_deadlines()
            deck.clock.ahead += limit + 1
        assert (session.timeout_holds, stalled(session)) == (1, True)
        with pytest.raises(LedgerWriteFailed):
            deck.service.submit(session.run_id, 1, BUY, key="k1")
    deck.service.retry_stalled()
    assert deck.service.record(session.run_id).timeout_holds == 1
    assert deck.service.submit(session.run_id, 1, BUY, key="k1").step_index == 3
    assert deck.service.record(session.run_id).timeout_holds == 1
