"""What was decided at a step, as the ledger holds it: the same answer however often it is asked.

A repeat of a decision is known by its idempotency key, also after the run has ended, has left this
process's memory, or the process is another one; so everything here is read from the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine import codec
from engine.errors import DecisionDeadlineExceeded, StepAlreadyFinalized, StepNotActive, StepRewound
from engine.model import Decision, Fill, RunRecord
from engine.runs.lifecycle import Status
from engine.store.reader import Reader
from engine.store.records import StepRecord

TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision and what it led to at the grid point that it settled.

    ``orders`` are the ids it placed, ``rejections`` those of them that were refused, with the
    reason. ``fills``, ``equity`` and ``cash`` are of the grid point; the two figures are None for
    the last decision of a run, which settles nothing more.
    """

    run_id: str
    step: int
    step_id: str
    status: str
    source: str
    key: str | None
    decision: Decision
    decided_at: str | None
    orders: tuple[str, ...]
    rejections: tuple[tuple[str, str], ...]
    fills: tuple[Fill, ...]
    equity: float | None
    cash: float | None


def answer_at(reader: Reader, run_id: str, step: int) -> Answer | None:
    """The answer to the decision on record for ``step``; None if there is none on record.

    It never changes, whatever becomes of the run, unless the run is rewound past it.
    """
    with reader.moment():
        stored = reader.step(run_id, step)
        if stored is None:
            return None
        settled = step + lead_of(reader.run(run_id))
        _, _, equity, cash = reader.equity(run_id, settled, settled + 1)
        fills = reader.fills(run_id, since=settled, until=settled + 1)
        orders = reader.orders(run_id, since=step, until=step + 1)
    placed = tuple(codec.loads(stored.result or "{}").get("orders", ()))
    return Answer(
        run_id,
        step,
        stored.step_id,
        stored.status,
        stored.decision_source,
        stored.idempotency_key,
        _decision(stored.decision),
        stored.decided_at,
        placed,
        tuple((o.order_id, o.reason or "") for o in orders if o.status == "rejected"),
        tuple(fills),
        float(equity[0]) if len(equity) else None,
        float(cash[0]) if len(cash) else None,
    )


def is_repeat(
    reader: Reader, record: RunRecord, step: int, decision: Decision, key: str | None
) -> bool:
    """Whether this very decision is on record; False if its step is still to be decided.

    Raises ``StepAlreadyFinalized`` for a step that something else was decided at, and for a key
    that another step has; ``DecisionDeadlineExceeded`` for a step that was held because its
    deadline had passed. Each names what is stored. ``StepRewound`` for a key of a step that a
    rewind has discarded.
    """
    run_id = record.run_id
    if key is not None:
        if record.rewind_count and reader.is_discarded_key(run_id, key):
            raise StepRewound(
                f"the key {key} has decided a step that a rewind has discarded",
                field="idempotency_key",
                remedy="give every decision a key of its own",
            )
        known = reader.step_of_key(run_id, key)
        if known is not None and known.step_index != step:
            raise StepAlreadyFinalized(
                f"the key {key} has decided step {known.step_index}: {known.decision}",
                field="idempotency_key",
                remedy="give every decision a key of its own",
            )
    stored = reader.step(run_id, step)
    if stored is None and step >= decided_of(record):
        return False
    if (
        stored is not None
        and key is not None
        and stored.idempotency_key == key
        # Both through the wire form: a quantity of 1 is stored as 1.0.
        and _decision(stored.decision) == _decision(codec.decision_text(decision))
    ):
        return True
    raise _finalized(step, stored)


def not_open_yet(step: int, due: int) -> StepNotActive:
    """The refusal of a decision for a step that is not due."""
    return StepNotActive(f"step {step} is not open yet", field="step", remedy=f"step {due} is due")


def lead_of(record: RunRecord) -> int:
    """How far settling runs ahead of deciding in this run: 1 with next-open fills, else 0."""
    return 1 if record.config.get("rules", {}).get("fill", "next_open") == "next_open" else 0


def decided_of(record: RunRecord) -> int:
    """How many decisions the run has had, as far as the ledger knows."""
    if is_closed(record):
        return record.step_index
    return max(record.step_index - lead_of(record), 0)


def is_closed(record: RunRecord) -> bool:
    """Whether the decision of the run's last bar was made, of which no row need tell."""
    return (
        record.status == Status.COMPLETED
        and record.end_reason == "end_of_data"
        and record.step_index == record.total_steps
    )


def _finalized(step: int, stored: StepRecord | None) -> Exception:
    if stored is not None and stored.status == TIMED_OUT:
        return DecisionDeadlineExceeded(
            f"step {step} was held when its deadline {stored.deadline_at or ''} passed",
            field="step",
            remedy="decide the step that is due",
        )
    said = stored.decision if stored is not None else "{}"
    return StepAlreadyFinalized(
        f"step {step} was decided already: {said}",
        field="step",
        remedy="decide the step that is due",
    )


def _decision(text: str) -> Decision:
    return codec.decode_decision(codec.loads(text))
