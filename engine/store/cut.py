"""The one write of a rewind: what came after a step goes to the ``discarded_*`` tables.

Nothing is lost. What stays is what the run's rows were when it stood at that step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.errors import LedgerRefused
from engine.failpoints import failpoint
from engine.model import CashFlow, Fill, OrderRecord
from engine.store import writes
from engine.store.append import StepRow
from engine.store.values import encode_columns, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where a run is cut, and what it is there.

    ``decided`` decisions and ``settled`` grid points stay. ``orders`` are those that were alive
    then, as they stood; ``fills`` counts the fills until then. ``holdings`` are rows of (symbol,
    quantity, average cost, last price); ``digest`` is that of all that stays; ``columns`` are
    columns of ``runs``. The lease is ``owner``, ``epoch``, and that the run is paused.
    """

    run_id: str
    run_key: int
    owner: str
    epoch: int
    decided: int
    settled: int
    fills: int
    orders: Sequence[OrderRecord]
    holdings: Sequence[tuple[str, float, float, float]]
    digest: str
    at: str
    columns: Mapping[str, Any] = field(default_factory=dict)


def cut(conn: sqlite3.Connection, cut: Cut) -> bool:
    """Move what came after the cut to the discarded rows; whether the lease held.

    The run's epoch and its rewind count are one higher then; the moved rows stand under the new
    count. False has changed nothing. Raises ``LedgerRefused`` for a cut past what the run has.
    """
    count = _take_lease(conn, cut)
    if count is None:
        return False
    run_id, settled = cut.run_id, cut.settled
    failpoint("rewind.leased")
    _reopen(conn, cut, count)
    of_run = "run_id = ? AND step_index >= ?"
    for table, fields, condition, first in (
        ("steps", (*StepRow._fields, "lease_epoch"), of_run, cut.decided),
        ("orders", OrderRecord._fields, of_run, cut.decided),
        ("fills", Fill._fields, "run_id = ? AND fill_id >= ?", cut.fills),
        ("cash_flows", CashFlow._fields, of_run, settled),
    ):
        names = ", ".join(fields)
        # In the order in which they stand: flows have no key but their rowid.
        conn.execute(
            f"INSERT INTO discarded_{table} (run_id, rewind_count, {names}) "
            f"SELECT run_id, ?, {names} FROM {table} WHERE {condition} ORDER BY step_index",
            (count, run_id, first),
        )
        conn.execute(f"DELETE FROM {table} WHERE {condition}", (run_id, first))
    failpoint("rewind.moved")
    conn.execute(_DISCARD_EQUITY, (run_id, count, cut.run_key, settled))
    conn.execute(
        "DELETE FROM equity_points WHERE run_key = ? AND step_index >= ?", (cut.run_key, settled)
    )
    conn.execute("DELETE FROM holdings WHERE run_id = ?", (run_id,))
    conn.executemany(_HOLDING, [(run_id, *row) for row in cut.holdings])
    conn.execute("DELETE FROM commits WHERE run_id = ? AND last_step >= ?", (run_id, settled - 1))
    conn.execute(_COMMIT, (run_id, settled - 1, cut.digest, cut.epoch + 1))
    told = {"from": settled, "to": settled, "rewind": count}
    writes.event(conn, run_id, "progress", told, cut.at)
    failpoint("rewind.written")
    return True


def _take_lease(conn: sqlite3.Connection, cut: Cut) -> int | None:
    """The conditional update that all else depends on; the run's new rewind count."""
    values = encode_columns(cut.columns) | {"step_index": cut.settled, "updated_at": cut.at}
    settings = ", ".join(f"{quoted(name)} = ?" for name in values)
    held = "run_key = ? AND run_id = ? AND owner_instance = ? AND lease_epoch = ? "
    lease = (cut.run_key, cut.run_id, cut.owner, cut.epoch)
    changed = conn.execute(
        f"UPDATE runs SET {settings}, lease_epoch = lease_epoch + 1, "
        f"rewind_count = rewind_count + 1 WHERE {held} AND status = 'paused' AND step_index >= ?",
        (*values.values(), *lease, cut.settled),
    ).rowcount
    if changed:
        row = conn.execute("SELECT rewind_count FROM runs WHERE run_id = ?", (cut.run_id,))
        return int(row.fetchone()[0])
    row = conn.execute(
        f"SELECT step_index FROM runs WHERE {held} AND status = 'paused'", lease
    ).fetchone()
    if row is None:
        return None
    raise LedgerRefused(
        f"run {cut.run_id} has {row[0]} settled steps and was to be cut at {cut.settled}",
        field="step_index",
    )


def _reopen(conn: sqlite3.Connection, cut: Cut, count: int) -> None:
    """Let the orders that were alive stand as they stood; what became of them is kept."""
    names = ", ".join(OrderRecord._fields)
    marks = ", ".join("?" * len(OrderRecord._fields))
    for record in cut.orders:
        key = (cut.run_id, record.step_index, record.order_id)
        where = "WHERE run_id = ? AND step_index = ? AND order_id = ?"
        became = conn.execute(f"SELECT {names} FROM orders {where}", key).fetchone()
        if became == tuple(record):
            continue
        conn.execute(
            f"INSERT INTO discarded_orders (run_id, rewind_count, {names}) "
            f"SELECT run_id, ?, {names} FROM orders {where}",
            (count, *key),
        )
        conn.execute(f"UPDATE orders SET ({names}) = ({marks}) {where}", (*record, *key))


_DISCARD_EQUITY: Final = (
    "INSERT INTO discarded_equity (run_id, rewind_count, step_index, ts, equity, cash) "
    "SELECT ?, ?, step_index, strftime('%Y-%m-%dT%H:%M:%SZ', ts / 1000000, 'unixepoch'), "
    "equity, cash FROM equity_points WHERE run_key = ? AND step_index >= ?"
)
_HOLDING: Final = (
    "INSERT INTO holdings (run_id, symbol, quantity, avg_cost, last_price) VALUES (?, ?, ?, ?, ?)"
)
_COMMIT: Final = "INSERT INTO commits (run_id, last_step, digest, lease_epoch) VALUES (?, ?, ?, ?)"
