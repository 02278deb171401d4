"""Rows as the ledger's readers give them, where ``engine.model`` has no value for them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from engine.model import EPOCH

_MICROSECOND = timedelta(microseconds=1)


class RunHead(NamedTuple):
    """What a list shows of a run: its row without what is long (config, metrics, messages).

    The names are those of ``RunRecord``; ten thousand of these are ten megabytes.
    """

    run_id: str
    name: str | None
    tags: tuple[str, ...]
    agent_id: str | None
    strategy: str
    driver: str
    status: str
    end_reason: str | None
    error_code: str | None
    source: str
    timeframe: str | None
    symbols: tuple[str, ...]
    step_index: int
    total_steps: int | None
    equity: float | None
    total_return: float | None
    max_drawdown: float | None
    sharpe: float | None
    num_fills: int
    num_trades: int
    total_costs: float
    parent_run_id: str | None
    forked_at_step: int | None
    owner_instance: str | None
    rewind_count: int
    created_at: str
    updated_at: str
    taken_over: bool = False

    @property
    def by_hand(self) -> bool:
        """Whether a person decides the run's steps: always, or since it was taken over."""
        return self.driver == "manual" or self.taken_over


class StepRecord(NamedTuple):
    """One row of ``steps``; ``decision`` and ``result`` are JSON text, as stored."""

    step_index: int
    step_id: str
    ts: str
    status: str
    decision_source: str
    idempotency_key: str | None
    decision: str
    result: str | None
    deadline_at: str | None
    decided_at: str | None
    lease_epoch: int


class CommitRecord(NamedTuple):
    """One link of the digest chain: ``digest`` is that of every step up to ``last_step``."""

    last_step: int
    digest: str
    lease_epoch: int


class ActiveRun(NamedTuple):
    """What recovery asks of a live run: whose it is, and since when somebody wants it ended."""

    run_id: str
    owner: str
    lease_epoch: int
    heartbeat_seq: int
    cancel_requested_at: str | None


class Event(NamedTuple):
    """One entry of the change feed."""

    seq: int
    run_id: str
    at: str
    kind: str
    data: Mapping[str, Any]


class Command(NamedTuple):
    """What somebody asked of a run's owner; unanswered while ``applied_at`` is None."""

    command_id: int
    run_id: str
    kind: str
    data: Mapping[str, Any]
    requested_at: str
    requested_by: str | None
    applied_at: str | None
    result: Any
    error_code: str | None


@lru_cache(maxsize=4096)
def stamp_of(text: str) -> int:
    """Microseconds since the epoch of ISO 8601 text; the inverse of ``model.stamp_text``."""
    return (datetime.fromisoformat(text) - EPOCH) // _MICROSECOND
