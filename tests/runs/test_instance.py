"""Owners: alive as long as their process is, by the kernel's word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from engine.runs.instance import Instance, describe, discard, is_alive, lock_path

HOLD = """
import sys
from pathlib import Path
from engine.runs.instance import Instance
instance = Instance.take(Path(sys.argv[1]))
print(instance.id, flush=True)
sys.stdin.read()
"""


def _holder(ledger: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(ledger)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def _reap(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_running_process_is_alive_and_a_killed_one_is_not(tmp_path: Path) -> None:
    """The lock goes with the process, without any clock."""
    ledger = tmp_path / "runs.db"
    process, identity = _holder(ledger)
    assert is_alive(ledger, identity)
    assert describe(ledger, identity)["pid"] == process.pid
    _reap(process)
    assert not is_alive(ledger, identity)


def test_a_stopped_process_is_alive(tmp_path: Path) -> None:
    """SIGSTOP, like a suspended laptop, is not death."""
    ledger = tmp_path / "runs.db"
    process, identity = _holder(ledger)
    os.kill(process.pid, signal.SIGSTOP)
    assert is_alive(ledger, identity)
    _reap(process)


def test_probing_does_not_disturb_the_owner(tmp_path: Path) -> None:
    """An owner that has been probed is still seen alive by the next probe."""
    ledger = tmp_path / "runs.db"
    held = Instance.take(ledger)
    assert [is_alive(ledger, held.id) for _ in range(3)] == [True] * 3
    held.beat(7)
    assert describe(ledger, held.id)["heartbeat"] == 7
    held.release()
    held.release()
    assert not is_alive(ledger, held.id)
    assert not lock_path(ledger, held.id).exists()


def test_an_unknown_instance_is_dead(tmp_path: Path) -> None:
    """No lock file means no owner; discarding what is not there is no error."""
    assert not is_alive(tmp_path / "runs.db", "nobody")
    assert describe(tmp_path / "runs.db", "nobody") == {}
    discard(tmp_path / "runs.db", "nobody")
