"""The order ticket as values: what is typed becomes an order, and what the engine would make of it.

Nothing of the policy is worked out here: sizes are read, the engine's own preview says the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.errors import InvalidOption
from engine.model import Decision, Order, OrderRecord, Rules
from engine.sim.preview import Preview, Standing, preview, when_it_trades
from engine.sim.reasons import REMEDIES
from tui import format as fmt

if TYPE_CHECKING:
    from engine.sim.panel import Panel
    from tui.gateway import RunDetail

QUANTITY_TYPES: Final = ("shares", "notional", "weight", "position")
ORDER_TYPES: Final = ("market", "limit", "stop", "stop_limit")
EXAMPLES: Final = {
    "shares": "100",
    "notional": "5000",
    "weight": "25% or 0.25",
    "position": "50%",
}
UNITS: Final = {
    "shares": "shares",
    "notional": "money",
    "weight": "a weight",
    "position": "a part of the position",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """An order as it stands in the ticket's fields, every field as typed."""

    side: str
    size: str
    quantity_type: str = "shares"
    order_type: str = "market"
    limit: str = ""
    stop: str = ""
    time_in_force: str = "day"
    oco_group: str = ""
    tag: str = ""


def standing_of(detail: RunDetail, panel: Panel, rules: Rules) -> Standing:
    """What the account stands at after the grid points that ``detail`` holds."""
    record = detail.record
    row = record.step_index - 1
    closes, volumes = panel.mark[row].tolist(), panel.volume[row].tolist()
    held = {one.symbol: (one.quantity, one.avg_cost) for one in detail.positions}
    cash = record.cash if record.cash is not None else record.initial_cash
    worth = cash + sum(one.market_value for one in detail.positions)
    equity = record.equity if record.equity is not None else worth
    lead = 1 if rules.fill == "next_open" else 0
    return Standing(
        rules,
        panel.symbols,
        {
            symbol: price
            for symbol, price in zip(panel.symbols, closes, strict=True)
            if not math.isnan(price)
        },
        {
            symbol: volume
            for symbol, volume in zip(panel.symbols, volumes, strict=True)
            if not math.isnan(volume)
        },
        panel.session_dates[int(panel.sessions[row])],
        cash,
        held,
        receivable=equity - worth if abs(equity - worth) > 1e-6 else 0.0,
        last=bool(lead) and record.step_index >= panel.steps,
    )


def read_amount(text: str, quantity_type: str) -> float:
    """The size typed: a number; for weights and parts of a position also ``25%``.

    Raises ``InvalidOption`` with ``field`` ``quantity``.
    """
    cleaned = text.strip().replace(",", "").removeprefix("$")
    scale = 1.0
    if quantity_type in ("weight", "position") and cleaned.endswith("%"):
        cleaned, scale = cleaned[:-1].strip(), 0.01
    elif quantity_type == "position":
        scale = 0.01  # "percent of position": a bare 50 is half of it
    amount = _number(cleaned) * scale
    if not math.isfinite(amount) or amount <= 0:
        raise InvalidOption(
            f"{text.strip()!r} is no size" if text.strip() else "no size yet",
            field="quantity",
            remedy=f"give {UNITS[quantity_type]} above 0, such as {EXAMPLES[quantity_type]}",
        )
    return amount


def read_price(text: str, name: str) -> float:
    """A limit or stop price typed. Raises ``InvalidOption`` naming the field."""
    price = _number(text.strip().replace(",", "").removeprefix("$"))
    if not math.isfinite(price) or price <= 0:
        raise InvalidOption(
            f"{text.strip()!r} is no price" if text.strip() else f"no {name} price yet",
            field=name,
            remedy="give a price above 0, such as 187.50",
        )
    return price


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def order_of(draft: Draft, symbol: str, standing: Standing) -> Order:
    """The order that the ticket spells. Raises ``InvalidOption`` naming the field."""
    amount, kind = read_amount(draft.size, draft.quantity_type), draft.quantity_type
    if kind == "position":
        held = abs(standing.held(symbol))
        if not held:
            raise InvalidOption(
                f"nothing is held of {symbol}",
                field="quantity",
                remedy="size it in shares, money or weight",
            )
        amount, kind = held * amount, "shares"
    limits = draft.order_type in ("limit", "stop_limit")
    stops = draft.order_type in ("stop", "stop_limit")
    return Order(
        symbol,
        draft.side,
        amount,
        kind,
        draft.order_type,
        read_price(draft.limit, "limit") if limits else None,
        read_price(draft.stop, "stop") if stops else None,
        draft.time_in_force,
        draft.oco_group.strip() or None,
        draft.tag.strip() or None,
    )


