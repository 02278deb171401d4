"""The short path: a decision of plain market orders and target weights, with nothing else open.

Most decisions of most strategies are of this kind, and each of their orders ends at the grid point
it first meets; so no ticket is made of it, only its record. The rules are the broker's, and the
tests hold the two paths to the same bits.
"""

from __future__ import annotations

from math import floor
from typing import Final

from engine.model import Decision, Order, OrderRecord, Target
from engine.sim.broker import Broker, Log
from engine.sim.lots import FORGIVEN, FORGIVEN_OF_ALL, MOST_LOTS
from engine.sim.portfolio import Book
from engine.sim.reasons import Reason, closing_status
from engine.sim.tickets import SIDES

_NO_BAR = Reason.NO_BAR.value
_ALREADY_AT_TARGET = Reason.ALREADY_AT_TARGET.value
_INFINITE: Final = float("inf")
_new_record = tuple.__new__

# What one intent has become: column, side, lots, price, and what its record repeats. Side 0 does
# not trade: it is cancelled for the reason that stands in the place of the lots.
Leg = tuple[int, int, int, float, str, str, float, str | None, str | None]


def settle_markets(
    broker: Broker,
    book: Book,
    decided: int,
    step: int,
    decision: Decision,
    columns: dict[str, int],
    at_close: bool,
    log: Log,
) -> bool:
    """Settle the decision at grid point ``step``; False, with nothing touched, if it is not plain.

    Plain means: DAY market orders in shares that no rule rejects, and target weights, one intent a
    symbol, in floats and texts.
    """
    legs = _legs(broker, book, step, decision, columns, at_close)
    if legs is None:
        return False
    row = step * broker.width
    mark_row = row if at_close else row - broker.width
    execute = broker.fill_model.execute
    marks, fills = broker.marks, log.fills
    factor, divisor = broker.grid.factor, broker.grid.divisor
    first = len(log.orders)
    log.orders += [None] * len(legs)  # type: ignore[list-item]  # filled below, in any order
    traded = False
    for turn in (-1, 1):
        for number, leg in enumerate(legs):
            column, side, lots, price, symbol, kind, requested, tag, refusal = leg
            if side != turn and (side or turn > 0):
                continue
            order_id = f"{decided}-{number}"
            if side:
                filled, reason = execute(
                    book, fills, marks, mark_row, step, column, order_id, side, lots, price, True
                )
                traded = traded or filled > 0
                side_text: str | None = "buy" if side > 0 else "sell"
                quantity: float | None = lots * factor / divisor
            else:
                filled, reason = 0, refusal
                side_text = None
                quantity = None
                if lots:  # an order without a bar knows its side and size already
                    side_text = "buy" if lots > 0 else "sell"
                    quantity = abs(lots) * factor / divisor
            status = "filled" if reason is None else closing_status(reason, filled > 0)
            log.orders[first + number] = (
                step,
                _new_record(
                    OrderRecord,
                    (
                        order_id,
                        decided,
                        symbol,
                        side_text,
                        "market",
                        kind,
                        requested,
                        quantity,
                        None,
                        None,
                        "day",
                        None,
                        tag,
                        status,
                        reason,
                        filled * factor / divisor,
                        step,
                    ),
                ),
            )
    if traded:
        book.changed()
    return True


def _legs(
    broker: Broker,
    book: Book,
    step: int,
    decision: Decision,
    columns: dict[str, int],
    at_close: bool,
) -> list[Leg] | None:
    """The decision's intents in order of submission, sized; None where one is not plain."""
    if (
        type(decision.orders) is not tuple
        or type(decision.targets) is not tuple
        or (decision.confidence is not None and type(decision.confidence) is not float)
    ):
        return None
    prices = broker.closes if at_close else broker.opens
    row = step * broker.width
    grid = broker.grid
    factor, divisor = grid.factor, grid.divisor
    legs: list[Leg] = []
    seen: set[int] = set()
    for order in decision.orders:
        if type(order) is not Order:
            return None
        symbol, side_text, quantity, kind, order_type, limit, stop, tif, oco, tag = order
        side = SIDES.get(side_text, 0)
        column = columns.get(symbol, -1)
        if (
            order_type != "market"
            or kind != "shares"
            or tif != "day"
            or type(quantity) is not float
            or not 0.0 < quantity < _INFINITE
            or not side
            or column < 0
            or column in seen
            or limit is not None
            or stop is not None
            or oco is not None
            or (tag is not None and type(tag) is not str)
        ):
            return None
        lots = grid.count(quantity)
        if not lots:
            return None
        seen.add(column)
        price = prices[row + column]
        if price != price:
            legs.append((column, 0, side * lots, 0.0, symbol, kind, quantity, tag, _NO_BAR))
        else:
            legs.append((column, side, lots, price, symbol, kind, quantity, tag, None))
    if not decision.targets:
        return legs
    equity = book.equity(grid, broker.marks, row) if at_close else broker.equity_at_open(book, step)
    holdings = book.lots
    for target in decision.targets:
        if type(target) is not Target:
            return None
        symbol, weight, shares, tag = target
        column = columns.get(symbol, -1)
        if (
            type(weight) is not float
            or not -_INFINITE < weight < _INFINITE
            or shares is not None
            or column < 0
            or column in seen
            or (tag is not None and type(tag) is not str)
        ):
            return None
        seen.add(column)
        price = prices[row + column]
        if price != price:
            legs.append((column, 0, 0, 0.0, symbol, "target_weight", weight, tag, _NO_BAR))
            continue
        # As `LotGrid.toward_zero`, without the calls.
        wanted = weight * equity / price * divisor / factor
        size = abs(wanted) * FORGIVEN_OF_ALL + FORGIVEN
        lots = floor(size) if size < MOST_LOTS else MOST_LOTS
        if wanted < 0.0:
            lots = -lots
        lots -= holdings[column]
        if lots > 0:
            legs.append((column, 1, lots, price, symbol, "target_weight", weight, tag, None))
        elif lots:
            legs.append((column, -1, -lots, price, symbol, "target_weight", weight, tag, None))
        else:
            legs.append(
                (column, 0, 0, 0.0, symbol, "target_weight", weight, tag, _ALREADY_AT_TARGET)
            )
    return legs
