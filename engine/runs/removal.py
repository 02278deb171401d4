"""Removing runs that have ended or were left, each through its tombstone in one transaction."""

from __future__ import annotations

from pathlib import Path

from engine.errors import RunIsActive
from engine.failpoints import failpoint
from engine.runs.lifecycle import ACTIVE, TERMINAL
from engine.runs.output import log_path
from engine.store import writes
from engine.store.ledger import Ledger
from engine.store.reader import Reader


def removable(reader: Reader, run_id: str) -> tuple[str, ...]:
    """The run and its baselines, which go with it. Raises ``RunNotFound``, ``RunIsActive``."""
    record = reader.run(run_id)
    found = [record, *reader.baselines(run_id)]
    for each in found:
        if each.status in ACTIVE:
            whose = "" if each is record else f", a baseline of {run_id},"
            raise RunIsActive(
                f"run {each.run_id}{whose} is {each.status}",
                field="run",
                remedy="cancel it, or leave it to end, before it is deleted",
            )
    return tuple(each.run_id for each in found)


def ended_before(reader: Reader, stamp: str) -> list[str]:
    """Runs that ended before ``stamp``, oldest first; baselines only where their run is gone.

    Interrupted runs are not among them: they have not ended.
    """
    ended = reader.runs(status=TERMINAL, all_runs=True)
    there = {record.run_id for record in reader.runs(all_runs=True)}
    return [
        record.run_id
        for record in reversed(ended)
        if (record.finished_at or record.updated_at) < stamp
        and (record.baseline_of is None or record.baseline_of not in there)
    ]


def remove(ledger: Ledger, run_id: str, *, at: str, by: str | None) -> tuple[str, ...]:
    """Delete a run with its baselines, every row of theirs and their logs; the ids that went.

    The row of each goes into the archive first, in the same transaction. Forks stay. Raises
    ``RunNotFound``, and ``RunIsActive`` for a run that moves, or a baseline of it that does.
    """
    failpoint("delete.before")
    gone = ledger.write(lambda conn: writes.delete_run(conn, run_id, at=at, by=by))
    failpoint("delete.after")
    if not gone:
        with ledger.reader() as reader:
            removable(reader, run_id)  # raises, and says which
        raise RunIsActive(f"run {run_id} is active", field="run", remedy="cancel it first")
    for each in gone:
        Path(log_path(ledger.path, each)).unlink(missing_ok=True)
    return gone
