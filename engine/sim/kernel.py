"""The rules of target weights at the market, compiled: the same bits as stepping, row for row.

Importing this module loads numba; nothing else of the core needs it. What is here is a second
statement of ``quick.settle_markets`` and ``fills.FillModel.execute`` in the part of Python that
numba compiles: every sum and product stands in the order it has there, without fused or reordered
arithmetic, and the tests hold the two to one another. Nothing here is a constant of the rules:
``Terms`` brings them all, so that code compiled once and kept stays right when one changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

from engine.sim.panel import Floats
from engine.sim.records import Rows
from engine.sim.terms import Terms

P = ParamSpec("P")
R = TypeVar("R")

_njit: Any = numba.njit  # its types do not list all that it takes


def _part(function: Callable[P, R]) -> Callable[P, R]:
    """``numba.njit`` for what only compiled code calls: without the wrappers for Python, which
    would cost a third of a second. Nothing is divided by zero here, so it need not be looked for.
    """
    made: Callable[P, R] = _njit(
        error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(function)
    return made


def _entry(function: Callable[P, R]) -> Callable[P, R]:
    """``numba.njit`` for what Python calls: kept on disk, and free of the interpreter's lock."""
    try:
        made: Callable[P, R] = _njit(error_model="numpy", cache=True, nogil=True)(function)
    except RuntimeError:  # there is no folder that it could write to
        made = _njit(error_model="numpy", nogil=True)(function)
    return made


@_part
def _up_to_cent(amount: float) -> float:
    cents: float = np.ceil(100.0 * amount - 1e-6)
    return (cents + 0.0) / 100.0  # never a zero below zero: whole numbers have none


@_part
def _due(terms: Terms, quantity: float, notional: float) -> float:
    if not terms.commission:
        return 0.0
    linear = terms.commission_per_share * quantity + terms.commission_pct * notional
    return _up_to_cent(max(linear, terms.commission_min))


@_part
def _sale_fees(rates: Floats, session: int, quantity: float, notional: float) -> float:
    per_million, per_share, cap = rates[session, 0], rates[session, 1], rates[session, 2]
    fees = 0.0
    if per_million != 0.0:
        fees = _up_to_cent(per_million * notional / 1e6)
    if per_share != 0.0:
        fees += min(_up_to_cent(per_share * quantity), cap)
    return fees


@_part
def _count(terms: Terms, quantity: float) -> int:
    lots = quantity * terms.divisor / terms.factor * terms.forgiven_of_all + terms.forgiven
    return int(lots) if lots < terms.most_lots else terms.most_lots


@_part
def _slack(terms: Terms, cash: float, price: float) -> float:
    return min(terms.slack, 1e-6 * terms.lot * price) + terms.slack_of_cash * max(
        cash, terms.initial_cash
    )


@_part
def _affordable(terms: Terms, cash: float, price: float, wanted: int) -> int:
    limit = cash + _slack(terms, cash, price)
    lot_price = price * terms.lot
    high = min(wanted, int(min(limit / lot_price, float(terms.most_lots))) + 2)
    low = 0
    if terms.commission:
        each = lot_price * (1.0 + terms.commission_pct) + terms.commission_per_share * terms.lot
        # What is below zero pays for nothing; what is past the most lots is past `high` too.
        sure = max((cash - terms.commission_min - 0.01) / each, 0.0)
        certain = int(min(sure, 4.0 * terms.most_lots)) - 1
    else:
        certain = high - 4
    if 0 < certain < high:
        quantity = certain * terms.factor / terms.divisor
        notional = quantity * price
        if notional + _due(terms, quantity, notional) <= limit:
            low = certain
    while high - low > 1:
        middle = (low + high) // 2
        quantity = middle * terms.factor / terms.divisor
        notional = quantity * price
        if notional + _due(terms, quantity, notional) <= limit:
            low = middle
        else:
            high = middle
    return low


@_part
def _within(
    terms: Terms,
    rates: Floats,
    session: int,
    position: int,
    side: int,
    count: int,
    price: float,
    equity: float,
    gross_others: float,
) -> bool:
    quantity = count * terms.factor / terms.divisor
    notional = quantity * price
    costs = _due(terms, quantity, notional)
    if side < 0:
        costs += _sale_fees(rates, session, quantity, notional)
    after = (position + side * count) * terms.factor / terms.divisor
    gross = gross_others + abs(after) * price
    room = (equity - costs) * terms.max_leverage
    return gross <= room + min(terms.slack, 1e-6 * terms.lot * price) + 4e-15 * abs(room)


