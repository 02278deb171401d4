"""Which columns stand where, and what a row's line looks like."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tui.safe import cells
from tui.widgets.table_layout import Cell, Column, Row, header_spans, lay_out, row_spans

COLUMNS = (
    Column("status", "status", 11),
    Column("name", "name", 12, flexible=True),
    Column("symbols", "symbols", 10, priority=3),
    Column("equity", "equity", 12, "right", priority=1),
    Column("age", "age", 4, "right", priority=2),
)


def shown(width: int) -> list[str]:
    """The keys of the columns that stand in a width."""
    return [COLUMNS[placed.column].key for placed in lay_out(COLUMNS, width, 2)]


def test_columns_drop_by_priority() -> None:
    """What matters least goes first; what may not drop stays."""
    assert shown(120) == ["status", "name", "symbols", "equity", "age"]
    assert shown(48) == ["status", "name", "equity", "age"]
    assert shown(44) == ["status", "name", "equity", "age"]
    assert shown(40) == ["status", "name", "equity"]
    assert shown(30) == ["status", "name"]


def test_the_flexible_column_takes_what_is_left() -> None:
    """The line is filled to its last cell."""
    placed = lay_out(COLUMNS, 120, 2)
    assert placed[-1].x + placed[-1].width == 120
    assert placed[1].width > 60


def test_columns_grow_to_what_they_can_use() -> None:
    """The flexible one first, then the others; what is left then parts them, up to a limit."""
    columns = (
        Column("name", "name", 10, flexible=True, most=20),
        Column("what", "what", 5, most=9),
        Column("age", "age", 4, "right"),
    )

    def sizes(width: int) -> list[int]:
        return [placed.width for placed in lay_out(columns, width, 2)]

    assert sizes(25) == [10, 5, 4]
    assert sizes(35) == [20, 5, 4]
    assert sizes(37) == [20, 7, 4]
    assert sizes(39) == [20, 9, 4]
    assert [placed.x for placed in lay_out(columns, 45, 2)] == [2, 27, 41]
    wide = lay_out(columns, 100, 2)
    assert wide[-1].x + wide[-1].width == 100
    assert wide[1].x - wide[0].x - wide[0].width == 5


def test_columns_stand_closer_before_they_drop() -> None:
    """Two cells apart where all fit so, else one."""
    fixed = (Column("a", "a", 5), Column("b", "b", 5, priority=1))
    assert [p.x for p in lay_out(fixed, 12, 0)] == [0, 7]
    assert [p.x for p in lay_out(fixed, 11, 0)] == [0, 6]
    assert [p.x for p in lay_out(fixed, 10, 0)] == [0]


COLUMN = st.builds(
    Column,
    st.text(min_size=1, max_size=3),
    st.text(max_size=12),
    st.integers(1, 20),
    st.sampled_from(["left", "right", "center"]),
    st.integers(0, 5),
    st.just(False),
)


@given(st.lists(COLUMN, min_size=1, max_size=8), st.integers(0, 120), st.data())
def test_every_line_fills_its_width(columns: list[Column], width: int, data: st.DataObject) -> None:
    """Header and rows take exactly the width, whatever the cells hold."""
    if data.draw(st.booleans()):
        columns[0] = Column("f", "flexible", columns[0].width, flexible=True)
    placed = lay_out(columns, width, 2)
    assert all(left.x + left.width < right.x for left, right in pairwise(placed))
    row = Row("k", tuple(Cell(data.draw(st.text(max_size=30))) for _ in columns))
    if placed:
        assert placed[-1].x + placed[-1].width <= width
        line = row_spans(row, columns, placed, width, "plain", "▌")
        assert cells("".join(span.text for span in line)) == width
    titles = header_spans(columns, placed, width, (columns[0].key, True))
    assert cells("".join(span.text for span in titles)) == width


def test_the_sorted_title_carries_an_arrow() -> None:
    """Up for rising, down for falling, in the title's own cells."""
    placed = lay_out(COLUMNS, 120, 2)

    def header(falling: bool) -> str:
        return "".join(s.text for s in header_spans(COLUMNS, placed, 120, ("equity", falling)))

    assert "equity▾" in header(True)
    assert "equity▴" in header(False)
    assert "name " in header(True)


def test_a_cell_from_outside_is_harmless() -> None:
    """Escape sequences, markup and newlines of a cell neither act nor break the line."""
    columns = (Column("name", "name", 30),)
    row = Row("k", (Cell("a\x1b]52;c;AAAA\x07\nb[/bold]\u202e\tc"),))
    line = row_spans(row, columns, lay_out(columns, 34, 2), 34, "plain", "")
    text = "".join(span.text for span in line)
    assert text == "  a b[/bold] c".ljust(34)
