"""One-line pictures fill exactly their cells."""

from __future__ import annotations

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.safe import cells
from tui.widgets.spark import progress_bar, spark

VALUES = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40)


@given(VALUES, st.integers(0, 30), st.booleans())
def test_a_spark_takes_exactly_its_width(values: list[float], width: int, ascii_only: bool) -> None:
    """Any values, any width: that many cells, ASCII where asked."""
    drawn = spark(values, width, ascii=ascii_only)
    assert cells(drawn) == width
    assert not ascii_only or drawn.isascii()


def test_a_spark_goes_from_lowest_to_highest() -> None:
    """The least value has the lowest block, the greatest the highest."""
    assert spark([0, 1, 2, 3, 4, 5, 6], 7) == "▁▂▃▄▅▆▇"
    assert spark([1, 0], 2, ascii=True) == "#_"


def test_a_spark_ends_with_the_present() -> None:
    """Of more values than cells the newest is always shown; fewer stand at the right."""
    assert spark([0.0] * 99 + [1.0], 10)[-1] == "▇"
    assert spark([1.0, 2.0], 4) == "  ▁▇"


def test_gaps_and_flat_lines() -> None:
    """What is not finite is a gap; a flat line is neither top nor bottom."""
    assert spark([0.0, nan, 1.0], 3) == "▁ ▇"
    assert spark([5.0, 5.0], 2) == "▃▃"
    assert spark([], 3) == "   "


@given(st.one_of(st.none(), st.floats(allow_nan=True)), st.integers(0, 30), st.booleans())
def test_a_bar_takes_exactly_its_width(share: float | None, width: int, ascii_only: bool) -> None:
    """Any share, any width: that many cells."""
    drawn = progress_bar(share, width, ascii=ascii_only)
    assert cells(drawn) == width
    assert not ascii_only or drawn.isascii()


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (None, "────"),
        (0.0, "────"),
        (0.125, "╸───"),
        (0.5, "━━──"),
        (0.99, "━━━╸"),
        (1.0, "━━━━"),
        (7.0, "━━━━"),
        (-1.0, "────"),
    ],
)
def test_bars(share: float | None, drawn: str) -> None:
    """Halves of a cell; only the whole fills it."""
    assert progress_bar(share, 4) == drawn


def test_ascii_bar() -> None:
    """Without the glyphs, full and empty still differ."""
    assert progress_bar(0.625, 4, ascii=True) == "==-."
