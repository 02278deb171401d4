"""A question whose answer is typed on one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.errors import StepdeckError
from tui import keys
from tui.keys import Place
from tui.safe import safe_line, safe_text
from tui.screens.base import ActionButton, DeckDialog
from tui.widgets.line import Line


class AskDialog(DeckDialog[str | None]):
    """Answers with the text typed, or None.

    ``check`` says what an answer would do, while one types, or raises what is wrong with it; only
    an answer that passes is taken.
    """

    places: ClassVar = (Place.ASK,)
    BINDINGS = keys.bindings(Place.ASK)
    AUTO_FOCUS = "#answer"

    def __init__(
        self,
        question: str,
        body: Sequence[str],
        check: Callable[[str], str],
        *,
        answer: str = "",
        yes: str = "Go on",
    ) -> None:
        super().__init__()
        self._question = question
        self._body = body
        self._check = check
        self._answer = answer
        self._yes = yes

    def compose(self) -> ComposeResult:
        shown = self.deck.keys
        with Vertical(classes="dialog"):
            yield Static(safe_text(self._question), classes="dialog-title", markup=False)
            if self._body:
                yield Static(safe_text("\n".join(self._body)), classes="dialog-body", markup=False)
            yield Line(safe_line(self._answer), compact=True, id="answer")
            yield Static("", id="answer-said", classes="dialog-said", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("ask.accept", shown, self._yes)
                yield ActionButton("ask.close", shown)

    def on_mount(self) -> None:
        self._say()

    @on(Input.Changed)
    def _say(self) -> bool:
        """Say what the answer would do or what is wrong with it; whether it can be taken."""
        said = self.query_one("#answer-said", Static)
        try:
            words = self._check(self.query_one("#answer", Input).value)
        except StepdeckError as error:
            said.update(Content.styled(safe_line(f"✗ {error}"), "$text-error"))
            return False
        said.update(Content.styled(safe_line(words), "$text-muted"))
        return True

    @on(Input.Submitted)
    def action_accept(self) -> None:
        """Take the answer."""
        if self._say():
            self.dismiss(self.query_one("#answer", Input).value)

    def on_key(self, event: events.Key) -> None:
        # What was typed before the question was drawn belongs into its field.
        if self.focused is None and event.character is not None and event.is_printable:
            event.stop()
            self.query_one("#answer", Input).insert_text_at_cursor(event.character)

    def action_close(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)
