"""Looking back: one time cursor for the whole run screen. It changes nothing in the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.message import Message
from textual.timer import Timer

from engine.errors import StepdeckError
from tui.messages import Looked, LookRefused
from tui.screens.run_base import RunBase
from tui.viewmodel import run_panels, time_walk
from tui.viewmodel.time_walk import Goal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.gateway import RunDetail

REPLAY_SPEED: Final = 10.0
FRAMES: Final = 30.0  # replay moves the cursor at most so often a second


class Looking(RunBase):
    """The time cursor: where it stands, how it moves, and what it shows there."""

    def __init__(self, run_id: str, at: int | None = None) -> None:
        super().__init__(run_id, at)
        self._past_panels: run_panels.RunPanels | None = None
        self._replay: Timer | None = None
        self._replayed = 0.0
        self.replay_speed = REPLAY_SPEED

    # -- where it stands ------------------------------------------------------------------------

    def look_at(self, settled: int) -> None:
        """Show the run as it was at a moment; from now on it is now again."""
        record, now = self.head, self.now
        if record is None or not record.step_index:
            return
        settled = max(1, settled)
        if settled >= record.step_index:
            self.look_now()
            return
        self.at = settled
        self.show_head()
        self.refresh_keys()
        if now is None:
            return  # the first look at the run shows it
        gateway, panels, run_id = self.deck.gateway, self._panels_of_the_past(), self.run_id

        def looking() -> Message:
            try:
                cut = gateway.look(now, settled)
            except StepdeckError as error:
                return LookRefused(run_id, error)
            return Looked(run_id, settled, cut, panels.make(cut))

        self.deck.work.newest(f"past-{run_id}", "look back", looking, self)

    def look_now(self) -> None:
        """From the past back to now."""
        self.stop_replay()
        if self.at is not None:
            self.at = None
            self.deck.work.forget(f"past-{self.run_id}")
            self.show_now()
            self.show_head()
            self.refresh_keys()

    def look_by(self, steps: int) -> None:
        """Move the cursor by so many steps."""
        self.stop_replay()
        self.look_at(self._standing + steps)

    @property
    def _standing(self) -> int:
        """The moment shown, in settled grid points."""
        if self.at is not None:
            return self.at
        return self.head.step_index if self.head is not None else 0

    def _panels_of_the_past(self) -> run_panels.RunPanels:
        # Its own: the poller's thread goes on with the other one meanwhile.
        if self._past_panels is None:
            self._past_panels = run_panels.RunPanels(self.deck.settings.currency, self.live_panels)
        if self.panel is not None:
            self._past_panels.know(self.panel)
        self._past_panels.currency = self.deck.settings.currency
        self._past_panels.sorts = self.sorts
        self._past_panels.utc = self.in_utc
        return self._past_panels

    def on_looked(self, message: Looked) -> None:
        """A moment has been worked out; one that a newer key overtook is a frame on the way."""
        message.stop()
        if self.at is not None:
            self.shown = message.detail
            self.show_moment(message.detail, message.rows)

    def on_look_refused(self, message: LookRefused) -> None:
        """The past cannot be had: say why, and show now."""
        message.stop()
        self.look_now()
        self.deck.show_error("look back", message.error)

    def look_anew(self) -> None:
        """What is shown of the past is to be worked out again: other sort, other zone."""
        if self.at is not None:
            self.look_at(self.at)

    # -- how it moves ---------------------------------------------------------------------------

    def action_look_back(self) -> None:
        """The step before."""
        self.look_by(-1)

    def action_look_back_ten(self) -> None:
        """Ten steps before."""
        self.look_by(-10)

    def action_now(self) -> None:
        """Back to now."""
        self.look_now()

    def action_previous_fill(self) -> None:
        """The fill before."""
        self._to_stop(time_walk.fill_stops, "no fill before this")

    def action_previous_decision(self) -> None:
        """The decision before."""
        self._to_stop(time_walk.decision_stops, "no decision before this")

    def action_previous_session(self) -> None:
        """The session before."""
        stops = self._sessions()
        self._to(time_walk.before(stops, self._standing), "no session before this")

    def _to_stop(self, stops_of: time_walk.Stops, otherwise: str) -> None:
        if self.now is not None:
            self._to(time_walk.before(stops_of(self.now), self._standing), otherwise)

    def _to(self, settled: int | None, otherwise: str) -> None:
        self.stop_replay()
        if settled is None:
            self.deck.notify(otherwise, markup=False)
        else:
            self.look_at(settled)

    def look_on_to(self, stops: Sequence[int], otherwise: str) -> None:
        """From the past on to the next of the stops, or to now where there is none."""
        self.stop_replay()
        ahead = time_walk.after(stops, self._standing)
        if ahead is None:
            self.deck.notify(f"{otherwise}: this is now", markup=False)
            self.look_now()
        else:
            self.look_at(ahead)

    def _sessions(self) -> list[int]:
        now = self.now
        return [] if now is None else time_walk.session_stops(now, self.panel, self.zone)

    def open_go_to(self) -> None:
        """Ask for a step or a date, then go there."""
        from tui.screens.go_to import GoToDialog

        now = self.now
        if now is None:
            return

        def answered(goal: Goal | None) -> None:
            if goal is None:
                return
            self.stop_replay()
            if goal.settled is not None:
                self.look_at(goal.settled)
            else:
                self.go_on_to(goal)

        self.deck.push_screen(
            GoToDialog(
                now.stamps,
                self._standing,
                now.record.total_steps,
                self.zone,
                live=now.record.status in ("running", "paused") and not self.deck.read_only,
            ),
            answered,
        )

    def action_go_to(self) -> None:
        """Go to a step or a date."""
        self.open_go_to()

    # -- replay ---------------------------------------------------------------------------------

    @property
    def replaying(self) -> bool:
        """Whether the past plays on by itself."""
        return self._replay is not None

    def toggle_replay(self) -> None:
        """Let the past play on to now, from its beginning where now is shown; or hold it."""
        if self._replay is not None:
            self.stop_replay()
            return
        if self.at is None:
            self.look_at(1)
        self._replayed = float(self._standing)
        self._replay = self.set_interval(1 / FRAMES, self._replay_on)
        self.refresh_keys()

    def _replay_on(self) -> None:
        if self.at is None:
            self.stop_replay()
            return
        self._replayed += self.replay_speed / FRAMES
        if int(self._replayed) > self.at:
            self.look_at(int(self._replayed))

    def stop_replay(self) -> None:
        """Hold the past where it is."""
        if self._replay is not None:
            self._replay.stop()
            self._replay = None
            self.refresh_keys()

    # -- what the screen does for it ------------------------------------------------------------

    @property
    def live_panels(self) -> run_panels.RunPanels | None:
        """What works out the panels of now."""
        raise NotImplementedError

    @property
    def sorts(self) -> run_panels.Sorts:
        """How the lists are sorted."""
        raise NotImplementedError

    def show_head(self) -> None:
        """Say that the past is shown, or no longer."""
        raise NotImplementedError

    def show_moment(self, detail: RunDetail, rows: run_panels.PanelRows) -> None:
        """Show a moment of the past in every panel."""
        raise NotImplementedError

    def show_now(self) -> None:
        """Show now in every panel."""
        raise NotImplementedError

    def go_on_to(self, goal: Goal) -> None:
        """Let the run itself go on to what is still to come."""
        raise NotImplementedError
