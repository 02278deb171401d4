"""The live table in an app: keys, mouse, and how little is painted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.table import Cell, Column, DeckTable, Row

COLUMNS = (
    Column("name", "name", 10, flexible=True),
    Column("equity", "equity", 12, "right"),
    Column("note", "note", 6, priority=1, sortable=False),
)


class Watched(DeckTable):
    """A table that remembers which of its lines were painted."""

    painted: list[int]

    def render_line(self, y: int) -> Strip:
        self.painted.append(y)
        return super().render_line(y)


class TableApp(App[None]):
    """A table with marks, and what it posted."""

    def __init__(self, rows: Sequence[Row] = (), *, marks: bool = True) -> None:
        super().__init__()
        self.table = Watched(COLUMNS, marks=marks, empty="No runs yet\nPress n for a new one")
        self.table.painted = []
        self.first_rows = rows
        self.heard: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.set_rows(self.first_rows)

    def on_deck_table_highlighted(self, message: DeckTable.Highlighted) -> None:
        self.heard.append(message)

    def on_deck_table_opened(self, message: DeckTable.Opened) -> None:
        self.heard.append(message)

    def on_deck_table_sort_requested(self, message: DeckTable.SortRequested) -> None:
        self.heard.append(message)

    def on_deck_table_marked(self, message: DeckTable.Marked) -> None:
        self.heard.append(message)

    def last(self, kind: type[Message]) -> Message:
        """The last message of a kind."""
        return next(message for message in reversed(self.heard) if isinstance(message, kind))


def rows(count: int, **changed: str) -> list[Row]:
    """``count`` rows k0, k1 …; ``changed`` gives other names."""
    return [
        Row(f"k{i}", (Cell(changed.get(f"k{i}", f"run {i}")), Cell(f"{i}.00"), Cell("")))
        for i in range(count)
    ]


def marked(table: DeckTable) -> tuple[str, ...]:
    """The table's marks as they are now."""
    return table.marked


def shown(table: DeckTable) -> tuple[str, ...]:
    """The table's columns as they are now."""
    return table.shown_columns


def cursor_key(table: DeckTable) -> str | None:
    """The table's cursor as it is now."""
    return table.cursor_key


SIZE = (60, 12)  # a header and eleven rows


async def test_only_changed_lines_are_painted() -> None:
    """A tick that changes one visible row of 2,000 paints one line."""
    app = TableApp(rows(2000))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app.table.painted.clear()
        assert app.table.set_rows(rows(2000, k3="other", k1500="other")) == 1
        await pilot.pause()
        assert app.table.painted == [4]
        app.table.painted.clear()
        assert app.table.set_rows(rows(2000, k3="other", k1500="other")) == 0
        await pilot.pause()
        assert app.table.painted == []


async def test_moving_the_cursor_paints_two_lines() -> None:
    """The row left and the row reached, nothing else."""
    app = TableApp(rows(2000))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app.table.painted.clear()
        await pilot.press("j")
        await pilot.pause()
        assert sorted(app.table.painted) == [1, 2]


@pytest.mark.parametrize(
    ("pressed", "row"),
    [
        (["j"], 1),
        (["down", "down", "k"], 1),
        (["G"], 99),
        (["end"], 99),
        (["G", "g"], 0),
        (["end", "home"], 0),
        (["pagedown"], 11),
        (["pagedown", "pageup"], 0),
        (["up"], 0),
        (["G", "j"], 99),
    ],
)
async def test_keys_move_the_cursor(pressed: list[str], row: int) -> None:
    """Arrows, j k g G, page and end keys; the cursor stays among the rows and in view."""
    app = TableApp(rows(100))
    async with app.run_test(size=SIZE) as pilot:
        app.table.focus()
        await pilot.press(*pressed)
        await pilot.pause()
        table = app.table
        assert table.cursor_index == row
        assert table.cursor_key == f"k{row}"
        assert 0 <= row - table.scroll_offset.y < SIZE[1] - 1
        assert table.render_line(row - table.scroll_offset.y + 1).text.startswith("▌")


async def test_the_cursor_stays_with_its_row() -> None:
    """After a sort the cursor is on the same key, wherever that went."""
    app = TableApp(rows(9))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("j", "j")
        await pilot.pause()
        app.heard.clear()
        app.table.set_rows(list(reversed(rows(9))))
        await pilot.pause()
        assert cursor_key(app.table) == "k2"
        assert app.table.cursor_index == 6
        assert app.heard == []


