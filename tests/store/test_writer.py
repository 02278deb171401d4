"""The one writer: whole transactions, in order, durable, patient, and checkpointed."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import LedgerBusy, LedgerError, LedgerRefused
from engine.store import checkpoint, writes
from engine.store.connection import connect, prepare_writer
from engine.store.holders import can_tell
from engine.store.ledger import Ledger
from engine.store.locks import file_lock
from engine.store.reader import Reader
from tests.store.kit import add, batch, columns, process, said, start, tell


def test_failed_write_leaves_nothing(ledger: Ledger) -> None:
    """An exception inside a write undoes all of it, reaches the caller and blocks nobody."""

    def half(conn: sqlite3.Connection) -> None:
        writes.insert_run(conn, columns("half"))
        raise KeyError("later")

    with pytest.raises(KeyError, match="later"):
        ledger.write(half)
    start(ledger, "next")
    with ledger.reader() as reader:
        assert [run.run_id for run in reader.runs()] == ["next"]
        assert reader.last_seq() == 1


def test_refused_row_leaves_no_transaction_open(path: Path, ledger: Ledger) -> None:
    """A constraint that fails must not leave the writer inside a transaction and others blocked."""
    start(ledger)
    with pytest.raises(LedgerRefused, match="in the ledger already"):
        start(ledger)
    with process("try_lock", path) as child:
        assert said(child) == "free"


def test_one_thread_writes(ledger: Ledger) -> None:
    """Writes of many threads run on one thread, one after another, none lost."""
    idents = set()

    def insert(conn: sqlite3.Connection, n: int) -> None:
        idents.add(threading.get_ident())
        writes.insert_run(conn, columns(f"run-{n}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: ledger.write(lambda conn: insert(conn, n)), range(200)))
    assert len(idents) == 1
    assert threading.get_ident() not in idents
    with ledger.reader() as reader:
        assert len(reader.runs()) == 200


def test_submitted_writes_land_in_order(ledger: Ledger) -> None:
    """Futures land in the order of submission, also when nobody waits before closing."""
    for n in range(50):

        def insert(conn: sqlite3.Connection, n: int = n) -> int:
            return writes.insert_run(conn, columns(f"run-{n}"))

        ledger.submit(insert)
    ledger.close()
    with Reader.open(ledger.path) as reader:
        assert [run.run_id for run in reader.runs()] == [f"run-{n}" for n in range(49, -1, -1)]


def test_write_in_a_write_is_refused(ledger: Ledger) -> None:
    """A write that would wait for itself says so instead of hanging."""
    with pytest.raises(RuntimeError, match="wait for itself"):
        ledger.write(lambda _: ledger.write(lambda _: None))


def test_closed_ledger(ledger: Ledger) -> None:
    """A closed ledger refuses writes; closing it again does nothing."""
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="is closed"):
        ledger.write(lambda _: None)


def test_waits_for_another_process(path: Path, ledger: Ledger) -> None:
    """A write waits, past the busy timeout too, while another process holds the lock; it says so.

    It lands when the other lets go.
    """
    with process("hold", path) as child:
        assert said(child) == "held"
        waiting = ledger.submit(lambda conn: writes.insert_run(conn, columns("late")))
        with Reader.open(path) as reader:
            assert reader.runs() == []
        while ledger.stall is None:
            assert not waiting.done()
        assert "another process holds the write lock" in ledger.stall
        assert not can_tell() or f"pid {child.pid}" in ledger.stall
        tell(child)
        assert waiting.result() == 1
        assert said(child) == "free"
    assert ledger.stall is None


def test_patience_ends(path: Path) -> None:
    """A write that has waited long enough names the reason; nothing is written, the next one is."""
    with Ledger.open(path, patience=0) as ledger, process("hold", path) as child:
        assert said(child) == "held"
        waiting = ledger.submit(lambda conn: writes.insert_run(conn, columns("never")))
        with pytest.raises(LedgerBusy, match="another process holds the write lock"):
            waiting.result()
        tell(child)
        assert said(child) == "free"
        start(ledger, "next")
        with ledger.reader() as reader:
            assert [run.run_id for run in reader.runs()] == ["next"]


def test_transactions_begin_immediate(path: Path, ledger: Ledger) -> None:
    """The write lock is held from the first statement on, reads before the first write included.

    A transaction that began as a reader fails at once when another process has committed since.
    """

    def look(conn: sqlite3.Connection) -> str:
        conn.execute("SELECT count(*) FROM runs").fetchone()
        with process("try_lock", path) as child:
            return said(child)

    assert ledger.write(look) == "busy"


def test_durable_settings(ledger: Ledger) -> None:
    """The writer syncs every commit, keeps foreign keys, and leaves checkpoints to us."""

    def settings(conn: sqlite3.Connection) -> list[object]:
        names = ("synchronous", "foreign_keys", "wal_autocheckpoint", "journal_mode")
        return [conn.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert ledger.write(settings) == [2, 1, 0, "wal"]
    with pytest.raises(LedgerRefused, match="FOREIGN KEY"):
        ledger.write(
            lambda conn: conn.execute("INSERT INTO commits VALUES ('nobody', 0, 'digest', 1)")
        )


@pytest.mark.parametrize(("platform", "synced"), [("linux", 0), ("darwin", 1)])
def test_what_a_connection_is_told_on_each_platform(
    path: Path, platform: str, synced: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS a sync must reach the disk and not its cache; elsewhere an fsync does."""
    Ledger.open(path).close()
    monkeypatch.setattr(sys, "platform", platform)
    said: list[str] = []
    conn = connect(path, "rw")
    try:
        conn.set_trace_callback(said.append)
        prepare_writer(conn)
        conn.set_trace_callback(None)
        assert conn.execute("PRAGMA fullfsync").fetchone() == (synced,)
    finally:
        conn.close()
    assert ("PRAGMA fullfsync = 1" in said) == bool(synced)
    for each in ("synchronous = FULL", "foreign_keys = ON", "wal_autocheckpoint = 0"):
        assert f"PRAGMA {each}" in said


