"""Who owns a run: one instance a process, alive as long as the kernel holds its lock.

Each process that writes a ledger holds an exclusive ``flock`` on a file named after its instance
beside the ledger. The kernel drops it when the process dies and keeps it while the process is
merely stopped, so a probe needs no clock. The file's text says who holds it, for people, and
carries the heartbeat, for file systems that have no locks.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from engine.errors import LedgerReadOnly
from engine.failpoints import failpoint
from engine.store.locks import instance_lock, lock_draft, lock_text

# What flock says where a file system has none.
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def lock_path(ledger: Path, instance: str) -> Path:
    """The lock file of ``instance`` beside ``ledger``."""
    return instance_lock(ledger, instance)


class Instance:
    """This process as an owner. Take it before the first row, release it after the last."""

    def __init__(self, ledger: Path, file: IO[str], identity: str, *, locked: bool) -> None:
        self.id = identity
        self._locked = locked
        self._path = lock_path(ledger, identity)
        self._file = file

    @classmethod
    def take(cls, ledger: Path) -> Instance:
        """A new instance that holds its lock. Raises ``LedgerReadOnly`` if the folder refuses."""
        while True:
            held = cls._make(ledger, str(uuid.uuid4()))
            # Under its name it is locked and filled from the first moment: a file that is not is
            # dead. Before it was locked somebody may have taken it for a dead one's, and away.
            try:
                lock_draft(ledger, held.id).rename(held._path)
            except FileNotFoundError:
                held._file.close()
                continue
            failpoint("instance.taken")
            return held

    @classmethod
    def _make(cls, ledger: Path, identity: str) -> Instance:
        """It, under another name."""
        draft = lock_draft(ledger, identity)
        failpoint("instance.before")
        try:
            file = draft.open("w", encoding="utf-8")
        except OSError as error:
            raise LedgerReadOnly(
                f"cannot write beside the ledger {ledger}: {error.strerror}",
                field="db",
                remedy="name a ledger in a folder you may write to with --db",
            ) from error
        failpoint("instance.made")
        held = cls(ledger, file, identity, locked=_lock(file))
        held.beat(0)
        failpoint("instance.locked")
        return held

    def beat(self, sequence: int) -> None:
        """Write the heartbeat counter and who we are into the lock file."""
        said = {"instance": self.id, "pid": os.getpid(), "heartbeat": sequence}
        if not self._locked:
            said["locked"] = False
        self._file.seek(0)
        self._file.write(json.dumps(said))
        self._file.truncate()
        self._file.flush()

    def release(self) -> None:
        """Drop the lock and remove its file. A second call does nothing."""
        if not self._file.closed:
            failpoint("instance.releasing")
            self._path.unlink(missing_ok=True)
            failpoint("instance.unlinked")
            self._file.close()


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def probe(ledger: Path, instance: str) -> bool | None:
    """Whether the lock of ``instance`` is held, by a process that runs or is stopped.

    None where the file system cannot say, or not to us: another person's lock file, say.
    """
    try:
        file = lock_path(ledger, instance).open(encoding="utf-8")
    except FileNotFoundError:
        return False
    except OSError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return None
        # Its owner may have been refused the lock where we are not.
        return None if describe(ledger, instance).get("locked") is False else False


def is_alive(ledger: Path, instance: str) -> bool:
    """Whether the process that is ``instance`` still lives (stopped counts as living).

    For showing: where locks cannot be probed it is taken to.
    """
    return probe(ledger, instance) is not False


def describe(ledger: Path, instance: str) -> dict[str, Any]:
    """What the lock file of ``instance`` says of its process: pid and heartbeat; empty if gone."""
    return lock_text(lock_path(ledger, instance))


def discard(ledger: Path, instance: str) -> None:
    """Remove the lock file that a dead instance left, where we may: it does no harm."""
    failpoint("discard.before")
    with suppress(OSError):
        lock_path(ledger, instance).unlink(missing_ok=True)
    failpoint("discard.after")
