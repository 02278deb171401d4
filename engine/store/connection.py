"""How SQLite is opened here, and what its errors mean to a person.

The file is only ever opened through SQLite: a descriptor of ours on the same file would, when
closed, drop every POSIX lock that this process's connections hold on it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from engine.errors import (
    LedgerBusy,
    LedgerCorrupt,
    LedgerError,
    LedgerMissing,
    LedgerReadOnly,
    LedgerRefused,
    LedgerTooNew,
    LedgerTooOld,
    LedgerWriteFailed,
    NotALedger,
    NotAvailable,
)
from engine.store.migrations import SCHEMA_VERSION, schema_version
from engine.store.schema import APPLICATION_ID

C = TypeVar("C", bound=sqlite3.Connection)

BUSY_SECONDS = 5.0
BESIDE = "batch"
"""What is laid beside a ledger is attached under this name."""
# After a complete checkpoint the WAL is cut back to this, so that its size says how much is in it;
# what is kept is written over, which syncs faster than a file that grows.
WAL_KEPT_BYTES = 8 * 2**20

_PRIMARY_CODE = 0xFF
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNWRITABLE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
_STORAGE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM})
_REFUSED = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG})


def require_sqlite() -> None:
    """Raises ``NotAvailable`` with a SQLite that has no STRICT tables."""
    if sqlite3.sqlite_version_info < (3, 37):
        raise NotAvailable(
            f"this Python has SQLite {sqlite3.sqlite_version}",
            field="db",
            remedy="the ledger needs 3.37 or later: use a newer Python",
        )


class WritingConnection(sqlite3.Connection):
    """A connection that may write, and what has been laid beside the ledger for it to read.

    ``beside`` is whose the rows there are; they are no part of the ledger, and of no transaction.
    """

    beside: object = None

    def lay_beside(self, image: bytes, whose: object) -> None:
        """Let SQL read ``image``, a database, as the schema ``batch``, instead of what was there.

        Raises ``sqlite3.OperationalError`` inside a transaction.
        """
        if self.beside is None:
            self.execute(f"ATTACH ':memory:' AS {BESIDE}")
        self.beside = self
        self.deserialize(image, name=BESIDE)
        self.beside = whose


def connect(path: Path, mode: str, *, vfs: str | None = None) -> sqlite3.Connection:
    """A connection in ``mode`` (``ro``, ``rw``, ``rwc``), in autocommit.

    A writing one is bound to the thread that opened it; ``Reader`` lets one thread at a time use a
    reading one. Those wait for locks too: many that start at once meet SQLITE_BUSY.
    """
    return _connect(path, mode, vfs, sqlite3.Connection)


def connect_writer(path: Path, *, vfs: str | None = None) -> WritingConnection:
    """The connection of a ledger's writer thread, in autocommit."""
    return _connect(path, "rw", vfs, WritingConnection)


def _connect(path: Path, mode: str, vfs: str | None, kind: type[C]) -> C:
    uri = f"file:{quote(str(path))}?mode={mode}" + (f"&vfs={vfs}" if vfs else "")
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=mode != "ro",
        factory=kind,
    )


def set_busy_timeout(conn: sqlite3.Connection, seconds: float) -> None:
    """How long ``conn`` waits for another's lock before it reports SQLITE_BUSY."""
    conn.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")


def prepare_writer(conn: sqlite3.Connection) -> str:
    """Set what a writing connection needs; the journal mode in force (``wal`` if it can be)."""
    journal = str(conn.execute("PRAGMA journal_mode = WAL").fetchone()[0])
    conn.execute("PRAGMA synchronous = FULL")
    if sys.platform == "darwin":
        # There an fsync alone leaves data in the drive's cache.
        conn.execute("PRAGMA fullfsync = 1")
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute("PRAGMA recursive_triggers = ON")
    conn.execute("PRAGMA wal_autocheckpoint = 0")
    conn.execute(f"PRAGMA journal_size_limit = {WAL_KEPT_BYTES}")
    return journal


def exists(path: Path) -> bool:
    """Whether there is a file. Raises ``LedgerReadOnly`` where one may not even look."""
    try:
        return path.exists()
    except PermissionError as error:
        raise LedgerReadOnly(
            f"cannot reach the ledger {path}: {error.strerror}",
            field="db",
            remedy="change the permissions of its folders, or name another with --db",
        ) from error


