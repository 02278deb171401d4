"""The compare screen as values: which runs fit, the axis they share, where to jump to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.model import RunRecord
from tests.tui.viewmodel.test_runs import RECORD
from tui.viewmodel import compare_view
from tui.viewmodel.compare import Against, Comparison, Curve, Divergence, Figure

DAY = 86_400_000_000


def run(name: str) -> RunRecord:
    return replace(RECORD, run_id=name, name=name)


def curve(first: int, *growth: float) -> Curve:
    stamps = DAY * np.arange(first, first + len(growth), dtype=np.int64)
    return Curve(stamps, np.array(growth))


def compared(*curves: Curve, against: Against | None = None) -> Comparison:
    runs = tuple(run(f"r{place}") for place in range(len(curves)))
    others = tuple(against or Against(None, None) for _ in curves[1:])
    figure = Figure("total_return", tuple(float(place) for place in range(len(curves))),
                    frozenset({len(curves) - 1}))  # fmt: skip
    return Comparison(runs, (figure,), (), curves, others)


def test_runs_of_other_days_stand_on_one_axis() -> None:
    """Each curve begins where its own days do, at 100."""
    made = compare_view.curves(
        compared(curve(0, 1.0, 1.1, 1.2), curve(1, 1.0, 0.9, 0.8)), 1, difference=False
    )
    assert made is not None
    assert len(made.stamps) == 4
    assert [one.steps.tolist() for one in made.series] == [[0, 1, 2], [1, 2, 3]]
    assert [one.values[0] for one in made.series] == [100.0, 100.0]
    assert [one.broken for one in made.series] == [True, False]


def test_a_difference_is_taken_where_both_are() -> None:
    """In points of the scale, over the days that both have."""
    made = compare_view.curves(
        compared(curve(0, 1.0, 1.1, 1.2), curve(1, 1.0, 0.9, 0.8)), 1, difference=True
    )
    assert made is not None
    (only,) = made.series
    assert only.steps.tolist() == [1, 2]
    assert only.values == pytest.approx([-10.0, -30.0])
    assert made.initial == 0.0


def test_nothing_in_common_or_nothing_settled_draws_nothing() -> None:
    """No error, no empty axes."""
    apart = compared(curve(0, 1.0), curve(9, 1.0))
    assert compare_view.curves(apart, 1, difference=True) is None
    assert compare_view.curves(compared(curve(0), curve(0)), 1, difference=False) is None


@given(st.integers(2, 40), st.data())
def test_the_first_and_the_chosen_run_are_always_in_sight(count: int, data: st.DataObject) -> None:
    """Whatever the room, and no run twice."""
    chosen = data.draw(st.integers(0, count - 1))
    room = data.draw(st.integers(40, 250))
    shown = compare_view.window(count, chosen, room)
    assert {0, chosen} <= set(shown)
    assert len(set(shown)) == len(shown)
    assert shown == sorted(shown)
    assert max(shown) < count


def test_columns_are_as_wide_as_what_they_hold_where_there_is_room() -> None:
    """A long name is cut in a narrow window only; and they never push a run out."""
    made = compared(curve(0), curve(0))
    runs = [replace(run, name=f"a name of twenty {n}") for n, run in enumerate(made.runs)]
    lines = compare_view.rows(made, (0, 1))
    wide = compare_view.columns(runs, 1, 100, lines)
    assert [column.width for column in wide[1:]] == [len("▸ a name of twenty 0")] * 2
    narrow = compare_view.columns(runs, 1, 54, lines)
    assert [column.width for column in narrow[1:]] == [compare_view.RUN_CELLS] * 2


def test_the_cursors_moment_is_found_in_both_runs() -> None:
    """The steps settled at a stamp; none where one of them had not begun."""
    made = compared(curve(0, 1.0, 1.0, 1.0), curve(1, 1.0, 1.0))
    stamps = made.curves[0].stamps
    assert compare_view.moments(made, 1, int(stamps[0])) is None
    assert compare_view.moments(made, 1, int(stamps[2])) == (3, 2)


def test_the_best_carries_a_star() -> None:
    """As a sign, not as a colour alone."""
    rows = {row.key: row for row in compare_view.rows(compared(curve(0), curve(0)), (0, 1))}
    worse, best = rows["figure total_return"].cells[1:]
    assert compare_view.BEST not in worse.text
    assert compare_view.BEST in best.text


@pytest.mark.parametrize(
    ("against", "words", "steps"),
    [
        (Against(None, None), "no grid point in common", None),
        (Against(("2001-01-01T00:00:00Z", "2001-02-01T00:00:00Z"), None), "decides as r0", None),
        (
            Against(
                ("2001-01-01T00:00:00Z", "2001-02-01T00:00:00Z"),
                Divergence("2001-01-05T00:00:00Z", (4, 7), ("{}", '{"targets": {"A": 0.5}}')),
            ),
            "first decides otherwise at 2001-01-05, step 7",
            (5, 8),
        ),
    ],
)
def test_what_differs_is_said_and_can_be_jumped_to(
    against: Against, words: str, steps: tuple[int, int] | None
) -> None:
    """The moment to look back at is the one whose decision it is: that many points are settled."""
    made = compared(curve(0, 1.0), curve(0, 1.0), against=against)
    assert words in compare_view.difference_lines(made, 1)[0][0]
    assert compare_view.jump(made, 1) == steps
    assert compare_view.jump(made, 0) is None
