"""A quick look at every run: its links, its rows' extent, its seal; nothing is replayed.

What this finds is wrong. What it passes may still hold a flipped bit in a figure of a step: that
takes the replay of ``verify``.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.errors import LedgerCorrupt
from engine.runs.lifecycle import TERMINAL
from engine.runs.verification import compare_chain, known_links
from engine.store.reader import Reader
from engine.store.seal import FINAL_DIGEST, ROW_HASH, row_hash


class Break(NamedTuple):
    """A run whose rows cannot be what was written, and the first thing that says so."""

    run_id: str
    what: str


class Chains(NamedTuple):
    """How many runs were looked at, and those that are broken."""

    runs: int
    broken: tuple[Break, ...]


def look_at_chains(reader: Reader) -> Chains:
    """Look at every run of the ledger. Raises ``LedgerError`` where the file cannot be read."""
    run_ids = reader.run_ids()
    found = ((run_id, _first_break(reader, run_id)) for run_id in run_ids)
    return Chains(len(run_ids), tuple(Break(run_id, what) for run_id, what in found if what))


def _first_break(reader: Reader, run_id: str) -> str | None:
    with reader.moment():
        try:
            record = reader.run(run_id)
            commits = {commit.last_step: commit.digest for commit in reader.commits(run_id)}
            progress = reader.progress(run_id)
            extent = reader.equity_extent(run_id)
            stored = reader.stored_run(run_id)
        except (LedgerCorrupt, ValueError) as error:
            return str(error)
    settled = record.step_index
    if extent != (settled, 0 if settled else None, settled - 1 if settled else None):
        rows, first, last = extent
        return f"equity has {rows:,} rows ({first} to {last}), and the run {settled:,} steps"
    if settled and settled - 1 not in commits:
        return f"commits has no digest of step {settled - 1}, the last"
    difference, _ = compare_chain(known_links(record, commits, progress), commits)
    if difference is not None:
        return str(difference)
    if record.status not in TERMINAL:
        return None
    sealed = record.metadata.get(ROW_HASH)
    if sealed is None or FINAL_DIGEST not in record.metadata:
        return "runs, column metadata: the run has ended and its seal is gone"
    if row_hash(stored) != sealed:
        return "runs: the row was changed after the run's end"
    return None
