"""Rewind: an earlier step becomes a run's present; what came after it is kept as discarded.

Everything is worked out first, and then one transaction makes it so: a rewind that is refused, or
that dies on the way, has changed nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from engine.errors import InvalidOption, LeaseLost, RunNotActive, StepRewound
from engine.failpoints import failpoint
from engine.model import RunRecord
from engine.runs import warming
from engine.runs.answers import decided_of
from engine.runs.clock import wall_text
from engine.runs.lifecycle import ACTIVE, Status, Trigger, sources, target
from engine.runs.panels import panel_of
from engine.runs.recovery import recover
from engine.runs.replay import read_log, retrace
from engine.runs.session import Log, Progress
from engine.sim.simulation import Simulation
from engine.store import writes
from engine.store.cut import Cut, cut

if TYPE_CHECKING:
    from engine.runs.service import RunService

REWINDS: Final = "rewinds"
"""The key of a run's ``metadata`` that lists its rewinds, as {to, from, epoch, at}."""

REASON: Final = "rewind"
_OF_THE_TAIL: Final = frozenset({"stopped_at", "run_to"})
"""Keys of the ``metadata`` that say where the run stood, or was going to."""


def rewind(service: RunService, run_id: str, step: int, *, epoch: int | None = None) -> RunRecord:
    """Go back to where ``step`` decisions had been made; see ``RunService.rewind``."""
    if run_id not in service.sessions:
        return _rewind_left(service, run_id, step)
    with service.moving(run_id) as (session, progress):
        refuse_rewound(session.metadata, step, epoch=epoch)
        service.flush(session, wait=True)
        decided = progress.state.decided
        _check(run_id, step, decided)
        if step == decided:
            return service.pause(run_id)
        with service.ledger.reader() as reader:
            log = read_log(reader, service.record(run_id), step)
        again = Progress(progress.simulation)
        decide, _ = warming.warm(service, session, again, log, strategy=not session.taken_over)
        with warming.exchange(session, decide):
            rewinds = _listed(service, session.metadata, session.epoch + 1, step, decided)
            key, held = session.run_key, session.epoch
            wanted = _cut_of(service, run_id, key, again, held, rewinds, log)

            def write(conn: writes.Connection) -> bool:
                if session.status is Status.RUNNING and not _move(
                    service, conn, run_id, Trigger.PAUSE, held
                ):
                    return False
                return cut(conn, wanted)

            if session.closed.is_set() or not _commit(service, run_id, write):
                # Cancelled over our head while the strategy was warmed, or adopted by force.
                service.drop(session)
                raise LeaseLost(f"run {run_id} is no longer this process's to write", field="run")
            session.progress, session.decide = again, decide
            session.metadata = rewinds
            session.epoch += 1
            session.rewind_count += 1
            session.status = Status.PAUSED
            session.timeout_holds = _timeouts(log)
            session.timeouts_in_row = log.timeouts_at_end
            session.breaks.goal = None
        service.keep_deadline(session)
    return service.record(run_id)


def _rewind_left(service: RunService, run_id: str, step: int) -> RunRecord:
    """Adopt an interrupted run, cut it, and leave it interrupted; it will come back paused."""
    record = service.record(run_id)
    if record.status in ACTIVE and not service.owner_alive(record):
        recover(service.ledger, service.instance, service.clock, service.liveness, run_id=run_id)
        record = service.record(run_id)
    if record.status != Status.INTERRUPTED:
        raise _not_to_be_rewound(record)
    decided = decided_of(record)
    _check(run_id, step, decided)
    if step == decided:
        return record
    prepared = warming.as_begun(record)
    panel = panel_of(prepared.source.load())
    with service.ledger.reader() as reader:
        run_key = reader.run_key(run_id)
        log = read_log(reader, record, step)
    request = prepared.request
    progress = Progress(Simulation(panel, request.rules, request.params))
    retrace(progress, log, None, request.source)
    adopted = record.lease_epoch + 1
    rewinds = _listed(service, record.metadata, adopted + 1, step, decided)
    wanted = _cut_of(service, run_id, run_key, progress, adopted, rewinds, log)

    def write(conn: writes.Connection) -> bool:
        # Through the states that the table knows, so that a resume finds a run that was paused.
        won = writes.adopt(
            conn,
            run_id,
            new_owner=service.instance.id,
            old_owner=record.owner_instance,
            old_epoch=record.lease_epoch,
            sources=sources(Trigger.ADOPT),
            to=target(Trigger.ADOPT),
            reason=REASON,
            at=wall_text(service.clock),
            columns={"error_code": None, "error_message": None},
        )
        return (
            won is not None
            and _move(service, conn, run_id, Trigger.START_PAUSED, adopted)
            and cut(conn, wanted)
            and _move(service, conn, run_id, Trigger.INTERRUPT, adopted + 1)
        )

    if not _commit(service, run_id, write):
        raise RunNotActive(f"run {run_id} was taken up by somebody else", field="run")
    return service.record(run_id)


