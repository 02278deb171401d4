"""The order ticket as values."""

from __future__ import annotations

import pytest

from engine.errors import InvalidOption
from engine.model import Order
from tui.viewmodel.ticket import Standing, estimate, order_of, read_amount, warning

STANDING = Standing(cash=10_000.0, equity=15_000.0, held=100.0, price=50.0)


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("100", "shares", 100.0),
        (" 1,500 ", "shares", 1500.0),
        ("$5000", "notional", 5000.0),
        ("25%", "weight", 0.25),
        ("0.25", "weight", 0.25),
    ],
)
def test_sizes_are_read_as_people_type_them(text: str, kind: str, amount: float) -> None:
    """Thousands, a currency sign and a per cent sign are understood."""
    assert read_amount(text, kind) == amount


@pytest.mark.parametrize("text", ["", "abc", "0", "-5", "nan", "inf", "25%"])
def test_what_is_no_size_is_refused_at_the_field(text: str) -> None:
    """The ticket refuses before the engine has to."""
    with pytest.raises(InvalidOption) as refused:
        read_amount(text, "shares")
    assert refused.value.field == "quantity"


def test_the_ticket_spells_the_order() -> None:
    """Side, symbol, size and what it counts reach the order unchanged."""
    assert order_of("sell", "AAPL", "25%", "weight") == Order("AAPL", "sell", 0.25, "weight")


@pytest.mark.parametrize(
    ("order", "shares", "cash"),
    [
        (Order.buy("A", 30), 30.0, 8500.0),
        (Order.buy("A", 1020, quantity_type="notional"), 20.0, 9000.0),
        (Order.buy("A", 0.5, quantity_type="weight"), 150.0, 2500.0),
        (Order.sell("A", 40), 40.0, 12_000.0),
    ],
)
def test_the_estimate_is_in_whole_lots_at_the_last_close(
    order: Order, shares: float, cash: float
) -> None:
    """Every kind of size becomes shares, floored to the lot, and what cash is left."""
    made = estimate(order, STANDING, 1.0)
    assert made is not None
    assert (made.shares, made.cash_after) == (shares, cash)


def test_no_price_no_estimate() -> None:
    """Absence is not a value."""
    assert estimate(Order.buy("A", 1), Standing(1.0, 1.0, 0.0, None), 1.0) is None


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (Order.buy("A", 1000), "cut"),
        (Order.sell("A", 500), "clipped to 100"),
        (Order.buy("A", 10, quantity_type="notional"), "below lot"),
        (Order.sell("A", 10), None),
        (Order.buy("A", 10), None),
    ],
)
def test_it_warns_of_what_the_policy_would_make_of_it(order: Order, said: str | None) -> None:
    """The reasons people will find in the ledger are said beforehand."""
    made = estimate(order, STANDING, 1.0)
    assert made is not None
    told = warning(order, STANDING, made)
    assert (told is None) if said is None else (said in str(told))


def test_selling_nothing_is_warned_of() -> None:
    """No position, no sale."""
    standing = Standing(10_000.0, 10_000.0, 0.0, 50.0)
    made = estimate(Order.sell("A", 1), standing, 1.0)
    assert made is not None
    assert "no position" in str(warning(Order.sell("A", 1), standing, made))
