"""Readers: whole batches, one instant, what was asked for, and never in the writer's way."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AmbiguousRun, LedgerCorrupt, LedgerError, RunNotFound
from engine.store import checkpoint, writes
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.store.kit import (
    AT,
    HOUR,
    OPEN,
    add,
    batch,
    end,
    fill,
    order,
    process,
    said,
    start,
    step,
)


def test_record(ledger: Ledger) -> None:
    """A run's row comes back as it was given, JSON decoded, defaults filled in."""
    start(ledger, name="mine", agent_id="a", start="2026-01-01", metadata={"python": "3.11"})
    with ledger.reader() as reader:
        run = reader.run("run-1")
    assert (run.name, run.agent_id, run.start, run.end) == ("mine", "a", "2026-01-01", None)
    assert run.tags == ("one", "two")
    assert run.symbols == ("AAPL", "MSFT")
    assert run.config == {"fast": 10}
    assert run.metadata == {"python": "3.11"}
    assert (run.metrics, run.step_index, run.total_costs) == ({}, 0, 0.0)
    assert (run.equity, run.sharpe) == (None, None)
    assert json.dumps(dataclasses.asdict(run))


def test_runs_are_listed_newest_first(ledger: Ledger) -> None:
    """The list is newest first, filtered and cut as asked, baselines left out unless asked for."""
    start(ledger, "a", agent_id="x")
    start(ledger, "b", status="paused")
    start(ledger, "a-base", baseline_of="a")
    start(ledger, "c", agent_id="x")
    assert end(ledger, "a-base")
    with ledger.reader() as reader:

        def ids(**asked: object) -> list[str]:
            return [run.run_id for run in reader.runs(**asked)]  # type: ignore[arg-type]

        assert ids() == ["c", "b", "a"]
        assert ids(all_runs=True) == ["c", "a-base", "b", "a"]
        assert ids(limit=1) == ["c"]
        assert ids(status="paused") == ["b"]
        assert ids(status={"paused", "running"}, agent="x") == ["c", "a"]
        assert ids(status="failed") == []
        assert [run.run_id for run in reader.baselines("a")] == ["a-base"]
        assert reader.owners() == ["me"]


def test_resolve(ledger: Ledger) -> None:
    """A run is named by its id, a unique prefix, or its place from the newest."""
    for run_id in ("abc1", "abc2", "abc", "x%_y"):
        start(ledger, run_id)
    start(ledger, "base", baseline_of="abc")
    with ledger.reader() as reader:
        assert reader.resolve("abc") == "abc"
        assert reader.resolve("abc1") == "abc1"
        assert reader.resolve("x") == "x%_y"
        assert reader.resolve("@1") == "x%_y"
        assert reader.resolve("@1", all_runs=True) == "base"
        assert reader.resolve("@4") == "abc1"
        with pytest.raises(AmbiguousRun, match="abc, abc1, abc2; give more"):
            reader.resolve("ab")
        for text in ("", "%", "z", "@5", "@0", "@", "@x", "@-1", "@²", f"@{10**30}"):
            with pytest.raises(RunNotFound):
                reader.resolve(text)
        with pytest.raises(RunNotFound, match="no run zzz; `stepdeck runs` lists"):
            reader.run("zzz")
        with pytest.raises(RunNotFound):
            reader.run_key("zzz")
        assert reader.moved_as("zzz") is None


def test_equity_ranges(ledger: Ledger) -> None:
    """The curve comes whole or from one step to before another; an unknown run has none."""
    key = start(ledger)
    assert add(ledger, batch(key, 0, 50_000))
    with ledger.reader() as reader:
        assert (reader.equity("run-1").steps == np.arange(50_000)).all()
        assert reader.equity("run-1", 10, 13).steps.tolist() == [10, 11, 12]
        assert reader.equity("run-1", 49_999).equity.tolist() == [49_999.0]
        none = reader.equity("run-1", 50_000)
        assert [column.size for column in none] == [0, 0, 0, 0]
        assert none.steps.dtype == np.int64
        assert none.equity.dtype == np.float64
        assert reader.equity("zzz").steps.size == 0


@pytest.mark.parametrize(
    ("settled", "points", "want"),
    [
        (0, 5, []),
        (1, 5, [0]),
        (3, 5, [0, 1, 2]),
        (100, 5, [0, 25, 50, 74, 99]),
        (100, 2, [0, 99]),
        (100, 1, [99]),
        (100, 0, []),
    ],
)
def test_equity_sample(ledger: Ledger, settled: int, points: int, want: list[int]) -> None:
    """A sample has at most so many rows, spread evenly, the first and the newest among them."""
    key = start(ledger)
    assert add(ledger, batch(key, 0, settled))
    with ledger.reader() as reader:
        rows = reader.equity_sample("run-1", points)
        assert rows.steps.tolist() == want
        assert rows.equity.tolist() == want
        assert rows.stamps.tolist() == [OPEN + step * HOUR for step in want]
        assert reader.equity_sample("zzz", 5).steps.size == 0


