"""One fill: how much of an order can trade at a price, what it costs, and what it does to the book.

Every fill of every run goes through ``FillModel.execute``, in this order: position, volume,
leverage, cash (policy O4, O5, O10). A limit replaces the reason of an earlier one only where it
cuts further, so the reason names the limit that decided the quantity.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Sequence
from math import ceil, floor
from typing import Final

import numpy as np

from engine.model import Rules
from engine.sim.costs import (
    FeeRates,
    charges_commission,
    commission_of,
    fee_rates,
    sale_fees,
)
from engine.sim.lots import MOST_LOTS, LotGrid
from engine.sim.panel import Floats, Panel
from engine.sim.portfolio import Book
from engine.sim.reasons import Reason
from engine.sim.records import FILL, ORDER, REASON_CODES

_NO_POSITION: Final = REASON_CODES[Reason.NO_POSITION.value]
_CLIPPED: Final = REASON_CODES[Reason.CLIPPED_TO_POSITION.value]
_VOLUME_CAP: Final = REASON_CODES[Reason.VOLUME_CAP.value]
_MAX_LEVERAGE: Final = REASON_CODES[Reason.MAX_LEVERAGE.value]
_INSUFFICIENT_CASH: Final = REASON_CODES[Reason.INSUFFICIENT_CASH.value]

# What rounding may make of a payment that cash covers exactly: an absolute part below every
# tolerance of the ledger, and some units in the last place of the cash, now or at the start: what
# is left of much money after many payments is as inexact as the much money was.
SLACK: Final = 1e-9
SLACK_OF_CASH: Final = 1e-15

_packed = FILL.pack
_pack_order = ORDER.pack_into

# An intent that trades: its number and column, its lots above zero, the price before slippage. Then
# what its packed row repeats: what it asked for and as what; and where in the orders' bytes that
# row stands, below zero for an order that has none.
Leg = tuple[int, int, int, float, float, int, int]


class FillModel:
    """Executes orders of one run against one book at a time; holds no state of the run."""

    __slots__ = (
        "_commission",
        "_costs",
        "_divisor",
        "_due",
        "_factor",
        "_initial_cash",
        "_limited",
        "_max_leverage",
        "_participation",
        "_rates",
        "_sessions",
        "_short",
        "_volumes",
        "_width",
        "down",
        "fees_by_session",
        "grid",
        "up",
    )

    def __init__(self, panel: Panel, rules: Rules) -> None:
        costs = rules.costs
        self.grid = LotGrid(rules.lot)
        self._factor, self._divisor = self.grid.factor, self.grid.divisor
        self._costs = costs
        self._commission = (
            charges_commission(costs),
            costs.commission_min,
            costs.commission_per_share,
            costs.commission_pct,
        )
        self._due = commission_of(costs)
        self.fees_by_session: tuple[FeeRates, ...] = tuple(
            fee_rates(costs, date) for date in panel.session_dates
        )
        self._rates: Floats | None = None
        slip = costs.slippage_bps / 10_000.0
        self.up, self.down = 1.0 + slip, 1.0 - slip
        self._participation = rules.participation
        self._short = rules.allow_short
        self._limited = rules.allow_short or rules.participation is not None
        self._initial_cash = rules.cash
        self._max_leverage = rules.max_leverage
        self._width = len(panel.symbols)
        self._volumes = panel.flat["volume"]
        self._sessions = panel.sessions.data

    @property
    def rates(self) -> Floats:
        """Fee rates by session: SEC per million, TAF per share, its cap. float64[sessions, 3]."""
        if self._rates is None:
            self._rates = np.array(self.fees_by_session)
            self._rates.flags.writeable = False
        return self._rates

    def execute(
        self,
        book: Book,
        fills: bytearray,
        orders: bytearray,
        marks: memoryview,
        mark_row: int,
        step: int,
        decided: int,
        sells: Sequence[Leg],
        buys: Sequence[Leg],
        slips: bool,
        earlier: tuple[float, float, float] | None = None,
    ) -> tuple[int, int]:
        """Trade what orders of one decision ask for, in turn: the sells, then the buys.

        Rows of what filled are added to ``fills``, and those of the orders are written into
        ``orders``. Returns lots filled and reason of the last leg, a place in ``REASONS``: 0 where
        all its lots filled; with nothing filled it says why. The orders are of the decision at step
        ``decided``; ``slips`` says whether slippage applies. ``marks[mark_row + column]`` are the
        last closes, for exposure. ``earlier`` is what the one order has filled before: quantity,
        notional, commission paid.
        """
        factor, divisor = self._factor, self._divisor
        short, limited = self._short, self._limited
        charges, least, per_share, pct = self._commission
        holdings, avg_costs, held = book.lots, book.avg_costs, book.held
        per_million = taf_rate = taf_cap = fees = 0.0
        lots = reason = made = 0
        for side, legs in ((-1, sells), (1, buys)):
            if not legs:
                continue
            if side < 0:
                per_million, taf_rate, taf_cap = self.fees_by_session[self._sessions[step]]
            else:
                fees = 0.0
            slip = 1.0 if not slips else self.up if side > 0 else self.down
            for number, column, wanted, reference, requested, kind, at in legs:
                lots = wanted
                position = holdings[column]
                reason = 0
                if side < 0 and lots > position and not short:
                    lots = max(0, position)
                    reason = _CLIPPED if lots else _NO_POSITION
                price = reference * slip
                if limited and lots:
                    most, why = self._limit(
                        book, marks, mark_row, step, column, side, lots, price, earlier
                    )
                    if most < lots:
                        lots = most
                        reason = why

                quantity = lots * factor / divisor
                notional = quantity * price
                if not charges:
                    commission = 0.0
                elif earlier is None:
                    # As `commission_of`, without the call.
                    commission = per_share * quantity + pct * notional
                    if commission < least:
                        commission = least
                    commission = ceil(100.0 * commission - 1e-6) / 100.0
                else:
                    commission = self._charge(quantity, notional, earlier)
                cash = book.cash
                if side > 0:
                    cost = notional + commission
                    if cost > cash and lots:
                        most = self._payable(cash, price, cost, position, lots, earlier)
                        if most < lots:
                            lots = most
                            reason = _INSUFFICIENT_CASH
                            quantity = lots * factor / divisor
                            notional = quantity * price
                            commission = self._charge(quantity, notional, earlier)
                            cost = notional + commission
                    after_cash = cash - cost
                    if after_cash < 0.0 <= cash:
                        after_cash = 0.0
                else:
                    # As `sale_fees`, without the calls.
                    fees = 0.0
                    if per_million:
                        fees = ceil(100.0 * (per_million * notional / 1e6) - 1e-6) / 100.0
                    if taf_rate:
                        taf = ceil(100.0 * (taf_rate * quantity) - 1e-6) / 100.0
                        fees += min(taf, taf_cap)
                    proceeds = notional - commission - fees
                    after_cash = cash + proceeds
                    if after_cash < 0.0 and proceeds < 0.0 and lots:
                        if after_cash < -self._slack(max(cash, 0.0), price):
                            lots = 0
                            reason = _INSUFFICIENT_CASH
                        after_cash = 0.0
                if at >= 0:
                    _pack_order(
                        orders, at, step, decided, number, column, wanted, lots, requested, side,
                        reason, kind,
                    )  # fmt: skip
                if not lots:
                    continue
                book.cash = after_cash

                after = position + side * lots
                avg_cost = avg_costs[column]
                if position * side < 0:
                    closed = quantity
                    through_zero = after * side > 0
                    if through_zero:
                        closed = -side * position * factor / divisor
                    realized = closed * (price - avg_cost) * -side - commission - fees
                    if not after:
                        avg_cost = 0.0
                        held.remove(column)
                    elif through_zero:  # what is left was opened at this price
                        avg_cost = price
                else:
                    realized = -commission - fees
                    if position:
                        owned = side * position * factor / divisor
                        avg_cost = (owned * avg_cost + notional) / (owned + quantity)
                    else:
                        avg_cost = price
                        insort(held, column)
                holdings[column] = after
                avg_costs[column] = avg_cost
                made += 1
                fills += _packed(
                    step,
                    decided,
                    number,
                    column,
                    side * lots,
                    after,
                    price,
                    reference,
                    commission,
                    fees,
                    realized + 0.0,  # never minus zero, as of a free purchase
                    avg_cost,
                )
        if made:
            book.fills_made += made
            book.changed()
        return lots, reason

    def _limit(
        self,
        book: Book,
        marks: memoryview,
        mark_row: int,
        step: int,
        column: int,
        side: int,
        lots: int,
        price: float,
        earlier: tuple[float, float, float] | None,
    ) -> tuple[int, int]:
        """The most of ``lots`` that the bar's volume and the leverage allow (O10, O5), and which of
        them cuts last."""
        reason = 0
        if self._participation is not None:
            volume = self._volumes[step * self._width + column]
            cap = self.grid.count(self._participation * volume)
            if cap < lots:
                lots, reason = cap, _VOLUME_CAP
        if self._short and lots:
            most = self._exposure_limit(
                book, marks, mark_row, step, column, side, lots, price, earlier
            )
            if most < lots:
                lots, reason = most, _MAX_LEVERAGE
        return lots, reason

    def _payable(
        self,
        cash: float,
        price: float,
        cost: float,
        position: int,
        lots: int,
        earlier: tuple[float, float, float] | None,
    ) -> int:
        """The most of ``lots``, which come to ``cost``, that ``cash`` below it pays for (O4)."""
        if cash < 0.0:
            # Only a dividend owed by a short does this; then only buys that cover it (O5).
            return min(lots, max(-position, 0))
        if cost <= cash + self._slack(cash, price):
            return lots
        return self._affordable(cash, price, lots, earlier)

    def _charge(
        self, quantity: float, notional: float, earlier: tuple[float, float, float] | None
    ) -> float:
        """Commission of the next fill: what is due so far less what was paid (policy M2)."""
        if not self._commission[0]:
            return 0.0
        if earlier is None:
            return self._due(quantity, notional)
        filled, traded, paid = earlier
        due = self._due(filled + quantity, traded + notional)
        return max(due - paid, 0.0)

    def _slack(self, cash: float, price: float) -> float:
        """What a payment may exceed cash by: never a millionth of a lot, nor a billionth."""
        return min(SLACK, 1e-6 * self.grid.lot * price) + SLACK_OF_CASH * max(
            cash, self._initial_cash
        )

    def _affordable(
        self,
        cash: float,
        price: float,
        wanted: int,
        earlier: tuple[float, float, float] | None,
    ) -> int:
        """The most lots, below ``wanted``, whose price and commission cash covers (policy O4)."""
        limit = cash + self._slack(cash, price)
        costs = self._costs

        def pays(lots: int) -> bool:
            quantity = lots * self._factor / self._divisor
            notional = quantity * price
            return notional + self._charge(quantity, notional, earlier) <= limit

        lot_price = price * self.grid.lot
        high = min(wanted, floor(min(limit / lot_price, MOST_LOTS)) + 2)  # too many, or wanted
        low = 0
        if self._commission[0]:
            # Commission is at most its minimum plus its linear part plus a cent of rounding.
            each = lot_price * (1.0 + costs.commission_pct) + (
                costs.commission_per_share * self.grid.lot
            )
            certain = floor((cash - costs.commission_min - 0.01) / each) - 1
        else:
            certain = high - 4
        if certain > 0 and certain < high and pays(certain):
            low = certain
        return _most(low, high, pays)

    def _exposure_limit(
        self,
        book: Book,
        marks: memoryview,
        mark_row: int,
        step: int,
        column: int,
        side: int,
        lots: int,
        price: float,
        earlier: tuple[float, float, float] | None,
    ) -> int:
        """The most lots after which gross exposure is within equity x max_leverage (policy O5).

        The symbol itself is valued at the fill price, the others at their last closes; costs come
        off equity. A fill that leaves no more exposure than there was is never cut.
        """
        position = book.lots[column]
        if abs(position + side * lots) <= abs(position):
            return lots
        grid = self.grid
        gross_others = 0.0
        equity = book.cash + book.receivable()
        for other in book.held:
            if other != column:
                value = grid.quantity(book.lots[other]) * marks[mark_row + other]
                equity += value
                gross_others += abs(value)
        equity += grid.quantity(position) * price
        rates = self.fees_by_session[self._sessions[step]]

        def within(count: int) -> bool:
            quantity = grid.quantity(count)
            notional = quantity * price
            costs = self._charge(quantity, notional, earlier)
            if side < 0:
                costs += sale_fees(rates, quantity, notional)
            gross = gross_others + abs(grid.quantity(position + side * count)) * price
            room = (equity - costs) * self._max_leverage
            return gross <= room + min(SLACK, 1e-6 * grid.lot * price) + 4e-15 * abs(room)

        if within(lots):
            return lots
        # Closing what is held, and as much again on the other side, adds no exposure.
        low = 2 * abs(position) if position * side < 0 else 0
        return _most(low, lots, within)


def _most(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The most lots for which ``holds``, given that it does for ``low`` and not for ``high``."""
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
