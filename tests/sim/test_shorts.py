"""Shorting, leverage and ruin: O5."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.model import CorporateAction, Costs, Decision, Order, Target
from engine.sim.simulation import Simulation
from engine.sim.state import Receivable
from tests.sim.builders import flat_bars, panel_of, play, records_of, rules_of

A, B = "AAPL", "MSFT"


def test_short_is_marked_and_closed_like_a_long() -> None:
    """A short gains what the price falls, at its average price, and costs nothing to hold."""
    panel = panel_of({A: flat_bars(10, 10, 8, 6, 6)})
    decisions = {
        0: Decision((Order.sell(A, 50),)),
        1: Decision((Order.sell(A, 50),)),
        2: Decision((Order.buy(A, 100),)),
    }
    state, result = play(panel, rules_of(allow_short=True), decisions)
    assert result.equity.tolist() == [1000, 1000, 1100, 1300, 1300]
    assert result.fills[1].avg_cost_after == 9.0
    assert result.fills[1].position_after == -100
    assert result.fills[2].realized_pnl == 300
    assert (state.cash, state.lots, state.avg_costs) == (1300, (0,), (0.0,))


def test_flip_through_zero_closes_one_side_and_opens_the_other() -> None:
    """A sell beyond the holding realises the long and opens a short at its own price."""
    panel = panel_of({A: flat_bars(10, 10, 12, 12)})
    decisions = {0: Decision((Order.buy(A, 20),)), 1: Decision((Order.sell(A, 50),))}
    state, result = play(panel, rules_of(allow_short=True), decisions)
    assert result.fills[1].realized_pnl == 40
    assert (state.lots, state.avg_costs) == ((-30,), (12.0,))


@pytest.mark.parametrize(("leverage", "lots"), [(1.0, 100), (2.0, 200), (0.5, 50)])
def test_leverage_cuts_what_opens(leverage: float, lots: int) -> None:
    """Gross exposure after a fill is at most equity x max_leverage (O5)."""
    panel = panel_of({A: flat_bars(10, 10, 10)})
    rules = rules_of(allow_short=True, max_leverage=leverage)
    state, result = play(panel, rules, {0: Decision((Order.sell(A, 500, tag="x"),))})
    assert state.lots == (-lots,)
    assert records_of(result)["x"][13:15] == ("partially_filled", "max_leverage")


def test_costs_count_against_the_leverage() -> None:
    """Equity is taken after the fill's own costs (O5)."""
    panel = panel_of({A: flat_bars(10, 10, 10)})
    costs = Costs("x", commission_min=5, sec=False, taf=False, slippage_bps=0)
    rules = rules_of(allow_short=True, costs=costs)
    state, _ = play(panel, rules, {0: Decision((Order.sell(A, 500),))})
    assert state.lots == (-99,)


def test_other_symbols_count_at_their_last_close() -> None:
    """Exposure in other symbols is valued at closes seen, not at opens of the same point (O5)."""
    panel = panel_of(
        {A: [(10, 10, 10, 10), (10, 10, 10, 10), (20, 20, 20, 20)], B: flat_bars(10, 10, 10)}
    )
    decisions = {0: Decision((Order.sell(A, 40),)), 1: Decision((Order.sell(B, 90),))}
    state, _ = play(panel, rules_of(allow_short=True), decisions)
    # 40 of A at its last close of 10 are 400, of 1000 in equity: 60 of B.
    assert state.lots == (-40, -60)


def test_reducing_fill_is_never_cut() -> None:
    """A short grown beyond the limit can be bought back, in part too (O5)."""
    panel = panel_of({A: flat_bars(10, 10, 14, 14, 14)})
    decisions = {
        0: Decision((Order.sell(A, 100),)),
        1: Decision((Order.buy(A, 10, tag="part"),)),
        2: Decision((Order.buy(A, 95, tag="flip"),)),
    }
    state, result = play(panel, rules_of(allow_short=True), decisions)
    # At 14: 2000 - 1400 = 600 of equity against 1400 of exposure.
    assert records_of(result)["part"][13:15] == ("filled", None)
    assert records_of(result)["flip"][13:15] == ("filled", None)
    assert state.lots == (5,)


