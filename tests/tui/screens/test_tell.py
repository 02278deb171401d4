"""A line of text is drawn where it is another, and laid out where it may take more lines."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Static

from tui.screens.base import tell


class LinesApp(App[None]):
    CSS = "#one { height: 1; }  #many { height: auto; }"

    def compose(self) -> ComposeResult:
        yield Static("", id="one", markup=False)
        yield Static("", id="many", markup=False)


async def test_the_same_text_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told twice it is drawn once; another style is another text."""
    app = LinesApp()
    async with app.run_test() as pilot:
        drawn: list[tuple[str | None, bool]] = []
        update = Static.update

        def noted(line: Static, content: Content, *, layout: bool = True) -> None:
            drawn.append((line.id, layout))
            update(line, content, layout=layout)

        monkeypatch.setattr(Static, "update", noted)
        one, many = app.query_one("#one", Static), app.query_one("#many", Static)
        for line in (one, many):
            for text in ("a", "a", "b"):
                tell(line, Content(text))
            tell(line, Content.styled("b", "bold"))
        assert drawn == [("one", False)] * 3 + [("many", True)] * 3
        await pilot.pause()


async def test_no_text_takes_no_line() -> None:
    """Nothing to say takes no room; said again, it is there again, as high as it has to be."""
    app = LinesApp()
    async with app.run_test() as pilot:
        many = app.query_one("#many", Static)
        heights = []
        for text in ("a\nb", None, "a\nb", "a"):
            tell(many, None if text is None else Content(text))
            await pilot.pause()
            heights.append(many.size.height if many.display else 0)
        assert heights == [2, 0, 2, 1]