def _commit(service: RunService, run_id: str, write: Callable[[writes.Connection], bool]) -> bool:
    failpoint("rewind.before")
    landed = service.ledger.write(write, run_id=run_id)
    failpoint("rewind.after")
    return landed


def _move(
    service: RunService, conn: writes.Connection, run_id: str, trigger: Trigger, epoch: int
) -> bool:
    return writes.transition(
        conn,
        run_id,
        sources=sources(trigger),
        to=target(trigger),
        owner=service.instance.id,
        epoch=epoch,
        reason=REASON,
        at=wall_text(service.clock),
        columns={},
    )


def _check(run_id: str, step: int, decided: int) -> None:
    if not 0 <= step <= decided:
        raise InvalidOption(
            f"run {run_id} has made {decided} decisions: it cannot keep {step}",
            field="to",
            remedy=f"give 0 to {decided}",
        )


def _not_to_be_rewound(record: RunRecord) -> RunNotActive:
    if record.status in ACTIVE:
        return RunNotActive(
            f"run {record.run_id} is {record.status} in another process", field="run"
        )
    return RunNotActive(
        f"run {record.run_id} is {record.status}, and what has ended never changes",
        field="run",
        remedy=f"fork it: `stepdeck fork {record.run_id} --at N`",
    )


def _cut_of(
    service: RunService,
    run_id: str,
    run_key: int,
    progress: Progress,
    epoch: int,
    metadata: Mapping[str, Any],
    log: Log,
) -> Cut:
    state = progress.state
    columns = progress.running_columns() | {
        "timeout_holds": _timeouts(log),
        "metadata": metadata,
    }
    return Cut(
        run_id=run_id,
        run_key=run_key,
        owner=service.instance.id,
        epoch=epoch,
        decided=state.decided,
        settled=state.settled,
        fills=state.fills_made,
        orders=progress.simulation.open_records(state),
        holdings=progress.holdings(),
        digest=progress.digest,
        at=wall_text(service.clock),
        columns=columns,
    )


def _timeouts(log: Log) -> int:
    return sum(source == "timeout_hold" for _, source in log.decisions.values())


# -- what was before -------------------------------------------------------------------------------


def _listed(
    service: RunService, metadata: Mapping[str, Any], epoch: int, step: int, decided: int
) -> dict[str, Any]:
    """The run's ``metadata`` with one rewind more."""
    made = {"to": step, "from": decided, "epoch": epoch, "at": wall_text(service.clock)}
    kept = {name: value for name, value in metadata.items() if name not in _OF_THE_TAIL}
    return {**kept, REWINDS: [*metadata.get(REWINDS, ()), made]}


def refuse_rewound(metadata: Mapping[str, Any], step: int, *, epoch: int | None) -> None:
    """Raise ``StepRewound`` for a step that was seen under ``epoch`` and has been discarded since.

    Under None the step is the present one, whatever was before.
    """
    for made in metadata.get(REWINDS, ()):
        if epoch is not None and epoch < made["epoch"] and step >= made["to"]:
            raise _rewound(f"step {step}", made)


def refuse_rewound_id(metadata: Mapping[str, Any], step_id: str) -> None:
    """Raise ``StepRewound`` for the id of a step that has been discarded since it was given."""
    _, count, step = step_id.rsplit(".", 2)
    for made in metadata.get(REWINDS, ())[int(count) :]:
        if int(step) >= made["to"]:
            raise _rewound(f"step {step_id}", made)


def _rewound(what: str, made: Mapping[str, Any]) -> StepRewound:
    return StepRewound(
        f"{what} is of a future that was discarded: the run was rewound to step {made['to']}",
        field="step",
        remedy="decide the step that is due",
    )
