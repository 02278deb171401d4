"""The equity chart's drawing, without a terminal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tui.widgets.kit import HOUR, START, curves, view
from tui.widgets.curve_sheet import (
    Curves,
    Series,
    draw_curves,
    drawdown_of,
    value_at,
)
from tui.widgets.price_sheet import draw_price
from tui.widgets.window import Zoom


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
    values = [one.values[100] for one in what.series]
    depth = drawdown_of(what.series[0].values[:101], what.initial)[-1]
    for width in (140, 80):
        said = "\n".join(text_of(what, width, 18, cursor=100).splitlines()[:2])
        assert f"equity {values[0]:,.2f}" in said
        assert f"buy and hold {values[1]:,.2f}" in said
        assert f"DD {depth * 100:.2f}%" in said
        assert "step 100 " in said


def test_every_curve_is_named_where_there_is_room() -> None:
    """Names that do not stand beside one another stand beneath."""
    steps = np.arange(50)
    flat = np.full(50, 100.0)
    names = [f"a run with a name {place}" for place in range(5)]
    what = Curves(
        tuple(Series(name, steps, flat + n) for n, name in enumerate(names)),
        START + HOUR * steps.astype(np.int64),
        initial=100.0,
        drawdown_of=None,
        counted=False,
    )
    text = text_of(what, 90, 40)
    assert all(name in text for name in names)
    assert "step" not in text
    # A window that is low keeps its lines for the curves.
    assert text_of(what, 90, 10).splitlines()[2].strip("┈│ ").strip() != names[2]


def test_both_curves_are_named_at_80_columns() -> None:
    """On the smallest screen the legend still says which line is which."""
    for height in (6, 12, 24):
        said = "\n".join(text_of(curves(), 80, height).splitlines()[:2])
        assert "━━ equity" in said
        assert "╍╍ buy and hold" in said


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
    # The ends are half cells.
    assert len({c for c in whole[2:60] if 0x2800 < ord(c) < 0x2900}) == 1
    assert len({c for c in broken[2:60] if 0x2800 < ord(c) < 0x2900}) > 1


def test_the_axis_has_the_initial_value_and_the_last() -> None:
    """The start is a line of its own, the end a tag."""
    text = text_of(curves(), 120, 36)
    assert "100k" in text
    assert "╌" in text


def test_a_live_run_shows_how_far_it_is() -> None:
    """Steps still to come are told at the end of the time axis."""
    assert text_of(curves(300, 1000), 120, 36).splitlines()[-1].endswith(" 700 to come")


def test_how_far_it_is_is_told_of_the_whole_run() -> None:
    """An axis that ends a little past the present does not make the run shorter."""
    near = replace(curves(63, 1614), axis_steps=72)
    assert text_of(near, 120, 36).splitlines()[-1].endswith(" 1,551 to come")


def test_without_stamps_the_axis_counts_steps() -> None:
    """A chart that has no times has step numbers."""
    what = curves()
    bare = Curves(what.series, np.empty(0, np.int64))
    assert text_of(bare, 120, 36).splitlines()[-1].split()[:2] == ["0", "20"]


def test_the_initial_value_is_told_beside_a_curve_that_has_grown_much() -> None:
    """The ticks' own decimals would leave nothing of it: 100,000 is not 0M."""
    grown = np.linspace(100_000.0, 2_200_000.0, 200)
    series = Series("equity", np.arange(200), grown, "line")
    shown = text_of(Curves((series,), START + HOUR * np.arange(200), 200, 100_000.0), 90, 30)
    assert "0.10M" in shown
    assert " 0M" not in shown


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


def test_a_window_has_its_own_scales() -> None:
    """Zoomed in, values, drawdown and times are of what is in sight; the last value is told."""
    what = curves(600)
    picture = draw_curves(what, 120, 36, zoom=Zoom(60, 200))
    assert picture is not None
    assert (picture.window.start, picture.window.stop) == (140, 200)
    depth = drawdown_of(what.series[0].values, what.initial)[139:201]
    text = picture.grid.text()
    assert f"{depth.min() * 100:.1f}%" in text
    days = [f"{8 + n} Jan" for n in range(3)]
    assert all(day in text.splitlines()[-1] for day in days)
    assert f"{what.series[0].values[-1]:,.2f}" in text.splitlines()[0]


@given(
    st.integers(1, 4000),
    st.integers(24, 200),
    st.one_of(st.none(), st.integers(1, 4000)),
    st.one_of(st.none(), st.integers(1, 4000)),
)
@settings(max_examples=60, deadline=None)
def test_a_moment_stands_in_one_column_of_both_charts(
    count: int, width: int, bars: int | None, stop: int | None
) -> None:
    """Price above, equity beneath: with value axes of one width a step is in the same column."""
    zoom = Zoom(bars, stop)
    price = draw_price(view(count), width, 20, zoom=zoom, label=12)
    equity = draw_curves(curves(count), width, 20, zoom=zoom, label=12)
    assert price is not None
    assert equity is not None
    assert price.columns == equity.columns
    for step in {0, count // 2, count - 1}:
        assert price.window.column_of(step) == equity.window.column_of(step)
    for x in range(0, width, 7):
        step_there = equity.step_at(x)
        assert price.step_at(x) == step_there
        if step_there is not None:
            assert step_there < count


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
