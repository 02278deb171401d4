"""When and how the WAL goes into the database, and who keeps it from going.

SQLite before 3.51.3 can lose pages when one connection writes at the instant another checkpoints.
So none checkpoints by itself (``wal_autocheckpoint=0``), one process at a time does (a lock file),
and that one holds the write lock on a second connection meanwhile.

Frames that are in the database as well stay in the WAL until a commit finds no reader on them and
begins it anew. Where readers come and go without a gap no commit finds that: past ``URGENT_BYTES``
new readers are sent to the database, the others waited for, and the WAL is begun anew.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path
from typing import NamedTuple

from engine.failpoints import failpoint
from engine.store.connection import WAL_KEPT_BYTES, connect, is_busy, set_busy_timeout
from engine.store.holders import holders, wal_is_read
from engine.store.locks import file_lock

CHECKPOINT_BYTES = 16 * 2**20
# If readers keep frames pinned the WAL cannot be cut; it is tried again after so much more.
RETRY_BYTES = 4 * 2**20
URGENT_BYTES = 32 * 2**20
# How long writers are kept waiting for readers to end, by the size of the WAL.
URGENT = ((48 * 2**20, 2.0), (URGENT_BYTES, 0.25))
URGENT_POLL_SECONDS = 0.002
# A reader that so long a wait did not see the end of pins the WAL; it is waited for no more.
PINNED_SECONDS = 0.25
PINNED_AGAIN_SECONDS = 0.02


class Checkpoint(NamedTuple):
    """What a checkpoint did, in pages; ``pinned`` are those that a reader keeps in the WAL."""

    in_wal: int
    moved: int

    @property
    def pinned(self) -> int:
        return self.in_wal - self.moved


def lock_path(path: Path) -> Path:
    """The lock file of what one process at a time may do to the ledger: make it, checkpoint it.

    Not ``.lock``: that is the name SQLite's own dot-file locks take.
    """
    return path.with_name(f"{path.name}-lock")


def wal_path(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def wal_bytes(path: Path) -> int:
    """The size of the ledger's WAL; 0 if there is none."""
    try:
        return wal_path(path).stat().st_size
    except FileNotFoundError:
        return 0


class Checkpointer:
    """Moves the WAL into the database when it has grown; lives on the writer thread.

    ``pinned`` says, for people, who keeps the WAL from being cut; None while nobody does.
    """

    def __init__(self, path: Path, conn: sqlite3.Connection, *, vfs: str | None = None) -> None:
        self._path = path
        self._conn = conn
        self._vfs = vfs
        self._due_at = CHECKPOINT_BYTES
        self.last: Checkpoint | None = None
        self.pinned: str | None = None

    def due(self) -> bool:
        """Whether the WAL has grown enough; the cost is one ``stat``."""
        size = wal_bytes(self._path)
        if size < CHECKPOINT_BYTES:
            self._due_at = CHECKPOINT_BYTES
            self.pinned = None
        return size >= self._due_at

    def run(self) -> Checkpoint | None:
        """Checkpoint. None if there is nothing to do or another process is at it.

        Raises ``sqlite3.Error`` where the disk refuses; what was committed stays in the WAL.
        """
        size = wal_bytes(self._path)
        if not size:
            return None
        self._due_at = max(size, CHECKPOINT_BYTES) + RETRY_BYTES
        failpoint("checkpoint.before")
        with file_lock(lock_path(self._path), wait=False) as held:
            if not held:
                return None
            guard = connect(self._path, "rw", vfs=self._vfs)
            try:
                guard.execute("PRAGMA wal_autocheckpoint = 0")
                guard.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
                set_busy_timeout(guard, 0)
                with _write_lock(guard):
                    done = self._move_locked()
                patience = self._patience(size, done)
                if patience:
                    done = self._begin_anew(guard, patience)
            except sqlite3.OperationalError as error:
                if is_busy(error):
                    return None
                raise
            finally:
                guard.close()
        failpoint("checkpoint.after")
        if not done.pinned or (self.last is not None and done.moved > self.last.moved):
            self.pinned = None
        elif patience >= PINNED_SECONDS:
            self.pinned = self._name_readers(done)
        self.last = done
        return done

    def _move_locked(self) -> Checkpoint:
        """Copy what no reader is in the way of; nobody may write meanwhile."""
        failpoint("checkpoint.locked")
        _, in_wal, moved = self._conn.execute("PRAGMA main.wal_checkpoint(PASSIVE)").fetchone()
        failpoint("checkpoint.moved")
        return Checkpoint(in_wal, moved)

    def _begin_anew(self, guard: sqlite3.Connection, patience: float) -> Checkpoint:
        """Empty the WAL although readers come and go; give up where one stays too long."""
        until = time.monotonic() + patience
        while True:
            # Begun anew each time: this guard reads as well, and might be put beside a reader of
            # older pages, which it would then keep itself.
            with _write_lock(guard):
                done = self._move_locked()
            if done.pinned:
                if time.monotonic() >= until:
                    return done
                time.sleep(URGENT_POLL_SECONDS)
                continue
            # All is moved: who begins to read now, this guard too, leaves the WAL alone. Once the
            # others are gone, a commit cuts it.
            with _write_lock(guard):
                if self._move_locked() != done:  # somebody has written in between
                    if time.monotonic() < until:
                        continue
                    return done
                while wal_is_read(self._path):
                    if time.monotonic() >= until:
                        return done
                    time.sleep(URGENT_POLL_SECONDS)
                version = guard.execute("PRAGMA user_version").fetchone()[0]
                guard.execute(f"PRAGMA user_version = {version}")
                guard.execute("COMMIT")
            return done

    def _patience(self, size: int, done: Checkpoint) -> float:
        """For how many seconds writers may be kept waiting for readers to end; mostly for none."""
        last = self.last
        stuck = last is not None and done.moved == last.moved and done.in_wal > last.in_wal
        due = next((wait for least, wait in URGENT if size >= least), 0.0)
        if stuck and done.pinned:
            # The same reader, or by chance others just there: who is still there later is the same.
            due = max(due, PINNED_SECONDS)
        return due if self.pinned is None else min(due, PINNED_AGAIN_SECONDS)

    def _name_readers(self, done: Checkpoint) -> str:
        """Who stays on older pages while the WAL grows, for people."""
        who = [
            "this process" if holder.pid == getpid() else str(holder)
            for holder in holders(self._path)
            if holder.pins
        ]
        return (
            f"a reader keeps {done.pinned:,} pages in {wal_path(self._path).name} "
            f"({wal_bytes(self._path) / 2**20:.0f} MB), which grows until it ends its query: "
            f"{', '.join(who) or 'the system does not say which process'}"
        )


@contextmanager
def _write_lock(guard: sqlite3.Connection) -> Iterator[None]:
    """Keep every writer out; what was not committed inside is undone."""
    guard.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        if guard.in_transaction:
            guard.execute("ROLLBACK")
