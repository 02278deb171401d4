"""Commission, fees, slippage: M2 to M5."""

from __future__ import annotations

import pytest

from engine.model import Costs, Decision, Order
from engine.sim.costs import commission_of, fee_rates, notices, sale_fees, up_to_cent
from tests.sim.builders import flat_bars, panel_of, play, rules_of

A = "AAPL"


@pytest.mark.parametrize(
    ("amount", "cents"),
    [(0.0, 0.0), (0.01, 0.01), (0.0100001, 0.02), (1.1, 1.1), (0.07, 0.07), (2.005, 2.01)],
)
def test_up_to_the_cent(amount: float, cents: float) -> None:
    """Amounts round up to the cent; a product that is a cent but for its last bits stays (M2)."""
    assert up_to_cent(amount) == cents


def test_no_product_of_cents_is_overcharged() -> None:
    """A whole number of cents stays that, however it was multiplied (M2)."""
    for count in range(1, 2000):
        assert up_to_cent(0.01 * count) == count / 100
        assert up_to_cent(0.005 * 2 * count) == count / 100


@pytest.mark.parametrize(
    ("date", "per_million", "per_share", "cap"),
    [
        ("2019-01-02", 27.80, 0.000166, 8.30),
        ("2025-05-13", 27.80, 0.000166, 8.30),
        ("2025-05-14", 0.0, 0.000166, 8.30),
        ("2026-01-02", 0.0, 0.000195, 9.79),
        ("2026-04-03", 0.0, 0.000195, 9.79),
        ("2026-04-04", 20.60, 0.000195, 9.79),
        ("2027-01-04", 20.60, 0.000232, 11.61),
        ("2031-01-02", 20.60, 0.000232, 11.61),
    ],
)
def test_fee_tables(date: str, per_million: float, per_share: float, cap: float) -> None:
    """Each trade date has the rates in force then; before a table its first row stands (M3)."""
    assert fee_rates(Costs(), date) == (per_million, per_share, cap)
    assert fee_rates(Costs(sec=False, taf=False), date) == (0.0, 0.0, 0.0)


def test_sale_fees() -> None:
    """SEC and TAF each round up to the cent; the TAF stops at its cap (M3)."""
    rates = fee_rates(Costs(), "2026-04-06")
    # 20.60 x 12,345 / 1e6 = 0.2543 -> 0.26; 0.000195 x 100 = 0.0195 -> 0.02.
    assert sale_fees(rates, 100, 12_345) == pytest.approx(0.28, abs=1e-12)
    assert sale_fees(rates, 1_000_000, 0.0) == 9.79


def test_only_sells_pay_fees() -> None:
    """Regulatory fees come off sells, by the trade date of the fill (M3)."""
    panel = panel_of({A: flat_bars(100, 100, 100)})
    decisions = {0: Decision((Order.buy(A, 5),)), 1: Decision((Order.sell(A, 5),))}
    state, result = play(panel, rules_of(costs=Costs("sec,taf", slippage_bps=0)), decisions)
    buy, sell = result.fills
    # 2026-03-02: SEC rate 0, TAF 0.000195 x 5 -> 0.01.
    assert (buy.fees, sell.fees) == (0.0, 0.01)
    assert sell.realized_pnl == pytest.approx(-0.01, abs=1e-12)
    assert state.cash == 999.99


@pytest.mark.parametrize(
    ("costs", "quantity", "notional", "due"),
    [
        (Costs(commission_min=1, commission_per_share=0.005), 100, 1000, 1.0),
        (Costs(commission_min=1, commission_per_share=0.005), 250, 1000, 1.25),
        (Costs(commission_pct=0.001), 1, 1234.5, 1.24),
        (Costs(commission_per_share=0.0035, commission_pct=0.0001), 300, 6000, 1.65),
        (Costs(), 300, 6000, 0.0),
    ],
)
def test_commission(costs: Costs, quantity: float, notional: float, due: float) -> None:
    """max(minimum, per share x q + pct x notional), up to the cent (M2)."""
    assert commission_of(costs)(quantity, notional) == due


def test_commission_is_per_order() -> None:
    """Fills of one order pay what is due so far less what was paid (M2)."""
    panel = panel_of({A: flat_bars(1, 1, 1, 1, 1, volume=1000)})
    costs = Costs("x", 1.0, 0.005, 0.0, False, False, 0.0)
    order = Order.buy(A, 350, time_in_force="gtc")
    _, result = play(panel, rules_of(costs=costs, participation=0.1), {0: Decision((order,))})
    # In all 0.50 -> 1.00, 1.00, 1.50, 1.75: minimum first, nothing, then what goes beyond it.
    assert [fill.quantity for fill in result.fills] == [100, 100, 100, 50]
    assert [fill.commission for fill in result.fills] == [1.0, 0.0, 0.5, 0.25]


def test_slippage_is_adverse_and_total() -> None:
    """Buys pay more and sells get less than the reference; slippage is the whole amount (M4)."""
    panel = panel_of({A: flat_bars(100, 100, 110)})
    decisions = {0: Decision((Order.buy(A, 5),)), 1: Decision((Order.sell(A, 5),))}
    costs = Costs("x", sec=False, taf=False, slippage_bps=10)
    _, result = play(panel, rules_of(costs=costs), decisions)
    buy, sell = result.fills
    assert buy.price == pytest.approx(100.1)
    assert buy.reference_price == 100
    assert buy.slippage == pytest.approx(0.5)
    assert sell.price == pytest.approx(109.89)
    assert sell.reference_price == 110
    assert sell.slippage == pytest.approx(0.55)


def test_notices_name_dates_before_the_tables() -> None:
    """A report on dates before the fee tables says which rate was used (M3)."""
    assert len(notices(Costs(), "2019-01-02")) == 2
    assert notices(Costs(), "2025-06-02") == ()
    assert notices(Costs(sec=False, taf=False), "2019-01-02") == ()
