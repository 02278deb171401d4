"""Upgrades: all or nothing, once, whoever else starts and whatever dies."""

from __future__ import annotations

import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.store.connection import connect
from engine.store.ledger import Ledger
from engine.store.migrations import MIGRATIONS, SCHEMA_VERSION, migrate, schema_version
from tests.store.kit import process, start

if TYPE_CHECKING:
    from sqlite_utils import Database


def second(db: Database) -> None:
    """An upgrade there may be one day."""
    db.table("runs").add_column("colour", str)
    db.executescript(
        "CREATE TABLE palette (colour TEXT) STRICT; INSERT INTO palette VALUES ('red')"
    )


def third(db: Database) -> None:
    """Another."""
    db.execute("INSERT INTO palette VALUES ('blue')")


def broken(db: Database) -> None:
    """One that fails after it has written."""
    db.execute("CREATE TABLE half_done (x)")
    db.execute("INSERT INTO nothing VALUES (1)")


@pytest.fixture
def old(path: Path) -> Path:
    """A ledger of the present version with a run in it: old, for the upgrades above."""
    with Ledger.open(path) as ledger:
        start(ledger)
    return path


def schema(path: Path) -> list[tuple[str, ...]]:
    conn = sqlite3.connect(path)
    rows = conn.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    conn.close()
    return rows


def test_runs_what_is_due(old: Path) -> None:
    """Versions after the file's run in order, rows are kept, and a second time there is nothing."""
    conn = connect(old, "rw")
    assert migrate(conn, (*MIGRATIONS, second, third))
    assert schema_version(conn) == SCHEMA_VERSION + 2
    assert conn.execute("SELECT colour FROM palette").fetchall() == [("red",), ("blue",)]
    assert conn.execute("SELECT run_id, colour FROM runs").fetchall() == [("run-1", None)]
    assert not migrate(conn, (*MIGRATIONS, second, third))
    conn.close()


def test_failed_upgrade_changes_nothing(old: Path) -> None:
    """If a later version fails, those before it are undone too, and nobody stays locked out."""
    before = schema(old)
    conn = connect(old, "rw")
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        migrate(conn, (*MIGRATIONS, second, broken))
    assert not conn.in_transaction
    conn.close()
    assert schema(old) == before
    with Ledger.open(old) as ledger:
        start(ledger, "run-2")


def test_killed_in_an_upgrade(old: Path) -> None:
    """A process that dies in the middle leaves the file at its old version, whole."""
    before = schema(old)
    with process("die_in_migration", old) as child:
        assert child.wait() == -signal.SIGKILL
    assert schema(old) == before
    conn = connect(old, "rw")
    assert schema_version(conn) == SCHEMA_VERSION
    assert migrate(conn, (*MIGRATIONS, second))
    conn.close()


def test_upgraded_once_by_many(old: Path) -> None:
    """Of several that start together one upgrades, and the others find it done."""
    together = threading.Barrier(4)

    def upgrade() -> bool:
        conn = connect(old, "rw")
        together.wait()
        try:
            return migrate(conn, (*MIGRATIONS, second))
        finally:
            conn.close()

    with ThreadPoolExecutor(4) as pool:
        did = [future.result() for future in [pool.submit(upgrade) for _ in range(4)]]
    assert sorted(did) == [False, False, False, True]
    conn = sqlite3.connect(old)
    assert conn.execute("SELECT count(*) FROM palette").fetchone() == (1,)
    conn.close()
