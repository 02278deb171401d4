"""What the screen takes from the engine: steps settled with the app open and without it.

    python -m tests.bench.throughput

Two runs of the momentum strategy, which settle thousands of rows a second, and two whose strategy
burns the processor, first in a process without a screen, then in the app in a pty of 160 x 50 that
shows their table; by turns, three times. Per second of the clock, and per second of the processor,
which other processes on the machine disturb less. Nothing is asserted: times wobble with the
machine, which is printed too.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from engine.drivers.host import tune_interpreter
from engine.model import RunRequest
from tests.bench.key_to_paint import BURNING, SIZE
from tests.terminal.deck import Deck
from tui.gateway import Gateway

ROUNDS, SECONDS, WARM_SECONDS = 3, 6.0, 2.0
KINDS = {"trading": "momentum", "burning": "{folder}/burning.py:Burning"}
RUNS = 2  # of each kind at a time
LIMIT = 0.85


class Pace(NamedTuple):
    """Steps settled per second of the clock and per second of the process's processor time."""

    clock: float
    processor: float


def main() -> None:
    """Measure each kind both ways by turns and print the ratios."""
    print(
        f"python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, "
        f"load {os.getloadavg()[0]:.1f}; a terminal of {SIZE[0]} x {SIZE[1]}"
    )
    for kind in KINDS:
        without, beside = [], []
        for _ in range(ROUNDS):
            without.append(measured(kind, screen=False))
            beside.append(measured(kind, screen=True))
        for name, number in (("clock", 0), ("processor", 1)):
            alone, shown = (
                statistics.median(pace[number] for pace in paces) for paces in (without, beside)
            )
            print(
                f"{RUNS} {kind} runs, steps per second of the {name}: {alone:,.0f} without a "
                f"screen, {shown:,.0f} beside it, ratio {shown / alone:.2f}   limit {LIMIT}"
            )


def measured(kind: str, *, screen: bool) -> Pace:
    """The pace of fresh runs, in the app or in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        os.environ |= {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder}
        prepare(path, Path(folder), kind)
        with in_app(path) if screen else alone(path) as pid:
            time.sleep(WARM_SECONDS)
            began, steps, ticks = time.perf_counter(), settled(path), used(pid)
            time.sleep(SECONDS)
            spent, made, burnt = (
                time.perf_counter() - began,
                settled(path) - steps,
                used(pid) - ticks,
            )
    return Pace(made / spent, made / burnt)


def prepare(path: Path, folder: Path, kind: str) -> None:
    """Runs that would take minutes, left for whoever takes them up."""
    (folder / "burning.py").write_text(BURNING, "utf-8")
    gateway = Gateway.open(path)
    for number in range(RUNS):
        gateway.create(
            RunRequest(
                KINDS[kind].format(folder=folder),
                source=f"synthetic:seed={number},bars=200000,symbols=10",
                timeframe="1Min",
                name=f"busy {number}",
                baselines=False,
                paused=True,
            )
        )
    gateway.close(live="interrupt")


@contextmanager
def alone(path: Path) -> Iterator[int]:
    """The runs in a process without a screen; its id."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.throughput", str(path)])
    try:
        all_run(path)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


@contextmanager
def in_app(path: Path) -> Iterator[int]:
    """The runs in the app, before the eyes of a person who does nothing; its process's id."""
    with Deck("--db", path, size=SIZE) as deck:
        deck.sees(f"{RUNS} interrupted")
        deck.press("a")
        deck.sees(f"{RUNS} marked")
        deck.press("R")
        deck.sees(f"{RUNS} paused")
        deck.press("p")
        all_run(path)
        yield deck.process.pid


def play(path: Path) -> None:
    """Take the runs up and let them go until the process is ended."""
    tune_interpreter()
    gateway = Gateway.open(path)
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as conn:
        names = [row[0] for row in conn.execute("SELECT run_id FROM runs")]
    for run_id in names:
        gateway.take_up(run_id, play=True)
    time.sleep(600)


def all_run(path: Path) -> None:
    """Wait until every run moves."""
    until = time.monotonic() + 60
    while asked(path, "SELECT count(*) FROM runs WHERE status = 'running' AND step_index > 1") < (
        RUNS
    ):
        assert time.monotonic() < until, "the runs do not start"
        time.sleep(0.1)


def settled(path: Path) -> int:
    """Grid points settled so far."""
    return asked(path, "SELECT sum(step_index) FROM runs")


def asked(path: Path, sql: str) -> int:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as conn:
        return int(conn.execute(sql).fetchone()[0])


def used(pid: int) -> float:
    """Seconds of the processor that a process has used."""
    user, system = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    if sys.argv[1:]:
        play(Path(sys.argv[1]))
    else:
        main()
