"""Snapshots of the Breakpoints screen and of an order's reasons, small and large.

After a change that is meant: ``pytest … --snapshot-update``, and look at what changed.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.screens.kit import clock_after, screen_text, settings, until
from tests.tui.screens.test_breakpoints_screen import make_run
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.breakpoints import BreakpointsScreen
from tui.screens.why import WhyDialog

SIZES = ((80, 24), (160, 50))
CONDITIONS = ('fill("AAPL")', "crosses_below(drawdown, -5%)", 'rejection("insufficient_cash")')
Compare = Callable[..., bool]


@pytest.fixture
def watched(empty: Gateway, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that stands at its first fill; its id is the same every time."""
    numbers = random.Random(5)
    made = lambda: uuid.UUID(int=numbers.getrandbits(128), version=4)  # noqa: E731
    monkeypatch.setattr(uuid, "uuid4", made)
    return make_run(empty, *CONDITIONS)


@pytest.mark.parametrize("writing", [False, True], ids=["list", "writing"])
@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_breakpoints(
    empty: Gateway, watched: str, snap_compare: Compare, size: tuple[int, int], writing: bool
) -> None:
    """The list with its counts; and a condition being written, wrong at one column."""
    app = StepdeckApp(empty, settings(), run_id=watched, now=clock_after(empty))

    async def prepare(pilot: Pilot[None]) -> None:
        screen = BreakpointsScreen(watched, "AAPL")
        app.push_screen(screen)
        await until(pilot, lambda: screen._record is not None)
        if writing:
            await pilot.press("a", *"weight[AAPL] > 50% and rsy[AAPL] > 70")
            screen.query_one(Input).cursor_blink = False
            await until(pilot, lambda: "there is no 'rsy'" in screen_text(app))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=prepare)


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_why(gateway: Gateway, snap_compare: Compare, size: tuple[int, int]) -> None:
    """A filled order, from what was seen to its end."""
    found = next(row for row in gateway.snapshot().rows if row.record.name == "by hand")
    run_id = found.record.run_id
    detail, panel = gateway.detail(run_id), gateway.bars(run_id)
    order = next(order for order in detail.orders if order.status == "filled")
    app = StepdeckApp(
        gateway, settings(log_path=Path("stepdeck.log")), run_id=run_id, now=clock_after(gateway)
    )

    async def prepare(pilot: Pilot[None]) -> None:
        beneath = BreakpointsScreen(run_id, "AAPL")
        app.push_screen(beneath)
        await until(pilot, lambda: beneath._record is not None)
        app.push_screen(WhyDialog(detail, order.order_id, panel))
        await until(pilot, lambda: "Seen" in screen_text(app))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=prepare)
