"""Which keys work in which situation: the table, without a screen."""

from __future__ import annotations

import pytest

from tui import keys
from tui.keys import Place
from tui.viewmodel.run_state import CONDITIONS, Situation, allowed, label_of, why_not

NOW = Situation("paused", 20, 100)
PAST = Situation("paused", 20, 100, at=10)
DONE = Situation("completed", 100, 100)
HAND = Situation("running", 20, 100, by_hand=True, was_hand=True)


def test_every_condition_is_of_an_action() -> None:
    """The table names no key that there is not."""
    assert set(CONDITIONS) <= {action.method for action in keys.of(Place.RUN)}


@pytest.mark.parametrize(
    ("action", "situation", "works"),
    [
        ("step", NOW, True),
        ("step", PAST, True),
        ("step", DONE, False),
        ("look_back", NOW, True),
        ("look_back", Situation("paused", 1, 100), None),
        ("look_back", Situation("paused", 20, 100, at=1), None),
        ("now", NOW, False),
        ("now", PAST, True),
        ("play", NOW, True),
        ("play", HAND, False),
        ("play", DONE, True),
        ("play", Situation("completed", 1, 1), False),
        ("buy", NOW, True),
        ("buy", PAST, None),
        ("buy", DONE, False),
        ("buy", Situation("interrupted", 20, 100), False),
        ("close_position", NOW, None),
        ("close_position", Situation("paused", 20, 100, held=5.0), True),
        ("reverse", Situation("paused", 20, 100, held=5.0), False),
        ("reverse", Situation("paused", 20, 100, held=5.0, shorts=True), True),
        ("take_over", NOW, True),
        ("take_over", PAST, None),
        ("take_over", HAND, False),
        ("undo", NOW, False),
        ("undo", Situation("paused", 20, 100, undoable=True), True),
        ("rewind", NOW, False),
        ("rewind", PAST, True),
        ("rewind", Situation("interrupted", 20, 100, at=3), True),
        ("rewind", Situation("completed", 20, 20, at=3), False),
        ("fork", DONE, True),
        ("fork", Situation("loading"), None),
        ("faster", NOW, True),
        ("faster", HAND, False),
        ("faster", PAST, True),
        ("take_up", Situation("interrupted", 3, 9), True),
        ("take_up", NOW, False),
        ("cancel", DONE, False),
        ("next_symbol", NOW, False),
        ("copy", DONE, True),
    ],
)
def test_what_works_when(action: str, situation: Situation, works: bool | None) -> None:
    """True works, None is greyed, False is not there."""
    assert allowed(action, situation) is works


def test_names_that_depend_on_the_moment() -> None:
    """A button says what it would do."""
    running = Situation("running", 20, 100)
    assert label_of("play", running) == "Pause"
    assert label_of("play", NOW) == "Play"
    assert label_of("play", PAST) == label_of("play", DONE) == "Replay"
    assert label_of("take_over", NOW) == "Take over"
    assert label_of("take_over", Situation("paused", 20, by_hand=True)) == "Hand back"
    assert label_of("fork", NOW) == "Fork"
    assert label_of("fork", PAST) is None
    assert label_of("buy", NOW) is None


@pytest.mark.parametrize(
    ("action", "situation", "words"),
    [
        ("rewind", NOW, "look back first"),
        ("rewind", Situation("completed", 100, 100, at=10), "never changes: fork it"),
        ("buy", PAST, "this is the past"),
        ("buy", DONE, "fork it"),
        ("hold", Situation("interrupted", 20, 100), "take it up first"),
        ("close_position", NOW, "nothing of this symbol is held"),
        ("reverse", NOW, "no short positions"),
        ("take_over", HAND, "by hand anyway"),
        ("play", HAND, "waits for each decision"),
        ("cancel", DONE, "completed already"),
        ("undo", NOW, "newest step"),
    ],
)
def test_a_key_that_does_nothing_says_why(action: str, situation: Situation, words: str) -> None:
    """The reason names what would be right."""
    assert words in str(why_not(action, situation))


def test_what_works_needs_no_reason() -> None:
    """There is no reason where the key works."""
    for situation in (NOW, PAST, DONE, HAND):
        for action in CONDITIONS:
            if allowed(action, situation) is True:
                assert why_not(action, situation) is None
