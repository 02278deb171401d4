"""Small questions and bad news: confirm, quit with live runs, errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from engine.errors import StepdeckError
from tui import keys
from tui.keys import Place
from tui.safe import safe_text
from tui.screens.base import ActionButton, DeckDialog

Leave = Literal["stay", "interrupt", "wait", "cancel"]


class ConfirmDialog(DeckDialog[bool]):
    """A question before something is lost; answers whether to do it."""

    places: ClassVar = (Place.CONFIRM,)
    BINDINGS = keys.bindings(Place.CONFIRM)

    def __init__(self, question: str, body: Sequence[str], yes: str, no: str = "Keep") -> None:
        super().__init__()
        self._question = question
        self._body = body
        self._yes = yes
        self._no = no

    def compose(self) -> ComposeResult:
        shown = self.deck.keys
        with Vertical(classes="dialog"):
            yield Static(self._question, classes="dialog-title", markup=False)
            yield Static(safe_text("\n".join(self._body)), classes="dialog-body", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("confirm.yes", shown, self._yes)
                yield ActionButton("confirm.no", shown, self._no)

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)

    def action_no(self) -> None:
        """Leave everything as it is."""
        self.dismiss(False)


class QuitDialog(DeckDialog[Leave]):
    """What should become of the runs that are live here; answers with the choice.

    ``moving`` says whether one of them goes on by itself, so that there is something to wait for.
    """

    places: ClassVar = (Place.QUIT,)
    BINDINGS = keys.bindings(Place.QUIT)

    def __init__(self, live: Sequence[str], *, moving: bool) -> None:
        super().__init__()
        self._live = live
        self._moving = moving

    def compose(self) -> ComposeResult:
        shown = self.deck.keys
        several = len(self._live) > 1
        them, they, are = ("them", "they", "are") if several else ("it", "it", "is")
        stays = f" leaves {them} as {they} {are}; any later session takes {them} up again."
        ends = f" ends {them} for good; what {they} did stays in the ledger."
        waits = " quits when what moves by itself has come to its end."
        said = [("Interrupt", stays), ("Wait", waits), ("Cancel", ends)]
        if not self._moving:
            del said[1]
        with Vertical(classes="dialog"):
            yield Static(
                f"{len(self._live)} run{'s are' if several else ' is'} live here",
                classes="dialog-title",
                markup=False,
            )
            yield Static(safe_text("\n".join(self._live)), classes="dialog-body", markup=False)
            yield Static(
                Content("\n").join(Content.assemble((word, "bold"), rest) for word, rest in said),
                classes="dialog-body",
            )
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("quit.interrupt", shown)
                if self._moving:
                    yield ActionButton("quit.wait", shown)
                yield ActionButton("quit.cancel", shown, f"Cancel {them}")
                yield ActionButton("quit.stay", shown)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """There is nothing to wait for where nothing moves by itself."""
        return action != "wait" or self._moving

    def action_interrupt(self) -> None:
        """Leave the runs resumable."""
        self.dismiss("interrupt")

    def action_wait(self) -> None:
        """Quit when they are done."""
        self.dismiss("wait")

    def action_cancel(self) -> None:
        """Cancel them, then quit."""
        self.dismiss("cancel")

    def action_stay(self) -> None:
        """Do not quit."""
        self.dismiss("stay")


class ErrorDialog(DeckDialog[None]):
    """What was tried, why it failed, what would help, and where the log is."""

    places: ClassVar = (Place.NOTICE,)
    BINDINGS = keys.bindings(Place.NOTICE)

    def __init__(self, title: str, error: StepdeckError, log: str) -> None:
        super().__init__()
        self._title = title
        self._error = error
        self._log = log

    def compose(self) -> ComposeResult:
        error = self._error
        with Vertical(classes="dialog -error"):
            yield Static(
                safe_text(f"✗ could not {self._title}"), classes="dialog-title", markup=False
            )
            yield Static(safe_text(error.message), classes="dialog-body", markup=False)
            if error.remedy:
                yield Static(
                    Content.assemble(("remedy  ", "$text-muted"), safe_text(error.remedy)),
                    classes="dialog-body",
                )
            yield Static(
                Content.assemble(
                    ("code    ", "$text-muted"),
                    error.code,
                    "\n",
                    ("log     ", "$text-muted"),
                    self._log,
                ),
                classes="dialog-body",
            )
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("notice.close", self.deck.keys)

    def action_close(self) -> None:
        """Go on."""
        self.dismiss(None)
