"""Laws of the simulation, over random runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import StrategyError
from engine.model import Decision, Rules
from engine.sim import metrics, simulation
from engine.sim.activity import Activity
from engine.sim.digest import canonical_bytes
from engine.sim.lots import LotGrid
from engine.sim.observation import Observation
from engine.sim.panel import Panel
from engine.sim.portfolio import Dividend, schedule
from engine.sim.reasons import Reason
from engine.sim.simulation import Simulation
from engine.sim.state import State, StepResult, join
from tests.property.sim_runs import Run, runs, truncated, with_other_future
from tests.sim.builders import run_batch, run_steps

TERMINAL = {"filled", "partially_filled", "cancelled", "expired", "rejected"}
long_only = runs(short=st.just(False))
law = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@law
@given(run=runs(), chunk=st.integers(1, 6))
def test_advancing_is_stepping(run: Run, chunk: int) -> None:
    """Batches of any size give the bytes, figures and state that single steps give (D1)."""
    state, stepped = run_steps(*run)
    other, advanced = run_batch(*run, chunk)
    assert canonical_bytes(advanced) == canonical_bytes(stepped)
    assert advanced.equity.tobytes() == stepped.equity.tobytes()
    assert advanced.cash.tobytes() == stepped.cash.tobytes()
    assert (advanced.orders, advanced.fills) == (stepped.orders, stepped.fills)
    assert advanced.cash_flows == stepped.cash_flows
    assert repr(advanced.decisions) == repr(stepped.decisions)
    assert repr(other) == repr(state)


@law
@given(run=runs())
def test_quiet_stretches_are_stepped_sums(run: Run) -> None:
    """A long hold computed at once is, bit for bit, the hold computed row by row (M1)."""
    panel, rules, decisions = run
    first = {step: decision for step, decision in decisions.items() if step < 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "_VECTOR_ROWS", 1)
        _, advanced = run_batch(panel, rules, first)
    assert canonical_bytes(advanced) == canonical_bytes(run_steps(panel, rules, first)[1])


@law
@given(run=runs())
def test_the_short_path_is_the_long_one(run: Run) -> None:
    """Plain market decisions settle to the same bytes on the broker's full path."""
    state, quick = run_batch(*run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "settle_markets", lambda *_: False)
        other, full = run_batch(*run)
    assert canonical_bytes(quick) == canonical_bytes(full)
    assert repr(state) == repr(other)


@law
@given(run=runs(), data=st.data())
def test_digest_bytes_do_not_depend_on_where_batches_end(run: Run, data: st.DataObject) -> None:
    """The bytes of batches, one after the other, are those of the whole run (D3)."""
    panel, rules, decisions = run
    sim = Simulation(panel, rules)
    state, first = sim.start(sim.initial())
    results = [first]
    while not state.done:
        stop = state.decided + data.draw(st.integers(1, 5))
        state, result, _ = sim.advance(state, lambda obs: decisions.get(obs.step), stop)
        results.append(result)
    assert b"".join(map(canonical_bytes, results)) == canonical_bytes(join(results))


@law
@given(run=long_only)
def test_cash_and_holdings_are_never_below_zero(run: Run) -> None:
    """Long only: no cash, no holding, no equity below zero at any grid point (O4, O5)."""
    state, result = run_steps(*run)
    assert (result.cash >= 0).all()
    assert (result.equity >= 0).all()
    assert all(fill.position_after >= 0 for fill in result.fills)
    assert all(lots >= 0 for lots in state.lots)


