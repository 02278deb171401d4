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


def say(*words: object) -> None:
    print(*words, flush=True)


def read(path: Path, threads: str) -> None:
    """Read in so many threads until a line comes; say how often, how many errors and half-steps."""
    reads, errors, halves = [0], list[str](), list[str]()
    stop = threading.Event()

    def look() -> None:
        with Reader.open(path) as reader:
            while not stop.is_set():
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
        commits = reader.commits("run-1")[-1:]
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
    """Write as fast as can be until a line comes: batches that end with a busy step, and their
    steps' times; say how many steps, the largest WAL, and the times' percentiles in ms."""
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    times: list[float] = []
    largest = first = 0
    wal = path.with_name(f"{path.name}-wal")
    with Ledger.open(path) as ledger:
        instance = Instance.take(path)
        key = start(ledger, owner_instance=instance.id)
        own = {"owner": instance.id}
        assert add(ledger, busy_batch(key, 0, **own))
        say("writing")
        first = 1
        while not stop.is_set():
            began = time.monotonic()
            assert add(ledger, batch(key, first, 49, **own))
            assert add(ledger, busy_batch(key, first + 49, **own))
            times.append((time.monotonic() - began) / 2)
            first += 50
            largest = max(largest, wal.stat().st_size)
        instance.release()
    times.sort()
    shown = [f"{times[int(share * (len(times) - 1))] * 1e3:.1f}" for share in (0.5, 0.99, 1.0)]
    say(first, largest, *shown)


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
