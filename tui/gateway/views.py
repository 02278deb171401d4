"""What the gateway answers: the ledger's rows as screens and commands show them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from engine.errors import BarsChanged, InputError, MarketDataError
from engine.model import (
    CashFlow,
    Fill,
    OrderRecord,
    Position,
    Rules,
    RunRecord,
)
from engine.runs.lifecycle import Status
from engine.store.records import StepRecord
from tui.run_book import Owner, Stalled
from tui.steps import lead_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.runs.calls import LongCall
    from engine.runs.past import Moment


BARS_GONE: Final = (InputError, MarketDataError, BarsChanged)
"""What a run's bars raise where they cannot be had or are others: the ledger's rows still stand."""


@dataclass(frozen=True, slots=True)
class OwnerInfo:
    """A process that owns active runs; ``pid`` is None where its lock file is gone."""

    instance: str
    alive: bool
    pid: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """A run as a preview shows it: its row, its curve in few points, its end.

    ``steps``, ``stamps`` (microseconds) and ``equity`` have one entry a point, evenly spaced, the
    first and the last settled one among them; ``baseline`` is (steps, equity) of the twin.
    """

    record: RunRecord
    owner: Owner
    steps: NDArray[np.int64]
    stamps: NDArray[np.int64]
    equity: NDArray[np.float64]
    baseline: tuple[NDArray[np.int64], NDArray[np.float64]] | None
    positions: tuple[Position, ...]
    last: StepRecord | None
    stall: Stalled | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RunDetail:
    """Everything the ledger holds of one run.

    ``stamps`` (microseconds), ``equity`` and ``cash`` have one entry a settled grid point.
    ``baseline`` is that of the run's buy-and-hold twin, once it is there. ``next_decision`` is
    the step whose decision is due, None where nothing is. ``moment`` is set in a detail that was
    cut to one: see ``Gateway.detail_at``. ``stall`` is set while the ledger takes nothing of it.
    ``call`` is the call of its strategy that has taken long, None where none has or another process
    makes it.
    """

    record: RunRecord
    owner: Owner
    next_decision: int | None
    stamps: NDArray[np.int64]
    equity: NDArray[np.float64]
    cash: NDArray[np.float64]
    baseline: tuple[NDArray[np.int64], NDArray[np.float64]] | None
    fills: tuple[Fill, ...]
    orders: tuple[OrderRecord, ...]
    decisions: tuple[StepRecord, ...]
    positions: tuple[Position, ...]
    cash_flows: tuple[CashFlow, ...]
    moment: Moment | None = None
    stall: Stalled | None = None
    call: LongCall | None = None


def settled_orders(orders: tuple[OrderRecord, ...]) -> tuple[OrderRecord, ...]:
    """Those that can no longer change: all before the step of the first that is alive.

    The newest step's are left out too, so that reading goes on from a whole step.
    """
    if not orders:
        return ()
    step = min(
        (order.step_index for order in orders if order.status in ("pending", "resting")),
        default=orders[-1].step_index,
    )
    step = min(step, orders[-1].step_index)
    return orders[: bisect_left(orders, step, key=lambda order: order.step_index)]


def next_decision(record: RunRecord) -> int | None:
    if record.status not in (Status.RUNNING, Status.PAUSED) or record.total_steps is None:
        return None
    return record.step_index - lead_of(record)


def decided_elsewhere(record: RunRecord) -> bool:
    """Whether nothing in the foreground decides the run's steps: a person does, or an agent."""
    return record.by_hand or record.driver == "agent"


def rules_of(record: RunRecord) -> Rules:
    """The rules the run is under."""
    from engine.runs.config import decode_request

    return decode_request(record.config).rules
