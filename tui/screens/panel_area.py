"""The run screen's panels: which are in sight at which size, and what each of them shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget

from tui import keys
from tui.safe import safe_line
from tui.screens.panel_tabs import CHARTS, PANELS, POSITIONS, PanelTabs
from tui.viewmodel import run_panels
from tui.viewmodel.preview import axis_steps
from tui.viewmodel.studies import Study, usual_studies
from tui.widgets.chart import Chart
from tui.widgets.curve import CurveChart
from tui.widgets.facts import FactsPanel
from tui.widgets.price import PriceChart, PriceView
from tui.widgets.studies import NO_STUDIES, Studies
from tui.widgets.table import DeckTable
from tui.widgets.window import UNZOOMED, Zoom

if TYPE_CHECKING:
    from engine.sim.panel import Panel
    from tui.gateway import RunDetail

EMPTY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "price": "Reading the bars …",
        "equity": "No step is settled yet",
        "positions": "Nothing held: all in cash",
        "orders": "No orders yet",
        "decisions": "No decisions but to hold yet",
    }
)


class PanelArea(Vertical):
    """Price, equity, positions, orders, decisions and figures of one moment of a run.

    Everything is shown at 160x50; charts, positions and a list at a middling size; below that one
    panel at a time, chosen by number, tab or mouse.
    """

    class Sorted(Message):
        """The lists are to be sorted otherwise: list name -> column and whether falling."""

        def __init__(self, sorts: Mapping[str, tuple[str, bool]]) -> None:
            super().__init__()
            self.sorts = sorts

    def __init__(self, shown: keys.Keys, *, ascii: bool) -> None:  # noqa: A002 - the setting's name
        super().__init__(id="panel-area")
        self._shown = shown
        self.price = PriceChart(empty=EMPTY["price"], ascii=ascii, id="price")
        self.equity = CurveChart(empty=EMPTY["equity"], ascii=ascii, id="equity")
        self.chosen = 1
        self._list = 4
        self._symbol = 0
        self._sorts: dict[str, tuple[str, bool]] = {}
        self._detail: RunDetail | None = None
        self._panel: Panel | None = None
        self._zone: tzinfo = UTC
        self.studies: tuple[Study, ...] | None = None
        self._values: dict[tuple[str, tuple[Study, ...]], Studies] = {}
        self._whole = True

    def compose(self) -> ComposeResult:
        yield PanelTabs(self._shown)
        with Horizontal(id="panels"):
            with Vertical(id="charts"):
                with _panel("price"):
                    yield self.price
                with _panel("equity"):
                    yield self.equity
            with Vertical(id="lists"):
                for name, columns in (
                    ("positions", run_panels.POSITION_COLUMNS),
                    ("orders", run_panels.ORDER_COLUMNS),
                    ("decisions", run_panels.DECISION_COLUMNS),
                ):
                    with _panel(name):
                        # The newest orders and decisions stand first, and a run adds to them.
                        follow = name != "positions"
                        yield DeckTable(
                            columns, empty=EMPTY[name], follow=follow, marks=True, id=name
                        )
                with _panel("figures"):
                    yield FactsPanel(empty="", id="figures")

    def on_mount(self) -> None:
        self.choose(1)

    # -- which are in sight ---------------------------------------------------------------------

    @property
    def _size_class(self) -> str:
        screen = self.screen
        if screen.has_class("-wide") and screen.has_class("-tall"):
            return "all"
        if not screen.has_class("-narrow") and not screen.has_class("-low"):
            return "split"
        return "one"

    def choose(self, number: int) -> None:
        """Bring a panel to the front and give it the arrows."""
        self.chosen = number
        if number > POSITIONS:
            self._list = number
        self.lay_out()
        inner = self.query_one(f"#{PANELS[number - 1]}", Widget)
        self.screen.set_focus(inner if inner.can_focus else None)

    def choose_next(self, by: int) -> None:
        """The panel after the chosen one, or before it."""
        self.choose((self.chosen - 1 + by) % len(PANELS) + 1)

    def lay_out(self) -> None:
        """Show the panels there is room for: all, charts with positions and a list, or one."""
        mode = self._size_class
        for number, name in enumerate(PANELS, 1):
            chart = number <= CHARTS
            panel = self.query_one(f"#panel-{name}", Vertical)
            panel.display = (
                mode == "all"
                or (mode == "split" and (chart or number in (POSITIONS, self._list)))
                or (mode == "one" and number == self.chosen)
            )
            panel.border_title = f"{number} {self._title(name)}"
            panel.set_class(number == self.chosen, "-chosen")
        self.query_one("#charts").display = mode != "one" or self.chosen <= CHARTS
        self.query_one("#lists").display = mode != "one" or self.chosen > CHARTS
        tabs = self.query_one(PanelTabs)
        tabs.display = mode != "all"
        tabs.chosen = {self.chosen} if mode == "one" else {1, 2, POSITIONS, self._list}
        tabs.refresh()

    def _title(self, name: str) -> str:
        detail = self._detail
        if name == "price" and self.symbol is not None:
            count = len(self.symbols)
            of = f"  {self._symbol + 1} of {count}" if count > 1 else ""
            return f"Price  {safe_line(self.symbol)}{of}"
        if name == "orders" and detail is not None:
            return f"Orders  {len(detail.orders)}"
        if name == "decisions" and detail is not None:
            return f"Decisions  {len(detail.decisions)}"
        return name.capitalize()

    def on_panel_tabs_chosen(self, event: PanelTabs.Chosen) -> None:
        """A tab was clicked."""
        event.stop()
        self.choose(event.number)

    @on(events.DescendantFocus)
    def _follow_focus(self, event: events.DescendantFocus) -> None:
        name = event.widget.id
        if name in PANELS:
            self.chosen = PANELS.index(name) + 1
            if self.chosen > POSITIONS:
                self._list = self.chosen
            self.lay_out()

    # -- what they show -------------------------------------------------------------------------

    def show(
        self,
        detail: RunDetail,
        rows: run_panels.PanelRows | None,
        zone: tzinfo,
        *,
        whole: bool,
    ) -> None:
        """Show a moment of the run; ``rows`` None keeps the lists as they are.

        ``whole`` shows every bar of it where nobody has zoomed, else the newest.
        """
        self._detail, self._zone, self._whole = detail, zone, whole
        if rows is not None:
            self.equity.show(rows.curves)
            self.query_one("#positions", DeckTable).set_rows(rows.positions)
            self.query_one("#orders", DeckTable).set_rows(rows.orders)
            self.query_one("#decisions", DeckTable).set_rows(rows.decisions)
            self.query_one("#figures", FactsPanel).show(rows.figures)
        self._show_price()
        self._align()
        for number, name in enumerate(PANELS, 1):
            panel = self.query_one(f"#panel-{name}", Vertical)
            panel.border_title = f"{number} {self._title(name)}"

    def point_at(self, step: int | None) -> None:
        """Read the values of a step in both charts; None reads those of the moment shown."""
        self.price.cursor = self.equity.cursor = step

    def draw_with(self, *, ascii: bool) -> None:  # noqa: A002 - the setting's name
        """Draw the charts with ASCII only, or no longer."""
        self.price.ascii = self.equity.ascii = ascii

    # -- the window of time that both charts show -------------------------------------------------

    @property
    def zoom(self) -> Zoom:
        """What was chosen to be seen of the time axis."""
        return self.price.zoom

    def zoom_by(self, factor: float) -> None:
        """Show fewer bars in both charts, or more."""
        self._lead.zoom_by(factor)
        self._share(self._lead.zoom)

    def pan(self, pages: float) -> None:
        """Show later bars in both charts; below zero earlier ones."""
        self._lead.pan(pages)
        self._share(self._lead.zoom)

    def unzoom(self) -> None:
        """Both charts as they choose to be."""
        self._share(UNZOOMED)

    @property
    def _lead(self) -> Chart:
        """The chart whose window the keys change: the one in front, else the price."""
        chosen = PANELS[self.chosen - 1] == "equity" or not self.price.drawn
        return self.equity if chosen else self.price

    def _share(self, zoom: Zoom) -> None:
        self.price.zoom = self.equity.zoom = zoom

    def on_chart_zoomed(self, message: Chart.Zoomed) -> None:
        """The mouse moved the window of one chart: that of the other goes along."""
        self._share(message.zoom)

    def _align(self) -> None:
        """A moment stands in the same column of both."""
        price, equity = self.price, self.equity
        price.margin_cells = equity.margin_cells = max(price.label, equity.label)

    def show_bars(self, panel: Panel) -> None:
        """The bars of the run are there."""
        self._panel = panel
        self._show_price()
        self._align()
        self.lay_out()

    def show_no_bars(self, why: str) -> None:
        """The bars cannot be had."""
        self.price.set_empty(safe_line(f"No bars: {why}"))
        self.price.show(None)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The run's symbols, as far as they are known."""
        if self._panel is not None:
            return self._panel.symbols
        return self._detail.record.symbols if self._detail is not None else ()

    @property
    def symbol(self) -> str | None:
        """The symbol shown."""
        symbols = self.symbols
        return symbols[min(self._symbol, len(symbols) - 1)] if symbols else None

    def move_symbol(self, by: int) -> None:
        """Show the next symbol, or the one before."""
        count = len(self.symbols)
        if count:
            self._symbol = (self._symbol + by) % count
            self._show_price()
            self._align()
            self.lay_out()

    def show_symbol(self, symbol: str) -> None:
        """Show that symbol, if the run has it."""
        if symbol in self.symbols:
            self.move_symbol(self.symbols.index(symbol) - self._symbol)

    def _show_price(self) -> None:
        detail, panel, symbol = self._detail, self._panel, self.symbol
        if detail is None or panel is None or symbol is None:
            return
        held = run_panels.holding(detail.positions, symbol)
        self.price.show(
            PriceView.of(
                panel,
                symbol,
                detail.record.step_index,
                detail.fills,
                detail.orders,
                self._zone,
                held.avg_cost if held is not None else None,
                axis_steps(detail.record.step_index, detail.record.total_steps),
                whole=self._whole,
                studies=self._values.get((symbol, self._chosen_studies()), NO_STUDIES),
            )
        )

    # -- indicators -----------------------------------------------------------------------------

    def _chosen_studies(self) -> tuple[Study, ...]:
        """What was chosen, else what the strategy itself goes by."""
        if self.studies is not None or self._detail is None:
            return self.studies or ()
        record = self._detail.record
        return usual_studies(record.strategy, record.config.get("params") or {})

    @property
    def shown_studies(self) -> tuple[Study, ...]:
        """The indicators that are drawn."""
        return self._chosen_studies()

    def wanted_studies(self) -> tuple[Panel, str, tuple[Study, ...]] | None:
        """What must be worked out before it can be drawn, if anything: bars, symbol, indicators."""
        panel, symbol, chosen = self._panel, self.symbol, self._chosen_studies()
        if panel is None or symbol is None or not chosen or (symbol, chosen) in self._values:
            return None
        return panel, symbol, chosen

    def show_studies(self, symbol: str, chosen: tuple[Study, ...], values: Studies) -> None:
        """The values of indicators are there."""
        self._values[symbol, chosen] = values
        self._show_price()

    def draw_studies(self, chosen: tuple[Study, ...]) -> None:
        """Draw these indicators from now on."""
        self.studies = chosen
        self._show_price()

    # -- lists ----------------------------------------------------------------------------------

    def sort_focused(self) -> None:
        """Sort the list that has the arrows by its next column."""
        table = self.screen.focused
        if isinstance(table, DeckTable):
            order = [name for name in table.shown_columns if name != "price"]
            last = table.sort[0] if table.sort is not None else order[-1]
            at = order.index(last) if last in order else -1
            self._sort(table, order[(at + 1) % len(order)])

    def on_deck_table_sort_requested(self, event: DeckTable.SortRequested) -> None:
        event.stop()
        self._sort(event.table, event.column)

    def _sort(self, table: DeckTable, column: str) -> None:
        falling = table.sort == (column, False)
        table.set_sort(column, falling)
        self._sorts[str(table.id)] = (column, falling)
        self.post_message(self.Sorted(MappingProxyType(dict(self._sorts))))


def _panel(name: str) -> Vertical:
    return Vertical(id=f"panel-{name}", classes="panel")
