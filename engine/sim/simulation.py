"""The pure step function: a state and a decision in, the next state and what happened out.

With next-open fills ``start`` settles grid point 0, ``step`` takes decision k and settles k + 1,
and the last decision settles nothing more: it closes what is left. With close fills ``start``
settles nothing and decision k settles k. ``advance`` makes many steps at once; its results are
those of ``step``, bit for bit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence, Sized
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from engine.codec import as_decision
from engine.errors import StepNotActive, StrategyFault
from engine.model import HOLD, Decision, OrderRecord, Rules, Target
from engine.sim.broker import Broker, Log, cancel_tagged, close_all
from engine.sim.fills import FillModel
from engine.sim.intake import plain, take_in
from engine.sim.observation import Observation, View
from engine.sim.panel import Floats, Panel
from engine.sim.portfolio import Book, schedule
from engine.sim.quick import settle_markets
from engine.sim.reasons import Reason
from engine.sim.records import FILL_ROW, Fills, Legend, rows_of
from engine.sim.state import NO_ROWS, Advance, Ended, Receivable, State, StepResult
from engine.sim.tickets import Ticket

# Below this many rows a loop over scalars is faster than numpy; both give the same bits.
_VECTOR_ROWS: Final = 12
_TARGETS: Final = {Target}
_new_decision = tuple.__new__

Decide = Callable[[Observation], object]
# What a decision at a step raised, as a fault of its strategy.
Explain = Callable[[BaseException, int], StrategyFault]


class Simulation:
    """One run's bars under one run's rules. Holds no state of the run, and so can serve many.

    ``params`` is what observations show as ``params``.
    """

    def __init__(
        self, panel: Panel, rules: Rules, params: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.panel = panel
        self.rules = rules
        self.params = MappingProxyType(dict(params))
        self._actions = dict(schedule(panel))
        self._action_steps = sorted(self._actions)
        self._broker = Broker(panel, rules, self._actions)
        self._grid = self._broker.grid
        self._marks = self._broker.marks
        self._columns = dict(panel.index)
        self._width = len(panel.symbols)
        self._steps = panel.steps
        # How far settling runs ahead of deciding: 1 with next-open fills, 0 with close fills.
        self._lead = 1 if rules.fill == "next_open" else 0
        self.legend = Legend(panel.symbols, panel.stamps, self._grid.factor, self._grid.divisor)
        self._view = View(panel, self._grid, rules.seed, self.params)

    @property
    def total_steps(self) -> int:
        """Decisions in a whole run: one per grid point."""
        return self._steps

    def initial(self) -> State:
        """The state before anything has happened."""
        width = self._width
        return State(0, 0, float(self.rules.cash), (0,) * width, (0.0,) * width, (0.0,) * width)

    def start(self, state: State) -> tuple[State, StepResult]:
        """Open the run: with next-open fills settle grid point 0. Raises ``StepNotActive``."""
        if state.settled or state.decided:
            raise StepNotActive("the run has started", field="step")
        if not self._lead:
            return state, StepResult(0, NO_ROWS, NO_ROWS)
        batch = _Batch(self, state, 1)
        batch.settle_start()
        return batch.finish()

    def observe(self, state: State) -> Observation:
        """What the next decision may see. Raises ``StepNotActive`` if there is none to make."""
        self._check(state)
        return _Batch(self, state, 0).observation()

    def step(self, state: State, decision: Decision) -> tuple[State, StepResult]:
        """Make one decision and settle what it settles.

        Raises ``StepNotActive`` if the run has not started or is over; ``StrategyError`` if the
        decision holds something that is no order.
        """
        self._check(state)
        batch = _Batch(self, state, 1)
        batch.make(decision)
        return batch.finish()

    def advance(
        self,
        state: State,
        decide: Decide,
        stop: int,
        explain: Explain | None = None,
        halt: Sized = (),
    ) -> Advance:
        """Ask ``decide`` for decisions until ``stop`` of them are made, or the run is over.

        Once ``halt`` holds anything (another thread may put it there), it ends after the decision
        in progress.
        ``decide`` gets each step's observation and answers what ``codec.as_decision`` takes. A
        ``StrategyFault`` ends the advance before that step and is given back, as ``explain`` says
        it if given; so does what ``explain`` makes of any other exception of ``decide``, which
        passes through without it. Raises ``StepNotActive`` as ``step`` does.
        """
        self._check(state)
        stop = min(stop, self._steps)
        batch = _Batch(self, state, max(stop - state.decided, 0))
        fault: StrategyFault | None = None
        while fault is None and batch.decided < stop and batch.ended is None:
            try:
                decision = batch.ask_while_plain(decide, stop, explain, halt)
                if decision is not None:
                    batch.make(decision)
            except StrategyFault as raised:
                fault = raised if explain is None else explain(raised, batch.decided)
            if halt:
                break
        after, result = batch.finish()
        return Advance(after, result, fault)

    def close(self, state: State, reason: Reason) -> StepResult:
        """The records that end the open orders of a run that stops here, cancelled for a reason.

        For runs that end from outside (``Reason.RUN_ENDED``); it settles nothing.
        """
        tickets = [Ticket.thaw(order) for order in state.orders]
        close_all(tickets, reason, max(state.settled - 1, 0))
        return StepResult(
            state.settled,
            NO_ROWS,
            NO_ROWS,
            orders=tuple((state.settled, ticket.record(self._grid)) for ticket in tickets),
        )

    def open_records(self, state: State) -> tuple[OrderRecord, ...]:
        """The records of the orders that are alive in ``state``, in order of submission."""
        return tuple(Ticket.thaw(order).record(self._grid) for order in state.orders)

    def plain_until(self, state: State, stop: int) -> int:
        """The first decision, of the present one to ``stop``, that has more to it than the market.

        Before it nothing is open, no corporate action applies, no payment is due, and the run does
        not end with the data; orders may be made and marks move.
        """
        if state.orders or state.done:
            return state.decided
        return self._plain_until(state.settled, state.receivables, stop)

    def _plain_until(self, settled: int, receivables: Sequence[Receivable], stop: int) -> int:
        due = self._steps
        position = bisect_right(self._action_steps, settled - 1)
        if position < len(self._action_steps):
            due = self._action_steps[position]
        for claim in receivables:
            due = min(due, claim.pay_step)
        # The last decision closes the run: it is never a mere hold.
        return min(stop, due - self._lead, self._steps - 1)

    @property
    def lead(self) -> int:
        """How far settling runs ahead of deciding: 1 with next-open fills, 0 with close fills."""
        return self._lead

    @property
    def fill_model(self) -> FillModel:
        """What executes orders, with the figures of the rules as it uses them."""
        return self._broker.fill_model

    def _check(self, state: State) -> None:
        if state.done:
            raise StepNotActive(f"the run is over ({state.ended})", field="step")
        if state.settled != state.decided + self._lead:
            raise StepNotActive("the run has not started", field="step")


def _decision(answer: object) -> Decision:
    """As ``as_decision``, without the loop where the answer is a list of targets."""
    if (type(answer) is list or type(answer) is tuple) and _TARGETS.issuperset(map(type, answer)):
        return _new_decision(Decision, ((), tuple(answer), (), None, None))
    return as_decision(answer)


class _Batch:
    """A run of steps in the making: the book, the open tickets and the rows so far."""

    __slots__ = (
        "_broker",
        "_cash",
        "_equity",
        "_fills_before",
        "_first",
        "_log",
        "_sim",
        "book",
        "decided",
        "ended",
        "settled",
        "tickets",
    )

    def __init__(self, sim: Simulation, state: State, rows: int) -> None:
        self._sim = sim
        self._broker = sim._broker
        self.book = Book(
            state.cash, state.lots, state.avg_costs, state.receivables, state.fills_made
        )
        self.tickets = [Ticket.thaw(order) for order in state.orders]
        self.decided = state.decided
        self.settled = self._first = state.settled
        self.ended: Ended | None = state.ended
        self._equity: Floats = np.empty(rows)
        self._cash: Floats = np.empty(rows)
        self._log = Log()
        self._fills_before = state.fills_made

    # -- deciding ---------------------------------------------------------------------------------

    def observation(self) -> Observation:
        """The observation of the next decision.

        With close fills the decision comes at the bar's close, after that bar's corporate actions
        and resting orders: they are played on a copy, and played for good when the step is made.
        """
        sim, step = self._sim, self.decided
        if sim._lead or not (self.tickets or self._acts(step)):
            return Observation(sim._view, step, self.book.account())
        book = self.book
        preview = Book(book.cash, book.lots, book.avg_costs, book.receivables, book.fills_made)
        tickets = [Ticket.thaw(ticket.freeze()) for ticket in self.tickets]
        sim._broker.open_and_range(preview, tickets, step, Log(), markets_at_open=False)
        return Observation(sim._view, step, preview.account())

    def ask_while_plain(
        self, decide: Decide, stop: int, explain: Explain | None, halt: Sized
    ) -> Decision | None:
        """Ask for decisions, and make them, while there is no more to it than the market.

        The first decision that has more to it is given back, to be made in full; None at the end.
        Plain means that nothing is open and no corporate action is due. Then an order ends where it
        meets the market, and holding a step changes no more than the equity row: a whole stretch
        of rows is computed at once.
        """
        begin = self.decided
        end = self._quiet_until(stop)
        if end <= begin:
            observation = self.observation()
            try:
                decision = _decision(decide(observation))
            except StrategyFault:
                raise
            except BaseException as error:
                if explain is None:
                    raise
                raise explain(error, begin) from error
            return decision if not decision.holds else HOLD
        view, account = self._sim._view, self.book.account()
        step = begin
        try:
            for step in range(begin, end):
                if halt and step > begin:
                    return None
                try:
                    answer = decide(Observation(view, step, account))
                    if answer is None:
                        continue
                    decision = _decision(answer)
                    if decision.holds:
                        continue
                except StrategyFault:
                    raise
                except BaseException as error:
                    if explain is None:
                        raise
                    raise explain(error, step) from error
                if step > self.decided:
                    self._settle_quiet(step - self.decided)
                if not self._trade(decision):
                    return decision
                if self.ended is not None or self._sim._broker.short:
                    return None  # a short that was opened here can ruin the run at any point
                account = self.book.account()
            step = end
            return None
        finally:
            # On a fault, too: the steps before it held.
            if step > self.decided:
                self._settle_quiet(step - self.decided)

    def _trade(self, decision: Decision) -> bool:
        """Make a decision where nothing is open, due or last; False, with nothing done, if it is
        not of market orders alone."""
        sim, book, decided = self._sim, self.book, self.decided
        if book.receivables:
            return False
        step = decided + sim._lead
        log = self._log
        at_close = not sim._lead
        if not settle_markets(
            self._broker, book, decided, step, decision, sim._columns, at_close, log
        ):
            return False
        log.decisions.append((decided, decision))
        self.decided = decided + 1
        self._settle_row(step)
        return True

    def _quiet_until(self, stop: int) -> int:
        """The first decision, from the present one on, that may not be taken as a quiet hold."""
        sim, book = self._sim, self.book
        if self.tickets or (not book.held and book.cash <= 0.0):
            return self.decided
        if sim._broker.short and (
            book.cash < 0.0
            or any(count < 0 for count in book.lots)
            or any(claim.amount < 0.0 for claim in book.receivables)
        ):
            return self.decided  # a short, or what one left to pay, can ruin the run at any point
        return sim._plain_until(self.settled, book.receivables, stop)

    def _acts(self, step: int) -> bool:
        return step in self._sim._actions or bool(self.book.receivables)

    # -- settling ---------------------------------------------------------------------------------

    def make(self, decision: Decision) -> None:
        """Make one decision and settle the grid point that it settles, if any."""
        sim, decided = self._sim, self.decided
        step = decided + sim._lead
        last = decided == sim._steps - 1
        holds, acts = decision.holds, self._acts(step)
        if self.tickets or last or (acts and not holds):
            self._make_in_full(decision, decided, step, last)
            return
        if holds:
            if acts:
                self._broker.apply_actions(self.book, self.tickets, step, self._log)
            self.decided = decided + 1
            self._settle_row(step)
        elif not self._trade(decision):
            self._make_in_full(decision, decided, step, last)

    def _make_in_full(self, decision: Decision, decided: int, step: int, last: bool) -> None:
        sim, broker, book, log = self._sim, self._broker, self.book, self._log
        decision = plain(decision)
        tickets = self.tickets
        if not sim._lead:
            broker.open_and_range(book, tickets, step, log, markets_at_open=False)
        if decision.cancels:
            cancel_tagged(tickets, frozenset(decision.cancels), decided)
        taken = take_in(decision, decided, sim._columns, sim._grid)
        if last and sim._lead:
            close_all(taken, Reason.NO_NEXT_BAR, decided)
        else:
            tickets += taken
            if sim._lead:
                broker.open_and_range(book, tickets, step, log, markets_at_open=True)
            else:
                broker.at_close(book, tickets, step, log)
            broker.end_session(tickets, step)
        self.decided = decided + 1
        if not decision.holds:
            log.decisions.append((decided, decision))
        if not (last and sim._lead):
            self._settle_row(step)
        if last and self.ended is None:
            if sim._lead:
                tickets += taken
            else:
                close_all(
                    [ticket for ticket in tickets if ticket.step == decided],
                    Reason.NO_NEXT_BAR,
                    decided,
                )
            close_all(tickets, Reason.END_OF_DATA, decided)
            self.ended = "end_of_data"
        self._report(step)

    def _report(self, step: int) -> None:
        """Log the records touched, in order of submission; drop the tickets that have ended."""
        alive = []
        for ticket in self.tickets:
            if ticket.touched:
                self._log.orders.add(step, ticket.record(self._sim._grid))
                ticket.touched = False
            if ticket.closed_step is None:
                alive.append(ticket)
        self.tickets = alive

    def settle_start(self) -> None:
        """Settle grid point 0 before any decision."""
        if self._acts(0):
            self._broker.apply_actions(self.book, self.tickets, 0, self._log)
        self._settle_row(0)

    def _settle_row(self, step: int) -> None:
        """Write the row of a grid point that is settled; equity at or below zero is ruin (O5)."""
        at = step - self._first
        book, sim = self.book, self._sim
        equity = book.equity(sim._grid, sim._marks, step * sim._width)
        self._equity[at] = equity
        self._cash[at] = book.cash
        self.settled = step + 1
        if equity <= 0.0:
            close_all(self.tickets, Reason.RUIN, step)
            self.ended = "ruin"

    def _settle_quiet(self, count: int) -> None:
        """Settle so many held steps: the same sums as ``Book.equity``, a row or many at a time."""
        if count < _VECTOR_ROWS:
            for step in range(self.settled, self.settled + count):
                self._settle_row(step)
        else:
            sim, book = self._sim, self.book
            first, stop = self.settled, self.settled + count
            rows = slice(first - self._first, stop - self._first)
            total = self._equity[rows]
            total[:] = book.cash
            for column in book.held:
                total += sim._grid.quantity(book.lots[column]) * sim.panel.mark[first:stop, column]
            if book.receivables:
                total += book.receivable()
            self._cash[rows] = book.cash
            self.settled = stop
        self.decided += count

    def finish(self) -> tuple[State, StepResult]:
        """The state after the batch, and what it did."""
        book, log = self.book, self._log
        sim, rows = self._sim, self.settled - self._first
        equity, cash = self._equity[:rows], self._cash[:rows]
        equity.flags.writeable = cash.flags.writeable = False
        quantity = sim._grid.quantity
        state = State(
            self.decided,
            self.settled,
            book.cash,
            tuple(book.lots),
            tuple(quantity(lots) for lots in book.lots),
            tuple(book.avg_costs),
            tuple(ticket.freeze() for ticket in self.tickets),
            tuple(book.receivables),
            book.fills_made,
            self.ended,
        )
        return state, StepResult(
            self._first,
            equity,
            cash,
            tuple(log.decisions),
            log.orders.finish(sim.legend),
            Fills(sim.legend, rows_of(log.fills, FILL_ROW), self._fills_before),
            tuple(log.cash_flows),
        )
