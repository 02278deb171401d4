"""The order ticket as values: what is typed becomes an order, with an estimate of what it does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from engine.errors import InvalidOption
from engine.model import Order

QUANTITY_TYPES: Final = ("shares", "notional", "weight")


@dataclass(frozen=True, slots=True)
class Standing:
    """What the account stands at when an order is thought about; ``price`` is the last close."""

    cash: float
    equity: float
    held: float
    price: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an order would do at the last close, costs left out."""

    shares: float
    amount: float
    cash_after: float
    weight_after: float


def read_amount(text: str, quantity_type: str) -> float:
    """The size typed: a number, for weights also ``25%``.

    Raises ``InvalidOption`` with ``field`` ``quantity``.
    """
    cleaned = text.strip().replace(",", "").removeprefix("$")
    scale = 1.0
    if cleaned.endswith("%") and quantity_type == "weight":
        cleaned, scale = cleaned[:-1].strip(), 0.01
    try:
        amount = float(cleaned) * scale
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or amount <= 0:
        example = {"shares": "100", "notional": "5000", "weight": "25% or 0.25"}[quantity_type]
        raise InvalidOption(
            f"{text.strip()!r} is no size" if text.strip() else "no size yet",
            field="quantity",
            remedy=f"give {quantity_type} above 0, such as {example}",
        )
    return amount


def order_of(side: str, symbol: str, text: str, quantity_type: str) -> Order:
    """The market order that the ticket spells. Raises ``InvalidOption``."""
    amount = read_amount(text, quantity_type)
    return Order(symbol, side, amount, quantity_type)


def estimate(order: Order, standing: Standing, lot: float) -> Estimate | None:
    """The order at the last close; None where there is no price."""
    price = standing.price
    if price is None or not math.isfinite(price) or price <= 0:
        return None
    wanted = {
        "shares": order.quantity,
        "notional": order.quantity / price,
        "weight": order.quantity * standing.equity / price,
    }[order.quantity_type]
    shares = math.floor(wanted / lot + 1e-6) * lot
    signed = shares if order.side == "buy" else -shares
    after = standing.held + signed
    return Estimate(
        shares,
        shares * price,
        standing.cash - signed * price,
        after * price / standing.equity if standing.equity else math.nan,
    )


def warning(order: Order, standing: Standing, made: Estimate) -> str | None:
    """What the policy would make of the order as far as the last close tells, in words."""
    if made.shares <= 0:
        return "less than one lot: it would be rejected, below lot"
    if order.side == "sell":
        if standing.held <= 0:
            return "nothing is held: it would be rejected, no position"
        if made.shares > standing.held:
            return f"more than is held: it would be clipped to {standing.held:g}"
    elif made.cash_after < 0:
        return "more than cash can pay at this price: it would be cut"
    return None
