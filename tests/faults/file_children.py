"""What other processes do to a ledger's file: ``python -m tests.faults.file_children VERB …``."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from engine.errors import LedgerError
from engine.runs.instance import Instance
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.store.kit import add, batch, busy_batch, start

TAIL = 500
POLL_SECONDS = 0.1


def say(*words: object) -> None:
    print(*words, flush=True)


def read(path: Path, threads: str, pace: str = "full") -> None:
    """Read in so many threads until a line comes; say how often, how many errors and half-steps.

    At ``full`` pace without a pause; else as screens do, ten times a second if anything changed.
    """
    reads, errors, halves = [0], list[str](), list[str]()
    stop = threading.Event()

    def look() -> None:
        with Reader.open(path) as reader:
            seen = -1
            while not stop.is_set():
                if pace != "full":
                    stop.wait(POLL_SECONDS)
                    version = reader.data_version()
                    if version == seen:
                        continue
                    seen = version
                try:
                    what = half_step(reader)
                except LedgerError as error:
                    errors.append(str(error))
                else:
                    if what is not None:
                        halves.append(what)
                reads[0] += 1

    every = [threading.Thread(target=look) for _ in range(int(threads))]
    for thread in every:
        thread.start()
    say("reading")
    sys.stdin.readline()
    stop.set()
    for thread in every:
        thread.join()
    for line in (*errors, *halves):
        print(line, file=sys.stderr)
    say(reads[0], len(errors), len(halves))


def half_step(reader: Reader) -> str | None:
    """What does not belong together in one moment of the run; None if all does."""
    with reader.moment():
        run = reader.run("run-1")
        settled = run.step_index
        since = max(settled - TAIL, 0)
        tail = reader.equity("run-1", since=since)
        commits = reader.commits("run-1", since=settled - 1)
        fills = reader.fills("run-1", since=settled - 1)
        orders = reader.orders("run-1", since=settled - 1)
        steps = reader.steps("run-1", since=settled - 1)
    if tail.steps.tolist() != list(range(since, settled)):
        return f"equity ends at {tail.steps[-1:]} and the run has {settled}"
    if settled and (not commits or commits[0].last_step != settled - 1):
        return f"the last commit is {commits} and the run has {settled}"
    # Every fiftieth step is a busy one, and closes a batch of its own.
    expected = (1, 2, 1) if settled % 50 == 1 else (0, 0, 0)
    rows = (len(fills), len(orders), len(steps))
    if settled and rows != expected:
        return f"step {settled - 1} has {rows} fills, orders and steps, not {expected}"
    return None


def write(path: Path) -> None:
    """Write as fast as can be until a line comes: batches that end with a busy step.

    Then, and at each line ``lap`` before, say how many steps there are; and since the last time the
    largest WAL, what a commit took in ms (median, 99 of 100, most), and how long of that its
    threads stood ready and no processor was free (the same three; -1 where that is not told).
    """
    stop, lap = threading.Event(), threading.Event()

    def wait() -> None:
        while sys.stdin.readline().strip() == "lap":
            lap.set()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    times: list[float] = []
    waits: list[float] = []
    largest = first = 0
    wal = path.with_name(f"{path.name}-wal")
    with Ledger.open(path) as ledger:
        instance = Instance.take(path)
        key = start(ledger, owner_instance=instance.id)
        own = {"owner": instance.id}
        assert add(ledger, busy_batch(key, 0, **own))
        threads = (threading.get_native_id(), ledger.write(lambda _: threading.get_native_id()))
        say("writing")
        first = 1
        while not stop.is_set():
            for part in (batch(key, first, 49, **own), busy_batch(key, first + 49, **own)):
                began, waited = time.monotonic(), stood_ready(threads)
                assert add(ledger, part)
                times.append(time.monotonic() - began)
                waits.append(stood_ready(threads) - waited)
            first += 50
            largest = max(largest, wal.stat().st_size)
            if lap.is_set():
                lap.clear()
                say(first, largest, *percentiles(times), *percentiles(waits))
                times, waits, largest = [], [], 0
        instance.release()
    say(first, largest, *percentiles(times), *percentiles(waits))


def stood_ready(threads: tuple[int, ...]) -> float:
    """For how many seconds threads of this process have waited for a processor so far."""
    try:
        told = [Path(f"/proc/self/task/{thread}/schedstat").read_text() for thread in threads]
    except OSError:
        return float("nan")
    return sum(int(line.split()[1]) for line in told) / 1e9


def percentiles(times: list[float]) -> list[str]:
    """Median, 99 of 100 and most, in ms."""
    if not times or times[0] != times[0]:
        return ["-1"] * 3
    times = sorted(times)
    return [f"{times[int(share * (len(times) - 1))] * 1e3:.1f}" for share in (0.5, 0.99, 1.0)]


def hold(path: Path, seconds: str) -> None:
    """Hold the write lock for so long."""
    conn = sqlite3.connect(path, isolation_level=None, timeout=60)
    conn.execute("BEGIN IMMEDIATE")
    say("held")
    time.sleep(float(seconds))
    conn.execute("ROLLBACK")
    conn.close()
    say("free")


VERBS: dict[str, Callable[..., None]] = {verb.__name__: verb for verb in (hold, read, write)}

if __name__ == "__main__":
    VERBS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
