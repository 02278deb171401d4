"""Runs of weight rows: stepped, compiled, and compared to the last bit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.model import CorporateAction, Costs, Decision, Rules
from engine.sim.compiled import Kernel, advance_rows
from engine.sim.digest import canonical_bytes
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import State, StepResult, join
from engine.strategies.rows import TargetRows
from tests.sim.builders import DAY, MONDAY, date_of, run_steps

WEIGHTS = (0.0, 0.0, 0.25, 0.4, 0.6, 1.0, 1.6, -0.5, -1.5, 1e-7, -0.0)


class RowRun(NamedTuple):
    """A run as data."""

    panel: Panel
    rules: Rules
    rows: TargetRows


def stepped(run: RowRun) -> tuple[State, StepResult]:
    """The whole run, one decision at a time, each a plain list of targets."""
    panel, rules, rows = run
    decisions = {
        step: Decision((), rows.targets(step) or ())
        for step in range(panel.steps)
        if rows.targets(step) is not None
    }
    return run_steps(panel, rules, decisions)


def compiled(run: RowRun, kernel: Kernel, chunk: int = 10**9) -> tuple[State, StepResult]:
    """The whole run in the kernel, so many decisions at a time."""
    simulation = Simulation(run.panel, run.rules)
    state, first = simulation.start(simulation.initial())
    results = [first]
    while not state.done:
        state, result, fault = advance_rows(
            simulation, state, run.rows, state.decided + chunk, kernel
        )
        assert fault is None
        results.append(result)
    return state, join(results)


def assert_same(one: tuple[State, StepResult], other: tuple[State, StepResult]) -> None:
    """The same state, rows, records and bytes."""
    (state, result), (state_too, result_too) = one, other
    assert repr(state) == repr(state_too)
    assert result.equity.tobytes() == result_too.equity.tobytes()
    assert result.cash.tobytes() == result_too.cash.tobytes()
    assert list(map(repr, result.orders)) == list(map(repr, result_too.orders))
    assert list(map(repr, result.fills)) == list(map(repr, result_too.fills))
    assert result.cash_flows == result_too.cash_flows
    assert list(map(repr, result.decisions)) == list(map(repr, result_too.decisions))
    assert canonical_bytes(result) == canonical_bytes(result_too)


def random_rows(
    draw: np.random.Generator, steps: int, width: int, busy: float = 0.5
) -> NDArray[np.float64]:
    """Weights at random in some cells of some rows."""
    rows = draw.choice(WEIGHTS, (steps, width))
    rows[draw.random((steps, width)) < 0.4] = np.nan
    rows[draw.random(steps) > busy] = np.nan
    return rows


def random_run(seed: int) -> RowRun:
    """A wild market under rules of every kind: gaps, crashes, no volume, splits, dividends."""
    draw = np.random.default_rng(seed)
    steps, width = int(draw.integers(5, 60)), int(draw.integers(1, 5))
    close = 20.0 * np.exp(np.cumsum(draw.normal(0.0, 0.15, (steps, width)), axis=0))
    open_ = close * np.exp(draw.normal(0.0, 0.1, close.shape))
    volume = draw.choice([0.0, 7.0, 150.0, 1e6], close.shape)
    gaps = draw.random(close.shape) < draw.choice([0.0, 0.15])
    gaps[0] = False
    for cells in (open_, close, volume):
        cells[gaps] = np.nan
    symbols = tuple(f"S{column}" for column in range(width))
    stamps = MONDAY + DAY * np.arange(steps, dtype=np.int64)
    dates = tuple(date_of(int(stamp)) for stamp in stamps)
    actions = []
    for _ in range(int(draw.integers(0, 4))):
        symbol, on, pay = draw.choice(symbols), draw.integers(steps), draw.integers(steps)
        split = bool(draw.random() < 0.5)
        value = float(draw.choice([2.0, 0.5, 1.5] if split else [0.2, 1.0]))
        kind = "split" if split else "dividend"
        actions.append(CorporateAction(str(symbol), dates[on], kind, value, dates[max(on, pay)]))
    costs = Costs(
        "random",
        float(draw.choice([0.0, 1.0, 30.0])),
        float(draw.choice([0.0, 0.01])),
        float(draw.choice([0.0, 0.002])),
        bool(draw.random() < 0.5),
        bool(draw.random() < 0.5),
        float(draw.choice([0.0, 1.0, 80.0])),
    )
    rules = Rules(
        cash=float(draw.choice([40.0, 1_000.0, 123_456.78, 2e7])),
        lot=float(draw.choice([1.0, 0.01, 1e-9, 3.0])),
        fill="next_open" if draw.random() < 0.6 else "close",
        costs=costs,
        participation=None if draw.random() < 0.6 else 0.1,
        allow_short=bool(draw.random() < 0.5),
        max_leverage=float(draw.choice([1.0, 2.5])),
    )
    panel = Panel(
        symbols,
        stamps,
        open_,
        np.maximum(open_, close),
        np.minimum(open_, close),
        close,
        volume,
        np.arange(steps, dtype=np.int32),
        dates,
        actions=tuple(actions),
    )
    return RowRun(panel, rules, TargetRows(random_rows(draw, steps, width), symbols, steps))
