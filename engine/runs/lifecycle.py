"""The states of a run and the one table of transitions between them.

::

    created -> loading -> running <-> paused -> completed | failed | cancelled
    created | loading | running | paused  --interrupt-->  interrupted
    interrupted --adopt--> loading        interrupted --cancel--> cancelled

Terminal runs never change again. Active runs count against the caps. An interrupted run is
neither: it holds no slot and no memory, and any process may take it up.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from engine.errors import IllegalTransition


class Status(StrEnum):
    """What a run is; the words of the ledger's ``status`` column."""

    CREATED = "created"
    LOADING = "loading"
    RUNNING = "running"
    PAUSED = "paused"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Trigger(StrEnum):
    """What may happen to a run."""

    LOAD = "load"
    START = "start"
    START_PAUSED = "start_paused"
    PAUSE = "pause"
    RESUME = "resume"
    COMPLETE = "complete"
    FAIL = "fail"
    CANCEL = "cancel"
    INTERRUPT = "interrupt"
    ADOPT = "adopt"


class EndReason(StrEnum):
    """Why a run ended; data beside the state, not a state."""

    END_OF_DATA = "end_of_data"
    CANCELLED_BY_USER = "cancelled_by_user"
    RUIN = "ruin"
    STRATEGY_ERROR = "strategy_error"
    MARKET_DATA_UNAVAILABLE = "market_data_unavailable"
    MARKET_DATA_INVALID = "market_data_invalid"
    AGENT_ABANDONED = "agent_abandoned"


TERMINAL: Final = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
ACTIVE: Final = frozenset({Status.CREATED, Status.LOADING, Status.RUNNING, Status.PAUSED})
MOVING: Final = frozenset({Status.RUNNING, Status.PAUSED})

TABLE: Final[dict[tuple[Status, Trigger], Status]] = {
    (Status.CREATED, Trigger.LOAD): Status.LOADING,
    (Status.CREATED, Trigger.CANCEL): Status.CANCELLED,
    (Status.CREATED, Trigger.FAIL): Status.FAILED,
    (Status.CREATED, Trigger.INTERRUPT): Status.INTERRUPTED,
    (Status.LOADING, Trigger.START): Status.RUNNING,
    (Status.LOADING, Trigger.START_PAUSED): Status.PAUSED,
    (Status.LOADING, Trigger.FAIL): Status.FAILED,
    (Status.LOADING, Trigger.CANCEL): Status.CANCELLED,
    (Status.LOADING, Trigger.INTERRUPT): Status.INTERRUPTED,
    (Status.RUNNING, Trigger.PAUSE): Status.PAUSED,
    (Status.RUNNING, Trigger.COMPLETE): Status.COMPLETED,
    (Status.RUNNING, Trigger.FAIL): Status.FAILED,
    (Status.RUNNING, Trigger.CANCEL): Status.CANCELLED,
    (Status.RUNNING, Trigger.INTERRUPT): Status.INTERRUPTED,
    (Status.PAUSED, Trigger.RESUME): Status.RUNNING,
    (Status.PAUSED, Trigger.COMPLETE): Status.COMPLETED,
    (Status.PAUSED, Trigger.FAIL): Status.FAILED,
    (Status.PAUSED, Trigger.CANCEL): Status.CANCELLED,
    (Status.PAUSED, Trigger.INTERRUPT): Status.INTERRUPTED,
    (Status.INTERRUPTED, Trigger.ADOPT): Status.LOADING,
    (Status.INTERRUPTED, Trigger.CANCEL): Status.CANCELLED,
}


def after(status: str, trigger: Trigger) -> Status:
    """The status ``trigger`` leads to. Raises ``IllegalTransition`` where the table has none."""
    try:
        return TABLE[Status(status), trigger]
    except KeyError:
        raise IllegalTransition(
            f"a run that is {status} cannot {trigger.replace('_', ' ')}", field="status"
        ) from None


def target(trigger: Trigger) -> Status:
    """The one status that ``trigger`` leads to, from wherever the table lets it."""
    (status,) = {to for (_, name), to in TABLE.items() if name is trigger}
    return status


def sources(trigger: Trigger) -> frozenset[Status]:
    """The statuses a run may be in for ``trigger`` to apply: the guard of a conditional write."""
    return frozenset(status for status, name in TABLE if name is trigger)
