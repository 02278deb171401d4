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
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from engine.errors import LedgerError, RunError
from engine.runs.lifecycle import MOVING
from engine.runs.session import Session
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
from tests.faults.judge import Judge, replays, same, whole
from tests.faults.scale import SOAK, seeded, times
from tests.faults.works import by_hand, hold_bars, key_of, request, result, undisturbed
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


def until_it_moves(session: Session) -> None:
    """Wait until its steps can be decided. Raises what it stalls for, if that stays."""
    while session.status not in MOVING or session.progress is None or session.stall is not None:
        if session.stall is not None and session.stall.tries > 2:
            raise session.stall.error
        time.sleep(0.001)


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
        until_it_moves(session)
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


def outlast(path: Path, disk: Disk, refuse: Callable[[Op], int | None]) -> Counter[str]:
    """Move a strategy's run and one by hand on a disk that refuses, and is mended when it has
    refused two requests in a row; how often what was met."""
    met: Counter[str] = Counter()
    deck = Deck(path)
    try:
        moved = deck.ready(replace(request("quick"), baselines=False, paused=True))
        hand = deck.ready(request("hand"))
        asks: list[Callable[[], object]] = [partial(deck.service.resume, moved.run_id)]
        for step in range(2 * STEPS):
            decision, key = by_hand("AAPL", step), key_of(0, step)
            asks.append(partial(deck.service.submit, hand.run_id, step, decision, key=key))
        disk.refuse = refuse
        for ask in asks:
            in_a_row = 0
            while True:
                try:
                    ask()
                except LedgerError as error:
                    met[error.code] += 1
                    in_a_row += 1
                else:
                    break
                with deck.reader() as reader:
                    for session in (moved, hand):
                        assert reader.run(session.run_id).status in {*MOVING, "completed"}
                if in_a_row == 2:
                    met["stalled"] += moved.stall is not None
                    disk.refuse = lambda _op: None
        disk.refuse = lambda _op: None
        wait_until(moved.closed.is_set)
        with deck.reader() as reader:
            same(result(reader, moved.run_id), undisturbed("quick"))
            assert reader.run(hand.run_id).step_index == 2 * STEPS + 1
            for session in (moved, hand):
                replays(reader, session.run_id)
                whole(reader, session.run_id)
    finally:
        deck.close()
    return met


@pytest.mark.skipif(library() is None, reason="this sqlite3 lets no VFS in")
@pytest.mark.parametrize("kind", ["once", "for ever", "full"])
def test_runs_outlast_a_disk_that_refuses(
    kind: str, tmp_path: Path, record_counts: Callable[[str], None]
) -> None:
    """From any write on it refuses, until it is mended: no run ends for it, none is left, and each
    goes on by itself to its undisturbed result."""
    hold_bars()
    undisturbed("quick")
    seed, chance = seeded()
    chosen = sorted(chance.sample(range(1, 41), times(40)))
    print(f"STEPDECK_SEED={seed}: {chosen}")
    met: Counter[str] = Counter()
    for at in chosen:
        folder = tmp_path / str(at)
        folder.mkdir()
        with watched(folder) as disk:
            met += outlast(folder / "runs.db", disk, refusing(kind, at))
        shutil.rmtree(folder)
    assert met["ledger_write_failed"], "nobody was told"
    assert met["stalled"] or kind == "once", "no run stalled"
    record_counts(
        f"a disk that refuses, {kind}, from write 1 to 40 on, mended: {len(chosen)} pairs of runs "
        f"went on by themselves to their undisturbed results ({met['ledger_write_failed']} "
        f"requests refused and told, {met['stalled']} strategy runs stalled), none failed"
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
    assert process.stderr is not None
    assert "stalls since" in process.stderr.readline()
    assert rows(ledger, "SELECT status FROM runs") == [("running",)]
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    done = stepdeck.finish(process)
    assert (done.status, "Traceback" in done.err) == (0, False)
    statuses = "SELECT data ->> 'to' FROM events WHERE kind = 'status' ORDER BY seq"
    assert [to for (to,) in rows(ledger, statuses)] == [
        "created",
        "loading",
        "running",
        "completed",
    ]
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
