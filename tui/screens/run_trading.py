"""Trading by hand: the ticket, hold, close and reverse, in any run that is live."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from engine.model import Decision, Target
from engine.sim.preview import Standing
from tui.gateway import rules_of
from tui.screens.run_base import RunBase
from tui.viewmodel import run_panels
from tui.viewmodel.ticket import standing_of
from tui.widgets.table import DeckTable


class Trading(RunBase):
    """What decides a step by hand. A run that moves by itself is paused first."""

    def decide(self, title: str, action: str, step: int, decision: Decision) -> None:
        """Make the decision of ``step``, and of no other: one that came meanwhile is refused."""
        self.ask(title, action, partial(self.deck.gateway.submit, self.run_id, step, decision))

    def action_hold(self) -> None:
        """Hold this step."""
        record = self.head
        if record is None:
            return
        if record.by_hand:
            # Not by number: holding three times in a row may outrun what the screen has seen.
            self.ask("hold", "hold", partial(self.deck.gateway.step, self.run_id, 1))
        else:
            self._decide_now("hold", "hold", lambda _: Decision())

    def action_close_position(self) -> None:
        """Trade the symbol shown out to nothing; in the positions, all marked ones at once."""
        situation, table = self.situation(), self.focused
        if situation is not None and situation.marked_positions and isinstance(table, DeckTable):
            closed = Decision(targets=tuple(Target(symbol, shares=0.0) for symbol in table.marked))
            self._decide_now("close the positions", "close_position", lambda _: closed)
        else:
            self._decide_now("close the position", "close_position", lambda _: 0.0)

    def action_reverse(self) -> None:
        """As much of the symbol shown on the other side."""
        self._decide_now("reverse the position", "reverse", lambda held: -held)

    def _decide_now(
        self, title: str, action: str, wanted: Callable[[float], float | Decision]
    ) -> None:
        """Decide the step that is due, once the run stands; a number is the holding to reach."""

        def then() -> None:
            now, symbol = self.now, self.symbol
            if now is None or symbol is None or now.next_decision is None:
                return
            held = run_panels.holding(now.positions, symbol)
            said = wanted(held.quantity if held is not None else 0.0)
            if not isinstance(said, Decision):
                said = Decision(targets=(Target(symbol, shares=said),))
            self.decide(title, action, now.next_decision, said)

        self.once_still(then)

    # -- the ticket -----------------------------------------------------------------------------

    def action_buy(self) -> None:
        """The ticket, set to buy."""
        self.once_still(partial(self._open_ticket, "buy", full=False))

    def action_sell(self) -> None:
        """The ticket, set to sell."""
        self.once_still(partial(self._open_ticket, "sell", full=False))

    def action_ticket(self) -> None:
        """The full ticket."""
        self.once_still(partial(self._open_ticket, "buy", full=True))

    def standing(self) -> Standing | None:
        """What the account stands at, for the ticket."""
        now, panel = self.now, self.panel
        if now is None or panel is None or not now.record.step_index:
            return None
        return standing_of(now, panel, rules_of(now.record))

    def _open_ticket(self, side: str, *, full: bool) -> None:
        from tui.screens.ticket import TicketDialog

        now, standing, symbol = self.now, self.standing(), self.symbol
        if now is None or standing is None or symbol is None or now.next_decision is None:
            return
        step = now.next_decision

        def answered(decision: Decision | None) -> None:
            if decision is not None:
                self.decide("place the order", "ticket", step, decision)

        self.deck.push_screen(TicketDialog(side, symbol, standing, step=step, full=full), answered)
