"""The breakpoints of a run: where it is to stop, written, switched and counted."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.errors import InvalidExpression
from engine.sim.expressions import parse
from tui import format as fmt
from tui import keys
from tui.keys import Place
from tui.messages import Acted, Failed, Tick
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckDialog, DeckScreen, style_of
from tui.steps import place_of
from tui.viewmodel import breakpoints as view
from tui.viewmodel.breakpoints import Choice, Points
from tui.viewmodel.runs import CAN_CANCEL
from tui.viewmodel.stopped import stopped_text
from tui.widgets.line import Line
from tui.widgets.table import DeckTable

if TYPE_CHECKING:
    from engine.model import RunRecord

LABEL_CELLS = 12
EMPTY = (
    "No breakpoints\na run stops before the decision at which one holds\n"
    "a writes one, t shows the usual ones"
)


class BreakpointsScreen(DeckScreen):
    """The list of a run's breakpoints and, while one is written, the line it is written in.

    What is shown is what the ledger holds; a change shows once it is there.
    """

    places: ClassVar = (Place.BREAKPOINTS, Place.LIST)
    BINDINGS = keys.bindings(Place.BREAKPOINTS)
    AUTO_FOCUS = "#breakpoints"
    ends_typing: ClassVar = frozenset({"keep"})

    def __init__(self, run_id: str, symbol: str | None = None) -> None:
        super().__init__()
        self.run_id = run_id
        self._symbol = symbol
        self._record: RunRecord | None = None
        self._points: Points = ()
        self._asked: list[Points] = []
        self._undo: list[Points] = []
        self._editing: int | None = None
        self._day = date.today().isoformat()  # noqa: DTZ011 - until the run's own day is known

    # -- layout ---------------------------------------------------------------------------------

    def compose_deck(self) -> ComposeResult:
        shown = self.deck.keys
        yield Static("", id="breakpoints-head", classes="screen-title", markup=False)
        yield Static("", id="breakpoints-stopped", markup=False)
        with Horizontal(id="breakpoints-lists"):
            yield DeckTable(view.COLUMNS, empty=EMPTY, id="breakpoints")
            yield DeckTable(view.CHOICE_COLUMNS, id="breakpoints-words")
        with Vertical(id="breakpoint-line"):
            with Horizontal(classes="field"):
                yield Static("stop where", classes="field-label", markup=False)
                yield Line("", compact=True, id="breakpoint-text")
            yield Static("", id="breakpoint-verdict", markup=False)
        with Horizontal(classes="buttons"):
            for name in (
                "add", "edit", "switch", "once", "remove", "undo", "templates", "keep", "words",
            ):  # fmt: skip
                yield ActionButton(f"breakpoints.{name}", shown)

    def on_mount(self) -> None:
        self.query_one("#breakpoint-line").display = False
        tick = self.deck.tick
        if tick is not None:
            self.show_tick(tick)

    def on_screen_resume(self) -> None:
        self.deck.poller.show((), self.run_id, None)

    # -- the ledger -----------------------------------------------------------------------------

    def show_tick(self, tick: Tick) -> None:
        """Show the run as the ledger has it now."""
        detail = tick.detail
        if detail is not None and detail.record.run_id == self.run_id:
            self._record = detail.record
            if len(detail.stamps):
                self._day = fmt.day(int(detail.stamps[-1]))
            self._points = self.deck.gateway.breakpoints_of(self._record)
            self._show(self._record)

    def _show(self, record: RunRecord) -> None:
        look = fmt.status_look(record.status)
        self.query_one("#breakpoints-head", Static).update(
            Content.assemble(
                "Breakpoints  ",
                (
                    safe_line(record.name or record.strategy, max(16, self.size.width - 44)),
                    "$foreground",
                ),
                ("  ", ""),
                (look.text, style_of(look.role)),
                (f"  step {place_of(record)}", "$text-muted"),
            )
        )
        text = stopped_text(record)
        if text is None and record.status not in CAN_CANCEL:
            text = "this run has ended: nothing stops it any more"
        line = self.query_one("#breakpoints-stopped", Static)
        line.display = text is not None
        line.update(Content.styled(safe_line(text or ""), "$text-warning"))
        told = record.metadata.get("stopped_at") if stopped_text(record) is not None else None
        stopped_by = told.get("breakpoint") if isinstance(told, dict) else None
        self.query_one("#breakpoints", DeckTable).set_rows(view.rows(self._points, stopped_by))
        self.query_one("#breakpoints-words", DeckTable).set_rows(view.choice_rows(self._choices()))
        self.refresh_keys()

    def _choices(self) -> tuple[Choice, ...]:
        """What can be written about this run, as it stands."""
        record = self._record
        symbols = record.symbols if record is not None else ()
        step = (record.step_index if record is not None else 1) + 99
        day = (date.fromisoformat(self._day) + timedelta(days=30)).isoformat()
        return view.choices(symbols, self._symbol, day, step)

    @property
    def points(self) -> Points:
        """The breakpoints as they will be once everything asked for has been done."""
        return self._asked[-1] if self._asked else self._points

    @property
    def _chosen(self) -> int | None:
        key = self.query_one("#breakpoints", DeckTable).cursor_key
        return None if key is None else int(key)

    # -- what works -----------------------------------------------------------------------------

    @property
    def editing(self) -> bool:
        """Whether a condition is being written."""
        return bool(self.query_one("#breakpoint-line").display)

    def allows(self, action: str) -> bool | None:
        """Whether an action works now."""
        found = keys.BY_ID.get(f"breakpoints.{action}")
        if found is None:
            return True
        record = self._record
        if found.writes and (
            self.deck.read_only or record is None or record.status not in CAN_CANCEL
        ):
            return False
        writing = self.focused is self.query_one("#breakpoint-text")
        if writing or action in ("keep", "words"):
            # The line has the keys that can be typed; what it does itself is all there is.
            return writing and action in ("keep", "words")
        if action == "undo":
            return True if self._undo else None
        if action == "edit" and self.focused is self.query_one("#breakpoints-words"):
            return True
        if action in ("edit", "switch", "once", "remove", "copy"):
            return True if self._chosen is not None else None
        return True

    def on_descendant_focus(self) -> None:
        """The line and the lists have other keys."""
        self.refresh_keys()

    def _change(self, points: Points, title: str, action: str) -> None:
        """Ask for other breakpoints, if they are other ones."""
        before = self.points
        if points != before:
            self._undo.append(before)
            self._ask(points, title, action)

    def _ask(self, points: Points, title: str, action: str) -> None:
        self._asked.append(points)
        self.deck.ask(
            title,
            f"breakpoints.{action}",
            partial(self.deck.gateway.set_breakpoints, self.run_id, points),
            self,
            run_id=self.run_id,
        )
        self.refresh_keys()

    def on_acted(self, message: Acted) -> None:
        """One change is in the ledger."""
        message.stop()
        self._asked = self._asked[1:]
        if not self._asked:
            self._record = message.records[0]
            self._points = self.deck.gateway.breakpoints_of(self._record)
            self._show(self._record)
        self.deck.poller.look_now()

    def on_failed(self, message: Failed) -> None:
        """A change was refused: what was built on it is not to be trusted."""
        message.stop()
        self._asked, self._undo = [], []
        self.deck.show_error(message.title, message.error)
        self.deck.poller.look_now()

    # -- actions --------------------------------------------------------------------------------

    def action_add(self) -> None:
        """Write a new breakpoint."""
        self._edit(None, "")

    def action_edit(self) -> None:
        """Change the condition of the one chosen; on a word, write that."""
        words = self.query_one("#breakpoints-words", DeckTable)
        if self.focused is words and words.cursor_key is not None:
            self._write(self._choices()[int(words.cursor_key)])
            return
        number = self._chosen
        point = next((point for point in self.points if point.id == number), None)
        if point is not None:
            self._edit(point.id, point.expression)

    def on_deck_table_opened(self) -> None:
        """A row was double clicked."""
        if self.allows("edit"):
            self.action_edit()

    def _edit(self, number: int | None, text: str) -> None:
        self._editing = number
        self.query_one("#breakpoint-line").display = True
        line = self.query_one("#breakpoint-text", Line)
        line.value = text
        line.cursor_position = len(text)
        self.set_focus(line)
        self._judge()

    def _close_edit(self) -> None:
        self.query_one("#breakpoint-line").display = False
        self.set_focus(self.query_one("#breakpoints", DeckTable))

    @on(Input.Changed, "#breakpoint-text")
    def _typed(self) -> None:
        self._judge()

    def _judge(self) -> None:
        """Say under the text what is wrong with it, and where."""
        line = self.query_one("#breakpoint-text", Line)
        symbols = self._record.symbols if self._record is not None else ()
        verdict = view.judged(line.value, symbols)
        said = self.query_one("#breakpoint-verdict", Static)
        if verdict.caret is None:
            said.update(
                Content.assemble(
                    "\n", " " * LABEL_CELLS, (safe_line(f"✓ {verdict.said}"), "$text-success")
                )
            )
            return
        # A long text has been scrolled under its field; the field begins a cell after its label.
        at = LABEL_CELLS + 1 + max(0, verdict.caret - round(line.scroll_offset.x))
        style = "$text-muted" if not line.value.strip() else "$text-error"
        said.update(
            Content.assemble(
                (" " * at + "^" + "\n", style),
                " " * LABEL_CELLS,
                (safe_line(verdict.said), style),
            )
        )

    def leaves_field(self, field: Input, key: str) -> bool:
        """Enter keeps what is written at once: the key behind it is for the list."""
        return field.id == "breakpoint-text" and key == "enter"

    def left_field(self, field: Input, key: str) -> None:  # noqa: ARG002
        """Keep what was written."""
        self.action_keep()

    def action_keep(self) -> None:
        """Keep what was written, if it is a condition."""
        text = self.query_one("#breakpoint-text", Line).value
        symbols = self._record.symbols if self._record is not None else ()
        try:
            parse(text, symbols or None)
        except InvalidExpression:
            self._judge()
            return
        self._close_edit()
        number = self._editing
        if number is None:
            self._change(view.added(self.points, text), "add the breakpoint", "add")
        else:
            changed = view.reworded(self.points, number, text)
            self._change(changed, "change the breakpoint", "edit")

    def action_switch(self) -> None:
        """Turn the one chosen on or off."""
        if self._chosen is not None:
            self._change(view.toggled(self.points, self._chosen), "switch the breakpoint", "switch")

    def action_once(self) -> None:
        """Make the one chosen one-shot, or lasting."""
        if self._chosen is not None:
            self._change(
                view.once_turned(self.points, self._chosen), "change the breakpoint", "once"
            )

    def action_remove(self) -> None:
        """Delete the one chosen."""
        if self._chosen is not None:
            self._change(view.without(self.points, self._chosen), "delete the breakpoint", "remove")

    def action_undo(self) -> None:
        """Take the last change back."""
        if self._undo:
            self._ask(self._undo.pop(), "take the change back", "undo")

    def action_words(self) -> None:
        """The same while a condition is being written."""
        self.action_templates()

    def action_templates(self) -> None:
        """Choose from the usual conditions, or look a word up."""

        def answered(choice: Choice | None) -> None:
            if choice is not None:
                self._write(choice)

        self.deck.push_screen(ConditionsDialog(self._choices()), answered)

    def _write(self, choice: Choice) -> None:
        """Put a condition or a word into the line, after what is being written there."""
        line = self.query_one("#breakpoint-text", Line)
        if self.editing and line.value.strip():
            line.insert_text_at_cursor(choice.form)
            self.set_focus(line)
        else:
            self._edit(self._editing if self.editing else None, choice.form)

    def action_copy(self) -> None:
        """Copy the condition of the one chosen."""
        number = self._chosen
        for point in self.points:
            if point.id == number:
                self.deck.copy_to_clipboard(point.expression)
                self.deck.notify("copied the condition", markup=False)

    def leave(self) -> None:
        """Back from the line to the list, from the list to the run."""
        if self.editing:
            self._close_edit()
        else:
            self.dismiss()


class ConditionsDialog(DeckDialog[Choice | None]):
    """What can be written in a breakpoint: whole conditions first, then every word."""

    places: ClassVar = (Place.CONDITIONS,)
    BINDINGS = keys.bindings(Place.CONDITIONS)
    AUTO_FOCUS = "#conditions"

    def __init__(self, known: tuple[Choice, ...]) -> None:
        super().__init__()
        self._known = known

    def compose(self) -> ComposeResult:
        shown = self.deck.keys
        with Vertical(classes="dialog conditions"):
            yield Static("What can be written", classes="dialog-title", markup=False)
            yield DeckTable(view.CHOICE_COLUMNS, id="conditions")
            with Horizontal(classes="dialog-buttons"):
                yield ActionButton("conditions.choose", shown)
                yield ActionButton("conditions.close", shown)

    def on_mount(self) -> None:
        self.query_one("#conditions", DeckTable).set_rows(view.choice_rows(self._known))

    def action_choose(self) -> None:
        """Answer with the line chosen."""
        key = self.query_one("#conditions", DeckTable).cursor_key
        self.dismiss(None if key is None else self._known[int(key)])

    def on_deck_table_opened(self) -> None:
        """A line was double clicked."""
        self.action_choose()

    def action_close(self) -> None:
        """Leave without one."""
        self.dismiss(None)
