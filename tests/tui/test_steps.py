"""What a moment of a run is called: one number for it on every screen and in every answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.model import RunRecord, RunRequest
from tui import plain
from tui.gateway import Gateway
from tui.steps import count_of, decided_at, number_of, place_of, settled_at
from tui.viewmodel import time_walk

TOTAL = 3_270


@pytest.fixture(params=["next_open", "close"])
def stopped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Gateway, RunRecord]]:
    """A run of 20 settled steps, under either fill rule."""
    gateway = Gateway.open(tmp_path / "runs.db")
    asked = RunRequest("momentum", symbols=("AAPL", "IBM", "MSFT"), paused=True, baselines=False)
    asked = replace(asked, params={"lookback": 3, "top": 1})
    asked = replace(asked, rules=replace(asked.rules, fill=request.param))
    run_id = gateway.create(asked).run_id
    assert gateway.settle(60)
    record = gateway.record(run_id)
    gateway.step(run_id, 20 - record.step_index)
    yield gateway, gateway.record(run_id)
    gateway.close()


def test_a_number_and_its_moment_lead_to_each_other() -> None:
    """Nothing settled is before the first step; after that the newest settled one is it."""
    assert number_of(0) is None
    assert [number_of(settled_at(step)) for step in (0, 1, 59)] == [0, 1, 59]


def test_the_moment_bears_the_number_of_its_bar_decision_and_fills(
    stopped: tuple[Gateway, RunRecord],
) -> None:
    """Whatever the fill rule, each stop of a walk shows the step that it stopped for."""
    gateway, record = stopped
    assert (record.step_index, place_of(record)) == (20, f"19/{TOTAL - 1}")
    assert count_of(record) == f"20 of {TOTAL:,} steps"
    detail, past = gateway.detail(record.run_id), gateway.past(record.run_id)
    moments = time_walk.decision_stops(detail)
    decided = [row.step_index for row in detail.decisions if row.decision != "{}"]
    assert [past.at(moment).decision_step for moment in moments] == decided[: len(moments)]
    assert [number_of(moment) for moment in moments] == decided[: len(moments)]
    fills = sorted({fill.step_index for fill in detail.fills})
    assert [number_of(moment) for moment in time_walk.fill_stops(detail)] == fills
    assert fills
    assert decided


def test_a_fork_at_a_step_stands_at_it(stopped: tuple[Gateway, RunRecord]) -> None:
    """What is asked for by its number is where the new run stands, under either rule."""
    gateway, record = stopped
    child = gateway.fork(record.run_id, decided_at(record, settled_at(12)))
    assert place_of(child) == f"12/{TOTAL - 1}"


def test_the_shell_says_the_numbers_of_the_screen(stopped: tuple[Gateway, RunRecord]) -> None:
    """`runs`, `show` and `watch --plain` name the step where it stands; a count says that it is."""
    _, record = stopped
    place = place_of(record)
    assert f"  {place}  " in plain.runs_table([(record, "none")])
    assert f"  step {place}  " in plain.change_line(record, "none")
    shown = plain.run_text(record, "none", {})
    assert re.search(rf"^step +{place}$", shown, re.MULTILINE)
    assert re.search(rf"^settled +{count_of(record)}$", shown, re.MULTILINE)
