"""Going on with what is on record: the log is replayed and checked before a run takes a new step.

The ledger replays without calling anybody. A strategy that must go on is warmed in the same pass:
its answer at every step is compared with the log's and dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from engine import codec
from engine.errors import BarsChanged, LedgerCorrupt, RunNotActive, StrategyDiverged
from engine.model import HOLD, Decision, RunRecord
from engine.runs.answers import decided_of, is_closed, lead_of
from engine.runs.session import Decider, Log, Progress, Session
from engine.sim.observation import Observation
from engine.sim.panel import Panel
from engine.sim.state import StepResult
from engine.store.reader import Reader

OWN_FROM = "own_from"
"""The key of a run's ``metadata`` that says from which step on its own strategy decided."""


def read_log(reader: Reader, record: RunRecord, decided: int | None = None) -> Log:
    """The log of ``record``'s run, up to so many decisions (None: all there are).

    To be called where nobody else writes the run, or inside ``reader.moment()``.
    """
    lead, whole = lead_of(record), decided_of(record)
    decided = whole if decided is None else min(decided, whole)
    begun = record.step_index > 0
    settled = min(decided + lead, record.step_index) if begun else 0
    # The last decision of a run settles nothing, and closes its last grid point once more.
    closing = record.step_index if lead and is_closed(record) else None
    anchor = None
    for commit in reader.commits(record.run_id):
        at = commit.last_step + 1
        made = at if at == closing else max(at - lead, 0)
        if at <= settled and made <= decided:
            anchor = made, commit.digest
    return Log(
        {
            row.step_index: (codec.decode_decision(codec.loads(row.decision)), row.decision_source)
            for row in reader.steps(record.run_id, until=decided)
        },
        decided,
        settled,
        anchor,
        record.bars_hash,
        int(record.metadata.get(OWN_FROM, 0)),
    )


def replay(session: Session, log: Log) -> None:
    """Bring ``session``, whose ``decide`` is fresh, to where ``log`` ends; see ``retrace``."""
    assert session.progress is not None
    stopped = session.closed.is_set
    retrace(session.progress, log, session.decide, session.request.source, stopped)


def retrace(
    progress: Progress,
    log: Log,
    decide: Decider | None,
    source: str,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[StepResult]:
    """Bring ``progress``, which has not begun, to where ``log`` ends; ``decide`` is warmed by it.

    What was settled on the way is given back: nothing, for a run that had not begun.
    ``cancelled`` is asked between a strategy's steps; once it holds, ``RunNotActive``. Raises
    ``BarsChanged`` if the bars are not those of the log, ``StrategyDiverged`` at the first step
    that the strategy would decide otherwise, ``LedgerCorrupt`` if the replayed steps do not have
    the digest that the log's last commit has.
    """
    simulation = progress.simulation
    refuse_other_bars(log.bars_hash, simulation.panel, source)
    if log.settled == 0:
        return []
    state, result = simulation.start(progress.state)
    progress.take(state, result)
    taken = [result]
    answer = _logged(decide, log, cancelled)
    stops = [log.decided] if log.anchor is None else [log.anchor[0], log.decided]
    for stop in stops:
        if progress.state.decided < stop and not progress.state.done:
            advanced = simulation.advance(progress.state, answer, stop)
            progress.take(advanced.state, advanced.result)
            taken.append(advanced.result)
            if advanced.fault is not None:
                raise advanced.fault
        if log.anchor is not None and stop == log.anchor[0] and progress.digest != log.anchor[1]:
            raise LedgerCorrupt(
                f"the first {progress.state.settled} steps replay to another digest than the "
                "ledger has",
                field="commits",
                remedy="the ledger's rows of this run were changed outside stepdeck; start a new "
                "run",
            )
    return taken


def refuse_other_bars(
    bars_hash: str | None, panel: Panel, source: str, otherwise: str = "start a new run"
) -> None:
    """Raise ``BarsChanged`` where ``panel`` is not what the run with ``bars_hash`` began with.

    ``otherwise`` is what can be done without those bars.
    """
    if bars_hash not in (None, panel.content_hash):
        raise BarsChanged(
            f"the bars of {source} are not those the run began with",
            field="source",
            remedy=f"put back the bars with hash {(bars_hash or '')[:12]}, or {otherwise}",
        )


def _logged(
    decide: Decider | None, log: Log, cancelled: Callable[[], bool]
) -> Callable[[Observation], Decision]:
    """The log as a strategy; ``decide``, if there is one, is shown every step and compared."""
    decisions = log.decisions

    def answer(observation: Observation) -> Decision:
        logged, source = decisions.get(observation.step, (HOLD, "strategy"))
        if decide is None:
            return logged
        if cancelled():
            raise RunNotActive("the run was cancelled while its strategy was warmed", field="run")
        now = decide(observation)
        own = source in ("strategy", "tape") and observation.step >= log.own_from
        if own and now != logged:
            before, after = codec.decision_text(logged), codec.decision_text(now)
            if before != after:
                raise StrategyDiverged(
                    f"at step {observation.step} the strategy now decides {after} where the log "
                    f"has {before}",
                    field="strategy",
                    remedy="start a new run: a strategy that is to be resumed must decide the "
                    "same again from the same bars",
                )
        return logged

    return answer
