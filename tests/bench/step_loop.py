"""The step loop alone: no strategy of ours, no ledger; figures printed, nothing asserted.

    python -m tests.bench.step_loop

W1: one symbol of 1,000,000 bars whose ``decide`` answers None on most steps, all in or flat on the
others. W2: 30 symbols of 1,750 bars with seven target weights at every step and every kind of cost.
W3: W2's bars under a resting bracket that is renewed all the time. Processor time, the best of
three, so that a busy machine disturbs little.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from datetime import date, timedelta
from time import process_time

import numpy as np

from engine.model import Costs, Order, Rules, Target
from engine.sim import metrics
from engine.sim.digest import canonical_bytes
from engine.sim.observation import Observation
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import Advance

ALL_COSTS = Costs("all", 1.0, 0.005, 0.0001, True, True, 1.0)
Decide = Callable[[Observation], object]


def walk(steps: int, width: int, seed: int = 1) -> Panel:
    """A random walk of minute bars, 390 to a session."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.002, (steps, width)), axis=0))
    open_ = close * (1 + random.normal(0, 0.0005, (steps, width)))
    sessions = (np.arange(steps) // 390).astype(np.int32)
    return Panel(
        tuple(f"S{i:02}" for i in range(width)),
        np.arange(steps, dtype=np.int64) * 60_000_000,
        open_,
        np.maximum(open_, close) * 1.001,
        np.minimum(open_, close) * 0.999,
        close,
        np.full((steps, width), 1e6),
        sessions,
        tuple(
            (date(2015, 1, 1) + timedelta(days=i)).isoformat() for i in range(int(sessions[-1]) + 1)
        ),
        "1Min",
    )


def crossings(panel: Panel) -> Decide:
    """All in when the 10-bar mean crosses above the 30-bar mean, flat when below."""
    sums = np.cumsum(np.insert(panel.close[:, 0], 0, 0.0))
    fast = (sums[30:] - sums[20:-10]) / 10
    slow = (sums[30:] - sums[:-30]) / 30
    above = np.insert(fast > slow, 0, [False] * 29)
    answers: list[Target | None] = [None] * panel.steps
    for step in (np.flatnonzero(above[1:] != above[:-1]) + 1).tolist():
        answers[step] = Target("S00", 1.0 if above[step] else 0.0)
    return lambda obs: answers[obs.step]


def rotation(panel: Panel) -> Decide:
    """Five symbols held, two of them changed and all of them rebalanced at every step."""
    random = np.random.default_rng(3)
    held = list(range(5))
    answers = []
    for _ in range(panel.steps):
        out = {int(column) for column in random.choice(held, 2, replace=False)}
        others = [column for column in range(len(panel.symbols)) if column not in held]
        new = [int(column) for column in random.choice(others, 2, replace=False)]
        held = [column for column in held if column not in out] + new
        answers.append(
            [Target(panel.symbols[column], 0.0) for column in sorted(out)]
            + [Target(panel.symbols[column], 0.19) for column in held]
        )
    return lambda obs: answers[obs.step]


def brackets(panel: Panel) -> Decide:
    """An entry with a stop and a profit to take, by turns in every symbol."""

    def decide(obs: Observation) -> object:
        symbol = panel.symbols[obs.step % len(panel.symbols)]
        bar = obs.bar(symbol)
        assert bar is not None
        pair = f"{symbol}-{obs.step}"
        return [
            Order.buy(symbol, 10, limit=bar.close * 0.999),
            Order.sell(symbol, 10, limit=bar.close * 1.01, time_in_force="gtc", oco_group=pair),
            Order.sell(symbol, 10, stop=bar.close * 0.99, time_in_force="gtc", oco_group=pair),
        ]

    return decide


def measure(name: str, panel: Panel, decide: Decide, rules: Rules) -> None:
    """Run a workload three times; print the best, with digest and figures of the run."""
    best = float("inf")
    done: Advance | None = None
    for _ in range(3):
        simulation = Simulation(panel, rules)
        began = process_time()
        state, _ = simulation.start(simulation.initial())
        done = simulation.advance(state, decide, simulation.total_steps)
        best = min(best, process_time() - began)
    assert done is not None
    result = done.result
    began = process_time()
    size = len(canonical_bytes(result))
    digested = process_time() - began
    began = process_time()
    metrics.compute(panel, rules, result.equity, result.fills, result.cash_flows)
    computed = process_time() - began
    steps = panel.steps
    print(
        f"{name}: {best:.3f} s, {best / steps * 1e6:.2f} us a step, {len(result.fills)} fills;"
        f" digest {digested / steps * 1e6:.2f} us a step over {size / 1e6:.1f} MB;"
        f" figures {computed:.3f} s"
    )


def main() -> None:
    """Measure the three workloads."""
    print(
        f"python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores,"
        f" {platform.machine()}"
    )
    one, thirty = walk(1_000_000, 1), walk(1_750, 30)
    measure("W1 1,000,000 x 1, mostly quiet", one, crossings(one), Rules())
    measure("W2 1,750 x 30, seven targets", thirty, rotation(thirty), Rules(costs=ALL_COSTS))
    measure("W3 1,750 x 30, brackets", thirty, brackets(thirty), Rules(costs=ALL_COSTS))


if __name__ == "__main__":
    main()
