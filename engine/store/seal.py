"""The seal of a finished run: a hash of its own row, and the last digest of its chain (policy D3).

Both stand in ``metadata`` of the row they seal. Nothing else may change that row once it is
terminal, so the hash that was written with it holds for good.
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
    row |= {"status": status, "metadata": codec.dumps(metadata)}
    metadata[ROW_HASH] = row_hash(row)
    conn.execute(
        "UPDATE runs SET status = ?, metadata = ? WHERE run_id = ?",
        (status, codec.dumps(metadata), run_id),
    )
