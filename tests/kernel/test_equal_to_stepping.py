"""The kernel against stepping, to the last bit: every rule, every case, random runs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.model import Costs, Rules
from engine.sim.compiled import Kernel, advance_rows
from engine.sim.simulation import Simulation
from engine.sim.state import Receivable, join
from engine.strategies.rows import TargetRows
from tests.bench.step_loop import walk
from tests.kernel.builders import (
    WEIGHTS,
    RowRun,
    assert_same,
    compiled,
    random_rows,
    random_run,
    stepped,
)
from tests.property.sim_runs import panels, rules
from tests.sim.builders import flat_bars, panel_of, rules_of
from tests.sim.test_cases import CASES, case_panel, case_rules

pytestmark = pytest.mark.usefixtures("eager")
law = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
REACHED = {
    None, "no_bar", "already_at_target", "no_position", "clipped_to_position", "volume_cap",
    "max_leverage", "insufficient_cash",
}  # fmt: skip


@st.composite
def row_runs(draw: st.DrawFn) -> RowRun:
    """A small run with rows of every kind of weight, and rows of none."""
    panel = draw(panels())
    cells = st.sampled_from([np.nan, np.nan, *WEIGHTS])
    width = len(panel.symbols)
    rows = st.lists(
        st.lists(cells, min_size=width, max_size=width),
        min_size=panel.steps,
        max_size=panel.steps,
    )
    weights = TargetRows(draw(rows), panel.symbols, panel.steps)
    return RowRun(panel, draw(rules(st.booleans())), weights)


@law
@given(run=row_runs(), chunk=st.integers(1, 9))
def test_compiled_is_stepped(kernel: Kernel, run: RowRun, chunk: int) -> None:
    """Any rows over any bars under any rules: the same bytes, however many at a time."""
    assert_same(compiled(run, kernel, chunk), stepped(run))


@law
@given(run=row_runs(), data=st.data())
def test_a_run_may_change_hands_at_any_step(
    kernel: Kernel, run: RowRun, data: st.DataObject
) -> None:
    """Compiled for a while, stepped for a while, in any turn: the states fit, the bytes too."""
    simulation = Simulation(run.panel, run.rules)
    state, first = simulation.start(simulation.initial())
    results = [first]
    while not state.done:
        stop = state.decided + data.draw(st.integers(1, 6))
        if data.draw(st.booleans()):
            state, result, _ = advance_rows(simulation, state, run.rows, stop, kernel)
        else:
            state, result, _ = simulation.advance(
                state, lambda obs: run.rows.targets(obs.step), stop
            )
        results.append(result)
    assert_same((state, join(results)), stepped(run))


def test_random_markets_reach_every_rule_and_agree(kernel: Kernel) -> None:
    """Two hundred wild runs agree, and between them every way for an order to end is met."""
    met: Counter[str | None] = Counter()
    capped = 0
    partly: Counter[str | None] = Counter()
    ends: Counter[str | None] = Counter()
    flows: Counter[str] = Counter()
    for seed in range(200):
        run = random_run(seed)
        state, result = stepped(run)
        assert_same(compiled(run, kernel), (state, result))
        met.update(record.reason for _, record in result.orders)
        partly.update(record.reason for _, record in result.orders if record.filled_quantity)
        capped += sum(fill.fees >= 8.3 for fill in result.fills)
        flows.update(flow.kind for flow in result.cash_flows)
        ends[state.ended] += 1
    assert met.keys() >= REACHED
    assert capped > 0
    assert partly.keys() >= {None, "clipped_to_position", "volume_cap", "insufficient_cash"}
    assert partly.keys() >= {"max_leverage"}
    assert ends.keys() == {"end_of_data", "ruin"}
    assert flows.keys() == {"dividend", "cash_in_lieu"}


@pytest.mark.parametrize("missing", [0.0, 5e-10, 2e-9, 5e-8, 9.9e-8, 2e-7])
@pytest.mark.parametrize("initial", [100.0, 1e8])
def test_payments_at_the_edge_of_cash(kernel: Kernel, missing: float, initial: float) -> None:
    """What rounding is forgiven to a payment, in either hands: also to little left of much."""
    panel = panel_of({"A": flat_bars(*[100.0] * 5)})
    rows = TargetRows([[np.nan], [1.0], [np.nan], [np.nan], [np.nan]], panel.symbols, 5)
    simulation = Simulation(panel, rules_of(cash=initial))
    state, _ = simulation.start(simulation.initial())
    poor = replace(state, cash=100.0 - missing)
    fast = advance_rows(simulation, poor, rows, 5, kernel)
    slow = simulation.advance(poor, lambda obs: rows.targets(obs.step), 5)
    assert_same(fast[:2], slow[:2])


@pytest.mark.parametrize("weight", [-1.0, -0.1, 0.0, 0.5, 3.0])
@pytest.mark.parametrize("lots", [(-5, 0), (-5, -3), (-5, 9)])
@pytest.mark.parametrize("receivable", [(), (Receivable(0, 5.0, 700.0, 4),)])
def test_debt_is_only_covered(
    kernel: Kernel, weight: float, lots: tuple[int, int], receivable: tuple[Receivable, ...]
) -> None:
    """With cash below zero, as a dividend owed leaves it, both hands let through the same buys."""
    panel = panel_of({"A": flat_bars(*[100.0] * 5), "B": flat_bars(*[70.0] * 5)})
    row = [weight, 0.2]
    rows = TargetRows([[np.nan] * 2, row, row, [np.nan] * 2, row], panel.symbols, 5)
    simulation = Simulation(panel, rules_of(allow_short=True, max_leverage=2.0))
    state, _ = simulation.start(simulation.initial())
    owing = replace(
        state,
        cash=-40.0,
        lots=lots,
        quantities=(float(lots[0]), float(lots[1])),
        avg_costs=(90.0, 80.0),
        receivables=receivable,
    )
    fast = advance_rows(simulation, owing, rows, 5, kernel)
    slow = simulation.advance(owing, lambda obs: rows.targets(obs.step), 5)
    assert_same(fast[:2], slow[:2])


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_cases(shared: Path, kernel: Kernel, path: Path, fill: str) -> None:
    """The bars, actions and rules of every shared case, its weights or some of ours."""
    case = json.loads(path.read_text())
    panel, config = case_panel(case), case["config"] | {"fill": fill}
    weights = random_rows(np.random.default_rng(3), panel.steps, len(panel.symbols), busy=1.0)
    if all(line.get("targets") and "orders" not in line for line in case["tape"]):
        stamps = {line["at"]: line["targets"] for line in case["tape"]}
        weights[:] = np.nan
        for step, targets in zip(range(panel.steps), stamps.values(), strict=False):
            for symbol, weight in targets.items():
                weights[step, panel.index[symbol]] = weight
    run = RowRun(panel, case_rules(config), TargetRows(weights, panel.symbols, panel.steps))
    assert_same(compiled(run, kernel), stepped(run))


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_a_long_run_with_every_cost(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, fill: str
) -> None:
    """Thousands of steps in calls of the usual length, with every kind of cost."""
    monkeypatch.undo()
    panel = walk(4_000, 30, seed=7)
    draw = np.random.default_rng(7)
    weights = draw.dirichlet(np.ones(30), 4_000)
    weights[draw.random(weights.shape) < 0.5] = np.nan
    costs = Costs("all", 1.0, 0.005, 0.0001, True, True, 1.0)
    run = RowRun(
        panel,
        Rules(fill="close" if fill == "close" else "next_open", costs=costs, lot=0.01),
        TargetRows(weights, panel.symbols, panel.steps),
    )
    assert_same(compiled(run, kernel), stepped(run))
