"""What may be written, each inside a transaction of ``Ledger.write``, with the connection first.

The writes of a run's owner are conditional on its lease (owner, epoch, status) in the same
transaction. They answer whether they landed; where the lease is lost they write nothing at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

from engine import codec
from engine.errors import RunNotFound
from engine.failpoints import failpoint
from engine.store.append import Append, StepRow, append, laid_out
from engine.store.connection import WritingConnection
from engine.store.records import Command
from engine.store.schema import ACTIVE
from engine.store.seal import Hashed, end_row
from engine.store.values import encode_columns, quoted

__all__ = [
    "Append",
    "Connection",
    "StepRow",
    "WritingConnection",
    "adopt",
    "answer_command",
    "append",
    "count_active",
    "delete_run",
    "event",
    "heartbeat",
    "insert_run",
    "laid_out",
    "pending_commands",
    "refuse_commands",
    "request_cancel",
    "request_command",
    "transition",
    "update_run",
]

Connection = sqlite3.Connection

_CUT_SHORT = frozenset({"cancelled", "failed"})
_TERMINAL = _CUT_SHORT | {"completed"}
_LEFT = "interrupted"
_END_ORDERS = (
    "UPDATE orders SET reason = 'run_ended', "
    "status = iif(filled_quantity > 0, 'partially_filled', 'cancelled'), "
    "closed_step = (SELECT max(step_index - 1, 0) FROM runs WHERE run_id = ?) "
    "WHERE run_id = ? AND step_index >= ? AND status IN ('pending', 'resting')"
)

_CHILDREN = (
    "steps",
    "orders",
    "fills",
    "cash_flows",
    "holdings",
    "commits",
    "commands",
    "events",
    "discarded_steps",
    "discarded_orders",
    "discarded_fills",
    "discarded_equity",
    "discarded_cash_flows",
)


def insert_run(conn: Connection, columns: Mapping[str, Any]) -> int:
    """A new row of ``runs`` and its first ``status`` event; the run's integer key.

    JSON columns may be given as plain values. Raises ``LedgerRefused`` for a column that ``runs``
    does not have, a NaN, or a run id that is taken, ``RunNotFound`` for a baseline of no run.
    """
    values = encode_columns(columns)
    twin = values.get("baseline_of")
    if twin is not None and _status(conn, twin) is None:
        raise RunNotFound(f"run {twin}, whose baseline this would be, is gone", field="baseline_of")
    names = ", ".join(quoted(name) for name in values)
    marks = ", ".join("?" * len(values))
    cursor = conn.execute(
        f"INSERT INTO runs ({names}) VALUES ({marks})",
        tuple(values.values()),
    )
    key = cursor.lastrowid
    assert key is not None
    _status_event(
        conn, columns["run_id"], None, str(columns["status"]), None, columns["created_at"]
    )
    return key


def count_active(conn: Connection, agent_id: str | None = None) -> int:
    """How many runs count against the cap: all of them, or those of one agent; no baselines."""
    sql = f"SELECT count(*) FROM runs WHERE status IN {ACTIVE} AND baseline_of IS NULL"
    if agent_id is None:
        row = conn.execute(sql).fetchone()
    else:
        row = conn.execute(f"{sql} AND agent_id = ?", (agent_id,)).fetchone()
    return int(row[0])


def transition(
    conn: Connection,
    run_id: str,
    *,
    sources: Collection[str],
    to: str,
    owner: str | None,
    epoch: int | None,
    reason: str | None,
    at: str,
    columns: Mapping[str, Any],
    alive_from: int | None = 0,
    hashed: Hashed | None = None,
) -> bool:
    """Move a run to status ``to`` if it is in one of ``sources`` and the lease is as given.

    ``owner`` or ``epoch`` None asks for none in particular. ``columns`` are set with it. Whether it
    landed: False has changed nothing. The ``status`` event carries from, to and reason. The orders
    that were alive when a run is cancelled or fails end with it; a run that ends is sealed. Its
    owner knows more, and so makes it quick however long the run was: none of the orders alive is of
    a step before ``alive_from`` (None: there are none), ``hashed`` is what it has of the log's
    hash.
    """
    before = _status(conn, run_id)
    if before is None or before not in {str(source) for source in sources}:
        return False
    ends = str(to) in _TERMINAL
    # A terminal row is closed to every update: it gets that status last, with its own hash.
    values = {**encode_columns(columns), "status": before if ends else str(to), "updated_at": at}
    condition, lease = _lease(owner, epoch)
    changed = conn.execute(
        f"UPDATE runs SET {_settings(values)} WHERE run_id = ? AND status = ?{condition}",
        (*values.values(), run_id, before, *lease),
    ).rowcount
    if not changed:
        return False
    if to in _CUT_SHORT and alive_from is not None:
        conn.execute(_END_ORDERS, (run_id, run_id, alive_from))
    # Before the seal, which is of the feed as well.
    _status_event(conn, run_id, before, str(to), reason, at)
    if ends:
        failpoint("end.unsealed")
        end_row(conn, run_id, str(to), hashed)
        failpoint("end.sealed")
    if to == _LEFT:
        refuse_commands(conn, run_id, at)
    failpoint("transition.written")
    return True


def adopt(
    conn: Connection,
    run_id: str,
    *,
    new_owner: str,
    old_owner: str | None,
    old_epoch: int,
    sources: Collection[str],
    to: str,
    reason: str | None = None,
    at: str,
    columns: Mapping[str, Any],
) -> int | None:
    """Take a run over from ``old_owner`` at ``old_epoch``; the new epoch, or None if too late.

    However many try, one gets it: the others find another epoch.
    """
    before = _status(conn, run_id)
    if before is None or before not in {str(source) for source in sources}:
        return None
    values = {
        **encode_columns(columns),
        "status": str(to),
        "owner_instance": new_owner,
        "lease_epoch": old_epoch + 1,
        "updated_at": at,
    }
    failpoint("adopt.before")
    changed = conn.execute(
        f"UPDATE runs SET {_settings(values)} WHERE run_id = ? AND status = ? "
        "AND owner_instance IS ? AND lease_epoch = ?",
        (*values.values(), run_id, before, old_owner, old_epoch),
    ).rowcount
    if not changed:
        return None
    if before != str(to):
        _status_event(conn, run_id, before, str(to), reason, at)
    if to == _LEFT:
        refuse_commands(conn, run_id, at)
    failpoint("adopt.written")
    return old_epoch + 1


def update_run(
    conn: Connection,
    run_id: str,
    *,
    owner: str | None,
    epoch: int,
    at: str,
    columns: Mapping[str, Any],
    status: str | None = None,
) -> bool:
    """Set columns of a run that change nothing of its state; False if the lease is lost.

    The run must be active, or of the one ``status`` that is given.
    """
    values = {**encode_columns(columns), "updated_at": at}
    changed = conn.execute(
        f"UPDATE runs SET {_settings(values)} WHERE run_id = ? AND owner_instance IS ? "
        f"AND lease_epoch = ? AND (status = ? OR ? IS NULL AND status IN {ACTIVE})",
        (*values.values(), run_id, owner, epoch, status, status),
    ).rowcount
    return changed > 0


def heartbeat(conn: Connection, run_id: str, owner: str, epoch: int, seq: int, at: str) -> bool:
    """Show that the owner lives; False if the run is no longer its own, or no longer active."""
    changed = conn.execute(
        "UPDATE runs SET heartbeat_seq = ?, heartbeat_at = ? WHERE run_id = ? "
        f"AND owner_instance = ? AND lease_epoch = ? AND status IN {ACTIVE}",
        (seq, at, run_id, owner, epoch),
    ).rowcount
    return changed > 0


def request_cancel(conn: Connection, run_id: str, at: str) -> bool:
    """Ask the owner to cancel; the first request's time stays. False for a run that has ended."""
    changed = conn.execute(
        "UPDATE runs SET cancel_requested_at = coalesce(cancel_requested_at, ?) "
        f"WHERE run_id = ? AND (status IN {ACTIVE} OR status = 'interrupted')",
        (at, run_id),
    ).rowcount
    return changed > 0


