"""What the lifecycle costs: ``python -m tests.bench.lifecycle [--cancels N] [PART…]``.

``recovery`` of a thousand orphans; ``history``: the newest hundred of ten thousand runs beside a
run at full speed; ``cancel`` from another process, as soon as such a run has begun (``elsewhere``
has other kinds of run, other moments, and where the time goes); ``heartbeat``. Each on a fresh
ledger in the folder that the command is given in.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from engine.drivers import commands
from engine.drivers.host import HEARTBEAT_SECONDS
from engine.model import RunRequest
from engine.runs.recovery import recover
from engine.store.ledger import Ledger
from engine.store.schema import RUN_COLUMNS
from tests.runs.conftest import SMA, Deck

ORPHANS = 1_000
HISTORY = 10_000
LONG = RunRequest(
    "momentum",
    {"lookback": 60, "top": 2, "every": 30},
    "synthetic:symbols=5,bars=600000,seed=1",
    timeframe="1Min",
    baselines=False,
)

# An owner that keeps one run at full speed: a new one as soon as the last has ended.
OWNER = """
import sys
from pathlib import Path
from engine.drivers.host import tune_interpreter
from tests.bench.lifecycle import LONG
from tests.runs.conftest import Deck
tune_interpreter()
deck = Deck(Path(sys.argv[1]))
while True:
    session = deck.start(LONG)
    deck.until(lambda: session.closed.is_set() or (
        session.progress is not None and session.progress.state.settled > 0))
    print(session.run_id, flush=True)
    session.closed.wait()
"""

READER = """
import json, sys, time
from pathlib import Path
from engine.store.reader import Reader
times = []
with Reader.open(Path(sys.argv[1])) as reader:
    for _ in range(2_000):
        began = time.perf_counter()
        found = reader.runs(limit=100)
        times.append((time.perf_counter() - began) * 1000)
        assert len(found) == 100
        time.sleep(0.002)
print(json.dumps(times))
"""


def main() -> None:
    """Print the machine and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cancels", type=int, default=200)
    parser.add_argument("parts", nargs="*", metavar="PART", default=list(PARTS))
    given = parser.parse_args()
    for part in given.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}: {', '.join(PARTS)}")
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, ")
    print(f"SQLite {sqlite3.sqlite_version}, journal WAL, synchronous FULL")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for part in given.parts:
            if part == "cancel":
                cancelling(Path(folder) / "cancel.db", given.cancels)
            else:
                PARTS[part](Path(folder) / f"{part}.db")


def recovery(path: Path) -> None:
    """From the start of a command to the last of a thousand orphans interrupted."""
    with closing(Deck(path)) as deck:
        run_id = deck.run(SMA).run_id
        _copies(deck.ledger, run_id, ORPHANS, "running", str(uuid.uuid4()))
        began = time.perf_counter()
        taken = recover(deck.ledger, deck.service.instance, deck.clock, deck.service.liveness)
        spent = time.perf_counter() - began
    assert len(taken) == ORPHANS
    print(f"recovery of {ORPHANS:,} orphans: {spent:.2f} s   limit 2 s, ratio {spent / 2:.2f}")


def history(path: Path) -> None:
    """The newest hundred of ten thousand runs, read beside a run at full speed."""
    with closing(Deck(path)) as deck:
        run_id = deck.run(SMA).run_id
        before = _memory()
        _copies(deck.ledger, run_id, HISTORY, "completed", None)
    with _owner(path) as lines:
        next(lines)
        # A process of its own, which does nothing else: as any reader, it opened the file mode=ro.
        done = subprocess.run(
            [sys.executable, "-c", READER, str(path)], stdout=subprocess.PIPE, check=True
        )
    first, *times = json.loads(done.stdout)
    _quantiles(f"the newest 100 of {HISTORY:,} runs, beside a run at full speed", times, 2.0)
    print(f"    the first time, when the reader knows none of them: {first:.2f} ms")
    with closing(Deck(path)) as deck:
        deck.run(SMA)
    print(f"memory with {HISTORY:,} runs in the ledger: {_memory() - before:+.0f} MB at the peak")


def cancelling(path: Path, count: int) -> None:
    """From asking to the row saying ``cancelled``, the run being another process's."""
    times = []
    with _owner(path) as lines, closing(Deck(path)) as deck:
        for _ in range(count):
            run_id = next(lines).strip()
            began = time.perf_counter()
            record = commands.ask(deck.service, run_id, "cancel")
            if record.status == "cancelled":
                times.append((time.perf_counter() - began) * 1000)
    _quantiles(f"{len(times)} cancels from another process, at full speed", times, 250.0)


def heartbeat(path: Path, beats: int = 400) -> None:
    """Processor time of this whole process a beat, with ten runs, over the time between two."""
    with closing(Deck(path)) as deck:
        for _ in range(10):
            deck.ready(replace(SMA, paused=True))
        deck.host.close()
        began = time.process_time()
        for _ in range(beats):
            deck.service.pulse.beat()
            # After the mirror of the last one: a beat does not wait for it.
            deck.ledger.write(lambda _conn: None)
        share = (time.process_time() - began) / beats / HEARTBEAT_SECONDS * 100
    print(f"heartbeat of ten runs: {share:.3f} % of a core   limit 0.1 %, ratio {share / 0.1:.2f}")


@contextmanager
def _owner(path: Path) -> Iterator[Iterator[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield iter(process.stdout.readline, "")
    finally:
        process.kill()
        process.communicate()


def _copies(ledger: Ledger, run_id: str, count: int, status: str, owner: str | None) -> None:
    """So many runs like ``run_id``, which has ended."""
    columns = [f'"{name}"' for name in RUN_COLUMNS if name not in ("run_id", "status")]
    put = [f"'{owner}'" if owner and name == '"owner_instance"' else name for name in columns]
    ledger.write(
        lambda conn: conn.execute(
            "WITH RECURSIVE series (value) AS (SELECT 1 UNION ALL SELECT value + 1 "
            "FROM series WHERE value < ?) "
            f"INSERT INTO runs (run_id, status, {', '.join(columns)}) "
            f"SELECT printf('%012x', value), '{status}', {', '.join(put)} "
            "FROM series, runs WHERE run_id = ?",
            (count, run_id),
        )
    )


def _memory() -> float:
    """The most this process has had at a time, in MB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1024 * 1024 if sys.platform == "darwin" else 1024)


def _quantiles(what: str, times: list[float], limit: float) -> None:
    quantiles = statistics.quantiles(times, n=100)
    print(
        f"{what}: p50 {statistics.median(times):.2f} ms, p99 {quantiles[98]:.2f} ms"
        f"   limit {limit:g} ms, ratio {quantiles[98] / limit:.2f}"
    )


PARTS: Mapping[str, Callable[..., None]] = {
    "recovery": recovery,
    "history": history,
    "cancel": cancelling,
    "heartbeat": heartbeat,
}

if __name__ == "__main__":
    main()
