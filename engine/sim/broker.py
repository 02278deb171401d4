"""Open orders against a grid point: the policy's O rules, in the order of O3.

A grid point has two phases, the open and the range of the bar (a third with close fills, where
market orders trade at the close). In each, sells go before buys, within a side by submission.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from engine.model import CashFlow, Decision, Rules
from engine.sim.fills import FillModel
from engine.sim.panel import Panel
from engine.sim.portfolio import Action, Book, Dividend, Split
from engine.sim.reasons import Reason
from engine.sim.records import FILL, REASONS, OrderLog
from engine.sim.tickets import Ticket

_NO_BAR = Reason.NO_BAR.value
_NO_POSITION = Reason.NO_POSITION.value
_CLIPPED = Reason.CLIPPED_TO_POSITION.value
_VOLUME_CAP = Reason.VOLUME_CAP.value
_BELOW_LOT = Reason.BELOW_LOT.value
_ALREADY_AT_TARGET = Reason.ALREADY_AT_TARGET.value
_OCO_CANCELLED = Reason.OCO_CANCELLED.value
_CORPORATE_ACTION = Reason.CORPORATE_ACTION.value
_SESSION_END = Reason.SESSION_END.value

SIZED_IN_SHARES: Final = frozenset({"shares", "target_shares"})
SIZED_BY_EQUITY: Final = frozenset({"weight", "target_weight"})
STOPS: Final = frozenset({"stop", "stop_limit"})


class Log:
    """What the steps being made have done so far; becomes a ``StepResult``."""

    __slots__ = ("cash_flows", "decisions", "fills", "orders")

    def __init__(self) -> None:
        self.decisions: list[tuple[int, Decision]] = []
        self.orders = OrderLog()
        self.fills = bytearray()
        self.cash_flows: list[CashFlow] = []


class Offer(NamedTuple):
    """A price at which an order could trade now; ``slips`` says whether slippage applies."""

    reference: float
    slips: bool


class Broker:
    """Settles grid points for one run's rules; all that changes is in the book and the tickets."""

    def __init__(self, panel: Panel, rules: Rules, actions: dict[int, tuple[Action, ...]]) -> None:
        flat = panel.flat
        self.fill_model = FillModel(panel, rules)
        self.grid = self.fill_model.grid
        self.actions = actions
        self.width = len(panel.symbols)
        self.symbols = panel.symbols
        self.opens, self.closes = flat["open"], flat["close"]
        self.highs, self.lows, self.marks = flat["high"], flat["low"], flat["mark"]
        self.stamps = panel.stamps.data
        self.sessions = panel.sessions.data
        self.last_step = panel.steps - 1
        self.daily = panel.timeframe == "1Day"
        self.short = rules.allow_short

    # -- a grid point, from its first moment to its last ------------------------------------------

    def open_and_range(
        self, book: Book, tickets: list[Ticket], step: int, log: Log, markets_at_open: bool
    ) -> None:
        """Corporate actions, what trades at the open, what the range reaches (O3)."""
        if step in self.actions or book.receivables:
            self.apply_actions(book, tickets, step, log)
        if not tickets:
            return
        snapshot = self._snapshot_for(book, tickets, step)
        self._at_open(book, tickets, step, log, markets_at_open, snapshot)
        self._in_range(book, tickets, step, log, snapshot)

    def apply_actions(self, book: Book, tickets: list[Ticket], step: int, log: Log) -> None:
        """Splits and dividends of a grid point, then payments due (M7, M8)."""
        for action in self.actions.get(step, ()):
            if isinstance(action, Dividend):
                book.earn(action, self.grid)
                continue
            self._cancel_for_split(tickets, action, step)
            flow = book.split(
                action,
                self.grid,
                self.opens[step * self.width + action.column],
                self.symbols[action.column],
                step,
                self.stamps[step],
            )
            if flow is not None:
                log.cash_flows.append(flow)
        if book.receivables:
            log.cash_flows += book.collect(self.symbols, step, self.stamps[step])
        book.changed()

    def at_close(self, book: Book, tickets: list[Ticket], step: int, log: Log) -> None:
        """Market orders at the close of the bar they were decided on (G3, fill=close)."""
        row = step * self.width
        ready: list[tuple[Ticket, Offer]] = []
        by_equity = False
        for ticket in tickets:
            if ticket.closed_step is not None or ticket.order_type != "market":
                continue
            price = self.closes[row + ticket.column]
            if price != price:
                if not ticket.gtc:
                    ticket.close(_NO_BAR, step)
                continue
            ready.append((ticket, Offer(price, True)))
            by_equity = by_equity or ticket.quantity_type in SIZED_BY_EQUITY
        if ready:
            equity = book.equity(self.grid, self.marks, row) if by_equity else 0.0
            self._size_markets(book, ready, equity, step)
            self._trade_markets(book, tickets, ready, step, log, row)

    def end_session(self, tickets: list[Ticket], step: int) -> None:
        """Expire DAY orders of a session that ends here (O9).

        A session's end is known from the next grid point's session, and for daily bars, which are
        whole sessions, from the bar itself. Intraday data that just stops ends no session: what
        rests there expires with the data.
        """
        session = self.sessions[step]
        over = self.sessions[step + 1] != session if step < self.last_step else self.daily
        if over:
            for ticket in tickets:
                if (
                    ticket.closed_step is None
                    and not ticket.gtc
                    and ticket.session is not None
                    and ticket.session <= session
                ):
                    ticket.close(_SESSION_END, step)

    # -- the two phases ---------------------------------------------------------------------------

    def _at_open(
        self,
        book: Book,
        tickets: list[Ticket],
        step: int,
        log: Log,
        markets: bool,
        snapshot: float,
    ) -> None:
        row = step * self.width
        ready: dict[Ticket, Offer | None] = {}
        sized: list[tuple[Ticket, Offer]] = []
        for ticket in tickets:
            if ticket.closed_step is not None:
                continue
            price = self.opens[row + ticket.column]
            if price != price:
                if markets and ticket.order_type == "market" and not ticket.gtc:
                    ticket.close(_NO_BAR, step)
                continue
            if ticket.order_type == "market" and not markets:
                continue
            if ticket.session is None:
                ticket.session = self.sessions[step]
            if ticket.is_market:
                offer = Offer(price, True)
                sized.append((ticket, offer))
                ready[ticket] = offer
            else:
                ready[ticket] = None
        if sized:
            self._size_markets(book, sized, snapshot, step)
        waiting: list[Ticket] = []
        entries: dict[int, float] = {}
        for side in (-1, 1):
            for ticket, market in ready.items():
                if ticket.side != side or ticket.closed_step is not None:
                    continue
                if market is None and self._waits(book, ticket):
                    waiting.append(ticket)
                    continue
                offer_now = market or self._through(ticket, self.opens[row + ticket.column], step)
                if offer_now is not None:
                    self._trade(book, tickets, ticket, offer_now, step, log, snapshot, entries)
        for ticket in waiting:
            if ticket.closed_step is None and ticket.column in entries:
                offer_now = self._through(ticket, self.opens[row + ticket.column], step)
                if offer_now is not None:
                    self._trade(book, tickets, ticket, offer_now, step, log, snapshot, entries)

    def _in_range(
        self, book: Book, tickets: list[Ticket], step: int, log: Log, snapshot: float
    ) -> None:
        row = step * self.width
        resting = [
            ticket
            for ticket in tickets
            if ticket.closed_step is None
            and ticket.met_step != step
            and not ticket.is_market
            and self.opens[row + ticket.column] == self.opens[row + ticket.column]
        ]
        if not resting:
            return
        waiting: list[Ticket] = []
        entries: dict[int, float] = {}
        for side in (-1, 1):
            for ticket in resting:
                if ticket.side != side or ticket.closed_step is not None:
                    continue
                if ticket.met_step == step:
                    continue
                if self._waits(book, ticket):
                    waiting.append(ticket)
                    continue
                if not self._reaches(ticket, row):
                    continue
                # Of an OCO pair that could both trade in the bar, the stop goes first (O8).
                for stop in self._stops_before(ticket, resting, book, step, row):
                    self._trade_in_range(book, tickets, stop, step, log, snapshot, entries)
                if ticket.closed_step is None:
                    self._trade_in_range(book, tickets, ticket, step, log, snapshot, entries)
        # Entries of this phase let the sells that waited for them be tested: against the price of
        # the entry, as if the bar had opened there, then against the range; stops first.
        waiting.sort(key=lambda ticket: ticket.oco_group is None or ticket.order_type not in STOPS)
        for ticket in waiting:
            entry = entries.get(ticket.column)
            if entry is None or ticket.closed_step is not None:
                continue
            offer = self._through(ticket, entry, step)
            if offer is not None:
                self._trade(book, tickets, ticket, offer, step, log, snapshot, entries)
            elif ticket.met_step != step and self._reaches(ticket, row):
                self._trade_in_range(book, tickets, ticket, step, log, snapshot, entries)

    def _waits(self, book: Book, ticket: Ticket) -> bool:
        """Whether a resting sell has nothing to sell yet, and so waits for its entry (O3)."""
        return ticket.side < 0 and not self.short and book.lots[ticket.column] <= 0

    def _stops_before(
        self, ticket: Ticket, resting: list[Ticket], book: Book, step: int, row: int
    ) -> list[Ticket]:
        if ticket.oco_group is None or ticket.order_type in STOPS:
            return []
        return [
            other
            for other in resting
            if other.oco_group == ticket.oco_group
            and other.order_type in STOPS
            and not other.triggered
            and other.closed_step is None
            and other.met_step != step
            and not self._waits(book, other)
            and self._reaches(other, row)
        ]

    def _through(self, ticket: Ticket, price: float, step: int) -> Offer | None:
        """The offer where ``price``, an open, is at or through what the order asks for (O8).

        A stop-limit whose stop is met and whose limit is not becomes a limit for the next bar.
        """
        side = ticket.side
        if ticket.order_type == "limit" or ticket.triggered:
            limit = ticket.limit
            assert limit is not None
            return Offer(price, False) if side * (price - limit) <= 0.0 else None
        stop = ticket.stop
        assert stop is not None
        if side * (price - stop) < 0.0:
            return None
        if ticket.order_type == "stop":
            return Offer(price, True)
        return self._limited(ticket, price, step)

    def _reaches(self, ticket: Ticket, row: int) -> bool:
        """Whether the bar's range touches the order's price."""
        low, high = self.lows[row + ticket.column], self.highs[row + ticket.column]
        if ticket.order_type == "limit" or ticket.triggered:
            limit = ticket.limit
            assert limit is not None
            return low <= limit if ticket.side > 0 else high >= limit
        stop = ticket.stop
        assert stop is not None
        return high >= stop if ticket.side > 0 else low <= stop

    def _trade_in_range(
        self,
        book: Book,
        tickets: list[Ticket],
        ticket: Ticket,
        step: int,
        log: Log,
        snapshot: float,
        entries: dict[int, float],
    ) -> None:
        """Trade an order whose price the range touches, at that price."""
        offer: Offer | None
        if ticket.order_type == "limit" or ticket.triggered:
            assert ticket.limit is not None
            offer = Offer(ticket.limit, False)
        else:
            assert ticket.stop is not None
            if ticket.order_type == "stop":
                offer = Offer(ticket.stop, True)
            else:
                offer = self._limited(ticket, ticket.stop, step)
        if offer is not None:
            self._trade(book, tickets, ticket, offer, step, log, snapshot, entries)

    def _limited(self, ticket: Ticket, price: float, step: int) -> Offer | None:
        """A stop-limit at its trigger: an offer if its limit allows it, else a limit from the
        next bar on. It is a limit by then, so nothing slips (M4)."""
        assert ticket.limit is not None
        if ticket.side * (price - ticket.limit) <= 0.0:
            return Offer(price, False)
        ticket.triggered = True
        ticket.met_step = step
        return None

    # -- sizing -----------------------------------------------------------------------------------

    def _snapshot_for(self, book: Book, tickets: list[Ticket], step: int) -> float:
        """Equity at this grid point's opens, before its first fill (O7); 0 where nobody asks."""
        if not any(
            ticket.lots is None and ticket.quantity_type in SIZED_BY_EQUITY
            for ticket in tickets
            if ticket.closed_step is None
        ):
            return 0.0
        return self.equity_at_open(book, step)

    def equity_at_open(self, book: Book, step: int) -> float:
        """Cash, holdings at the open (the last close where there is none), receivables (O7)."""
        row = step * self.width
        total = book.cash
        opens, lots = self.opens, book.lots
        factor, divisor = self.grid.factor, self.grid.divisor
        for column in book.held:
            price = opens[row + column]
            if price != price:
                price = self.marks[row - self.width + column]
            total += lots[column] * factor / divisor * price
        return total + book.receivable() if book.receivables else total

    def _size_markets(
        self, book: Book, ready: list[tuple[Ticket, Offer]], equity: float, step: int
    ) -> None:
        """Turn weights, notionals and targets into lots, before anything of the phase trades.

        A target is compared with the holding as the intents submitted before it, at the same grid
        point, would leave it: two targets for one symbol do not add up.
        """
        projected: dict[int, int] = {}
        for ticket, offer in ready:
            column = ticket.column
            holding = projected.get(column, book.lots[column])
            if ticket.lots is None:
                requested = ticket.requested
                assert requested is not None
                price = offer.reference
                if ticket.quantity_type == "notional":
                    wanted = self.grid.count(requested / price)
                elif ticket.quantity_type == "weight":
                    # Shorts can leave no equity at an open; a part of that is no quantity.
                    wanted = self.grid.count(max(requested * equity, 0.0) / price)
                else:
                    shares = (
                        requested
                        if ticket.quantity_type == "target_shares"
                        else requested * equity / price
                    )
                    difference = self.grid.toward_zero(shares) - holding
                    if not difference:
                        ticket.close(_ALREADY_AT_TARGET, step)
                        continue
                    ticket.side = 1 if difference > 0 else -1
                    wanted = abs(difference)
                if not wanted:
                    ticket.close(_BELOW_LOT, step)
                    continue
                ticket.size(ticket.side, wanted)
            lots = ticket.lots
            assert lots is not None
            holding += ticket.side * (lots - ticket.filled_lots)
            projected[column] = holding if self.short else max(holding, 0)

    # -- trading ----------------------------------------------------------------------------------

    def _trade_markets(
        self,
        book: Book,
        tickets: list[Ticket],
        ready: list[tuple[Ticket, Offer]],
        step: int,
        log: Log,
        mark_row: int,
    ) -> None:
        for side in (-1, 1):
            for ticket, offer in ready:
                if ticket.side == side and ticket.closed_step is None:
                    self._trade(book, tickets, ticket, offer, step, log, 0.0, {}, mark_row)

    def _trade(
        self,
        book: Book,
        tickets: list[Ticket],
        ticket: Ticket,
        offer: Offer,
        step: int,
        log: Log,
        snapshot: float,
        entries: dict[int, float],
        mark_row: int | None = None,
    ) -> None:
        """Trade one order at its offer; it ends, or rests with what is left (O4, O5, O10).

        ``entries`` collects the prices of buys by column. Exposure is valued at the closes of the
        grid point before, or of row ``mark_row``.
        """
        grid = self.grid
        if ticket.lots is None:
            # A priced order in currency or weight is sized at the price it trades at.
            assert ticket.requested is not None
            amount = ticket.requested
            if ticket.quantity_type == "weight":
                amount *= snapshot
            wanted = grid.count(max(amount, 0.0) / offer.reference)
            if not wanted:
                ticket.close(_BELOW_LOT, step)
                return
            ticket.lots = wanted
        earlier = None
        if ticket.filled_lots:
            earlier = (grid.quantity(ticket.filled_lots), ticket.notional, ticket.paid)
        leg = (
            ticket.number,
            ticket.column,
            ticket.lots - ticket.filled_lots,
            offer.reference,
            0.0,
            0,
            -1,
        )
        filled, code = self.fill_model.execute(
            book,
            log.fills,
            log.orders.rows,
            self.marks,
            (step - 1) * self.width if mark_row is None else mark_row,
            step,
            ticket.step,
            () if ticket.side > 0 else (leg,),
            (leg,) if ticket.side > 0 else (),
            offer.slips,
            earlier,
        )
        reason = REASONS[code]
        ticket.met_step = step
        if filled:
            price, _, commission = FILL.unpack_from(log.fills, len(log.fills) - FILL.size)[6:9]
            ticket.filled_lots += filled
            ticket.notional += grid.quantity(filled) * price
            ticket.paid += commission
            ticket.touched = True
            if ticket.side > 0:
                entries[ticket.column] = offer.reference
            if ticket.oco_group is not None:
                self._cancel_siblings(tickets, ticket, step)
        if reason == _VOLUME_CAP and ticket.gtc:
            if ticket.order_type in STOPS:
                ticket.triggered = True
            return
        if reason == _NO_POSITION and ticket.filled_lots:
            reason = _CLIPPED
        ticket.close(reason, step)

    def _cancel_siblings(self, tickets: list[Ticket], ticket: Ticket, step: int) -> None:
        for other in tickets:
            if (
                other.oco_group == ticket.oco_group
                and other is not ticket
                and other.closed_step is None
            ):
                other.close(_OCO_CANCELLED, step)

    def _cancel_for_split(self, tickets: list[Ticket], action: Split, step: int) -> None:
        """A split ends the symbol's orders whose price or number is of old shares (O9)."""
        for ticket in tickets:
            if ticket.column != action.column or ticket.closed_step is not None:
                continue
            in_shares = ticket.quantity_type in SIZED_IN_SHARES or ticket.lots is not None
            if ticket.order_type != "market" or in_shares:
                ticket.close(_CORPORATE_ACTION, step)


def cancel_tagged(tickets: list[Ticket], tags: Collection[str], step: int) -> None:
    """Cancel the open orders that carry one of the tags."""
    for ticket in tickets:
        if ticket.tag in tags and ticket.closed_step is None:
            ticket.close(Reason.CANCELLED_BY_USER.value, step)


def close_all(tickets: list[Ticket], reason: Reason, step: int) -> None:
    """End whatever is still alive."""
    for ticket in tickets:
        if ticket.closed_step is None:
            ticket.close(reason.value, step)
