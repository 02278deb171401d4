"""The short path: a decision of plain market orders and target weights, with nothing else open.

Most decisions of most strategies are of this kind, and each of their orders ends at the grid point
it first meets; so no ticket is made of it, only its packed row. The rules are the broker's, and the
tests hold the two paths to the same bits.
"""

from __future__ import annotations

from typing import Final

from engine.model import Decision, Order, Target
from engine.sim.broker import Broker, Log
from engine.sim.fills import Leg
from engine.sim.lots import FORGIVEN, FORGIVEN_OF_ALL, MOST_LOTS
from engine.sim.portfolio import Book
from engine.sim.reasons import Reason
from engine.sim.records import IDLE, ORDER, REASON_CODES, SHARES, TARGET_WEIGHT
from engine.sim.tickets import SIDES

_NO_BAR: Final = REASON_CODES[Reason.NO_BAR.value]
_ALREADY_AT_TARGET: Final = REASON_CODES[Reason.ALREADY_AT_TARGET.value]
_MANY: Final = 1e15  # well below the most; a double tells each number of lots from the next
_INFINITE: Final = float("inf")
_SIZE: Final = ORDER.size
_pack_into = ORDER.pack_into
_pack_idle = IDLE.pack_into


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
    symbol, in floats and ASCII texts.
    """
    orders, targets, _, confidence, rationale = decision
    if (
        type(orders) is not tuple
        or type(targets) is not tuple
        or (confidence is not None and type(confidence) is not float)
        or not (rationale is None or (type(rationale) is str and rationale.isascii()))
    ):
        return False
    row = step * broker.width
    rows = log.orders.rows
    first = len(rows)
    rows += bytes(_SIZE * (len(orders) + len(targets)))
    tags: dict[int, str] = {}
    seen: set[int] = set()
    sells: list[Leg] = []
    buys: list[Leg] = []
    prices = broker.closes if at_close else broker.opens
    plain = not orders or _size_orders(
        broker, decided, step, orders, columns, prices, rows, first, seen, tags, sells, buys
    )
    if plain and targets:
        plain = False
        equity = (
            book.equity(broker.grid, broker.marks, row)
            if at_close
            else broker.equity_at_open(book, step)
        )
        factor, divisor = broker.grid.factor, broker.grid.divisor
        holdings = book.lots
        number = len(orders) - 1
        at = first + _SIZE * number
        for target in targets:
            number += 1
            at += _SIZE
            if type(target) is not Target:
                break
            symbol, weight, shares, tag = target
            column = columns.get(symbol, -1)
            if type(weight) is not float or shares is not None or column < 0 or column in seen:
                break
            if tag is not None:
                if type(tag) is not str or not tag.isascii():
                    break
                tags[number] = tag
            seen.add(column)
            price = prices[row + column]
            # As `LotGrid.toward_zero`, without the calls.
            wanted = weight * equity / price * divisor / factor
            if 0.0 <= wanted < _MANY:
                lots = int(wanted * FORGIVEN_OF_ALL + FORGIVEN) - holdings[column]
            elif not -_INFINITE < weight < _INFINITE:
                break  # of no size at all, or of none that is a number
            elif price != price:
                _pack_idle(rows, at, step, decided, number, column, weight, _NO_BAR)
                continue
            else:
                size = abs(wanted) * FORGIVEN_OF_ALL + FORGIVEN
                whole = int(size) if size < MOST_LOTS else MOST_LOTS
                lots = (whole if wanted > 0.0 else -whole) - holdings[column]
            if lots > 0:
                buys.append((number, column, lots, price, weight, TARGET_WEIGHT, at))
            elif lots:
                sells.append((number, column, -lots, price, weight, TARGET_WEIGHT, at))
            else:
                _pack_idle(rows, at, step, decided, number, column, weight, _ALREADY_AT_TARGET)
        else:
            plain = True
    if not plain:
        del rows[first:]
        return False
    if tags:
        base = first // _SIZE
        log.orders.tags.update({base + number: tag for number, tag in tags.items()})
    if sells or buys:
        broker.fill_model.execute(
            book,
            log.fills,
            rows,
            broker.marks,
            row if at_close else row - broker.width,
            step,
            decided,
            sells,
            buys,
            True,
        )
    return True


def _size_orders(
    broker: Broker,
    decided: int,
    step: int,
    orders: tuple[Order, ...],
    columns: dict[str, int],
    prices: memoryview,
    rows: bytearray,
    first: int,
    seen: set[int],
    tags: dict[int, str],
    sells: list[Leg],
    buys: list[Leg],
) -> bool:
    """Sort the orders into those that trade and, as rows, those that do not; False if one is not
    plain."""
    row = step * broker.width
    grid = broker.grid
    for number, order in enumerate(orders):
        if type(order) is not Order:
            return False
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
        ):
            return False
        if tag is not None:
            if type(tag) is not str or not tag.isascii():
                return False
            tags[number] = tag
        lots = grid.count(quantity)
        if not lots:
            return False
        seen.add(column)
        price = prices[row + column]
        at = first + _SIZE * number
        if price == price:
            legs = buys if side > 0 else sells
            legs.append((number, column, lots, price, quantity, SHARES, at))
        else:  # it knows its side and size already
            _pack_into(
                rows, at, step, decided, number, column, lots, 0, quantity, side, _NO_BAR, SHARES
            )
    return True
