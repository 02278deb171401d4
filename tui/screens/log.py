"""The log: what the app has to say to nobody in particular, and what a run's strategy printed."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui import keys
from tui.keys import Place
from tui.messages import Tick
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckScreen
from tui.viewmodel import log_lines
from tui.viewmodel.log_lines import Lines
from tui.widgets.line import Line
from tui.widgets.table import DeckTable


class LogRead(Message):
    """The newest lines of a log."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self.lines = lines


class LogScreen(DeckScreen):
    """Two logs, one at a time: the run's, if one was in sight that has printed, and the app's."""

    places: ClassVar = (Place.LOG, Place.LIST)
    BINDINGS = keys.bindings(Place.LOG)
    AUTO_FOCUS = "DeckTable"

    def __init__(self, run_id: str | None) -> None:
        super().__init__()
        self.run_id = run_id
        self._of_run = False
        self._lines: Lines | None = None
        self._shown: list[str] = []
        self._wanted = ""
        self._following = True

    def compose_deck(self) -> ComposeResult:
        shown = self.deck.keys
        yield Static("", id="log-head", classes="screen-title", markup=False)
        with Horizontal(classes="buttons"):
            for name in ("source", "follow", "copy"):
                yield ActionButton(f"log.{name}", shown)
            key = shown.shown(keys.BY_ID["log.filter"])
            yield Line(placeholder=f"{key} filter", compact=True, id="log-filter", classes="filter")
        yield DeckTable(log_lines.COLUMNS, empty="Reading the log …", id="log-lines")
        yield Static("", id="log-said", classes="line-said", markup=False)

    def on_mount(self) -> None:
        self._of_run = self.run_id is not None and self._path(of_run=True).exists()
        self._read()

    def on_screen_resume(self) -> None:
        self.deck.poller.show((), None)

    def show_tick(self, tick: Tick) -> None:
        """Nothing here is of the ledger."""

    # -- the files ------------------------------------------------------------------------------

    def _path(self, *, of_run: bool) -> Path:
        if of_run and self.run_id is not None:
            return self.deck.gateway.output_path(self.run_id)
        return self.deck.settings.log_path

    def second_passed(self) -> None:
        """Read again what somebody has written to."""
        known = self._lines
        if known is not None and log_lines.stamp_of(known.path) != known.stamp:
            self._read()

    def _read(self) -> None:
        path = self._path(of_run=self._of_run)

        def reading() -> Message:
            return LogRead(log_lines.read(path))

        self.deck.work.load("log", "read the log", reading, self)

    def on_log_read(self, message: LogRead) -> None:
        message.stop()
        self._lines = message.lines
        self._show()

    # -- what it shows --------------------------------------------------------------------------

    def _show(self) -> None:
        lines = self._lines
        if lines is None:
            return
        table = self.query_one("#log-lines", DeckTable)
        numbers = log_lines.passing(lines, self._wanted)
        self._shown = [str(number) for number in numbers]
        if self._wanted and lines.texts:
            table.set_empty("No line holds that.")
        elif self._of_run:
            table.set_empty(
                "This run's strategy has printed nothing.\n\nprint() in it ends up here"
            )
        else:
            table.set_empty("The log is empty.\n\nWarnings and worse end up here")
        table.set_keys(self._shown, lambda key: log_lines.row(lines, int(key)))
        if self._following:
            table.action_last()
        self._show_words()
        self.refresh_keys()

    def _show_words(self) -> None:
        lines = self._lines
        if lines is None:
            return
        what = f"what run {self.run_id} printed" if self._of_run else "of the app"
        count = len(self._shown)
        parts = [f"Log {what}", f"{count} line{'' if count == 1 else 's'}"]
        parts += ["older ones left out"] * lines.cut + ["following"] * self._following
        self.query_one("#log-head", Static).update(
            Content(safe_line("  ·  ".join([*parts, str(lines.path)])))
        )
        key = self.query_one("#log-lines", DeckTable).cursor_key
        text = lines.texts[int(key)] if key is not None and int(key) < len(lines.texts) else ""
        self.query_one("#log-said", Static).update(Content(safe_line(text, log_lines.MOST_CELLS)))

    def on_deck_table_highlighted(self) -> None:
        table = self.query_one("#log-lines", DeckTable)
        if self._shown and table.cursor_index < len(self._shown) - 1:
            self._following = False
        self._show_words()

    # -- actions --------------------------------------------------------------------------------

    def allows(self, action: str) -> bool | None:
        """Whether an action works on what is shown now."""
        if action == "source":
            return True if self.run_id is not None else None
        if action == "copy":
            return True if self._shown else None
        return True

    def action_source(self) -> None:
        """The other log."""
        if self.run_id is not None:
            self._of_run = not self._of_run
            self._following = True
            self._read()

    def action_follow(self) -> None:
        """Go with the newest line, or stay."""
        self._following = not self._following
        if self._following:
            self.query_one("#log-lines", DeckTable).action_last()
        self._show_words()

    def action_copy(self) -> None:
        """Copy the line."""
        table = self.query_one("#log-lines", DeckTable)
        if self._lines is not None and table.cursor_key is not None:
            self.deck.copy_to_clipboard(safe_line(self._lines.texts[int(table.cursor_key)]))
            self.deck.say("copied the line")

    def action_filter(self) -> None:
        """Type what a line must hold."""
        self.set_focus(self.query_one("#log-filter", Input))

    @on(Input.Changed, "#log-filter")
    def _typed(self) -> None:
        wanted = self.query_one("#log-filter", Input).value.strip()
        if wanted != self._wanted:
            self._wanted = wanted
            self._show()

    def leaves_field(self, field: Input, key: str) -> bool:  # noqa: ARG002
        """Enter and down go from the filter to the lines."""
        return key in ("enter", "down")

    def left_field(self, field: Input, key: str) -> None:  # noqa: ARG002
        """The lines have the keys."""
        self._typed()
        self.set_focus(self.query_one("#log-lines", DeckTable))

    def leave(self) -> None:
        """Esc takes the filter away, then leaves."""
        field = self.query_one("#log-filter", Input)
        if self.focused is field or field.value:
            field.value = ""
            self._typed()
            self.set_focus(self.query_one("#log-lines", DeckTable))
        else:
            self.deck.work.forget("log")
            self.dismiss()
