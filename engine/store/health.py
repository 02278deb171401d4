"""What ``doctor`` asks of a ledger file: how it is kept, and whether it is whole."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from engine.store.checkpoint import wal_bytes
from engine.store.connection import check_identity, check_version, connect, translate
from engine.store.holders import Holder, can_tell, holders
from engine.store.locks import LockFile, lock_files
from engine.store.migrations import SCHEMA_VERSION, schema_version
from engine.store.structure import file_faults

WAL_RESET_FIXED = (3, 51, 3)
"""The first SQLite whose writes and checkpoints at one instant cannot lose pages."""


@dataclass(frozen=True, slots=True)
class Health:
    """``damage`` holds what SQLite's ``integrity_check`` found and what of the schema is changed,
    ``dangling`` counts rows of no run.

    ``holders`` are the other processes that have the file open, None where the system does not
    say; ``locks`` the lock files of instances beside it. The counts are None where damage keeps
    them from being taken. SQLite notices torn pages and lost
    rows, not a flipped bit in a figure: that is what the digest chain is for.
    """

    path: Path
    sqlite_version: str
    wal_reset_bug: bool
    schema_version: int
    known_schema_version: int
    journal_mode: str
    page_size: int
    pages: int
    free_pages: int
    wal_bytes: int
    runs: int | None
    events: int | None
    damage: tuple[str, ...]
    dangling: int | None
    holders: tuple[Holder, ...] | None
    locks: tuple[LockFile, ...]

    @property
    def sound(self) -> bool:
        """Whether SQLite finds nothing wrong."""
        return not self.damage and not self.dangling


def inspect(path: str | Path, *, vfs: str | None = None) -> Health:
    """The health of the ledger at ``path``, which is only read.

    Reads every page, so it takes a moment on a large ledger. Raises ``LedgerError`` kinds for what
    cannot be opened as a ledger at all.
    """
    file = Path(path).resolve()
    try:
        with closing(_open(file, vfs)) as conn:

            def pragma(name: str) -> int:
                return int(conn.execute(f"PRAGMA {name}").fetchone()[0])

            def count(table: str) -> int | None:
                rows = None if damage else conn.execute(f"SELECT count(*) FROM {table}").fetchone()
                return None if rows is None else int(rows[0])

            damage = file_faults(conn)
            return Health(
                path=file,
                sqlite_version=sqlite3.sqlite_version,
                wal_reset_bug=sqlite3.sqlite_version_info < WAL_RESET_FIXED,
                schema_version=schema_version(conn),
                known_schema_version=SCHEMA_VERSION,
                journal_mode=str(conn.execute("PRAGMA journal_mode").fetchone()[0]),
                page_size=pragma("page_size"),
                pages=pragma("page_count"),
                free_pages=pragma("freelist_count"),
                wal_bytes=wal_bytes(file),
                runs=count("runs"),
                events=count("events"),
                damage=damage,
                dangling=count("pragma_foreign_key_check"),
                # While this connection is open: the WAL's index is read through it.
                holders=_others(file),
                locks=tuple(lock_files(file)),
            )
    except sqlite3.Error as error:
        raise translate(error, file) from error


def _others(file: Path) -> tuple[Holder, ...] | None:
    if not can_tell():
        return None
    return tuple(holder for holder in holders(file) if holder.pid != os.getpid())


def _open(file: Path, vfs: str | None) -> sqlite3.Connection:
    check_identity(file, vfs=vfs)
    conn = connect(file, "ro", vfs=vfs)
    try:
        check_version(conn, file, older=True)
    except BaseException:
        conn.close()
        raise
    return conn
