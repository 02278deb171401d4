"""A live table on the Line API: fixed columns, keyed rows, only changed lines painted anew.

Textual's own ``DataTable`` repaints every visible cell when one changes. This one never measures
its rows and paints none that is not on the screen, so a tick costs the same at any row count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import keys
from tui.safe import cells, cut, fit
from tui.widgets.plain_lines import PlainLines
from tui.widgets.roles import COMPONENTS, Span, Styles, role_css
from tui.widgets.table_layout import (
    Cell,
    Column,
    Placed,
    Row,
    header_spans,
    lay_out,
    row_spans,
)

__all__ = ["Cell", "Column", "DeckTable", "Row"]

HEADER_LINES: Final = 1
CURSOR_MARK: Final = "▌"
MARKED: Final = "●"
MOST_STRIPS: Final = 500


class DeckTable(ScrollView, can_focus=True, inherit_bindings=False):
    """A table with a cursor that stays with its row, marks and a sort that its owner does.

    Give it whole row models with ``set_rows`` as often as you like: rows are compared, and only the
    visible lines that differ are painted. Where there are very many, ``set_keys`` takes their keys
    and asks for the rows in view alone. With ``follow`` a cursor on the first row stays there as
    rows come in above it. ``enter`` and ``space`` are the owner's to bind: to
    ``action_open`` and ``action_mark``.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar = keys.bindings(keys.Place.LIST)
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COMPONENTS)
    DEFAULT_CSS = role_css(
        "DeckTable",
        """
    height: 1fr;
    background: $background;
    color: $foreground;
    overflow-x: hidden;
    overflow-y: auto;
    scrollbar-size-vertical: 1;
""",
    )

    @dataclass
    class Highlighted(Message):
        """The cursor stands on another row; ``key`` is None where there are no rows."""

        table: DeckTable
        key: str | None

        @property
        def control(self) -> DeckTable:
            return self.table

    @dataclass
    class Opened(Message):
        """A row was double clicked or opened with a key."""

        table: DeckTable
        key: str

        @property
        def control(self) -> DeckTable:
            return self.table

    @dataclass
    class SortRequested(Message):
        """A title was clicked; sorting is the owner's."""

        table: DeckTable
        column: str

        @property
        def control(self) -> DeckTable:
            return self.table

    @dataclass
    class Marked(Message):
        """Other rows are marked now; ``keys`` in the order of the rows."""

        table: DeckTable
        keys: tuple[str, ...]

        @property
        def control(self) -> DeckTable:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "",
        marks: bool = False,
        sort: tuple[str, bool] | None = None,
        follow: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._styles_cache = PlainLines()
        self._columns = tuple(columns)
        self._empty = empty
        self._marks = marks
        self._sort = sort
        self._follow = follow
        self._keys: Sequence[str] = ()
        rows: dict[str, Row] = {}
        self._row_of: Callable[[str], Row] = rows.__getitem__
        self._places: dict[str, int] = {}
        self._painted: dict[int, Row] = {}
        self._strips: dict[str, tuple[Row, tuple[str, str, int], Strip]] = {}
        self._cursor: int = 0
        self._marked: frozenset[str] = frozenset()
        self._look = Styles(self)
        self._placed: tuple[Placed, ...] = ()
        self._placed_width = -1

    # What it shows

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows as they are now."""
        return tuple(map(self._row_of, self._keys))

    @property
    def row_keys(self) -> Sequence[str]:
        """The keys of the rows in their order."""
        return self._keys

    @property
    def keys_in_view(self) -> Sequence[str]:
        """The keys of the rows whose lines are on the screen."""
        visible = self._visible()
        return self._keys[visible.start : visible.stop]

    @property
    def cursor_index(self) -> int:
        """The row the cursor stands on; 0 where there are none."""
        return self._cursor

    @property
    def cursor_key(self) -> str | None:
        """The key of the row the cursor stands on."""
        return self._keys[self._cursor] if self._keys else None

    @property
    def marked(self) -> tuple[str, ...]:
        """The keys of marked rows in the order of the rows."""
        if not self._marked:
            return ()
        return tuple(key for key in self._keys if key in self._marked)

    @property
    def mark_count(self) -> int:
        """How many rows are marked."""
        return len(self._marked)

    @property
    def sort(self) -> tuple[str, bool] | None:
        """The column shown as sorted, and whether falling."""
        return self._sort

    def set_rows(self, rows: Iterable[Row]) -> int:
        """Show these rows; how many visible lines are painted anew for it.

        The cursor stays with its key; if that is gone it stays at its place. Marks of rows that
        are gone go with them. Raises ``ValueError`` for a key that stands twice.
        """
        by_key: dict[str, Row] = {}
        for row in rows:
            if by_key.setdefault(row.key, row) is not row:
                raise ValueError(f"two rows with the key {row.key!r}")
        return self.set_keys(tuple(by_key), by_key.__getitem__)

    def set_keys(self, keys: Sequence[str], row_of: Callable[[str], Row]) -> int:
        """Show the rows of these keys, each of its own, as ``row_of`` makes them when in view.

        The same ``keys`` as before say that neither rows nor order are others; then only the lines
        in view are looked at. Otherwise as ``set_rows``.
        """
        old, old_key, old_cursor, old_marked = (
            self._keys,
            self.cursor_key,
            self._cursor,
            self._marked,
        )
        self._row_of = row_of
        if keys is not old and keys != old:
            self._keys = keys
            self._places = {key: index for index, key in enumerate(keys)}
            # A cursor on the first row of a list of news is on the newest, whichever that is.
            stays = old_key is not None and not (self._follow and old_cursor == 0)
            kept = self._places.get(old_key) if stays and old_key is not None else None
            self._cursor = kept if kept is not None else max(0, min(old_cursor, len(keys) - 1))
            if old_marked:
                self._marked = old_marked & self._places.keys()
        self._keys = keys
        if len(keys) != len(old):
            self._set_height(len(keys) + HEADER_LINES)
        changed = self._refresh_differences(len(old), old_cursor, old_marked)
        if old_key != self.cursor_key:
            self.post_message(self.Highlighted(self, self.cursor_key))
        if self._marked != old_marked:
            self.post_message(self.Marked(self, self.marked))
        return changed

    def _set_height(self, lines: int) -> None:
        """Be so high within: nobody else's place changes for it, unless the table is as high."""
        size = Size(0, lines)
        if self.styles.auto_dimensions or not self.is_mounted:
            self.virtual_size = size
        else:
            # Textual's own way has the whole screen laid out anew, some 10 ms with each letter of
            # a filter. A scrollbar that comes or goes asks for that by itself.
            self.set_reactive(DeckTable.virtual_size, size)
            self._scroll_update(size)

    def refresh_rows(self) -> int:
        """Paint the lines in view whose rows are not what they were; how many."""
        return self._refresh_differences(len(self._keys), self._cursor, self._marked)

    def _refresh_differences(
        self, old_count: int, old_cursor: int, old_marked: frozenset[str]
    ) -> int:
        """Repaint the visible lines that differ from what they showed."""
        visible = self._visible()
        if not old_count or not self._keys:
            if old_count or self._keys:
                self._painted = {}
                self.refresh()
                return len(visible)
            return 0
        moved = self._cursor - old_cursor
        if moved and self.scroll_offset.y and old_cursor in visible:
            # A sort took the cursor's row elsewhere: let it keep its line of the screen.
            target = min(self.scroll_offset.y + moved, self.max_scroll_y)
            if target != self.scroll_offset.y:
                self.scroll_to(y=target, animate=False)
                return len(visible)
        count = 0
        for index in range(visible.start, min(visible.stop, max(old_count, len(self._keys)))):
            before = self._painted.get(index)
            after = self._row_at(index)
            if (index == self._cursor) is not (index == old_cursor) or (
                after is not None and (after.key in self._marked) != (after.key in old_marked)
            ):
                self.refresh_line(index + HEADER_LINES)
            elif before is after or before == after:
                continue
            elif before is None or after is None or before.key != after.key:
                self.refresh_line(index + HEADER_LINES)
            else:
                self._refresh_cells(index, before, after)
            count += 1
        if moved and old_cursor in visible and self._cursor not in visible:
            self._scroll_to_cursor()
        return count

    def _refresh_cells(self, index: int, before: Row, after: Row) -> None:
        """Repaint the cells of a row from the first to the last that differ."""
        differing = [
            placed
            for placed in self._layout()
            if before.cells[placed.column] != after.cells[placed.column]
        ]
        self._painted[index] = after
        if differing:
            start, last = differing[0].x, differing[-1]
            line = index + HEADER_LINES - self.scroll_offset.y
            self.refresh(Region(start, line, last.x + last.width - start, 1))

    def _row_at(self, index: int) -> Row | None:
        return self._row_of(self._keys[index]) if index < len(self._keys) else None

    def set_sort(self, column: str | None, falling: bool = False) -> None:
        """Show a column as the sorted one."""
        sort = None if column is None else (column, falling)
        if sort != self._sort:
            self._sort = sort
            self._refresh_header()

    def set_empty(self, text: str) -> None:
        """What to say where there are no rows: what would be here, and what makes it."""
        if text != self._empty:
            self._empty = text
            if not self._keys:
                self.refresh()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns; the rows must be set to match."""
        self._columns = tuple(columns)
        self._placed_width = -1
        self._keys, self._places, self._painted = (), {}, {}
        self._strips.clear()
        self.refresh()

    # Cursor

    def move_to(self, index: int) -> None:
        """Put the cursor on a row (the nearest there is) and bring it into view."""
        index = max(0, min(index, len(self._keys) - 1))
        if index != self._cursor:
            old, self._cursor = self._cursor, index
            self.refresh_line(old + HEADER_LINES)
            self.refresh_line(index + HEADER_LINES)
            self.post_message(self.Highlighted(self, self.cursor_key))
        self._scroll_to_cursor()

    def move_to_key(self, key: str) -> bool:
        """Put the cursor on the row of that key; whether there is one."""
        index = self._places.get(key)
        if index is None:
            return False
        self.move_to(index)
        return True

    def _page(self) -> int:
        return max(1, self.size.height - HEADER_LINES)

    def _visible(self) -> range:
        """The indices of rows whose lines are on the screen (some may be past the last row)."""
        top = self.scroll_offset.y
        return range(top, top + self._page())

    def _scroll_to_cursor(self) -> None:
        top, page = self.scroll_offset.y, self._page()
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + page:
            self.scroll_to(y=self._cursor - page + 1, animate=False)

    def action_up(self) -> None:
        """One row up."""
        self.move_to(self._cursor - 1)

    def action_down(self) -> None:
        """One row down."""
        self.move_to(self._cursor + 1)

    def action_first(self) -> None:
        """To the first row."""
        self.move_to(0)

    def action_last(self) -> None:
        """To the last row."""
        self.move_to(len(self._keys) - 1)

    def action_page_up(self) -> None:
        """A page up."""
        self.move_to(self._cursor - self._page())

    def action_page_down(self) -> None:
        """A page down."""
        self.move_to(self._cursor + self._page())

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if (key := self.cursor_key) is not None:
            self.post_message(self.Opened(self, key))

    # Marks

    def action_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go on to the next."""
        self.toggle_mark()
        self.action_down()

    def toggle_mark(self, key: str | None = None) -> None:
        """Mark a row (that under the cursor), or take its mark away."""
        key = self.cursor_key if key is None else key
        if key is not None and key in self._places:
            self._set_marks(self._marked ^ {key})

    def mark_all(self) -> None:
        """Mark every row."""
        self._set_marks(frozenset(self._places))

    def clear_marks(self) -> None:
        """Mark none."""
        self._set_marks(frozenset())

    def _set_marks(self, marked: frozenset[str]) -> None:
        if not self._marks or marked == self._marked:
            return
        changed = self._marked ^ marked
        self._marked = marked
        visible = self._visible()
        for index in range(visible.start, min(visible.stop, len(self._keys))):
            if self._keys[index] in changed:
                self.refresh_line(index + HEADER_LINES)
        self.post_message(self.Marked(self, self.marked))

    # Mouse

    def column_at(self, x: int) -> str | None:
        """The key of the column at a cell of a line, gaps counting to the column before."""
        found = None
        for index, start, _ in self._layout():
            if x >= start:
                found = self._columns[index].key
        return found

    def on_click(self, event: events.Click) -> None:
        """Title: ask for a sort. Row: cursor; gutter: mark; double click: open."""
        at = event.get_content_offset(self)
        if at is None or event.button != 1:
            return
        event.stop()
        if at.y < HEADER_LINES:
            column = self.column_at(at.x)
            if column is not None and self._column(column).sortable:
                self.post_message(self.SortRequested(self, column))
            return
        index = at.y - HEADER_LINES + self.scroll_offset.y
        if index >= len(self._keys):
            return
        key = self._keys[index]
        self.move_to(index)
        if self._marks and at.x < self._gutter():
            self.toggle_mark(key)
        elif event.chain == 2:
            self.post_message(self.Opened(self, key))

    def _column(self, key: str) -> Column:
        return next(column for column in self._columns if column.key == key)

    # Painting

    def _gutter(self) -> int:
        return 3 if self._marks else 2

    @property
    def _width(self) -> int:
        """The cells of a line that the scrollbar does not cover."""
        return self.scrollable_content_region.width

    def _layout(self) -> tuple[Placed, ...]:
        width = self._width
        if width != self._placed_width:
            self._placed = lay_out(self._columns, width, self._gutter())
            self._placed_width = width
        return self._placed

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """The keys of the columns that fit at the present width."""
        return tuple(self._columns[placed.column].key for placed in self._layout())

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._look.clear()
        self._strips.clear()

    def on_focus(self) -> None:
        """The cursor looks different where keys act on it."""
        self._look.clear()
        self._strips.clear()
        self.refresh_line(self._cursor + HEADER_LINES)

    def on_blur(self) -> None:
        """The cursor stays visible, quieter."""
        self.on_focus()

    def _refresh_header(self) -> None:
        self.refresh(Region(0, 0, self.size.width, HEADER_LINES))

    def render_line(self, y: int) -> Strip:
        width = self._width
        if y < HEADER_LINES:
            spans = header_spans(self._columns, self._layout(), width, self._sort)
        elif not self._keys:
            spans = self._empty_spans(y - HEADER_LINES, width)
        else:
            index = y - HEADER_LINES + self.scroll_offset.y
            if index >= len(self._keys):
                return Strip.blank(width, self._look.of("text"))
            return self._row_strip(index, width)
        return self._strip(spans)

    def _strip(self, spans: list[Span]) -> Strip:
        return Strip([Segment(text, self._style(role, ground)) for text, role, ground in spans])

    def _style(self, role: str, ground: str) -> Style:
        return self._look.of(role, ground)

    def _row_strip(self, index: int, width: int) -> Strip:
        """A row's line; one made before stands, wherever the row has been scrolled to."""
        key = self._keys[index]
        row = self._row_of(key)
        if len(self._painted) > 8 * self._page():
            visible = self._visible()
            self._painted = {at: was for at, was in self._painted.items() if at in visible}
        self._painted[index] = row
        marked = key in self._marked
        ground = "marked" if marked else "plain"
        sign = ""
        if index == self._cursor:
            ground = "cursor" if self.has_focus else "cursor-blurred"
            sign = CURSOR_MARK
        if self._marks:
            sign = (sign or " ") + (MARKED if marked else " ")
        look = (ground, sign, width)
        known = self._strips.get(key)
        if known is None or known[0] is not row or known[1] != look:
            spans = row_spans(row, self._columns, self._layout(), width, ground, sign)
            if len(self._strips) > MOST_STRIPS:
                self._strips.clear()
            known = self._strips[key] = (row, look, self._strip(spans))
        return known[2]

    def _empty_spans(self, line: int, width: int) -> list[Span]:
        text = self._empty.split("\n")
        first = max(0, (self._page() - len(text)) // 3)
        if not first <= line < first + len(text):
            return [Span(" " * width)]
        said = cut(text[line - first], width)
        role = "strong" if line == first and len(text) > 1 else "muted"
        left = max(0, (width - cells(said)) // 2)
        return [Span(" " * left), Span(fit(said, width - left), role)]
