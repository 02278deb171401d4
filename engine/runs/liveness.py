"""Whether an owner lives: by the kernel's word where it has one, else by its heartbeat.

Where a lock can be probed it alone decides. Where it cannot, the watcher times, on its own
monotonic clock, how long it has seen the owner's counter stand still. Only time between two looks
counts, and a long absence of the watcher's own counts as a short one: a suspended laptop, a clock
set forward or back and a stopped watcher look like life.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.runs.clock import Clock
from engine.runs.instance import describe, probe

# The largest part of the staleness that one interval between two looks may make up.
_LONGEST_LOOK: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Watched:
    """An owner's counter, and for how many seconds it has been seen to stand still."""

    counter: int
    looked_at: float
    still: float


class Liveness:
    """What one process knows of the owners of one ledger. May be asked from any thread.

    ``stale_seconds`` 0: no silence is death. ``probe_locks`` False: heartbeats alone decide, for
    file systems whose locks lie.
    """

    def __init__(
        self,
        ledger: Path,
        clock: Clock,
        *,
        stale_seconds: float = 300.0,
        probe_locks: bool = True,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._stale_seconds = stale_seconds
        self._probe_locks = probe_locks
        self._watched: dict[str, _Watched] = {}
        self._lock = threading.Lock()

    def alive(self, owner: str, mirrored: int = 0) -> bool:
        """Whether the owner lives; in doubt it does.

        ``mirrored`` is the heartbeat of its rows, for where its lock file cannot be read.
        """
        known = self.probe(owner)
        return self._beats(owner, mirrored) if known is None else known

    def probe(self, owner: str) -> bool | None:
        """The kernel's word on the owner's lock; None where it may not be asked or cannot say."""
        return probe(self._ledger, owner) if self._probe_locks else None

    def _beats(self, owner: str, mirrored: int) -> bool:
        if not self._stale_seconds:
            return True
        counter = int(describe(self._ledger, owner).get("heartbeat", mirrored))
        now = self._clock.monotonic()
        with self._lock:
            seen = self._watched.get(owner)
            still = 0.0
            if seen is not None and seen.counter == counter:
                passed = max(now - seen.looked_at, 0.0)
                still = seen.still + min(passed, _LONGEST_LOOK * self._stale_seconds)
            self._watched[owner] = _Watched(counter, now, still)
            return still < self._stale_seconds
