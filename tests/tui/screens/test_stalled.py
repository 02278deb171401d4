"""A run that waits for the ledger, on the screen: that it does, why, since when, and its end."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.errors import LedgerWriteFailed
from engine.failpoints import armed
from tests.tui.screens.kit import create, deck, reach, screen_text, until
from tui.gateway import Gateway
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen

WHY = "database or disk is full"


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_a_stalled_run_says_so(empty: Gateway, size: tuple[int, int]) -> None:
    """The list and the run's head tell of it beside the status that the ledger holds, tell whoever
    pauses it that it cannot be written, and are rid of it once it goes on."""
    run_id = create(empty, "sma_cross", symbols="AAPL", speed="5", name="patient")
    reach(empty, run_id, "running")
    full = LedgerWriteFailed(f"the disk refused {empty.path}: {WHY}", field="db")
    with ExitStack() as refusing:
        refusing.enter_context(armed("commit.before", full))
        async with deck(empty, size=size) as (app, pilot):
            await until(pilot, lambda: "! 1 run stalls since" in screen_text(app))
            shown = screen_text(app)
            assert "! running" in shown
            assert "patient" in shown
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, RunScreen))
            await until(pilot, lambda: "tries again by itself" in screen_text(app))
            shown = screen_text(app)
            assert "stalled" in shown
            assert re.search(r"stalls since \d\d:\d\d:\d\d", shown)
            assert empty.detail(run_id).record.status == "running"
            with pytest.raises(LedgerWriteFailed, match=WHY):
                empty.pause(run_id)
            refusing.close()
            await until(pilot, lambda: "stalls" not in screen_text(app))
            assert "stalled" not in screen_text(app)
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, RunsScreen))
            await until(pilot, lambda: "! running" not in screen_text(app))
            assert "stalls" not in screen_text(app)
    assert empty.cancel(run_id).status == "cancelled"


def test_what_could_not_be_left_in_order_is_said(tmp_path: Path) -> None:
    """Whoever quits hears which run the next process will have to recover, and why."""
    gateway = Gateway.open(tmp_path / "runs.db")
    run_id = create(gateway, "sma_cross", symbols="AAPL", speed="100")
    reach(gateway, run_id, "running")
    with armed("commit.before", LedgerWriteFailed(WHY, field="db")):
        gateway.close()
    assert list(gateway.unsaid) == [run_id]
    assert WHY in gateway.unsaid[run_id]
    watching = Gateway.open(tmp_path / "runs.db", write=False)
    record = watching.record(run_id)
    assert (record.status, watching.owner(record)) == ("running", "gone")
    watching.close()
    other = Gateway.open(tmp_path / "runs.db")
    assert other.record(run_id).status == "interrupted"
    other.close()