@_part
def _exposure_limit(
    terms: Terms,
    rates: Floats,
    session: int,
    cash: float,
    receivable: float,
    lots_held: NDArray[np.int64],
    marks: Floats,
    mark_step: int,
    column: int,
    side: int,
    lots: int,
    price: float,
) -> int:
    position = lots_held[column]
    if abs(position + side * lots) <= abs(position):
        return lots
    gross_others = 0.0
    equity = cash + receivable
    for other in range(len(lots_held)):
        if other != column and lots_held[other] != 0:
            value = lots_held[other] * terms.factor / terms.divisor * marks[mark_step, other]
            equity += value
            gross_others += abs(value)
    equity += position * terms.factor / terms.divisor * price
    if _within(terms, rates, session, position, side, lots, price, equity, gross_others):
        return lots
    low = 2 * abs(position) if position * side < 0 else 0
    high = lots
    while high - low > 1:
        middle = (low + high) // 2
        if _within(terms, rates, session, position, side, middle, price, equity, gross_others):
            low = middle
        else:
            high = middle
    return low


@_part
def _worth(
    terms: Terms,
    cash: float,
    receivable: float,
    claims: bool,
    lots_held: NDArray[np.int64],
    prices: Floats,
    step: int,
    marks: Floats,
    mark_step: int,
) -> float:
    """Equity at ``prices``, and where there is none at ``marks`` (``Book.equity``)."""
    total = cash
    for column in range(len(lots_held)):
        if lots_held[column] != 0:
            price = prices[step, column]
            if price != price:
                price = marks[mark_step, column]
            total += lots_held[column] * terms.factor / terms.divisor * price
    return total + receivable if claims else total


