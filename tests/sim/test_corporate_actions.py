"""Splits and dividends: M7, M8."""

from __future__ import annotations

import pytest

from engine.model import CorporateAction, Decision, Order, Rules
from engine.sim.simulation import Simulation
from tests.sim.builders import Bars, flat_bars, panel_of, play, rules_of

A, B = "AAPL", "MSFT"


def split(date: str, ratio: float, symbol: str = A) -> CorporateAction:
    """A split of so many new shares per old."""
    return CorporateAction(symbol, date, "split", ratio)


def dividend(date: str, cash: float, pay: str | None = None, symbol: str = A) -> CorporateAction:
    """A dividend of so much cash per share."""
    return CorporateAction(symbol, date, "dividend", cash, pay)


def test_split_pays_the_remainder_in_cash() -> None:
    """Holdings round toward zero to the lot, the rest is paid at the bar's open (M7)."""
    panel = panel_of(
        {A: [*flat_bars(90, 90), (62, 66, 62, 64), (64, 64, 64, 64)]},
        daily=True,
        actions=[split("2026-03-04", 1.5)],
    )
    state, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 5),))})
    # 5 -> 7.5 -> 7 at an average of 60, half a share for 31: one of profit.
    assert state.lots == (7,)
    assert state.avg_costs == (60.0,)
    (flow,) = result.cash_flows
    assert flow[2:] == (A, "cash_in_lieu", 0.5, 31.0, 1.0)
    assert flow.step_index == 2
    assert result.cash.tolist() == [1000, 550, 581, 581]
    assert result.equity.tolist() == [1000, 1000, 581 + 7 * 64, 581 + 7 * 64]


def test_reverse_split_may_pay_out_everything() -> None:
    """A holding worth less than a lot after a split is paid out whole; nothing is held then."""
    panel = panel_of(
        {A: [*flat_bars(1, 1), *flat_bars(10, 10)]},
        daily=True,
        actions=[split("2026-03-04", 0.1)],
    )
    state, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 5),))})
    assert state.lots == (0,)
    assert state.avg_costs == (0.0,)
    assert result.cash_flows[0].amount == 5.0
    assert result.equity.tolist() == [1000] * 4


def test_rounding_of_a_ratio_is_no_remainder() -> None:
    """A third written as a float leaves neither a lost share nor a cash flow of nothing."""
    panel = panel_of({A: flat_bars(1, 1, 3, 3)}, daily=True, actions=[split("2026-03-04", 1 / 3)])
    state, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 9),))})
    assert state.lots == (3,)
    assert result.cash_flows == ()


def test_split_waits_for_the_symbols_bar() -> None:
    """A split applies at the symbol's first bar on or after its ex-date (M7)."""
    bars: dict[str, Bars] = {A: flat_bars(10, 10, None, None, 5), B: flat_bars(1, 1, 1, 1, 1)}
    panel = panel_of(bars, daily=True, actions=[split("2026-03-04", 2.0)])
    state, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 10),))})
    assert result.equity.tolist() == [1000] * 5
    assert state.lots == (20, 0)


def test_split_before_the_data_does_nothing() -> None:
    """An action whose ex-date is before the first session touches nothing, not even orders."""
    bars: dict[str, Bars] = {A: flat_bars(None, None, 10, 10), B: flat_bars(1, 1, 1, 1)}
    panel = panel_of(bars, daily=True, actions=[split("2020-01-02", 2.0)])
    order = Order.buy(A, 10, time_in_force="gtc")
    state, _ = play(panel, rules_of(), {0: Decision((order,))})
    assert state.lots == (10, 0)


def test_dividend_is_receivable_until_its_pay_date() -> None:
    """The previous close's holding earns it; equity has it at once, cash on the pay date (M8)."""
    panel = panel_of(
        {A: flat_bars(10, 10, 9, 9, 9)},
        daily=True,
        actions=[dividend("2026-03-04", 1.0, "2026-03-06")],
    )
    decisions = {
        0: Decision((Order.buy(A, 10),)),
        1: Decision((Order.sell(A, 10),)),  # sold on the ex-date: still earned
    }
    _, result = play(panel, rules_of(), decisions)
    assert result.equity.tolist() == [1000, 1000, 1000, 1000, 1000]
    assert result.cash.tolist() == [1000, 900, 990, 990, 1000]
    (flow,) = result.cash_flows
    assert (flow.step_index, *flow[2:]) == (4, A, "dividend", 10.0, 10.0, 10.0)


def test_dividend_bought_on_the_ex_date_is_not_earned() -> None:
    """A purchase on the ex-date comes too late (M8)."""
    panel = panel_of({A: flat_bars(10, 9, 9)}, daily=True, actions=[dividend("2026-03-03", 1.0)])
    _, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 10),))})
    assert result.cash_flows == ()


