"""The compiled kernel beside stepping, on the same weight rows; figures printed, nothing asserted.

    python -m tests.bench.kernel

W1: one symbol of 1,000,000 bars, all in or flat by two moving averages. W3: 30 symbols of 100,000
bars, the five that rose most, rebalanced at every bar. Each with every cost and every order
recorded. A time is from rows to result; what the strategy takes for its rows stands beside it. The
first call is timed in a process of its own: with nothing kept on disk, and with it kept. Processor
time, the best of some, so that a busy machine disturbs little.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.drivers.stepping import Stepping
from engine.drivers.vector import Vector, load_kernel
from engine.model import Rules
from engine.sim.digest import canonical_bytes
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import Advance
from engine.strategies.averages import moving_average
from engine.strategies.rows import TargetRows
from tests.bench.step_loop import ALL_COSTS, walk

RULES = Rules(cash=1_000_000.0, costs=ALL_COSTS)
LIMITS = {"W1": 0.12, "W3": 0.35}
FIRST_CALL = 3.0


def crossings(panel: Panel) -> NDArray[np.float64]:
    """All in when the 10-bar mean crosses above the 30-bar mean, flat when below."""
    close = panel.close[:, 0]
    above = moving_average(close, 10) > moving_average(close, 30)
    turns = np.flatnonzero(above[1:] != above[:-1]) + 1
    weights = np.full((panel.steps, 1), np.nan)
    weights[turns, 0] = above[turns]
    return weights


def strongest(panel: Panel) -> NDArray[np.float64]:
    """A fifth in each of the five that rose most over 20 bars, zero in those just dropped."""
    close = panel.close
    rise = np.full(close.shape, -np.inf)
    rise[20:] = close[20:] / close[:-20]
    held = np.zeros(close.shape, dtype=bool)
    np.put_along_axis(held, np.argpartition(-rise, 5, axis=1)[:, :5], True, axis=1)
    held[:20] = False
    weights = np.where(held, 0.2, np.nan)
    weights[1:][held[:-1] & ~held[1:]] = 0.0
    return weights


def timed(make: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The best of some repeats in seconds, and what the last of them gave."""
    best, made = float("inf"), None
    for _ in range(repeats):
        began = process_time()
        made = make()
        best = min(best, process_time() - began)
    return best, made


def measure(name: str, panel: Panel, strategy: Callable[[Panel], NDArray[np.float64]]) -> None:
    """Run a workload both ways and print them side by side."""
    drawing, weights = timed(lambda: strategy(panel), 3)
    rows = TargetRows(weights, panel.symbols, panel.steps)

    def decide(observation: Any) -> object:
        return rows.targets(observation.step)

    def run(advance: Callable[[Simulation, Any, int], Advance]) -> Advance:
        simulation = Simulation(panel, RULES)
        state, _ = simulation.start(simulation.initial())
        return advance(simulation, state, simulation.total_steps)

    vector = Vector(decide, rows)
    stepping, slow = timed(lambda: run(Stepping(decide).advance), 2)
    compiled, fast = timed(lambda: run(vector.advance), 5)
    same = canonical_bytes(slow.result) == canonical_bytes(fast.result)
    print(
        f"{name} {panel.steps:,} x {len(panel.symbols)}: {vector.execution} {compiled:.3f} s, with"
        f" its weights {compiled + drawing:.3f} s   limit {LIMITS[name]} s, ratio"
        f" {(compiled + drawing) / LIMITS[name]:.2f};"
        f" stepped {stepping:.3f} s, {stepping / compiled:.0f} times as long;"
        f" {len(fast.result.orders):,} orders, {len(fast.result.fills):,} fills,"
        f" {'the same' if same else 'OTHER'} bytes"
    )


def first_calls() -> None:
    """Time the first call in fresh processes, before and after the kernel is kept on disk."""
    code = (
        "import numpy, engine.drivers.vector as vector\n"
        "from time import process_time\n"
        "began = process_time()\n"
        "vector.load_kernel()\n"
        "print(process_time() - began)"
    )
    with tempfile.TemporaryDirectory() as folder:
        times = [
            float(
                subprocess.run(
                    [sys.executable, "-c", code],
                    env={**os.environ, "NUMBA_CACHE_DIR": folder},
                    capture_output=True,
                    check=True,
                ).stdout
            )
            for _ in range(3)
        ]
    print(
        f"first call, numba's own loading included: {times[0]:.2f} s with nothing kept   limit"
        f" {FIRST_CALL:g} s, ratio {times[0] / FIRST_CALL:.2f}; {min(times[1:]):.2f} s once kept"
    )


def main() -> None:
    """Measure the two workloads and the first call."""
    print(
        f"python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores,"
        f" {platform.machine()}"
    )
    if load_kernel() is None:
        print("numba is not installed: there is nothing to measure")
        return
    measure("W1", walk(1_000_000, 1), crossings)
    measure("W3", walk(100_000, 30), strongest)
    first_calls()


if __name__ == "__main__":
    main()