@law
@given(run=runs())
def test_equity_can_be_recomputed(run: Run) -> None:
    """Cash and equity of every row follow from fills, cash flows, bars and actions (M7 to M9)."""
    panel, rules, _ = run
    _, result = run_steps(*run)
    grid, actions = LotGrid(rules.lot), schedule(panel)
    cash, held = rules.cash, dict.fromkeys(panel.symbols, 0.0)
    owed: list[tuple[int, float]] = []
    for step in range(result.rows):
        for action in actions.get(step, ()):
            symbol = panel.symbols[action.column]
            shares = grid.quantity(grid.toward_zero(held[symbol] * action.ratio))
            if isinstance(action, Dividend):
                owed.append((action.pay_step, shares * action.per_share))
            else:
                held[symbol] = shares
        cash += sum(flow.amount for flow in result.cash_flows if flow.step_index == step)
        owed = [(pay, amount) for pay, amount in owed if pay > step]
        for fill in result.fills:
            if fill.step_index == step:
                signed = fill.quantity if fill.side == "buy" else -fill.quantity
                cash -= signed * fill.price + fill.commission + fill.fees
                assert fill.position_after == pytest.approx(held[fill.symbol] + signed, abs=1e-9)
                held[fill.symbol] = fill.position_after
        marks = dict(zip(panel.symbols, panel.mark[step].tolist(), strict=True))
        worth = sum(quantity * marks[symbol] for symbol, quantity in held.items() if quantity)
        due = sum(amount for _, amount in owed)
        assert result.cash[step] == pytest.approx(cash, abs=1e-6)
        assert result.equity[step] == pytest.approx(cash + worth + due, abs=1e-6)


@law
@given(run=runs())
def test_nothing_is_made_or_lost_by_trading(run: Run) -> None:
    """What was realised, received and is unrealised is what equity has gained (M6)."""
    panel, rules, _ = run
    state, result = run_steps(*run)
    marks = panel.mark[state.settled - 1].tolist()
    unrealized = sum(
        quantity * (mark - average)
        for quantity, mark, average in zip(state.quantities, marks, state.avg_costs, strict=True)
        if quantity
    )
    realized = sum(fill.realized_pnl for fill in result.fills)
    flows = sum(flow.realized_pnl for flow in result.cash_flows)
    due = sum(claim.amount for claim in state.receivables)
    gained = float(result.equity[-1]) - rules.cash
    assert realized + flows + due + unrealized == pytest.approx(gained, abs=1e-6)


@law
@given(run=runs())
def test_every_intent_ends_in_one_record(run: Run) -> None:
    """Each order and target decided leaves one record, terminal, that agrees with its fills."""
    _, result = run_steps(*run)
    last = {record.order_id: record for _, record in result.orders}
    intents = sum(len(made.orders) + len(made.targets) for _, made in result.decisions)
    assert len(last) == intents
    terminal = Counter(record.order_id for _, record in result.orders if record.status in TERMINAL)
    assert terminal == Counter(last.keys())
    filled: dict[str, float] = defaultdict(float)
    for fill in result.fills:
        filled[fill.order_id] += fill.quantity
    for order_id, record in last.items():
        assert (record.status in {"filled", "partially_filled"}) == (order_id in filled)
        assert record.filled_quantity == pytest.approx(filled[order_id], abs=1e-9)
        assert (record.reason is None) == (record.status == "filled")
        assert record.reason is None or Reason(record.reason)
        assert record.closed_step is not None
        if record.status == "filled":
            assert record.quantity == record.filled_quantity


@law
@given(run=runs())
def test_fills_are_inside_their_bars(run: Run) -> None:
    """A reference price lies in its bar; a limit is never passed; numbers rise (O8)."""
    panel, _, _ = run
    _, result = run_steps(*run)
    records = {record.order_id: record for _, record in result.orders}
    for fill in result.fills:
        column = panel.index[fill.symbol]
        low, high = panel.low[fill.step_index, column], panel.high[fill.step_index, column]
        assert low <= fill.reference_price <= high
        limit = records[fill.order_id].limit_price
        if limit is not None:
            assert fill.price <= limit if fill.side == "buy" else fill.price >= limit
        adverse = fill.price - fill.reference_price
        assert (adverse >= 0) if fill.side == "buy" else (adverse <= 0)
        assert fill.slippage >= 0
    assert [fill.fill_id for fill in result.fills] == list(range(len(result.fills)))
    assert all(a.step_index <= b.step_index for a, b in pairwise(result.fills))


def advanced_by(panel: Panel, run: Run, count: int) -> tuple[State, StepResult]:
    """The first decisions of a run, on another panel."""
    sim = Simulation(panel, run.rules)
    state, first = sim.start(sim.initial())
    if not count or state.done:
        return state, first
    state, rest, _ = sim.advance(state, lambda obs: run.decisions.get(obs.step), count)
    return state, join([first, rest])


