"""What the deck costs: first paint, filter, memory, idle, and many rows that move.

    python -m tests.bench.deck

The command runs in a pty of 160 x 50 on a ledger of 10,000 finished runs, written as copies of one
real run. Then another process moves 200 runs of that ledger ten times a second, as their owner
would, while the deck shows them. Beside each figure stands the limit it has to keep. Nothing is
asserted: times wobble with the machine, which is printed too.
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
from datetime import date
from pathlib import Path

from engine.model import RunRequest
from engine.runs.instance import Instance
from tests.terminal.deck import Deck
from tui.gateway import Gateway

RUNS, LIVE, STARTS, FILTERS = 10_000, 200, 7, 12
SIZE = (160, 50)
SECONDS = 10.0
TICK_SECONDS = 0.1
TOTAL_STEPS = 100_000


def main() -> None:
    """Measure everything and print a line each."""
    print(
        f"python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, "
        f"load {os.getloadavg()[0]:.1f}; a terminal of {SIZE[0]} x {SIZE[1]}, {RUNS:,} runs"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        os.environ |= {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder}
        fill(path)
        first_paint(path)
        with Deck("--db", path, size=SIZE) as deck:
            deck.sees(f"{RUNS} completed")
            time.sleep(2.0)
            idle(deck, "idle")
            filtering(deck)
            deck.press("G")
            deck.sees("run 00000")
            memory(deck)
        with moving(path), Deck("watch", "--db", path, size=SIZE) as deck:
            deck.sees(f"{LIVE} running")
            time.sleep(2.0)
            live(deck)


def fill(path: Path) -> None:
    """One real run of a year, and copies of it with names of their own."""
    gateway = Gateway.open(path)
    record = gateway.create(
        RunRequest("buy_and_hold", symbols=("AAPL",), end=date(2000, 12, 29), name="run 00000",
                   baselines=False)
    )  # fmt: skip
    gateway.wait(record.run_id)
    gateway.close()
    copy_run(path, record.run_id, [(f"copy{n:05}", f"run {n:05}") for n in range(1, RUNS)])


def copy_run(path: Path, run_id: str, copies: list[tuple[str, str]]) -> None:
    """Rows of the run's own kind under other ids and names, with their curves and events."""
    with closing(sqlite3.connect(path)) as conn, conn:
        columns = [
            f'"{row[1]}"'
            for row in conn.execute("PRAGMA table_info(runs)")
            if row[1] not in ("run_key", "run_id", "name", "created_at")
        ]
        conn.executemany(
            f"INSERT INTO runs (run_id, name, created_at, {', '.join(columns)}) "
            f"SELECT ?, ?, ?, {', '.join(columns)} FROM runs WHERE run_id = ?",
            # Old enough that an age is no number of seconds, as those of most runs are.
            [(copy, name, "2025-06-01T00:00:00.000Z", run_id) for copy, name in copies],
        )
        conn.executemany(
            "INSERT INTO equity_points SELECT (SELECT run_key FROM runs WHERE run_id = ?), "
            "step_index, ts, equity, cash FROM equity_points "
            "WHERE run_key = (SELECT run_key FROM runs WHERE run_id = ?)",
            [(copy, run_id) for copy, _ in copies[-1000:]],
        )
        conn.executemany(
            "INSERT INTO events (run_id, at, kind, data) "
            "SELECT ?, at, kind, data FROM events WHERE run_id = ?",
            [(copy, run_id) for copy, _ in copies],
        )


def first_paint(path: Path) -> None:
    """From starting the process to the newest run's row."""
    times = []
    for _ in range(STARTS):
        began = time.perf_counter()
        with Deck("--db", path, size=SIZE) as deck:
            deck.writes(f"run {RUNS - 1:05}".encode(), 0)
            times.append(time.perf_counter() - began)
    print(
        f"first paint: {min(times):.2f} s best, {statistics.median(times):.2f} middle of {STARTS}"
        "   (<= 1.00 s)"
    )


def filtering(deck: Deck) -> None:
    """From the last letter of a filter to the one row that passes it."""
    times = []
    for number in range(FILTERS):
        wanted = 1000 + number * 731
        deck.press("/")
        deck.type(f"run name:{wanted // 10:04}")
        deck.sees(" shown")
        time.sleep(0.3)
        since = len(deck.raw)
        began = time.perf_counter()
        deck.type(f"{wanted % 10}")
        deck.writes(f"1 of {RUNS}".encode(), since)
        times.append((time.perf_counter() - began) * 1000)
        deck.press("esc")
        deck.loses(" shown")
    print(
        f"filter: {statistics.median(times):.0f} ms middle, {max(times):.0f} ms worst "
        f"of {FILTERS}   (<= 50 ms)"
    )


