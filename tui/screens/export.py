"""Writing runs to files: the format, the place, and what is wrong with it while one types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Select, Static

from engine.errors import InvalidOption
from tui import keys
from tui.export import FORMATS, OF_THE_WHOLE, Format
from tui.files import refuse_to_be_there, typed_place
from tui.keys import Place
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckDialog
from tui.widgets.line import Line

WORDS: dict[Format, str] = {
    "csv": "csv: a folder with a file a table",
    "parquet": "parquet: a folder with a file a table",
    "json": "json: one document",
    "html": "html: a tear sheet",
    "tape": "tape: the decisions, to be replayed",
}
ENDINGS: dict[Format, str] = {
    "csv": "", "parquet": "", "json": ".json", "html": ".html", "tape": ".jsonl",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Export:
    """What to write where; several runs go into the folder ``target``, each under its id.

    ``settled`` is the moment that one run is written as of, None for the whole of it.
    """

    form: Format
    target: Path
    settled: int | None = None

    def place(self, run_id: str, *, several: bool) -> Path:
        """Where one run goes."""
        return self.target / f"{run_id}{ENDINGS[self.form]}" if several else self.target


class ExportDialog(DeckDialog[Export | None]):
    """Answers with what to write where, or None.

    ``moment`` is what is looked at, in settled grid points of ``all_steps``: it is what is written
    unless the whole run is chosen.
    """

    places: ClassVar = (Place.EXPORT,)
    BINDINGS = keys.bindings(Place.EXPORT)
    AUTO_FOCUS = "#export-path"

    def __init__(
        self, run_ids: Sequence[str], named: str, moment: int | None = None, all_steps: int = 0
    ) -> None:
        super().__init__()
        self._moment = moment
        self._all_steps = all_steps
        self._run_ids = run_ids
        self._named = named
        self._suggested = ""

    def compose(self) -> ComposeResult:
        shown = self.deck.keys
        with Vertical(classes="dialog"):
            yield Static(safe_line(f"Export {self._named}"), classes="dialog-title", markup=False)
            with Horizontal(classes="field"):
                yield Static("format", classes="field-label", markup=False)
                yield Select(
                    [(WORDS[form], form) for form in FORMATS],
                    value="csv", allow_blank=False, compact=True, id="export-format",
                )  # fmt: skip
            if self._moment is not None:
                with Horizontal(classes="field"):
                    yield Static("what", classes="field-label", markup=False)
                    yield Select(
                        [
                            (f"up to the moment shown, step {self._moment - 1}", True),
                            (f"the whole run, to step {self._all_steps - 1}", False),
                        ],
                        value=True, allow_blank=False, compact=True, id="export-what",
                    )  # fmt: skip
            with Horizontal(classes="field"):
                label = "folder" if len(self._run_ids) > 1 else "to"
                yield Static(label, classes="field-label", markup=False)
                yield Line("", compact=True, id="export-path")
            yield Static("", id="export-said", classes="dialog-said", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("export.write", shown, every=True)
                yield ActionButton("export.close", shown)

    def on_mount(self) -> None:
        self._suggest()

    @property
    def form(self) -> Format:
        """The format chosen."""
        return cast("Format", self.query_one("#export-format", Select).value)

    @property
    def settled(self) -> int | None:
        """The moment that the run is written as of; None for the whole of it."""
        if self._moment is None or not self.query_one("#export-what", Select).value:
            return None
        return self._moment

    @on(Select.Changed)
    def _suggest(self) -> None:
        """A place of one's own choosing stays; the one suggested follows the format."""
        line = self.query_one("#export-path", Input)
        if line.value == self._suggested:
            several = len(self._run_ids) > 1
            part = "" if self.settled is None else f"-to-{self.settled - 1}"
            one = f"{self._run_ids[0]}{part}{ENDINGS[self.form]}"
            name = "stepdeck-export" if several else one
            self._suggested = str(Path.cwd() / name)
            line.value = self._suggested
        self._say()

    def _checked(self) -> Export:
        """What would be written. Raises ``InvalidOption`` where something is there already."""
        typed = typed_place(self.query_one("#export-path", Input).value)
        chosen = Export(self.form, typed, self.settled)
        if chosen.form in OF_THE_WHOLE and chosen.settled is not None:
            raise InvalidOption(
                f"{chosen.form} is of the whole run", field="format", remedy="choose that above"
            )
        several = len(self._run_ids) > 1
        for run_id in self._run_ids:
            place = chosen.place(run_id, several=several)
            refuse_to_be_there(place, folder=chosen.form in ("csv", "parquet"))
        return chosen

    @on(Input.Changed)
    def _say(self) -> None:
        said = self.query_one("#export-said", Static)
        try:
            chosen = self._checked()
        except InvalidOption as error:
            said.update(Content.styled(safe_line(f"✗ {error}"), "$text-error"))
        else:
            count = len(self._run_ids)
            step = chosen.settled - 1 if chosen.settled is not None else None
            what = "the whole run" if step is None else f"the run as it was at step {step}"
            if count > 1:
                what = f"{count} runs, whole,"
            what = f"writes {what} to {chosen.target}"
            said.update(Content.styled(safe_line(what), "$text-muted"))

    @on(Input.Submitted)
    def action_write(self) -> None:
        """Take the answer, if the place is free."""
        try:
            chosen = self._checked()
        except InvalidOption:
            self._say()
            return
        self.dismiss(chosen)

    def action_close(self) -> None:
        """Write nothing."""
        self.dismiss(None)
