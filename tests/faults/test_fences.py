"""Fences of the run service that no story meets by itself, each met here by design."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pytest

from engine import failpoints
from engine.errors import (
    IllegalTransition,
    LeaseLost,
    LedgerCorrupt,
    LedgerRefused,
    RunNotActive,
    RunNotResumable,
)
from engine.model import Decision
from engine.runs.instance import Instance
from engine.runs.lifecycle import Status, Trigger
from engine.runs.liveness import Liveness
from engine.runs.service import RunService
from engine.runs.session import Session
from engine.store import writes
from engine.store.ledger import Ledger
from tests.runs.conftest import MANUAL, JumpClock
from tests.store.kit import AT, add, batch, columns, step


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def service(path: Path) -> Iterator[RunService]:
    """An owner whose runs are moved by hand."""
    service = RunService(Ledger.open(path), Instance.take(path))
    yield service
    service.instance.release()
    service.ledger.close()


@pytest.fixture
def other(path: Path) -> Iterator[RunService]:
    """A second one."""
    other = RunService(Ledger.open(path), Instance.take(path))
    yield other
    other.instance.release()
    other.ledger.close()


def begun(service: RunService) -> Session:
    """A run by hand that waits for its first decision."""
    session = service.create(MANUAL)
    service.load(session)
    service.begin(session)
    return session


def test_columns_of_a_lost_run(path: Path) -> None:
    """Columns are set by who holds the lease, and by nobody else."""
    with Ledger.open(path) as ledger:
        ledger.write(lambda conn: writes.insert_run(conn, columns("run-1")))

        def update(owner: str, epoch: int) -> bool:
            return ledger.write(
                lambda conn: writes.update_run(
                    conn, "run-1", owner=owner, epoch=epoch, at=AT, columns={"name": owner}
                )
            )

        assert not update("you", 1)
        assert not update("me", 2)
        with ledger.reader() as reader:
            assert reader.run("run-1").name is None
        assert update("me", 1)


def test_an_adoption_of_what_is_no_prey(path: Path) -> None:
    """A run is adopted from the states that were named, and from no other."""
    with Ledger.open(path) as ledger:
        key = ledger.write(lambda conn: writes.insert_run(conn, columns("run-1")))
        assert key
        assert ledger.write(lambda conn: adopted(conn, "interrupted")) is None
        with ledger.reader() as reader:
            assert reader.run("run-1").lease_epoch == 1
        assert ledger.write(lambda conn: adopted(conn, "running")) == 2


def test_a_run_taken_up_again_is_another_lease(path: Path) -> None:
    """Also by the same process: what it had computed before is of an epoch that is over."""
    with Ledger.open(path) as ledger:
        key = ledger.write(lambda conn: writes.insert_run(conn, columns("run-1")))
        assert ledger.write(lambda conn: adopted(conn, "running")) == 2
        assert not add(ledger, batch(key, 0, 3))
        with ledger.reader() as reader:
            assert reader.run("run-1").lease_epoch == 2
            assert len(reader.equity("run-1").steps) == 0
        assert add(ledger, batch(key, 0, 3, epoch=2))


def adopted(conn: writes.Connection, source: str) -> int | None:
    return writes.adopt(
        conn,
        "run-1",
        new_owner="me",
        old_owner="me",
        old_epoch=1,
        sources={source},
        to="paused",
        at=AT,
        columns={},
    )


def test_a_step_is_decided_once(path: Path) -> None:
    """However it is called, and whatever it says: the ledger takes one decision for a step."""
    with Ledger.open(path) as ledger:
        key = ledger.write(lambda conn: writes.insert_run(conn, columns("run-1")))
        assert add(ledger, batch(key, 0, 1, steps=[step(0)]))
        again = step(0, step_id="run-1.1.0", decision="{}")
        with pytest.raises(LedgerRefused, match="steps"):
            add(ledger, batch(key, 1, 1, steps=[again]))
        with ledger.reader() as reader:
            assert [row.step_id for row in reader.steps("run-1")] == ["run-1.0.0"]
            assert reader.run("run-1").step_index == 1


def test_a_cancel_from_a_stranger(service: RunService, other: RunService) -> None:
    """Only its owner ends a run whose owner lives; whoever else asks is told how it stands."""
    session = begun(service)
    before = service.record(session.run_id)
    assert other.cancel(session.run_id) == before
    assert before.status == Status.RUNNING
    assert service.submit(session.run_id, 0, Decision()).step_index == 2


def test_a_replaced_row_is_deleted_first(path: Path) -> None:
    """Whatever REPLACE removes on the writing connection meets the trigger of deletions."""
    with Ledger.open(path) as ledger:
        ledger.write(lambda conn: writes.insert_run(conn, columns("run-1")))
        ledger.write(lambda conn: conn.execute("DROP TRIGGER runs_no_replace"))
        with pytest.raises(LedgerRefused, match="archives it first"):
            ledger.write(
                lambda conn: conn.execute("INSERT OR REPLACE INTO runs SELECT * FROM runs")
            )


@pytest.mark.parametrize("how", ["left", "robbed"])
def test_commands_of_a_former_owner(service: RunService, other: RunService, how: str) -> None:
    """What an owner was asked and did not do is refused once it is gone; a cancel stands."""
    session = begun(service)
    run_id = session.run_id

    def ask(kind: str) -> int:
        return other.ledger.write(
            lambda conn: writes.request_command(conn, run_id, kind, {}, AT, other.instance.id)
        )

    step, cancel = ask("step"), ask("cancel")
    if how == "left":
        service.interrupt(session)
    else:
        other.take_up(run_id, force=True)
    with other.ledger.reader() as reader:
        refused, standing = reader.command(step), reader.command(cancel)
    assert (refused.error_code, refused.applied_at is not None) == ("run_not_active", True)
    assert "left by its owner" in refused.result["message"]
    assert standing.applied_at is None


def test_an_owner_is_never_seen_unlocked(path: Path) -> None:
    """From the first moment that its lock file has its name, a prober finds it locked."""
    seen: list[bool] = []
    watcher = Liveness(path, JumpClock())

    def look() -> None:
        found = path.parent.glob(f"{path.name}-*.lock")
        seen.extend(watcher.alive(file.stem[len(path.name) + 1 :]) for file in found)

    # Between the birth of the file and the lock on it there is a call, and no failpoint.
    real = Instance.__init__

    def spied(self: Instance, *words: object, **more: object) -> None:
        look()
        real(self, *words, **more)  # type: ignore[arg-type]

    def locked(file: IO[str]) -> bool:
        look()
        fcntl.flock(file, fcntl.LOCK_EX)
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Instance, "__init__", spied)
        patch.setattr("engine.runs.instance._lock", locked)
        with failpoints.armed("instance.made", look), failpoints.armed("instance.taken", look):
            held = Instance.take(path)
    assert all(seen)
    assert seen
    held.release()


def test_an_idle_owner_learns_that_it_was_robbed(service: RunService, other: RunService) -> None:
    """A run that waits for a decision writes nothing; its owner's heartbeat finds out."""
    session = begun(service)
    other.take_up(session.run_id, force=True)
    for _ in range(1000):
        service.pulse.beat()
        if session.closed.wait(0.01):
            break
    assert isinstance(session.error, LeaseLost)
    with pytest.raises(RunNotActive):
        service.submit(session.run_id, 0, Decision())


