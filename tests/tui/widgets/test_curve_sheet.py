"""The equity chart's drawing, without a terminal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.widgets.kit import curves
from tui.widgets.curve_sheet import (
    Curves,
    Series,
    column_of_step,
    draw_curves,
    drawdown_of,
    step_of_column,
    value_at,
)


def text_of(
    what: Curves,
    width: int,
    height: int,
    *,
    cursor: int | None = None,
    ascii_only: bool = False,
    drawdown: bool = True,
) -> str:
    """The drawn chart as text."""
    picture = draw_curves(what, width, height, cursor=cursor, ascii=ascii_only, drawdown=drawdown)
    assert picture is not None
    return picture.grid.text()


@given(
    st.integers(0, 250),
    st.integers(0, 70),
    st.integers(1, 400),
    st.integers(0, 400),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_size_holds(
    width: int, height: int, count: int, more: int, ascii_only: bool, cursor: bool
) -> None:
    """From nothing to 250 x 70, live or ended, every line has its width."""
    picture = draw_curves(
        curves(count, count + more),
        width,
        height,
        cursor=count // 2 if cursor else None,
        ascii=ascii_only,
    )
    assert picture is not None
    lines = picture.grid.lines()
    assert len(lines) == height
    assert all(sum(len(span.text) for span in line) == width for line in lines)
    assert 0 <= picture.columns <= max(2, width)
    assert not ascii_only or picture.grid.text().replace("–", "-").isascii()


def test_nothing_to_show() -> None:
    """No series, or one without a value, is no chart."""
    nothing = np.empty(0, np.int64)
    assert draw_curves(Curves((), nothing), 80, 24) is None
    series = Series("equity", nothing, np.empty(0))
    assert draw_curves(Curves((series,), nothing), 80, 24) is None


def test_the_legend_names_the_last_values() -> None:
    """Name, value and return of each series stand above the chart, the moment at the right."""
    what = curves()
    first = text_of(what, 140, 30).splitlines()[0]
    last = what.series[0].values[-1]
    assert f"equity {last:,.2f}" in first
    assert f"{last / 1000 - 100:+.2f}%" in first
    assert "buy and hold" in first
    assert first.endswith("step 299  2025-01-15 01:30 UTC")


def test_the_cursor_shows_its_values() -> None:
    """With a cursor the legend is of its step, whatever the width."""
    what = curves()
    first = text_of(what, 140, 30, cursor=100).splitlines()[0]
    assert f"equity {what.series[0].values[100]:,.2f}" in first
    assert "step 100" in first
    assert "step 100" in text_of(what, 80, 24, cursor=100).splitlines()[0]


def test_both_curves_are_named_at_80_columns() -> None:
    """On the smallest screen the legend still says which line is which."""
    first = text_of(curves(), 80, 24).splitlines()[0]
    assert "━━ equity" in first
    assert "╍╍ buy and hold" in first


def test_the_baseline_is_told_without_colour() -> None:
    """The dotted curve is broken, the other is not."""
    flat = np.full(200, 100_000.0)
    steps = np.arange(200)
    what = Curves(
        (
            Series("equity", steps, flat * 1.01),
            Series("hold", steps, flat * 0.99, "baseline", dotted=True),
        ),
        np.empty(0, np.int64),
        drawdown_of=None,
    )
    text = text_of(what, 80, 20, ascii_only=True)
    assert "*" * 40 in text
    braille = text_of(what, 80, 20)
    whole, broken = [
        line for line in braille.splitlines()[1:] if any(0x2800 < ord(c) < 0x2900 for c in line)
    ]
    assert len({c for c in whole if 0x2800 < ord(c) < 0x2900}) == 1
    assert len({c for c in broken if 0x2800 < ord(c) < 0x2900}) > 1


def test_the_axis_has_the_initial_value_and_the_last() -> None:
    """The start is a line of its own, the end a tag."""
    text = text_of(curves(), 120, 36)
    assert "100.0k" in text
    assert "╌" in text


def test_a_live_run_shows_how_far_it_is() -> None:
    """Steps still to come are told at the end of the time axis."""
    assert text_of(curves(300, 1000), 120, 36).splitlines()[-1].endswith("300/1,000")


def test_how_far_it_is_is_told_of_the_whole_run() -> None:
    """An axis that ends a little past the present does not make the run shorter."""
    near = replace(curves(63, 1614), axis_steps=72)
    assert text_of(near, 120, 36).splitlines()[-1].endswith("63/1,614")


def test_without_stamps_the_axis_counts_steps() -> None:
    """A chart that has no times has step numbers."""
    what = curves()
    bare = Curves(what.series, np.empty(0, np.int64))
    assert text_of(bare, 120, 36).splitlines()[-1].split()[:2] == ["0", "20"]


def test_drawdown_counts_the_initial_value_as_a_peak() -> None:
    """Policy F2: a curve that only falls is down from its start."""
    depth = drawdown_of(np.array([90.0, 120.0, 60.0]), 100.0)
    assert depth.tolist() == [pytest.approx(-0.1), 0.0, -0.5]
    assert drawdown_of(np.array([90.0, 45.0]), None).tolist() == [0.0, -0.5]


def test_the_strip_tells_the_deepest_drawdown() -> None:
    """The end of the strip's axis is the worst drawdown."""
    what = curves()
    worst = drawdown_of(what.series[0].values, what.initial).min()
    assert f"{worst * 100:.1f}%" in text_of(what, 120, 36)
    assert f"{worst * 100:.1f}%" not in text_of(what, 120, 36, drawdown=False)


@given(st.integers(2, 250), st.integers(1, 5000))
def test_a_click_on_a_steps_column_is_near_the_step(columns: int, steps: int) -> None:
    """Column and step lead back to each other within a column's worth of steps."""
    for step in {0, steps // 2, steps - 1}:
        column = column_of_step(step, columns, steps)
        assert 0 <= column < columns
        assert abs(step_of_column(column, columns, steps) - step) <= steps / columns + 1


def test_values_at_a_step() -> None:
    """Between its points a series holds its last value; before them it has none."""
    series = Series("s", np.array([2, 5]), np.array([1.0, 3.0]))
    assert [value_at(series, step) for step in (0, 2, 4, 5, 9)] == [None, 1.0, 1.0, 3.0, 3.0]


def test_a_hostile_name_stays_harmless() -> None:
    """A series may be called anything."""
    steps = np.arange(3)
    series = Series("\x1b]52;c;AAAA\x07[/bold]evil\u202e", steps, np.ones(3))
    first = text_of(Curves((series,), np.empty(0, np.int64)), 100, 20).splitlines()[0]
    assert "[/bold]evil" in first
    assert "\x1b" not in first
    assert "\u202e" not in first
