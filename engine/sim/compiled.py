"""Runs of target-weight rows in the compiled kernel, from any state and to a state of their own.

The kernel settles stretches in which only market orders and marks matter; where an order is open, a
corporate action applies, a payment is due or the data ends, the step is made by ``Simulation``, and
the kernel goes on from what it left. Both give the same bits, so nobody can tell where they met.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.model import Decision, Target
from engine.sim.observation import Observation
from engine.sim.panel import Floats
from engine.sim.records import FILL_ROW, ORDER_ROW, Fills, Orders, Packed, Records, Rows
from engine.sim.simulation import Simulation
from engine.sim.state import Advance, State, StepResult, join
from engine.sim.terms import Terms, terms_of

FEWEST: Final = 32
"""Decisions below which a stretch is stepped: state and arrays cost more than they save."""

_CELLS_AT_ONCE: Final = 400_000  # weights in one call of the kernel: some 40 ms at the most
_MOST_LOTS: Final = 4 * 10**18  # beyond what targets ask for, and within 64 bits


class WeightRows(Protocol):
    """A decision a row: float64[steps, symbols], NaN where a symbol is left as it is, read-only.

    ``busy`` says of each row whether it has a number; ``targets`` is the decision that a row means,
    None to hold.
    """

    @property
    def weights(self) -> Floats: ...
    @property
    def busy(self) -> NDArray[np.bool_]: ...

    def targets(self, step: int, /) -> tuple[Target, ...] | None: ...


class Kernel(Protocol):
    """``kernel.run_rows``."""

    def __call__(
        self,
        terms: Terms,
        weights: Floats,
        prices: Floats,
        marks: Floats,
        volumes: Floats,
        sessions: NDArray[np.int32],
        rates: Floats,
        decided: int,
        stop: int,
        lead: int,
        cash: float,
        receivable: float,
        claims: bool,
        lots_held: NDArray[np.int64],
        avg_costs: Floats,
        sizes: NDArray[np.int64],
        equity_rows: Floats,
        cash_rows: Floats,
        orders: Rows,
        fills: Rows,
        /,
    ) -> tuple[int, int, int, float, bool]: ...


class RowDecisions(Records[tuple[int, Decision]]):
    """The decisions of some rows by step, made when asked for."""

    __slots__ = ("_rows", "_steps")

    def __init__(self, rows: WeightRows, steps: NDArray[np.intp]) -> None:
        self._rows = rows
        self._steps = steps

    def __len__(self) -> int:
        return len(self._steps)

    def _make(self, start: int, stop: int) -> Sequence[tuple[int, Decision]]:
        targets = self._rows.targets
        return [
            (step, Decision((), targets(step) or ())) for step in self._steps[start:stop].tolist()
        ]


def advance_rows(
    simulation: Simulation,
    state: State,
    rows: WeightRows,
    stop: int,
    kernel: Kernel,
    halt: Sized = (),
) -> Advance:
    """As ``Simulation.advance``, of the decisions that the rows mean."""

    def decide(observation: Observation) -> tuple[Target, ...] | None:
        return rows.targets(observation.step)

    first = state.decided
    stop = min(stop, simulation.total_steps)
    parts: list[StepResult] = []
    while state.decided < stop and not state.done:
        end = simulation.plain_until(state, stop)
        if end - state.decided < FEWEST or max(map(abs, state.lots)) > _MOST_LOTS:
            until = max(end, state.decided + 1)
            state, result, fault = simulation.advance(state, decide, until, halt=halt)
            assert fault is None, fault
        else:
            state, result = _run(simulation, state, rows, end, kernel)
        parts.append(result)
        if halt:
            break
    if not parts:
        return simulation.advance(state, decide, stop)
    whole = join(parts)
    made = first + np.flatnonzero(rows.busy[first : state.decided])
    return Advance(
        state,
        StepResult(
            whole.first,
            whole.equity,
            whole.cash,
            RowDecisions(rows, made),
            whole.orders,
            whole.fills,
            whole.cash_flows,
        ),
        None,
    )


def _run(
    simulation: Simulation, state: State, rows: WeightRows, end: int, kernel: Kernel
) -> tuple[State, StepResult]:
    """One call of the kernel, to ``end`` at the most; nothing but the market until there."""
    panel, model, lead = simulation.panel, simulation.fill_model, simulation.lead
    grid, legend = model.grid, simulation.legend
    first = state.decided
    end = min(end, first + max(FEWEST, _CELLS_AT_ONCE // len(panel.symbols)))
    most = int(np.count_nonzero(~np.isnan(rows.weights[first:end])))
    orders, fills = np.empty(most, ORDER_ROW), np.empty(most, FILL_ROW)
    equity, cash_rows = np.empty(end - first), np.empty(end - first)
    lots, avg_costs = np.array(state.lots, dtype=np.int64), np.array(state.avg_costs)
    receivable = 0.0
    for claim in state.receivables:
        receivable += claim.amount
    decided, ordered, filled, cash, ruined = kernel(
        terms_of(simulation.rules, model),
        rows.weights,
        panel.open if lead else panel.close,
        panel.mark,
        panel.volume,
        panel.sessions,
        model.rates,
        first,
        end,
        lead,
        state.cash,
        receivable,
        bool(state.receivables),
        lots,
        avg_costs,
        np.empty_like(lots),
        equity,
        cash_rows,
        orders,
        fills,
    )
    made = decided - first
    equity, cash_rows = equity[:made], cash_rows[:made]
    for array in (equity, cash_rows, orders, fills):
        array.flags.writeable = False
    holdings = tuple(lots.tolist())
    after = State(
        decided,
        decided + lead,
        cash,
        holdings,
        tuple(grid.quantity(count) for count in holdings),
        tuple(avg_costs.tolist()),
        (),
        state.receivables,
        state.fills_made + filled,
        "ruin" if ruined else None,
    )
    return after, StepResult(
        state.settled,
        equity,
        cash_rows,
        (),
        Orders(legend, [Packed(orders[:ordered], {})]),
        Fills(legend, fills[:filled].copy(), state.fills_made),
    )
