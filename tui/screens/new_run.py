"""The form of a new run: what is wrong is said at its field while one types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from engine.errors import StepdeckError
from engine.model import RunRequest
from engine.strategies import registry
from tui import keys, memory
from tui.keys import Place
from tui.messages import Acted, Failed, RequestChecked
from tui.options import build_request, command_line
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckScreen
from tui.viewmodel import form
from tui.viewmodel.form import Field, Group
from tui.widgets.line import Line

TYPING_SECONDS = 0.15


class FieldRow(Horizontal):
    """One line of the form: label, input or choice, and what is expected or wrong."""

    class Changed(Message):
        """The field has another value."""

    def __init__(self, field: Field, value: str) -> None:
        super().__init__(classes="field", id=f"row-{field.widget_id}")
        self.field = field
        self._initial = value
        self.wrong: str | None = None
        # What nobody has typed is not said to be wrong before it is asked for.
        self.touched = bool(value)

    def compose(self) -> ComposeResult:
        field = self.field
        yield Static(field.label, classes="field-label", markup=False)
        if field.choices:
            values = [value for _, value in field.choices]
            yield Select(
                field.choices,
                value=self._initial if self._initial in values else values[0],
                allow_blank=False,
                compact=True,
                id=field.widget_id,
            )
        else:
            yield Line(self._initial, placeholder=field.default, compact=True, id=field.widget_id)
        yield Static(safe_line(field.help), classes="field-help", markup=False)

    @property
    def value(self) -> str:
        """What the field says now."""
        widget = self.query_one(f"#{self.field.widget_id}")
        if isinstance(widget, Input):
            return widget.value
        return str(widget.value) if isinstance(widget, Select) else ""

    def set(self, value: str) -> None:
        """Put a value into the field."""
        widget = self.query_one(f"#{self.field.widget_id}")
        if isinstance(widget, Input) or (
            isinstance(widget, Select) and value in [v for _, v in self.field.choices]
        ):
            widget.value = value

    def say(self, wrong: str | None) -> None:
        """Say what is wrong with the value; None: nothing is."""
        if wrong == self.wrong:
            return
        self.wrong = wrong
        self.set_class(wrong is not None, "-wrong")
        text = f"✗ {wrong}" if wrong else self.field.help
        self.query_one(".field-help", Static).update(Content(safe_line(text)))

    @on(Input.Changed)
    @on(Select.Changed)
    def _tell(self, event: Input.Changed | Select.Changed) -> None:
        event.stop()
        self.touched = self.touched or self.value != self._initial
        self.post_message(self.Changed())


WHO = "who decides: a built-in, a file of your own, a tape, or you by hand"


def strategy_field() -> Field:
    """The choice of a strategy: the built-ins, manual, and files of one's own."""
    words = (*(info.name for info in registry.available()), form.TAPE, form.OWN_FILE)
    return Field("strategy", "strategy", WHO, "sma_cross", tuple((word, word) for word in words))


FILE_FIELD = Field("file", "file", "FILE.py:Class, or the tape's FILE.jsonl")


