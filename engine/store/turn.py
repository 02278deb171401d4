"""Turns at the write lock: the processes that write one ledger ask for it one after another.

SQLite's write lock knows no queue. A process that writes as fast as it can lets go of it for some
microseconds at a time, and another that looks every millisecond may miss hundreds of those gaps. So
whoever wants the lock first takes the turn, a ``flock`` on a file beside the ledger, and keeps it
until the lock is its own: the one that has just committed finds the turn taken, and waits.

It is a courtesy and guards nothing: where it cannot be had (no locks, a holder that was stopped in
its place) the lock is asked for without it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 0.0002
PATIENCE_SECONDS: Final = 0.25
"""How long a process waits for another to have had its turn."""
AGAIN_SECONDS: Final = 1.0
"""For how long it does without, once that was not enough."""


def turn_path(ledger: Path) -> Path:
    """The file whose lock is the turn; it stays, like every lock file."""
    return ledger.with_name(f"{ledger.name}-turn")


class Turn:
    """One writer's place in the queue; used by its thread alone."""

    def __init__(self, ledger: Path) -> None:
        self._descriptor: int | None = None
        self._without_until = 0.0
        with suppress(OSError):  # a folder that may not be written: then without
            self._descriptor = os.open(
                turn_path(ledger), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Have the turn inside the block, if it comes; whether it did."""
        held = self._take()
        try:
            yield held
        finally:
            if held and self._descriptor is not None:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _take(self) -> bool:
        if self._descriptor is None:
            return False
        until: float | None = None
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                now = time.monotonic()
                if until is None:
                    if now < self._without_until:
                        return False
                    until = now + PATIENCE_SECONDS
                elif now >= until:
                    self._without_until = now + AGAIN_SECONDS
                    return False
                time.sleep(LOOK_SECONDS)
            except OSError:  # no locks on this file system
                return False
            else:
                return True
