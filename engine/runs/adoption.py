"""Taking up a run that another process, or this one earlier, has left: as it was, by one write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import RunNotResumable
from engine.failpoints import failpoint
from engine.model import TAKEN_OVER, RunRecord
from engine.runs import replay, rows
from engine.runs.clock import wall_text
from engine.runs.lifecycle import ACTIVE, Status, Trigger, sources, target
from engine.runs.output import RunOutput, log_path
from engine.runs.recovery import recover
from engine.runs.session import Session
from engine.runs.warming import as_begun
from engine.store import writes

if TYPE_CHECKING:
    from engine.runs.service import RunService

TAKEN = "taken_by_force"


def take_up(
    service: RunService, run_id: str, *, play: bool | None = None, force: bool = False
) -> Session:
    """Adopt an interrupted run; with ``force`` also one whose owner lives, which is fenced by it.

    Everything that may be refused is looked at first, and the row changes in one transaction: a
    run that cannot be taken up is as it was. Raises what ``RunService.take_up`` says.
    """
    record = service.record(run_id)
    if record.status in ACTIVE and not service.owner_alive(record):
        recover(service.ledger, service.instance, service.clock, service.liveness, run_id=run_id)
        record = service.record(run_id)
    taken = force and record.status in ACTIVE and run_id not in service.sessions
    if record.status != Status.INTERRUPTED and not taken:
        raise _not_interrupted(record)
    prepared = as_begun(record)
    with service.ledger.reader() as reader:
        run_key = reader.run_key(run_id)
        moved = reader.moved_as(run_id)

    def adopt(conn: writes.Connection) -> int | None:
        at, epoch = wall_text(service.clock), record.lease_epoch
        owner = record.owner_instance
        if taken:
            won = writes.adopt(
                conn,
                run_id,
                new_owner=service.instance.id,
                old_owner=owner,
                old_epoch=epoch,
                sources=ACTIVE,
                to=target(Trigger.INTERRUPT),
                reason=TAKEN,
                at=at,
                columns={},
            )
            if won is None:
                return None
            epoch, owner = won, service.instance.id
        if record.baseline_of is None:
            rows.refuse_past_caps(conn, service.limits, record.agent_id)
        return writes.adopt(
            conn,
            run_id,
            new_owner=service.instance.id,
            old_owner=owner,
            old_epoch=epoch,
            sources=sources(Trigger.ADOPT),
            to=target(Trigger.ADOPT),
            reason="resumed",
            at=at,
            columns={"error_code": None, "error_message": None},
        )

    failpoint("take_up.before")
    epoch = service.ledger.write(adopt, run_id=run_id)
    if epoch is None:
        raise RunNotResumable(f"run {run_id} was taken up by somebody else", field="run")
    failpoint("take_up.after")
    # Read now that nobody else can write: a forced owner may have committed until then.
    with service.ledger.reader() as reader:
        record = reader.run(run_id)
        log = replay.read_log(reader, record)
    request = prepared.request
    was_paused = request.paused if moved is None else moved == Status.PAUSED
    session = Session(
        run_id,
        run_key,
        epoch,
        prepared,
        RunOutput(log_path(service.ledger.path, run_id)),
        dict(record.metadata),
        Status.LOADING,
        baseline_of=record.baseline_of,
        log=log,
        start_paused=was_paused if play is None else not play,
        speed=record.metadata.get("speed", request.speed),
        taken_over=bool(record.metadata.get(TAKEN_OVER)),
        rewind_count=record.rewind_count,
        timeout_holds=record.timeout_holds,
        timeouts_in_row=log.timeouts_at_end,
    )
    service.sessions[run_id] = session
    return session


def seize(service: RunService, run_id: str) -> RunRecord:
    """Leave a live run of another owner ``interrupted``: by force, so that its owner is fenced.

    Raises ``RunNotResumable`` for a run that is not live, or that is this process's own.
    """
    record = service.record(run_id)
    if record.status not in ACTIVE or run_id in service.sessions:
        raise RunNotResumable(
            f"run {run_id} is {record.status}, and no other process's", field="run"
        )
    won = service.ledger.write(
        lambda conn: writes.adopt(
            conn,
            run_id,
            new_owner=service.instance.id,
            old_owner=record.owner_instance,
            old_epoch=record.lease_epoch,
            sources=ACTIVE,
            to=target(Trigger.INTERRUPT),
            reason=TAKEN,
            at=wall_text(service.clock),
            columns={},
        )
    )
    if won is None:
        raise RunNotResumable(f"run {run_id} changed hands meanwhile", field="run")
    return service.record(run_id)


def _not_interrupted(record: RunRecord) -> RunNotResumable:
    remedy = None
    if record.status in ACTIVE:
        remedy = "its owner lives; `stepdeck resume --take` takes it by force"
    return RunNotResumable(
        f"run {record.run_id} is {record.status}, not interrupted", field="run", remedy=remedy
    )
