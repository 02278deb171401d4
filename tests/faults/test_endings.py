"""Canceller, finisher, reaper and deadline at one run: one end, told truthfully to each of them."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from engine import failpoints
from engine.errors import RunError
from engine.model import Decision, Order, RunRecord
from engine.runs.instance import Instance
from engine.runs.lifecycle import TERMINAL, Status
from engine.runs.limits import Limits
from engine.runs.recovery import recover
from engine.runs.service import RunService
from engine.runs.session import Session
from engine.store.ledger import Ledger
from tests.faults.scale import SOAK, seeded, times
from tests.runs.conftest import AGENT

LAST_DAYS: Final = replace(AGENT, start=date(2012, 12, 24), end=date(2012, 12, 31))
BUY: Final = Decision((Order.buy("AAPL", 1),))
KEY: Final = "the last word"
PARTIES: Final = ("finish", "cancel", "reap", "expire")
SEAMS: Final = (
    "move.before",
    "begin.before",
    "begin.after",
    "end.unsealed",
    "end.sealed",
    "commit.before",
    "commit.after",
    "acknowledge.before",
    "move.after",
)
A_MOMENT: Final = 0.02
"""How long a party gets to come as far as it can while another stands still: it may be blocked."""


class Scene:
    """An owner with an agent's run, and others on the same file who think that it is gone."""

    def __init__(self, path: Path) -> None:
        limits = Limits(decision_timeout_seconds=1000.0, abandon_after_timeouts=1)
        self.services = [
            RunService(Ledger.open(path), Instance.take(path), limits=limits) for _ in range(3)
        ]
        self.owner, self.reaper, self.stranger = self.services

    def close(self) -> None:
        for service in self.services:
            service.instance.release()
            service.ledger.close()

    def run(self, *, last: bool) -> tuple[Session, int]:
        """A run whose open step is its last one, or is not; its deadline is over."""
        owner = self.owner
        session = owner.create(LAST_DAYS)
        owner.load(session)
        owner.begin(session)
        step = session.simulation.total_steps - 1 if last else 1
        for before in range(step):
            owner.submit(session.run_id, before, Decision())
        return session, step

    def play(
        self, session: Session, step: int, cancel: str = "owner"
    ) -> dict[str, Callable[[], Any]]:
        """What each party does to the run."""
        run_id = session.run_id
        canceller = self.owner if cancel == "owner" else self.stranger

        def expire() -> int:
            if session.deadline is not None:
                session.deadline = replace(session.deadline, due=self.owner.clock.monotonic())
            return self.owner.expire_deadlines()

        return {
            "finish": lambda: self.owner.submit(run_id, step, BUY, key=KEY),
            "cancel": lambda: canceller.cancel(run_id),
            "reap": lambda: recover(self.reaper.ledger, self.reaper.instance, self.reaper.clock),
            "expire": expire,
        }


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Owners that nobody's lock can save: everybody else takes them for dead."""
    scene = Scene(tmp_path / "runs.db")
    monkeypatch.setattr("engine.runs.liveness.probe", lambda *_: False)
    yield scene
    scene.close()


class Told(NamedTuple):
    """What a party was answered."""

    answer: Any
    error: RunError | None


