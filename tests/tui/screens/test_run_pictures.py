"""Snapshots of the run screen in its states, at three sizes.

After a change that is meant: ``pytest tests/tui/screens/test_run_pictures.py --snapshot-update``,
and look at what changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select

from engine.model import Decision, Order
from tests.tui.screens.kit import SCREENS, create, reach, until
from tests.tui.screens.test_pictures import open_run, shows, take
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.run import RunScreen

Take = Callable[..., bool]
sizes = pytest.mark.parametrize("size", SCREENS, ids="{0[0]}x{0[1]}".format)
__all__ = ["take"]


def screen(pilot: Pilot[None]) -> RunScreen:
    """The run screen on top."""
    app = pilot.app
    assert isinstance(app, StepdeckApp)
    assert isinstance(app.screen, RunScreen)
    return app.screen


async def look(pilot: Pilot[None], settled: int) -> None:
    """Look at a moment and wait until everything shows it."""
    run = screen(pilot)
    run.look_at(settled)
    await until(pilot, lambda: run.shown and run.shown.record.step_index == settled)


@sizes
def test_looking_back(take: Take, size: tuple[int, int]) -> None:
    """The past, with its banner, at a fill."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "trend apple")
        await look(pilot, 260)
        await pilot.press("left_square_bracket")
        run = screen(pilot)
        await until(pilot, lambda: run.shown and run.shown.record.step_index == run.at)

    assert take(size, before)


@sizes
def test_paused(take: Take, size: tuple[int, int]) -> None:
    """A strategy's run that stands, taken up where it was left."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "on hold")
        await pilot.press("R")
        await until(pilot, shows(pilot, "paused"))

    assert take(size, before)


@sizes
def test_taken_over(take: Take, size: tuple[int, int]) -> None:
    """A person at the wheel of a strategy's run, after a purchase."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "on hold")
        await pilot.press("R")
        await until(pilot, shows(pilot, "paused"))
        await pilot.press("t")
        await until(pilot, shows(pilot, "taken over"))
        await pilot.press("h")
        await until(pilot, shows(pilot, "step 201/"))

    assert take(size, before)


@sizes
def test_interrupted(take: Take, size: tuple[int, int]) -> None:
    """A run whose owner left it, with what it can be taken up with."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "by hand")

    assert take(size, before)


@sizes
def test_playing(take: Take, gateway: Gateway, size: tuple[int, int]) -> None:
    """A run that moves: paused is what its first key says."""
    run_id = create(gateway, "buy_and_hold", symbols="GOOG", start="2008-01-02", end="2010-12-31",
                    speed="0.001", name="moving", paused=True)  # fmt: skip
    reach(gateway, run_id, "paused")
    gateway.step(run_id, 60)
    gateway.resume(run_id)

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "moving")
        await until(pilot, shows(pilot, "Pause"))

    assert take(size, before)


@sizes
def test_no_bars(take: Take, gateway: Gateway, tmp_path: Path, size: tuple[int, int]) -> None:
    """A run whose bars are gone: what the ledger holds stays."""
    bars = tmp_path / "AAA.csv"
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"2024-01-{day:02d},10,11,9,10.5,100" for day in (2, 3, 4, 5, 8, 9)]
    bars.write_text("\n".join(lines), "utf-8")
    run_id = create(gateway, "buy_and_hold", source=f"csv:{bars}", name="no bars")
    reach(gateway, run_id, "completed")
    gateway.settle(20)
    bars.write_text("timestamp,open,high,low,close,volume\n", "utf-8")
    gateway._panels.clear()

    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, StepdeckApp)
        app.open_run(run_id)
        await until(pilot, shows(pilot, "No bars"))
        # The file's path is another each time; what is said of it is not.
        screen(pilot).area.show_no_bars("no bars in the file")

    assert take(size, before)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids="{0[0]}x{0[1]}".format)
def test_what_a_failure_saw(take: Take, size: tuple[int, int]) -> None:
    """The exception with its place and the observation that caused it."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "has a bug")
        await pilot.press("i")
        await until(pilot, shows(pilot, "It failed on this"))

    assert take(size, before)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids="{0[0]}x{0[1]}".format)
def test_full_ticket(take: Take, gateway: Gateway, size: tuple[int, int]) -> None:
    """Two orders of one decision, the second waiting for its price."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "by hand")
        await pilot.press("R")
        await until(pilot, shows(pilot, "is yours"))
        await pilot.press("o", *"100", "f6")
        ticket = pilot.app.screen
        ticket.query_one("#ticket-side", Select).value = "sell"
        ticket.query_one("#ticket-order", Select).value = "stop"
        ticket.query_one("#ticket-time", Select).value = "gtc"
        await pilot.pause()
        for name, text in (("size", "50%"), ("stop", "120"), ("oco", "out"), ("tag", "exit")):
            ticket.query_one(f"#ticket-{name}", Input).value = text
        ticket.query_one("#ticket-type", Select).value = "position"
        ticket.query_one("#ticket-size", Input).cursor_blink = False
        await until(pilot, shows(pilot, "rests: stop 120.00"))

    assert take(size, before)


@pytest.mark.parametrize("theme", ["stepdeck-dark", "stepdeck-light"])
def test_a_bracket_in_the_chart(take: Take, gateway: Gateway, theme: str) -> None:
    """Stop and limit as lines with their names, an entry's mark, indicators, dark and light."""
    run_id = create(gateway, "manual", symbols="AAPL", start="2008-01-02", end="2008-12-31",
                    name="bracket")  # fmt: skip
    reach(gateway, run_id, "running")
    gateway.step(run_id, 40)
    gateway.submit(
        run_id,
        40,
        Decision(
            (
                Order.buy("AAPL", 100),
                Order.sell("AAPL", 100, stop=112.0, time_in_force="gtc", oco_group="out"),
                Order.sell("AAPL", 100, limit=150.0, time_in_force="gtc", oco_group="out"),
            )
        ),
    )
    gateway.step(run_id, 6)

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "bracket")
        await pilot.press("T", "f3", "f5", "enter")
        await until(pilot, shows(pilot, "EMA 20"))
        await until(pilot, shows(pilot, "sell stop 100"))

    assert take((120, 36), before, theme=theme)
