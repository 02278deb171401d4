"""What the file itself holds against any program that opens it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from engine.errors import LedgerRefused
from engine.model import RunRecord
from engine.runs.lifecycle import ACTIVE, TERMINAL, Status
from engine.store import schema, writes
from engine.store.ledger import Ledger
from tests.store.kit import add, batch, busy_batch, columns, end, start


@pytest.fixture
def other(path: Path, ledger: Ledger) -> Iterator[sqlite3.Connection]:
    """Another program on the ledger, with SQLite's defaults (no foreign keys).

    There is a finished run ``done``, key 1, and a live one ``live``, key 2.
    """
    done = start(ledger, "done")
    add(ledger, batch(done, 0, 3, "done"))
    assert end(ledger, "done")
    start(ledger, "live")
    conn = sqlite3.connect(path, isolation_level=None)
    yield conn
    conn.close()


def row(conn: sqlite3.Connection, run_id: str = "done") -> tuple[object, ...] | None:
    found: tuple[object, ...] | None = conn.execute(
        "SELECT * FROM runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    return found


INSERT = (
    "INTO runs (run_key, run_id, strategy, driver, status, source, initial_cash, created_at, "
    "updated_at, config_hash, engine_version) "
    "VALUES ({key}, {run_id}, 's', 'strategy', 'running', 'x', 1.0, 'now', 'now', 'h', 'v')"
)
FORGERIES = {
    "update": "UPDATE runs SET status = 'running' WHERE run_id = 'done'",
    "update figures": "UPDATE runs SET total_return = 9.0 WHERE run_id = 'done'",
    "update end time": "UPDATE runs SET finished_at = 'never' WHERE run_id = 'done'",
    "update of all": "UPDATE runs SET cancel_requested_at = 'now'",
    "update or ignore": "UPDATE OR IGNORE runs SET status = 'failed' WHERE run_id = 'done'",
    "update or replace": "UPDATE OR REPLACE runs SET status = 'failed' WHERE run_id = 'done'",
    "rename": "UPDATE runs SET run_id = 'gone' WHERE run_id = 'done'",
    "another takes its id": "UPDATE OR REPLACE runs SET run_id = 'done' WHERE run_id = 'live'",
    "another takes its key": "UPDATE OR REPLACE runs SET run_key = 1 WHERE run_id = 'live'",
    "another takes its rowid": "UPDATE OR REPLACE runs SET rowid = 1 WHERE run_id = 'live'",
    "live run renamed": "UPDATE runs SET run_id = 'mine' WHERE run_id = 'live'",
    "replace by id": "INSERT OR REPLACE " + INSERT.format(key="NULL", run_id="'done'"),
    "replace": "REPLACE " + INSERT.format(key="NULL", run_id="'done'"),
    "replace by key": "REPLACE " + INSERT.format(key=1, run_id="'new'"),
    "replace a live run": "REPLACE " + INSERT.format(key="NULL", run_id="'live'"),
    "upsert": "INSERT "
    + INSERT.format(key="NULL", run_id="'done'")
    + " ON CONFLICT (run_id) DO UPDATE SET status = 'running'",
    "delete": "DELETE FROM runs WHERE run_id = 'done'",
    "delete of all": "DELETE FROM runs",
    "delete of a live run": "DELETE FROM runs WHERE run_id = 'live'",
}


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("sql", FORGERIES.values(), ids=FORGERIES)
def test_finished_run_never_changes(other: sqlite3.Connection, sql: str, recursive: bool) -> None:
    """No statement of another program changes, replaces, renames or removes a finished run."""
    other.execute(f"PRAGMA recursive_triggers = {recursive}")
    before = row(other), row(other, "live")
    with pytest.raises(sqlite3.IntegrityError):
        other.execute(sql)
    assert (row(other), row(other, "live")) == before
    assert other.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def test_live_run_changes(other: sqlite3.Connection) -> None:
    """The guards leave an ordinary update of a live run alone."""
    other.execute("UPDATE runs SET name = 'renamed' WHERE run_id = 'live'")
    assert other.execute("SELECT name FROM runs WHERE run_id = 'live'").fetchone() == ("renamed",)


def test_deleted_through_a_tombstone(other: sqlite3.Connection) -> None:
    """A delete passes once the run has its tombstone."""
    other.execute("INSERT INTO tombstones VALUES ('done', 'now', 'me', '{}')")
    other.execute("DELETE FROM runs WHERE run_id = 'done'")
    assert row(other) is None


@pytest.mark.parametrize("status", ["done", "", "RUNNING", None])
def test_only_legal_status(other: sqlite3.Connection, status: str | None) -> None:
    """A status outside the state table is refused by the file itself."""
    with pytest.raises(sqlite3.IntegrityError):
        other.execute("UPDATE runs SET status = ? WHERE run_id = 'live'", (status,))


def test_states_are_those_of_the_state_table(ledger: Ledger) -> None:
    """The schema knows every status of the lifecycle, and the same active and terminal ones."""
    for status in Status:
        start(ledger, f"run-{status}", status=status)
    with ledger.reader() as reader:
        assert {run.status for run in reader.runs()} == set(Status)
    active = ledger.write(lambda conn: conn.execute("SELECT status FROM active_runs").fetchall())
    assert {status for (status,) in active} == ACTIVE
    for status in Status:

        def rename(conn: sqlite3.Connection, status: str = status) -> None:
            conn.execute("UPDATE runs SET name = 'x' WHERE status = ?", (status,))

        if status in TERMINAL:
            with pytest.raises(LedgerRefused, match="a finished run never changes"):
                ledger.write(rename)
        else:
            ledger.write(rename)


def test_every_table_is_strict(other: sqlite3.Connection) -> None:
    """No table takes text for a number."""
    tables = other.execute(
        "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
        "AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    assert len(tables) == 16
    assert [name for name, strict in tables if not strict] == []


def test_runs_has_the_contracts_columns(other: sqlite3.Connection) -> None:
    """``runs`` has the record's columns in the record's order, after its key."""
    names = [name for _, name, *_ in other.execute("PRAGMA table_info(runs)")]
    assert names == ["run_key", *(field.name for field in fields(RunRecord))]


CONTRACT = {
    "steps": "run_id step_index step_id ts status decision_source idempotency_key decision result "
    "deadline_at decided_at lease_epoch",
    "orders": "run_id order_id step_index symbol side order_type quantity_type requested_quantity "
    "quantity limit_price stop_price time_in_force oco_group tag status reason filled_quantity "
    "closed_step",
    "fills": "run_id fill_id order_id step_index ts symbol side quantity price reference_price "
    "commission fees slippage realized_pnl position_after avg_cost_after",
    "equity": "run_id step_index ts equity cash",
    "cash_flows": "run_id step_index ts symbol kind quantity amount realized_pnl",
    "commits": "run_id last_step digest lease_epoch",
    "events": "seq run_id at kind data",
    "commands": "run_id kind data requested_at requested_by applied_at result error_code",
    "positions": "run_id symbol quantity avg_cost last_price market_value unrealized_pnl",
}


@pytest.mark.parametrize("table", CONTRACT)
def test_tables_have_the_contracts_columns(other: sqlite3.Connection, table: str) -> None:
    """Every table and view has at least the public columns, in their order."""
    names = [name for _, name, *_ in other.execute(f"PRAGMA table_info({table})")]
    wanted = CONTRACT[table].split()
    assert [name for name in names if name in wanted] == wanted


@pytest.mark.parametrize("table", ["steps", "orders", "fills", "cash_flows"])
def test_discarded_rows_have_a_place(other: sqlite3.Connection, table: str) -> None:
    """What a rewind discards keeps every column, under its rewind count."""
    kept = [name for _, name, *_ in other.execute(f"PRAGMA table_info({table})")]
    discarded = [name for _, name, *_ in other.execute(f"PRAGMA table_info(discarded_{table})")]
    assert discarded == ["run_id", "rewind_count", *kept[1:]]


def test_equity_view(other: sqlite3.Connection) -> None:
    """The public ``equity`` gives run ids and ISO stamps for the compact rows."""
    rows = other.execute(
        "SELECT * FROM equity WHERE run_id = 'done' ORDER BY step_index"
    ).fetchall()
    assert rows == [
        ("done", 0, "2026-03-02T14:30:00Z", 0.0, 0.0),
        ("done", 1, "2026-03-02T15:30:00Z", 1.0, 0.5),
        ("done", 2, "2026-03-02T16:30:00Z", 2.0, 1.0),
    ]


def test_equity_before_1970(ledger: Ledger) -> None:
    """Bars of before the epoch keep their day."""
    key = start(ledger)
    day = -86_400_000_000
    add(ledger, batch(key, 0, 1, stamps=[day]))
    assert ledger.write(lambda conn: conn.execute("SELECT ts FROM equity").fetchone()) == (
        "1969-12-31T00:00:00Z",
    )


def test_views(ledger: Ledger) -> None:
    """Leaderboard, lineage and positions say what their names say."""
    key = start(ledger, "run-1")
    start(ledger, "fork", parent_run_id="run-1", forked_at_step=5)
    start(ledger, "baseline", baseline_of="run-1")
    add(ledger, busy_batch(key, 0))
    for run_id in ("run-1", "baseline"):
        assert end(ledger, run_id)

    def look(conn: sqlite3.Connection) -> None:
        board = conn.execute("SELECT rank, run_id, total_return FROM leaderboard").fetchall()
        assert board == [(1, "run-1", 0.5)]
        lineage = conn.execute("SELECT * FROM run_lineage ORDER BY run_id").fetchall()
        assert lineage == [
            ("baseline", "baseline", "run-1", None, "run-1", 1),
            ("fork", "fork", "run-1", 5, "run-1", 1),
            ("run-1", "root", None, None, "run-1", 0),
        ]
        held = conn.execute("SELECT * FROM positions").fetchall()
        assert held == [("run-1", "AAPL", 10.0, 100.0, 110.0, 1100.0, 100.0)]

    ledger.write(look)


def test_any_program_can_open_it(other: sqlite3.Connection) -> None:
    """A program that trusts no schema reads every table and view."""
    other.execute("PRAGMA trusted_schema = OFF")
    names = other.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    for (name,) in names.fetchall():
        other.execute(f"SELECT * FROM {name}").fetchall()


def test_caps_are_counted_by_an_index(ledger: Ledger) -> None:
    """Counting active runs must not read through the history."""

    def plan(conn: sqlite3.Connection) -> str:
        rows = conn.execute(
            f"EXPLAIN QUERY PLAN SELECT count(*) FROM runs WHERE status IN {schema.ACTIVE} "
            "AND baseline_of IS NULL"
        ).fetchall()
        return str(rows)

    assert "USING INDEX runs_status" in ledger.write(plan)


def test_insert_refuses_unknown_columns(ledger: Ledger) -> None:
    """A column that the table lacks is named, and there is no row."""
    with pytest.raises(LedgerRefused, match="no column 'profit'"):
        ledger.write(lambda conn: writes.insert_run(conn, {**columns("x"), "profit": 1.0}))
    with ledger.reader() as reader:
        assert reader.runs() == []
        assert reader.last_seq() == 0
