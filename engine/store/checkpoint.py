"""When and how the WAL goes into the database.

SQLite before 3.51.3 can lose pages when one connection writes at the instant another checkpoints.
So none checkpoints by itself (``wal_autocheckpoint=0``), one process at a time does (a lock file),
and that one holds the write lock on a second connection meanwhile.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from engine.failpoints import failpoint
from engine.store.connection import connect, is_busy, set_busy_timeout
from engine.store.locks import file_lock

CHECKPOINT_BYTES = 16 * 2**20
# If readers keep frames pinned the WAL cannot be cut; it is tried again after so much more.
RETRY_BYTES = 4 * 2**20


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
    """Moves the WAL into the database when it has grown; lives on the writer thread."""

    def __init__(self, path: Path, conn: sqlite3.Connection, *, vfs: str | None = None) -> None:
        self._path = path
        self._conn = conn
        self._vfs = vfs
        self._due_at = CHECKPOINT_BYTES
        self.last: Checkpoint | None = None

    def due(self) -> bool:
        """Whether the WAL has grown enough; the cost is one ``stat``."""
        size = wal_bytes(self._path)
        if size < CHECKPOINT_BYTES:
            self._due_at = CHECKPOINT_BYTES
        return size >= self._due_at

    def run(self) -> Checkpoint | None:
        """Checkpoint, passively. None if there is nothing to do or another process is at it.

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
                set_busy_timeout(guard, 0)
                guard.execute("BEGIN IMMEDIATE")
                try:
                    failpoint("checkpoint.locked")
                    _, in_wal, moved = self._conn.execute(
                        "PRAGMA wal_checkpoint(PASSIVE)"
                    ).fetchone()
                    failpoint("checkpoint.moved")
                finally:
                    guard.execute("ROLLBACK")
            except sqlite3.OperationalError as error:
                if is_busy(error):
                    return None
                raise
            finally:
                guard.close()
        failpoint("checkpoint.after")
        self.last = Checkpoint(in_wal, moved)
        return self.last