def test_equity_sample_of_a_range(ledger: Ledger) -> None:
    """A sample can be of a part of the curve."""
    key = start(ledger)
    assert add(ledger, batch(key, 0, 100))
    with ledger.reader() as reader:
        assert reader.equity_sample("run-1", 3, 10, 21).steps.tolist() == [10, 15, 20]
        assert reader.equity_sample("run-1", 3, 98, 500).steps.tolist() == [98, 99]


def test_paging(ledger: Ledger) -> None:
    """Orders, fills and steps come in their order, by range, after an id, and newest first."""
    key = start(ledger)
    # Twelve orders in one step: the tenth comes after the ninth, not after the first.
    orders = [order(step, n) for step in range(3) for n in range(12)]
    fills = [fill(step, step * 2 + n, n) for step in range(3) for n in range(2)]
    steps = [step(n) for n in range(3)]
    part = batch(key, 0, 3, orders=orders, fills=fills, steps=steps)
    assert add(ledger, part)
    with ledger.reader() as reader:
        assert reader.orders("run-1") == orders
        assert reader.orders("run-1", since=1, until=2) == orders[12:24]
        assert reader.orders("run-1", newest_first=True, limit=13) == orders[:22:-1]
        assert reader.fills("run-1") == fills
        assert reader.fills("run-1", after=3) == fills[4:]
        assert reader.fills("run-1", since=2) == fills[4:]
        assert reader.fills("run-1", limit=1) == fills[:1]
        assert [row.step_index for row in reader.steps("run-1", newest_first=True)] == [2, 1, 0]
        assert [row.step_index for row in reader.steps("run-1", since=1, limit=1)] == [1]
        assert reader.step("run-1", 1) == (*steps[1], 1)
        assert reader.step("run-1", 7) is None


def test_feed(ledger: Ledger) -> None:
    """The feed goes on from a number, in order, for one run or for all, so many at a time."""
    key = start(ledger)
    start(ledger, "run-2")
    for first in range(3):
        part = batch(key, first, 1)
        assert add(ledger, part)
    ledger.write(lambda conn: writes.event(conn, "run-2", "warning", {"text": "é"}, AT))
    with ledger.reader() as reader:
        assert reader.last_seq() == 6
        assert [event.seq for event in reader.events_after(0)] == [1, 2, 3, 4, 5, 6]
        assert [event.seq for event in reader.events_after(2, 2)] == [3, 4]
        assert [event.seq for event in reader.events_after(0, run_id="run-2")] == [2, 6]
        assert reader.events_after(5)[0].data == {"text": "é"}
        with pytest.raises(LedgerError, match="no command 5"):
            reader.command(5)


def test_numbers_are_never_given_twice(ledger: Ledger) -> None:
    """After the newest run is deleted its key, and its events' numbers, stay used."""
    assert start(ledger) == 1
    assert end(ledger)
    assert ledger.write(lambda conn: writes.delete_run(conn, "run-1", at=AT, by=None))
    assert start(ledger, "run-2") == 2
    with ledger.reader() as reader:
        assert reader.last_seq() == 4


def test_data_version(ledger: Ledger) -> None:
    """The number changes with a commit of the writer, and with nothing else."""
    with ledger.reader() as reader:
        before = reader.data_version()
        assert reader.runs() == []
        assert reader.data_version() == before
        start(ledger)
        assert reader.data_version() != before


def test_one_instant(ledger: Ledger) -> None:
    """Inside ``moment`` nothing moves, however much is committed; afterwards it is all there."""
    key = start(ledger)
    with ledger.reader() as reader:
        with reader.moment():
            assert reader.run("run-1").step_index == 0
            assert add(ledger, batch(key, 0, 7))
            assert reader.run("run-1").step_index == 0
            assert reader.equity("run-1").steps.size == 0
            with reader.moment():
                assert reader.equity_sample("run-1", 5).steps.size == 0
            assert reader.run("run-1").step_index == 0
        assert reader.run("run-1").step_index == 7


def test_readers_write_nothing(ledger: Ledger) -> None:
    """A reader's connection cannot write."""
    with ledger.reader() as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._conn.execute("DELETE FROM events")


def test_readers_leave_no_pin(path: Path, ledger: Ledger) -> None:
    """After any query the reader holds nothing: a checkpoint moves the whole WAL."""
    key = start(ledger)
    with Reader.open(path) as reader:
        for first in range(0, 70, 7):
            part = batch(key, first, 7)
            assert add(ledger, part)
            reader.runs()
            reader.equity("run-1")
            reader.equity_sample("run-1", 5)
            reader.events_after(0)
            reader.pending_commands("me")
            reader.data_version()
        conn = sqlite3.connect(path, isolation_level=None)
        done = checkpoint.Checkpointer(path, conn).run()
        conn.close()
    assert done is not None
    assert (done.pinned, done.moved > 0) == (0, True)


