"""A line of buttons: as many as fit, and one behind which are all the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from textual.app import ComposeResult
from textual.containers import Horizontal

from tui import keys
from tui.screens.base import ActionButton, DeckScreen, KeyBar

GAP = 1
PADDING = 2


class ButtonLine(Horizontal):
    """Buttons of actions in the order of their worth; those that do not fit are behind "more".

    That one opens the palette, where every action of the place can be chosen.
    """

    def __init__(self, actions: Sequence[str], shown: keys.Keys) -> None:
        super().__init__(classes="buttons")
        self._actions = tuple(actions)
        self._shown = shown

    def compose(self) -> ComposeResult:
        for name in self._actions:
            yield ActionButton(name, self._shown, fitted=True)
        yield ActionButton("palette", self._shown, "more", fitted=True)

    def on_resize(self) -> None:
        """Fit the new width."""
        self.fit()

    def fit(self) -> None:
        """Show the buttons that work now and fit; the last ones give way.

        The key bar lists what has no button, so it is drawn anew where others stand here now.
        """
        room = self.size.width
        if not room:
            return
        *buttons, more = self.query(ActionButton)
        screen = cast("DeckScreen", self.screen)
        works = [button for button in buttons if screen.allows(button.act.method) is not False]
        fits = sum(map(_width, works)) <= room
        left = room - (0 if fits else _width(more))
        shown = set()
        for button in works:
            left -= _width(button)
            if left < 0:
                break
            shown.add(button)
        before = [button.display for button in buttons]
        for button in buttons:
            button.display = button in shown
        more.display = not fits and bool(works)
        if before != [button.display for button in buttons]:
            screen.query_one(KeyBar).refresh()


def _width(button: ActionButton) -> int:
    label = button.label
    return len(label if isinstance(label, str) else label.plain) + PADDING + GAP
