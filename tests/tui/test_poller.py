"""The poller: what it reads, when, and what it says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.message import Message

from tui.gateway import Gateway
from tui.messages import Polled, PollTrouble
from tui.options import build_request
from tui.poller import LOOK_ANYWAY_SECONDS, Poller, RateMeter


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
    """After two seconds it looks even at a quiet ledger."""
    clock = Clock()
    poller = Poller(gateway, Posts(), clock)
    poller.look()
    clock.at += LOOK_ANYWAY_SECONDS
    assert poller.look() is not None


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