def test_readers_see_whole_batches(path: Path, ledger: Ledger) -> None:
    """Beside a writer at full speed no reader, thread or program, fails or sees half a batch."""
    key = start(ledger)
    ended = threading.Event()

    def watch_with_reader() -> int:
        looks = 0
        with Reader.open(path) as reader:
            while not ended.is_set() or not looks:
                with reader.moment():
                    run = reader.run("run-1")
                    rows = reader.equity("run-1")
                    commits = reader.commits("run-1")
                assert rows.steps.tolist() == list(range(run.step_index))
                assert run.step_index % 7 == 0
                assert len(commits) == run.step_index // 7
                assert reader.equity("run-1").steps.size % 7 == 0
                looks += 1
        return looks

    def watch_with_sqlite() -> int:
        looks = 0
        conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        while not ended.is_set() or not looks:
            said, there = conn.execute(
                "SELECT step_index, (SELECT count(*) FROM equity WHERE run_id = 'run-1') FROM runs"
            ).fetchone()
            assert said == there
            looks += 1
        conn.close()
        return looks

    with ThreadPoolExecutor(6) as pool:
        watchers = [pool.submit(watch_with_reader) for _ in range(4)]
        watchers += [pool.submit(watch_with_sqlite) for _ in range(2)]
        try:
            for first in range(0, 7 * 200, 7):
                part = batch(key, first, 7)
                assert add(ledger, part)
        finally:
            ended.set()
        assert all(watcher.result() > 0 for watcher in watchers)


def test_shared_by_threads(path: Path, ledger: Ledger) -> None:
    """Threads that share one reader each get all of their own rows."""
    for n in range(20):
        key = start(ledger, f"run-{n}")
        part = batch(key, 0, 100 + n, f"run-{n}")
        assert add(ledger, part)
    with Reader.open(path) as reader, ThreadPoolExecutor(8) as pool:
        sizes = pool.map(lambda n: reader.equity(f"run-{n % 20}").steps.size, range(400))
        assert list(sizes) == [100 + n % 20 for n in range(400)]


def test_one_threads_instant_is_not_anothers(ledger: Ledger) -> None:
    """A thread that shares a reader waits for another's ``moment`` to end, and sees what is new."""
    key = start(ledger)
    began = threading.Barrier(3)
    with ledger.reader() as reader, ThreadPoolExecutor(2) as pool:

        def settled() -> int:
            began.wait()
            return reader.run("run-1").step_index

        def drawn() -> int:
            began.wait()
            return reader.equity("run-1").steps.size

        with reader.moment():
            assert reader.run("run-1").step_index == 0
            others = pool.submit(settled), pool.submit(drawn)
            began.wait()
            assert add(ledger, batch(key, 0, 7))
            assert reader.equity("run-1").steps.size == 0
        assert [other.result() for other in others] == [7, 7]


def test_many_readers_start_at_once(path: Path, ledger: Ledger) -> None:
    """Thirty-two readers that open at the same time beside a writer all get through."""
    together = threading.Barrier(33)

    def look() -> int:
        together.wait()
        with Reader.open(path) as reader:
            return len(reader.runs())

    with ThreadPoolExecutor(32) as pool:
        looks = [pool.submit(look) for _ in range(32)]
        together.wait()
        for n in range(50):
            start(ledger, f"run-{n}")
        assert all(0 <= look.result() <= 50 for look in looks)


def test_reads_what_a_dead_process_left(path: Path) -> None:
    """A reader alone, with nobody's connection open, sees what is only in a dead writer's WAL."""
    with process("append_for_ever", path) as child:
        acknowledged = [int(said(child)) for _ in range(5)][-1]
        child.kill()
        child.wait()
    assert checkpoint.wal_bytes(path) > 0
    with Reader.open(path) as reader:
        assert reader.run("run-1").step_index >= acknowledged


def test_foreign_json_is_named(path: Path, ledger: Ledger) -> None:
    """A column that another program spoiled is named with its run."""
    start(ledger)
    for spoiled in ("{", "[1", "3", "NaN"):
        other = sqlite3.connect(path)
        other.execute("UPDATE runs SET metrics = ?", (spoiled,))
        other.commit()
        other.close()
        with ledger.reader() as reader, pytest.raises(LedgerCorrupt, match="metrics of run run-1"):
            reader.runs()


def test_damage_is_named(path: Path, ledger: Ledger) -> None:
    """A query that meets SQLite's complaint raises ours, in one line."""
    other = sqlite3.connect(path)
    other.execute("DROP TABLE commands")
    other.close()
    assert ledger.path == path
    with Reader.open(path) as reader, pytest.raises(LedgerError, match="no such table: commands"):
        reader.commands("run-1")
