"""Stopping runs at their breakpoints, and changing those: operations of the run service.

A hit ends the batch: what was computed, the pause, the hit counts and a ``warning`` event that says
what was seen are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from engine.errors import LedgerError, RunNotActive
from engine.model import HOLD, Breakpoint, RunRecord
from engine.runs import breakpoints, stalls
from engine.runs.breakpoints import Hit
from engine.runs.clock import wall_text
from engine.runs.lifecycle import Status
from engine.runs.session import Progress, Session
from engine.sim.expressions import parse
from engine.sim.state import StepResult
from engine.store import writes

if TYPE_CHECKING:
    from engine.runs.service import RunService

REASON: Final = "breakpoint"
STEPPED: Final = "stepped, not compiled: a breakpoint depends on what the run does"


def stop(service: RunService, session: Session, hits: Sequence[Hit]) -> None:
    """Commit what the session has computed and pause it where ``hits`` held.

    A run that a person steps has stopped anyway: it keeps its status.
    """
    progress = session.progress
    assert progress is not None
    first = hits[0]
    told = {
        "breakpoint": first.breakpoint,
        "expression": first.expression,
        "step": first.step,
        "settled": progress.state.settled,
        "saw": dict(first.saw),
    }
    session.metadata["stopped_at"] = told
    session.events += [
        (
            "warning",
            {
                "breakpoint": hit.breakpoint,
                "expression": hit.expression,
                "step": hit.step,
                "saw": dict(hit.saw),
            },
        )
        for hit in hits
    ]
    columns = _kept(session)
    if session.status is Status.RUNNING and _moves_by_itself(session):
        service.hold(session, columns, reason=REASON, kept=True)
    else:
        service.update(session, columns)


def stopped_at_start(service: RunService, session: Session, result: StepResult) -> bool:
    """Look at a new run before its first decision; whether it was stopped there.

    A run by hand waits there anyway.
    """
    progress = session.progress
    assert progress is not None
    if not _moves_by_itself(session):
        return False
    hits = session.breaks.after(progress, None, progress.drawdown.peak, result)
    if hits:
        stop(service, session, hits)
    return bool(hits)


def _moves_by_itself(session: Session) -> bool:
    return session.decide is not None or session.agent_decides


def without_goal(session: Session) -> dict[str, Any]:
    """Drop the place the session is running to; the columns that say so, if it had one."""
    if session.breaks.goal is None:
        return {}
    session.breaks.goal = None
    return _kept(session)


def _kept(session: Session) -> dict[str, Any]:
    """Columns that keep the session's breakpoints and goal for whoever takes the run up."""
    metadata, breaks = session.metadata, session.breaks
    if breaks.points or "breakpoints" in metadata:
        metadata["breakpoints"] = breakpoints.encode(breaks.points)
    if breaks.goal is not None:
        metadata["run_to"] = breaks.goal
    else:
        metadata.pop("run_to", None)
    note_execution(session)
    return {"metadata": metadata}


def copy_points(source: Mapping[str, Any], target: dict[str, Any]) -> None:
    """Take the breakpoints of one run's metadata into another's, as if none had been hit."""
    points = breakpoints.decode(source.get("breakpoints"))
    if points:
        target["breakpoints"] = breakpoints.encode(replace(point, hits=0) for point in points)


def note_execution(session: Session) -> None:
    """Say in the metadata how a vector strategy's decisions are made while something watches."""
    execution = getattr(session.decide, "execution", None)
    if execution is None:
        return
    watched = execution == "compiled" and session.breaks.one_by_one
    session.metadata["execution"] = "stepped" if watched else execution
    said = [notice for notice in session.metadata.get("notices", ()) if notice != STEPPED]
    session.metadata["notices"] = [*said, STEPPED] if watched else said


def replace_all(service: RunService, run_id: str, points: Sequence[Breakpoint]) -> RunRecord:
    """Give a live or interrupted run these breakpoints instead of those it has.

    Hit counts stay with an id and its expression. They are looked at from the next step on. Raises
    ``InvalidExpression``, ``InvalidOption`` or ``RunNotActive``; nothing has changed then.
    """
    session = service.sessions.get(run_id)
    if session is not None:
        with session.claim():
            if not session.closed.is_set():
                stalls.retry(service, session)
                checked = breakpoints.checked(points, session.request.symbols or ())
                with unchanged_if_refused(session):
                    session.breaks.change(checked)
                    service.update(session, _kept(session))
                return service.record(run_id)
    record = service.record(run_id)
    if record.status != Status.INTERRUPTED:
        raise RunNotActive(f"run {run_id} is {record.status}", field="run")
    known = breakpoints.Breakpoints(breakpoints.decode(record.metadata.get("breakpoints")))
    known.change(breakpoints.checked(points, record.symbols))
    metadata = {**record.metadata, "breakpoints": breakpoints.encode(known.points)}
    landed = service.ledger.write(
        lambda conn: writes.update_run(
            conn,
            run_id,
            owner=record.owner_instance,
            epoch=record.lease_epoch,
            at=wall_text(service.clock),
            columns={"metadata": metadata},
            status=Status.INTERRUPTED,
        )
    )
    if not landed:
        raise RunNotActive(f"run {run_id} was taken up meanwhile", field="run", remedy="try again")
    return service.record(run_id)


@contextmanager
def unchanged_if_refused(session: Session) -> Iterator[None]:
    """Breakpoints and goal are as they were where the ledger refuses others: who asked was told."""
    before, metadata = session.breaks.mark(), dict(session.metadata)
    try:
        yield
    except LedgerError:
        session.breaks.back_to(before)
        session.metadata = metadata
        raise


def aim(service: RunService, session: Session, progress: Progress, condition: str) -> None:
    """Let a session go on to where ``condition`` first holds after a step, as fast as it can.

    A strategy's run is let go and pauses there; one that is stepped by hand holds until then, at
    most to its last decision, and this returns when it stands. A pause, a step and any breakpoint
    drop the goal. Raises ``InvalidExpression``.
    """
    parse(condition, session.request.symbols)
    if session.agent_decides:
        raise RunNotActive(f"the decisions of run {session.run_id} are its agent's", field="run")
    breaks = session.breaks
    if session.decide is not None:
        with unchanged_if_refused(session):
            breaks.goal = condition
            columns = _kept(session)
            if session.status is Status.PAUSED:
                service.let_go(session, columns)
            else:
                service.update(session, columns)
        return
    breaks.goal = condition
    last = progress.simulation.total_steps - 1
    while breaks.goal is not None and not session.closed.is_set():
        if progress.state.decided == last:
            breaks.goal = None  # the decision that ends the run is for a person to make
        else:
            service.submit(session.run_id, progress.state.decided, HOLD)
            if session.waiting:
                breaks.goal = None  # somebody else wants the run