Line = tuple[tuple[str, str], ...]
"""A line of the verdict: texts with their roles."""


def verdict(
    order: Order, standing: Standing, currency: str, others: Sequence[Order] = ()
) -> list[Line]:
    """What the order would come to after the ``others`` of its decision, line by line."""
    tried = preview(standing, Decision((*others, order)))
    record = tried.orders[len(others)]
    lines: list[Line] = []
    if record.status == "resting":
        lines.append((("rests: ", "attention"), (_waits_for(order, standing), "muted")))
        there = when_it_trades(standing, order, others)
        if there is not None:
            record, tried = there.orders[len(others)], there
    amounts = _amounts(record, tried, order.symbol, currency)
    if amounts:
        lines.append(amounts)
    if record.reason is not None:
        lines.append(_refusal(record))
    return lines


def _waits_for(order: Order, standing: Standing) -> str:
    last = fmt.price(standing.prices.get(order.symbol))
    names = [
        f"{name} {fmt.price(price)}"
        for name, price in (("stop", order.stop_price), ("limit", order.limit_price))
        if price is not None
    ]
    how_long = "until cancelled" if order.time_in_force == "gtc" else "to the session's end"
    return f"{', then '.join(names)} against a last close of {last}, {how_long}"


def _amounts(record: OrderRecord, tried: Preview, symbol: str, currency: str) -> Line:
    mine = [fill for fill in tried.fills if fill.order_id == record.order_id]
    if not mine:
        return ()
    shares = sum(fill.quantity for fill in mine)
    amount = sum(fill.quantity * fill.price for fill in mine)
    held = tried.quantities.get(symbol, 0.0)
    worth = held * mine[-1].reference_price
    costs = sum(fill.commission + fill.fees + fill.slippage for fill in mine)
    return (
        ("about ", "muted"), (fmt.quantity(shares), "text"), ("  for ", "muted"),
        (fmt.money(amount, currency), "text"), ("  costs ", "muted"),
        (fmt.money(costs, currency), "text"), ("\ncash after ", "muted"),
        (fmt.money(tried.cash, currency), "text"), ("  held after ", "muted"),
        (fmt.quantity(held), "text"), ("  weight after ", "muted"),
        (fmt.share(worth / tried.equity if tried.equity else None, 1), "text"),
    )  # fmt: skip


_ENDS: Final = {
    "partially_filled": "it would be cut",
    "rejected": "it would be rejected",
    "cancelled": "it would be cancelled",
    "expired": "it would expire",
}


def _refusal(record: OrderRecord) -> Line:
    reason = record.reason or ""
    return (
        (f"! {_ENDS.get(record.status, record.status)}: {reason.replace('_', ' ')}", "attention"),
        (f"\n  {REMEDIES[reason]}" if reason in REMEDIES else "", "muted"),
    )


def order_line(order: Order) -> str:
    """An order in a line: ``buy 100 AAPL limit 187.50 gtc, oco exit``."""
    size = {
        "shares": fmt.quantity(order.quantity),
        "notional": fmt.money(order.quantity, "$"),
        "weight": fmt.share(order.quantity, 1),
    }[order.quantity_type]
    parts = [order.side, size, order.symbol]
    if order.stop_price is not None:
        parts.append(f"stop {fmt.price(order.stop_price)}")
    if order.limit_price is not None:
        parts.append(f"limit {fmt.price(order.limit_price)}")
    if order.time_in_force != "day":
        parts.append(order.time_in_force)
    if order.oco_group:
        parts.append(f"oco {order.oco_group}")
    if order.tag:
        parts.append(f"#{order.tag}")
    return " ".join(parts)