def memory(deck: Deck) -> None:
    """What the process holds with every run listed."""
    status = Path(f"/proc/{deck.process.pid}/status")
    if not status.exists():
        print("memory: not measured here, there is no /proc")
        return
    held = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines())
    now, most = (int(held[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    print(f"memory: {now:.0f} MB, {most:.0f} MB at its highest   (<= 200 MB)")


def ticks(deck: Deck) -> float:
    """The processor time the process has used so far, in seconds."""
    stat = Path(f"/proc/{deck.process.pid}/stat").read_text("utf-8")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def idle(deck: Deck, what: str) -> None:
    """The processor's share while nothing happens."""
    before, since = ticks(deck), len(deck.raw)
    time.sleep(SECONDS)
    used = 100 * (ticks(deck) - before) / SECONDS
    print(f"{what}: {used:.1f} % of a core, {len(deck.raw) - since} bytes written   (<= 1 %)")


def live(deck: Deck) -> None:
    """The processor's share while many rows move, and how often they were painted."""
    before, since = ticks(deck), len(deck.raw)
    time.sleep(SECONDS)
    used = 100 * (ticks(deck) - before) / SECONDS
    written = bytes(deck.raw[since:])
    frames = written.count(b"\x1b[?2026h")
    print(
        f"{LIVE} rows at {1 / TICK_SECONDS:.0f} updates/s: {used:.1f} % of a core, "
        f"{frames / SECONDS:.1f} frames/s, {len(written) / SECONDS / 1000:.0f} kB/s   (<= 25 %)"
    )


@contextmanager
def moving(path: Path) -> Iterator[None]:
    """Another process that owns runs and moves them."""
    with subprocess.Popen([sys.executable, "-m", "tests.bench.deck", "move", str(path)]) as other:
        try:
            yield
        finally:
            other.terminate()


def move(path: Path) -> None:
    """Own the newest runs and move each ten times a second, as batches of their own do."""
    owner = Instance.take(path)
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as conn:
        conn.execute("PRAGMA synchronous = OFF")
        ids = [f"live{number:03}" for number in range(LIVE)]
        source = conn.execute("SELECT run_id FROM runs WHERE name = 'run 00000'").fetchone()[0]
        copy_run(path, source, [(name, name) for name in ids])
        # A finished row cannot be changed, so the copies are made again as running ones.
        conn.execute("PRAGMA recursive_triggers = OFF")
        conn.execute("BEGIN")
        conn.execute("DROP TRIGGER runs_terminal_update")
        conn.executemany(
            "UPDATE runs SET status = 'running', step_index = 252, total_steps = ?, "
            "owner_instance = ?, finished_at = NULL WHERE run_id = ?",
            [(TOTAL_STEPS, owner.id, name) for name in ids],
        )
        conn.execute(
            "CREATE TRIGGER runs_terminal_update BEFORE UPDATE ON runs WHEN OLD.status IN "
            "('completed', 'failed', 'cancelled') "
            "BEGIN SELECT RAISE(ABORT, 'a finished run never changes'); END"
        )
        conn.execute("COMMIT")
        step = 252
        while True:
            began = time.monotonic()
            at = f"2026-01-01T00:00:00.{step % 1000:03}Z"
            conn.execute("BEGIN IMMEDIATE")
            for place, name in enumerate(ids):
                equity = 100_000 + (step * (place + 1)) % 5_000
                conn.execute(
                    "UPDATE runs SET step_index = ?, equity = ?, total_return = ?, updated_at = ? "
                    "WHERE run_id = ?",
                    (step, equity, equity / 100_000 - 1, at, name),
                )
                conn.execute(
                    "INSERT INTO equity_points SELECT run_key, ?, ?, ?, 0.0 FROM runs "
                    "WHERE run_id = ?",
                    (step, 946_684_800_000_000 + step * 86_400_000_000, equity, name),
                )
                conn.execute(
                    "INSERT INTO events (run_id, at, kind, data) VALUES (?, ?, 'progress', '{}')",
                    (name, at),
                )
            conn.execute("COMMIT")
            step += 1
            time.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - began)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["move"]:
        move(Path(sys.argv[2]))
    else:
        main()
