"""The order ticket as values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.errors import InvalidOption
from engine.model import Costs, Order, Rules
from engine.sim.preview import Standing
from tui.viewmodel.ticket import Draft, Line, order_line, order_of, read_amount, verdict

STANDING = Standing(
    Rules(costs=Costs.of("none")),
    ("A", "B"),
    {"A": 50.0},
    {"A": 1000.0},
    "2026-03-02",
    10_000.0,
    {"A": (100.0, 40.0)},
)


def text_of(lines: list[Line]) -> str:
    """The verdict as plain text."""
    return "\n".join("".join(text for text, _ in line) for line in lines)


def said(order: Order, *others: Order, standing: Standing = STANDING) -> str:
    return text_of(verdict(order, standing, "$", others))


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("100", "shares", 100.0),
        (" 1,500 ", "shares", 1500.0),
        ("$5000", "notional", 5000.0),
        ("25%", "weight", 0.25),
        ("0.25", "weight", 0.25),
        ("50%", "position", 0.5),
        ("50", "position", 0.5),
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


@pytest.mark.parametrize(
    ("draft", "order"),
    [
        (Draft("sell", "25%", "weight"), Order("A", "sell", 0.25, "weight")),
        (Draft("sell", "50", "position"), Order("A", "sell", 50.0)),
        (Draft("buy", "5", order_type="limit", limit="45"), Order.buy("A", 5, limit=45.0)),
        (
            Draft("sell", "5", order_type="stop", stop="$45.50", time_in_force="gtc",
                  oco_group=" out ", tag="t"),
            Order.sell("A", 5, stop=45.5, time_in_force="gtc", oco_group="out", tag="t"),
        ),
        (
            Draft("buy", "5", order_type="stop_limit", limit="56", stop="55"),
            Order.buy("A", 5, limit=56.0, stop=55.0),
        ),
        # A price left in a field that the type does not take is not part of the order.
        (Draft("buy", "5", limit="45", stop="40"), Order.buy("A", 5)),
    ],
)  # fmt: skip
def test_the_ticket_spells_the_order(draft: Draft, order: Order) -> None:
    """Every field reaches the order that takes it."""
    assert order_of(draft, "A", STANDING) == order


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (Draft("buy", "5", order_type="limit"), "limit"),
        (Draft("buy", "5", order_type="limit", limit="0"), "limit"),
        (Draft("buy", "5", order_type="stop", stop="x"), "stop"),
        (Draft("buy", "5", order_type="stop_limit", limit="5"), "stop"),
        (Draft("buy", "", order_type="limit", limit="5"), "quantity"),
    ],
)
def test_a_field_that_is_wrong_is_named(draft: Draft, field: str) -> None:
    """So that the screen can go there."""
    with pytest.raises(InvalidOption) as refused:
        order_of(draft, "A", STANDING)
    assert refused.value.field == field


def test_a_part_of_nothing_is_refused() -> None:
    """There is no position to take a part of."""
    with pytest.raises(InvalidOption, match="nothing is held of B"):
        order_of(Draft("sell", "50", "position"), "B", STANDING)


def test_the_verdict_says_what_it_costs_and_leaves() -> None:
    """Shares, amount, costs, cash after, what is held after and its weight."""
    told = said(Order.buy("A", 30))
    assert "about 30  for $1,500.00  costs $0.00" in told
    assert "cash after $8,500.00  held after 130  weight after 43.3%" in told


@pytest.mark.parametrize(
    ("order", "reason", "remedy"),
    [
        (Order.buy("A", 1000), "cut: insufficient cash", "than cash pays"),
        (Order.sell("A", 500), "cut: clipped to position", "no more than is held"),
        (Order.buy("A", 10, quantity_type="notional"), "rejected: below lot", "one lot"),
        (Order.sell("B", 10), "cancelled: no bar", "good till cancelled"),
        (Order.buy("A", 0.5), "rejected: below lot", "one lot"),
    ],
)
def test_what_would_be_refused_is_said_with_its_remedy(
    order: Order, reason: str, remedy: str
) -> None:
    """The reasons people would find in the ledger, beforehand."""
    told = said(order)
    assert reason in told
    assert remedy in told


def test_an_order_that_waits_says_for_what_and_what_it_comes_to_there() -> None:
    """A limit below the market rests; its cost is that of its own price."""
    told = said(Order.buy("A", 10, limit=45.0, time_in_force="gtc"))
    assert "rests: limit 45.00 against a last close of 50.00, until cancelled" in told
    assert "for $450.00" in told
    told = said(Order.buy("A", 300, stop=60.0))
    assert "stop 60.00" in told
    assert "cut: insufficient cash" in told


def test_a_limit_that_is_met_at_once_is_no_wait() -> None:
    """Through the market it trades like a market order."""
    assert "rests" not in said(Order.buy("A", 10, limit=55.0))


def test_the_orders_before_it_are_counted_in() -> None:
    """Two orders of one decision share the cash."""
    assert "cut" not in said(Order.buy("A", 150))
    assert "cut: insufficient cash" in said(Order.buy("A", 150), Order.buy("A", 150))


def test_an_exit_is_counted_on_its_entry() -> None:
    """A stop that sells what an order before it buys says what is held after both."""
    flat = replace(STANDING, holdings={})
    told = said(Order.sell("A", 10, stop=45.0), Order.buy("A", 10), standing=flat)
    assert "rests: stop 45.00" in told
    assert "about 10  for $450.00" in told
    assert "cash after $9,950.00  held after 0" in told


def test_the_last_step_has_no_next_bar() -> None:
    """Nothing decided there can fill at the next open."""
    assert "expire: no next bar" in said(Order.buy("A", 1), standing=replace(STANDING, last=True))


def test_a_short_is_possible_where_the_rules_allow_it() -> None:
    """The run's rules decide, not the ticket."""
    shorts = replace(STANDING, rules=replace(STANDING.rules, allow_short=True), holdings={})
    assert "held after -10" in said(Order.sell("A", 10), standing=shorts)
    flat = replace(STANDING, holdings={})
    assert "rejected: no position" in said(Order.sell("A", 10), standing=flat)


def test_an_order_in_a_line() -> None:
    """What was kept for the decision reads like what was typed."""
    order = Order.sell("A", 5, limit=56, stop=55, time_in_force="gtc", oco_group="out", tag="t")
    assert order_line(order) == "sell 5 A stop 55.00 limit 56.00 gtc oco out #t"
    assert order_line(Order.buy("A", 0.25, quantity_type="weight")) == "buy 25.0% A"
