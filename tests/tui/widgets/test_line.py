"""A line that is typed into."""

from __future__ import annotations

from textual.app import App, ComposeResult

from tui.widgets.line import Line


class LineApp(App[None]):
    CSS = "Line { width: 12; border: none; padding: 0; height: 1; }"

    def compose(self) -> ComposeResult:
        yield Line(id="line")


def _seen(app: App[None]) -> str:
    return app.screen._compositor.render_strips()[0].text.rstrip()


async def test_a_long_text_scrolls_with_its_cursor() -> None:
    """What is typed beyond the line's width stays in sight, at the end and back at the start."""
    app = LineApp()
    async with app.run_test(size=(40, 4)) as pilot:
        line = app.query_one(Line)
        await pilot.press(*"abcdefghijklmnopqrstuvwxyz")
        await pilot.pause()
        assert _seen(app).endswith("xyz")
        await pilot.press("home")
        await pilot.pause()
        assert _seen(app).startswith("abcdef")
        await pilot.press("end", *["backspace"] * 20)
        await pilot.pause()
        assert (line.value, _seen(app)) == ("abcdef", "abcdef")
