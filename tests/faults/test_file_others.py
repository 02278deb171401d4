"""Others on the same file: readers beside a writer at full speed, somebody who keeps the lock."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from engine.store import checkpoint, health
from engine.store.backup import back_up
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.cli.conftest import Command
from tests.conftest import ROOT
from tests.faults.judge import Judge
from tests.faults.scale import SOAK
from tests.faults.works import by_hand, hold_bars, request
from tests.runs.conftest import Deck
from tests.store.kit import add, batch, start

PROCESSES, THREADS = 4, 8
LONG = os.environ.get("STEPDECK_LONG") == "1"


@contextmanager
def child(*words: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.file_children", *map(str, words)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


def tell(process: subprocess.Popen[str], word: str = "") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def test_readers_beside_a_writer(tmp_path: Path, record_counts: Callable[[str], None]) -> None:
    """32 readers in four processes while another writes as fast as it can: no reader meets an
    error or half a step, and the WAL stays small.

    First they read as screens do, then without a pause. What a commit takes then is mostly for want
    of processors: the same readers are set on a copy, where they share nothing with the writer but
    the machine, to tell that from what is the ledger's.
    """
    whole = 600 if LONG else 60 if SOAK else 6
    path, copy = tmp_path / "runs.db", tmp_path / "copy.db"
    Ledger.open(path).close()
    kinds = (
        ("that look ten times a second", path, "screen", 0.5),
        ("at full speed", path, "full", 1.0),
        ("of a copy at full speed", copy, "full", 0.1),
    )
    with child("write", path) as writer:
        assert said(writer) == ["writing"]
        for what, file, pace, share in kinds:
            if file is copy:
                back_up(path, copy)
            seconds = whole * share
            with ExitStack() as stack:
                readers = [
                    stack.enter_context(child("read", file, THREADS, pace))
                    for _ in range(PROCESSES)
                ]
                for reader in readers:
                    assert said(reader) == ["reading"]
                tell(writer, "lap")
                said(writer)
                threading.Event().wait(seconds)
                tell(writer, "lap")
                steps, largest, *told = said(writer)
                for reader in readers:
                    tell(reader)
                seen = [tuple(map(int, said(reader))) for reader in readers]
            reads, errors, halves = (sum(column) for column in zip(*seen, strict=True))
            took, waited = " / ".join(told[:3]), " / ".join(told[3:])
            record_counts(
                f"{PROCESSES * THREADS} readers {what} beside a writer, {seconds:.0f} s: "
                f"{reads:,} reads of {int(steps):,} steps, {errors} errors, {halves} half-steps; "
                f"WAL at most {int(largest) / 2**20:.0f} MB; a commit took {took} ms (median / p99 "
                f"/ most), of which it waited {waited} ms for a processor"
            )
            assert (errors, halves) == (0, 0)
            assert reads > PROCESSES * THREADS
            assert int(largest) < 64 * 2**20
        tell(writer)
        steps, *_ = said(writer)
    with Reader.open(path) as reader_:
        assert reader_.run("run-1").step_index == int(steps)
        assert len(reader_.equity("run-1").steps) == int(steps)
    assert health.inspect(path).sound


def test_somebody_keeps_the_write_lock(
    tmp_path: Path, record_counts: Callable[[str], None]
) -> None:
    """While another process keeps the lock runs wait, say why, lose nothing, and then go on."""
    seconds = 30 if SOAK else 5
    hold_bars()
    path = tmp_path / "runs.db"
    deck = Deck(path)
    judge = Judge(path)
    sessions = [deck.ready(request("hand")), deck.start(request("costly"))]
    judge.told(("run", session.run_id, session.request.name or "") for session in sessions)
    hand = sessions[0]
    with child("hold", path, seconds) as holder:
        assert said(holder) == ["held"]
        began = time.monotonic()
        stalls: set[str] = set()
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                if deck.ledger.stall is not None:
                    stalls.add(deck.ledger.stall)

        watcher = threading.Thread(target=watch)
        watcher.start()
        deck.service.submit(hand.run_id, 0, by_hand("AAPL", 0), key="key-0")
        waited = time.monotonic() - began
        done.set()
        watcher.join()
        assert said(holder) == ["free"]
    judge.told([("step", hand.run_id, 0, "key-0")])
    assert waited > seconds / 2, "the decision was acknowledged while another held the lock"
    if seconds > 5:
        assert any("another process holds the write lock" in stall for stall in stalls)
    assert deck.host.wait_idle(120)
    assert deck.service.record(sessions[1].run_id).status == "completed"
    deck.close()
    judge.look()
    judge.finish()
    record_counts(
        f"the write lock held by another process for {seconds} s: a decision waited "
        f"{waited:.1f} s, two runs lost nothing and came to their undisturbed results"
    )


def test_two_writers_and_readers_keep_the_wal_small(tmp_path: Path) -> None:
    """Two processes that write by turns, beside readers: both checkpoint, the WAL stays small."""
    path = tmp_path / "runs.db"
    with Ledger.open(path) as one, Ledger.open(path) as two, child("read", path, 2) as reader:
        keys = {one: start(one, "run-1"), two: start(two, "run-2")}
        assert said(reader) == ["reading"]
        largest = 0
        for first in range(0, 600_000, 20_000):
            for number, ledger in enumerate((one, two), 1):
                part = batch(keys[ledger], first, 20_000, run_id=f"run-{number}")
                assert add(ledger, part)
                largest = max(largest, checkpoint.wal_bytes(path))
        reader.kill()
    assert largest < 64 * 2**20
    assert health.inspect(path).sound


def test_doctor_beside_a_full_speed_writer(tmp_path: Path) -> None:
    """Doctor and backup work beside it, and find nothing wrong."""
    path = tmp_path / "runs.db"
    Ledger.open(path).close()
    stepdeck = Command()
    with child("write", path) as writer:
        assert said(writer) == ["writing"]
        done = stepdeck("doctor", "--json", "--db", path)
        assert done.status == 0, done.out
        copy = stepdeck("backup", tmp_path / "copy.db", "--db", path)
        assert copy.status == 0, copy.err
        tell(writer)
        said(writer)
    assert health.inspect(tmp_path / "copy.db").sound