async def test_a_sort_keeps_the_cursor_on_its_line_of_the_screen() -> None:
    """In a scrolled table the rows move under the cursor, not the cursor out of sight."""
    app = TableApp(rows(200))
    async with app.run_test(size=SIZE) as pilot:
        app.table.move_to(100)
        await pilot.pause()
        line = 100 - app.table.scroll_offset.y
        moved = rows(200)
        moved.insert(20, moved.pop(150))
        app.table.set_rows(moved)
        await pilot.pause()
        assert cursor_key(app.table) == "k100"
        assert app.table.cursor_index - app.table.scroll_offset.y == line


async def test_a_cursor_whose_row_is_gone_stays_at_its_place() -> None:
    """The next row takes the cursor, and the owner is told."""
    app = TableApp(rows(5))
    async with app.run_test(size=SIZE) as pilot:
        app.table.move_to(4)
        await pilot.pause()
        app.table.set_rows(rows(3))
        await pilot.pause()
        assert cursor_key(app.table) == "k2"
        assert app.last(DeckTable.Highlighted) == DeckTable.Highlighted(app.table, "k2")
        app.table.set_rows([])
        await pilot.pause()
        assert cursor_key(app.table) is None
        assert app.last(DeckTable.Highlighted) == DeckTable.Highlighted(app.table, None)


async def test_the_first_rows_are_highlighted() -> None:
    """An owner hears of the first row without a key press."""
    app = TableApp(rows(2))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert app.last(DeckTable.Highlighted) == DeckTable.Highlighted(app.table, "k0")


async def test_a_click_highlights_and_a_double_click_opens() -> None:
    """Mouse and keys do the same."""
    app = TableApp(rows(5))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.click(DeckTable, offset=(8, 3))
        await pilot.pause()
        assert cursor_key(app.table) == "k2"
        assert not any(isinstance(message, DeckTable.Opened) for message in app.heard)
        await pilot.click(DeckTable, offset=(8, 4), times=2)
        await pilot.pause()
        assert app.last(DeckTable.Opened) == DeckTable.Opened(app.table, "k3")
        app.table.action_up()
        app.table.action_open()
        await pilot.pause()
        assert app.last(DeckTable.Opened) == DeckTable.Opened(app.table, "k2")
        await pilot.click(DeckTable, offset=(8, 9))
        await pilot.pause()
        assert cursor_key(app.table) == "k2"


async def test_a_click_on_a_title_asks_for_a_sort() -> None:
    """The owner sorts; the table shows which column and which way."""
    app = TableApp(rows(5))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.click(DeckTable, offset=(45, 0))
        await pilot.pause()
        assert app.last(DeckTable.SortRequested) == DeckTable.SortRequested(app.table, "equity")
        app.heard.clear()
        await pilot.click(DeckTable, offset=(57, 0))
        await pilot.pause()
        assert app.heard == []
        app.table.set_sort("equity", falling=True)
        await pilot.pause()
        assert app.table.sort == ("equity", True)
        assert "equity▾" in app.table.render_line(0).text
        app.table.set_sort(None)
        assert "▾" not in app.table.render_line(0).text


async def test_marks() -> None:
    """Marks stay with their rows, go with them, and can be set by key, mouse and all at once."""
    app = TableApp(rows(5))
    async with app.run_test(size=SIZE) as pilot:
        table = app.table
        table.action_mark()
        table.action_mark()
        await pilot.pause()
        assert marked(table) == ("k0", "k1")
        assert table.cursor_index == 2
        assert table.render_line(1).text.startswith(" ● ")
        table.set_rows(list(reversed(rows(5))))
        assert marked(table) == ("k1", "k0")
        await pilot.click(DeckTable, offset=(1, 1))
        await pilot.pause()
        assert marked(table) == ("k4", "k1", "k0")
        table.set_rows(rows(1))
        await pilot.pause()
        assert marked(table) == ("k0",)
        assert app.last(DeckTable.Marked) == DeckTable.Marked(table, ("k0",))
        table.set_rows(rows(3))
        table.mark_all()
        assert marked(table) == ("k0", "k1", "k2")
        table.clear_marks()
        assert marked(table) == ()


async def test_a_table_without_marks_has_none() -> None:
    """Marking is the owner's choice."""
    app = TableApp(rows(3), marks=False)
    async with app.run_test(size=SIZE):
        app.table.mark_all()
        app.table.toggle_mark("k1")
        assert app.table.marked == ()


