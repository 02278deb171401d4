"""Trading by hand: the ticket, hold, close and reverse, in any run that is live."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from engine.model import Decision, RunRecord, Target
from engine.sim.preview import Standing
from tui.gateway import rules_of
from tui.screens.run_base import RunBase
from tui.steps import decided_at
from tui.viewmodel import run_panels
from tui.viewmodel.ticket import standing_of
from tui.widgets.table import DeckTable


class Trading(RunBase):
    """What decides a step by hand. A run that moves by itself is paused first."""

    def decide(
        self,
        title: str,
        action: str,
        wanted: Callable[[float], Decision],
        step: int | None = None,
    ) -> None:
        """Make the decision of ``step``, and of no other: one that came meanwhile is refused.

        None: of the one that is due when all that was asked before is done, in the order of the
        keys. ``wanted`` makes the decision of what is held of the symbol shown then.
        """
        head, symbol = self.head, self.symbol
        if head is None or symbol is None:
            return
        gateway, run_id = self.deck.gateway, self.run_id
        if head.status == "running" and not head.by_hand:
            self.ask("pause the run", "play", partial(gateway.pause, run_id))

        def deciding() -> RunRecord:
            record = gateway.record(run_id)
            due = decided_at(record, record.step_index) if step is None else step
            held = run_panels.holding(gateway.reader().positions(run_id), symbol)
            return gateway.submit(run_id, due, wanted(0.0 if held is None else held.quantity))

        self.ask(title, action, deciding)

    @property
    def _seen(self) -> int | None:
        """The decision that is due on the screen; None where it is about to be another."""
        return self.now.next_decision if self.now is not None and self.stands else None

    def action_hold(self) -> None:
        """Hold this step."""
        record = self.head
        if record is None:
            return
        if record.by_hand:
            # Not by number: holding three times in a row may outrun what the screen has seen.
            self.ask("hold", "hold", partial(self.deck.gateway.step, self.run_id, 1))
        else:
            self.decide("hold", "hold", lambda _: Decision(), self._seen)

    def action_close_position(self) -> None:
        """Trade the symbol shown out to nothing; in the positions, all marked ones at once."""
        situation, table, symbol = self.situation(), self.focused, self.symbol
        if situation is not None and situation.marked_positions and isinstance(table, DeckTable):
            symbols, title = tuple(table.marked), "close the positions"
        elif symbol is not None:
            symbols, title = (symbol,), "close the position"
        else:
            return
        closed = Decision(targets=tuple(Target(each, shares=0.0) for each in symbols))
        self.decide(title, "close_position", lambda _: closed, self._seen)

    def action_reverse(self) -> None:
        """As much of the symbol shown on the other side."""
        symbol = self.symbol
        if symbol is None:
            return

        def turned(held: float) -> Decision:
            return Decision(targets=(Target(symbol, shares=-held),))

        self.decide("reverse the position", "reverse", turned, self._seen)

    # -- the ticket -----------------------------------------------------------------------------

    def action_buy(self) -> None:
        """The ticket, set to buy."""
        self._want_ticket("buy", full=False)

    def action_sell(self) -> None:
        """The ticket, set to sell."""
        self._want_ticket("sell", full=False)

    def action_ticket(self) -> None:
        """The full ticket."""
        self._want_ticket("buy", full=True)

    def standing(self) -> Standing | None:
        """What the account stands at, for the ticket."""
        now, panel = self.now, self.panel
        if now is None or panel is None or not now.record.step_index:
            return None
        return standing_of(now, panel, rules_of(now.record))

    def _want_ticket(self, side: str, *, full: bool) -> None:
        head = self.head
        if head is not None and head.status == "running" and not head.by_hand:
            self.once_still(partial(self._open_ticket, side, full=full))
        else:
            # At once, whatever is still to be done: what is typed behind the key is for the ticket.
            self._open_ticket(side, full=full)

    def _open_ticket(self, side: str, *, full: bool) -> None:
        from tui.screens.ticket import TicketDialog

        now, standing, symbol = self.now, self.standing(), self.symbol
        if now is None or standing is None or symbol is None or now.next_decision is None:
            return
        step, early = now.next_decision, not self.stands
        dialog = TicketDialog(side, symbol, standing, step=step, full=full)

        def catch_up() -> None:
            now, standing = self.now, self.standing()
            if now is not None and standing is not None and now.next_decision is not None:
                dialog.stand(standing, now.next_decision)

        def answered(decision: Decision | None) -> None:
            if decision is not None:
                self.decide(
                    "place the order", "ticket", lambda _: decision, None if early else step
                )

        self.deck.push_screen(dialog, answered)
        if early:
            self.once_still(catch_up)
