"""What must be true of a ledger whatever happened to the processes that wrote it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.runs.clock import SystemClock
from engine.runs.instance import Instance
from engine.runs.lifecycle import ACTIVE, TERMINAL, Status
from engine.runs.recovery import recover
from engine.runs.verify import verify
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.faults.works import BY_HAND, Result, by_hand, hold_bars, key_of, result, undisturbed
from tests.runs.conftest import Deck


@dataclass
class Judge:
    """Looks at one ledger after each death, and remembers what it has seen and been told."""

    path: Path
    works: dict[str, str] = field(default_factory=dict)
    steps: dict[str, tuple[int, str]] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    verified: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    acknowledged: int = 0
    rewinds: int = 0
    mid_run: int = 0

    def told(self, said: Iterable[tuple[Any, ...]]) -> None:
        """Take down what a victim said while it lived: all of it must be true now."""
        for what, *words in said:
            if what == "run":
                self.works[words[0]] = words[1]
            elif what == "step":
                self.steps[words[0]] = (words[1], words[2])
                self.acknowledged += 1
            elif what == "rewinding":
                # From here on either is right, until the next decision is acknowledged.
                self.steps.pop(words[0], None)
                self.settled.pop(words[0], None)
                self.rewinds += 1
            elif what == "settled":
                self.settled[words[0]] = max(words[1], self.settled.get(words[0], 0))
                self.acknowledged += 1
            elif what == "ended":
                self.ended[words[0]] = words[1]

    def look(self) -> None:
        """The owner is dead: hold its rows against all that is known, then recover them, once."""
        if not self.path.exists():
            assert not self.works, "the ledger is gone"
            return
        with Ledger.open(self.path) as ledger:
            with ledger.reader() as reader:
                self._hold(reader)
                active = {run.run_id for run in reader.runs(status=ACTIVE, all_runs=True)}
            instance = Instance.take(self.path)
            try:
                taken = recover(ledger, instance, SystemClock())
                assert set(taken) == active
                assert len(taken) == len(active)
                assert recover(ledger, instance, SystemClock()) == []
            finally:
                instance.release()
            with ledger.reader() as reader:
                self._hold(reader)
                for run in reader.runs(all_runs=True):
                    assert run.status in TERMINAL | {Status.INTERRUPTED}, run.run_id
                    began = run.step_index and run.total_steps
                    self.mid_run += bool(run.run_id in active and began)

    def _hold(self, reader: Reader) -> None:
        hold_bars()
        runs = {run.run_id: run for run in reader.runs(all_runs=True)}
        assert set(self.works) <= set(runs), "a run that was begun is gone"
        for run_id, (step, key) in self.steps.items():
            run = runs[run_id]
            stored = reader.step(run_id, step)
            assert stored is not None, f"step {step} of {run_id} was acknowledged and is lost"
            assert stored.idempotency_key == key
            assert run.step_index >= step + 1
        for run_id, settled in self.settled.items():
            assert runs[run_id].step_index >= settled, f"{run_id} lost acknowledged steps"
        for run_id, status in self.ended.items():
            assert runs[run_id].status == status, f"{run_id} had ended {status}"
        for run_id, run in runs.items():
            seen = (run.step_index, run.status in TERMINAL)
            if run_id not in self.rows:
                whole(reader, run_id)
                if self.verified.get(run_id) != seen:
                    replays(reader, run_id)
                    self.verified[run_id] = seen
            if run_id in self.rows:
                assert reader.stored_run(run_id) == self.rows[run_id], f"{run_id} changed"
            elif run.status in TERMINAL:
                self.rows[run_id] = reader.stored_run(run_id)
                self.results[run_id] = result(reader, run_id)

    def finish(self) -> int:
        """Take up all that was left; everything must come to its undisturbed result. How many."""
        if not self.path.exists():
            return 0
        deck = Deck(self.path)
        try:
            finish(deck)
            with deck.reader() as reader:
                self._hold(reader)
                for run_id, before in self.results.items():
                    assert result(reader, run_id) == before, f"{run_id} changed after its end"
                for run in reader.runs():
                    assert run.name is not None
                    same(result(reader, run.run_id), undisturbed(run.name))
                return len(reader.runs(all_runs=True))
        finally:
            deck.close()


def finish(deck: Deck) -> None:
    """Take up every interrupted run of the ledger and bring it to its end."""
    service = deck.service
    recover(deck.ledger, service.instance, service.clock)
    with deck.reader() as reader:
        left = reader.runs(status=Status.INTERRUPTED, all_runs=True)
    sessions = [service.take_up(run.run_id, play=True) for run in left]
    for session in sessions:
        session.speed = None
        deck.host.enqueue(session)
    assert deck.host.wait_idle(120)
    for session in sessions:
        if session.request.name in BY_HAND:
            assert session.progress is not None, session.error
            (symbol,) = session.prepared.source.symbols
            while not session.closed.is_set():
                step = session.progress.state.decided
                key = key_of(session.rewind_count, step)
                service.submit(session.run_id, step, by_hand(symbol, step), key=key)
    assert deck.host.wait_idle(120)
    for session in sessions:
        assert session.closed.is_set()
        assert session.error is None, session.error


def whole(reader: Reader, run_id: str) -> None:
    """A run's rows are contiguous, none is torn off, and it ended once if it has."""
    with reader.moment():
        run = reader.run(run_id)
        steps = reader.equity(run_id).steps
        assert steps.tolist() == list(range(run.step_index)), f"{run_id} is torn"
        commits = reader.commits(run_id)
        last = commits[-1].last_step if commits else -1
        assert last == run.step_index - 1, f"{run_id}: the chain ends at {last}"
        ended = [
            event.data["to"]
            for event in reader.events_after(0, 1_000_000, run_id=run_id)
            if event.kind == "status" and event.data["to"] in TERMINAL
        ]
        assert len(ended) == (run.status in TERMINAL), f"{run_id} ended {ended}"


def replays(reader: Reader, run_id: str) -> None:
    """Every row and digest of the run is what its decisions lead to."""
    found = verify(reader, run_id)
    assert found.ok, f"{run_id}: {found.first}"


def same(got: Result, expected: Result) -> None:
    """Both results are the same, bit for bit."""
    for name, one, other in zip(Result._fields, got, expected, strict=True):
        assert one == other, f"{name} differ"