class Party(threading.Thread):
    """One of them, in a thread of its own."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self.told = Told(None, None)
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            self.told = Told(self._act(), None)
        except RunError as error:
            self.told = Told(None, error)
        except BaseException as fault:  # noqa: BLE001  # shown by the test that joins it
            self.fault = fault

    def finish(self) -> Told:
        self.join(60)
        assert not self.is_alive(), "a party waits for ever"
        if self.fault is not None:
            raise self.fault
        return self.told


def judge(scene: Scene, session: Session, step: int, told: dict[str, Told]) -> RunRecord:
    """There is one end at most, every answer agrees with it, and nothing is half-written."""
    run_id = session.run_id
    final = scene.stranger.record(run_id)
    with scene.stranger.ledger.reader() as reader:
        moves = [e for e in reader.events_after(0, 1000, run_id=run_id) if e.kind == "status"]
        stored = reader.step(run_id, step)
        held = sum(row.status == "timed_out" for row in reader.steps(run_id))
        assert reader.equity(run_id).steps.tolist() == list(range(final.step_index))
        assert reader.commits(run_id)[-1].last_step == final.step_index - 1
    reached = [move.data["to"] for move in moves]
    assert [before.data["to"] for before in moves[:-1]] == [
        after.data["from"] for after in moves[1:]
    ]
    assert reached[-1] == final.status
    ends = [to for to in reached if to in TERMINAL]
    assert len(ends) == (final.status in TERMINAL) <= 1
    assert final.status in TERMINAL | {Status.INTERRUPTED}, final.status
    # A batch lands whole or not at all: the decision that ended the run is there if it completed.
    if final.status == Status.COMPLETED:
        assert stored is not None
    by_agent = stored is not None and stored.idempotency_key == KEY
    if "finish" in told:
        answer, error = told["finish"]
        assert (error is None) == by_agent, f"the agent was told {answer or error}, {stored}"
        if answer is not None and answer.status in TERMINAL:
            assert answer == final
    if "cancel" in told:
        answer, error = told["cancel"]
        assert error is None, f"a cancel was refused: {error}"
        if answer.status in TERMINAL:
            assert answer == final
        else:
            assert answer.status == Status.INTERRUPTED, f"a cancel was told {answer.status}"
    if "reap" in told:
        taken, error = told["reap"]
        assert error is None
        assert (run_id in taken) == (Status.INTERRUPTED in reached)
    if "expire" in told:
        # The one after it, where the agent was quicker. The agent's call looks at the deadline too,
        # and where it comes upon one that is over, it is the one that holds and is refused.
        late, error = told["expire"]
        assert error is None
        refused = "finish" in told and told["finish"].error is not None
        assert late == held or (refused and late < held == 1), f"it was told {late}, {stored}"
    return final


def late(scene: Scene, session: Session, step: int, final: RunRecord) -> None:
    """Whoever comes after the end is told it, and changes nothing."""
    if final.status not in TERMINAL:
        return
    for name, act in scene.play(session, step, "stranger").items():
        party = Party(act)
        party.start()
        answer, _ = party.finish()
        assert answer in (final, [], 0, None), f"{name} was told {answer} too late"
    assert scene.owner.cancel(session.run_id) == final
    assert scene.owner.record(session.run_id) == final


ORDERINGS: Final = list(itertools.permutations(PARTIES))


def test_all_orderings(scene: Scene, record_counts: Callable[[str], None]) -> None:
    """The first stands still at a seam while the others come as far as they can, in any order."""
    seed, chance = seeded()
    print(f"STEPDECK_SEED={seed}")
    stood, ends = Counter[str](), Counter[str]()
    scenes = 0
    for order in ORDERINGS:
        for seam in SEAMS if SOAK else chance.sample(SEAMS, 2):
            cancel = chance.choice(("owner", "stranger"))
            session, step = scene.run(last=chance.random() < 0.5)
            parts = scene.play(session, step, cancel)
            reached, go = threading.Event(), threading.Event()

            def stand(reached: threading.Event = reached, go: threading.Event = go) -> None:
                if not reached.is_set():
                    reached.set()
                    assert go.wait(60)

            parties = {name: Party(parts[name]) for name in order}
            first, *others = parties.values()
            with failpoints.armed(seam, stand):
                first.start()
                while not reached.wait(0.001) and first.is_alive():
                    pass
                stood[seam] += reached.is_set()
                for other in others:
                    other.start()
                    other.join(A_MOMENT)
                go.set()
                told = {name: party.finish() for name, party in parties.items()}
            final = judge(scene, session, step, told)
            late(scene, session, step, final)
            ends[final.end_reason or final.status] += 1
            scenes += 1
    assert all(stood[seam] for seam in SEAMS) or not SOAK
    record_counts(
        f"cancel x complete x reap x deadline in all {len(ORDERINGS)} orderings, {scenes} scenes, "
        f"the first held at one of {len(SEAMS)} seams in {sum(stood.values())}: one end each, told "
        f"truthfully to every party ({_said(ends)})"
    )


def test_at_random(scene: Scene, record_counts: Callable[[str], None]) -> None:
    """All at once, with a random start each: one end, told truthfully to every party."""
    seed, chance = seeded()
    print(f"STEPDECK_SEED={seed}")
    rounds, ends = times(2000), Counter[str]()
    for _ in range(rounds):
        cancel = chance.choice(("owner", "stranger"))
        session, step = scene.run(last=chance.random() < 0.5)
        parts = scene.play(session, step, cancel)
        start = threading.Barrier(len(parts))
        parties = {
            name: Party(_after(start, chance.choice((0, chance.uniform(0, 0.003))), act))
            for name, act in chance.sample(sorted(parts.items()), len(parts))
        }
        for party in parties.values():
            party.start()
        final = judge(
            scene, session, step, {name: party.finish() for name, party in parties.items()}
        )
        ends[final.end_reason or final.status] += 1
    assert len(ends) > 1, "they never raced"
    record_counts(
        f"cancel x complete x reap x deadline, {rounds} times at random: one end each, told "
        f"truthfully to every party ({_said(ends)})"
    )


def _after(start: threading.Barrier, delay: float, act: Callable[[], Any]) -> Callable[[], Any]:
    def wait_and_act() -> Any:
        start.wait(60)
        if delay:
            time.sleep(delay)
        return act()

    return wait_and_act


def _said(ends: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(ends.items()))