@pytest.mark.parametrize("after", [1, 2, 40, 150])
def test_kill_loses_nothing_acknowledged(path: Path, after: int) -> None:
    """What a process was told is committed is there after kill -9, and no batch in part."""
    with process("append_for_ever", path) as child:
        for _ in range(after):
            acknowledged = int(said(child))
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    with Ledger.open(path) as ledger, ledger.reader() as reader:
        run = reader.run("run-1")
        assert run.step_index >= acknowledged
        assert run.step_index % 7 == 0
        assert reader.equity("run-1").steps.tolist() == list(range(run.step_index))
        assert reader.commits("run-1")[-1].digest == f"digest-{run.step_index}"
        key = reader.run_key("run-1")
        assert add(ledger, batch(key, run.step_index, 7))


def test_disk_full(path: Path) -> None:
    """A full disk refuses a write whole; what was acknowledged stays, and it goes on with room."""
    with process("small_disk", path, 600_000) as child:
        code, acknowledged = said(child).split()
        assert code == "ledger_write_failed"
        assert said(child) == "went on"
    with Reader.open(path) as reader:
        assert reader.run("run-1").step_index == int(acknowledged) + 1000
        assert len(reader.equity("run-1").steps) == int(acknowledged) + 1000


def test_wal_is_kept_small(path: Path, ledger: Ledger) -> None:
    """However much is written, the WAL stays small: it goes into the database as it grows."""
    key = start(ledger)
    largest = 0
    for first in range(0, 1_000_000, 20_000):
        part = batch(key, first, 20_000)
        assert add(ledger, part)
        largest = max(largest, checkpoint.wal_bytes(path))
    assert largest < 24 * 2**20
    assert path.stat().st_size > checkpoint.CHECKPOINT_BYTES


def test_no_checkpoint_while_another_is_at_it(path: Path, ledger: Ledger) -> None:
    """Only one process at a time checkpoints: the others leave it for later."""
    start(ledger)
    with file_lock(checkpoint.lock_path(path)) as held:
        assert held
        assert run_checkpoint(path) is None
    assert run_checkpoint(path) is not None


def test_no_checkpoint_while_another_writes(path: Path, ledger: Ledger) -> None:
    """A checkpoint never runs at the instant of a write: before SQLite 3.51.3 that loses pages."""
    start(ledger)
    assert ledger.write(lambda _: run_checkpoint(path)) is None
    done = run_checkpoint(path)
    assert done is not None
    assert done.pinned == 0


def run_checkpoint(path: Path) -> checkpoint.Checkpoint | None:
    """A checkpoint on a connection of its own."""
    conn = sqlite3.connect(path, isolation_level=None)
    try:
        return checkpoint.Checkpointer(path, conn).run()
    finally:
        conn.close()


def test_pinned_reader_is_counted(path: Path, ledger: Ledger) -> None:
    """A reader that stays inside a query keeps pages in the WAL, which the checkpoint counts."""
    key = start(ledger)
    with Reader.open(path) as reader, reader.moment():
        assert len(reader.runs()) == 1
        assert add(ledger, batch(key, 0, 10))
        pinned = run_checkpoint(path)
        assert pinned is not None
        assert pinned.pinned > 0
    free = run_checkpoint(path)
    assert free is not None
    assert free.pinned == 0
