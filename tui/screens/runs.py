"""The runs of the ledger: the app's home."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static

from engine.errors import InvalidOption, StepdeckError
from tui import format as fmt
from tui import keys
from tui.keys import Place
from tui.messages import Tick
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckScreen, style_of
from tui.screens.dialogs import ConfirmDialog
from tui.viewmodel import filters, preview, runs, runs_table
from tui.viewmodel.runs import RunView, Sorting
from tui.widgets.curve import CurveChart
from tui.widgets.facts import FactsPanel
from tui.widgets.line import Line
from tui.widgets.table import DeckTable

EMPTY: Final = (
    "No runs yet.\n\n"
    "{new}  fill in the form of a new run\n"
    "or, in a shell:  stepdeck run sma_cross --symbols AAPL"
)
WATCHING: Final = "No runs yet.\n\nThis ledger is open for watching; what others run shows up here."
NO_MATCH: Final = "No run passes the filter.\n\n{filter}  change it, esc clears it"


class RunsScreen(DeckScreen):
    """The live table of runs with a preview of the highlighted one."""

    places: ClassVar = (Place.RUNS, Place.LIST)
    BINDINGS = keys.bindings(Place.RUNS)
    AUTO_FOCUS = "DeckTable"

    def __init__(self) -> None:
        super().__init__()
        self._views: dict[str, RunView] = {}
        self._sorting = Sorting()
        self._filter = filters.Filter()
        self._tick: Tick | None = None
        self._cache = runs_table.RowCache()

    def compose_deck(self) -> ComposeResult:
        shown = self.deck.keys
        yield Static("", id="header", markup=False)
        with Horizontal(classes="buttons", id="runs-buttons"):
            for action in ("runs.new", "runs.open", "runs.pause", "runs.cancel", "runs.take_up"):
                yield ActionButton(action, shown)
            yield Line(
                placeholder=f"{shown.shown(keys.BY_ID['runs.filter'])} filter",
                compact=True,
                id="filter",
            )
        yield Static("", id="filter-wrong", markup=False)
        yield DeckTable(
            runs_table.COLUMNS,
            empty="Reading the ledger …",
            marks=True,
            sort=(self._sorting.column, self._sorting.falling),
            id="runs",
        )
        with Horizontal(id="preview"):
            with Vertical(id="preview-chart"):
                yield CurveChart(
                    empty="The equity curve of the highlighted run", id="preview-curve"
                )
            with Vertical(id="preview-side"):
                yield Static("", id="preview-ended", markup=False)
                yield FactsPanel(empty="", id="preview-facts")

    # -- the ledger -----------------------------------------------------------------------------

    @property
    def table(self) -> DeckTable:
        """The list."""
        return self.query_one("#runs", DeckTable)

    def on_screen_resume(self) -> None:
        tick = self.deck.tick
        if tick is not None:
            self.show_tick(tick)
        self._say_what_is_needed()

    def show_tick(self, tick: Tick) -> None:
        """Show a new look at the ledger."""
        self._tick = tick
        self._show_rows()
        self._show_preview()

    def show_trouble(self, _error: StepdeckError | None) -> None:
        """Say that the ledger cannot be read, or that it can again."""
        self._show_header()

    def second_passed(self) -> None:
        """Ages have grown."""
        self._show_rows()

    def _show_rows(self) -> None:
        tick = self._tick
        if tick is None:
            return
        now = self.deck.now()
        views = [runs.view(row, now, tick.rates, tick.sparks) for row in tick.snapshot.rows]
        self._views = {view.run_id: view for view in views}
        arranged = runs.arrange(views, self._filter, self._sorting)
        currency = self.deck.settings.currency
        table = self.table
        table.set_empty(self._empty_text())
        table.set_rows(self._cache.rows(arranged, currency))
        self._show_header(len(arranged))
        self.refresh_keys()
        self._say_what_is_needed()

    def _empty_text(self) -> str:
        shown = self.deck.keys
        if self._views:
            return NO_MATCH.format(filter=shown.shown(keys.BY_ID["runs.filter"]))
        if self.deck.read_only:
            return WATCHING
        return EMPTY.format(new=shown.shown(keys.BY_ID["runs.new"]))

    def _show_header(self, passing: int | None = None) -> None:
        header = self.query_one("#header", Static)
        parts: list[tuple[str, str] | str] = [("stepdeck", "bold $accent"), "  "]
        trouble = self.deck.trouble
        if trouble is not None:
            parts += [(safe_line(f"✗ {trouble}"), "$text-error")]
        else:
            for status, count in runs.counts(self._views.values()).items():
                look = fmt.status_look(status)
                style = style_of(look.role)
                parts += [(f"{look.glyph} {count} {look.word}", style), "  "]
            if passing is not None and passing != len(self._views):
                parts += [(f"{passing} of {len(self._views)} shown  ", "$text-warning")]
            marked = len(self.table.marked)
            if marked:
                parts += [(f"{marked} marked  ", "$text-warning")]
            for notice in self._tick.snapshot.notices if self._tick else ():
                parts += [(safe_line(f"! {notice}  "), "$text-warning")]
        if self.deck.read_only:
            parts += [("watching only  ", "$text-warning")]
        parts += [(safe_line(self.deck.gateway.path.name), "$text-muted")]
        header.update(Content.assemble(*parts), layout=False)

    def _say_what_is_needed(self) -> None:
        """Tell the poller which rows show a curve and which run is previewed."""
        if self.deck.screen is self:
            table = self.table
            top = table.scroll_offset.y
            in_view = [row.key for row in table.rows[top : top + table.size.height]]
            self.deck.poller.show(in_view, table.cursor_key)

    def _show_preview(self) -> None:
        tick, key = self._tick, self.table.cursor_key
        chart = self.query_one("#preview-curve", CurveChart)
        facts = self.query_one("#preview-facts", FactsPanel)
        ended = self.query_one("#preview-ended", Static)
        detail = tick.detail if tick is not None else None
        if detail is None or detail.record.run_id != key:
            if key is None:
                chart.show(None)
                facts.show(())
                ended.display = False
            return
        chart.show(preview.curves(detail))
        facts.show(preview.facts(detail, self.deck.settings.currency))
        why = runs.why_it_ended(detail.record)
        role = fmt.status_look(detail.record.status).role
        ended.display = why is not None
        ended.update(Content.styled(safe_line(why or ""), style_of(role)))

    # -- the list -------------------------------------------------------------------------------

    def on_deck_table_highlighted(self) -> None:
        self._say_what_is_needed()
        self._show_preview()
        self.refresh_keys()

    def on_deck_table_opened(self, event: DeckTable.Opened) -> None:
        self.deck.open_run(event.key)

    def on_deck_table_sort_requested(self, event: DeckTable.SortRequested) -> None:
        self._sort(self._sorting.by(event.column))

    def on_deck_table_marked(self) -> None:
        self._show_header()
        self.refresh_keys()

    def _sort(self, sorting: Sorting) -> None:
        self._sorting = sorting
        self.table.set_sort(sorting.column, sorting.falling)
        self._show_rows()

    # -- what is chosen -------------------------------------------------------------------------

    def _chosen(self) -> list[RunView]:
        """The marked runs, or the highlighted one."""
        names: Iterable[str] = self.table.marked
        if not names:
            names = (self.table.cursor_key,) if self.table.cursor_key is not None else ()
        return [self._views[name] for name in names if name in self._views]

    def _chosen_in(self, statuses: frozenset[str]) -> list[str]:
        return [run.run_id for run in self._chosen() if run.record.status in statuses]

    def allows(self, action: str) -> bool | None:
        """Whether an action works on what is shown now."""
        found = keys.BY_ID.get(f"runs.{action}")
        if found is None:
            return True
        if found.writes and self.deck.read_only:
            return False
        works = {
            "open": lambda: self.table.cursor_key is not None,
            "pause": lambda: bool(self._chosen_in(runs.CAN_PAUSE | runs.CAN_RESUME)),
            "cancel": lambda: bool(self._chosen_in(runs.CAN_CANCEL)),
            "take_up": lambda: bool(self._chosen_in(runs.CAN_TAKE_UP)),
            "mark": lambda: self.table.cursor_key is not None,
            "mark_all": lambda: bool(self.table.rows),
            "copy": lambda: self.table.cursor_key is not None,
        }.get(action)
        return True if works is None or works() else None

    # -- actions --------------------------------------------------------------------------------

    def action_new(self) -> None:
        """Open the form of a new run."""
        from tui.screens.new_run import NewRunScreen

        self.deck.push_screen(NewRunScreen())

    def action_open(self) -> None:
        """Open the highlighted run."""
        if self.table.cursor_key is not None:
            self.deck.open_run(self.table.cursor_key)

    def action_pause(self) -> None:
        """Pause what runs; where nothing runs, let what is paused go on."""
        gateway = self.deck.gateway
        if running := self._chosen_in(runs.CAN_PAUSE):
            self.deck.ask_each("pause the run", "runs.pause", gateway.pause, running)
        else:
            paused = self._chosen_in(runs.CAN_RESUME)
            self.deck.ask_each("let the run go on", "runs.pause", gateway.resume, paused)

    def action_cancel(self) -> None:
        """Ask, then cancel."""
        chosen = [run for run in self._chosen() if run.record.status in runs.CAN_CANCEL]
        if not chosen:
            return
        count = len(chosen)
        question = f"Cancel {count} runs?" if count > 1 else "Cancel this run?"
        lines = [runs.one_line(run.record) for run in chosen[:8]]
        lines += [f"and {count - 8} more"] * (count > 8)

        def answered(yes: bool | None) -> None:
            if yes:
                self.deck.ask_each(
                    "cancel the run",
                    "runs.cancel",
                    self.deck.gateway.cancel,
                    [run.run_id for run in chosen],
                )
                self.table.clear_marks()

        self.deck.push_screen(
            ConfirmDialog(
                question,
                [*lines, "", "What was decided and filled so far stays in the ledger."],
                "Cancel the run" if count == 1 else "Cancel them",
            ),
            answered,
        )

    def action_take_up(self) -> None:
        """Take up interrupted runs."""
        self.deck.ask_each(
            "take up the run",
            "runs.take_up",
            self.deck.gateway.take_up,
            self._chosen_in(runs.CAN_TAKE_UP),
        )

    def action_mark(self) -> None:
        """Mark the highlighted run, or take its mark away."""
        self.table.action_mark()

    def action_mark_all(self) -> None:
        """Mark every run shown, or none."""
        if len(self.table.marked) == len(self.table.rows):
            self.table.clear_marks()
        else:
            self.table.mark_all()

    def action_sort(self) -> None:
        """Sort by the next column."""
        order = [name for name in self.table.shown_columns if name in runs.SORT_KEYS]
        at = order.index(self._sorting.column) if self._sorting.column in order else -1
        self._sort(self._sorting.by(order[(at + 1) % len(order)]))

    def action_sort_reverse(self) -> None:
        """Turn the sort around."""
        self._sort(self._sorting.turned())

    def action_copy(self) -> None:
        """Copy the id of the highlighted run."""
        if self.table.cursor_key is not None:
            self.deck.copy_to_clipboard(self.table.cursor_key)
            self.deck.notify(f"copied {safe_line(self.table.cursor_key)}", markup=False)

    # -- the filter -----------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type a filter."""
        self.set_focus(self.query_one("#filter", Input))

    @on(Input.Changed, "#filter")
    def _filter_typed(self, event: Input.Changed) -> None:
        wrong = self.query_one("#filter-wrong", Static)
        try:
            self._filter = filters.parse(event.value)
        except InvalidOption as error:
            # What was understood last stays in force while a term is half typed.
            wrong.update(Content(safe_line(f"✗ {error}")))
            wrong.display = True
            return
        wrong.display = False
        self._show_rows()

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self.set_focus(self.table)

    def on_key(self, event: events.Key) -> None:
        if event.key == "down" and isinstance(self.focused, Input):
            event.stop()
            self.set_focus(self.table)

    def leave(self) -> None:
        """Esc undoes what narrows the view: the filter, then the marks."""
        typed = self.query_one("#filter", Input)
        if self.focused is typed or typed.value:
            typed.value = ""
            self.set_focus(self.table)
        elif self.table.marked:
            self.table.clear_marks()
