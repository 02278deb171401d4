"""Disks that refuse: an error at each write, no room. What was said stays true."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from engine.errors import LedgerError, RunError
from engine.runs.lifecycle import MOVING
from engine.store import checkpoint
from engine.store.ledger import Ledger
from tests.cli.conftest import Command, rows
from tests.conftest import ROOT
from tests.faults.disk import (
    FULL,
    IOERR_FSYNC,
    IOERR_TRUNCATE,
    IOERR_WRITE,
    Disk,
    Op,
    Said,
    Sync,
    Truncate,
    library,
    watched,
)
from tests.faults.judge import Judge
from tests.faults.scale import SOAK, seeded
from tests.faults.works import by_hand, hold_bars, request
from tests.runs.conftest import Deck

STEPS: Final = 6


def refusing(kind: str, at: int) -> Callable[[Op], int | None]:
    """An error at the write (or sync, or cut) number ``at``: once, or there and ever after."""
    done = 0

    def refuse(op: Op) -> int | None:
        nonlocal done
        done += 1
        if done < at or (kind == "once" and done > at):
            return None
        if kind == "full":
            return None if isinstance(op, Sync | Truncate) else FULL
        if isinstance(op, Sync):
            return IOERR_FSYNC
        return IOERR_TRUNCATE if isinstance(op, Truncate) else IOERR_WRITE

    return refuse


def live(path: Path, disk: Disk) -> Counter[str]:
    """Begin a run by hand and decide some steps, saying what is acknowledged; the codes met."""
    met: Counter[str] = Counter()
    try:
        deck = Deck(path)
    except LedgerError as error:
        met[error.code] += 1
        return met
    try:
        session = deck.start(request("hand"))
        disk.said("run", session.run_id, "hand")
        while not session.closed.is_set() and (
            session.status not in MOVING or session.progress is None
        ):
            time.sleep(0.001)
        for step in range(STEPS):
            deck.service.submit(session.run_id, step, by_hand("AAPL", step), key=f"key-{step}")
            disk.said("step", session.run_id, step, f"key-{step}")
    except (LedgerError, RunError) as error:
        met[error.code] += 1
    finally:
        deck.die()
        deck.ledger.close()
    return met


@pytest.mark.skipif(library() is None, reason="this sqlite3 lets no VFS in")
@pytest.mark.parametrize("kind", ["once", "for ever", "full"])
def test_error_at_each_write(
    kind: str, tmp_path: Path, record_counts: Callable[[str], None]
) -> None:
    """Refused at this write: a typed error or none, all that was acknowledged is there, nothing is
    torn, and the run goes on to its undisturbed result."""
    hold_bars()

    def once(name: str, at: int) -> tuple[int, Counter[str]]:
        folder = tmp_path / name
        folder.mkdir()
        path = folder / "runs.db"
        Ledger.open(path).close()
        with watched(folder) as disk:
            if at:
                disk.refuse = refusing(kind, at)
            met = live(path, disk)
        judge = Judge(path)
        judge.told(op.words for op in disk.ops if isinstance(op, Said))
        judge.look()
        if SOAK or at % 5 == 0:
            judge.finish()
        shutil.rmtree(folder)
        return sum(not isinstance(op, Said) for op in disk.ops), met

    total, met = once("undisturbed", 0)
    assert not met
    seed, chance = seeded()
    every = list(range(1, total + 1))
    chosen = every if SOAK else sorted(chance.sample(every, -(-total // 5)))
    print(f"STEPDECK_SEED={seed}: {chosen}")
    told: Counter[str] = Counter()
    for at in chosen:
        told += once(str(at), at)[1]
    assert told["ledger_write_failed"], "no error reached anybody"
    said = ", ".join(f"{count} {code}" for code, count in sorted(told.items()))
    record_counts(
        f"error at a write, {kind}: {len(chosen)} of {total} writes and syncs refused ({said}), "
        f"0 acknowledged steps lost, none torn; {'all' if SOAK else 'a fifth'} resumed to their "
        "undisturbed result"
    )


SLOW = ("run", "sma_cross", "--symbols", "AAPL,IBM", "--speed", "2000", "--no-baselines")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for little, of its own; for who may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None or sys.platform != "linux":
        pytest.skip("mounting a small file system needs root")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=320k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no small file system to be had: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def like_elsewhere(stepdeck: Command, document: Mapping[str, object], tmp_path: Path) -> None:
    """The run came to what the same run comes to where there is room."""
    expected = stepdeck(*SLOW, "--db", tmp_path / "roomy.db", "--json").document
    for name in ("status", "equity", "total_return", "sharpe", "num_fills", "step_index"):
        assert document[name] == expected[name]


def wait_until(true: Callable[[], bool]) -> None:
    """Wait, for long if need be: machines are slow at times."""
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_disk_full(stepdeck: Command, small_disk: Path, tmp_path: Path) -> None:
    """On a real disk that is full the run waits, neither failed nor lost; once there is room it
    comes to the result it would have had."""
    ledger = small_disk / "runs.db"
    process = stepdeck.start(*SLOW, "--db", ledger, "--json")

    def full() -> bool:
        status = os.statvfs(small_disk)
        return status.f_bavail * status.f_frsize <= 8192

    wait_until(lambda: full() or process.poll() is not None)
    assert process.poll() is None, "it ended on a disk that was never full"
    assert rows(ledger, "SELECT status FROM runs") == [("running",)]
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    done = stepdeck.finish(process)
    assert (done.status, "Traceback" in done.err) == (0, False)
    like_elsewhere(stepdeck, done.document, tmp_path)
    assert stepdeck("verify", "@1", "--db", ledger).status == 0
    assert stepdeck("doctor", "--db", ledger).status == 0


def test_no_file_may_grow(stepdeck: Command, tmp_path: Path) -> None:
    """Killed while a limit of the shell's keeps its files small, it resumes to the same result."""
    ledger = tmp_path / "runs.db"
    Ledger.open(ledger).close()
    limit = ledger.stat().st_size
    with subprocess.Popen(
        [sys.executable, "-m", "tui.cli", *SLOW, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (limit, limit)),
    ) as process:
        try:
            wait_until(
                lambda: checkpoint.wal_bytes(ledger) > limit - 8192 or process.poll() is not None
            )
            assert process.poll() is None, "it ended before its files were full"
        finally:
            process.kill()
            _, err = process.communicate()
    assert "Traceback" not in err
    (run_id,) = (row[0] for row in rows(ledger, "SELECT run_id FROM runs"))
    done = stepdeck("resume", run_id, "--db", ledger, "--json")
    assert done.status == 0, done.err
    like_elsewhere(stepdeck, done.document, tmp_path)
    assert stepdeck("verify", run_id, "--db", ledger).status == 0


@pytest.fixture
def stepdeck() -> Iterator[Command]:
    command = Command()
    yield command
    with suppress(ProcessLookupError):
        command.stop()
