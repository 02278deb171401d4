"""Runs against a small model of them: whatever is done in whatever order, both say the same."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine import codec
from engine.model import Decision, Order, RunRequest, Target
from engine.runs.lifecycle import ACTIVE, MOVING, TERMINAL
from engine.store.reader import Reader
from tests.faults.judge import replays, whole
from tests.faults.nursery import Nursery
from tests.faults.scale import times
from tests.property.owners import CAP, Here, Owner, There

DAYS: Final = {"start": date(2012, 12, 17), "end": date(2012, 12, 31)}
KINDS: Final = ("manual", "agent", "sma_cross")
DECISIONS: Final = (
    Decision(),
    Decision((Order.buy("AAPL", 5.0),)),
    Decision((Order.sell("AAPL", 2.0, limit=1_000.0, time_in_force="gtc", tag="far"),)),
    Decision(cancels=("far",)),
    Decision(targets=(Target("AAPL", 0.5),)),
    Decision((Order.sell("AAPL", 9_999.0),), rationale="too much"),
)


@dataclass
class Model:
    """What a run must be."""

    run_id: str
    kind: str
    paused: bool
    status: str = "created"
    moved_as: str | None = None
    orphan: bool = False
    decided: int = 0
    total: int | None = None
    made: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    row: dict[str, Any] | None = None
    rewinds: int = 0
    discarded: set[str] = field(default_factory=set)

    @property
    def settled(self) -> int:
        if self.total is None or self.moved_as is None:
            return 0
        return min(self.decided + 1, self.total)

    def move(self, status: str) -> None:
        self.status = status
        if status in MOVING:
            self.moved_as = status

    def advance(self, steps: int) -> None:
        assert self.total is not None
        self.decided = min(self.decided + steps, self.total)
        if self.decided == self.total:
            self.status = "completed"

    def cut(self, step: int) -> None:
        """Go back to where so many decisions had been made."""
        self.discarded |= {key for at, (_, key) in self.made.items() if at >= step and key}
        self.made = {at: made for at, made in self.made.items() if at < step}
        self.rewinds += step < self.decided
        self.decided = step


class Runs(RuleBasedStateMachine):
    """One owner after another at one ledger, beside a sibling whose run nobody may touch."""

    done: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.path = Path(self._folder.name) / "runs.db"
        self.runs: list[Model] = []
        self.owner: Owner

    def an_owner(self) -> Owner:
        """Another owner of the ledger."""
        return Here(self.path)

    @initialize()
    def open(self) -> None:
        self.sibling = Here(self.path)
        code, run_id = self.sibling.do("create", _request("manual", paused=True))
        assert code is None
        self.sibling.do("begin", run_id)
        with Reader.open(self.path) as reader:
            self.siblings_row = reader.stored_run(run_id)
        self.siblings_run = run_id
        self.owner = self.an_owner()

    def do(self, verb: str, *words: Any) -> tuple[str | None, Any]:
        """Have the owner do it; the code of its refusal, or its answer."""
        code, answer = self.owner.do(verb, *words)
        self.done[f"{verb}: {code or 'done'}"] += 1
        return code, answer

    def places(self) -> int:
        """How many more runs may be active."""
        return CAP - 1 - sum(run.status in ACTIVE for run in self.runs)

    def is_live(self, run: Model) -> bool:
        """Whether the owner there is has the run in memory."""
        return run.status in ACTIVE and not run.orphan

    # -- what can be done -----------------------------------------------------------------------

    @rule(kind=st.sampled_from(KINDS), paused=st.booleans(), begin=st.booleans())
    def create(self, kind: str, paused: bool, begin: bool) -> None:
        code, answer = self.do("create", _request(kind, paused=paused))
        if self.places() <= 0:
            assert code == "too_many_active_runs"
            return
        assert code is None, answer
        run = Model(answer, kind, paused)
        self.runs.append(run)
        if begin:
            self._begin(run)

    def _begin(self, run: Model) -> None:
        code, total = self.do("begin", run.run_id)
        assert code is None, total
        run.total = total
        run.move("paused" if run.paused else "running")

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        run = self._any(data)
        if run.kind == "sma_cross":
            return
        open_to = MOVING if run.kind == "manual" else {"running"}
        for _ in range(data.draw(st.integers(1, 4))):
            made = codec.decision_text(data.draw(st.sampled_from(DECISIONS)))
            step = run.decided
            name = f"key {step}.{run.rewinds}"
            key = data.draw(st.sampled_from([None, name, f"{name} again"]))
            code, answer = self.do("decide", run.run_id, step, made, key)
            if not self.is_live(run) or run.status not in open_to:
                assert code == "run_not_active", answer
                return
            assert code is None, answer
            run.made[step] = (made, key)
            run.advance(1)
            assert answer == run.status

    @precondition(lambda self: any(run.made for run in self.runs))
    @rule(data=st.data(), same=st.booleans())
    def repeat(self, data: st.DataObject, same: bool) -> None:
        """A duplicate is answered, whatever the run is by now; something else is refused."""
        run = data.draw(st.sampled_from([run for run in self.runs if run.made]))
        step = data.draw(st.sampled_from(sorted(run.made)))
        made, key = run.made[step]
        if not same:
            made = codec.decision_text(Decision(rationale="on second thoughts"))
        code, answer = self.do("decide", run.run_id, step, made, key)
        if same and key is not None:
            assert code is None, answer
        else:
            assert code == "step_already_finalized", answer

    @precondition(lambda self: any(run.made for run in self.runs))
    @rule(data=st.data())
    def use_a_key_twice(self, data: st.DataObject) -> None:
        """A key that has decided a step decides no other."""
        run = data.draw(st.sampled_from([run for run in self.runs if run.made]))
        keys = [key for _, key in run.made.values() if key is not None]
        if keys and self.is_live(run) and run.status == "running":
            key = data.draw(st.sampled_from(keys))
            code, answer = self.do("decide", run.run_id, run.decided, "{}", key)
            assert code == "step_already_finalized", answer

    @precondition(lambda self: any(run.discarded for run in self.runs))
    @rule(data=st.data())
    def use_a_discarded_key(self, data: st.DataObject) -> None:
        """What decided a step that has been discarded lands nowhere in the new future."""
        run = data.draw(st.sampled_from([run for run in self.runs if run.discarded]))
        key = data.draw(st.sampled_from(sorted(run.discarded)))
        code, answer = self.do("decide", run.run_id, run.decided, "{}", key)
        assert code == "step_rewound", answer

    @precondition(lambda self: any(run.decided for run in self.runs))
    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from([run for run in self.runs if run.decided]))
        step = data.draw(st.integers(0, run.decided + 1))
        code, answer = self.do("rewind", run.run_id, step)
        if run.orphan:
            self._interrupted([run])
        if run.status not in {*MOVING, "interrupted"}:
            assert code == "run_not_active", answer
        elif step > run.decided:
            assert code == "invalid_option", answer
        else:
            if self.is_live(run) or step < run.decided:
                run.moved_as = "paused"
            if self.is_live(run):
                run.status = "paused"
            run.cut(step)
            assert (code, answer) == (None, run.status)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), ahead=st.integers(1, 3))
    def be_early(self, data: st.DataObject, ahead: int) -> None:
        run = self._any(data)
        code, _ = self.do("decide", run.run_id, run.decided + ahead, "{}", None)
        moving = self.is_live(run) and run.status in MOVING
        assert code == ("step_not_active" if moving else "run_not_active")

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), count=st.integers(1, 4))
    def step(self, data: st.DataObject, count: int) -> None:
        run = self._any(data)
        code, answer = self.do("step", run.run_id, count)
        if not self.is_live(run) or run.status not in MOVING or run.kind == "agent":
            assert code == "run_not_active", answer
            return
        assert code is None, answer
        before = run.decided
        if run.kind == "sma_cross":
            run.move("paused")
        run.advance(count)
        if run.kind == "manual":
            run.made |= dict.fromkeys(range(before, run.decided), ("{}", None))
        assert answer == run.status

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), verb=st.sampled_from(["pause", "resume"]))
    def hold(self, data: st.DataObject, verb: str) -> None:
        run = self._any(data)
        code, answer = self.do(verb, run.run_id)
        if not self.is_live(run) or run.status not in MOVING:
            assert code == "run_not_active", answer
            return
        run.move("paused" if verb == "pause" else "running")
        assert (code, answer) == (None, run.status)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), sure=st.integers(0, 3))
    def cancel(self, data: st.DataObject, sure: int) -> None:
        if sure:
            return
        run = self._any(data)
        code, answer = self.do("cancel", run.run_id)
        if run.status not in TERMINAL:
            run.status, run.orphan = "cancelled", False
        assert (code, answer) == (None, run.status)

    @precondition(lambda self: self.runs)
    @rule()
    def cancel_a_siblings(self) -> None:
        """Only its owner ends a run whose owner lives: this is answered with its true state."""
        assert self.do("cancel", self.siblings_run) == (None, "paused")

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def take_up(self, data: st.DataObject) -> None:
        run = self._any(data)
        code, answer = self.do("take_up", run.run_id)
        if run.orphan:
            self._interrupted([run])
        if run.status != "interrupted":
            assert code == "run_not_resumable", answer
        elif self.places() <= 0:
            assert code == "too_many_active_runs", answer
        else:
            assert code is None, answer
            run.total = answer
            run.move(run.moved_as or ("paused" if run.paused else "running"))

    @precondition(lambda self: self.runs)
    @rule(how=st.sampled_from(["crash", "leave"]), recover=st.booleans())
    def go(self, how: str, recover: bool) -> None:
        """The owner goes, one way or another, and somebody else comes."""
        getattr(self.owner, how)()
        self.done[how] += 1
        live = [run for run in self.runs if self.is_live(run)]
        if how == "leave":
            self._interrupted(live)
        for run in live:
            run.orphan = how == "crash"
        self.owner = self.an_owner()
        if recover:
            self.recover()

    @precondition(lambda self: any(run.orphan for run in self.runs))
    @rule()
    def recover(self) -> None:
        code, taken = self.do("recover")
        assert code is None
        assert set(taken) == {run.run_id for run in self._orphans()}
        self._interrupted(self._orphans())

    def _orphans(self) -> list[Model]:
        return [run for run in self.runs if run.orphan]

    def _interrupted(self, runs: list[Model]) -> None:
        for run in runs:
            run.status, run.orphan = "interrupted", False

    def _any(self, data: st.DataObject) -> Model:
        live = [run for run in self.runs if self.is_live(run) and run.status in MOVING]
        often: int = data.draw(st.integers(0, 3))
        among = live if live and often else self.runs
        return data.draw(st.sampled_from(among), label="run")

    # -- what must hold -------------------------------------------------------------------------

    @invariant()
    def agree(self) -> None:
        """The ledger holds what the model says, whole, and nothing that has ended has changed."""
        if not hasattr(self, "siblings_row"):
            return
        with Reader.open(self.path) as reader:
            assert reader.stored_run(self.siblings_run) == self.siblings_row
            for run in self.runs:
                record = reader.run(run.run_id)
                assert (record.status, record.step_index) == (run.status, run.settled)
                made = {row.step_index: row for row in reader.steps(run.run_id)}
                if run.kind != "sma_cross":
                    stored = {
                        step: (row.decision, row.idempotency_key) for step, row in made.items()
                    }
                    assert stored == run.made
                whole(reader, run.run_id)
                if run.status in TERMINAL:
                    row = reader.stored_run(run.run_id)
                    assert run.row in (None, row)
                    run.row = row

    def teardown(self) -> None:
        if hasattr(self, "owner"):
            with Reader.open(self.path) as reader:
                for run in self.runs:
                    replays(reader, run.run_id)
                    assert reader.run(run.run_id).rewind_count == run.rewinds
            self.owner.leave()
            self.sibling.leave()
        self._folder.cleanup()


def _request(kind: str, *, paused: bool) -> RunRequest:
    return replace(
        RunRequest(kind, symbols=("AAPL",), paused=paused, baselines=False),
        **DAYS,  # type: ignore[arg-type]
    )


def _examples(count: int, steps: int) -> settings:
    return settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        # Stories are long and each step is a few writes: what failed is told, not made shorter.
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )


def test_in_this_process(record_counts: Callable[[str], None]) -> None:
    """Crashes are dropped locks: quick enough for long stories."""
    Runs.done.clear()
    count = times(300)
    run_state_machine_as_test(Runs, settings=_examples(count, 30))
    record_counts(f"lifecycle against its model, {count} stories: {_said(Runs.done)}")


def test_with_processes(record_counts: Callable[[str], None]) -> None:
    """The same with owners in processes of their own, which are killed with -9."""
    nursery = Nursery()

    class Processes(Runs):
        done: ClassVar[Counter[str]] = Counter()

        def an_owner(self) -> Owner:
            return There(nursery, self.path)

    count = times(75)
    with nursery.generation():
        run_state_machine_as_test(Processes, settings=_examples(count, 25))
    record_counts(
        f"lifecycle against its model with real processes, {count} stories: {_said(Processes.done)}"
    )


def _said(done: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in sorted(done.items()))
