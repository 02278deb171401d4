"""Snapshots of the main screens at three sizes, on one real ledger and a clock that stands.

After a change that is meant: ``pytest tests/tui/screens/test_pictures.py --snapshot-update``, and
look at what changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static

from tests.tui.screens.kit import SCREENS, clock_after, screen_text, settings, until
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.new_run import NewRunScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.settings import TABLE

Compare = Callable[..., bool]
Before = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture
def take(gateway: Gateway, snap_compare: Compare) -> Callable[..., bool]:
    """Take a picture of the app in a state that ``before`` brings about."""

    def picture(size: tuple[int, int], before: Before, **changes: object) -> bool:
        app = StepdeckApp(
            gateway,
            settings(**{"log_path": Path("stepdeck.log"), **changes}),
            now=clock_after(gateway),
        )

        async def prepare(pilot: Pilot[None]) -> None:
            await until(pilot, lambda: app.tick is not None)
            await before(pilot)
            await pilot.pause()

        return snap_compare(app, terminal_size=size, run_before=prepare)

    return picture


def screen_of(pilot: Pilot[None]) -> Screen[object]:
    return pilot.app.screen


def shows(pilot: Pilot[None], text: str) -> Callable[[], bool]:
    app = pilot.app
    assert isinstance(app, StepdeckApp)
    return lambda: text in screen_text(app)


async def open_run(pilot: Pilot[None], name: str) -> None:
    """Open the run of that name and wait until it is all there."""
    app = pilot.app
    assert isinstance(app, StepdeckApp)
    assert app.tick is not None
    app.open_run(next(r.record.run_id for r in app.tick.snapshot.rows if r.record.name == name))
    await until(pilot, lambda: isinstance(app.screen, RunScreen) and app.screen.record)
    screen = app.screen
    assert isinstance(screen, RunScreen)
    # The bars, and the indicators that are worked out from them.
    await until(pilot, lambda: screen.panel and screen.area.wanted_studies() is None)


@pytest.mark.parametrize("size", SCREENS, ids="{0[0]}x{0[1]}".format)
def test_runs(take: Callable[..., bool], size: tuple[int, int]) -> None:
    """The list with the preview of a finished run."""

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("G", "k")
        await until(pilot, shows(pilot, "Decision 756"))

    assert take(size, before)


@pytest.mark.parametrize("size", SCREENS, ids="{0[0]}x{0[1]}".format)
def test_run(take: Callable[..., bool], size: tuple[int, int]) -> None:
    """A finished run."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "trend apple")

    assert take(size, before)


@pytest.mark.parametrize("size", SCREENS, ids="{0[0]}x{0[1]}".format)
def test_run_by_hand(take: Callable[..., bool], size: tuple[int, int]) -> None:
    """A run by hand with the ticket over it."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "by hand")
        await pilot.press("R")
        await until(pilot, shows(pilot, "is yours"))
        await pilot.press("o", *"250")
        pilot.app.screen.query_one(Input).cursor_blink = False
        await until(pilot, shows(pilot, "weight after"))

    assert take(size, before)


@pytest.mark.parametrize("size", SCREENS, ids="{0[0]}x{0[1]}".format)
def test_new_run(take: Callable[..., bool], size: tuple[int, int]) -> None:
    """The form with one field that is wrong."""

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("n")
        await until(pilot, shows(pilot, "ready"))
        screen = pilot.app.screen
        assert isinstance(screen, NewRunScreen)
        screen.query_one("#field-symbols", Input).value = "AAPL,XXX"
        await until(pilot, shows(pilot, "no symbol 'XXX'"))

    assert take(size, before)


@pytest.mark.parametrize("size", SCREENS, ids="{0[0]}x{0[1]}".format)
def test_help(take: Callable[..., bool], size: tuple[int, int]) -> None:
    """The keys of a run."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "trend apple")
        await pilot.press("question_mark")

    assert take(size, before)


@pytest.mark.parametrize("panel", ["2", "3", "4", "5", "6"])
def test_panels_of_a_small_window(take: Callable[..., bool], panel: str) -> None:
    """Each panel alone, at 80x24."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "top five")
        await pilot.press(panel)

    assert take((80, 24), before)


def test_failed_run(take: Callable[..., bool]) -> None:
    """The reason under the name."""

    async def before(pilot: Pilot[None]) -> None:
        await open_run(pilot, "has a bug")

    assert take((80, 24), before)


def test_light(take: Callable[..., bool]) -> None:
    """The light theme."""

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("G", "k")
        await until(pilot, shows(pilot, "Decision 756"))

    assert take((120, 36), before, theme="stepdeck-light")


def test_confirm(take: Callable[..., bool]) -> None:
    """The question before a cancel."""

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("space", "space")
        # The preview beneath is painted no more once the question stands.
        app = pilot.app
        assert isinstance(app, StepdeckApp)
        assert isinstance(app.screen, RunsScreen)
        chosen = app.screen.table.cursor_key
        await until(pilot, lambda: app.tick and app.tick.glance
                    and app.tick.glance.record.run_id == chosen)  # fmt: skip
        await pilot.pause(0.3)
        await pilot.press("x")

    assert take((80, 24), before)


@pytest.mark.parametrize("size", SCREENS, ids="{0[0]}x{0[1]}".format)
def test_compare(take: Callable[..., bool], size: tuple[int, int]) -> None:
    """Three runs side by side, the second chosen."""

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("G", "k", "k", "space", "space", "space", "c")
        await until(pilot, shows(pilot, "▸ top five"))

    assert take(size, before)


def test_compare_as_difference(take: Callable[..., bool]) -> None:
    """Each less the first, around zero."""

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("G", "k", "k", "space", "space", "space", "c")
        await until(pilot, shows(pilot, "▸ top five"))
        await pilot.press("d")
        await until(pilot, shows(pilot, "difference to"))

    assert take((120, 36), before)


@pytest.mark.parametrize("size", SCREENS, ids="{0[0]}x{0[1]}".format)
def test_settings(take: Callable[..., bool], size: tuple[int, int]) -> None:
    """Values with their origins; the ledger's place is named by the command line."""

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("f4")
        await until(pilot, shows(pilot, "currency"))

    origins = dict.fromkeys((one.key for one in TABLE), "default")
    assert take(size, before, db=Path("runs.db"), config_path=Path("config.toml"), origins=origins)


@pytest.mark.parametrize("size", SCREENS, ids="{0[0]}x{0[1]}".format)
def test_log(take: Callable[..., bool], size: tuple[int, int], tmp_path: Path) -> None:
    """The app's log, its newest line chosen."""
    log = tmp_path / "stepdeck.log"
    log.write_text(
        "".join(
            f"2026-03-02 10:{n // 60:02}:{n % 60:02},000 7 "
            f"{('WARNING', 'ERROR')[n % 5 == 0]} engine.drivers: something of note, number {n}\n"
            for n in range(60)
        ),
        "utf-8",
    )

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("f3")
        await until(pilot, shows(pilot, "number 59"))
        # The place of the file differs from machine to machine.
        pilot.app.screen.query_one("#log-head", Static).update("Log of the app  ·  60 lines")

    assert take(size, before, log_path=log)


@pytest.mark.parametrize("key", ["e", "f", "d"])
def test_dialogs_of_the_list(
    take: Callable[..., bool], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Export, fork, delete, at 80x24."""
    monkeypatch.setattr(Path, "cwd", lambda: Path("/home/somebody"))

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("G", "k")
        await until(pilot, shows(pilot, "Decision 756"))
        await pilot.press(key)
        await pilot.pause()
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False

    assert take((80, 24), before)
