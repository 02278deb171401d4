"""The poller: what it reads, when, and what it says."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from textual.message import Message

from engine.errors import LedgerMissing, LedgerReplaced
from engine.store import writes
from tui.gateway import Gateway
from tui.messages import Polled, PollTrouble
from tui.options import build_request
from tui.poller import LOOK_ANYWAY_SECONDS, WHOLE_SECONDS, Poller, RateMeter

AT = "2026-01-02T00:00:00.000Z"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    opened = Gateway.open(tmp_path / "deck.db")
    yield opened
    opened.close()


class Posts:
    """What was posted, with a way to wait for it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.came = threading.Event()

    def __call__(self, message: Message) -> bool:
        self.messages.append(message)
        self.came.set()
        return True


class Clock:
    """A monotonic clock that stands still until it is set."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def move(source: Path, target: Path) -> None:
    """A ledger with the files that SQLite keeps beside it."""
    for part in ("", "-wal", "-shm"):
        file = source.with_name(source.name + part)
        if file.exists():
            file.rename(target.with_name(target.name + part))


def create(gateway: Gateway, strategy: str = "manual") -> str:
    request = build_request(strategy, {"symbols": "AAPL", "start": "2012-01-03"})
    return gateway.create(request).run_id


def test_nothing_is_read_while_nothing_is_committed(gateway: Gateway) -> None:
    """A second look at a quiet ledger sees nothing new."""
    poller = Poller(gateway, Posts(), Clock())
    assert poller.look() is not None
    assert poller.look() is None


def test_a_commit_of_anybody_is_seen(gateway: Gateway) -> None:
    """A new run shows up at the next look."""
    poller = Poller(gateway, Posts(), Clock())
    poller.look()
    run_id = create(gateway)
    tick = poller.look()
    assert tick is not None
    assert run_id in [row.record.run_id for row in tick.snapshot.rows]


def test_owners_die_without_a_commit_so_it_looks_anyway_now_and_then(gateway: Gateway) -> None:
    """After two seconds it asks for the owners of active runs, and says what has changed."""
    other = Gateway.open(gateway.path)
    run_id = create(other)
    other.settle(30)
    clock = Clock()
    poller = Poller(gateway, Posts(), clock)
    tick = poller.look()
    assert tick is not None
    assert [row.owner for row in tick.snapshot.rows] == ["elsewhere"]
    for _ in range(2):  # a second look is what makes a rate known
        clock.at += LOOK_ANYWAY_SECONDS
        tick = poller.look()
    assert tick is None
    assert other._service is not None
    other._service.instance.release()
    assert poller.look() is None
    clock.at += LOOK_ANYWAY_SECONDS
    tick = poller.look()
    assert tick is not None
    assert [(row.record.run_id, row.owner) for row in tick.snapshot.rows] == [(run_id, "gone")]
    other.close()


def test_rows_that_have_not_changed_stay_the_same_objects(gateway: Gateway) -> None:
    """What tells the screen that it has nothing to do for them."""
    still = gateway.wait(create(gateway, "buy_and_hold")).run_id
    moving = create(gateway)
    gateway.settle(30)
    poller = Poller(gateway, Posts(), Clock())
    one = poller.look()
    gateway.step(moving)
    two = poller.look()
    assert one is not None
    assert two is not None
    before = {row.record.run_id: row for row in one.snapshot.rows}
    after = {row.record.run_id: row for row in two.snapshot.rows}
    assert after[still] is before[still]
    assert after[moving].record.step_index == before[moving].record.step_index + 1


def test_what_left_no_event_is_seen_within_seconds(gateway: Gateway) -> None:
    """Another program may write a row without telling; all rows are read again now and then."""
    run_id = create(gateway)
    gateway.settle(30)
    clock = Clock()
    poller = Poller(gateway, Posts(), clock)
    poller.look()
    with closing(sqlite3.connect(gateway.path, timeout=10)) as conn, conn:
        conn.execute("UPDATE runs SET agent_id = 'somebody' WHERE run_id = ?", (run_id,))
    clock.at += WHOLE_SECONDS
    tick = poller.look()
    assert tick is not None
    assert tick.snapshot.rows[0].record.agent_id == "somebody"


def test_a_deleted_run_goes(gateway: Gateway) -> None:
    """The change feed says so, and its row is no longer in the list."""
    run_id = gateway.wait(create(gateway, "buy_and_hold")).run_id
    gateway.settle(30)
    poller = Poller(gateway, Posts(), Clock())
    poller.look()
    assert gateway._ledger is not None
    gateway._ledger.write(lambda conn: writes.delete_run(conn, run_id, at=AT, by=None))
    tick = poller.look()
    assert tick is not None
    assert not tick.snapshot.rows


def test_a_list_kept_up_is_the_list_read_anew(gateway: Gateway) -> None:
    """However runs come, move and end, following the changes gives the rows that are there."""
    book = gateway.book()
    book.look()
    ids = [create(gateway) for _ in range(3)]
    gateway.settle(30)
    book.look()
    gateway.step(ids[1], 5)
    gateway.cancel(ids[0])
    assert book.look() == gateway.snapshot().rows
    assert [row.record.run_id for row in book.look()] == ids[::-1]
    assert book.look() is book.look()


def test_a_ledger_that_goes_or_is_replaced_is_said(gateway: Gateway, tmp_path: Path) -> None:
    """Gone, then another in its place, then the old one back: each time the truth."""
    poller = Poller(gateway, Posts(), Clock())
    assert poller.look() is not None
    move(gateway.path, tmp_path / "aside.db")
    with pytest.raises(LedgerMissing):
        poller.look()
    Gateway.open(gateway.path).close()
    with pytest.raises(LedgerReplaced):
        poller.look()
    move(gateway.path, tmp_path / "other.db")
    move(tmp_path / "aside.db", gateway.path)
    poller.look()


def test_a_deck_that_watches_turns_to_the_ledger_that_is_there(
    gateway: Gateway, tmp_path: Path
) -> None:
    """It holds nothing of its own: the new file's runs are shown."""
    create(gateway)
    gateway.settle(30)
    gateway.close()
    watching = Gateway.open(gateway.path, write=False)
    poller = Poller(watching, Posts(), Clock())
    tick = poller.look()
    assert tick is not None
    assert len(tick.snapshot.rows) == 1
    move(gateway.path, tmp_path / "aside.db")
    other = Gateway.open(gateway.path)
    tick = poller.look()
    assert tick is not None
    assert tick.snapshot.rows == ()
    watching.close()
    other.close()


