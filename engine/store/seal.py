"""The seal of a finished run: a hash of its own row, one of its log, and its last digest (D3).

The digest is of what was settled; the log's hash is of what stands beside it in the ledger and no
replay can tell: who decided when and why, keys, epochs, the feed, what was rewound. All stand in
``metadata`` of the row they seal. Nothing else may change that row once it is terminal, so that
what was written with it holds for good.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from engine import codec
from engine.store.schema import RUN_COLUMNS
from engine.store.values import quoted

ROW_HASH: Final = "row_hash"
FINAL_DIGEST: Final = "final_digest"
LOG: Final = "log"

_LOG: Final = {
    "steps": "step_index",
    "commits": "last_step",
    "discarded_steps": "rewind_count, step_index",
    "discarded_orders": "rewind_count, step_index, order_id",
    "discarded_fills": "rewind_count, fill_id",
    "discarded_equity": "rewind_count, step_index",
    "discarded_cash_flows": "rewind_count, rowid",
    "events": "seq",
}

_SELECT = f"SELECT {', '.join(quoted(name) for name in RUN_COLUMNS)} FROM runs WHERE run_id = ?"


def row_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 over a row of ``runs`` as stored, but for the hash itself.

    What is NULL stays out, so that a column which a later version adds changes no hash. Raises
    ``ValueError`` where ``metadata`` is not the JSON object it should be.
    """
    metadata = codec.loads(row["metadata"])
    if not isinstance(metadata, dict):
        raise ValueError("metadata is no JSON object")  # noqa: TRY004  # one error for bad text
    metadata.pop(ROW_HASH, None)
    kept = {name: value for name, value in row.items() if value is not None}
    return hashlib.sha256(codec.dumps({**kept, "metadata": metadata}).encode()).hexdigest()


def log_hash(conn: sqlite3.Connection, run_id: str, seq: int) -> str:
    """SHA-256 over the run's log as stored: steps, commits, discarded rows, events up to ``seq``.

    What is NULL stays out, so that a column which a later version adds changes no hash.
    """
    found = hashlib.sha256()
    for table, order in _LOG.items():
        columns = sorted(
            (str(name), str(kind))
            for _, name, kind, *_ in conn.execute(f"PRAGMA table_info({table})")
        )
        found.update(f"{table}\n".encode())
        only = "run_id = ? AND seq <= ?" if table == "events" else "run_id = ?"
        values = (run_id, seq) if table == "events" else (run_id,)
        if any(kind == "REAL" for _, kind in columns):
            # SQLite's versions differ in how they write a figure as text; Python's do not.
            names = ", ".join(quoted(name) for name, _ in columns)
            rows = conn.execute(
                f"SELECT {names} FROM {table} WHERE {only} ORDER BY {order}", values
            )
            for row in rows:
                pairs = zip(columns, row, strict=True)
                kept = {name: value for (name, _), value in pairs if value is not None}
                found.update(codec.dumps(kept).encode())
        else:
            text = " || ".join(
                f"iif({quoted(name)} IS NULL, '', '{name}=' || quote({quoted(name)}) || ';')"
                for name, _ in columns
            )
            sql = f"SELECT {text} FROM {table} WHERE {only} ORDER BY {order}"
            for (line,) in conn.execute(sql, values):
                found.update(line.encode())
    return found.hexdigest()


def stored_row(conn: sqlite3.Connection, run_id: str) -> dict[str, Any] | None:
    """The run's row as it is stored, JSON columns as text; None if there is none."""
    row = conn.execute(_SELECT, (run_id,)).fetchone()
    return None if row is None else dict(zip(RUN_COLUMNS, row, strict=True))


def end_row(conn: sqlite3.Connection, run_id: str, status: str) -> None:
    """Give a run its terminal ``status``, sealed; everything else of its row is there already."""
    row = stored_row(conn, run_id)
    assert row is not None
    last = conn.execute(
        "SELECT digest FROM commits WHERE run_id = ? ORDER BY last_step DESC LIMIT 1", (run_id,)
    ).fetchone()
    metadata = codec.loads(row["metadata"])
    metadata[FINAL_DIGEST] = last[0] if last else None
    (seq,) = conn.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    metadata[LOG] = {"seq": seq, "hash": log_hash(conn, run_id, seq)}
    row |= {"status": status, "metadata": codec.dumps(metadata)}
    metadata[ROW_HASH] = row_hash(row)
    conn.execute(
        "UPDATE runs SET status = ?, metadata = ? WHERE run_id = ?",
        (status, codec.dumps(metadata), run_id),
    )
