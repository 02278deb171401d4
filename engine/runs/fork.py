"""Fork: a new run that begins with the first decisions of another, whatever became of that one.

Bars, strategy and replay are looked at first; then one transaction makes the new run's row and the
rows of its beginning. A fork that is refused has left nothing behind.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from engine.errors import BarsChanged, InvalidOption
from engine.failpoints import failpoint
from engine.market import Bars
from engine.model import RunRecord, stamp_text
from engine.runs import config, rows, stopping, warming
from engine.runs.answers import decided_of
from engine.runs.clock import wall_text
from engine.runs.columns import NO_RESULT, results
from engine.runs.lifecycle import Status, Trigger, sources, target
from engine.runs.output import RunOutput, log_path
from engine.runs.panels import panel_of
from engine.runs.replay import OWN_FROM, read_log, refuse_other_bars
from engine.runs.requests import Prepared, prepare
from engine.runs.session import Log, Progress, Session
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import join
from engine.store import writes
from engine.store.records import StepRecord

if TYPE_CHECKING:
    from engine.runs.service import RunService

REBASED: Final = "rebased"
"""The key of a fork's ``metadata`` that says {from, to}: the hashes of the bars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a fork is to differ from what it is forked from; see ``RunService.fork``."""

    strategy: str | None = None
    params: Mapping[str, Any] | None = None
    rebase: bool = False
    name: str | None = None
    breakpoints: bool = True

    @property
    def goes_on(self) -> bool:
        """Whether the run's own strategy goes on, as it was."""
        return self.strategy is None and self.params is None


def fork(service: RunService, run_id: str, step: int, wish: Wish) -> Session:
    """A new run with the first ``step`` decisions of ``run_id``; see ``RunService.fork``."""
    with service.ledger.reader() as reader, reader.moment():
        parent = reader.run(run_id)
        log = read_log(reader, parent, step)
        made = reader.steps(run_id, until=step)
    decided = decided_of(parent)
    if not 0 <= step <= decided:
        raise InvalidOption(
            f"run {run_id} has made {decided} decisions: a fork cannot keep {step}",
            field="at",
            remedy=f"give 0 to {decided}",
        )
    prepared = _prepared(parent, wish, step)
    # Asked here too, so that nobody waits for bars and a strategy in vain.
    service.ledger.write(lambda conn: rows.refuse_past_caps(conn, service.limits, None))
    bars, panel = _bars(service, parent, prepared, wish, made, step)
    own_from = log.own_from if wish.goes_on and not wish.rebase else step
    log = replace(log, own_from=min(own_from, step))
    if wish.rebase:
        log = replace(log, bars_hash=None, anchor=None)
    session = _session(service, prepared, panel, log, wish, parent)
    session.bars = bars
    _begin(service, session, log, made)
    try:
        _insert(service, session, parent, step)
    except BaseException:
        service.drop(session)
        raise
    service.sessions[session.run_id] = session
    progress = session.progress
    assert progress is not None
    if progress.state.done:
        service.complete(session)
    else:
        service.keep_deadline(session)
        service.ready(session)
    return session


def _prepared(parent: RunRecord, wish: Wish, step: int) -> Prepared:
    """The parent's request with what is wished otherwise, checked."""
    request = config.decode_request(parent.config)
    if wish.strategy is not None:
        request = replace(request, strategy=wish.strategy, params=dict(wish.params or {}))
    elif wish.params is not None:
        request = replace(request, params={**request.params, **wish.params})
    name = f"{parent.name}, fork at {step}" if parent.name else None
    request = replace(
        request,
        name=name if wish.name is None else wish.name,
        # Whatever it is forked from, it is a run of its own, and of whoever forks it.
        tags=tuple(tag for tag in request.tags if tag != "baseline"),
        agent_id=None,
        paused=False,
        breakpoints=(),
    )
    prepared = prepare(request)
    if wish.goes_on:
        warming.refuse_other_source(
            parent.strategy,
            parent.strategy_hash,
            prepared.loaded.source_hash,
            "name it with --strategy to go on from there with what it is now",
        )
    return prepared


