"""Where a run's time stops, and what is typed after "go to"."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.errors import InvalidOption
from tui.viewmodel.time_walk import Goal, after, before, goal_text, read_goal

DAY = 86_400_000_000
# 2008-01-02, 03, 04, 07, 08: daily bars, a week-end between.
STAMPS = np.array([13_880, 13_881, 13_882, 13_885, 13_886], np.int64) * DAY


def read(text: str, *, shown: int = 5, live: bool = True, total: int = 100) -> Goal:
    return read_goal(text, shown=shown, stamps=STAMPS, total=total, zone=UTC, live=live)


def test_stops_are_found_on_both_sides() -> None:
    """The next one is past where one is, the one before ahead of it; none is None."""
    stops = [2, 5, 9]
    assert [after(stops, at) for at in (1, 2, 8, 9)] == [2, 5, 9, None]
    assert [before(stops, at) for at in (1, 2, 5, 99)] == [None, None, 2, 9]


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("0", Goal(settled=1)),
        ("2", Goal(settled=3)),
        (" 4 ", Goal(settled=5)),
        ("-2", Goal(settled=3)),
        ("2008-01-03", Goal(settled=2)),
        ("2008-01-05", Goal(settled=4)),
        ("2008/1/3", Goal(settled=2)),
        ("1999-01-01", Goal(settled=1)),
        ("2008-01", Goal(settled=1)),
        ("60", Goal(step=60)),
        ("+10", Goal(step=14)),
        ("2008-02-01", Goal(day="2008-02-01")),
    ],
)
def test_steps_dates_and_distances_are_read(text: str, goal: Goal) -> None:
    """A date means its first bar or the one after it; what is ahead of now is to be run to."""
    assert read(text) == goal


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nowhere to go yet"),
        ("abc", "no step or date"),
        ("-5", "there is no step -1; the first is 0, now is 4"),
        ("100", "the last is 99"),
        ("2008-13-01", "in the calendar"),
        ("1.5", "no step or date"),
    ],
)
def test_what_is_no_place_is_refused_with_what_would_be(text: str, said: str) -> None:
    """The line under the field says it while one types."""
    with pytest.raises(InvalidOption, match=said):
        read(text)


@pytest.mark.parametrize("text", ["60", "2008-02-01"])
def test_a_run_that_does_not_move_has_no_future(text: str) -> None:
    """What it never came to is refused, with where it ended."""
    with pytest.raises(InvalidOption, match="never came"):
        read(text, live=False)


def test_the_distance_counts_from_the_moment_shown() -> None:
    """Ten back from the past is ten before that."""
    assert read("-1", shown=3) == Goal(settled=2)
    assert read("+1", shown=3) == Goal(settled=4)


def test_dates_are_those_of_the_exchange() -> None:
    """Two in the morning UTC is still the evening before in New York."""
    stamps = STAMPS + 2 * 3_600_000_000
    goal = read_goal(
        "2008-01-02",
        shown=5,
        stamps=stamps,
        total=None,
        zone=ZoneInfo("America/New_York"),
        live=False,
    )
    assert goal == Goal(settled=2)


def test_what_enter_would_do_is_said() -> None:
    """Look, or let the run go on."""
    assert goal_text(Goal(settled=2), STAMPS, UTC) == "shows step 1, 2008-01-03"
    assert "now" in goal_text(Goal(settled=5), STAMPS, UTC)
    assert "go on to step 60" in goal_text(Goal(step=60), STAMPS, UTC)
    assert "2008-02-01" in goal_text(Goal(day="2008-02-01"), STAMPS, UTC)
