"""Rows of ``runs`` as the service writes them: the first one, and a change of status."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.errors import (
    MarketDataInvalid,
    MarketDataUnavailable,
    StepdeckError,
    TooManyActiveRuns,
)
from engine.model import Rules, RunRequest
from engine.runs import config
from engine.runs.lifecycle import EndReason, Status, Trigger, sources, target
from engine.runs.limits import Limits
from engine.runs.requests import Prepared
from engine.sim import costs
from engine.sim.panel import Panel
from engine.store import writes
from engine.store.ledger import Ledger
from engine.version import __version__


def how_made(surface: str, request: RunRequest) -> dict[str, Any]:
    """The ``metadata`` of a new run: what made it, and with which versions."""
    isolated = {"isolated": {"memory_mb": request.isolate_memory}} if request.isolate else {}
    return isolated | {
        "surface": surface,
        "engine_version": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def first_row(
    prepared: Prepared,
    *,
    run_id: str,
    owner: str,
    metadata: Mapping[str, Any],
    baseline_of: str | None,
    at: str,
) -> dict[str, Any]:
    """The columns of a run that was just accepted."""
    request = prepared.request
    return {
        "run_id": run_id,
        "name": request.name,
        "tags": list(request.tags),
        "agent_id": request.agent_id,
        "strategy": prepared.strategy,
        "driver": prepared.driver,
        "status": Status.CREATED,
        "source": request.source,
        "timeframe": request.timeframe,
        "symbols": list(request.symbols or ()),
        "start": request.start.isoformat() if request.start else None,
        "end": request.end.isoformat() if request.end else None,
        "config": config.encode_request(request),
        "initial_cash": request.rules.cash,
        "metadata": metadata,
        "baseline_of": baseline_of,
        "owner_instance": owner,
        "lease_epoch": 1,
        "created_at": at,
        "updated_at": at,
        "config_hash": config.config_hash(request),
        "strategy_hash": prepared.loaded.source_hash,
        "engine_version": __version__,
    }


def notices(rules: Rules, panel: Panel) -> list[str]:
    """What a reader of the run's figures ought to know of its bars and rules."""
    said = panel.provenance.get("notices") or ()
    known = [said] if isinstance(said, str) else [str(notice) for notice in said]
    known += costs.notices(rules.costs, panel.session_dates[0])
    if rules.fill == "close":
        known.append("fills at the close of the bar that was decided on: optimistic")
    return known


def refuse_past_caps(conn: writes.Connection, limits: Limits, agent_id: str | None) -> None:
    """Raise ``TooManyActiveRuns`` at a cap.

    Called inside the transaction that adds the active run, so that no two surfaces, in whatever
    processes, can race past it.
    """
    caps: list[tuple[str, int, str | None]] = [("", limits.max_active_runs, None)]
    if agent_id is not None:
        caps.append((f" of agent {agent_id}", limits.max_active_runs_per_agent, agent_id))
    for whose, limit, agent in caps:
        active = writes.count_active(conn, agent)
        if limit and active >= limit:
            raise TooManyActiveRuns(
                f"{active} runs{whose} are active and the limit is {limit}",
                field="agent" if agent else None,
                remedy="cancel one, or wait until one ends",
            )


def move_row(
    ledger: Ledger,
    run_id: str,
    trigger: Trigger,
    *,
    owner: str | None,
    epoch: int,
    reason: str,
    at: str,
    columns: Mapping[str, Any] | None = None,
) -> bool:
    """Change the status of a row whose lease is as given; False if it is not, or not any more.

    For runs that no session of this process moves; a session's own go through its committer.
    """
    return ledger.write(
        lambda conn: writes.transition(
            conn,
            run_id,
            sources=sources(trigger),
            to=target(trigger),
            owner=owner,
            epoch=epoch,
            reason=reason,
            at=at,
            columns=columns or {},
        ),
        run_id=run_id,
    )


def end_reason(error: StepdeckError) -> EndReason:
    """Why a run that ``error`` ends has ended."""
    if isinstance(error, MarketDataUnavailable):
        return EndReason.MARKET_DATA_UNAVAILABLE
    if isinstance(error, MarketDataInvalid):
        return EndReason.MARKET_DATA_INVALID
    return EndReason.STRATEGY_ERROR
