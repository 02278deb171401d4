"""Lines taken as they are look as Textual would have made them."""

from __future__ import annotations

import pytest
from textual._styles_cache import StylesCache
from textual.app import App, ComposeResult
from textual.strip import Strip

from tests.tui.widgets.test_table import COLUMNS, rows
from tui.theme import DARK
from tui.widgets.plain_lines import PlainLines
from tui.widgets.table import DeckTable

DECORATIONS = {
    "none": "",
    "border": "border: solid red;",
    "padding": "padding: 1 2;",
    "outline": "outline: solid red;",
    "hatch": "hatch: cross red;",
    "tint": "tint: red 40%;",
    "opacity": "opacity: 50%;",
    "text opacity": "text-opacity: 50%;",
    "scrollbar": "overflow-y: scroll;",
}


class LinesApp(App[None]):
    """A table that is shorter than its rows."""

    def __init__(self) -> None:
        super().__init__()
        self.table = DeckTable(COLUMNS, marks=True)

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.theme = DARK.name
        self.table.set_rows(rows(30))


def styled(css: str) -> LinesApp:
    """The app with a decoration of its table."""

    class Styled(LinesApp):
        CSS = f"DeckTable {{ height: 8; {css} }}"

    return Styled()


@pytest.mark.parametrize("css", DECORATIONS.values(), ids=DECORATIONS.keys())
async def test_a_line_is_what_textual_makes_of_it(css: str) -> None:
    """With each decoration and with none, whole and cut, before and after scrolling."""
    app = styled(css)
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        table.toggle_mark("k3")
        for index in (1, 12, 29):
            table.move_to(index)
            await pilot.pause()
            assert isinstance(table._styles_cache, PlainLines)
            region = table.size.region
            for crop in (region, region.crop_size((20, 3)), region.shrink((2, 3, 1, 4))):
                ours = table.render_lines(crop)
                kept, table._styles_cache = table._styles_cache, StylesCache()
                theirs = table.render_lines(crop)
                table._styles_cache = kept
                assert [_cells(line) for line in ours] == [_cells(line) for line in theirs]


async def test_a_line_that_has_not_changed_is_not_made_again() -> None:
    """A table that is scrolled by a row gives the strips it gave, each a line higher."""
    app = styled("")
    async with app.run_test(size=(60, 12)) as pilot:
        table = app.table
        table.move_to(20)
        await pilot.pause()
        before = table.render_lines(table.size.region)
        table.scroll_to(y=table.scroll_offset.y + 1, animate=False)
        await pilot.pause()
        after = table.render_lines(table.size.region)
        assert [one is other for one, other in zip(before[2:], after[1:-1], strict=True)] == (
            [True] * (len(before) - 2)
        )


def _cells(line: Strip) -> list[tuple[str, object]]:
    return [(letter, segment.style) for segment in line for letter in segment.text]
