"""Copies of a ledger that others go on writing: whole, of one instant, named when they are safe."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from engine.errors import InvalidOption, LedgerCorrupt, LedgerWriteFailed
from engine.failpoints import failpoint
from engine.store.connection import check_identity, check_version, connect, translate
from engine.store.drafts import draft_path, name_draft, remove_draft, sync

_STEP_PAGES = 4096


class Copy(NamedTuple):
    """A copy that was made, and what it holds."""

    path: Path
    bytes: int
    runs: int


def back_up(ledger: str | Path, target: str | Path, *, vfs: str | None = None) -> Copy:
    """Copy the ledger at ``ledger`` to ``target``, whoever writes it meanwhile.

    The copy holds every write that was acknowledged before the call, and is a ledger of its own.
    Raises ``InvalidOption`` where ``target`` exists or cannot be made, ``LedgerCorrupt`` for a
    ledger that is damaged, ``LedgerWriteFailed`` where the disk refuses, and what cannot be opened
    as a ledger; there is nothing at ``target`` then that was not there before.
    """
    source, path = Path(ledger).resolve(), Path(target).resolve()
    _check_target(path)
    try:
        check_identity(source, vfs=vfs, older=True)
        with closing(connect(source, "ro", vfs=vfs)) as conn:
            check_version(conn, source, older=True)
            return copy_to(conn, source, path)
    except sqlite3.Error as error:
        raise translate(error, source) from error


def copy_to(conn: sqlite3.Connection, source: Path, path: Path) -> Copy:
    """Copy what ``conn``, a reading connection on ``source``, sees now to a new file ``path``."""
    draft = draft_path(path)
    try:
        remove_draft(draft)
        try:
            _copy(conn, draft)
            failpoint("backup.copied")
            runs = _check(draft, source)
            sync(draft)
            failpoint("backup.synced")
            size = draft.stat().st_size
            if not name_draft(draft, path):
                raise _taken(path)
            failpoint("backup.named")
        finally:
            remove_draft(draft)
    except OSError as error:
        raise _unwritten(path, error.errno, error.strerror) from error
    return Copy(path, size, runs)


def _copy(conn: sqlite3.Connection, draft: Path) -> None:
    with closing(connect(draft, "rwc")) as target:
        # Nobody else knows the draft, and it is synced before it gets its name.
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        conn.execute("BEGIN")
        try:
            # Within one reading transaction, or a writer would make the copying begin anew.
            conn.execute("SELECT count(*) FROM sqlite_master").fetchone()
            try:
                conn.backup(target, pages=_STEP_PAGES, sleep=0.05)
            except sqlite3.OperationalError as error:
                raise _unwritten(draft, None, str(error)) from error
        finally:
            conn.execute("ROLLBACK")


def _check(draft: Path, source: Path) -> int:
    """How many runs the copy holds. Raises ``LedgerCorrupt`` if SQLite finds it damaged."""
    uri = f"file:{quote(str(draft))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as conn:
        try:
            (found,) = conn.execute("PRAGMA quick_check(1)").fetchone()
            runs = conn.execute("SELECT count(*) FROM runs").fetchone()[0] if found == "ok" else 0
        except sqlite3.DatabaseError as error:
            found, runs = str(error), 0
    if found != "ok":
        raise LedgerCorrupt(
            f"{source} is damaged, and so its copy would be ({found})",
            field="db",
            remedy="`stepdeck doctor` says more; restore it from an earlier backup",
        )
    return int(runs)


def _check_target(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise _taken(path)
    if not path.parent.is_dir():
        raise InvalidOption(
            f"the folder {path.parent} is not there",
            field="path",
            remedy="make it, or name another",
        )
    if not os.access(path.parent, os.W_OK):
        raise _unwritten(path, errno.EACCES, os.strerror(errno.EACCES))


def _taken(path: Path) -> InvalidOption:
    return InvalidOption(
        f"{path} is there already, and a backup overwrites nothing",
        field="path",
        remedy="name a file that is not there",
    )


_SHUT = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def _unwritten(
    path: Path, number: int | None, said: str | None
) -> InvalidOption | LedgerWriteFailed:
    if number in _SHUT:
        return InvalidOption(
            f"cannot write in {path.parent}: {said}",
            field="path",
            remedy="change its permissions, or name a file in another folder",
        )
    return LedgerWriteFailed(
        f"the disk refused the copy {path}: {said}",
        field="path",
        remedy="there is no copy; make room, or name a file on another disk",
    )
