"""Making runs and bringing them to their first decision: operations of the run service."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from engine.errors import StepdeckError
from engine.failpoints import failpoint
from engine.market import BarSource
from engine.model import RunRequest
from engine.runs import replay, rows, stopping
from engine.runs.breakpoints import encode, of_texts
from engine.runs.clock import wall_text
from engine.runs.lifecycle import Status, Trigger
from engine.runs.output import RunOutput, captured, log_path
from engine.runs.panels import panel_of
from engine.runs.requests import prepare
from engine.runs.session import Progress, Session
from engine.sim.simulation import Simulation
from engine.store import writes
from engine.strategies.registry import LoadedStrategy

if TYPE_CHECKING:
    from engine.runs.service import RunService


def create(
    service: RunService,
    request: RunRequest,
    baseline_of: str | None,
    loaded: LoadedStrategy | None,
    source: BarSource | None,
) -> Session:
    """Give a request that holds a row and a session; see ``RunService.create``."""
    prepared = prepare(request, loaded=loaded, source=source)
    request = prepared.request
    run_id = uuid.uuid4().hex[:12]
    metadata = rows.how_made(service.surface, request)
    if request.breakpoints and baseline_of is None:
        metadata["breakpoints"] = encode(of_texts(request.breakpoints))
    columns = rows.first_row(
        prepared,
        run_id=run_id,
        owner=service.instance.id,
        metadata=metadata,
        baseline_of=baseline_of,
        at=wall_text(service.clock),
    )

    def insert(conn: writes.Connection) -> int:
        if baseline_of is None:
            rows.refuse_past_caps(conn, service.limits, request.agent_id)
        return writes.insert_run(conn, columns)

    failpoint("create.before")
    run_key = service.ledger.write(insert)
    failpoint("create.after")
    session = Session(
        run_id,
        run_key,
        1,
        prepared,
        RunOutput(log_path(service.ledger.path, run_id)),
        metadata,
        Status.CREATED,
        baseline_of=baseline_of,
        start_paused=request.paused,
        speed=request.speed,
    )
    service.sessions[run_id] = session
    return session


def load(service: RunService, session: Session) -> None:
    """Read the run's bars, while nobody is kept from it; see ``RunService.load``."""
    with session.claim():
        if session.closed.is_set():
            return
        if session.status is Status.CREATED:
            service.move(session, Trigger.LOAD)
    try:
        bars = session.prepared.source.load(cancelled=session.closed.is_set)
        panel = panel_of(bars)
        simulation = Simulation(panel, session.request.rules, session.request.params)
    except StepdeckError as error:
        service.fail(session, error)
        return
    with session.claim():
        if not session.closed.is_set():
            session.bars = bars
            session.progress = Progress(simulation)
            session.metadata["bars"] = dict(panel.provenance)
            session.metadata["notices"] = rows.notices(session.request.rules, panel)


def begin(service: RunService, session: Session) -> None:
    """Bring a loaded run to its first decision; see ``RunService.begin``."""
    with session.claim():
        progress = session.progress
        if session.closed.is_set():
            service.drop(session)  # with what was made meanwhile to decide
            return
        if progress is None:
            return
        simulation = progress.simulation
        stopping.note_execution(session)
        columns: dict[str, Any] = {
            "total_steps": simulation.total_steps,
            "bars_hash": simulation.panel.content_hash,
            "metadata": session.metadata,
        }
        if session.log is None or session.log.settled == 0:
            columns["started_at"] = wall_text(service.clock)
        try:
            if session.log is not None and progress.state.settled < session.log.settled:
                with captured(session.output):
                    replay.replay(session, session.log)
        except StepdeckError as error:
            service.fail(session, error)
            return
        trigger = Trigger.START_PAUSED if session.start_paused else Trigger.START
        service.move(session, trigger, columns=columns)
        session.log = None
        if progress.state.settled == 0:
            state, result = simulation.start(progress.state)
            progress.take(state, result)
            service.committer.add(session, result, session.prepared.driver)
            if not stopping.stopped_at_start(service, session, result):
                # Where it goes on at once, nobody looks for this row alone.
                goes_on = session.decide is not None and session.status is Status.RUNNING
                service.flush(session, wait=not goes_on)
        service.keep_deadline(session)
    service.ready(session)
