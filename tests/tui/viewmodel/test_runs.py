"""The runs list as values: what a row says, and in which order rows stand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.model import RunRecord
from tui.viewmodel.runs import RunView, Sorting, why_it_ended

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RECORD = RunRecord(
    run_id="a1",
    name=None,
    tags=(),
    agent_id=None,
    strategy="sma_cross",
    driver="strategy",
    status="running",
    end_reason=None,
    error_code=None,
    error_message=None,
    source="sample",
    timeframe="1Day",
    symbols=("AAPL", "IBM"),
    start=None,
    end=None,
    config={},
    initial_cash=100_000.0,
    step_index=250,
    total_steps=1000,
    equity=101_000.0,
    cash=1000.0,
    total_return=0.01,
    max_drawdown=-0.02,
    sharpe=None,
    sortino=None,
    num_fills=3,
    num_trades=1,
    total_costs=2.5,
    timeout_holds=0,
    metrics={},
    metadata={},
    parent_run_id=None,
    forked_at_step=None,
    baseline_of=None,
    sweep_id=None,
    owner_instance="i",
    lease_epoch=1,
    heartbeat_seq=0,
    heartbeat_at=None,
    rewind_count=0,
    cancel_requested_at=None,
    created_at="2026-03-02T11:58:00.000Z",
    started_at=None,
    updated_at="2026-03-02T11:59:00.000Z",
    finished_at=None,
    bars_hash=None,
    config_hash="c",
    strategy_hash=None,
    engine_version="0",
)


def view(rate: float | None = None, **changes: object) -> RunView:
    return RunView(replace(RECORD, **changes), "here", rate, NOW)  # type: ignore[arg-type]


def test_progress_and_eta_follow_from_step_total_and_rate() -> None:
    """A quarter done at 50 steps a second leaves 15 seconds."""
    run = view(rate=50.0)
    assert run.progress == 0.25
    assert run.eta == 15.0


@pytest.mark.parametrize(
    "run",
    [
        view(),
        view(rate=0.0),
        view(50.0, status="paused"),
        view(50.0, total_steps=None),
        view(50.0, driver="manual"),
        view(50.0, metadata={"taken_over": True}),
    ],
    ids=["no rate", "rate 0", "paused", "no total", "by hand", "taken over"],
)
def test_there_is_no_eta_where_it_cannot_be_known(run: RunView) -> None:
    """Absence is not a value."""
    assert run.eta is None


def test_age_counts_from_creation_and_never_below_zero() -> None:
    """A clock set back must not make ages negative."""
    assert view().age == 120.0
    later = (NOW + timedelta(hours=1)).isoformat()
    assert view(created_at=later).age == 0.0


def test_a_stamp_that_is_none_is_no_age() -> None:
    """Another program may write anything there; the row is shown without an age."""
    assert view(created_at="yesterday").age is None


def test_a_run_without_a_name_is_called_by_its_strategy() -> None:
    """The name column is never empty."""
    assert view().name == "sma_cross"
    assert view(name="mine").name == "mine"


def test_a_column_sorts_its_usual_way_first_and_turns_around_after() -> None:
    """Best return first, names from A; the same column again turns it around."""
    assert Sorting().by("return") == Sorting("return", True)
    assert Sorting().by("return").by("return") == Sorting("return", False)
    assert Sorting().by("name") == Sorting("name", False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"status": "completed", "end_reason": "end_of_data"}, "end of data"),
        (
            {"status": "failed", "end_reason": "strategy_error", "error_message": "x.py:3 boom"},
            "strategy error: x.py:3 boom",
        ),
        ({"status": "cancelled", "end_reason": "cancelled_by_user"}, "cancelled by user"),
        (
            {"status": "interrupted"},
            "interrupted: its owner left it; it can be taken up where it stopped",
        ),
        (
            {"status": "interrupted", "error_code": "bars_changed", "error_message": "other bars"},
            "interrupted: other bars",
        ),
    ],
)
def test_why_a_run_ended_is_said_in_words(changes: dict[str, Any], said: str | None) -> None:
    """The reason and the message, or what keeps it from going on; nothing while it does."""
    assert why_it_ended(replace(RECORD, **changes)) == said
