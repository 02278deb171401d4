"""The command palette: every action of the place one is in, found by its words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui import keys
from tui.keys import Action, Place
from tui.screens.base import DeckScreen

if TYPE_CHECKING:
    from tui.app import StepdeckApp


class ActionProvider(Provider):
    """The registry's actions that work on the screen beneath the palette."""

    def _actions(self) -> Iterator[Action]:
        screen = self.screen
        if isinstance(screen, DeckScreen):
            for action in keys.of(*screen.places, Place.EVERYWHERE):
                # A palette is no use in the palette.
                if action.id != "palette" and screen.works(action):
                    yield action

    def _title(self, action: Action) -> str:
        key = cast("StepdeckApp", self.app).keys.shown(action)
        return f"{action.label}  {key}" if key else action.label

    async def discover(self) -> Hits:
        app = cast("StepdeckApp", self.app)
        for action in self._actions():
            yield DiscoveryHit(self._title(action), partial(app.act, action), help=action.help)

    async def search(self, query: str) -> Hits:
        app = cast("StepdeckApp", self.app)
        matcher = self.matcher(query)
        for action in self._actions():
            title = self._title(action)
            score = max(matcher.match(title), matcher.match(action.help) * 0.9)
            if score > 0:
                yield Hit(
                    score, matcher.highlight(title), partial(app.act, action), help=action.help
                )
