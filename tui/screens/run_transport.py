"""Driving a run: play and pause, steps, on to the next thing, speed, rewind, fork, cancel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tui.messages import Acted
from tui.screens.dialogs import ConfirmDialog
from tui.screens.run_looking import Looking
from tui.steps import decided_at, number_of, settled_at
from tui.viewmodel import runs, time_walk
from tui.viewmodel.speeds import faster, slower

if TYPE_CHECKING:
    from tui.viewmodel.time_walk import Goal


BACK: Final = {
    "run.undo": "took decision {} back: it is to be made again",
    "run.rewind": "rewound: decision {} is to be made again; what was made is kept as discarded",
}
OPENS: Final = ("run.fork", "run.fork_saved", "run.again")


class Transport(Looking):
    """What moves the run; where the past is shown, the same keys move the look at it."""

    def __init__(self, run_id: str, at: int | None = None) -> None:
        super().__init__(run_id, at)
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
        self._on("fill", time_walk.fill_stops, "next_fill", "no later fill")

    def action_next_decision(self) -> None:
        """On to the next decision that does not hold."""
        self._on("decision", time_walk.decision_stops, "next_decision", "no later decision")

    def action_next_session(self) -> None:
        """On to the next session."""
        self._on("session_start", lambda _: self._sessions(), "next_session", "no later session")

    def _on(self, until: str, stops_of: time_walk.Stops, action: str, otherwise: str) -> None:
        if self._drives:
            if self.moves(action):
                self._run_to(until, action)
        elif self.now is not None:
            self.look_on_to(stops_of(self.now), otherwise)

    def go_on_to(self, goal: Goal) -> None:
        """Let the run go on to a step or a date; from the past it is now that goes on."""
        self.look_now()
        if goal.step is None:
            until = f"date >= {goal.day}"
        else:
            # A run stops before a decision: the one that is due where it stands at that step.
            until = f"step >= {self.decided_at(settled_at(goal.step))}"
        self._run_to(until, "go_to")

    def _run_to(self, until: str, action: str) -> None:
        self.ask("let the run go on", action, partial(self.deck.gateway.run_to, self.run_id, until))

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
        if not self._drives or record.by_hand:
            return ""
        return "full speed" if self.speed is None else f"{self.speed:g} steps/s"

    def show_pace(self) -> None:
        """Say how fast it goes."""
        raise NotImplementedError

    # -- elsewhere ------------------------------------------------------------------------------

    def action_rewind(self) -> None:
        """Ask, then make the past shown the present."""
        record, at = self.record, self.at
        if record is None or at is None or self.now is None:
            return
        step = self.decided_at(at)
        lost = record.step_index - at

        def answered(yes: bool | None) -> None:
            if yes:
                self._rewind(step, "rewind")

        self.deck.push_screen(
            ConfirmDialog(
                f"Rewind the run to step {number_of(at)}?",
                [
                    runs.one_line(record),
                    "",
                    f"{lost:,} later step{'s' if lost > 1 else ''} will be discarded.",
                    "The ledger keeps what is discarded, apart.",
                    "A fork leaves this run as it is.",
                ],
                "Rewind",
            ),
            answered,
        )

    def _rewind(self, step: int, action: str) -> None:
        self.look_now()
        self.ask("rewind the run", action, partial(self.deck.gateway.rewind, self.run_id, step))

    def decided_at(self, settled: int) -> int:
        """How many decisions are made at a moment: what rewind and fork are asked for."""
        assert self.now is not None
        return decided_at(self.now.record, settled)

    def action_undo(self) -> None:
        """Take back the newest step, decided by hand; nothing but that decision is lost."""
        now = self.now
        if now is not None and now.next_decision:
            self._rewind(now.next_decision - 1, "undo")

    def action_fork(self) -> None:
        """A new run with the decisions up to the moment shown; it opens at once."""
        now = self.now
        if now is None or not now.record.step_index:
            return
        step = self.decided_at(self.at or now.record.step_index)
        self.ask("fork the run", "fork", partial(self.deck.gateway.fork, self.run_id, step))

    def action_take_over(self) -> None:
        """Decide by hand from here, or let the strategy decide again."""
        record, gateway = self.record, self.deck.gateway
        if record is None:
            return
        if record.by_hand:
            self.ask("hand the run back", "take_over", partial(gateway.hand_back, self.run_id))
        else:
            self.ask("take the run over", "take_over", partial(gateway.take_over, self.run_id))

    def action_cancel(self) -> None:
        """Ask, then cancel the run."""
        record = self.record
        if record is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.cancel_run()

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
        """The service has done it: look at once; a run that was made opens."""
        message.stop()
        self.answered(message.records[0] if message.records else None)
        self.go_on()
        self.deck.poller.look_now()
        if message.action in BACK:
            (record,) = message.records
            due = decided_at(record, record.step_index)
            self.deck.say(BACK[message.action].format(due))
        if message.action in OPENS:
            (record,) = message.records
            # It looks as the run did that one stood on: say which this is.
            self.deck.notify(
                f"this is the fork, {record.run_id}; {self.run_id} stays as it is", markup=False
            )
            self.deck.open_run(record.run_id)
