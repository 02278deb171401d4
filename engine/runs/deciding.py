"""Decisions from outside: a person's, an agent's, and steps that somebody asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.errors import InvalidOption, LedgerError, RunNotActive
from engine.failpoints import failpoint
from engine.model import Decision, RunRecord
from engine.runs import answers, deadlines, rewind, stopping, wheel
from engine.runs.commit import BATCH_SECONDS
from engine.runs.lifecycle import Status
from engine.runs.session import Progress, Session

if TYPE_CHECKING:
    from engine.runs.service import RunService

_AT_ONCE = 16
"""Steps of a strategy that are first asked for at a time."""


def submit(
    service: RunService,
    run_id: str,
    step: int,
    decision: Decision,
    *,
    key: str | None,
    epoch: int | None,
) -> RunRecord:
    """Make the decision that is due at ``step``; see ``RunService.submit``."""
    try:
        with service.moving(run_id) as (session, progress):
            # Judged here, where it is accepted: who came in time may have waited for the run.
            deadlines.expire(service, session)
            _refuse_ended(service, session)
            due = progress.state.decided
            rewind.refuse_rewound(session.metadata, step, epoch=epoch)
            if step < due:
                service.flush(session, wait=True)
            if (step < due or key is not None) and _is_repeat(service, run_id, step, decision, key):
                return service.record(run_id)
            if step > due:
                raise answers.not_open_yet(step, due)
            _decide(service, session, progress, decision, key)
    except RunNotActive:
        if not _is_repeat(service, run_id, step, decision, key):
            raise
    return service.record(run_id)


def _refuse_ended(service: RunService, session: Session) -> None:
    """Raise ``RunNotActive`` for one that has ended while it was held, for too many deadlines."""
    if session.closed.is_set():
        raise RunNotActive(
            f"run {session.run_id} is {service.record(session.run_id).status}", field="run"
        )


def _is_repeat(
    service: RunService, run_id: str, step: int, decision: Decision, key: str | None
) -> bool:
    with service.ledger.reader() as reader:
        return answers.is_repeat(reader, reader.run(run_id), step, decision, key)


def _decide(
    service: RunService,
    session: Session,
    progress: Progress,
    decision: Decision,
    key: str | None,
) -> None:
    if session.agent_decides and session.status is Status.PAUSED:
        raise RunNotActive(f"run {session.run_id} is paused", field="run", remedy="resume it first")
    if session.decide is not None:
        wheel.take_over(service, session.run_id)
    # What came before is in the ledger first: then the ledger either takes this decision or the run
    # stands where it stood.
    service.flush(session, wait=True)
    step = progress.state.decided
    source = "agent" if session.agent_decides else "manual"
    failpoint("submit.before")
    with _taken_back_if_refused(service, session, progress):
        before, peak = progress.state, progress.drawdown.peak
        state, result = progress.simulation.step(before, decision)
        progress.take(state, result)
        at = session.deadline.at if session.deadline is not None else None
        service.committer.add(
            session, result, source, always=(step, decision), key=key, deadline_at=at
        )
        session.events.append(("decision", {"step": step, "source": source}))
        session.timeouts_in_row = 0
        if state.done:
            service.complete(session)
        elif hits := session.breaks.after(progress, before, peak, result, own=source == "manual"):
            stopping.stop(service, session, hits)
        else:
            service.flush(session, wait=True)
    failpoint("submit.after")
    service.keep_deadline(session)


@contextmanager
def _taken_back_if_refused(
    service: RunService, session: Session, progress: Progress
) -> Iterator[None]:
    """A decision that the ledger does not take was not made: whoever was told may decide anew."""
    mark, breaks = progress.mark(), session.breaks.mark()
    metadata, timeouts = dict(session.metadata), session.timeouts_in_row
    try:
        yield
    except LedgerError:
        if not session.closed.is_set():
            progress.back_to(mark)
            session.breaks.back_to(breaks)
            session.metadata.clear()
            session.metadata.update(metadata)
            session.timeouts_in_row = timeouts
            session.forget_unwritten()
            session.stall = None
            service.keep_deadline(session)
        raise


def step(service: RunService, run_id: str, count: int) -> RunRecord:
    """Make ``count`` decisions now and commit them; see ``RunService.step``.

    Whoever else comes to operate on the run meanwhile ends it: what has been made stands.
    """
    if count < 1:
        raise InvalidOption(f"cannot step {count} steps", field="count", remedy="give 1 or more")
    with service.moving(run_id) as (session, progress):
        if session.agent_decides:
            raise RunNotActive(f"the decisions of run {run_id} are its agent's", field="run")
        if session.decide is None:
            stops = session.breaks.stops
            for _ in range(count):
                if session.closed.is_set() or session.breaks.stops != stops:
                    break
                service.submit(run_id, progress.state.decided, Decision())
                if session.waiting:
                    break
            return service.record(run_id)
        if session.status is Status.RUNNING:
            with stopping.unchanged_if_refused(session):
                service.hold(session, stopping.without_goal(session))
        stops, left, at_once = session.breaks.stops, count, _AT_ONCE
        while left and not session.closed.is_set() and session.breaks.stops == stops:
            # A few at a time: batches are committed on the way.
            began = service.clock.monotonic()
            left -= service.advance(session, min(left, at_once))
            if session.waiting:
                break
            quick = service.clock.monotonic() - began < BATCH_SECONDS / 4
            at_once = 2 * at_once if quick else max(at_once // 2, 1)
        if not session.closed.is_set():
            service.flush(session, wait=True)
    return service.record(run_id)
