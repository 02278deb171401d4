"""A small prompt: which step or date to go to."""

from __future__ import annotations

from datetime import tzinfo
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.errors import InvalidOption
from tui import keys
from tui.keys import Place
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckDialog
from tui.steps import number_of
from tui.viewmodel.time_walk import REMEDY, Goal, goal_text, read_goal
from tui.widgets.line import Line


class GoToDialog(DeckDialog[Goal | None]):
    """Answers with the moment to go to, or None; says while one types what enter would do."""

    places: ClassVar = (Place.GO_TO,)
    BINDINGS = keys.bindings(Place.GO_TO)
    AUTO_FOCUS = "#go-to"

    def __init__(
        self,
        stamps: npt.NDArray[np.int64],
        shown: int,
        total: int | None,
        zone: tzinfo,
        *,
        live: bool,
    ) -> None:
        super().__init__()
        self._stamps = stamps
        self._shown = shown
        self._total = total
        self._zone = zone
        self._live = live

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog go-to"):
            yield Static("Go to a step or a date", classes="dialog-title", markup=False)
            yield Line(compact=True, id="go-to", placeholder=str(number_of(self._shown) or 0))
            yield Static("", id="go-to-said", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("go_to.go", self.deck.keys)
                yield ActionButton("go_to.close", self.deck.keys)

    def on_mount(self) -> None:
        self._say()

    def _goal(self) -> Goal:
        return read_goal(
            self.query_one("#go-to", Input).value,
            shown=self._shown,
            stamps=self._stamps,
            total=self._total,
            zone=self._zone,
            live=self._live,
        )

    @on(Input.Changed)
    def _say(self) -> None:
        """Say what enter would do, or what is wrong."""
        said = self.query_one("#go-to-said", Static)
        if not self.query_one("#go-to", Input).value.strip():
            said.update(Content.styled(REMEDY, "$text-muted"))
            return
        try:
            goal = self._goal()
        except InvalidOption as error:
            said.update(Content.styled(safe_line(f"✗ {error}"), "$text-error"))
        else:
            words = goal_text(goal, self._stamps, self._zone)
            said.update(Content.styled(f"✓ {words}", "$text-success"))

    @on(Input.Submitted)
    def action_go(self) -> None:
        """Go there."""
        try:
            goal = self._goal()
        except InvalidOption:
            self._say()
            return
        self.dismiss(goal)

    def on_key(self, event: events.Key) -> None:
        # What was typed before the prompt was drawn belongs into its field.
        if self.focused is None and event.character is not None and event.is_printable:
            event.stop()
            self.query_one("#go-to", Input).insert_text_at_cursor(event.character)

    def action_close(self) -> None:
        """Stay."""
        self.dismiss(None)