@_entry
def run_rows(
    terms: Terms,
    weights: Floats,
    prices: Floats,
    marks: Floats,
    volumes: Floats,
    sessions: NDArray[np.int32],
    rates: Floats,
    decided: int,
    stop: int,
    lead: int,
    cash: float,
    receivable: float,
    claims: bool,
    lots_held: NDArray[np.int64],
    avg_costs: Floats,
    sizes: NDArray[np.int64],
    equity_rows: Floats,
    cash_rows: Floats,
    orders: Rows,
    fills: Rows,
) -> tuple[int, int, int, float, bool]:
    """Make the decisions from ``decided`` to before ``stop``, or to ruin.

    ``prices`` are those that orders fill at, [steps, symbols] as all of them; ``lead`` is how far
    settling runs ahead of deciding. ``rates`` are fee rates by session. ``lots_held`` and
    ``avg_costs`` are changed in place; ``sizes``, one a symbol, is scratch. ``equity_rows`` and
    ``cash_rows`` get a row a decision, ``orders`` and ``fills`` one each. Returns decisions made so
    far, orders, fills, cash, and whether the run was ruined.
    """
    width = weights.shape[1]
    first = decided
    orders_made = 0
    fills_made = 0
    ruined = False
    while decided < stop and not ruined:
        step = decided + lead
        mark_step = step - lead
        session = sessions[step]
        begin = orders_made
        snapshot = 0.0
        sells = 0
        buys = 0
        for column in range(width):
            weight = weights[decided, column]
            if weight != weight:
                continue
            if orders_made == begin:
                snapshot = _worth(
                    terms,
                    cash,
                    receivable,
                    claims,
                    lots_held,
                    prices,
                    step,
                    marks,
                    mark_step,
                )
            order: Any = orders[orders_made]
            order.step = step
            order.decided = decided
            order.number = orders_made - begin
            order.column = column
            order.lots = 0.0
            order.filled = 0.0
            order.requested = weight
            order.side = 0
            order.kind = 0
            orders_made += 1
            price = prices[step, column]
            if price != price:
                order.reason = terms.no_bar
                continue
            wanted = weight * snapshot / price * terms.divisor / terms.factor
            size = abs(wanted) * terms.forgiven_of_all + terms.forgiven
            lots = int(size) if size < terms.most_lots else terms.most_lots
            if wanted < 0.0:
                lots = -lots
            lots -= lots_held[column]
            if lots == 0:
                order.reason = terms.already_at_target
                continue
            order.reason = 0
            order.lots = float(abs(lots))
            sizes[order.number] = abs(lots)
            if lots > 0:
                order.side = 1
                buys += 1
            else:
                order.side = -1
                sells += 1
        for turn in range(2):
            side = 2 * turn - 1
            if (buys if turn else sells) == 0:
                continue
            for place in range(begin, orders_made):
                order = orders[place]
                if order.side != side:
                    continue
                column = order.column
                reference = prices[step, column]
                position = lots_held[column]
                lots = sizes[place - begin]
                reason = 0

                if side < 0 and lots > position and not terms.short:
                    if position <= 0:
                        order.reason = terms.no_position
                        continue
                    lots = position
                    reason = terms.clipped
                if terms.participation == terms.participation:
                    cap = _count(terms, terms.participation * volumes[step, column])
                    if cap < lots:
                        lots = cap
                        reason = terms.volume_cap
                        if lots == 0:
                            order.reason = reason
                            continue
                price = reference * (terms.up if side > 0 else terms.down)
                if terms.short:
                    most = _exposure_limit(
                        terms,
                        rates,
                        session,
                        cash,
                        receivable,
                        lots_held,
                        marks,
                        mark_step,
                        column,
                        side,
                        lots,
                        price,
                    )
                    if most < lots:
                        lots = most
                        reason = terms.over_leverage
                        if lots == 0:
                            order.reason = reason
                            continue

                quantity = lots * terms.factor / terms.divisor
                notional = quantity * price
                commission = _due(terms, quantity, notional)
                fees = 0.0
                if side > 0:
                    cost = notional + commission
                    if cash < 0.0:
                        if position >= 0:
                            order.reason = terms.insufficient_cash
                            continue
                        if lots > -position:
                            lots = -position
                            reason = terms.insufficient_cash
                            quantity = lots * terms.factor / terms.divisor
                            notional = quantity * price
                            commission = _due(terms, quantity, notional)
                            cost = notional + commission
                        after_cash = cash - cost
                    else:
                        if cost > cash and cost > cash + _slack(terms, cash, price):
                            lots = _affordable(terms, cash, price, lots)
                            reason = terms.insufficient_cash
                            if lots == 0:
                                order.reason = reason
                                continue
                            quantity = lots * terms.factor / terms.divisor
                            notional = quantity * price
                            commission = _due(terms, quantity, notional)
                            cost = notional + commission
                        after_cash = max(cash - cost, 0.0)
                else:
                    fees = _sale_fees(rates, session, quantity, notional)
                    proceeds = notional - commission - fees
                    after_cash = cash + proceeds
                    if after_cash < 0.0 and proceeds < 0.0:
                        if after_cash < -_slack(terms, max(cash, 0.0), price):
                            order.reason = terms.insufficient_cash
                            continue
                        after_cash = 0.0
                cash = after_cash

                after = position + side * lots
                avg_cost = avg_costs[column]
                if position * side < 0:
                    closed = quantity
                    through_zero = after * side > 0
                    if through_zero:
                        closed = -side * position * terms.factor / terms.divisor
                    realized = closed * (price - avg_cost) * -side - commission - fees
                    if after == 0:
                        avg_cost = 0.0
                    elif through_zero:
                        avg_cost = price
                else:
                    realized = -commission - fees
                    if position != 0:
                        owned = side * position * terms.factor / terms.divisor
                        avg_cost = (owned * avg_cost + notional) / (owned + quantity)
                    else:
                        avg_cost = price
                lots_held[column] = after
                avg_costs[column] = avg_cost
                fill: Any = fills[fills_made]
                fill.step = step
                fill.decided = decided
                fill.number = place - begin
                fill.column = column
                fill.lots = float(side * lots)
                fill.after = float(after)
                fill.price = price
                fill.reference = reference
                fill.commission = commission
                fill.fees = fees
                fill.realized = realized + 0.0  # never minus zero
                fill.avg_cost = avg_cost
                fills_made += 1
                order.filled = float(lots)
                order.reason = reason
        total = _worth(terms, cash, receivable, claims, lots_held, marks, step, marks, step)
        equity_rows[decided - first] = total
        cash_rows[decided - first] = cash
        decided += 1
        ruined = total <= 0.0
    return decided, orders_made, fills_made, cash, ruined
