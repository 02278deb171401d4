"""What a simulation holds between steps, and what a step gives back. All frozen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import StrategyFault
from engine.model import CashFlow, Decision, Fill, OrderRecord
from engine.sim.records import joined_fills, joined_orders

T = TypeVar("T")

Ended = Literal["end_of_data", "ruin"]


class Receivable(NamedTuple):
    """A dividend earned (or owed, by a short) and not yet paid; ``column`` is the symbol's."""

    column: int
    quantity: float
    amount: float
    pay_step: int


class OpenOrder(NamedTuple):
    """An order that is alive between steps.

    ``side`` is +1 to buy, -1 to sell, 0 for a target not yet sized. ``lots`` is None until sized.
    ``session`` is the ordinal of the session of the first bar it met, None before (policy O9).
    ``triggered`` marks a stop whose price was met. ``paid`` and ``notional`` are what its fills so
    far have cost in commission and come to in currency (policy M2).
    """

    order_id: str
    step: int
    column: int
    symbol: str
    side: int
    order_type: str
    quantity_type: str
    requested: float | None
    lots: int | None
    limit: float | None
    stop: float | None
    gtc: bool
    oco_group: str | None
    tag: str | None
    filled_lots: int
    session: int | None
    triggered: bool
    paid: float
    notional: float


@dataclass(frozen=True, slots=True)
class State:
    """Everything the next step depends on, besides panel, rules and decision.

    ``decided`` counts decisions made, ``settled`` grid points settled (rows of equity). ``lots``
    and ``quantities`` are the holdings in whole lots and in shares, ``avg_costs`` their average
    costs, all by column of the panel. ``fills_made`` numbers the next fill.
    """

    decided: int
    settled: int
    cash: float
    lots: tuple[int, ...]
    quantities: tuple[float, ...]
    avg_costs: tuple[float, ...]
    orders: tuple[OpenOrder, ...] = ()
    receivables: tuple[Receivable, ...] = ()
    fills_made: int = 0
    ended: Ended | None = None

    @property
    def done(self) -> bool:
        """Whether no decision is left to make."""
        return self.ended is not None


@dataclass(frozen=True, slots=True, eq=False)
class StepResult:
    """The grid points that one or more steps settled, and all that happened at them.

    ``equity`` and ``cash`` are float64, one row per grid point from ``first`` on; there may be no
    rows. ``decisions`` pairs each step with its decision, holds left out. ``orders`` pairs each
    record touched with the grid point it was touched at, in order; the last one of an order is its
    present state. Orders and fills may be made of packed rows
    when they are asked for. What the last decision of a next-open run closes has the grid point
    ``total_steps``, one past the last.
    """

    first: int
    equity: NDArray[np.float64]
    cash: NDArray[np.float64]
    decisions: Sequence[tuple[int, Decision]] = ()
    orders: Sequence[tuple[int, OrderRecord]] = ()
    fills: Sequence[Fill] = ()
    cash_flows: tuple[CashFlow, ...] = ()

    @property
    def rows(self) -> int:
        """Number of grid points settled."""
        return int(self.equity.shape[0])


class Advance(NamedTuple):
    """What ``Simulation.advance`` got done; ``fault`` is what the strategy raised, if it did."""

    state: State
    result: StepResult
    fault: StrategyFault | None


NO_ROWS: NDArray[np.float64] = np.empty(0)
NO_ROWS.flags.writeable = False


def join(results: Iterable[StepResult]) -> StepResult:
    """Results of consecutive steps as one. Raises ``ValueError`` where rows do not follow on."""
    parts = list(results)
    if not parts:
        raise ValueError("there is nothing to join")
    following = parts[0].first
    for part in parts:
        if part.first != following:
            raise ValueError(f"rows go on at {part.first}, not at {following}")
        following += part.rows
    return StepResult(
        parts[0].first,
        np.concatenate([part.equity for part in parts]),
        np.concatenate([part.cash for part in parts]),
        _joined([part.decisions for part in parts]),
        joined_orders([part.orders for part in parts]),
        joined_fills([part.fills for part in parts]),
        tuple(flow for part in parts for flow in part.cash_flows),
    )


def _joined(parts: Iterable[Sequence[T]]) -> Sequence[T]:
    parts = [part for part in parts if len(part)]
    return parts[0] if len(parts) == 1 else tuple(item for part in parts for item in part)