def request_command(
    conn: Connection, run_id: str, kind: str, data: Mapping[str, Any], at: str, by: str | None
) -> int:
    """Leave a command for the run's owner; its id. Raises ``RunNotFound``."""
    if _status(conn, run_id) is None:
        raise RunNotFound(f"there is no run {run_id}", field="run")
    command_id = conn.execute(
        "INSERT INTO commands (run_id, kind, data, requested_at, requested_by) "
        "VALUES (?, ?, ?, ?, ?)",
        (run_id, str(kind), codec.dumps(dict(data)), at, by),
    ).lastrowid
    assert command_id is not None
    event(conn, run_id, "command", {"command_id": command_id, "kind": str(kind)}, at)
    return command_id


def pending_commands(conn: Connection, owner: str) -> list[Command]:
    """The unanswered commands to ``owner``'s runs, oldest first; also for a reading connection."""
    rows = conn.execute(
        "SELECT command_id, commands.run_id, kind, data, requested_at, requested_by, applied_at, "
        "result, commands.error_code FROM commands JOIN runs USING (run_id) "
        "WHERE applied_at IS NULL AND owner_instance = ? ORDER BY command_id",
        (owner,),
    ).fetchall()
    return [command_of(row) for row in rows]


def answer_command(
    conn: Connection,
    command_id: int,
    *,
    at: str,
    result: object = None,
    error_code: str | None = None,
) -> bool:
    """Record what became of a command. False if it has been answered already."""
    changed = conn.execute(
        "UPDATE commands SET applied_at = ?, result = ?, error_code = ? "
        "WHERE command_id = ? AND applied_at IS NULL",
        (at, None if result is None else codec.dumps(result), error_code, command_id),
    ).rowcount
    return changed > 0


