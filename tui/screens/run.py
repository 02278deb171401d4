"""One run: price, equity, holdings, orders, decisions and figures, and the keys that drive it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from engine.errors import StepdeckError
from tui import format as fmt
from tui import keys
from tui.keys import Action, Place
from tui.messages import BarsLoaded, BarsMissing, PastReady, Tick
from tui.safe import safe_line
from tui.screens import run_head
from tui.screens.base import ActionButton, style_of, tell
from tui.screens.button_line import ButtonLine
from tui.screens.panel_area import PanelArea
from tui.screens.run_lists import Lists
from tui.screens.run_source import Source
from tui.screens.run_trading import Trading
from tui.steps import settled_at
from tui.viewmodel import run_panels, run_state, runs
from tui.widgets.chart import KEY_ZOOM, Chart

if TYPE_CHECKING:
    from tui.gateway import RunDetail

# As many as fit stand there, the rest behind "more".
BUTTONS = (
    "play", "take_up", "now", "look_back", "step", "next_fill", "buy", "sell", "hold",
    "close_position", "ticket", "rewind", "fork", "take_over", "undo", "go_to", "step_ten",
    "slower", "faster", "cancel", "saw", "export",
)  # fmt: skip

STRATEGY_ERRORS = ("strategy_error", "lookahead")


class RunScreen(Source, Trading, Lists):
    """A run of the ledger. What it shows is what the last look at the ledger saw of it.

    ``at`` opens it looking back at the moment of so many settled grid points.
    """

    places: ClassVar = (Place.RUN, Place.LIST)
    BINDINGS = keys.bindings(Place.RUN)
    AUTO_FOCUS = ""

    def __init__(self, run_id: str, at: int | None = None) -> None:
        super().__init__(run_id, at)
        self._rate: float | None = None
        self._bars_wanted = False
        self._speed_known = False
        self._panels: run_panels.RunPanels | None = None
        self._rows: run_panels.PanelRows | None = None
        self._sorts: run_panels.Sorts = {}
        self._pace = ""

    # -- layout ---------------------------------------------------------------------------------

    def compose_deck(self) -> ComposeResult:
        yield Static("", id="run-head", markup=False)
        yield Static("", id="run-line", markup=False)
        yield Static("", id="run-ended", markup=False)
        yield Static("", id="run-saved", markup=False)
        yield PanelArea(self.deck.keys, ascii=self.deck.settings.ascii)
        with Horizontal(id="transport"):
            yield ButtonLine([f"run.{name}" for name in BUTTONS], self.deck.keys)
            yield Static("", id="pace", markup=False)

    def on_mount(self) -> None:
        self._panels = run_panels.RunPanels(self.deck.settings.currency)

    def take_settings(self) -> None:
        """Another currency, other keys, other characters for the charts."""
        super().take_settings()
        settings = self.deck.settings
        self.area.draw_with(ascii=settings.ascii)
        if self._panels is not None:
            # The lists and figures of now are made anew when this screen is in sight again.
            self._panels.currency = settings.currency
        self.show_head()
        self._lists_anew()

    def on_screen_resume(self) -> None:
        self.deck.poller.show((), self.run_id, self._panels)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self.area.lay_out()
        self.show_head()

    # -- the ledger -----------------------------------------------------------------------------

    def show_tick(self, tick: Tick) -> None:
        """Show a new look at the ledger."""
        self._rate = tick.rates.get(self.run_id)
        detail = tick.detail
        if detail is None or detail.record.run_id != self.run_id:
            if not any(row.record.run_id == self.run_id for row in tick.snapshot.rows):
                self._say_end("this run is no longer in the ledger", "attention")
            return
        first, changed = self.now is None, detail is not self.now
        went_back = not first and detail.record.rewind_count != self._rewinds
        self.now = detail
        if not self._speed_known:
            self.speed = detail.record.config.get("speed")
            self._speed_known = True
        if changed or tick.panels is not self._rows:
            self._rows = tick.panels
            if self.at is None:
                self.show_now()
        if self.at is not None and (first or went_back):
            self.look_at(self.at)
        self.show_head()
        self._want_bars()
        self.follow_source()
        self.go_on()

    @property
    def _rewinds(self) -> int:
        return self.now.record.rewind_count if self.now is not None else 0

    def show_trouble(self, error: StepdeckError | None) -> None:
        """Say that the ledger cannot be read, or that it can again."""
        if error is not None:
            self._say_end(f"the ledger cannot be read: {error}", "loss")
        else:
            self.show_head()

    def _say_end(self, text: str | None, role: str) -> None:
        said = None if text is None else Content.styled(safe_line(text), style_of(role))
        tell(self.query_one("#run-ended", Static), said)

    # -- the head -------------------------------------------------------------------------------

    def show_head(self) -> None:
        """Say which run this is and where it stands, or which moment of it is shown."""
        self.set_class(self.at is not None, "-past")
        shown = self.shown
        if shown is None or self.now is None:
            return
        width = self.size.width - 2
        looking = self.at is not None
        if self.at is None:
            head = run_head.identity(shown, self._rate, self.deck.now(), self.zone, width)
        else:
            moment, stamps = shown.record.step_index, self.now.stamps
            stamp = int(stamps[moment - 1]) if 0 < moment <= len(stamps) else None
            head = run_head.past(
                moment,
                self.at,
                self.now.record,
                fmt.stamp(stamp, self.zone),
                self.deck.keys,
                width,
                {name: self.allows(name) is True for name in ("rewind", "fork")},
            )
        line = run_head.figures(
            shown.record, self.deck.settings.currency, roomy=not self.has_class("-narrow")
        )
        tell(self.query_one("#run-head", Static), head)
        tell(self.query_one("#run-line", Static), line)
        record = self.now.record
        why, role = runs.why_it_stands(record, self.now.stall)
        if why is not None and record.error_code in STRATEGY_ERRORS:
            key = self.deck.keys.shown(keys.BY_ID["run.saw"])
            why = f"{why}  ({key}: what it saw)"
        told = why is not None and record.status != "completed" and not looking
        if self.now.call is not None and not looking:
            cancel = self.deck.keys.shown(keys.BY_ID["run.cancel"])
            why = runs.call_text(self.now.call, self.deck.now(), self.waits, cancel)
            told, role = True, "attention"
        self._say_end(why if told else None, role)
        self.refresh_keys()

    def second_passed(self) -> None:
        """A call that hangs has taken a second more."""
        if self.now is not None and self.now.call is not None:
            self.show_head()

    def show_pace(self) -> None:
        """Say how fast it goes."""
        text = self.pace_text()
        if text != self._pace:
            self._pace = text
            self.query_one("#pace", Static).update(Content.styled(text, "$text-muted"))

    # -- panels ---------------------------------------------------------------------------------

    def show_now(self) -> None:
        """Show now in every panel."""
        if self.now is not None:
            self.shown = self.now
            # Of a run that has ended the whole is what people look at; else the newest bars are.
            whole = self.now.record.status not in run_state.LIVE
            self.area.show(self.now, self._rows, self.zone, whole=whole)
            self.show_head()

    def show_moment(self, detail: RunDetail, rows: run_panels.PanelRows) -> None:
        """Show a moment of the past in every panel."""
        self.shown = detail
        self.area.show(detail, rows, self.zone, whole=False)
        self.show_head()

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
        self.panel = message.panel
        self.area.show_bars(message.panel)
        if self._panels is not None:
            self._panels.know(message.panel)
            self.deck.poller.look_now()
        self.want_studies()
        self._warm_past()
        self.refresh_keys()

    def on_bars_missing(self, message: BarsMissing) -> None:
        message.stop()
        self.area.show_no_bars(str(message.error))

    def _warm_past(self) -> None:
        """Replay the run once beside the screen, so that the first look back waits for nothing."""
        gateway, run_id = self.deck.gateway, self.run_id

        def replaying() -> Message:
            # Why it cannot be had is said to who asks to look back.
            with suppress(StepdeckError):
                gateway.past(run_id)
            return PastReady()

        self.deck.work.load(f"warm-{run_id}", "look back", replaying, self)

    def action_saw(self) -> None:
        """What the strategy sees at the moment shown."""
        from tui.screens.seen import SeenDialog

        now = self.now
        if now is None:
            return
        drawn = [
            (kind, study.parameters)
            for study in self.area.shown_studies
            for kind in study.indicators
        ]
        # What was computed of these bars in this process is what somebody asked for.
        known = list(self.panel.indicator_cache) if self.panel is not None else []
        asked = tuple(dict.fromkeys([*known, *drawn]))
        self.deck.push_screen(
            SeenDialog(
                now,
                self.at or now.record.step_index,
                self.symbol,
                asked,
                self.zone,
                self.look_at,
            )
        )

    def on_panel_area_sorted(self, message: PanelArea.Sorted) -> None:
        message.stop()
        self._sorts = message.sorts
        self._lists_anew()

    @property
    def live_panels(self) -> run_panels.RunPanels | None:
        """What works out the panels of now, on the poller's thread."""
        return self._panels

    @property
    def sorts(self) -> run_panels.Sorts:
        """How the lists are sorted."""
        return self._sorts

    def _lists_anew(self) -> None:
        if self._panels is not None:
            self._panels.sorts, self._panels.utc = self._sorts, self.in_utc
            self.deck.poller.look_now()
        self.look_anew()

    def on_chart_pointed(self, message: Chart.Pointed) -> None:
        """The mouse reads one step in both charts."""
        message.stop()
        self.area.point_at(message.step)

    def on_chart_chosen(self, message: Chart.Chosen) -> None:
        """A step was clicked in a chart: that moment is looked at; the newest one is now."""
        message.stop()
        if message.step is not None:
            self.stop_replay()
            self.look_at(settled_at(message.step))

    # -- what works -----------------------------------------------------------------------------

    def label(self, action: Action) -> str:
        """What an action would do now, in a word."""
        situation = self.situation() if action.place is Place.RUN else None
        named = run_state.label_of(action.method, situation) if situation is not None else None
        return named or action.label

    def refresh_keys(self) -> None:
        """Name the buttons by what they would do, and show those that work and fit."""
        for button in self.query(ActionButton):
            if button.act.place is Place.RUN:
                button.rename(self.deck.keys, self.label(button.act))
        super().refresh_keys()
        self.query_one(ButtonLine).fit()
        self.show_pace()

    # -- looking --------------------------------------------------------------------------------

    def action_panel_1(self) -> None:
        """Price."""
        self.area.choose(1)

    def action_panel_2(self) -> None:
        """Equity."""
        self.area.choose(2)

    def action_panel_3(self) -> None:
        """Positions."""
        self.area.choose(3)

    def action_panel_4(self) -> None:
        """Orders."""
        self.area.choose(4)

    def action_panel_5(self) -> None:
        """Decisions."""
        self.area.choose(5)

    def action_panel_6(self) -> None:
        """Figures."""
        self.area.choose(6)

    def action_next_panel(self) -> None:
        """The panel after the chosen one."""
        self.area.choose_next(1)

    def action_previous_panel(self) -> None:
        """The panel before the chosen one."""
        self.area.choose_next(-1)

    def action_breakpoints(self) -> None:
        """Where the run is to stop."""
        from tui.screens.breakpoints import BreakpointsScreen

        self.deck.push_screen(BreakpointsScreen(self.run_id, self.symbol))

    def action_zone(self) -> None:
        """Times in UTC, or in the exchange's zone."""
        self.in_utc = not self.in_utc
        self._lists_anew()
        if self.at is None:
            self.show_now()
        self.show_head()

    def action_zoom_in(self) -> None:
        """Fewer bars, larger."""
        self.area.zoom_by(KEY_ZOOM)
        self.refresh_keys()

    def action_zoom_out(self) -> None:
        """More bars."""
        self.area.zoom_by(1 / KEY_ZOOM)
        self.refresh_keys()

    def action_pan_left(self) -> None:
        """Earlier bars."""
        self.area.pan(-1)
        self.refresh_keys()

    def action_pan_right(self) -> None:
        """Later bars."""
        self.area.pan(1)
        self.refresh_keys()

    def action_unzoom(self) -> None:
        """The charts as they choose to be."""
        self.area.unzoom()
        self.refresh_keys()

    def on_chart_zoomed(self) -> None:
        """The mouse moved the window."""
        self.refresh_keys()

    def leave(self) -> None:
        """Marks first; from the past to now; from now, or where it was opened, to where one was."""
        if self.clear_marks():
            return
        if self.at is not None and self.at != self.opened_at:
            self.look_now()
            return
        self.deck.work.forget(f"bars-{self.run_id}")
        self.dismiss()
