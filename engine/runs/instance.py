"""Who owns a run: one instance a process, alive as long as the kernel holds its lock.

Each process that writes a ledger holds an exclusive ``flock`` on a file named after its instance
beside the ledger. The kernel drops it when the process dies and keeps it while the process is
merely stopped, so a probe needs no clock. The file's text says who holds it, for people.
"""

from __future__ import annotations

import fcntl
import json
import os
import uuid
from pathlib import Path
from typing import IO, Any

from engine.errors import LedgerReadOnly
from engine.failpoints import failpoint
from engine.store.locks import instance_lock, lock_text


def lock_path(ledger: Path, instance: str) -> Path:
    """The lock file of ``instance`` beside ``ledger``."""
    return instance_lock(ledger, instance)


class Instance:
    """This process as an owner. Take it before the first row, release it after the last."""

    def __init__(self, ledger: Path, file: IO[str], identity: str) -> None:
        self.id = identity
        self._path = lock_path(ledger, identity)
        self._file = file

    @classmethod
    def take(cls, ledger: Path) -> Instance:
        """A new instance that holds its lock. Raises ``LedgerReadOnly`` if the folder refuses."""
        identity = str(uuid.uuid4())
        path = lock_path(ledger, identity)
        failpoint("instance.before")
        try:
            file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise LedgerReadOnly(
                f"cannot write beside the ledger {ledger}: {error.strerror}",
                field="db",
                remedy="name a ledger in a folder you may write to with --db",
            ) from error
        failpoint("instance.made")
        fcntl.flock(file, fcntl.LOCK_EX)
        failpoint("instance.locked")
        held = cls(ledger, file, identity)
        held.beat(0)
        failpoint("instance.taken")
        return held

    def beat(self, sequence: int) -> None:
        """Write the heartbeat counter and who we are into the lock file."""
        self._file.seek(0)
        json.dump({"instance": self.id, "pid": os.getpid(), "heartbeat": sequence}, self._file)
        self._file.truncate()
        self._file.flush()

    def release(self) -> None:
        """Drop the lock and remove its file. A second call does nothing."""
        if not self._file.closed:
            failpoint("instance.releasing")
            self._path.unlink(missing_ok=True)
            failpoint("instance.unlinked")
            self._file.close()


def is_alive(ledger: Path, instance: str) -> bool:
    """Whether the process that is ``instance`` still lives (stopped counts as living)."""
    try:
        file = lock_path(ledger, instance).open(encoding="utf-8")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def describe(ledger: Path, instance: str) -> dict[str, Any]:
    """What the lock file of ``instance`` says of its process: pid and heartbeat; empty if gone."""
    return lock_text(lock_path(ledger, instance))


def discard(ledger: Path, instance: str) -> None:
    """Remove the lock file that a dead instance left."""
    failpoint("discard.before")
    lock_path(ledger, instance).unlink(missing_ok=True)
    failpoint("discard.after")