def test_target_below_zero_rounds_toward_zero() -> None:
    """A negative target is floored toward zero (O5)."""
    panel = panel_of({A: flat_bars(30, 30, 30)})
    state, _ = play(panel, rules_of(allow_short=True), {0: Decision((), (Target(A, -0.5),))})
    assert state.lots == (-16,)


def test_short_pays_dividends_and_then_only_covers() -> None:
    """A dividend may take cash below zero; then buys may cover and nothing else (O5)."""
    panel = panel_of(
        {A: flat_bars(10, 10, 10, 10, 10), B: flat_bars(10, 10, 10, 10, 10)},
        daily=True,
        actions=[CorporateAction(A, "2026-03-05", "dividend", 3.0)],
    )
    decisions = {
        0: Decision((Order.sell(A, 100), Order.buy(B, 200))),
        2: Decision(
            (
                Order.buy(B, 1, tag="other"),
                Order.buy(A, 150, tag="cover"),
                Order.buy(A, 1, tag="more"),
            )
        ),
    }
    state, result = play(panel, rules_of(allow_short=True, max_leverage=5.0), decisions)
    assert result.cash.tolist() == [1000, 0, 0, -1300, -1300]
    assert result.cash_flows[0].amount == -300
    records = records_of(result)
    assert records["other"][13:15] == ("rejected", "insufficient_cash")
    assert records["cover"][13:16] == ("partially_filled", "insufficient_cash", 100)
    assert records["more"][13:15] == ("rejected", "insufficient_cash")
    assert state.lots == (0, 200)


def test_ruin_ends_the_run() -> None:
    """Equity at or below zero ends the run and cancels what is open (O5)."""
    panel = panel_of({A: flat_bars(10, 10, 15, 20, 30, 5)})
    decisions = {
        0: Decision((Order.sell(A, 100), Order.buy(A, 1, limit=1, time_in_force="gtc", tag="open")))
    }
    state, result = play(panel, rules_of(allow_short=True), decisions)
    assert state.ended == "ruin"
    assert state.settled == 4
    assert result.equity.tolist() == [1000, 1000, 500, 0]
    assert records_of(result)["open"][13:15] == ("cancelled", "ruin")


def test_split_of_a_short_rounds_toward_zero() -> None:
    """A short's split remainder is bought back at the open (M7)."""
    panel = panel_of(
        {A: flat_bars(30, 30, 20, 20)},
        daily=True,
        actions=[CorporateAction(A, "2026-03-04", "split", 1.5)],
    )
    state, result = play(panel, rules_of(allow_short=True), {0: Decision((Order.sell(A, 5),))})
    assert state.lots == (-7,)
    assert result.cash_flows[0][4:] == (-0.5, -10.0, 0.0)
    assert result.equity.tolist() == [1000] * 4


def test_debt_can_ruin_a_quiet_stretch() -> None:
    """Holds are looked at row by row where a debt could outgrow what is held, batch or not (O5)."""
    falling = flat_bars(*[60.0] * 20, *[40.0] * 20)
    simulation = Simulation(panel_of({"A": falling}), rules_of(allow_short=True))
    start, _ = simulation.start(simulation.initial())
    debts: list[tuple[float, tuple[Receivable, ...]]] = [
        (-50.0, ()),
        (10.0, (Receivable(0, -1.0, -60.0, 39),)),
    ]
    for cash, claims in debts:
        state = replace(
            start,
            cash=cash,
            lots=(1,),
            quantities=(1.0,),
            avg_costs=(60.0,),
            receivables=claims,
        )
        batch = simulation.advance(state, lambda _: None, 40)
        while not state.done:
            state, _ = simulation.step(state, Decision())
        assert (batch.state.ended, batch.state.settled) == ("ruin", 21)
        assert repr(batch.state) == repr(state)