@pytest.mark.parametrize("pay", [None, "2026-03-01"])
def test_dividend_without_a_later_pay_date_is_cash_at_once(pay: str | None) -> None:
    """With no pay date, or one before the ex-date, the ex-date pays, before the open (M8)."""
    panel = panel_of(
        {A: flat_bars(10, 10, 10)}, daily=True, actions=[dividend("2026-03-04", 1.0, pay)]
    )
    # At bar 1 all cash goes into shares; the dividend's 100 buys ten more at bar 2.
    decisions = {0: Decision((Order.buy(A, 100),)), 1: Decision((Order.buy(A, 10),))}
    state, result = play(panel, rules_of(), decisions)
    assert state.lots == (110,)
    assert result.cash_flows[0].step_index == 2


def test_pay_date_beyond_the_data_stays_receivable() -> None:
    """What is not paid by the end is in the equity and not in the cash (M8, M9)."""
    panel = panel_of(
        {A: flat_bars(10, 10, 10)}, daily=True, actions=[dividend("2026-03-04", 1.0, "2026-05-01")]
    )
    state, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 10),))})
    assert (state.cash, result.equity[-1]) == (900, 1010)
    assert state.receivables[0].amount == 10
    assert result.cash_flows == ()


def test_split_comes_before_a_dividend_of_its_day() -> None:
    """On one day the split is first and the dividend is per new share, listed in any order (M8)."""
    actions = [dividend("2026-03-04", 1.0), split("2026-03-04", 2.0)]
    panel = panel_of({A: flat_bars(10, 10, 4, 4)}, daily=True, actions=actions)
    _, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 10),))})
    assert result.cash_flows[0].amount == 20.0
    # An earlier dividend is per old share, though both meet the same bar.
    actions = [split("2026-03-04", 2.0), dividend("2026-03-03", 1.0)]
    bars: dict[str, Bars] = {A: flat_bars(10, 10, 4, 4)}
    late = panel_of(
        bars, stamps=[s * 86_400_000_000 for s in (20510, 20513, 20517, 20518)], actions=actions
    )
    _, result = play(late, rules_of(), {0: Decision((Order.buy(A, 10),))})
    assert result.cash_flows[0].amount == 10.0


def test_dividend_before_its_split_has_a_bar_is_per_new_share() -> None:
    """Where the symbol has no bar the dividend is earned on the shares the split will make."""
    bars: dict[str, Bars] = {A: flat_bars(10, 10, None, 4), B: flat_bars(1, 1, 1, 1)}
    actions = [split("2026-03-04", 2.0), dividend("2026-03-04", 1.0)]
    panel = panel_of(bars, daily=True, actions=actions)
    _, result = play(panel, rules_of(), {0: Decision((Order.buy(A, 10),))})
    assert (result.cash_flows[0].step_index, result.cash_flows[0].amount) == (2, 20.0)


def test_close_fills_see_actions_first() -> None:
    """With close fills the decision of a bar knows of that bar's split."""
    panel = panel_of({A: flat_bars(10, 5, 5)}, daily=True, actions=[split("2026-03-03", 2.0)])
    rules: Rules = rules_of(fill="close")
    simulation = Simulation(panel, rules)
    state, _ = simulation.start(simulation.initial())
    state, _ = simulation.step(state, Decision((Order.buy(A, 10),)))
    seen = simulation.observe(state).portfolio
    assert seen.positions[A].quantity == 20
    assert seen.equity == 1000
    assert state.lots == (10,)
    play(panel, rules, {0: Decision((Order.buy(A, 10),)), 1: Decision((Order.sell(A, 20),))})


def test_what_volume_held_back_of_a_weight_is_cancelled_by_a_split() -> None:
    """Once sized, a weight counts old shares: a split ends what is left of it (O9)."""
    bars = {A: [(10, 10, 10, 10, 100), (10, 10, 10, 10, 100), *[(5, 5, 5, 5, 1e6)] * 2]}
    split = CorporateAction(A, "2026-03-04", "split", 2.0)
    order = Order.buy(A, 0.9, quantity_type="weight", time_in_force="gtc")
    panel = panel_of(bars, daily=True, actions=[split])
    state, result = play(panel, rules_of(participation=0.1), {0: Decision((order,))})
    (record,) = {record.order_id: record for _, record in result.orders}.values()
    assert (record.status, record.reason) == ("partially_filled", "corporate_action")
    assert (record.quantity, record.filled_quantity, record.closed_step) == (90.0, 10.0, 2)
    assert state.quantities == (20.0,)
