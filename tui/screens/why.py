"""Why an order became what it became, over the run it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui import keys
from tui.keys import Place
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckDialog, style_of
from tui.viewmodel.why import Chapter, why

if TYPE_CHECKING:
    from engine.sim.panel import Panel
    from tui.gateway import RunDetail


class WhyDialog(DeckDialog[None]):
    """The chain from what was seen to the order's end, in words; the arrows scroll it."""

    places: ClassVar = (Place.NOTICE,)
    BINDINGS = keys.bindings(Place.NOTICE)
    AUTO_FOCUS = "#why-text"

    def __init__(self, detail: RunDetail, order_id: str, panel: Panel | None) -> None:
        super().__init__()
        self._detail = detail
        self._order_id = order_id
        self._panel = panel

    def compose(self) -> ComposeResult:
        chapters = why(self._detail, self._order_id, self._panel, self.deck.settings.currency)
        with Vertical(classes="dialog why"):
            yield Static(
                f"Why: order {safe_line(self._order_id)}", classes="dialog-title", markup=False
            )
            with VerticalScroll(can_focus=True, id="why-text"):
                yield Static(_content(chapters), markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("notice.close", self.deck.keys)

    def action_close(self) -> None:
        """Go on."""
        self.dismiss(None)


def _content(chapters: tuple[Chapter, ...]) -> Content:
    return Content("\n\n").join(
        Content.assemble(
            (safe_line(chapter.title), f"bold {style_of(chapter.role)}"),
            *(f"\n  {safe_line(line)}" for line in chapter.lines),
        )
        for chapter in chapters
    )