@law
@given(run=runs(), data=st.data())
def test_the_future_changes_nothing_before_it(run: Run, data: st.DataObject) -> None:
    """Cutting off or changing what comes after a grid point changes no byte before it (G2)."""
    panel = run.panel
    cut = data.draw(st.integers(2, panel.steps))
    count = cut - 2  # decisions whose grid points lie before the last one known
    _, whole = advanced_by(panel, run, count)
    for other in (truncated(panel, cut), with_other_future(panel, cut, 3.0)):
        _, result = advanced_by(other, run, count)
        assert canonical_bytes(result) == canonical_bytes(whole)


@law
@given(run=runs(), data=st.data())
def test_observations_show_no_future(run: Run, data: st.DataObject) -> None:
    """What an observation tells, at once or later, is what a panel cut off there tells (G2)."""
    panel = run.panel
    cut = data.draw(st.integers(2, panel.steps))

    def told(shown: Panel) -> list[Any]:
        kept: list[Observation] = []

        def decide(obs: Observation) -> Decision | None:
            kept.append(obs)
            return run.decisions.get(obs.step)

        sim = Simulation(shown, run.rules)
        state, _ = sim.start(sim.initial())
        if not state.done:
            sim.advance(state, decide, cut - 1)
        return [
            (
                repr(obs.portfolio),
                [repr(obs.bar(symbol)) for symbol in obs.symbols],
                obs.history("close", 99).tobytes(),
                obs.indicator("sma", 2).tobytes(),
            )
            for obs in kept
        ]

    assert told(panel) == told(truncated(panel, cut))


@law
@given(run=runs(), data=st.data())
def test_a_fault_keeps_the_steps_before_it(run: Run, data: st.DataObject) -> None:
    """A strategy that fails leaves the state and the bytes of the steps before the failure."""
    panel, rules, decisions = run
    at = data.draw(st.integers(0, panel.steps - 1))

    def decide(obs: Observation) -> Decision | None:
        if obs.step == at:
            raise StrategyError("no more")
        return decisions.get(obs.step)

    sim = Simulation(panel, rules)
    start, first = sim.start(sim.initial())
    if start.done:
        return
    state, result, fault = sim.advance(start, decide, panel.steps)
    expected, bare = advanced_by(panel, run, at)
    if expected.done and expected.decided <= at:
        assert fault is None  # ruin came first
    else:
        assert isinstance(fault, StrategyError)
        assert repr(state) == repr(expected)
    assert canonical_bytes(join([first, result])) == canonical_bytes(bare)


@law
@given(run=runs(), chunk=st.integers(1, 5))
def test_running_figures_are_the_final_ones(run: Run, chunk: int) -> None:
    """Counts, costs and drawdown that run along agree with those computed at the end (F2)."""
    panel, rules, decisions = run
    sim = Simulation(panel, rules)
    state, result = sim.start(sim.initial())
    drawdown = metrics.Drawdown.of(rules).after(result.equity)
    activity = Activity.of(result.fills, result.cash_flows)
    results = [result]
    while not state.done:
        state, result, _ = sim.advance(
            state, lambda obs: decisions.get(obs.step), state.decided + chunk
        )
        drawdown = drawdown.after(result.equity)
        activity.take(result.fills, result.cash_flows)
        results.append(result)
    whole = join(results)
    figures = metrics.compute(panel, rules, whole.equity, whole.fills, whole.cash_flows)
    assert metrics.figures_of(panel, rules, whole.equity, activity) == figures
    assert drawdown.lowest == figures["max_drawdown"]


def test_rules_have_defaults_of_the_policy() -> None:
    """Unless told otherwise: next-open fills, whole shares, US equity costs, long only."""
    rules = Rules()
    assert (rules.fill, rules.lot, rules.allow_short, rules.max_leverage) == (
        "next_open",
        1.0,
        False,
        1.0,
    )
    assert (rules.costs.profile, rules.costs.slippage_bps) == ("us-equity", 1.0)
    assert rules.participation is None