def test_the_followed_run_comes_in_detail_and_rows_in_view_with_a_curve(
    gateway: Gateway,
) -> None:
    """What a screen asks for is in the next look, commit or not."""
    run_id = gateway.wait(create(gateway, "sma_cross")).run_id
    gateway.settle(30)
    poller = Poller(gateway, Posts(), Clock())
    first = poller.look()
    assert first is not None
    assert first.detail is None
    assert not first.sparks
    poller.show([run_id, "gone"], run_id)
    tick = poller.look()
    assert tick is not None
    assert tick.detail is not None
    assert len(tick.detail.equity) == tick.detail.record.step_index
    assert len(tick.sparks[run_id]) > 1
    assert "gone" not in tick.sparks


def test_a_run_that_is_gone_is_followed_as_nothing(gateway: Gateway) -> None:
    """A run deleted by somebody else is no error."""
    poller = Poller(gateway, Posts(), Clock())
    poller.show([], "nobody")
    tick = poller.look()
    assert tick is not None
    assert tick.detail is None


def test_a_newer_look_replaces_one_not_yet_shown(gateway: Gateway) -> None:
    """A slow screen never works through a backlog."""
    tick = Poller(gateway, Posts(), Clock()).look()
    assert tick is not None
    assert Polled(tick).can_replace(Polled(tick))
    assert not Polled(tick).can_replace(PollTrouble(None))


def test_the_thread_posts_and_stops(gateway: Gateway) -> None:
    """Started, it posts a look; stopped, its thread is gone."""
    posts = Posts()
    poller = Poller(gateway, posts)
    poller.start()
    assert posts.came.wait(10)
    poller.stop()
    assert isinstance(posts.messages[0], Polled)
    assert not any(thread.name == "deck-poller" for thread in threading.enumerate())


def test_rates_need_two_looks_and_follow_the_last_seconds() -> None:
    """Steps over time; old looks are forgotten, so that a change of speed shows."""
    meter = RateMeter(seconds=2.0)
    assert meter.observe(0.0, {"a": 0}) == {}
    assert meter.observe(1.0, {"a": 100}) == {"a": 100.0}
    assert meter.observe(2.0, {"a": 100}) == {"a": 50.0}
    assert meter.observe(3.0, {"a": 100}) == {"a": 0.0}


def test_a_run_that_went_back_or_away_starts_anew() -> None:
    """A rewind is no negative speed."""
    meter = RateMeter()
    meter.observe(0.0, {"a": 50, "b": 1})
    assert meter.observe(1.0, {"a": 10}) == {}
    assert meter.observe(2.0, {"a": 20, "b": 1}) == {"a": 10.0}
