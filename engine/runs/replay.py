"""Going on after an interruption: the log is replayed and checked before the run takes a new step.

The ledger replays without calling anybody. A strategy that must go on is warmed in the same pass:
its answer at every step is compared with the log's and dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine import codec
from engine.errors import BarsChanged, LedgerCorrupt, StrategyDiverged
from engine.model import HOLD, Decision, RunRecord
from engine.runs.session import Decider, Log, Session
from engine.sim.intake import plain
from engine.sim.observation import Observation
from engine.store.reader import Reader


def read_log(reader: Reader, record: RunRecord) -> Log:
    """The log of ``record``'s run: its decisions and what its last commit said."""
    rows = reader.steps(record.run_id)
    commits = reader.commits(record.run_id)
    return Log(
        decisions={
            row.step_index: (codec.decode_decision(codec.loads(row.decision)), row.decision_source)
            for row in rows
        },
        settled=record.step_index,
        digest=commits[-1].digest if commits else None,
        bars_hash=record.bars_hash,
    )


def replay(session: Session, log: Log) -> None:
    """Bring ``session`` to where ``log`` ends.

    Raises ``BarsChanged`` if the bars are not those of the log, ``StrategyDiverged`` at the first
    step that the strategy would decide otherwise, ``LedgerCorrupt`` if the replayed steps do not
    have the digest that the log's last commit has.
    """
    progress = session.progress
    assert progress is not None
    simulation = progress.simulation
    if log.bars_hash is not None and log.bars_hash != simulation.panel.content_hash:
        raise BarsChanged(
            f"the bars of {session.request.source} are not those the run began with",
            field="source",
            remedy=f"put back the bars with hash {log.bars_hash[:12]}, or start a new run",
        )
    if log.settled == 0:
        return
    state, result = simulation.start(progress.state)
    progress.take(state, result)
    behind = log.settled - state.settled
    advanced = simulation.advance(
        progress.state, _logged(session.decide, log.decisions), progress.state.decided + behind
    )
    if advanced.fault is not None:
        raise advanced.fault
    progress.take(advanced.state, advanced.result)
    if log.digest is not None and progress.digest != log.digest:
        raise LedgerCorrupt(
            f"the first {log.settled} steps replay to another digest than the ledger has",
            field="commits",
            remedy="the ledger's rows of this run were changed outside stepdeck; start a new run",
        )


def _logged(
    decide: Decider | None, decisions: Mapping[int, tuple[Decision, str]]
) -> Callable[[Observation], Decision]:
    """The log as a strategy; ``decide``, if there is one, is shown every step and compared."""

    def answer(observation: Observation) -> Decision:
        logged, source = decisions.get(observation.step, (HOLD, "strategy"))
        if decide is None:
            return logged
        now = plain(codec.as_decision(decide(observation)))
        if source in ("strategy", "tape") and now != logged:
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