def check_identity(path: Path, *, vfs: str | None = None, older: bool = False) -> None:
    """Refuse what is no ledger to open without touching it: no lock, no journal, no file beside it.

    A read that sees neither locks nor WAL (``immutable=1``) is right about what never changes, the
    application id, which is in the file before the file has its name; about a newer version, since
    versions only rise; and about everything while nobody writes. What it leaves open, a proper read
    decides.

    Raises ``LedgerMissing``, ``NotALedger``, ``LedgerTooNew``, ``LedgerTooOld`` unless ``older`` is
    welcome, and ``LedgerCorrupt``.
    """
    if not exists(path):
        raise LedgerMissing(
            f"there is no ledger at {path}",
            field="db",
            remedy="name one with --db, or start a run to make one",
        )
    if not path.is_file():
        raise NotALedger(
            f"{path} is no file", field="db", remedy="name the ledger's file, not its folder"
        )
    remedy = "name another file with --db"
    if path.stat().st_size == 0:
        raise NotALedger(
            f"{path} is empty, which a ledger never is",
            field="db",
            remedy="restore it from a backup, or remove it to have a new one made",
        )
    written = _is_written(path)
    try:
        application, version = _header(path, vfs)
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
        if code == sqlite3.SQLITE_NOTADB:
            raise NotALedger(
                f"{path} is not a SQLite database", field="db", remedy=remedy
            ) from error
        if code == sqlite3.SQLITE_CORRUPT and (written or _is_written(path)):
            # Its first page may be ahead of the rest during a checkpoint.
            return
        raise translate(error, path) from error
    if application != APPLICATION_ID:
        raise NotALedger(
            f"{path} is a SQLite database of another program", field="db", remedy=remedy
        )
    _refuse_version(version, path, older=older or written or _is_written(path))


def _header(path: Path, vfs: str | None) -> tuple[int, int]:
    """Application id and schema version as they stand in the file itself."""
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1" + (f"&vfs={vfs}" if vfs else "")
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as conn:
        application = int(conn.execute("PRAGMA application_id").fetchone()[0])
        return application, schema_version(conn)


def _is_written(path: Path) -> bool:
    """Whether something may stand in a WAL or a journal that the file itself does not have."""
    for end in ("-wal", "-journal"):
        with suppress(FileNotFoundError):
            if path.with_name(path.name + end).stat().st_size > 0:
                return True
    return False


def check_version(conn: sqlite3.Connection, path: Path, *, older: bool = False) -> None:
    """Raises ``LedgerTooNew`` for a schema this program does not know, ``LedgerTooOld`` for one
    that wants upgrading, unless ``older`` is welcome.
    """
    _refuse_version(schema_version(conn), path, older=older)


def _refuse_version(version: int, path: Path, *, older: bool) -> None:
    if version < SCHEMA_VERSION and not older:
        raise LedgerTooOld(
            f"{path} has schema version {version} and this stepdeck reads {SCHEMA_VERSION}",
            field="db",
            remedy="`stepdeck doctor` upgrades it, once, and keeps a copy beside it",
        )
    if version > SCHEMA_VERSION:
        raise LedgerTooNew(
            f"{path} has schema version {version} and this stepdeck knows up to {SCHEMA_VERSION}",
            field="db",
            remedy="upgrade stepdeck, or name another ledger with --db",
        )


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another's lock was in the way, so that nothing happened and a retry may help."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE in _BUSY


def translate(error: sqlite3.Error, path: Path) -> LedgerError:
    """SQLite's error as one of ours, with what to do about it."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODE
    if code in _BUSY:
        return LedgerBusy(
            f"another process holds the write lock of {path}",
            field="db",
            remedy="try again, or end the process that holds it",
        )
    if code in _CORRUPT:
        return LedgerCorrupt(
            f"{path} is damaged or cut short ({error})",
            field="db",
            remedy="restore it from a backup; copies need its -wal file or `stepdeck backup`",
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        if not path.exists():
            return LedgerMissing(f"there is no ledger at {path}", field="db")
        return unwritable(path)
    if code in _UNWRITABLE:
        return unwritable(path)
    if code in _STORAGE:
        return LedgerWriteFailed(
            f"the disk refused {path}: {error}",
            field="db",
            remedy="nothing of that write is in the ledger; make room, then try again",
        )
    if code in _REFUSED:
        return LedgerRefused(f"the ledger refused a row: {error}", field=_column(error))
    return LedgerError(f"{path}: {error}", field="db")


def unwritable(path: Path, *, folder: bool = False) -> LedgerReadOnly:
    """The refusal of a ledger that may not be written, or whose ``folder`` may not."""
    folder = folder or not os.access(path.parent, os.W_OK)
    what = f"the folder {path.parent}" if folder else "the file"
    return LedgerReadOnly(
        f"cannot write the ledger {path}: {what} is not writable",
        field="db",
        remedy="change its permissions, or name a ledger in a folder you may write to with --db",
    )


def _column(error: sqlite3.Error) -> str | None:
    """``equity`` of ``NOT NULL constraint failed: fills.equity``."""
    _, colon, columns = str(error).partition("constraint failed: ")
    return columns.split(",")[0].strip() if colon else None
