"""An agent's time to decide: on the monotonic clock, frozen by a pause, anew after an adoption."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from engine.errors import DecisionDeadlineExceeded, RunNotActive, StepAlreadyFinalized
from engine.model import Decision, Order
from engine.runs.answers import answer_at
from engine.runs.limits import Limits
from engine.runs.session import Session
from tests.runs.conftest import AGENT, MANUAL, SMA, Deck

BUY = Decision((Order.buy("AAPL", 7),))
PATIENT = Limits(decision_timeout_seconds=1000.0, abandon_after_timeouts=0)


@pytest.fixture
def deck(open_deck: Callable[..., Deck]) -> Deck:
    """An owner whose agents have a thousand seconds, which only a push of the clock uses up."""
    return open_deck(PATIENT)


def _left(deck: Deck, session: Session) -> float:
    assert session.deadline is not None
    return session.deadline.seconds_left(deck.clock)


def _until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if holds():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come to pass")


def _opened(session: Session, step: int) -> bool:
    """Whether the step's time has begun: only then does a push of the clock count against it."""
    return session.deadline is not None and session.deadline.step == step


def _settled(deck: Deck, run_id: str) -> int:
    return deck.service.record(run_id).step_index


def test_the_host_holds_a_step_whose_deadline_passed(deck: Deck) -> None:
    """The step is held and counted, its row says so, an event is left, and the next step opens."""
    session = deck.ready(AGENT)
    run_id = session.run_id
    deck.service.submit(run_id, 0, BUY)
    deck.clock.ahead += 1001
    _until(lambda: _opened(session, 2))
    assert _settled(deck, run_id) == 3
    record = deck.service.record(run_id)
    assert (record.status, record.timeout_holds) == ("running", 1)
    with deck.reader() as reader:
        row = reader.step(run_id, 1)
        (event,) = [e for e in reader.events_after(0, run_id=run_id) if e.kind == "deadline"]
    assert row is not None
    assert (row.status, row.decision_source, row.decision) == ("timed_out", "timeout_hold", "{}")
    assert row.deadline_at is not None
    assert event.data["step"] == 1
    with pytest.raises(DecisionDeadlineExceeded, match="step 1 was held when its deadline"):
        deck.service.submit(run_id, 1, BUY, key="late")
    with pytest.raises(StepAlreadyFinalized):
        deck.service.submit(run_id, 0, Decision())
    assert deck.service.submit(run_id, 2, BUY).step_index == 4
    assert 990 < _left(deck, session) <= 1000


def test_a_decision_that_comes_before_the_timer_is_late_all_the_same(deck: Deck) -> None:
    """The deadline decides, not which of timer and agent is served first."""
    session = deck.ready(AGENT)
    deck.host.close()
    deck.clock.ahead += 1001
    with pytest.raises(DecisionDeadlineExceeded):
        deck.service.submit(session.run_id, 0, BUY)
    assert _settled(deck, session.run_id) == 2
    assert deck.service.expire_deadlines() == 0


def test_a_decision_that_waits_for_the_run_may_be_late_by_then(deck: Deck) -> None:
    """Whether it is in time is asked where it is accepted, not where it begins to wait."""
    session = deck.ready(AGENT)
    deck.host.close()
    met: list[BaseException] = []

    def submit() -> None:
        try:
            deck.service.submit(session.run_id, 0, BUY, key="k0")
        except DecisionDeadlineExceeded as error:
            met.append(error)

    agent = threading.Thread(target=submit)
    with session.claim():
        agent.start()
        _until(lambda: session._claims > 1)
        deck.clock.ahead += 1001
    agent.join(60)
    assert len(met) == 1
    assert (_settled(deck, session.run_id), session.timeout_holds) == (2, 1)


def test_no_wall_clock_moves_a_deadline(deck: Deck) -> None:
    """An hour, a day, backwards: only the monotonic clock counts."""
    session = deck.ready(AGENT)
    for jump in (3600.0, 86400.0, -86400.0 * 30):
        deck.clock.wall = jump
        assert deck.service.expire_deadlines() == 0
    assert _settled(deck, session.run_id) == 1


def test_a_pause_freezes_what_is_left(deck: Deck) -> None:
    """While paused nothing passes and the agent may not decide; a resume goes on with the rest."""
    session = deck.ready(AGENT)
    run_id = session.run_id
    deck.clock.ahead += 400
    deck.service.pause(run_id)
    deck.clock.ahead += 5000
    assert deck.service.expire_deadlines() == 0
    with pytest.raises(RunNotActive, match="is paused"):
        deck.service.submit(run_id, 0, BUY)
    deck.service.resume(run_id)
    assert 580 < _left(deck, session) <= 600
    deck.clock.ahead += 601
    _until(lambda: _settled(deck, run_id) == 2)


