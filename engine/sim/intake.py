"""Decisions to orders: each intent is taken in as a ticket, or rejected with its reason (O2, O6).

Where several things are wrong with an order, the reason names the first of: symbol, side, order
type or time in force (both ``unsupported_order_type``), quantity type, quantity, a price the type
needs and does not have (``missing_price``), a price that is no price or that the type does not take
(``invalid_price``), below a lot, fractional and good till cancelled. A target that is no number, or
that gives both or neither of weight and shares, is an ``invalid_quantity``.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, Final

from engine.codec import name_of, writable_text
from engine.errors import StrategyError
from engine.model import Decision, Order, Target
from engine.sim.lots import LotGrid
from engine.sim.reasons import Reason
from engine.sim.tickets import SIDES, Ticket

# Order type -> whether it takes a limit price, a stop price.
PRICES_OF: Final[Mapping[str, tuple[bool, bool]]] = {
    "market": (False, False),
    "limit": (True, False),
    "stop": (False, True),
    "stop_limit": (True, True),
}
QUANTITY_TYPES: Final = frozenset({"shares", "notional", "weight"})
TIMES_IN_FORCE: Final = frozenset({"day", "gtc"})
INFINITE: Final = float("inf")
NO_NUMBER: Final = float("nan")


def plain(decision: Decision) -> Decision:
    """The decision with plain texts and floats, whatever numbers the strategy used.

    What is no number at all becomes NaN, which the policy rejects by name. Raises
    ``StrategyError`` where an intent is neither ``Order`` nor ``Target``.
    """
    return Decision(
        tuple(_plain_order(order) for order in decision.orders),
        tuple(_plain_target(target) for target in decision.targets),
        tuple(writable_text(tag) for tag in decision.cancels),
        _plain_number(decision.confidence),
        _plain_text(decision.rationale),
    )


def _plain_order(order: Order) -> Order:
    if not isinstance(order, Order):
        raise StrategyError(
            f"a decision's orders hold {name_of(order)}", remedy="give Order values"
        )
    number = _plain_number(order.quantity)
    return Order(
        writable_text(order.symbol),
        writable_text(order.side),
        NO_NUMBER if number is None else number,
        writable_text(order.quantity_type),
        writable_text(order.order_type),
        _plain_number(order.limit_price),
        _plain_number(order.stop_price),
        writable_text(order.time_in_force),
        _plain_text(order.oco_group),
        _plain_text(order.tag),
    )


def _plain_target(target: Target) -> Target:
    if not isinstance(target, Target):
        raise StrategyError(
            f"a decision's targets hold {name_of(target)}", remedy="give Target values"
        )
    return Target(
        writable_text(target.symbol),
        _plain_number(target.weight),
        _plain_number(target.shares),
        _plain_text(target.tag),
    )


def _plain_text(value: Any) -> str | None:
    return None if value is None else writable_text(value)


def _plain_number(value: Any) -> float | None:
    if value is None or type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        return NO_NUMBER
    try:
        return float(value)
    except OverflowError:
        return INFINITE


def take_in(
    decision: Decision, step: int, columns: Mapping[str, int], grid: LotGrid
) -> list[Ticket]:
    """A ticket for each intent of a plain decision, in order of submission; rejected ones closed.

    ``columns`` are the panel's, by symbol.
    """
    tickets: list[Ticket] = []
    for order in decision.orders:
        ticket = _ticket(order, f"{step}-{len(tickets)}", step, columns)
        reason = _refusal(order, ticket, grid)
        if reason is not None:
            ticket.close(reason.value, step)
        tickets.append(ticket)
    for target in decision.targets:
        tickets.append(_target_ticket(target, f"{step}-{len(tickets)}", step, columns))
    return tickets


def _ticket(order: Order, order_id: str, step: int, columns: Mapping[str, int]) -> Ticket:
    return Ticket(
        order_id,
        step,
        columns.get(order.symbol, -1),
        order.symbol,
        SIDES.get(order.side, 0),
        order.side,
        order.order_type,
        order.quantity_type,
        _finite(order.quantity),
        None,
        _finite(order.limit_price),
        _finite(order.stop_price),
        order.time_in_force,
        order.oco_group,
        order.tag,
    )


def _refusal(order: Order, ticket: Ticket, grid: LotGrid) -> Reason | None:
    """Why an order is not taken in; sizes it where it is in shares."""
    if ticket.column < 0:
        return Reason.INVALID_SYMBOL
    if not ticket.side:
        return Reason.INVALID_SIDE
    prices = PRICES_OF.get(order.order_type)
    if prices is None or order.time_in_force not in TIMES_IN_FORCE:
        return Reason.UNSUPPORTED_ORDER_TYPE
    if order.quantity_type not in QUANTITY_TYPES:
        return Reason.UNSUPPORTED_QUANTITY_TYPE
    if not 0.0 < order.quantity < INFINITE:
        return Reason.INVALID_QUANTITY
    given = (order.limit_price, order.stop_price)
    if any(takes and price is None for takes, price in zip(prices, given, strict=True)):
        return Reason.MISSING_PRICE
    for takes, price in zip(prices, given, strict=True):
        if price is not None and not (takes and 0.0 < price < INFINITE):
            return Reason.INVALID_PRICE
    if order.quantity_type == "shares":
        lots = grid.count(order.quantity)
        if not lots:
            return Reason.BELOW_LOT
        ticket.lots = lots
    if order.time_in_force == "gtc" and order.order_type != "market" and _fractional(ticket, grid):
        return Reason.FRACTIONAL_REQUIRES_DAY_TIF
    return None


def _fractional(ticket: Ticket, grid: LotGrid) -> bool:
    """Whether it may trade a part of a share: it does, or it is to be sized on a lot that can."""
    size = grid.lot if ticket.lots is None else grid.quantity(ticket.lots)
    return abs(size - round(size)) > 1e-12


def _target_ticket(target: Target, order_id: str, step: int, columns: Mapping[str, int]) -> Ticket:
    in_shares = target.weight is None
    wanted = target.shares if in_shares else target.weight
    ticket = Ticket(
        order_id,
        step,
        columns.get(target.symbol, -1),
        target.symbol,
        0,
        None,
        "market",
        "target_shares" if in_shares else "target_weight",
        _finite(wanted),
        None,
        None,
        None,
        "day",
        None,
        target.tag,
    )
    if ticket.column < 0:
        ticket.close(Reason.INVALID_SYMBOL.value, step)
    elif ticket.requested is None or (target.shares is not None and not in_shares):
        ticket.close(Reason.INVALID_QUANTITY.value, step)
    return ticket


def _finite(value: float | None) -> float | None:
    return value if value is not None and -INFINITE < value < INFINITE else None