def refuse_commands(conn: Connection, run_id: str, at: str) -> int:
    """Refuse what is left unanswered of a run that is nobody's now; how many there were.

    Asked of an owner that is gone, it must not be done by the next: a run that is taken up a day
    later would pause or step. A cancel stands, for it is about the run.
    """
    said = {"message": f"run {run_id} was left by its owner", "field": "run"}
    return conn.execute(
        "UPDATE commands SET applied_at = ?, error_code = 'run_not_active', result = ? "
        "WHERE run_id = ? AND applied_at IS NULL AND kind <> 'cancel'",
        (at, codec.dumps(said), run_id),
    ).rowcount


def event(conn: Connection, run_id: str, kind: str, data: Mapping[str, Any], at: str) -> None:
    """One entry of the change feed."""
    conn.execute(
        "INSERT INTO events (run_id, at, kind, data) VALUES (?, ?, ?, ?)",
        (run_id, at, kind, codec.dumps(dict(data))),
    )


def delete_run(conn: Connection, run_id: str, *, at: str, by: str | None) -> tuple[str, ...]:
    """Remove an ended or interrupted run and its baselines, with all their rows; the ids that went.

    The row of each stays as a tombstone's archive, its end as the last event of its feed. Nothing
    is removed, and no id answered, if one of them is active. Raises ``RunNotFound``.
    """
    # Imported here: it brings pandas along, which nothing else on this path needs.
    from sqlite_utils import Database

    db = Database(conn, execute_plugins=False)
    family = list(db["runs"].rows_where("run_id = ?", [run_id]))
    if not family:
        raise RunNotFound(f"there is no run {run_id}", field="run")
    family += db["runs"].rows_where("baseline_of = ?", [run_id], order_by="run_key")
    active = "SELECT 1 FROM active_runs WHERE run_id = :run_id OR baseline_of = :run_id"
    if conn.execute(active, {"run_id": run_id}).fetchone():
        return ()
    for row in family:
        gone = row["run_id"]
        db.table("tombstones").insert(
            {"run_id": gone, "deleted_at": at, "deleted_by": by, "archive": codec.dumps(row)}
        )
        failpoint("delete.archived")
        for name in _CHILDREN:
            db.table(name).delete_where("run_id = ?", [gone])
        db.table("equity_points").delete_where("run_key = ?", [row["run_key"]])
        db.table("runs").delete_where("run_id = ?", [gone])
        _status_event(conn, gone, row["status"], None, "deleted", at)
    return tuple(row["run_id"] for row in family)


def command_of(row: tuple[Any, ...]) -> Command:
    """A ``Command`` of its row, JSON decoded; what is not JSON, somebody else's, stays text."""
    command = Command(*row)
    return command._replace(
        data=_decoded(row[3]), result=None if row[7] is None else _decoded(row[7])
    )


def _decoded(text: str) -> Any:
    try:
        return codec.loads(text)
    except ValueError:
        return text


def _status(conn: Connection, run_id: str) -> str | None:
    row = conn.execute("SELECT status FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return None if row is None else str(row[0])


def _status_event(
    conn: Connection, run_id: str, before: str | None, to: str | None, reason: str | None, at: str
) -> None:
    reason = None if reason is None else str(reason)
    event(conn, run_id, "status", {"from": before, "to": to, "reason": reason}, at)


def _lease(owner: str | None, epoch: int | None) -> tuple[str, tuple[Any, ...]]:
    condition = ""
    values: list[Any] = []
    if owner is not None:
        condition += " AND owner_instance = ?"
        values.append(owner)
    if epoch is not None:
        condition += " AND lease_epoch = ?"
        values.append(epoch)
    return condition, tuple(values)


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{quoted(name)} = ?" for name in values)
