"""Runs side by side: curves, figures with the best marked, the first decision that differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from engine.errors import RunNotFound
from tui import keys
from tui.keys import Place
from tui.messages import Tick
from tui.safe import safe_line
from tui.screens.base import ActionButton, DeckScreen, style_of
from tui.viewmodel import compare_view
from tui.viewmodel.compare import Comparison, compare
from tui.widgets.chart import KEY_ZOOM, Chart
from tui.widgets.curve import CurveChart
from tui.widgets.table import DeckTable
from tui.widgets.window import UNZOOMED

if TYPE_CHECKING:
    from tui.gateway import RunDetail
    from tui.run_book import RunRow

AGAIN_SECONDS: Final = 1.0


class Compared(Message):
    """The runs were read and held against each other; ``missing`` are no longer in the ledger."""

    def __init__(
        self, details: tuple[RunDetail, ...], comparison: Comparison | None, missing: int
    ) -> None:
        super().__init__()
        self.details = details
        self.comparison = comparison
        self.missing = missing


class CompareScreen(DeckScreen):
    """Any number of runs held against the first of them. Runs that move are read again."""

    places: ClassVar = (Place.COMPARE, Place.LIST)
    BINDINGS = keys.bindings(Place.COMPARE)
    AUTO_FOCUS = "#figures-compared"

    def __init__(self, run_ids: Sequence[str]) -> None:
        super().__init__()
        self._run_ids = list(run_ids)
        self._details: tuple[RunDetail, ...] = ()
        self._compared: Comparison | None = None
        self._seen: tuple[RunRow | None, ...] = ()
        self._loading = False
        self._stale = False
        self._chosen = 1
        self._difference = False
        # The step of the chart that the cursor stands at where the mouse does not carry it.
        self._cursor: int | None = None

    def compose_deck(self) -> ComposeResult:
        shown = self.deck.keys
        yield Static("", id="compare-head", classes="screen-title", markup=False)
        with Horizontal(id="compare-body"):
            with Vertical(id="compare-left"):
                yield CurveChart(
                    empty="Reading the runs …",
                    ascii=self.deck.settings.ascii,
                    id="compare-curves",
                )
                yield Static("", id="compare-said", markup=False)
            yield DeckTable(
                (compare_view.columns((), 0, 0)[0],),
                empty="Reading the runs …",
                id="figures-compared",
            )
        with Horizontal(classes="buttons", id="compare-buttons"):
            for name in ("next_run", "difference", "open", "both", "first", "drop"):
                yield ActionButton(f"compare.{name}", shown)

    def on_mount(self) -> None:
        self.chart.drawdown = False
        self._read()

    def take_settings(self) -> None:
        """Other keys, other characters for the chart."""
        super().take_settings()
        self.chart.ascii = self.deck.settings.ascii

    @property
    def chart(self) -> CurveChart:
        """The curves."""
        return self.query_one("#compare-curves", CurveChart)

    def on_screen_resume(self) -> None:
        self.deck.poller.show((), None)

    # -- the ledger -----------------------------------------------------------------------------

    def show_tick(self, tick: Tick) -> None:
        """Read the runs again if one of them has moved."""
        wanted = set(self._run_ids)
        rows = {row.record.run_id: row for row in tick.snapshot.rows if row.record.run_id in wanted}
        seen = tuple(rows.get(run_id) for run_id in self._run_ids)
        if len(seen) == len(self._seen) and all(
            one is other for one, other in zip(seen, self._seen, strict=True)
        ):
            return
        first, self._seen = not self._seen, seen
        if not first:
            self._stale = True
            if not self._loading:
                self._read()

    def _read(self) -> None:
        self._loading, self._stale = True, False
        gateway, run_ids = self.deck.gateway, tuple(self._run_ids)
        known = {detail.record.run_id: detail for detail in self._details}

        def reading() -> Message:
            details = []
            for run_id in run_ids:
                try:
                    details.append(gateway.detail(run_id, known.get(run_id)))
                except RunNotFound:
                    continue
            made = compare(details) if details else None
            return Compared(tuple(details), made, len(run_ids) - len(details))

        self.deck.work.load("compare", "compare the runs", reading, self)

    def on_compared(self, message: Compared) -> None:
        message.stop()
        self._details, self._compared = message.details, message.comparison
        if message.missing:
            self._run_ids = [detail.record.run_id for detail in message.details]
            self.deck.say(f"{message.missing} of the runs are no longer in the ledger")
        self._chosen = max(0, min(self._chosen, len(self._run_ids) - 1))
        self._show()
        # Runs that move are read again after a while, however fast they are.
        self.set_timer(AGAIN_SECONDS, self._read_if_stale)

    def _read_if_stale(self) -> None:
        self._loading = False
        if self._stale:
            self._read()

    # -- what it shows --------------------------------------------------------------------------

    def _show(self) -> None:
        compared = self._compared
        chart = self.chart
        if compared is None:
            chart.set_empty("None of the runs is in the ledger any more")
            chart.show(None)
            return
        made = compare_view.curves(compared, self._chosen, difference=self._difference)
        if made is None:
            chart.set_empty("Nothing to draw: no grid point in common, or none settled yet")
        chart.show(made)
        self._show_table()
        self._show_words()
        self.refresh_keys()

    def _show_table(self) -> None:
        compared = self._compared
        if compared is None:
            return
        table = self.query_one("#figures-compared", DeckTable)
        room = table.size.width
        at = table.cursor_index
        shown = compare_view.window(len(compared.runs), self._chosen, room)
        rows = compare_view.rows(compared, shown)
        table.set_columns(compare_view.columns(compared.runs, self._chosen, room, rows))
        table.set_rows(rows)
        table.move_to(at)

    def _show_words(self) -> None:
        compared = self._compared
        if compared is None:
            return
        first = compare_view.run_name(compared.runs[0])
        count = len(compared.runs)
        how = "difference to" if self._difference else "100 at the start, against"
        self.query_one("#compare-head", Static).update(
            Content(safe_line(f"Compare {count} runs  ·  {how} {first}"))
        )
        chosen = compared.runs[self._chosen]
        parts: list[Content | tuple[str, str] | str] = [
            (safe_line(f"▸ {compare_view.run_name(chosen)}  "), "bold"),
            (safe_line(chosen.run_id), "$text-muted"),
        ]
        for text, role in compare_view.difference_lines(compared, self._chosen):
            parts += ["\n", (safe_line(text), style_of(role))]
        self.query_one("#compare-said", Static).update(Content.assemble(*parts))

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._show_table)

    # -- what works -----------------------------------------------------------------------------

    def allows(self, action: str) -> bool | None:
        """Whether an action works on what is shown now."""
        compared = self._compared
        if keys.BY_ID.get(f"compare.{action}") is None:
            return True
        if compared is None:
            return None
        several = len(compared.runs) > 1
        if action == "both":
            return True if self._chosen and self._steps() is not None else None
        if action in ("next_run", "previous_run", "difference"):
            return True if several else None
        if action == "first":
            return True if self._chosen else None
        if action == "drop":
            return True if len(compared.runs) > 2 else None
        if action == "unzoom":
            return True if self.chart.zoom != UNZOOMED else None
        if action == "cursor_off":
            return True if self._cursor is not None else None
        return True

    def label(self, action: keys.Action) -> str:
        """What an action would do now, in a word."""
        if action.id == "compare.open" and self._cursor is not None:
            return "Open there"
        return action.label

    # -- actions --------------------------------------------------------------------------------

    def _choose(self, place: int) -> None:
        if self._compared is not None:
            self._chosen = place % len(self._compared.runs)
            self._show()

    def action_next_run(self) -> None:
        """Choose the next run."""
        self._choose(self._chosen + 1)

    def action_previous_run(self) -> None:
        """Choose the run before."""
        self._choose(self._chosen - 1)

    def action_difference(self) -> None:
        """Curves overlaid, or each less the first run's."""
        self._difference = not self._difference
        self._show()

    # -- the chart ------------------------------------------------------------------------------

    def _set_cursor(self, step: int | None) -> None:
        self._cursor = self.chart.cursor = step
        for button in self.query(ActionButton):
            button.rename(self.deck.keys, self.label(button.act))
        self.refresh_keys()

    def _move_cursor(self, by: int) -> None:
        last = self.chart.count - 1
        if last >= 0:
            at = last if self._cursor is None else self._cursor
            self._set_cursor(max(0, min(last, at + by)))

    def on_chart_pointed(self, message: Chart.Pointed) -> None:
        """The mouse has left the curves: the cursor is where it was set."""
        message.stop()
        if message.step is None:
            self.chart.cursor = self._cursor

    def on_chart_chosen(self, message: Chart.Chosen) -> None:
        """A click sets the cursor."""
        message.stop()
        self._set_cursor(message.step)

    def on_chart_zoomed(self, message: Chart.Zoomed) -> None:
        """The mouse moved the window."""
        message.stop()
        self.refresh_keys()

    def action_cursor_back(self) -> None:
        """The cursor a step back."""
        self._move_cursor(-1)

    def action_cursor_on(self) -> None:
        """The cursor a step on."""
        self._move_cursor(1)

    def action_cursor_back_ten(self) -> None:
        """The cursor ten steps back."""
        self._move_cursor(-10)

    def action_cursor_on_ten(self) -> None:
        """The cursor ten steps on."""
        self._move_cursor(10)

    def action_cursor_off(self) -> None:
        """The newest values."""
        self._set_cursor(None)

    def action_zoom_in(self) -> None:
        """Less of the time, about the cursor if there is one."""
        self.chart.zoom_by(KEY_ZOOM, self._cursor)
        self.refresh_keys()

    def action_zoom_out(self) -> None:
        """More of the time."""
        self.chart.zoom_by(1 / KEY_ZOOM, self._cursor)
        self.refresh_keys()

    def action_pan_left(self) -> None:
        """Earlier."""
        self._pan(-1)

    def action_pan_right(self) -> None:
        """Later."""
        self._pan(1)

    def _pan(self, pages: float) -> None:
        if self._cursor is not None:
            # A cursor that is left behind would draw the window back to itself.
            self._set_cursor(None)
        self.chart.pan(pages)
        self.refresh_keys()

    def action_unzoom(self) -> None:
        """All of the time."""
        self.chart.zoom = UNZOOMED
        self.refresh_keys()

    # -- opening --------------------------------------------------------------------------------

    def _steps(self) -> tuple[int, int] | None:
        """Settled steps of the first run and the chosen: at the cursor, else where they part."""
        compared = self._compared
        if compared is None:
            return None
        stamp = None if self._cursor is None else self.chart.stamp_of(self._cursor)
        if stamp is not None:
            return compare_view.moments(compared, self._chosen, stamp)
        return compare_view.jump(compared, self._chosen)

    def action_open(self) -> None:
        """Open the chosen run at the cursor, where it first decides otherwise, or as it is."""
        if self._compared is not None:
            steps = self._steps()
            self.deck.open_run(self._run_ids[self._chosen], None if steps is None else steps[1])

    def action_both(self) -> None:
        """Open both at that step: the chosen one in front, the first behind it."""
        steps = self._steps()
        if self._chosen and steps is not None:
            self.deck.open_run(self._run_ids[0], steps[0])
            self.deck.open_run(self._run_ids[self._chosen], steps[1])
            esc = self.deck.keys.shown(keys.BY_ID["back"])
            self.deck.say(f"{esc}: the same moment in the first run")

    def action_first(self) -> None:
        """Hold all others against the chosen run."""
        if self._chosen:
            self._run_ids.insert(0, self._run_ids.pop(self._chosen))
            self._seen = ()
            self._chosen = 1
            self._read()

    def action_drop(self) -> None:
        """Take the chosen run out of the comparison."""
        if len(self._run_ids) > 2:
            self._run_ids.pop(self._chosen)
            self._seen = ()
            self._chosen = min(self._chosen, len(self._run_ids) - 1)
            self._read()

    def action_copy(self) -> None:
        """Copy the figures as text, tab between columns."""
        compared = self._compared
        if compared is not None:
            every = range(len(compared.runs))
            head = ["figure", *(compare_view.run_name(record) for record in compared.runs)]
            lines = [head] + [
                [cell.text.replace(compare_view.BEST, "").strip() for cell in row.cells]
                for row in compare_view.rows(compared, every)
            ]
            text = "\n".join("\t".join(safe_line(cell) for cell in line) for line in lines)
            self.deck.copy_to_clipboard(text)
            self.deck.say(f"copied the figures of {len(compared.runs)} runs")

    def on_deck_table_sort_requested(self, event: DeckTable.SortRequested) -> None:
        """A run's title was clicked: choose it."""
        event.stop()
        self._choose(int(event.column))

    def on_deck_table_opened(self, event: DeckTable.Opened) -> None:
        """A double click opens, as enter does."""
        event.stop()
        self.action_open()

    def leave(self) -> None:
        """From the cursor to the newest values; from there to where one came from."""
        if self._cursor is not None:
            self._set_cursor(None)
            return
        self.deck.work.forget("compare")
        self.dismiss()
