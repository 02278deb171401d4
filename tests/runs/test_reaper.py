"""The reaper's pass: everything left undone, once, by however many, each for itself."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.errors import LeaseLost, RunNotActive
from engine.failpoints import armed
from engine.model import Decision
from engine.runs.instance import Instance, lock_path, probe
from engine.runs.limits import Limits
from engine.runs.reaper import Reaper
from engine.store import checkpoint, writes
from engine.store.locks import lock_draft
from tests.runs.conftest import MANUAL, SMA, Deck

PAUSED = replace(SMA, paused=True)
BLIND = Limits(probe_locks=False, heartbeat_stale_seconds=300.0, reaper_interval_seconds=1e9)
AT = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def dead(open_deck: Callable[..., Deck]) -> Deck:
    """An owner to be killed."""
    return open_deck()


def test_orphans_are_taken_once_and_a_second_pass_does_nothing(
    open_deck: Callable[..., Deck], dead: Deck
) -> None:
    """Whatever state they were in; the lock file of their owner goes, other runs stay."""
    deck = open_deck()
    ours = deck.ready(PAUSED).run_id
    theirs = {dead.service.create(SMA).run_id, dead.ready(PAUSED).run_id, dead.ready(MANUAL).run_id}
    owner = dead.service.instance.id
    assert Reaper(deck.service).sweep().adopted == []
    dead.die()
    swept = Reaper(deck.service).sweep()
    assert (set(swept.adopted), swept.failed) == (theirs, [])
    assert not lock_path(deck.ledger.path, owner).exists()
    again = Reaper(deck.service).sweep()
    assert (again.adopted, again.failed) == ([], [])
    assert {deck.service.record(run_id).status for run_id in theirs} == {"interrupted"}
    assert deck.service.record(ours).status == "paused"


def test_many_reapers_take_each_orphan_once(open_deck: Callable[..., Deck], dead: Deck) -> None:
    """Six owners sweep at one instant: together they have every orphan, none has another's."""
    orphans = {dead.service.create(SMA).run_id for _ in range(30)}
    reapers = [Reaper(open_deck().service) for _ in range(6)]
    barrier = threading.Barrier(len(reapers))
    taken: list[str] = []
    dead.die()

    def sweep(reaper: Reaper) -> None:
        barrier.wait()
        taken.extend(reaper.sweep().adopted)

    threads = [threading.Thread(target=sweep, args=(reaper,)) for reaper in reapers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(orphans)
    with dead.reader() as reader:
        assert {reader.run(run_id).lease_epoch for run_id in orphans} == {2}


def test_an_orphan_that_somebody_wanted_cancelled_is_cancelled(
    open_deck: Callable[..., Deck], dead: Deck
) -> None:
    """The reaper finishes what the owner did not live to do."""
    deck = open_deck()
    run_id = dead.ready(PAUSED).run_id
    dead.host.close()
    assert deck.ledger.write(lambda conn: writes.request_cancel(conn, run_id, AT))
    dead.die()
    Reaper(deck.service).sweep()
    record = deck.service.record(run_id)
    assert (record.status, record.end_reason) == ("cancelled", "cancelled_by_user")
    assert record.finished_at is not None


def test_a_wanted_cancel_that_got_lost_is_carried_out(deck: Deck) -> None:
    """A request in the row is enough, where no command came with it."""
    run_id = deck.ready(PAUSED).run_id
    assert deck.ledger.write(lambda conn: writes.request_cancel(conn, run_id, AT))
    assert Reaper(deck.service).sweep().cancelled == [run_id]
    assert deck.service.record(run_id).status == "cancelled"


def test_a_run_that_the_ledger_refuses_keeps_no_other(
    open_deck: Callable[..., Deck], dead: Deck
) -> None:
    """One orphan cannot be written: the others are taken, and it in the pass that can."""
    deck = open_deck()
    runs = [dead.service.create(SMA).run_id for _ in range(5)]
    dead.die()
    with sqlite3.connect(deck.ledger.path) as conn:
        conn.execute(
            "CREATE TRIGGER no BEFORE UPDATE ON runs "
            f"WHEN OLD.run_id = '{runs[2]}' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    taken = Reaper(deck.service).sweep().adopted
    assert taken == [run_id for run_id in runs if run_id != runs[2]]
    with sqlite3.connect(deck.ledger.path) as conn:
        conn.execute("DROP TRIGGER no")
    conn.close()
    assert Reaper(deck.service).sweep().adopted == [runs[2]]


def test_commands_to_an_ended_run_are_answered(deck: Deck) -> None:
    """What nobody will carry out is refused, and says that the run has ended."""
    run_id = deck.run(replace(SMA, symbols=("IBM",))).run_id
    deck.host.close()
    command = deck.ledger.write(
        lambda conn: writes.request_command(conn, run_id, "pause", {}, AT, "somebody")
    )
    assert Reaper(deck.service).sweep().refused == 1
    with deck.reader() as reader:
        answer = reader.command(command)
    assert (answer.error_code, answer.applied_at is not None) == ("run_not_active", True)
    assert Reaper(deck.service).sweep().refused == 0


def test_lock_files_of_the_dead_are_removed_and_of_the_living_kept(deck: Deck) -> None:
    """Also of a process that died without a run."""
    gone = Instance.take(deck.ledger.path)
    gone._file.close()
    lives = Instance.take(deck.ledger.path)
    assert Reaper(deck.service).sweep().discarded == 1
    assert not lock_path(deck.ledger.path, gone.id).exists()
    assert lock_path(deck.ledger.path, lives.id).exists()
    lives.release()


def test_lock_files_that_never_got_their_name_are_removed(deck: Deck) -> None:
    """Of a process that was killed while it made one; one that is being made is left, and one that
    was taken from under its maker's hands is made again."""
    draft = lock_draft(deck.ledger.path, str(uuid.uuid4()))
    draft.touch()
    assert Reaper(deck.service).sweep().discarded == 1
    assert not draft.exists()

    def swept() -> None:
        assert Reaper(deck.service).sweep().discarded == 0

    with armed("instance.locked", swept):
        Instance.take(deck.ledger.path).release()
    with armed("instance.made", lambda: Reaper(deck.service).sweep(), at=1) as point:
        taken = Instance.take(deck.ledger.path)
    assert point.passed == 2
    assert probe(deck.ledger.path, taken.id)
    taken.release()


def test_who_wants_one_orphan_takes_that_one(open_deck: Callable[..., Deck], dead: Deck) -> None:
    """A resume or a rewind of it recovers no other: the reaper may have been told to wait."""
    deck = open_deck()
    first, second, third = (dead.ready(PAUSED).run_id for _ in range(3))
    dead.die()
    deck.take_up(first)
    assert deck.service.record(second).status == "paused"
    deck.service.rewind(second, 0)
    assert deck.service.record(second).status == "interrupted"
    assert deck.service.record(third).status == "paused"
    assert Reaper(deck.service).sweep().adopted == [third]


def test_a_silent_owner_is_fenced_where_locks_do_not_count(
    open_deck: Callable[..., Deck], dead: Deck
) -> None:
    """Past its heartbeat its run is taken; when it goes on it adds no row and says why."""
    deck = open_deck(BLIND)
    session = dead.ready(MANUAL)
    idle = dead.ready(PAUSED)
    dead.host.close()
    reaper = Reaper(deck.service)
    for _ in range(6):
        assert reaper.sweep().adopted == []
        deck.clock.ahead += 59
    assert set(reaper.sweep().adopted) == {session.run_id, idle.run_id}
    assert lock_path(deck.ledger.path, dead.service.instance.id).exists()
    before = deck.service.record(session.run_id)
    with pytest.raises(LeaseLost):
        dead.service.submit(session.run_id, 0, Decision())
    assert isinstance(session.error, LeaseLost)
    with pytest.raises(RunNotActive, match="is interrupted"):
        dead.service.submit(session.run_id, 0, Decision())
    # The other does nothing, and learns it from its own heartbeat.
    while not idle.closed.is_set():
        dead.service.pulse.beat()
    assert isinstance(idle.error, LeaseLost)
    assert deck.service.record(session.run_id) == before


def test_an_idle_ledger_is_checkpointed(deck: Deck) -> None:
    """After a pass nothing stands in the WAL alone, and an unchanged ledger is left in peace."""
    deck.run(SMA)
    Reaper(deck.service).sweep()
    moved = deck.ledger.write(lambda _conn: deck.ledger._checkpointer.last)
    assert moved is not None
    assert moved.pinned == 0
    assert checkpoint.wal_bytes(deck.ledger.path) > 0


def test_a_run_that_was_left_with_a_cancel_wanted_is_cancelled(deck: Deck) -> None:
    """Its owner went before it heard of it, and so did who asked: the next pass does it."""
    session = deck.ready(PAUSED)
    deck.service.interrupt(session)
    deck.ledger.write(lambda conn: writes.request_cancel(conn, session.run_id, AT))
    swept = Reaper(deck.service).sweep()
    assert (swept.cancelled, swept.failed) == ([session.run_id], [])
    record = deck.service.record(session.run_id)
    assert (record.status, record.end_reason) == ("cancelled", "cancelled_by_user")


def test_a_lock_file_that_cannot_be_read_keeps_nobody_from_recovery(
    open_deck: Callable[..., Deck], dead: Deck
) -> None:
    """Another person's lock says nothing to us: its owner is left to its heartbeat, and the others'
    runs are taken all the same."""
    deck = open_deck()
    strange = open_deck()
    theirs = strange.ready(PAUSED).run_id
    file = lock_path(deck.ledger.path, strange.service.instance.id)
    file.unlink()
    file.mkdir()  # as unreadable as one without permission, for whoever runs this
    try:
        orphan = dead.ready(PAUSED).run_id
        dead.die()
        swept = Reaper(deck.service).sweep()
        assert (swept.adopted, swept.failed) == ([orphan], [])
        assert deck.service.record(theirs).status == "paused"
    finally:
        file.rmdir()
