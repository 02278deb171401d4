"""One run: price, equity, holdings, orders, decisions and figures, and the keys that drive it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from engine.errors import StepdeckError
from engine.model import Decision, Target
from tui import format as fmt
from tui import keys
from tui.keys import Place
from tui.messages import Acted, BarsLoaded, BarsMissing, Tick
from tui.safe import safe_line
from tui.screens import run_head
from tui.screens.base import ActionButton, DeckScreen, style_of
from tui.screens.dialogs import ConfirmDialog
from tui.screens.panel_tabs import CHARTS, PANELS, POSITIONS, PanelTabs
from tui.viewmodel import run_panels, runs
from tui.viewmodel.speeds import faster, slower
from tui.viewmodel.ticket import Standing
from tui.widgets.curve import CurveChart
from tui.widgets.facts import FactsPanel
from tui.widgets.price import PriceChart, PriceView
from tui.widgets.table import DeckTable

if TYPE_CHECKING:
    from engine.model import RunRecord
    from engine.sim.panel import Panel
    from tui.gateway import RunDetail

LIVE: Final = frozenset({"running", "paused"})


class RunScreen(DeckScreen):
    """A run of the ledger. What it shows is what the last look at the ledger saw of it."""

    places: ClassVar = (Place.RUN, Place.LIST)
    BINDINGS = keys.bindings(Place.RUN)
    AUTO_FOCUS = ""

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self._detail: RunDetail | None = None
        self._rate: float | None = None
        self._panel: Panel | None = None
        self._bars_wanted = False
        self._symbol = 0
        self._speed: float | None = None
        self._speed_known = False
        self._chosen = 1
        self._chosen_list = 4
        self._sorts: dict[str, tuple[str, bool]] = {}
        self._panels: run_panels.RunPanels | None = None
        self._rows: run_panels.PanelRows | None = None

    # -- layout ---------------------------------------------------------------------------------

    def compose_deck(self) -> ComposeResult:
        shown = self.deck.keys
        yield Static("", id="run-head", markup=False)
        yield Static("", id="run-line", markup=False)
        yield Static("", id="run-ended", markup=False)
        yield PanelTabs(shown)
        with Horizontal(id="panels"):
            with Vertical(id="charts"):
                with _panel("price"):
                    yield PriceChart(empty="Reading the bars …", id="price")
                with _panel("equity"):
                    yield CurveChart(empty="No step is settled yet", id="equity")
            with Vertical(id="lists"):
                with _panel("positions"):
                    yield DeckTable(
                        run_panels.POSITION_COLUMNS,
                        empty="Nothing held: all in cash",
                        id="positions",
                    )
                with _panel("orders"):
                    yield DeckTable(run_panels.ORDER_COLUMNS, empty="No orders yet", id="orders")
                with _panel("decisions"):
                    yield DeckTable(
                        run_panels.DECISION_COLUMNS,
                        empty="No decisions but to hold yet",
                        id="decisions",
                    )
                with _panel("figures"):
                    yield FactsPanel(empty="", id="figures")
        with Horizontal(classes="buttons", id="transport"):
            for name in ("play", "take_up", "step", "step_ten", "buy", "sell", "hold",
                         "close_position", "ticket", "slower", "faster", "cancel"):  # fmt: skip
                yield ActionButton(f"run.{name}", shown)
            yield Static("", id="pace", markup=False)

    def on_mount(self) -> None:
        self._panels = run_panels.RunPanels(self.deck.settings.currency)
        self.choose_panel(1)

    def on_screen_resume(self) -> None:
        self.deck.poller.show((), self.run_id, self._panels)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._arrange_panels)

    @property
    def _size_class(self) -> str:
        if self.has_class("-wide") and self.has_class("-tall"):
            return "all"
        if not self.has_class("-narrow") and not self.has_class("-low"):
            return "split"
        return "one"

    def choose_panel(self, number: int) -> None:
        """Bring a panel to the front and give it the arrows."""
        self._chosen = number
        if number > POSITIONS:
            self._chosen_list = number
        self._arrange_panels()
        inner = self.query_one(f"#{PANELS[number - 1]}", Widget)
        self.set_focus(inner if inner.can_focus else None)

    def _arrange_panels(self) -> None:
        """Show the panels there is room for: all, charts with positions and a list, or one."""
        mode = self._size_class
        for number, name in enumerate(PANELS, 1):
            chart = number <= CHARTS
            panel = self.query_one(f"#panel-{name}", Vertical)
            panel.display = (
                mode == "all"
                or (mode == "split" and (chart or number in (POSITIONS, self._chosen_list)))
                or (mode == "one" and number == self._chosen)
            )
            panel.border_title = f"{number} {self._title(name)}"
            panel.set_class(number == self._chosen, "-chosen")
        self.query_one("#charts").display = mode != "one" or self._chosen <= CHARTS
        self.query_one("#lists").display = mode != "one" or self._chosen > CHARTS
        tabs = self.query_one(PanelTabs)
        tabs.display = mode != "all"
        shown = {1, 2, POSITIONS, self._chosen_list}
        tabs.chosen = {self._chosen} if mode == "one" else shown
        tabs.refresh()

    def _title(self, name: str) -> str:
        detail = self._detail
        if name == "price":
            symbols = self._symbols()
            if symbols:
                of = f"  {self._symbol + 1} of {len(symbols)}" if len(symbols) > 1 else ""
                return f"Price  {safe_line(symbols[self._symbol])}{of}"
        if name == "orders" and detail is not None:
            return f"Orders  {len(detail.orders)}"
        if name == "decisions" and detail is not None:
            return f"Decisions  {len(detail.decisions)}"
        return name.capitalize()

    # -- the ledger -----------------------------------------------------------------------------

    @property
    def record(self) -> RunRecord | None:
        """The run's row as last seen."""
        return self._detail.record if self._detail is not None else None

    def show_tick(self, tick: Tick) -> None:
        """Show a new look at the ledger."""
        self._rate = tick.rates.get(self.run_id)
        detail = tick.detail
        if detail is None or detail.record.run_id != self.run_id:
            if not any(row.record.run_id == self.run_id for row in tick.snapshot.rows):
                self._say_end("this run is no longer in the ledger", "attention")
            return
        changed = detail is not self._detail
        self._detail = detail
        if not self._speed_known:
            self._speed = detail.record.config.get("speed")
            self._speed_known = True
        self._show_head()
        if changed or tick.panels is not self._rows:
            self._rows = tick.panels
            self._show_panels()
        self._want_bars()

    def show_trouble(self, error: StepdeckError | None) -> None:
        """Say that the ledger cannot be read, or that it can again."""
        if error is not None:
            self._say_end(f"the ledger cannot be read: {error}", "loss")
        else:
            self._show_head()

    def _say_end(self, text: str | None, role: str) -> None:
        line = self.query_one("#run-ended", Static)
        line.display = text is not None
        line.update(Content.styled(safe_line(text or ""), style_of(role)))

    def _show_head(self) -> None:
        detail = self._detail
        if detail is None:
            return
        record = detail.record
        currency = self.deck.settings.currency
        head = run_head.identity(detail, self._rate, self.deck.now())
        line = run_head.figures(record, currency, roomy=not self.has_class("-narrow"))
        self.query_one("#run-head", Static).update(head, layout=False)
        self.query_one("#run-line", Static).update(line, layout=False)
        why = runs.why_it_ended(record)
        role = fmt.status_look(record.status).role
        self._say_end(why if why and record.status != "completed" else None, role)
        self._show_pace()
        self.refresh_keys()

    def _show_pace(self) -> None:
        record = self.record
        text = ""
        if record is not None and record.status in LIVE and record.driver != "manual":
            text = "full speed" if self._speed is None else f"{self._speed:g} steps/s"
        self.query_one("#pace", Static).update(Content.styled(text, "$text-muted"), layout=False)

    def _show_panels(self) -> None:
        rows = self._rows
        if rows is not None:
            self.query_one("#equity", CurveChart).show(rows.curves)
            self.query_one("#positions", DeckTable).set_rows(rows.positions)
            self.query_one("#orders", DeckTable).set_rows(rows.orders)
            self.query_one("#decisions", DeckTable).set_rows(rows.decisions)
            self.query_one("#figures", FactsPanel).show(rows.figures)
        self._show_price()
        for number, name in enumerate(PANELS, 1):
            panel = self.query_one(f"#panel-{name}", Vertical)
            panel.border_title = f"{number} {self._title(name)}"

    # -- price ----------------------------------------------------------------------------------

    def _symbols(self) -> tuple[str, ...]:
        if self._panel is not None:
            return self._panel.symbols
        return self.record.symbols if self.record is not None else ()

    def _want_bars(self) -> None:
        """Load the bars once, when the run has any."""
        record = self.record
        if self._bars_wanted or record is None or not record.step_index:
            return
        self._bars_wanted = True
        gateway, run_id = self.deck.gateway, self.run_id

        def reading() -> Message:
            try:
                return BarsLoaded(run_id, gateway.bars(run_id))
            except StepdeckError as error:
                return BarsMissing(run_id, error)

        self.deck.work.load(f"bars-{run_id}", "read the bars", reading, self)

    def on_bars_loaded(self, message: BarsLoaded) -> None:
        message.stop()
        self._panel = message.panel
        self._show_price()
        self._arrange_panels()

    def on_bars_missing(self, message: BarsMissing) -> None:
        message.stop()
        chart = self.query_one("#price", PriceChart)
        chart.set_empty(safe_line(f"No bars: {message.error}"))
        chart.show(None)

    def _show_price(self) -> None:
        detail, panel = self._detail, self._panel
        if detail is None or panel is None or not panel.symbols:
            return
        symbol = panel.symbols[self._symbol]
        held = run_panels.holding(detail.positions, symbol)
        self.query_one("#price", PriceChart).show(
            PriceView.of(
                panel,
                symbol,
                detail.record.step_index,
                detail.fills,
                detail.orders,
                run_panels.zone_of(detail.record),
                held.avg_cost if held is not None else None,
            )
        )

    def _move_symbol(self, by: int) -> None:
        count = len(self._symbols())
        if count:
            self._symbol = (self._symbol + by) % count
            self._show_price()
            self._arrange_panels()

    @property
    def symbol(self) -> str | None:
        """The symbol shown."""
        symbols = self._symbols()
        return symbols[self._symbol] if symbols else None

    def _last_close(self) -> float | None:
        detail, panel = self._detail, self._panel
        if detail is None or panel is None or not detail.record.step_index:
            return None
        price = float(panel.mark[detail.record.step_index - 1, self._symbol])
        return None if math.isnan(price) else price

    def standing(self) -> Standing | None:
        """What the account stands at, for the ticket."""
        detail, symbol = self._detail, self.symbol
        if detail is None or symbol is None:
            return None
        record = detail.record
        held = run_panels.holding(detail.positions, symbol)
        return Standing(
            record.cash if record.cash is not None else record.initial_cash,
            record.equity if record.equity is not None else record.initial_cash,
            held.quantity if held is not None else 0.0,
            self._last_close(),
        )

    # -- what works -----------------------------------------------------------------------------

    def allows(self, action: str) -> bool | None:
        """Whether an action works on what is shown now."""
        found = keys.BY_ID.get(f"run.{action}")
        if found is None:
            return True
        if found.writes and self.deck.read_only:
            return False
        record = self.record
        if record is None:
            return True if action.startswith("panel_") or not found.writes else None
        status, manual = record.status, record.driver == "manual"
        live = status in LIVE
        if action == "take_up":
            return status == "interrupted"
        if action in ("step", "step_ten"):
            return live
        if action == "play":
            # A run decided by hand waits at each step; there is nothing to play.
            return live and (not manual or status == "paused")
        if action in ("faster", "slower"):
            return live and not manual
        if action in ("buy", "sell", "hold", "ticket", "close_position"):
            if not (live and manual):
                return False
            if action == "close_position":
                standing = self.standing()
                return True if standing is not None and standing.held else None
            return True
        if action == "cancel":
            return status in runs.CAN_CANCEL
        if action in ("next_symbol", "previous_symbol"):
            return len(self._symbols()) > 1
        if action == "sort":
            return isinstance(self.focused, DeckTable)
        return True

    def refresh_keys(self) -> None:
        """Name the play button by what it would do, and show only the buttons that can work."""
        super().refresh_keys()
        record = self.record
        buttons = self.query(ActionButton)
        self.query_one("#transport").display = any(button.display for button in buttons)
        play = self.query_one("#run-play", ActionButton)
        running = record is not None and record.status == "running"
        play.rename(self.deck.keys, "Pause" if running else "Play")

    # -- driving --------------------------------------------------------------------------------

    def _ask(self, title: str, name: str, call: Callable[[], RunRecord]) -> None:
        self.deck.ask(title, f"run.{name}", call, self)

    def on_acted(self, message: Acted) -> None:
        message.stop()
        self.deck.poller.look_now()

    def action_play(self) -> None:
        """Let the run go on, or pause it."""
        record, gateway = self.record, self.deck.gateway
        if record is None:
            return
        if record.status == "paused":
            self._ask("let the run go on", "play", partial(gateway.resume, self.run_id))
        else:
            self._ask("pause the run", "play", partial(gateway.pause, self.run_id))

    def action_take_up(self) -> None:
        """Take up the interrupted run."""
        self._ask("take up the run", "take_up", partial(self.deck.gateway.take_up, self.run_id))

    def action_step(self) -> None:
        """One step."""
        self._ask("step", "step", partial(self.deck.gateway.step, self.run_id, 1))

    def action_step_ten(self) -> None:
        """Ten steps."""
        self._ask("step", "step_ten", partial(self.deck.gateway.step, self.run_id, 10))

    def action_faster(self) -> None:
        """More steps a second."""
        self._set_speed(faster(self._speed))

    def action_slower(self) -> None:
        """Fewer steps a second."""
        self._set_speed(slower(self._speed))

    def _set_speed(self, speed: float | None) -> None:
        self._speed = speed
        self._ask(
            "change the speed", "faster", partial(self.deck.gateway.set_speed, self.run_id, speed)
        )
        self._show_pace()

    def decide(self, title: str, name: str, step: int, decision: Decision) -> None:
        """Make the decision of ``step``, and of no other: one that came meanwhile is refused."""
        self._ask(title, name, partial(self.deck.gateway.submit, self.run_id, step, decision))

    def action_hold(self) -> None:
        """Hold this step."""
        # Not by number: holding three times in a row may outrun what the screen has seen.
        self._ask("hold", "hold", partial(self.deck.gateway.step, self.run_id, 1))

    def action_close_position(self) -> None:
        """Sell all of the symbol shown."""
        detail = self._detail
        if self.symbol is not None and detail is not None and detail.next_decision is not None:
            self.decide(
                "close the position",
                "close_position",
                detail.next_decision,
                Decision(targets=(Target(self.symbol, shares=0.0),)),
            )

    def action_buy(self) -> None:
        """The ticket, set to buy."""
        self._open_ticket("buy", full=False)

    def action_sell(self) -> None:
        """The ticket, set to sell."""
        self._open_ticket("sell", full=False)

    def action_ticket(self) -> None:
        """The full ticket."""
        self._open_ticket("buy", full=True)

    def _open_ticket(self, side: str, *, full: bool) -> None:
        from tui.screens.ticket import TicketDialog

        detail, standing, symbol = self._detail, self.standing(), self.symbol
        if detail is None or standing is None or symbol is None or detail.next_decision is None:
            return
        rules = detail.record.config.get("rules") or {}
        step = detail.next_decision

        def answered(decision: Decision | None) -> None:
            if decision is not None:
                self.decide("place the order", "ticket", step, decision)

        self.deck.push_screen(
            TicketDialog(
                side,
                symbol,
                standing,
                step=step,
                lot=float(rules.get("lot", 1.0)),
                fill=str(rules.get("fill", "next_open")),
                full=full,
            ),
            answered,
        )

    def action_cancel(self) -> None:
        """Ask, then cancel the run."""
        record = self.record
        if record is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._ask(
                    "cancel the run", "cancel", partial(self.deck.gateway.cancel, self.run_id)
                )

        self.deck.push_screen(
            ConfirmDialog(
                "Cancel this run?",
                [
                    runs.one_line(record),
                    "",
                    "What was decided and filled so far stays in the ledger.",
                ],
                "Cancel the run",
            ),
            answered,
        )

    # -- looking --------------------------------------------------------------------------------

    def action_next_symbol(self) -> None:
        """Show the next symbol."""
        self._move_symbol(1)

    def action_previous_symbol(self) -> None:
        """Show the symbol before."""
        self._move_symbol(-1)

    def action_panel_1(self) -> None:
        """Price."""
        self.choose_panel(1)

    def action_panel_2(self) -> None:
        """Equity."""
        self.choose_panel(2)

    def action_panel_3(self) -> None:
        """Positions."""
        self.choose_panel(3)

    def action_panel_4(self) -> None:
        """Orders."""
        self.choose_panel(4)

    def action_panel_5(self) -> None:
        """Decisions."""
        self.choose_panel(5)

    def action_panel_6(self) -> None:
        """Figures."""
        self.choose_panel(6)

    def action_next_panel(self) -> None:
        """The panel after the chosen one."""
        self.choose_panel(self._chosen % len(PANELS) + 1)

    def action_previous_panel(self) -> None:
        """The panel before the chosen one."""
        self.choose_panel((self._chosen - 2) % len(PANELS) + 1)

    def action_sort(self) -> None:
        """Sort the list that has the arrows by its next column."""
        table = self.focused
        if isinstance(table, DeckTable):
            order = [name for name in table.shown_columns if name != "price"]
            last = table.sort[0] if table.sort is not None else order[-1]
            at = order.index(last) if last in order else -1
            self._sort(table, order[(at + 1) % len(order)])

    def on_deck_table_sort_requested(self, event: DeckTable.SortRequested) -> None:
        self._sort(event.table, event.column)

    def _sort(self, table: DeckTable, column: str) -> None:
        falling = table.sort == (column, False)
        table.set_sort(column, falling)
        self._sorts[str(table.id)] = (column, falling)
        if self._panels is not None:
            self._panels.sorts = dict(self._sorts)
            self.deck.poller.look_now()

    def action_copy(self) -> None:
        """Copy the run's id."""
        self.deck.copy_to_clipboard(self.run_id)
        self.deck.notify(f"copied {safe_line(self.run_id)}", markup=False)

    @on(events.DescendantFocus)
    def _follow_focus(self, event: events.DescendantFocus) -> None:
        name = event.widget.id
        if name in PANELS:
            self._chosen = PANELS.index(name) + 1
            if self._chosen > POSITIONS:
                self._chosen_list = self._chosen
            self._arrange_panels()

    def on_panel_tabs_chosen(self, event: PanelTabs.Chosen) -> None:
        """A tab was clicked."""
        self.choose_panel(event.number)

    def on_price_chart_cursor_moved(self, event: PriceChart.CursorMoved) -> None:
        """One time cursor for both charts."""
        self.query_one("#equity", CurveChart).cursor = event.step

    def on_curve_chart_cursor_moved(self, event: CurveChart.CursorMoved) -> None:
        """One time cursor for both charts."""
        self.query_one("#price", PriceChart).cursor = event.step

    def leave(self) -> None:
        """Back to the runs."""
        self.deck.work.forget(f"bars-{self.run_id}")
        self.dismiss()


def _panel(name: str) -> Vertical:
    return Vertical(id=f"panel-{name}", classes="panel")