async def test_an_empty_table_says_what_to_press() -> None:
    """No rows: what would be here and what makes it."""
    app = TableApp()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        screen = "\n".join(app.table.render_line(y).text for y in range(SIZE[1]))
        assert "No runs yet" in screen
        assert "Press n for a new one" in screen
        app.table.set_empty("Nothing passes the filter")
        screen = "\n".join(app.table.render_line(y).text for y in range(SIZE[1]))
        assert "Nothing passes the filter" in screen
        await pilot.press("j", "G", "pagedown")
        app.table.action_mark()
        app.table.action_open()
        await pilot.click(DeckTable, offset=(5, 5))


async def test_columns_drop_when_the_window_narrows() -> None:
    """What fits is shown, and lines keep off the scrollbar."""
    app = TableApp(rows(100))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert shown(app.table) == ("name", "equity", "note")
        assert app.table.render_line(3).cell_length == SIZE[0] - 1
        await pilot.resize_terminal(30, 12)
        await pilot.pause()
        assert shown(app.table) == ("name", "equity")


async def test_the_wheel_scrolls_without_moving_the_cursor() -> None:
    """Looking around is not choosing."""
    app = TableApp(rows(100))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app.table.scroll_to(y=50, animate=False)
        await pilot.pause()
        assert cursor_key(app.table) == "k0"
        assert "run 50" in app.table.render_line(1).text
        await pilot.press("j")
        await pilot.pause()
        assert cursor_key(app.table) == "k1"
        assert app.table.scroll_offset.y <= 1


async def test_a_key_that_stands_twice_is_refused() -> None:
    """Two rows cannot be the same row."""
    app = TableApp(rows(2))
    async with app.run_test(size=SIZE):
        with pytest.raises(ValueError, match="'k0'"):
            app.table.set_rows([*rows(2), *rows(1)])
        assert [row.key for row in app.table.rows] == ["k0", "k1"]


async def test_a_theme_change_repaints() -> None:
    """Colours are the theme's in force, at once."""
    app = TableApp(rows(3))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        before = app.table.render_line(2)
        app.theme = "textual-light"
        await pilot.pause()
        after = app.table.render_line(2)
        assert before.text == after.text
        assert before != after


async def test_hostile_cells_do_not_reach_the_screen() -> None:
    """A row of the ledger may hold anything; the app stays up and the screen stays clean."""
    hostile = "\x1b]52;c;AAAA\x07[/tag]\u202eevil\n[b]"
    app = TableApp([Row(hostile, (Cell(hostile), Cell(hostile), Cell(hostile)))])
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        line = app.table.render_line(1).text
        assert "[/tag]evil" in line
        assert not set(line) & set("\x1b\x07\n\u202e")


@pytest.mark.parametrize(("follow", "key"), [(True, "k0"), (False, "k2")])
async def test_news_above_the_cursor(follow: bool, key: str) -> None:
    """A cursor on the newest row follows the news where asked; elsewhere it stays with its row."""
    app = TableApp(rows(9)[2:])
    app.table = Watched(COLUMNS, follow=follow)
    app.table.painted = []
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app.table.set_rows(rows(9))
        await pilot.pause()
        assert cursor_key(app.table) == key
        app.table.move_to_key("k4")
        app.table.set_rows([Row("new", rows(1)[0].cells), *rows(9)])
        await pilot.pause()
        assert cursor_key(app.table) == "k4"


async def test_rows_that_come_and_go_lay_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table scrolls as far as it has rows; the screen is laid out for its scrollbar alone."""
    app = TableApp(rows(40))
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        await pilot.pause()
        laid_out: list[Widget] = []
        refresh = Widget.refresh

        def noted(
            widget: Widget,
            *regions: Region,
            repaint: bool = True,
            layout: bool = False,
            recompose: bool = False,
        ) -> Widget:
            if layout:
                laid_out.append(widget)
            return refresh(widget, *regions, repaint=repaint, layout=layout, recompose=recompose)

        monkeypatch.setattr(Widget, "refresh", noted)
        for count in (30, 200):
            table.set_rows(rows(count))
            await pilot.pause()
            table.move_to(count - 1)
            await pilot.pause()
            assert table.max_scroll_y == count + 1 - 12
            assert table.keys_in_view[-1] == f"k{count - 1}"
            assert laid_out == []
        table.set_rows(rows(3))
        await pilot.pause()
        assert (table.scroll_offset.y, table.show_vertical_scrollbar) == (0, False)
        assert laid_out != []
        table.set_rows(rows(50))
        await pilot.pause()
        table.move_to(49)
        await pilot.pause()
        assert (table.max_scroll_y, table.show_vertical_scrollbar) == (39, True)
