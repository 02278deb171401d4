"""The sheet: what is written stays inside, and lines come back as spans."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tui.safe import cells
from tui.widgets.grid import Grid
from tui.widgets.roles import GROUNDS, ROLES, Span


@given(
    st.integers(0, 12),
    st.integers(0, 4),
    st.lists(st.tuples(st.integers(-8, 16), st.integers(-2, 6), st.text(max_size=20)), max_size=6),
)
def test_every_line_takes_exactly_its_width(
    width: int, height: int, writes: list[tuple[int, int, str]]
) -> None:
    """Whatever is written wherever, each line is ``width`` cells of harmless text."""
    grid = Grid(width, height)
    for x, y, text in writes:
        grid.put(x, y, text, "gain", "tag")
        grid.put_right(x, y, text)
    lines = grid.lines()
    assert len(lines) == height
    for line in lines:
        assert cells("".join(span.text for span in line)) == width
        assert all(span.role in ROLES and span.ground in GROUNDS for span in line)
        assert "\x1b" not in "".join(span.text for span in line)


def test_text_is_cut_at_the_edges() -> None:
    """Text that begins left of the sheet or ends right of it shows what lies on it."""
    grid = Grid(5, 1)
    grid.put(-2, 0, "abcd")
    grid.put(3, 0, "wxyz")
    assert grid.text() == "cd wx"


def test_wide_characters_keep_their_neighbours_in_place() -> None:
    """A character of two cells, or of none, becomes a dot of one."""
    grid = Grid(6, 1)
    grid.put(0, 0, "a東b\u0301c")
    assert grid.text() == "a·b·c"


def test_dots_of_two_curves_join_in_a_cell() -> None:
    """Where two curves cross, both are seen."""
    grid = Grid(1, 1)
    one = np.zeros((4, 2), np.bool_)
    one[0, 0] = True
    other = np.zeros((4, 2), np.bool_)
    other[3, 1] = True
    grid.braille(one, 0, 0, "baseline")
    grid.braille(other, 0, 0, "line")
    assert grid.line(0) == [Span(chr(0x2800 + 0x01 + 0x80), "line")]


def test_every_dot_has_its_bit() -> None:
    """The raster's dots are the pattern's dots, row by row."""
    expected = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
    for row in range(4):
        for column in range(2):
            dots = np.zeros((4, 2), np.bool_)
            dots[row, column] = True
            grid = Grid(1, 1)
            grid.braille(dots, 0, 0, "line")
            assert grid.text() == chr(0x2800 + expected[row][column])


def test_rasters_are_cut_at_the_edges() -> None:
    """A raster larger than the sheet fills the sheet."""
    grid = Grid(2, 1)
    grid.braille(np.ones((40, 40), np.bool_), 1, 0, "line")
    grid.character(np.ones((9, 9), np.bool_), 5, 5, "*", "line")
    assert grid.text() == " ⣿"


def test_spans_part_where_the_look_changes() -> None:
    """Neighbours of one role and ground are one span."""
    grid = Grid(6, 1)
    grid.put(0, 0, "ab", "gain")
    grid.put(2, 0, "cd", "loss")
    grid.shade(3, 0, 1)
    assert grid.line(0) == [
        Span("ab", "gain"),
        Span("c", "loss"),
        Span("d", "loss", "column"),
        Span("  "),
    ]