def test_an_answer_waits_for_its_commit(service: RunService) -> None:
    """A decision is acknowledged when it is durable, and not while it waits for the disk."""
    session = begun(service)
    inside, go, answered = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        inside.set()
        assert go.wait(60)

    def submit() -> None:
        service.submit(session.run_id, 0, Decision())
        answered.set()

    thread = threading.Thread(target=submit, daemon=True)
    with failpoints.armed("commit.before", hold):
        thread.start()
        assert inside.wait(60)
        assert not answered.wait(0.2)
        go.set()
        assert answered.wait(60)
    thread.join()
    assert service.record(session.run_id).step_index == 2


@pytest.mark.parametrize("act", ["submit", "step", "pause", "rewind"])
def test_a_closed_session_takes_nothing(service: RunService, act: str) -> None:
    """Somebody who waited for a run that was cancelled meanwhile is refused, and adds nothing."""
    session = begun(service)
    refused: list[RunNotActive] = []
    words = {"submit": (0, Decision()), "step": (1,), "pause": (), "rewind": (0,)}[act]

    def submit() -> None:
        try:
            getattr(service, act)(session.run_id, *words)
        except RunNotActive as error:
            refused.append(error)

    thread = threading.Thread(target=submit, daemon=True)
    with session.claim():
        thread.start()
        while session._claims < 2:
            assert thread.is_alive()
        service.cancel(session.run_id)
    thread.join(60)
    assert [str(error).split()[-1] for error in refused] == ["cancelled"]
    assert service.record(session.run_id).step_index == 1


def test_a_late_loader_brings_nothing_back(service: RunService) -> None:
    """Bars that come when the run has been cancelled are dropped with it."""
    session = service.create(MANUAL)
    source = session.prepared.source
    bars = source.load()

    def load(**_: object) -> object:
        service.cancel(session.run_id)
        return bars

    object.__setattr__(source, "load", load)
    service.load(session)
    assert session.progress is None
    assert session.bars is None
    service.begin(session)
    assert service.record(session.run_id).status == Status.CANCELLED


def test_the_state_table_is_asked(service: RunService) -> None:
    """What the table has no line for raises before anything is written."""
    session = service.create(MANUAL)
    before = service.record(session.run_id)
    with pytest.raises(IllegalTransition, match="created cannot complete"):
        service.move(session, Trigger.COMPLETE)
    assert service.record(session.run_id) == before
    assert session.run_id in service.sessions


def test_changed_rows_are_not_gone_on_from(path: Path, service: RunService) -> None:
    """Decisions that another program has changed are noticed by the digest, and the run is left."""
    session = begun(service)
    for due in range(4):
        service.submit(session.run_id, due, Decision(rationale="mine"))
    service.interrupt(session)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(
            'UPDATE steps SET decision = \'{"targets":{"AAPL":0.5}}\' WHERE step_index = 1'
        )
        conn.commit()
    again = service.take_up(session.run_id)
    service.load(again)
    service.begin(again)
    assert isinstance(again.error, LedgerCorrupt)
    record = service.record(session.run_id)
    assert (record.status, record.error_code) == ("interrupted", "ledger_corrupt")
    assert record.step_index == 5


@pytest.mark.parametrize("end", ["cancel", "interrupt"])
def test_force_takes_no_finished_run(service: RunService, other: RunService, end: str) -> None:
    """Force is for runs that live elsewhere: not for one's own, nor for one that has ended."""
    session = begun(service)
    with pytest.raises(RunNotResumable):
        service.take_up(session.run_id, force=True)
    assert service.sessions[session.run_id] is session
    assert service.record(session.run_id).lease_epoch == 1
    if end == "cancel":
        ended = service.cancel(session.run_id)
        with pytest.raises(RunNotResumable, match="is cancelled"):
            other.take_up(session.run_id, force=True)
        assert other.record(session.run_id) == ended
    else:
        service.interrupt(session)
        assert other.take_up(session.run_id, force=True).epoch == 2
