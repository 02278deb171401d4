"""The ledger: one SQLite file, one thread and one connection of this process that write it."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine.closing import Closing
from engine.errors import LedgerError, LedgerMissing, LedgerWriteFailed
from engine.failpoints import failpoint
from engine.store import checkpoint
from engine.store.checkpoint import Checkpointer
from engine.store.connection import (
    BUSY_SECONDS,
    WritingConnection,
    check_identity,
    check_version,
    connect,
    connect_writer,
    exists,
    is_busy,
    prepare_writer,
    require_sqlite,
    set_busy_timeout,
    translate,
    unwritable,
)
from engine.store.drafts import draft_path, name_draft, remove_draft
from engine.store.line import Line, Place
from engine.store.locks import file_lock
from engine.store.migrations import SCHEMA_VERSION, migrate, schema_version
from engine.store.reader import Reader
from engine.store.suspects import holder_text
from engine.store.turn import LOOK_SECONDS as _NEXT_LOOK_SECONDS
from engine.store.turn import Turn
from engine.store.upgrade import make_ready

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
STALL_SECONDS = 0.5
"""How long another's lock is in the way before it is said."""
_LOOK_SECONDS = 0.001
_SHUT = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class Ledger(Closing):
    """Open with ``Ledger.open``; use as a context manager, or ``close`` it.

    Writes are functions over the writing connection. Each runs on the writer thread inside one
    ``BEGIN IMMEDIATE`` transaction: committed and durable when its result is there, or not at all.
    """

    def __init__(self, path: Path, *, vfs: str | None, patience: float) -> None:
        self.path = path
        self._notices: tuple[str, ...] = ()
        self._vfs = vfs
        self._patience = patience
        self._stall: str | None = None
        self._closed = False
        self._unmoved = True
        self._transacting = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-writer")
        self._line = Line()
        self._turn: Turn
        self._conn: WritingConnection
        self._checkpointer: Checkpointer
        self._busy = 0.0
        self._writer_ident = 0

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        create: bool = True,
        vfs: str | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> Ledger:
        """The ledger at ``path``, made if it is not there and ``create`` is true.

        ``patience`` is for how many seconds a write waits for another process's write lock before
        it gives up with ``LedgerBusy``; ``vfs`` names SQLite's view of the file system where its
        usual one does not serve (``unix-dotfile`` where there are no POSIX locks).

        Raises ``LedgerMissing``, ``NotALedger``, ``LedgerTooNew``, ``LedgerReadOnly``,
        ``LedgerCorrupt``, ``LedgerBusy``; in each case what stands at ``path`` is as it was.
        """
        require_sqlite()
        file = Path(path).resolve()
        if create and not exists(file):
            _make(file, vfs)
        check_identity(file, vfs=vfs, older=True)
        failpoint("open.before")
        ledger = cls(file, vfs=vfs, patience=patience)
        try:
            ledger._thread.submit(ledger._start).result()
        except BaseException:
            ledger._thread.shutdown()
            raise
        return ledger

    def write(self, fn: Callable[[sqlite3.Connection], T], *, run_id: str | None = None) -> T:
        """What ``fn`` answers, once its transaction is durable.

        It lands after what was submitted before for the same ``run_id``, and goes ahead of what
        nobody waits for.

        What ``fn`` raises is raised here, with nothing of it written. Raises ``LedgerBusy`` and
        ``LedgerWriteFailed`` with nothing written (both may be tried again), ``LedgerRefused`` for
        a row against the schema's rules.
        """
        if threading.get_ident() == self._writer_ident:
            raise RuntimeError("a write inside a write would wait for itself")
        result = self._join(partial(self._transact, fn), run_id, waited=True).result()
        failpoint("acknowledge.after")
        return result

    def submit(
        self,
        fn: Callable[[sqlite3.Connection], T],
        *,
        run_id: str | None = None,
        before: Callable[[WritingConnection], None] | None = None,
    ) -> Future[T]:
        """The same without waiting. Writes of one run land in the order of submission.

        ``before`` is called when it is the write's turn, outside of its transaction, to lay beside
        the ledger what ``fn`` will take from there.
        """
        return self._join(partial(self._transact, fn, before), run_id, waited=False)

    def hurry(self, run_id: str) -> None:
        """Somebody waits for what was submitted for the run: it goes ahead as if written."""
        self._line.hurry(run_id)

    def _join(self, work: Callable[[], T], run_id: str | None, *, waited: bool) -> Future[T]:
        """Put a write in the line, and have the writer thread do one more of those in it."""
        if self._closed:
            raise LedgerError(f"the ledger {self.path} is closed", field="db")
        future: Future[T] = Future()

        def serve() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001  # it is for whoever asked
                future.set_exception(error)
            else:
                future.set_result(result)

        self._line.join(Place(serve, run_id, waited))
        try:
            self._thread.submit(self._write_next)
        except RuntimeError as error:  # closed by another thread, or by the interpreter's end
            raise LedgerError(f"the ledger {self.path} is closed", field="db") from error
        return future

    def reader(self) -> Reader:
        """A reader of this ledger, for the calling thread."""
        return Reader.open(self.path, vfs=self._vfs, check=False)

    @property
    def stall(self) -> str | None:
        """Why the writer waits right now: another process's lock. None if it does not."""
        return self._stall

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know of this ledger now: no WAL, a reader that pins it."""
        pinned = self._checkpointer.pinned
        return self._notices if pinned is None else (*self._notices, pinned)

    @contextlib.contextmanager
    def still(self, timeout: float = 1.0) -> Iterator[bool]:
        """Keep the writer out of transactions, for a process that is about to be stopped.

        One that is stopped inside a transaction holds SQLite's lock for everybody. Yields whether
        the writer stands still; it may not, if it is inside one for longer than ``timeout``
        seconds. May be called from a signal handler.
        """
        held = self._transacting.acquire(timeout=timeout)
        try:
            yield held
        finally:
            if held:
                self._transacting.release()

    def checkpoint(self) -> None:
        """Move the WAL into the database soon, if something was written since that was done.

        For moments when nobody waits for the writer; a WAL that grows is seen to without it.
        """
        if self._unmoved and not self._closed:
            with contextlib.suppress(RuntimeError):
                self._thread.submit(self._checkpoint_idle)

    def close(self) -> None:
        """Finish what was submitted, checkpoint, let go of the file. A second call does nothing."""
        if not self._closed:
            self._closed = True
            finished = self._thread.submit(self._finish)
            self._thread.shutdown(wait=True)
            finished.result()

    # -- on the writer thread -------------------------------------------------------------------

    def _start(self) -> None:
        self._writer_ident = threading.get_ident()
        try:
            conn = connect_writer(self.path, vfs=self._vfs)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        try:
            check_version(conn, self.path, older=True)
            _refuse_unwritable(conn)
            journal = prepare_writer(conn)
            self._upgrade(conn)
            # Under WAL whoever has begun to write meets no other lock; where each statement may,
            # SQLite waits for it.
            self._busy = 0.0 if journal == "wal" else min(BUSY_SECONDS, self._patience)
            set_busy_timeout(conn, self._busy)
        except sqlite3.Error as error:
            conn.close()
            raise translate(error, self.path) from error
        except BaseException:
            conn.close()
            raise
        if journal != "wal":
            notice = (
                f"the file system of {self.path} cannot do WAL: journal mode is {journal}, and "
                "readers and the writer wait for each other"
            )
            self._notices = (notice,)
        self._conn = conn
        self._turn = Turn(self.path)
        self._checkpointer = Checkpointer(self.path, conn, vfs=self._vfs)

    def _upgrade(self, conn: sqlite3.Connection) -> None:
        """Bring an older ledger to the present version, if nobody else uses it."""
        if schema_version(conn) >= SCHEMA_VERSION:
            return
        # One at a time, or two would each make a copy.
        with file_lock(checkpoint.lock_path(self.path)):
            migrate(conn, ready=lambda version: make_ready(self.path, version, vfs=self._vfs))

    def _write_next(self) -> None:
        self._line.next().work()

    def _transact(
        self,
        fn: Callable[[sqlite3.Connection], T],
        before: Callable[[WritingConnection], None] | None = None,
    ) -> T:
        conn = self._conn
        self._transacting.acquire()
        try:
            if before is not None:
                before(conn)
            failpoint("begin.before")
            with self._turn.taken() as mine:
                self._patiently("BEGIN IMMEDIATE", _NEXT_LOOK_SECONDS if mine else _LOOK_SECONDS)
            try:
                failpoint("begin.after")
                result = fn(conn)
                assert conn.in_transaction, "a write ended its own transaction"
                failpoint("commit.before")
                self._patiently("COMMIT", _LOOK_SECONDS)
            except BaseException:
                if conn.in_transaction:
                    conn.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        finally:
            self._transacting.release()
        failpoint("commit.after")
        self._unmoved = True
        if self._checkpointer.due():
            # Queued, so that whoever waits for this write does not wait for the checkpoint.
            with contextlib.suppress(RuntimeError):  # the thread is being shut down: close does it
                self._thread.submit(self._checkpoint)
        failpoint("acknowledge.before")
        return result

    def _patiently(self, statement: str, look_seconds: float) -> None:
        """Execute ``BEGIN IMMEDIATE`` or ``COMMIT``, waiting for another's lock, which is asked
        for every ``look_seconds`` at first.

        SQLite's own waiting looks up to ten times a second, and misses the gaps between the writes
        of a busy process for seconds; so it is asked often. Nothing has been lost when either
        reports SQLITE_BUSY (a COMMIT does so only without WAL).
        """
        conn = self._conn
        began, named = time.monotonic(), 0.0
        if self._busy:
            set_busy_timeout(conn, 0)
        try:
            while True:
                try:
                    conn.execute(statement)
                except sqlite3.OperationalError as error:
                    if not is_busy(error):
                        raise
                    waited = time.monotonic() - began
                    if waited >= self._patience:
                        raise
                    if waited >= named:
                        # Not at once: a lock that is held for a moment is no news.
                        named = waited + STALL_SECONDS
                        if waited:
                            self._stall = self._held_by()
                    time.sleep(look_seconds if waited < 1 else 10 * _LOOK_SECONDS)
                else:
                    return
        finally:
            self._stall = None
            if self._busy:
                set_busy_timeout(conn, self._busy)

    def _held_by(self) -> str:
        holders = holder_text(self.path)
        said = f"another process holds the write lock of {self.path}"
        return f"{said}: {holders}" if holders else said

    def _checkpoint(self) -> None:
        # What the disk refuses here it will refuse at the next commit too, where somebody is told.
        with contextlib.suppress(sqlite3.Error, OSError):
            if self._checkpointer.due():
                self._checkpointer.run()

    def _checkpoint_idle(self) -> None:
        with contextlib.suppress(sqlite3.Error, OSError):
            done = self._checkpointer.run()
            self._unmoved = done is not None and done.pinned > 0

    def _finish(self) -> None:
        failpoint("close.before")
        with contextlib.suppress(sqlite3.Error, OSError):
            self._checkpointer.run()
        failpoint("close.after")
        self._turn.close()
        self._conn.close()


def _refuse_unwritable(conn: sqlite3.Connection) -> None:
    """SQLite opens a write-protected file read-only and says so only at the first write."""
    set_busy_timeout(conn, 0)
    try:
        conn.execute("BEGIN IMMEDIATE")
        version = conn.execute("PRAGMA user_version").fetchone()[0]
        conn.execute(f"PRAGMA user_version = {version}")
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        set_busy_timeout(conn, BUSY_SECONDS)


def _make(path: Path, vfs: str | None) -> None:
    """Make the ledger under another name and give it its own when it is whole.

    So there is never half a ledger at ``path``, whatever happens and whoever else makes one.
    """
    folder = path.parent
    if not folder.is_dir():
        raise LedgerMissing(
            f"the folder {folder} is not there", field="db", remedy="make it, or name another"
        )
    draft = draft_path(path)
    try:
        with file_lock(checkpoint.lock_path(path)):
            if path.exists():
                return
            remove_draft(draft)
            failpoint("make.locked")
            try:
                conn = connect(draft, "rwc", vfs=vfs)
                try:
                    prepare_writer(conn)
                    migrate(conn)
                finally:
                    conn.close()
                failpoint("make.drafted")
                name_draft(draft, path)
                failpoint("make.named")
            finally:
                remove_draft(draft)
    except sqlite3.Error as error:
        raise translate(error, path) from error
    except OSError as error:
        if error.errno in _SHUT:
            raise unwritable(path, folder=True) from error
        raise LedgerWriteFailed(
            f"cannot make the ledger {path}: {error.strerror}",
            field="db",
            remedy="make room, or name a ledger on another file system with --db",
        ) from error
