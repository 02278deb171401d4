"""The run screen's panels: which there are, and the line that names them."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui import keys

PANELS: Final = ("price", "equity", "positions", "orders", "decisions", "figures")
CHARTS: Final = 2
POSITIONS: Final = 3


class PanelTabs(Static):
    """The panels' names with their keys; the ones shown stand out, each can be clicked."""

    class Chosen(Message):
        """A panel's name was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, shown: keys.Keys) -> None:
        super().__init__("", markup=False)
        self._shown = shown
        self.chosen: set[int] = {1}
        self._spans: list[tuple[int, int, int]] = []

    def render(self) -> Content:
        parts: list[Content] = [Content(" ")]
        self._spans = []
        at = 1
        for number in range(1, len(PANELS) + 1):
            action = keys.BY_ID[f"run.panel_{number}"]
            key = self._shown.shown(action)
            on_top = number in self.chosen
            style = "bold $foreground" if on_top else "$text-muted"
            parts.append(
                Content.assemble(
                    (key, "$text-accent bold" if on_top else "$text-muted"),
                    " ",
                    (action.label, f"{style} underline" if on_top else style),
                    "   ",
                )
            )
            width = len(key) + 1 + len(action.label)
            self._spans.append((at, at + width, number))
            at += width + 3
        return Content("").join(parts)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        for start, end, number in self._spans:
            if start <= event.x < end:
                self.post_message(self.Chosen(number))