def test_an_adoption_starts_the_deadline_anew(deck: Deck) -> None:
    """What an owner that left had used up is not held against the agent; holds stay counted."""
    session = deck.ready(AGENT)
    run_id = session.run_id
    deck.clock.ahead += 1001
    _until(lambda: _opened(session, 1))
    deck.clock.ahead += 900
    deck.service.interrupt(session)
    again = deck.take_up(run_id)
    assert 990 < _left(deck, again) <= 1000
    assert (again.timeout_holds, again.timeouts_in_row) == (1, 1)
    deck.clock.ahead += 1001
    _until(lambda: deck.service.record(run_id).timeout_holds == 2)


def test_manual_and_strategy_runs_have_no_deadline(deck: Deck) -> None:
    """Time passes them by."""
    manual = deck.ready(MANUAL)
    other = deck.ready(replace(SMA, paused=True))
    deck.clock.ahead += 1e6
    assert deck.service.expire_deadlines() == 0
    assert manual.deadline is None
    assert other.deadline is None


def test_a_breakpoint_pauses_an_agent_s_run_and_its_clock(deck: Deck) -> None:
    """Whether the agent decided or was late: the next step waits for a resume, its time frozen."""
    session = deck.ready(replace(AGENT, breakpoints=("fill", "step == 3")))
    run_id = session.run_id
    record = deck.service.submit(run_id, 0, BUY)
    assert (record.status, record.metadata["stopped_at"]["expression"]) == ("paused", "fill")
    assert session.deadline is not None
    assert session.deadline.due is None
    with pytest.raises(RunNotActive, match="is paused"):
        deck.service.submit(run_id, 1, BUY)
    deck.service.resume(run_id)
    deck.service.submit(run_id, 1, Decision())
    deck.clock.ahead += 1001
    _until(lambda: deck.service.record(run_id).status == "paused")
    record = deck.service.record(run_id)
    assert (record.timeout_holds, record.step_index) == (1, 4)
    assert record.metadata["stopped_at"]["step"] == 3


def test_an_agent_that_never_answers_is_abandoned(open_deck: Callable[..., Deck]) -> None:
    """After so many in a row, and not with an answer between them, the run ends cancelled."""
    deck = open_deck(Limits(decision_timeout_seconds=1000.0, abandon_after_timeouts=3))
    session = deck.ready(AGENT)
    run_id = session.run_id
    for step in (0, 1):
        deck.clock.ahead += 1001
        _until(lambda step=step: _opened(session, step + 1))  # type: ignore[misc]
    deck.service.submit(run_id, 2, BUY)
    for step in (3, 4, 5):
        assert not session.closed.is_set()
        deck.clock.ahead += 1001
        _until(
            lambda step=step: _opened(session, step + 1) or session.closed.is_set()  # type: ignore[misc]
        )
    record = deck.service.record(run_id)
    assert (record.status, record.end_reason) == ("cancelled", "agent_abandoned")
    assert record.timeout_holds == 5
    with deck.reader() as reader:
        answer = answer_at(reader, run_id, 5)
    assert answer is not None
    assert answer.source == "timeout_hold"
    with pytest.raises(DecisionDeadlineExceeded):
        deck.service.submit(run_id, 5, BUY)


def test_a_last_step_that_times_out_completes_the_run(deck: Deck) -> None:
    """The data has ended; that it ended with a hold is in the count."""
    session = deck.ready(replace(AGENT, start=date(2012, 12, 28), end=date(2012, 12, 31)))
    total = deck.service.record(session.run_id).total_steps
    assert total is not None
    for step in range(total - 1):
        deck.service.submit(session.run_id, step, Decision())
    deck.clock.ahead += 1001
    assert session.closed.wait(60)
    record = deck.service.record(session.run_id)
    assert (record.status, record.step_index, record.timeout_holds) == ("completed", total, 1)


def test_deadline_and_decision_at_one_instant_give_one_step(deck: Deck) -> None:
    """Whoever is first has the step; the other is told the truth, and nobody lands on the next."""
    run_id = deck.ready(AGENT).run_id
    deck.host.close()
    for _ in range(20):
        step = _settled(deck, run_id) - 1
        barrier = threading.Barrier(2)
        late: list[int] = []

        def decide(step: int, barrier: threading.Barrier, late: list[int]) -> None:
            barrier.wait()
            try:
                deck.service.submit(run_id, step, BUY, key=f"k{step}")
            except DecisionDeadlineExceeded:
                late.append(step)

        agent = threading.Thread(target=decide, args=(step, barrier, late))
        agent.start()
        barrier.wait()
        deck.clock.ahead += 1001
        deck.service.expire_deadlines()
        agent.join()
        with deck.reader() as reader:
            rows = reader.steps(run_id)
        assert [row.step_index for row in rows] == list(range(_settled(deck, run_id) - 1))
        assert (rows[step].decision_source == "timeout_hold") == bool(late)
        assert all(row.decision_source == "timeout_hold" for row in rows[step + 1 :])
