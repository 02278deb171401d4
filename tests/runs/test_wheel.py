"""Taking over a strategy's run and handing it back; the wheel survives whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from engine.errors import InvalidOption, RunNotActive, StrategyDiverged
from engine.model import Decision, Order, RunRequest
from engine.runs.lifecycle import Status
from engine.runs.session import Session
from tests.runs.conftest import MANUAL, SMA, Deck
from tests.runs.test_rewind import assert_verified, everything, rows

WINDOW = replace(SMA, start=date(2007, 6, 1), end=date(2009, 3, 31))
BUY = Decision((Order.buy("AAPL", 3),))
# Decides by what it has seen and by what it holds: wrong if it missed a step of somebody else's.
COUNTING = (
    "self.calls = getattr(self, 'calls', 0) + 1\n"
    "held = 'AAPL' in obs.portfolio.positions\n"
    "if self.calls % 5 == 0:\n"
    "    return Order.sell('AAPL', 1) if held else Order.buy('AAPL', 4)\n"
    "return None"
)


def sources(deck: Deck, run_id: str) -> dict[int, str]:
    with deck.reader() as reader:
        return {row.step_index: row.decision_source for row in reader.steps(run_id)}


def left_and_taken_up(deck: Deck, session: Session) -> Session:
    deck.service.interrupt(session)
    again = deck.service.take_up(session.run_id)
    deck.host.enqueue(again)
    assert deck.host.wait_idle(60)
    return again


def driven(deck: Deck, request: RunRequest, *, leave: bool) -> str:
    """A run that a person takes over twice on the way, perhaps left wherever it can be."""
    session = deck.ready(replace(request, paused=True))
    run_id = session.run_id

    def perhaps_leave() -> None:
        nonlocal session
        if leave:
            session = left_and_taken_up(deck, session)

    deck.service.step(run_id, 33)
    deck.service.take_over(run_id)
    perhaps_leave()
    deck.service.submit(run_id, 33, BUY)
    perhaps_leave()
    deck.service.submit(run_id, 34, Decision())
    deck.service.hand_back(run_id)
    perhaps_leave()
    deck.service.step(run_id, 40)
    deck.service.submit(run_id, 75, Decision((Order.sell("AAPL", 1),)))
    perhaps_leave()
    deck.service.step(run_id, 2)
    deck.service.hand_back(run_id)
    perhaps_leave()
    deck.service.resume(run_id)
    assert session.closed.wait(60)
    record = deck.service.record(run_id)
    assert (record.status, record.error_message) == ("completed", None)
    return run_id


def test_who_decided_what_is_on_record(deck: Deck, strategy_file: Callable[[str], str]) -> None:
    """A person's decisions are manual, holds too; the strategy's are its own, before and after."""
    run_id = driven(deck, replace(WINDOW, strategy=strategy_file(COUNTING)), leave=False)
    found = sources(deck, run_id)
    manual = {step for step, source in found.items() if source == "manual"}
    assert manual == {33, 34, 75, 76, 77}
    assert {found[step] for step in found if step not in manual} == {"strategy"}
    assert any(step > 77 for step in found)
    assert_verified(deck, run_id)


def test_the_wheel_survives_every_interruption(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """Left and taken up wherever that can be, the result is bit for bit the undisturbed one."""
    request = replace(WINDOW, strategy=strategy_file(COUNTING))
    whole = driven(deck, request, leave=False)
    assert rows(deck, driven(deck, request, leave=True)) == rows(deck, whole)


def test_a_strategy_that_is_handed_back_has_seen_every_step(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """It decides after the hand-back as if it had watched: its own count of steps is whole."""
    run_id = driven(deck, replace(WINDOW, strategy=strategy_file(COUNTING)), leave=False)
    own = [step for step, source in sources(deck, run_id).items() if source == "strategy"]
    assert {step % 5 for step in own} == {4}


def test_taking_over_a_running_run_pauses_it(deck: Deck) -> None:
    """The wheel is taken between two steps, and the run moves by hand from there on."""
    session = deck.start(replace(WINDOW, speed=300.0))
    with deck.reader() as reader:
        while reader.run(session.run_id).step_index < 10:
            assert not session.closed.is_set()
    record = deck.service.take_over(session.run_id)
    assert (record.status, record.metadata["taken_over"]) == ("paused", True)
    assert deck.service.take_over(session.run_id) == record
    deck.service.resume(session.run_id)
    assert deck.host.wait_idle(60)
    assert deck.service.record(session.run_id).step_index == record.step_index
    # Handed back while it is to move, it moves at once.
    deck.service.hand_back(session.run_id)
    deck.service.set_speed(session.run_id, None)
    assert session.closed.wait(60)
    assert deck.service.record(session.run_id).status == "completed"


def test_speed_and_pause_survive_with_the_wheel(deck: Deck) -> None:
    """A run comes back as it was: taken over, paused, as fast as it was told to be."""
    session = deck.ready(replace(WINDOW, paused=True))
    deck.service.step(session.run_id, 5)
    deck.service.set_speed(session.run_id, 40.0)
    deck.service.take_over(session.run_id)
    again = left_and_taken_up(deck, session)
    assert (again.taken_over, again.speed, again.status) == (True, 40.0, Status.PAUSED)
    assert again.decide is None


def test_a_run_by_hand_has_nothing_to_hand_back_to(deck: Deck) -> None:
    """Taking it over changes nothing, handing it back is refused; an ended run is neither."""
    run_id = deck.ready(MANUAL).run_id
    before = deck.service.record(run_id)
    assert deck.service.take_over(run_id) == before
    with pytest.raises(InvalidOption, match="no strategy to hand back to"):
        deck.service.hand_back(run_id)
    done = deck.run(WINDOW)
    for act in (deck.service.take_over, deck.service.hand_back):
        with pytest.raises(RunNotActive, match="is completed"):
            act(done.run_id)


def test_a_strategy_that_diverges_is_not_handed_the_wheel(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """The first step it would decide otherwise is named; the person keeps the wheel."""
    flag = tmp_path / "flag"
    spec = strategy_file(
        "import pathlib\n"
        f"there = pathlib.Path({str(flag)!r}).exists()\n"
        "return Order.buy(obs.symbols[0], 2 if there and obs.step == 6 else 1)"
    )
    session = deck.ready(replace(WINDOW, strategy=spec, paused=True))
    deck.service.step(session.run_id, 20)
    deck.service.submit(session.run_id, 20, BUY)
    before = everything(deck)
    flag.touch()
    with pytest.raises(StrategyDiverged, match="at step 6"):
        deck.service.hand_back(session.run_id)
    assert everything(deck) == before
    assert session.decide is None
    deck.service.submit(session.run_id, 21, BUY)


def test_a_rewound_run_keeps_its_wheel(deck: Deck) -> None:
    """A person who rewinds goes on deciding; so does a strategy."""
    session = deck.ready(replace(WINDOW, paused=True))
    deck.service.step(session.run_id, 20)
    deck.service.take_over(session.run_id)
    deck.service.submit(session.run_id, 20, BUY)
    deck.service.rewind(session.run_id, 15)
    assert (session.taken_over, session.decide) == (True, None)
    deck.service.submit(session.run_id, 15, BUY)
    assert sources(deck, session.run_id)[15] == "manual"
    deck.service.hand_back(session.run_id)
    deck.service.rewind(session.run_id, 3)
    assert not session.taken_over
    assert session.decide is not None
