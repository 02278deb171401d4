"""Why orders became what they became, on a real run whose every number can be checked."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.model import Decision, Order, OrderRecord, Target
from engine.sim.panel import Panel
from engine.sim.reasons import Reason
from tests.tui.screens.kit import create, reach
from tui.gateway import Gateway, RunDetail
from tui.viewmodel.why import REASONS, as_text, why

DECISION = Decision(
    (
        Order.buy("AAPL", 20),
        Order.sell("MSFT", 10),
        Order.buy("MSFT", 5000),
        Order.buy("AAPL", 3, limit=150.0, time_in_force="gtc", tag="dip"),
        Order.sell("AAPL", 20, stop=165, time_in_force="gtc"),
        Order.buy("AAPL", 1, limit=50, time_in_force="gtc"),
        Order.buy("AAPL", 1000),
    ),
    (),
    (),
    0.7,
    "cheap",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDetail, Panel]:
    """A run by hand with an order of every fate."""
    gateway = Gateway.open(tmp_path_factory.mktemp("why") / "runs.db")
    run_id = create(
        gateway, "manual", symbols="AAPL,MSFT", start="2008-01-02", end="2008-12-31", cash="10000"
    )
    reach(gateway, run_id, "running")
    gateway.step(run_id, 5)
    gateway.submit(run_id, 5, DECISION)
    gateway.step(run_id, 14)
    gateway.submit(run_id, 20, Decision(targets=(Target("MSFT", weight=0.25),)))
    gateway.step(run_id, 2)
    detail, panel = gateway.detail(run_id), gateway.bars(run_id)
    gateway.close()
    return detail, panel


def told(run: tuple[RunDetail, Panel], number: int, *, bars: bool = True) -> str:
    """The chain of the n-th order of the run, as lines."""
    detail, panel = run
    return as_text(why(detail, detail.orders[number].order_id, panel if bars else None, "$"))


def test_a_market_order_is_told_from_the_bar_seen_to_the_cash_left(
    run: tuple[RunDetail, Panel],
) -> None:
    """Seen, decided, asked, met, filled with its price in parts, ended."""
    detail, _ = run
    fill = next(fill for fill in detail.fills if fill.order_id == detail.orders[0].order_id)
    text = told(run, 0)
    for line in (
        "Decision 5 came when the bar of 2008-01-09 had closed.",
        "AAPL opened at 171.30, went from 168.30 to 179.50 and closed at 179.40",
        "Equity was $10,000.00, cash $10,000.00; no AAPL held.",
        "A person decided: buy 20 AAPL; sell 10 MSFT",
        "Because: cheap",
        "Confidence 0.7.",
        "To buy 20 shares of AAPL, at the market, for the day.",
        "The bar of 2008-01-10 had its open at 177.58: it traded there.",
        "Bought 20 on 2008-01-10 at 177.5978 = 177.5800 + 0.0178 slippage ($0.36 in all).",
        "cash $10,000.00 → $6,448.04.",
        "Position 0 → 20 at an average of 177.60; realized $0.00.",
        "It was filled in full on 2008-01-10.",
    ):
        assert line in text
    assert fill.price == pytest.approx(177.5978, abs=1e-4)


def test_a_refused_order_is_told_what_would_be_right(run: tuple[RunDetail, Panel]) -> None:
    """Why, and the remedy; nothing of a fill."""
    text = told(run, 1)
    assert "It was rejected on 2008-01-10: there was nothing to sell" in text
    assert "What would be right: hold the symbol before selling it, or allow shorting." in text
    assert "Filled" not in text


def test_a_cut_order_is_told_from_what_to_what_and_why(run: tuple[RunDetail, Panel]) -> None:
    """Quantity asked, quantity filled, and what decided it."""
    text = told(run, 2)
    assert "To buy 5,000 shares of MSFT" in text
    assert "Cut to 187: cash did not pay for more, costs included." in text
    assert "cash $6,448.04 → $23.95." in text
    assert "It was filled in part on 2008-01-10" in text


def test_what_cash_cannot_pay_is_told_in_money(run: tuple[RunDetail, Panel]) -> None:
    """The order that came too late for the cash says what it would have cost."""
    text = told(run, 6)
    assert "rejected" in text
    assert "1,000 at about 177.58 come to $177,580.00; cash was $10,000.00 before." in text


def test_resting_orders_are_told_which_bar_met_their_price(run: tuple[RunDetail, Panel]) -> None:
    """Gapped through at the open, reached in the range, or still waiting."""
    limit, stop, waiting = (told(run, number) for number in (3, 4, 5))
    assert "To buy 3 shares of AAPL, at 150.00 or less, until filled or cancelled." in limit
    assert "Its tag is dip." in limit
    assert "opened at 148.06, at or through its limit 150.00: it traded at the open" in limit
    assert "once the price falls to 165.00" in stop
    assert "went from 164.66 to 179.22 and reached its stop 165.00: it traded at 165.00" in stop
    assert "after 3 bars of waiting" in stop
    assert "= 165.0000 − 0.0165 slippage" in stop
    assert "It still waits at 50.00 or less." in waiting


def test_a_target_is_told_how_it_was_sized(run: tuple[RunDetail, Panel]) -> None:
    """Weight asked, shares that came to, and what part of equity they were."""
    text = told(run, 7)
    assert "To hold 25.0% of equity in MSFT" in text
    found = re.search(r"That came to sell (\d+) shares: \$([\d,.]+) at ([\d.]+), ([\d.]+)%", text)
    assert found is not None
    assert float(found[2].replace(",", "")) == pytest.approx(int(found[1]) * float(found[3]), 1e-3)


def test_cash_before_and_after_agrees_with_the_ledger(run: tuple[RunDetail, Panel]) -> None:
    """The last fill of a grid point leaves the cash that the ledger has for it."""
    detail, _ = run
    last = {fill.step_index: fill for fill in detail.fills}
    numbers = {order.order_id: number for number, order in enumerate(detail.orders)}
    assert len(last) == 4
    for step, fill in last.items():
        after = re.findall(r"→ \$([\d,.]+\d)\.", told(run, numbers[fill.order_id]))[-1]
        assert float(after.replace(",", "")) == pytest.approx(float(detail.cash[step]), abs=0.006)


def test_without_bars_the_ledger_alone_is_told(run: tuple[RunDetail, Panel]) -> None:
    """No bar is made up: prices met come from the fills."""
    text = told(run, 4, bars=False)
    assert "opened at" not in text
    assert "The bar of 2008-01-15 met it at 165.00 after 3 bars of waiting." in text


def test_nothing_after_the_moment_shown_is_read(run: tuple[RunDetail, Panel]) -> None:
    """A detail cut to a moment tells the order as it stood then, whatever bars there are."""
    detail, panel = run
    waiting: OrderRecord = detail.orders[4]._replace(
        status="resting", reason=None, filled_quantity=0.0, closed_step=None
    )
    cut = replace(
        detail,
        stamps=detail.stamps[:8],
        equity=detail.equity[:8],
        cash=detail.cash[:8],
        fills=tuple(fill for fill in detail.fills if fill.step_index < 8),
        orders=(waiting,),
    )
    text = as_text(why(cut, waiting.order_id, panel, "$"))
    assert "It still waits once the price falls to 165.00." in text
    assert "2008-01-15" not in text


def test_an_order_there_is_not_has_no_story(run: tuple[RunDetail, Panel]) -> None:
    """An unknown id is answered with nothing."""
    assert why(run[0], "nonsense", run[1]) == ()


def test_every_reason_is_said_in_words_or_in_its_own() -> None:
    """A code without words of ours is still readable."""
    assert set(REASONS) <= {reason.value for reason in Reason}


def test_a_strange_ledger_is_told_too(run: tuple[RunDetail, Panel], tmp_path: Path) -> None:
    """Rows written by others, of kinds nobody knows, make no crash."""
    detail, panel = run
    odd = detail.orders[0]._replace(
        symbol="\x1b[31m", side=None, order_type="iceberg", quantity_type="moons",
        status="lost", reason="gremlins", quantity=None, closed_step=10**6,
    )  # fmt: skip
    decided = tuple(row._replace(decision="{") for row in detail.decisions)
    cut = replace(detail, orders=(odd,), fills=(), decisions=decided)
    text = as_text(why(cut, odd.order_id, panel))
    assert "It was lost on step 1000000: gremlins." in text
