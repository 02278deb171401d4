"""The file of a run's strategy, edited while the run is on the screen."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.screens.kit import create, deck, reach, until
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.run import RunScreen

WINDOW = {"symbols": "AAPL", "start": "2008-01-02", "end": "2008-06-30"}
SOURCE = '''
from engine import Strategy, Target


class Part(Strategy):
    """So much of it, from the first day on."""

    def decide(self, obs):
        return [Target("AAPL", {weight})] if obs.step % 10 == 0 else None
'''


def strategy(folder: Path, weight: float = 0.5) -> Path:
    """The file, as somebody saves it."""
    path = folder / "part.py"
    path.write_text(SOURCE.format(weight=weight), "utf-8")
    return path


def finished(gateway: Gateway, path: Path) -> str:
    """A finished run of the file."""
    run_id = create(gateway, f"{path}:Part", **WINDOW)
    reach(gateway, run_id, "completed")
    gateway.settle(60.0)
    return run_id


def said(app: StepdeckApp) -> str:
    """What the screen says of the file; nothing where it is what it was."""
    line = app.screen.query_one("#run-saved", Static)
    return str(line.content) if line.display else ""


async def opened(app: StepdeckApp, pilot: Pilot[None], run_id: str) -> RunScreen:
    """The run's own screen, once the run and the file have been looked at."""
    await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.run_id == run_id)
    screen = app.screen
    assert isinstance(screen, RunScreen)
    await until(pilot, lambda: screen.record is not None)
    return screen


async def test_a_saved_edit_is_said_and_run_anew_on_one_key(
    gateway: Gateway, tmp_path: Path
) -> None:
    """An edit is noticed while the run is looked at; `r` runs the file as it is now."""
    path = strategy(tmp_path)
    first = finished(gateway, path)
    async with deck(gateway, run_id=first) as (app, pilot):
        await opened(app, pilot, first)
        assert said(app) == ""
        # Until it is heard: the system may need a moment before it tells of a folder.
        await until(pilot, lambda: strategy(tmp_path, 0.25) and "part.py was saved" in said(app))
        await pilot.press("r")
        await until(pilot, lambda: getattr(app.screen, "run_id", first) != first)
        second = str(getattr(app.screen, "run_id", ""))
        reach(gateway, second, "completed")
        await opened(app, pilot, second)
        assert said(app) == "", "this run was made of the file as it is"
    before, after = gateway.record(first), gateway.record(second)
    assert after.strategy_hash != before.strategy_hash
    assert after.config["rules"] == before.config["rules"]
    assert after.equity != before.equity


async def test_a_saved_edit_goes_on_from_the_moment_shown(gateway: Gateway, tmp_path: Path) -> None:
    """`F` forks where one looks: the same past, then what the file decides now."""
    path = strategy(tmp_path)
    first = finished(gateway, path)
    strategy(tmp_path, 0.25)
    async with deck(gateway, run_id=first) as (app, pilot):
        screen = await opened(app, pilot, first)
        await until(pilot, lambda: "part.py was saved" in said(app))
        screen.look_at(46)
        await pilot.press("F")
        await until(pilot, lambda: getattr(app.screen, "run_id", first) != first)
        fork = str(getattr(app.screen, "run_id", ""))
        gateway.resume(fork) if gateway.record(fork).status == "paused" else None
        reach(gateway, fork, "completed")
    record = gateway.record(fork)
    assert (record.parent_run_id, record.forked_at_step) == (first, 45)
    with gateway.reader().moment():
        old, new = (gateway.reader().equity(run).equity for run in (first, fork))
    assert (old[:46] == new[:46]).all()
    assert (old != new).any()


async def test_a_file_that_does_not_compile_or_is_gone_says_so(
    gateway: Gateway, tmp_path: Path
) -> None:
    """The line is named, nothing is offered that cannot work, and a file put back is fine again."""
    path = strategy(tmp_path)
    first = finished(gateway, path)
    path.write_text("class Part(:\n", "utf-8")
    async with deck(gateway, run_id=first) as (app, pilot):
        screen = await opened(app, pilot, first)
        await until(pilot, lambda: "in line 1" in said(app))
        assert screen.allows("fork_saved") is False
        path.unlink()
        screen.strategy_saved(path.resolve())
        await until(pilot, lambda: "is gone" in said(app))
        strategy(tmp_path)
        screen.strategy_saved(path.resolve())
        await until(pilot, lambda: said(app) == "")


async def test_a_built_in_strategy_has_no_file_to_watch(gateway: Gateway) -> None:
    """Nothing is said of what nobody edits."""
    run_id = create(gateway, "sma_cross", **WINDOW)
    reach(gateway, run_id, "completed")
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await opened(app, pilot, run_id)
        assert said(app) == ""
