"""SIGSTOP: a stopped owner is no dead one; what is taken from it by force it lets alone."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from engine.errors import LedgerBusy
from engine.failpoints import VARIABLE
from engine.runs.instance import Instance, describe
from engine.runs.lifecycle import TERMINAL
from engine.runs.liveness import Liveness
from engine.runs.recovery import recover
from engine.runs.service import RunService
from engine.store.connection import connect, set_busy_timeout
from engine.store.ledger import Ledger
from engine.store.locks import held_instances
from tests.faults import victims
from tests.faults.judge import finish, replays, same, whole
from tests.faults.nursery import PATIENCE_SECONDS, Nursery, Victim
from tests.faults.scale import seeded, times
from tests.faults.works import WORKS, request, result, undisturbed
from tests.runs.conftest import Deck, JumpClock

AN_OWNERS_RUNS: Final = 5
INSIDE: Final = (
    "begin.after",
    "append.leased",
    "append.equity",
    "append.written",
    "transition.written",
    "end.unsealed",
    "end.sealed",
    "commit.before",
)


def is_stopped(victim: Victim) -> bool:
    """Whether the process stands still."""
    said = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(victim.pid)], capture_output=True, text=True, check=False
    )
    return said.stdout.startswith("T")


@contextmanager
def standing_still(victim: Victim) -> Iterator[None]:
    """Stop the process for a while."""
    victim.signal(signal.SIGSTOP)
    try:
        until(lambda: is_stopped(victim))
        yield
    finally:
        victim.signal(signal.SIGCONT)


def until(holds: Callable[[], object]) -> None:
    """Wait for it; a stopped process stops in its own time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def every_row(path: Path, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the run, in all tables of the file."""
    with closing(connect(path, "ro")) as conn:
        names = [
            name
            for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            if not name.startswith("sqlite_")
        ]
        rows = {}
        for name in names:
            columns = {row[1] for row in conn.execute(f"PRAGMA table_info({name})")}
            key = (
                "run_id = ?"
                if "run_id" in columns
                else "run_key = (SELECT run_key FROM runs WHERE run_id = ?)"
            )
            rows[name] = conn.execute(f"SELECT * FROM {name} WHERE {key}", (run_id,)).fetchall()
        return rows


class Taker:
    """Another process's service, which does not wait long for a lock."""

    def __init__(self, path: Path) -> None:
        self.clock = JumpClock()
        ledger = Ledger.open(path, patience=0.05)
        self.service = RunService(ledger, Instance.take(path), clock=self.clock)
        self.blind = Liveness(path, self.clock, stale_seconds=300.0, probe_locks=False)

    def outlast(self) -> list[str]:
        """Watch a silent owner's heartbeat until it counts as dead; the runs that were taken."""
        service = self.service
        for _ in range(10):
            self.clock.ahead += 59
            try:
                taken = recover(service.ledger, service.instance, self.clock, self.blind)
            except LedgerBusy:
                return []
            if taken:
                return taken
        return []

    def take(self, run_id: str) -> bool:
        """Take the run by force; False if its owner stands inside a transaction."""
        try:
            self.service.take_up(run_id, play=False, force=True)
        except LedgerBusy:
            return False
        return True

    def close(self) -> None:
        """Leave what was taken to whoever wants it."""
        for session in list(self.service.sessions.values()):
            self.service.interrupt(session)
        self.service.instance.release()
        self.service.ledger.close()


def test_taken_by_force(
    nursery: Nursery, tmp_path: Path, record_counts: Callable[[str], None]
) -> None:
    """An owner that is stopped, robbed and woken adds no row to any table, and learns of it."""
    seed, chance = seeded()
    print(f"STEPDECK_SEED={seed}")
    wanted = times(100)
    taken, counts, number = 0, Counter[str](), 0
    while taken < wanted:
        path = tmp_path / f"{number}.db"
        number += 1
        with nursery.generation():
            got = _rob(nursery, path, chance, min(AN_OWNERS_RUNS, wanted - taken), counts)
        taken += got
        deck = Deck(path)
        try:
            finish(deck)
            with deck.reader() as reader:
                for run in reader.runs():
                    assert run.name is not None
                    whole(reader, run.run_id)
                    replays(reader, run.run_id)
                    same(result(reader, run.run_id), undisturbed(run.name))
        finally:
            deck.close()
    record_counts(
        f"owner stopped, robbed by force and continued {taken} times ({counts['busy']} more "
        "stopped inside a transaction, and were waited for): 0 rows from the fenced one, every run "
        "came to its undisturbed result"
    )


def _rob(
    nursery: Nursery, path: Path, chance: random.Random, wanted: int, counts: Counter[str]
) -> int:
    works = tuple(chance.choice(list(WORKS)) for _ in range(AN_OWNERS_RUNS))
    owner = nursery.bear(victims.hold, path, works, chance.choice((100.0, 400.0)))
    runs = [owner.hear()[1] for _ in works]
    closed: set[str] = set()

    def hear_of(run_id: str) -> None:
        while run_id not in closed:
            what, *words = owner.hear()
            if what == "closed":
                closed.add(words[0])

    while owner.hear()[0] != "moving":
        pass
    taker = Taker(path)
    got = 0
    try:
        for run_id in runs:
            if got == wanted:
                break
            time.sleep(chance.uniform(0, 0.01))
            with standing_still(owner):
                record = taker.service.record(run_id)
                if record.status in TERMINAL:
                    continue
                assert taker.service.owner_alive(record), "a stopped owner was taken for dead"
                service = taker.service
                assert recover(service.ledger, service.instance, service.clock) == []
                if not taker.take(run_id):
                    counts["busy"] += 1
                    continue
                before = every_row(path, run_id)
            hear_of(run_id)
            assert every_row(path, run_id) == before, "the fenced owner wrote"
            got += 1
        owner.kill()
    finally:
        taker.close()
    return got


def test_past_its_heartbeat(
    nursery: Nursery, tmp_path: Path, record_counts: Callable[[str], None]
) -> None:
    """Where locks do not count, whoever is silent too long is fenced; woken, it adds no row."""
    seed, chance = seeded()
    print(f"STEPDECK_SEED={seed}")
    wanted, taken, busy, number = times(100), 0, 0, 0
    while taken < wanted:
        path = tmp_path / f"{number}.db"
        number += 1
        with nursery.generation():
            works = tuple(chance.choice(list(WORKS)) for _ in range(AN_OWNERS_RUNS))
            owner = nursery.bear(victims.hold, path, works, chance.choice((100.0, 400.0)))
            while owner.hear()[0] != "moving":
                pass
            taker = Taker(path)
            try:
                before: dict[str, dict[str, list[tuple[Any, ...]]]] = {}
                while not before:
                    time.sleep(chance.uniform(0, 0.01))
                    with standing_still(owner):
                        robbed = taker.outlast()
                        before = {run_id: every_row(path, run_id) for run_id in robbed}
                        busy += not robbed
                closed: set[str] = set()
                while closed != set(before):
                    what, *words = owner.hear()
                    if what == "closed":
                        closed |= {words[0]} & set(before)
                assert {run_id: every_row(path, run_id) for run_id in before} == before
                # Silent, but there: its lock is its own as long as it lives.
                assert [owner.pid] == [
                    found.pid for found in held_instances(path) if found.pid == owner.pid
                ]
                taken += len(before)
                owner.kill()
            finally:
                taker.close()
    record_counts(
        f"owner stopped past its heartbeat, where locks do not count, and continued, {taken} runs "
        f"({busy} more times inside a transaction): 0 rows from the fenced one"
    )


@pytest.mark.parametrize("seam", INSIDE)
def test_inside_its_transaction(
    seam: str, nursery: Nursery, tmp_path: Path, record_counts: Callable[[str], None]
) -> None:
    """Everybody waits for an owner stopped there, readers see whole steps, and nothing is lost."""
    path = tmp_path / "runs.db"
    deck = Deck(path)
    deck.ledger.write(lambda conn: set_busy_timeout(conn, 0.05))
    try:
        passage = 2 if seam.startswith(("begin", "commit", "transition")) else 1
        with nursery.generation():
            owner = nursery.bear(
                victims.stall, path, "long", **{VARIABLE: f"{seam}=stop@{passage}"}
            )
            assert owner.hear() == "ready"
            _, run_id, _ = owner.hear()
            until(lambda: is_stopped(owner))
            assert deck.service.owner_alive(deck.service.record(run_id))
            waiting = deck.ledger.submit(lambda conn: conn.execute("SELECT 1").fetchone())
            until(lambda: deck.ledger.stall is not None)
            assert not waiting.done()
            notice = deck.ledger.stall or ""
            lock = describe(path, deck.service.record(run_id).owner_instance or "")
            assert f"pid {lock['pid']} (instance {lock['instance']})" in notice
            seen = deck.service.record(run_id)
            with deck.reader() as reader:
                whole(reader, run_id)
            assert seen.status not in TERMINAL
            assert deck.service.record(run_id) == seen
            owner.signal(signal.SIGCONT)
            assert waiting.result(PATIENCE_SECONDS) == (1,)
            assert owner.hear() == ("ended", run_id, "completed")
            mine = deck.run(request("quick"))
            owner.join()
        with deck.reader() as reader:
            for ended, work in ((run_id, "long"), (mine.run_id, "quick")):
                whole(reader, ended)
                replays(reader, ended)
                same(result(reader, ended), undisturbed(work))
    finally:
        deck.close()
    record_counts(f"owner stopped at {seam}, holding the write lock: all waited, nothing was lost")