class NewRunScreen(DeckScreen):
    """Strategy, bars, money and pace of a run to be; starts it when everything is right."""

    places: ClassVar = (Place.FORM,)
    BINDINGS = keys.bindings(Place.FORM)
    AUTO_FOCUS = "#field-strategy"

    def __init__(self) -> None:
        super().__init__()
        self._remembered = memory.recall()
        self._parameters: tuple[Field, ...] = ()
        self._spec = ""
        self._request: RunRequest | None = None
        self._command = ""
        self._typing: Timer | None = None
        self._starting = False
        self._checking = True
        self._start_when_checked = False
        self._error: StepdeckError | None = None
        self._missing: FieldRow | None = None

    # -- layout ---------------------------------------------------------------------------------

    def compose_deck(self) -> ComposeResult:
        shown = self.deck.keys
        yield Static("New run", classes="screen-title", markup=False)
        with VerticalScroll(id="form", can_focus=False):
            with Vertical(classes="form-column"):
                with Vertical(classes="group"):
                    yield Static("Strategy", classes="group-title", markup=False)
                    yield self._row(strategy_field())
                    yield self._row(FILE_FIELD)
                    yield Static("", id="summary", markup=False)
                    yield Vertical(id="parameters")
                yield from self._group(form.BARS)
            with Vertical(classes="form-column"):
                yield from self._group(form.MONEY)
                yield from self._group(form.PACE)
        with Vertical(id="form-foot"):
            yield Static("", id="about", markup=False)
            yield Static("", id="verdict", markup=False)
            yield Static("", id="command", markup=False)
            with Horizontal(classes="buttons"):
                yield ActionButton("form.start", shown, every=True)
                yield ActionButton("form.copy_command", shown)
                yield ActionButton("form.reset", shown)
                yield ActionButton("back", shown)

    def _group(self, group: Group) -> ComposeResult:
        with Vertical(classes="group"):
            yield Static(group.title, classes="group-title", markup=False)
            for field in group.fields:
                yield self._row(field)

    def _row(self, field: Field) -> FieldRow:
        default = self.deck.settings.costs if field.name == "costs" else ""
        first = field.choices[0][1] if field.choices else ""
        start = default or (field.default if field.choices else "") or first
        return FieldRow(field, self._remembered.get(field.name, start))

    async def on_mount(self) -> None:
        await self._follow_strategy()
        self._check_soon()

    # -- values ---------------------------------------------------------------------------------

    def _rows(self) -> Mapping[str, FieldRow]:
        return {row.field.name: row for row in self.query(FieldRow)}

    def values(self) -> dict[str, str]:
        """What stands in the fields, by name."""
        return {name: row.value for name, row in self._rows().items()}

    @on(FieldRow.Changed)
    async def _changed(self, event: FieldRow.Changed) -> None:
        event.stop()
        await self._follow_strategy()
        self._check_soon()

    async def _follow_strategy(self) -> None:
        """Show the parameters of the strategy chosen."""
        rows = self._rows()
        chosen = rows["strategy"].value
        own = chosen in (form.OWN_FILE, form.TAPE)
        rows["file"].display = own
        spec = form.spec_of(chosen, rows["file"].value.strip())
        if spec == self._spec:
            return
        self._spec = spec
        # A file's parameters are shown once the check has read the file, off this thread.
        info = None
        if not own:
            info = next((one for one in registry.available() if one.name == spec), None)
        await self._show_strategy(info)

    async def _show_strategy(self, info: registry.StrategyInfo | None) -> None:
        self.query_one("#summary", Static).update(
            Content(safe_line(info.summary) if info is not None else "")
        )
        fields = form.parameter_fields(info.parameters) if info is not None else ()
        if fields == self._parameters:
            return
        self._parameters = fields
        place = self.query_one("#parameters", Vertical)
        await place.remove_children()
        await place.mount_all([self._row(field) for field in fields])

    # -- checking -------------------------------------------------------------------------------

    def _check_soon(self) -> None:
        """Check once the typing has come to rest."""
        self._request = None
        self._checking = True
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_SECONDS, self._check)

    def _check(self) -> None:
        values, spec, gateway = self.values(), self._spec, self.deck.gateway

        def checking() -> Message:
            request = None
            info = None
            try:
                info = registry.describe(spec)
                request = build_request(spec, form.options_of(values))
                command = command_line(request)
                checked = gateway.check(request)
            except StepdeckError as error:
                shown = command_line(request) if request is not None else ""
                return RequestChecked(None, info, shown, (), error)
            return RequestChecked(request, info, command, checked.symbols or (), None)

        self.deck.work.load("form-check", "check the form", checking, self)

    async def on_request_checked(self, message: RequestChecked) -> None:
        message.stop()
        if message.info is not None and message.info.name == self._spec:
            await self._show_strategy(message.info)
        self._request, self._command = message.request, message.command
        rows = self._rows()
        error = message.error
        wrong = form.field_of(error, rows) if error is not None else None
        if wrong == "strategy" and rows["file"].display:
            wrong = "file"
        # A start that waits for this verdict asks for every field.
        missing = wrong is not None and not (rows[wrong].touched or self._start_when_checked)
        for name, row in rows.items():
            row.say(str(error) if error is not None and name == wrong and not missing else None)
        self._missing = rows[wrong] if wrong is not None and missing else None
        self._error = error
        self._say_verdict(message.symbols)
        self.query_one("#command", Static).update(Content(safe_line(self._command)))
        self._checking = False
        self.refresh_keys()
        if self._start_when_checked:
            self._start_when_checked = False
            self.action_start()

    def _say_verdict(self, symbols: Iterable[str] = ()) -> None:
        """Whether it can start, what is wrong, or what is still to be filled in."""
        verdict, error, missing = self.query_one("#verdict", Static), self._error, self._missing
        verdict.set_class(error is not None and missing is None, "-wrong")
        verdict.set_class(missing is not None, "-missing")
        if missing is not None:
            said = f"○ still to fill in: {missing.field.label} ({missing.field.help})"
        else:
            said = self._ready_text(symbols) if error is None else f"✗ {error}"
        verdict.update(Content(safe_line(said)))

    def on_descendant_focus(self) -> None:
        """Say all there is to say of the field that one is in."""
        row = next((one for one in self.query(FieldRow) if one.has_focus_within), None)
        text = form.about(row.field) if row is not None else ""
        self.query_one("#about", Static).update(Content(safe_line(text)))

    def _ready_text(self, symbols: Iterable[str]) -> str:
        names = list(symbols)
        some = " ".join(names[:8]) + (" …" if len(names) > 8 else "")
        return f"✓ ready: {len(names)} symbol{'s' if len(names) != 1 else ''}: {some}"

    # -- actions --------------------------------------------------------------------------------

    def allows(self, action: str) -> bool | None:
        """Whether an action works on what is shown now."""
        if action == "start":
            wrong = self._error is not None and self._missing is None and not self._checking
            return None if wrong or self._starting else True
        if action == "copy_command":
            return True if self._command else None
        return True

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_start()

    def _point_at_wrong(self) -> None:
        """Go to the field that keeps the run from starting, and say there what it wants."""
        if self._missing is not None:
            self._missing.touched = True
            self._missing.say(str(self._error))
            self._missing = None
            self._say_verdict()
            self.refresh_keys()
        for row in self.query(FieldRow):
            if row.wrong is not None:
                self.set_focus(row.query_one(f"#{row.field.widget_id}", Widget))
                return

    def action_start(self) -> None:
        """Ask for the run; what was typed last is checked first."""
        request = self._request
        if self._starting:
            return
        if request is None:
            self._start_when_checked = self._checking
            if not self._checking:
                self._point_at_wrong()
            return
        self._starting = True
        self.refresh_keys()
        memory.remember({name: value for name, value in self.values().items() if value})
        self.deck.ask(
            "start the run", "form.start", lambda: self.deck.gateway.create(request), self
        )

    def on_acted(self, message: Acted) -> None:
        message.stop()
        self.deck.poller.look_now()
        record = message.records[0]
        self.leave()
        self.deck.open_run(record.run_id)

    def on_failed(self, message: Failed) -> None:
        message.stop()
        self._starting = False
        self.refresh_keys()
        self.deck.show_error(message.title, message.error)

    def action_copy_command(self) -> None:
        """Copy the equivalent command line."""
        if self._command:
            self.deck.copy_to_clipboard(self._command)
            self.deck.notify("copied the command line", markup=False)

    def action_reset(self) -> None:
        """Set every field back to its default."""
        self._remembered = {}
        for row in self.query(FieldRow):
            first = row.field.choices[0][1] if row.field.choices else ""
            default = self.deck.settings.costs if row.field.name == "costs" else row.field.default
            row.set((default or first) if row.field.choices else "")

    def leave(self) -> None:
        """Back to the runs."""
        self.deck.work.forget("form-check")
        self.dismiss()

    def leaves_field(self, field: Input, key: str) -> bool:  # noqa: ARG002
        """Arrows move between fields, as in any form of a terminal."""
        return key in ("up", "down")

    def left_field(self, field: Input, key: str) -> None:  # noqa: ARG002
        """On to the field above or below."""
        if key == "up":
            self.focus_previous()
        else:
            self.focus_next()
