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
    plain = (
        not orders
        or _size_orders(
            broker, decided, step, orders, columns, prices, rows, first, seen, tags, sells, buys
        )
    ) and (
        not targets
        or _size_targets(
            broker,
            book,
            decided,
            step,
            targets,
            len(orders),
            columns,
            at_close,
            prices,
            rows,
            first,
            seen,
            tags,
            sells,
            buys,
        )
    )
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


def _size_targets(
    broker: Broker,
    book: Book,
    decided: int,
    step: int,
    targets: tuple[Target, ...],
    number: int,
    columns: dict[str, int],
    at_close: bool,
    prices: memoryview,
    rows: bytearray,
    first: int,
    seen: set[int],
    tags: dict[int, str],
    sells: list[Leg],
    buys: list[Leg],
) -> bool:
    """The same for target weights, the first of which is intent ``number`` of its decision."""
    row = step * broker.width
    factor, divisor = broker.grid.factor, broker.grid.divisor
    equity = (
        book.equity(broker.grid, broker.marks, row)
        if at_close
        else broker.equity_at_open(book, step)
    )
    holdings = book.lots
    at = first + _SIZE * number
    for number, target in enumerate(targets, number):  # noqa: B020  # counts on from the orders
        if type(target) is not Target:
            return False
        symbol, weight, shares, tag = target
        column = columns.get(symbol, -1)
        if type(weight) is not float or shares is not None or column < 0 or column in seen:
            return False
        if tag is not None:
            if type(tag) is not str or not tag.isascii():
                return False
            tags[number] = tag
        seen.add(column)
        price = prices[row + column]
        if price != price:
            if not -_INFINITE < weight < _INFINITE:
                return False
            _pack_idle(rows, at, step, decided, number, column, weight, _NO_BAR)
            at += _SIZE
            continue
        # As `LotGrid.toward_zero`, without the calls.
        wanted = weight * equity / price * divisor / factor
        if wanted >= 0.0:
            size = wanted * FORGIVEN_OF_ALL + FORGIVEN
            sign = 1
        else:
            size = FORGIVEN - wanted * FORGIVEN_OF_ALL
            sign = -1
        if size < MOST_LOTS:
            lots = sign * int(size) - holdings[column]
        elif -_INFINITE < weight < _INFINITE:
            lots = sign * MOST_LOTS - holdings[column]
        else:
            return False  # of no size at all, or of none that is a number
        if not lots:
            _pack_idle(rows, at, step, decided, number, column, weight, _ALREADY_AT_TARGET)
        elif lots > 0:
            buys.append((number, column, lots, price, weight, TARGET_WEIGHT, at))
        else:
            sells.append((number, column, -lots, price, weight, TARGET_WEIGHT, at))
        at += _SIZE
    return True
