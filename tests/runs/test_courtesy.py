"""Engine threads stand aside for a screen that asks, and no screen can hold them up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from engine.drivers.courtesy import MOST_SECONDS, Courtesy
from engine.drivers.host import Host
from engine.runs.clock import SystemClock
from tests.runs.conftest import SMA, Deck


class HandClock(SystemClock):
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = 100.0

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class Watched(Courtesy):
    """A courtesy of which a test knows that a thread stands aside for it."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(clock)
        self.looks = 0
        stood = self

        class Over(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                stood.looks += 1
                return super().wait(timeout)

        self._over = Over()


@pytest.fixture
def courtesy(clock: HandClock) -> Iterator[Watched]:
    made = Watched(clock)
    yield made
    clock.time += 1.0


@pytest.fixture
def attended(open_deck: Callable[..., Deck], courtesy: Courtesy) -> Deck:
    """An owner whose engine threads have a screen beside them."""
    deck = open_deck()
    deck.host.close()
    deck.host = Host(deck.service, slice_seconds=0.005, courtesy=courtesy)
    return deck


def test_no_step_between_a_key_and_its_answer(
    attended: Deck, courtesy: Watched, strategy_file: Callable[[str], str]
) -> None:
    """The slice in progress ends with its next step; the next begins when the answer is out."""
    spec = strategy_file("import time\ntime.sleep(0.002)\nreturn None")
    session = attended.start(replace(SMA, strategy=spec, params={}))

    def decided() -> int:
        return 0 if session.progress is None else session.progress.state.decided

    attended.until(lambda: decided() > 20)
    attended.host.make_way()
    attended.until(lambda: courtesy.looks > 0)
    stands, looks = decided(), courtesy.looks
    attended.until(lambda: courtesy.looks > looks + 2)
    assert decided() == stands
    assert not session.waiting
    courtesy.done()
    attended.until(lambda: decided() > stands)


def test_an_answer_that_never_comes_is_not_waited_for(courtesy: Courtesy, clock: HandClock) -> None:
    """A screen that dies after it asked holds nobody up."""
    courtesy.ask()
    thread = threading.Thread(target=courtesy.stand_aside)
    thread.start()
    clock.time += MOST_SECONDS
    thread.join(60)
    assert not thread.is_alive()
    assert not courtesy.asked


def test_half_of_the_time_is_the_engines(courtesy: Courtesy, clock: HandClock) -> None:
    """However often it is asked: keys by the thousand, answered or not, get half of it."""
    for answered in (False, True):
        asked = 0
        for tick in range(4000):
            courtesy.ask()
            asked += courtesy.asked
            clock.time += 0.001
            if answered and tick % 7 == 0:
                courtesy.done()
        assert 1000 < asked <= 2000 + 20, (answered, asked)


def test_a_key_right_behind_an_answer_is_no_asking(courtesy: Courtesy, clock: HandClock) -> None:
    """The engine goes on for as long as it stood; then the next key is minded again."""
    courtesy.ask()
    clock.time += 0.010
    courtesy.done()
    clock.time += 0.009
    courtesy.ask()
    assert not courtesy.asked
    clock.time += 0.002
    courtesy.ask()
    assert courtesy.asked


def test_who_waits_for_the_run_does_not_wait_for_the_screen(
    attended: Deck, courtesy: Courtesy, strategy_file: Callable[[str], str]
) -> None:
    """A run that is held back is paused all the same."""
    spec = strategy_file("import time\ntime.sleep(0.002)\nreturn None")
    session = attended.start(replace(SMA, strategy=spec, params={}))
    attended.until(lambda: session.progress is not None and session.progress.state.decided > 0)
    attended.host.make_way()
    paused: list[str] = []
    asking = threading.Thread(
        target=lambda: paused.append(attended.service.pause(session.run_id).status), daemon=True
    )
    asking.start()
    asking.join(60)
    assert paused == ["paused"]
    assert courtesy.asked


def test_a_held_key_changes_no_result(attended: Deck, deck: Deck, clock: HandClock) -> None:
    """Runs beside a screen that asks all the time end, and as they would have without it."""
    over = threading.Event()

    def hold() -> None:
        while not over.wait(0.001):
            clock.time += 0.003
            attended.host.make_way()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        shown = [attended.start(SMA) for _ in range(3)]
        assert all(session.closed.wait(60) for session in shown)
    finally:
        over.set()
        thread.join(60)
    assert {attended.digest(session.run_id) for session in shown} == {
        deck.digest(deck.run(SMA).run_id)
    }
