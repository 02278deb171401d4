"""Clocks that jump: nobody who lives is taken for dead, by lock or by heartbeat."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from engine.runs.instance import Instance
from engine.runs.lifecycle import ACTIVE
from engine.runs.limits import Limits
from engine.runs.reaper import Reaper
from engine.runs.service import RunService
from engine.store.ledger import Ledger
from tests.faults.scale import seeded, times
from tests.runs.conftest import MANUAL, JumpClock

HOUR, DAY = 3600.0, 86_400.0
BEATS_EVERY: Final = 3
"""Looks of a watcher within which a living owner beats at least once."""


class Watch:
    """A process with a clock of its own."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.clock = JumpClock()
        self.service = RunService(
            Ledger.open(path), Instance.take(path), limits=limits, clock=self.clock
        )
        self.reaper = Reaper(self.service)

    def jump(self, chance: random.Random) -> str:
        """Something happens to the clock; what."""
        what = chance.choice(("an hour", "a day", "back an hour", "back a day", "suspend", "no"))
        if what == "suspend":
            # The machine slept: time has passed on both clocks at once.
            slept = chance.uniform(60, 3 * DAY)
            self.clock.wall += slept
            self.clock.ahead += slept
        elif what != "no":
            size = DAY if what.endswith("day") else HOUR
            if what.startswith("back"):
                # Monotonic clocks do not go back; wall clocks do.
                self.clock.wall -= size
            else:
                self.clock.wall += size
                self.clock.ahead += size * chance.choice((0, 1))
        return what

    def close(self) -> None:
        for session in list(self.service.sessions.values()):
            self.service.interrupt(session)
        self.service.instance.release()
        self.service.ledger.close()


@pytest.mark.parametrize("probing", [True, False], ids=["locks", "heartbeats"])
def test_jumps(probing: bool, tmp_path: Path, record_counts: Callable[[str], None]) -> None:
    """Hours and days, forwards and backwards, and a machine that sleeps: 0 false reaps."""
    seed, chance = seeded()
    print(f"STEPDECK_SEED={seed}")
    path = tmp_path / "runs.db"
    limits = Limits(heartbeat_stale_seconds=300.0, probe_locks=probing)
    owner, *watchers = watches = [Watch(path, limits) for _ in range(3)]
    jumps: Counter[str] = Counter()
    try:
        for move in range(4):
            session = owner.service.create(MANUAL)
            if move:
                owner.service.load(session)
            if move > 1:
                owner.service.begin(session)
            if move > 2:
                owner.service.pause(session.run_id)
        before = {run_id: owner.service.record(run_id).status for run_id in owner.service.sessions}
        assert set(before.values()) <= ACTIVE
        looks = times(2000)
        for look in range(looks):
            for watch in watches:
                jumps[watch.jump(chance)] += 1
            if look % BEATS_EVERY == 0:
                owner.service.pulse.beat()
            for watcher in watchers:
                assert watcher.reaper.sweep().adopted == []
        assert owner.reaper.sweep().adopted == []
        after = {run_id: owner.service.record(run_id).status for run_id in before}
        assert after == before
        # It is no blind eye: once the owner is dead, and only then, its runs are taken.
        owner.service.instance._file.close()
        taken: list[str] = []
        for _ in range(10):
            watchers[0].clock.ahead += 74
            taken += watchers[0].reaper.sweep().adopted
        assert set(taken) == set(before)
    finally:
        owner.service.sessions.clear()
        for watch in watches:
            watch.close()
    said = ", ".join(f"{what} {count}" for what, count in sorted(jumps.items()) if what != "no")
    how = "locks" if probing else "heartbeats alone"
    record_counts(f"clock jumps with {how}, {looks * len(watchers)} looks ({said}): 0 false reaps")
