"""The runs of the ledger: the app's home."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, Static

from engine.errors import InvalidOption, StepdeckError
from engine.store.records import RunHead
from tui import format as fmt
from tui import keys
from tui.keys import Place
from tui.messages import Tick
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckScreen, style_of, tell
from tui.screens.dialogs import ConfirmDialog
from tui.screens.run_acts import delete_each, fork, some_lines
from tui.viewmodel import filters, preview, runs, runs_table
from tui.viewmodel.run_list import RunList
from tui.viewmodel.runs import Sorting
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


REST_SECONDS: Final = 0.08


class RunsScreen(DeckScreen):
    """The live table of runs with a preview of the highlighted one."""

    places: ClassVar = (Place.RUNS, Place.LIST)
    BINDINGS = keys.bindings(Place.RUNS)
    AUTO_FOCUS = "DeckTable"

    def __init__(self) -> None:
        super().__init__()
        self._list = RunList()
        self._tick: Tick | None = None
        self._filter_text = ""
        self._resting: Timer | None = None
        self._header: list[tuple[str, str] | str] = []
        self._rows = runs_table.RowMaker(self._list, "")

    def compose_deck(self) -> ComposeResult:
        shown = self.deck.keys
        yield Static("", id="header", markup=False)
        with Horizontal(classes="buttons", id="runs-buttons"):
            for action in ("new", "open", "pause", "cancel", "take_up", "compare"):
                yield ActionButton(f"runs.{action}", shown)
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
            sort=(self._list.sorting.column, self._list.sorting.falling),
            id="runs",
        )
        with Horizontal(id="preview"):
            with Vertical(id="preview-chart"):
                yield CurveChart(
                    empty="The equity curve of the highlighted run",
                    ascii=self.deck.settings.ascii,
                    # A glance at few points: the run itself is a key away.
                    fixed=True,
                    id="preview-curve",
                )
            with Vertical(id="preview-side"):
                yield Static("", id="preview-ended", markup=False)
                yield FactsPanel(empty="", id="preview-facts")

    @property
    def run_id(self) -> str | None:
        """The highlighted run: what the log is about from here."""
        return self.table.cursor_key

    # -- the ledger -----------------------------------------------------------------------------

    @property
    def table(self) -> DeckTable:
        """The list."""
        return self.query_one("#runs", DeckTable)

    def on_mount(self) -> None:
        self._rows = runs_table.RowMaker(
            self._list, self.deck.settings.currency, ascii=self.deck.settings.ascii
        )

    def on_screen_resume(self) -> None:
        tick = self.deck.tick
        if tick is not None:
            self.show_tick(tick)
        self._say_what_is_needed()

    def show_tick(self, tick: Tick) -> None:
        """Show a new look at the ledger."""
        old, self._tick = self._tick, tick
        now = self._rows.now = self.deck.now()
        self._rows.rates, self._rows.sparks = tick.rates, tick.sparks
        changed = self._list.update(tick.snapshot.rows, tick.rates, now)
        self._show_rows()
        if old is None or changed or old.snapshot.notices != tick.snapshot.notices:
            self._show_header()
            self.refresh_keys()
        if old is None or tick.glance is not old.glance:
            self._show_preview()

    def show_trouble(self, _error: StepdeckError | None) -> None:
        """Say that the ledger cannot be read, or that it can again."""
        self._show_header()

    def second_passed(self) -> None:
        """Ages have grown: only lines in view whose words are others are painted."""
        now = self._rows.now = self.deck.now()
        if self._list.grow_older(now):
            self._show_rows()
            self._show_header()
        else:
            self.table.refresh_rows()

    def take_settings(self) -> None:
        """Another currency, other keys, other characters for curves and bars."""
        super().take_settings()
        settings = self.deck.settings
        self._rows.currency, self._rows.ascii = settings.currency, settings.ascii
        self.query_one("#preview-curve", CurveChart).ascii = settings.ascii
        self.table.refresh_rows()
        self._show_preview()

    def _show_rows(self) -> None:
        table = self.table
        table.set_empty(self._empty_text())
        table.set_keys(self._list.keys, self._rows.row)
        self._say_what_is_needed()

    def _arranged_anew(self) -> None:
        """The list has another order or other runs in it."""
        self._show_rows()
        self._show_header()
        self.refresh_keys()

    def _empty_text(self) -> str:
        shown = self.deck.keys
        if len(self._list):
            return NO_MATCH.format(filter=shown.shown(keys.BY_ID["runs.filter"]))
        if self.deck.read_only:
            return WATCHING
        return EMPTY.format(new=shown.shown(keys.BY_ID["runs.new"]))

    def _show_header(self) -> None:
        header = self.query_one("#header", Static)
        parts: list[tuple[str, str] | str] = [("stepdeck", "bold $accent"), "  "]
        trouble = self.deck.trouble
        if trouble is not None:
            parts += [(safe_line(f"✗ {trouble}"), "$text-error")]
        else:
            for notice in self._tick.snapshot.notices if self._tick else ():
                parts += [(safe_line(f"! {notice}  "), "$text-warning")]
            passing, every = len(self._list.keys), len(self._list)
            if passing != every:
                # First: in a narrow window the end of the line is what is cut.
                parts += [(f"{passing} of {every} shown  ", "$text-warning")]
            marked = self.table.mark_count
            if marked:
                parts += [(f"{marked} marked  ", "$text-warning")]
            for status, count in self._list.counts.items():
                look = fmt.status_look(status)
                style = style_of(look.role)
                parts += [(safe_line(f"{look.glyph} {count} {look.word}"), style), "  "]
        if self.deck.read_only:
            parts += [("watching only  ", "$text-warning")]
        parts += [(safe_line(self.deck.gateway.path.name), "$text-muted")]
        if parts != self._header:
            self._header = parts
            header.update(Content.assemble(*parts), layout=False)

    def _say_what_is_needed(self) -> None:
        """Tell the poller which rows show a curve and which run is previewed."""
        if self.deck.screen is self:
            table = self.table
            self.deck.poller.show(table.keys_in_view, None, previewed=table.cursor_key)

    def _show_preview(self) -> None:
        tick, key = self._tick, self.table.cursor_key
        chart = self.query_one("#preview-curve", CurveChart)
        facts = self.query_one("#preview-facts", FactsPanel)
        ended = self.query_one("#preview-ended", Static)
        glance = tick.glance if tick is not None else None
        if glance is None or glance.record.run_id != key:
            if key is None:
                chart.show(None)
                facts.show(())
                ended.display = False
            return
        chart.show(preview.sampled(glance))
        facts.show(preview.facts(glance, self.deck.settings.currency))
        why, role = runs.why_it_stands(glance.record, glance.stall)
        tell(ended, None if why is None else Content.styled(safe_line(why), style_of(role)))

    # -- the list -------------------------------------------------------------------------------

    def on_deck_table_highlighted(self) -> None:
        # The cursor is painted first; what is read for its run waits until it has come to rest.
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(REST_SECONDS, self._say_what_is_needed)
        if self.table.cursor_key is None:
            self._show_preview()
        self.refresh_keys()

    def on_deck_table_opened(self, event: DeckTable.Opened) -> None:
        self.deck.open_run(event.key)

    def on_deck_table_sort_requested(self, event: DeckTable.SortRequested) -> None:
        self._sort(self._list.sorting.by(event.column))

    def on_deck_table_marked(self) -> None:
        self._show_header()
        self.refresh_keys()

    def _sort(self, sorting: Sorting) -> None:
        self._list.set_sorting(sorting, self.deck.now())
        self.table.set_sort(sorting.column, sorting.falling)
        self._arranged_anew()

    # -- what is chosen -------------------------------------------------------------------------

    def _chosen(self) -> Iterator[RunHead]:
        """The marked runs, or the highlighted one."""
        names: Iterable[str] = self.table.marked
        if not names:
            names = (self.table.cursor_key,) if self.table.cursor_key is not None else ()
        return (row.record for name in names if (row := self._list.get(name)) is not None)

    def _one(self) -> Iterator[RunHead]:
        """The highlighted run."""
        row = self._list.get(self.table.cursor_key or "")
        return iter(() if row is None else (row.record,))

    def _compared(self) -> list[str]:
        """The marked runs if they are several, else the highlighted one and its parent."""
        if self.table.mark_count > 1:
            return list(self.table.marked)
        return [
            run_id
            for run in self._one()
            for run_id in (run.parent_run_id, run.run_id)
            if run_id is not None and self._list.get(run_id) is not None
        ]

    def _chosen_in(self, statuses: frozenset[str]) -> list[str]:
        return [run.run_id for run in self._chosen() if run.status in statuses]

    def _any_in(self, statuses: frozenset[str]) -> bool:
        return any(run.status in statuses for run in self._chosen())

    def allows(self, action: str) -> bool | None:
        """Whether an action works on what is shown now."""
        found = keys.BY_ID.get(f"runs.{action}")
        if found is None:
            return True
        if found.writes and self.deck.read_only:
            return False
        works = {
            "open": lambda: self.table.cursor_key is not None,
            "pause": lambda: self._any_in(runs.CAN_PAUSE | runs.CAN_RESUME),
            "cancel": lambda: self._any_in(runs.CAN_CANCEL),
            "take_up": lambda: self._any_in(runs.CAN_TAKE_UP),
            "mark": lambda: self.table.cursor_key is not None,
            "mark_all": lambda: bool(self.table.row_keys),
            "copy": lambda: self.table.cursor_key is not None,
            "again": lambda: self.table.cursor_key is not None,
            "export": lambda: self.table.cursor_key is not None,
            "fork": lambda: any(run.step_index for run in self._one()),
            "compare": lambda: len(self._compared()) > 1,
            "delete": lambda: self._any_in(runs.CAN_DELETE),
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
        chosen = [run for run in self._chosen() if run.status in runs.CAN_CANCEL]
        if not chosen:
            return
        count = len(chosen)
        question = f"Cancel {count} runs?" if count > 1 else "Cancel this run?"

        def answered(yes: bool | None) -> None:
            if yes:
                for run in chosen:
                    self.deck.cancel_run("runs.cancel", run.run_id)
                self.table.clear_marks()

        self.deck.push_screen(
            ConfirmDialog(
                question,
                [
                    *some_lines(chosen),
                    "",
                    "What was decided and filled so far stays in the ledger.",
                ],
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

    def action_compare(self) -> None:
        """Marked runs side by side, or a fork and its parent."""
        from tui.screens.compare import CompareScreen

        chosen = self._compared()
        if len(chosen) > 1:
            self.deck.push_screen(CompareScreen(chosen))

    def action_again(self) -> None:
        """Run the chosen runs again."""
        chosen = [run.run_id for run in self._chosen()]
        self.deck.ask_each("run it again", "runs.again", self.deck.gateway.again, chosen)

    def action_fork(self) -> None:
        """Ask for the step, then fork there."""
        for run in self._one():
            fork(self.deck, run)

    def action_export(self) -> None:
        """Ask for format and place, then write the chosen runs there."""
        chosen = list(self._chosen())
        if chosen:
            one = chosen[0].name or chosen[0].strategy
            named = one if len(chosen) == 1 else f"{len(chosen)} runs"
            self.deck.export([run.run_id for run in chosen], named)

    def action_delete(self) -> None:
        """Ask, then delete."""
        chosen = [run for run in self._chosen() if run.status in runs.CAN_DELETE]
        if not chosen:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                delete_each(self.deck, [run.run_id for run in chosen])
                self.table.clear_marks()

        count = len(chosen)
        self.deck.push_screen(
            ConfirmDialog(
                f"Delete {count} runs?" if count > 1 else "Delete this run?",
                [
                    *some_lines(chosen),
                    "",
                    "What was decided, ordered and filled goes for good, and baselines with it.",
                ],
                "Delete it" if count == 1 else "Delete them",
            ),
            answered,
        )

    def action_tree(self) -> None:
        """Forks beneath the runs that they come from, or all in one list."""
        self._list.set_tree(not self._list.as_tree, self.deck.now())
        self._arranged_anew()

    def action_mark(self) -> None:
        """Mark the highlighted run, or take its mark away."""
        self.table.action_mark()

    def action_mark_all(self) -> None:
        """Mark every run shown, or none."""
        if self.table.mark_count == len(self.table.row_keys):
            self.table.clear_marks()
        else:
            self.table.mark_all()

    def action_sort(self) -> None:
        """Sort by the next column."""
        order = [name for name in self.table.shown_columns if name in runs.SORTABLE]
        column = self._list.sorting.column
        at = order.index(column) if column in order else -1
        self._sort(self._list.sorting.by(order[(at + 1) % len(order)]))

    def action_sort_reverse(self) -> None:
        """Turn the sort around."""
        self._sort(self._list.sorting.turned())

    def action_copy(self) -> None:
        """Copy the ids of the chosen runs, a line each."""
        ids = [run.run_id for run in self._chosen()]
        if ids:
            self.deck.copy_to_clipboard("\n".join(map(safe_line, ids)))
            self.deck.say(f"copied {ids[0]}" if len(ids) == 1 else f"copied {len(ids)} ids")

    # -- the filter -----------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Type a filter."""
        self.set_focus(self.query_one("#filter", Input))

    @on(Input.Changed, "#filter")
    def _filter_typed(self) -> None:
        self._take_filter()

    def _take_filter(self) -> None:
        """Show what passes the filter as it stands in its field."""
        text = self.query_one("#filter", Input).value
        if text == self._filter_text:
            return
        self._filter_text = text
        wrong = self.query_one("#filter-wrong", Static)
        try:
            chosen = filters.parse(text)
        except InvalidOption as error:
            # What was understood last stays in force while a term is half typed.
            tell(wrong, Content(safe_line(f"✗ {error}")))
            return
        tell(wrong, None)
        self._list.set_filter(chosen, self.deck.now())
        self._arranged_anew()

    def leaves_field(self, field: Input, key: str) -> bool:
        """Enter and down go from the filter to the list."""
        return field.id == "filter" and key in ("enter", "down")

    def left_field(self, field: Input, key: str) -> None:  # noqa: ARG002
        """The list has the keys, as the filter leaves it."""
        self._take_filter()
        self.set_focus(self.table)

    def leave(self) -> None:
        """Esc undoes what narrows the view: the filter, then the marks."""
        typed = self.query_one("#filter", Input)
        if self.focused is typed or typed.value:
            typed.value = ""
            # At once: the key behind this one is for the list as it will be.
            self._take_filter()
            self.set_focus(self.table)
        elif self.table.marked:
            self.table.clear_marks()
