"""Dead or merely silent: locks decide, heartbeats where there are none, and never a wall clock."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from engine.runs.instance import Instance, is_alive, probe
from engine.runs.liveness import Liveness
from tests.runs.conftest import JumpClock


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def _blind(ledger: Path, clock: JumpClock, stale: float = 300.0) -> Liveness:
    """A watcher that has heartbeats alone to go by."""
    return Liveness(ledger, clock, stale_seconds=stale, probe_locks=False)


def test_a_held_lock_outweighs_any_silence(ledger: Path) -> None:
    """Where the lock can be probed it alone decides."""
    clock, owner = JumpClock(), Instance.take(ledger)
    watcher = Liveness(ledger, clock, stale_seconds=1.0)
    for _ in range(50):
        assert watcher.alive(owner.id)
        clock.ahead += 60
    owner.release()
    assert not watcher.alive(owner.id)


def test_a_counter_that_stands_still_is_death_in_the_end(ledger: Path) -> None:
    """Without locks: after the staleness has been watched to its end, and not a look before."""
    clock, owner = JumpClock(), Instance.take(ledger)
    watcher = _blind(ledger, clock)
    for _ in range(5):
        assert watcher.alive(owner.id)
        clock.ahead += 59
    assert watcher.alive(owner.id)
    clock.ahead += 59
    assert not watcher.alive(owner.id)
    owner.beat(1)
    assert watcher.alive(owner.id)
    owner.release()


def test_zero_disables_staleness(ledger: Path) -> None:
    """Then silence means nothing, however long."""
    clock, owner = JumpClock(), Instance.take(ledger)
    watcher = _blind(ledger, clock, stale=0.0)
    for _ in range(100):
        assert watcher.alive(owner.id)
        clock.ahead += 3600
    owner.release()


@pytest.mark.parametrize("jump", [3600.0, 86400.0, -3600.0, -86400.0])
def test_a_jump_of_the_wall_clock_reaps_nobody(ledger: Path, jump: float) -> None:
    """An owner that has not beaten since is as alive as it was."""
    clock, owner = JumpClock(), Instance.take(ledger)
    watcher = _blind(ledger, clock)
    for _ in range(200):
        assert watcher.alive(owner.id)
        clock.wall += jump
    owner.release()


@pytest.mark.parametrize("asleep", [3600.0, 86400.0])
def test_a_suspended_laptop_is_no_death(ledger: Path, asleep: float) -> None:
    """Watcher and owner sleep together: on waking the owner has time to beat, every time."""
    clock, owner = JumpClock(), Instance.take(ledger)
    watcher = _blind(ledger, clock)
    for beat in range(1, 100):
        assert watcher.alive(owner.id)
        clock.ahead += asleep  # a clock that counts sleep
        assert watcher.alive(owner.id)
        clock.ahead += 60
        assert watcher.alive(owner.id)
        owner.beat(beat)
    owner.release()


def test_the_rows_beat_where_the_file_cannot_be_read(ledger: Path) -> None:
    """The mirrored counter counts like the file's."""
    clock = JumpClock()
    watcher = _blind(ledger, clock)
    for beat in range(20):
        assert watcher.alive("somewhere-else", beat)
        clock.ahead += 250
    for _ in range(6):
        watcher.alive("somewhere-else", 20)
        clock.ahead += 60
    assert not watcher.alive("somewhere-else", 20)


def test_a_file_system_without_locks_is_no_death(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner that was refused its lock says so; those who probe it go by its heartbeat."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", refuse)
        owner = Instance.take(ledger)
        assert probe(ledger, owner.id) is None
    clock = JumpClock()
    watcher = Liveness(ledger, clock, stale_seconds=300.0)
    assert probe(ledger, owner.id) is None
    assert is_alive(ledger, owner.id)
    for beat in range(1, 10):
        assert watcher.alive(owner.id)
        clock.ahead += 200
        owner.beat(beat)
    for _ in range(6):
        watcher.alive(owner.id)
        clock.ahead += 60
    assert not watcher.alive(owner.id)
    owner.release()
