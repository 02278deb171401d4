"""Driving a run: play and pause, steps, on to the next thing, speed, rewind, fork, cancel."""

from __future__ import annotations

from functools import partial

from tui.messages import Acted
from tui.screens.dialogs import ConfirmDialog
from tui.screens.run_base import by_hand
from tui.screens.run_looking import Looking
from tui.viewmodel import runs, time_walk
from tui.viewmodel.speeds import faster, slower


class Transport(Looking):
    """What moves the run; where the past is shown, the same keys move the look at it."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.speed: float | None = None

    # -- on -------------------------------------------------------------------------------------

    @property
    def _drives(self) -> bool:
        situation = self.situation()
        return situation is not None and situation.drives

    def action_play(self) -> None:
        """Let the run go on, or pause it; in the past and in runs that ended, replay."""
        record, gateway = self.head, self.deck.gateway
        if record is None:
            return
        if not self._drives:
            self.toggle_replay()
        elif self.moves("play"):
            if record.status == "paused":
                self.ask("let the run go on", "play", partial(gateway.resume, self.run_id))
            else:
                self.ask("pause the run", "play", partial(gateway.pause, self.run_id))

    def action_take_up(self) -> None:
        """Take up the interrupted run."""
        self.look_now()
        self.ask("take up the run", "take_up", partial(self.deck.gateway.take_up, self.run_id))

    def action_step(self) -> None:
        """One step."""
        self._step(1, "step")

    def action_step_ten(self) -> None:
        """Ten steps."""
        self._step(10, "step_ten")

    def _step(self, count: int, action: str) -> None:
        if not self._drives:
            self.look_by(count)
        elif self.moves(action):
            self.ask("step", action, partial(self.deck.gateway.step, self.run_id, count))

    def action_next_fill(self) -> None:
        """On to the next fill."""
        self._on(time_walk.fill_stops, "no later fill")

    def action_next_decision(self) -> None:
        """On to the next decision that does not hold."""
        self._on(time_walk.decision_stops, "no later decision")

    def action_next_session(self) -> None:
        """On to the next session."""
        self._on(lambda _: self._sessions(), "no later session")

    def _on(self, stops_of: time_walk.Stops, otherwise: str) -> None:
        if self.now is not None:
            self.look_on_to(stops_of(self.now), otherwise)

    # -- speed ----------------------------------------------------------------------------------

    def action_faster(self) -> None:
        """More steps a second."""
        if self._drives:
            self._set_speed(faster(self.speed))
        else:
            self.replay_speed = faster(self.replay_speed) or self.replay_speed
            self.show_pace()

    def action_slower(self) -> None:
        """Fewer steps a second."""
        if self._drives:
            self._set_speed(slower(self.speed))
        else:
            self.replay_speed = slower(self.replay_speed)
            self.show_pace()

    def _set_speed(self, speed: float | None) -> None:
        if not self.moves("faster"):
            return
        self.speed = speed
        self.ask(
            "change the speed", "faster", partial(self.deck.gateway.set_speed, self.run_id, speed)
        )
        self.show_pace()

    def pace_text(self) -> str:
        """How fast it goes, in words; empty where nothing goes."""
        record = self.record
        if record is None:
            return ""
        if self.at is not None:
            return f"replay {self.replay_speed:g} steps/s" if self.replaying else ""
        if not self._drives or by_hand(record):
            return ""
        return "full speed" if self.speed is None else f"{self.speed:g} steps/s"

    def show_pace(self) -> None:
        """Say how fast it goes."""
        raise NotImplementedError

    # -- its end ----------------------------------------------------------------------------------

    def action_cancel(self) -> None:
        """Ask, then cancel the run."""
        record = self.record
        if record is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.ask("cancel the run", "cancel", partial(self.deck.gateway.cancel, self.run_id))

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

    def on_acted(self, message: Acted) -> None:
        """The service has done it: look at once."""
        message.stop()
        self.deck.poller.look_now()
