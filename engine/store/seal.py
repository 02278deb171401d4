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
from typing import Any, Final, NamedTuple

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


class Hashed:
    """The hash of a live run's log as far as it is known already: its first steps.

    Steps are most of a log, and nothing but a rewind changes one that is committed. So its owner
    hashes them as they come, and the end of a long run need not read them all again.
    """

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._next = 0
        self._sha = hashlib.sha256(_heading(_FIRST))
        self._query: str | None = None

    def take_in(self, conn: sqlite3.Connection, run_id: str, epoch: int) -> None:
        """Hash the steps that have been added since.

        To be called inside a transaction that has added none itself: what it reads is committed
        then, and stays whether this transaction is or not.
        """
        self._be_of(epoch)
        self._next = self._add(self._sha, conn, run_id)

    def whole(self, conn: sqlite3.Connection, run_id: str, epoch: int) -> Any:
        """The hash over all steps, those of this transaction too; this one stays as it is."""
        self._be_of(epoch)
        found = self._sha.copy()
        self._add(found, conn, run_id)
        return found

    def _add(self, found: Any, conn: sqlite3.Connection, run_id: str) -> int:
        # The columns are the same for as long as the run is written here.
        self._query = self._query or _steps_query(conn)
        return _add_steps(found, conn, run_id, self._next, self._query)

    def _be_of(self, epoch: int) -> None:
        """Begin anew under another epoch: a rewind may have changed any step."""
        if epoch != self._epoch:
            self._epoch, self._next = epoch, 0
            self._sha = hashlib.sha256(_heading(_FIRST))


_FIRST: Final = next(iter(_LOG))
_AT_ONCE: Final = 2_000
"""Rows that SQLite makes one text of: each row asked for alone is a wait for the interpreter."""


def _heading(table: str) -> bytes:
    return f"{table}\n".encode()


class _Column(NamedTuple):
    """A column as a row's text has it."""

    name: str
    kind: str
    may_lack: bool

    @property
    def form(self) -> str:
        """What ``printf`` makes of it where it is there, as ``quote`` writes values."""
        return f"{self.name}={'%d' if self.kind == 'INTEGER' else '%Q'};"


def _columns(conn: sqlite3.Connection, table: str) -> list[_Column]:
    """The table's columns, in the order in which they are hashed."""
    found = conn.execute(f"PRAGMA table_info({table})")
    return sorted(_Column(str(row[1]), str(row[2]), not row[3]) for row in found)


def _line(columns: list[_Column]) -> str:
    """SQL: a row as text, what is NULL left out. One call makes most of it, for speed."""
    forms = "".join("%s" if column.may_lack else column.form for column in columns)
    values = [
        f"iif({quoted(column.name)} IS NULL, '', printf('{column.form}', {quoted(column.name)}))"
        if column.may_lack
        else quoted(column.name)
        for column in columns
    ]
    return f"printf('{forms}', {', '.join(values)})"


def _steps_query(conn: sqlite3.Connection) -> str:
    """SQL: the next steps of a run as one text, the last of them, and how many they are."""
    return (
        "SELECT group_concat(line, ''), max(step_index), count(*) FROM ("
        f"SELECT {_line(_columns(conn, _FIRST))} AS line, step_index FROM {_FIRST} "
        f"WHERE run_id = ? AND step_index >= ? ORDER BY step_index LIMIT {_AT_ONCE})"
    )


def _add_steps(found: Any, conn: sqlite3.Connection, run_id: str, first: int, query: str) -> int:
    """Add the steps from ``first`` on to a hash, as ``_steps_query`` reads them; the step to go on
    from."""
    while True:
        text, last, rows = conn.execute(query, (run_id, first)).fetchone()
        if rows:
            found.update(text.encode())
            first = last + 1
        if rows < _AT_ONCE:
            return first


def log_hash(conn: sqlite3.Connection, run_id: str, seq: int, steps: Any = None) -> str:
    """SHA-256 over the run's log as stored: steps, commits, discarded rows, events up to ``seq``.

    ``steps`` is the hash over all steps, where that is known. What is NULL stays out, so that a
    column which a later version adds changes no hash.
    """
    if steps is None:
        steps = hashlib.sha256(_heading(_FIRST))
        _add_steps(steps, conn, run_id, -(2**62), _steps_query(conn))
    found = steps
    for table, order in list(_LOG.items())[1:]:
        columns = _columns(conn, table)
        found.update(_heading(table))
        only = "run_id = ? AND seq <= ?" if table == "events" else "run_id = ?"
        values = (run_id, seq) if table == "events" else (run_id,)
        if any(column.kind == "REAL" for column in columns):
            # SQLite's versions differ in how they write a figure as text; Python's do not.
            names = ", ".join(quoted(column.name) for column in columns)
            rows = conn.execute(
                f"SELECT {names} FROM {table} WHERE {only} ORDER BY {order}", values
            )
            for row in rows:
                pairs = zip(columns, row, strict=True)
                kept = {column.name: value for column, value in pairs if value is not None}
                found.update(codec.dumps(kept).encode())
        else:
            # One text of many rows, in their order, which the LIMIT keeps.
            sql = (
                f"SELECT group_concat(line, ''), count(*) FROM (SELECT {_line(columns)} AS line "
                f"FROM {table} WHERE {only} ORDER BY {order} LIMIT {_AT_ONCE} OFFSET ?)"
            )
            done, more = 0, True
            while more:
                text, count = conn.execute(sql, (*values, done)).fetchone()
                found.update((text or "").encode())
                done, more = done + count, count == _AT_ONCE
    return str(found.hexdigest())


def stored_row(conn: sqlite3.Connection, run_id: str) -> dict[str, Any] | None:
    """The run's row as it is stored, JSON columns as text; None if there is none."""
    row = conn.execute(_SELECT, (run_id,)).fetchone()
    return None if row is None else dict(zip(RUN_COLUMNS, row, strict=True))


def end_row(
    conn: sqlite3.Connection, run_id: str, status: str, hashed: Hashed | None = None
) -> None:
    """Give a run its terminal ``status``, sealed; everything else of its row is there already.

    ``hashed`` is what its owner knows of its log's hash.
    """
    row = stored_row(conn, run_id)
    assert row is not None
    last = conn.execute(
        "SELECT digest FROM commits WHERE run_id = ? ORDER BY last_step DESC LIMIT 1", (run_id,)
    ).fetchone()
    metadata = codec.loads(row["metadata"])
    metadata[FINAL_DIGEST] = last[0] if last else None
    (seq,) = conn.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    steps = None if hashed is None else hashed.whole(conn, run_id, row["lease_epoch"])
    metadata[LOG] = {"seq": seq, "hash": log_hash(conn, run_id, seq, steps)}
    row |= {"status": status, "metadata": codec.dumps(metadata)}
    metadata[ROW_HASH] = row_hash(row)
    conn.execute(
        "UPDATE runs SET status = ?, metadata = ? WHERE run_id = ?",
        (status, codec.dumps(metadata), run_id),
    )