def _bars(
    service: RunService,
    parent: RunRecord,
    prepared: Prepared,
    wish: Wish,
    made: Sequence[StepRecord],
    step: int,
) -> tuple[Bars | None, Panel]:
    """The run's bars. Raises ``BarsChanged`` for others, unless they are wished for and fit."""
    session = service.sessions.get(parent.run_id)
    if session is not None and session.progress is not None and not wish.rebase:
        return session.bars, session.simulation.panel
    bars = prepared.source.load()
    panel = panel_of(bars)
    if not wish.rebase:
        refuse_other_bars(parent.bars_hash, panel, parent.source, "accept these with --rebase")
    if step > panel.steps:
        raise BarsChanged(
            f"the bars of {parent.source} have {panel.steps} grid points, and {step} decisions "
            "were to be kept",
            field="source",
            remedy=f"fork at {panel.steps} or before",
        )
    for row in made:
        if row.ts != stamp_text(int(panel.stamps[row.step_index])):
            raise BarsChanged(
                f"the bars of {parent.source} have another grid: step {row.step_index} was at "
                f"{row.ts} and is at {stamp_text(int(panel.stamps[row.step_index]))} now",
                field="source",
                remedy="fork at a step before that",
            )
    return bars, panel


def _session(
    service: RunService, prepared: Prepared, panel: Panel, log: Log, wish: Wish, parent: RunRecord
) -> Session:
    run_id = uuid.uuid4().hex[:12]
    request = prepared.request
    metadata = rows.how_made(service.surface, request)
    metadata["bars"] = dict(panel.provenance)
    metadata["notices"] = rows.notices(request.rules, panel)
    if log.own_from:
        metadata[OWN_FROM] = log.own_from
    if wish.rebase:
        metadata[REBASED] = {"from": parent.bars_hash, "to": panel.content_hash}
    if wish.breakpoints:
        stopping.copy_points(parent.metadata, metadata)
    session = Session(
        run_id,
        0,
        1,
        prepared,
        RunOutput(log_path(service.ledger.path, run_id)),
        metadata,
        Status.PAUSED,
        start_paused=True,
        speed=request.speed,
        timeout_holds=sum(source == "timeout_hold" for _, source in log.decisions.values()),
        timeouts_in_row=log.timeouts_at_end,
    )
    session.progress = Progress(Simulation(panel, request.rules, request.params))
    return session


def _begin(service: RunService, session: Session, log: Log, made: Sequence[StepRecord]) -> None:
    """Replay the beginning into the session, whose strategy is warmed by it."""
    progress = session.progress
    assert progress is not None
    simulation = progress.simulation
    session.decide, taken = warming.warm(service, session, progress, log, strategy=True)
    stopping.note_execution(session)
    if not taken:
        state, result = simulation.start(progress.state)
        progress.take(state, result)
        taken = [result]
    result = join(taken)
    placed = results(result.orders)
    stamps = simulation.panel.stamps
    session.unwritten.append(
        (
            result,
            [
                writes.StepRow(
                    step_index=row.step_index,
                    step_id=f"{session.run_id}.0.{row.step_index}",
                    ts=stamp_text(int(stamps[row.step_index])),
                    status=row.status,
                    decision_source=row.decision_source,
                    # A key is of a request that was made of the other run.
                    idempotency_key=None,
                    decision=row.decision,
                    result=placed.get(row.step_index, NO_RESULT),
                    deadline_at=row.deadline_at,
                    decided_at=row.decided_at,
                )
                for row in made
            ],
        )
    )


def _insert(service: RunService, session: Session, parent: RunRecord, step: int) -> None:
    """The new run's row and all rows of its beginning, or nothing."""
    run_id, owner = session.run_id, service.instance.id
    at = wall_text(service.clock)
    first = rows.first_row(
        session.prepared,
        run_id=run_id,
        owner=owner,
        metadata=session.metadata,
        baseline_of=None,
        at=at,
    ) | {"parent_run_id": parent.run_id, "forked_at_step": step}
    loaded = {
        "total_steps": session.simulation.total_steps,
        "bars_hash": session.simulation.panel.content_hash,
        "started_at": at,
    }
    batch = service.committer.take_batch(session)
    assert batch is not None

    def write(conn: writes.Connection) -> int:
        rows.refuse_past_caps(conn, service.limits, None)
        key = writes.insert_run(conn, first)
        for trigger, columns in ((Trigger.LOAD, {}), (Trigger.START_PAUSED, loaded)):
            moved = writes.transition(
                conn,
                run_id,
                sources=sources(trigger),
                to=target(trigger),
                owner=owner,
                epoch=1,
                reason="fork",
                at=at,
                columns=columns,
            )
            assert moved
        assert writes.append(conn, replace(batch, run_key=key))
        failpoint("fork.written")
        return key

    failpoint("fork.before")
    session.run_key = service.ledger.write(write)
    failpoint("fork.after")
