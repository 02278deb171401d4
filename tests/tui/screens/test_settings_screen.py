"""Settings, log and fork: what their keys do, and what is written."""

from __future__ import annotations

import tomllib
from functools import partial
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, Static

from tests.tui.screens.kit import create, deck, on_top, reach, screen_text, until
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.asking import AskDialog
from tui.screens.log import LogScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.table import DeckTable


async def open_settings(app: StepdeckApp, pilot: Pilot[None], key: str) -> SettingsScreen:
    """The settings with the cursor on one of them."""
    await pilot.press("f4")
    screen = app.screen
    assert isinstance(screen, SettingsScreen)
    assert screen.query_one(DeckTable).move_to_key(key)
    await pilot.pause()
    return screen


async def answer(app: StepdeckApp, pilot: Pilot[None], text: str) -> None:
    """Type an answer over what stands in the question's field."""
    assert on_top(app, AskDialog)
    app.screen.query_one("#answer", Input).value = text
    await pilot.pause()
    await pilot.press("enter")


def says(app: StepdeckApp, words: str) -> bool:
    """Whether the question in sight says that of the answer."""
    return words in said(app)


def said(app: StepdeckApp) -> str:
    """What the question in sight says of the answer."""
    return str(app.screen.query_one("#answer-said", Static).content)


async def test_every_setting_is_shown_with_its_origin(empty: Gateway) -> None:
    """Values of settings and keys of actions, one line each."""
    async with deck(empty, (120, 36)) as (app, pilot):
        screen = await open_settings(app, pilot, ".currency")
        rows = {row.key: row for row in screen.query_one(DeckTable).rows}
        assert [cell.text for cell in rows[".currency"].cells[1:3]] == ["$", "default"]
        assert rows["keymap.runs.new"].cells[1].text == "n"
        await pilot.press("escape")
        assert on_top(app, RunsScreen)


async def test_a_change_is_written_and_in_force_at_once(gateway: Gateway, tmp_path: Path) -> None:
    """The currency of the list is the new one, and config.toml says so."""
    config = tmp_path / "config" / "config.toml"
    async with deck(gateway, (120, 36), config_path=config) as (app, pilot):
        await open_settings(app, pilot, ".currency")
        await pilot.press("enter")
        await answer(app, pilot, "£")
        assert tomllib.loads(config.read_text("utf-8")) == {"currency": "£"}
        await pilot.press("escape")
        await until(pilot, lambda: "£" in screen_text(app))
        await open_settings(app, pilot, ".currency")
        await pilot.press("d")
        assert tomllib.loads(config.read_text("utf-8")) == {}


async def test_a_bad_value_is_refused_while_one_types(empty: Gateway, tmp_path: Path) -> None:
    """The words are the command line's, and nothing is written."""
    config = tmp_path / "config.toml"
    async with deck(empty, (120, 36), config_path=config) as (app, pilot):
        for key, value, words in (
            (".max_active_runs", "-2", "0 or more"),
            (".costs", "cheap", "one of none"),
            (".theme", "nosuch", "there is no theme"),
            ("keymap.runs.new", "p", "gives p to"),
        ):
            await open_settings(app, pilot, key)
            await pilot.press("enter")
            await answer(app, pilot, value)
            assert on_top(app, AskDialog)
            await until(pilot, partial(says, app, words))
            await pilot.press("escape", "escape")
        assert not config.exists()


async def test_a_key_given_here_works_at_once(empty: Gateway, tmp_path: Path) -> None:
    """The button names it, it acts, and the old one does not."""
    async with deck(empty, (120, 36), config_path=tmp_path / "c.toml") as (app, pilot):
        await open_settings(app, pilot, "keymap.runs.tree")
        await pilot.press("enter")
        await answer(app, pilot, "T")
        await open_settings(app, pilot, "keymap.runs.new")
        await pilot.press("enter")
        await answer(app, pilot, "w")
        await pilot.press("escape")
        assert on_top(app, RunsScreen)
        assert "w New" in screen_text(app)
        await pilot.press("n")
        assert on_top(app, RunsScreen)
        await pilot.press("w")
        assert not on_top(app, RunsScreen)


async def test_what_the_environment_says_is_not_changed_here(empty: Gateway) -> None:
    """It would not take effect; who says it is named."""
    origins = {"currency": "STEPDECK_X"}
    async with deck(empty, (120, 36)) as (app, pilot):
        app.settings.origins.update(origins)  # type: ignore[attr-defined]
        await open_settings(app, pilot, ".currency")
        await pilot.press("enter")
        assert on_top(app, SettingsScreen)


PRINTER = '''
from engine import Strategy


class Printer(Strategy):
    """Says where it is, and tries to be clever about the terminal."""

    def decide(self, obs):
        print(f"at step {obs.step} \\x1b[31mred\\x1b]0;title\\x07")
'''


async def test_the_log_of_a_run_is_what_its_strategy_printed(
    gateway: Gateway, tmp_path: Path
) -> None:
    """f3 from the list: its lines, inert; l turns to the app's log; a filter narrows."""
    file = tmp_path / "printer.py"
    file.write_text(PRINTER, "utf-8")
    run_id = create(
        gateway, f"{file}:Printer", symbols="AAPL", start="2010-12-01", end="2010-12-31"
    )
    reach(gateway, run_id, "completed")
    async with deck(gateway, (120, 36), log_path=tmp_path / "app.log") as (app, pilot):
        app.query_one("#runs", DeckTable).move_to_key(run_id)
        await pilot.press("f3")
        screen = app.screen
        assert isinstance(screen, LogScreen)
        await until(pilot, lambda: "at step 3 red" in screen_text(app))
        assert f"what run {run_id} printed" in screen_text(app)
        await pilot.press("slash", *"step 1", "enter", "g")
        await until(pilot, lambda: "at step 3" not in screen_text(app))
        assert "at step 1 red" in screen_text(app)
        await pilot.press("y")
        assert app.clipboard == "at step 1 red"
        await pilot.press("escape", "l")
        await until(pilot, lambda: "The log is empty" in screen_text(app))
        (tmp_path / "app.log").write_text("2026-01-01 10:00:00,000 1 WARNING x: careful\n")
        await until(pilot, lambda: "careful" in screen_text(app))
        await pilot.press("escape")
        assert on_top(app, RunsScreen)


async def test_fork_asks_for_the_step_and_opens_the_fork(gateway: Gateway) -> None:
    """f, a step: the fork stands there, its parent named, beneath it in the tree."""
    async with deck(gateway, (120, 36)) as (app, pilot):
        table = app.query_one("#runs", DeckTable)
        parent = next(row.key for row in table.rows if row.cells[1].text == "trend apple")
        table.move_to_key(parent)
        await pilot.press("f")
        await answer(app, pilot, "9999")
        assert on_top(app, AskDialog)
        await answer(app, pilot, "100")
        await until(pilot, lambda: on_top(app, RunScreen))
        opened = app.screen
        assert isinstance(opened, RunScreen)
        record = gateway.record(opened.run_id)
        assert (record.parent_run_id, record.forked_at_step) == (parent, 100)
        await until(pilot, lambda: opened.record is not None)
        app.pop_screen()
        await until(pilot, lambda: opened.run_id in table.row_keys)
        await pilot.press("t")
        keys = list(table.row_keys)
        assert keys[keys.index(parent) + 1] == opened.run_id
        assert table.rows[keys.index(opened.run_id)].cells[1].text.startswith("└ ")
        table.move_to_key(opened.run_id)
        await until(pilot, lambda: f"fork of {parent} from 100" in screen_text(app))
        await pilot.press("c")
        await until(pilot, lambda: "Compare 2 runs" in screen_text(app))


async def test_a_setting_is_copied_as_a_line_of_the_file(empty: Gateway) -> None:
    """y: what one would type into config.toml."""
    async with deck(empty, (120, 36)) as (app, pilot):
        await open_settings(app, pilot, ".costs")
        await pilot.press("y")
        assert app.clipboard == 'costs = "us-equity"'


async def test_following_goes_with_the_newest_line(gateway: Gateway, tmp_path: Path) -> None:
    """New lines take the cursor along, until one looks up; f takes it up again."""
    log = tmp_path / "app.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)), "utf-8")
    async with deck(gateway, (80, 24), log_path=log) as (app, pilot):
        await pilot.press("f3")
        await until(pilot, lambda: "line 99" in screen_text(app))
        with log.open("a", encoding="utf-8") as file:
            file.write("line 100\n")
        await until(pilot, lambda: "line 100" in screen_text(app))
        await pilot.press("g")
        assert "following" not in screen_text(app)
        with log.open("a", encoding="utf-8") as file:
            file.write("line 101\n")
        await until(pilot, lambda: "102 lines" in screen_text(app))
        table = app.screen.query_one(DeckTable)
        assert table.cursor_index == 0
        await pilot.press("f")
        assert table.cursor_index == 101


async def test_the_sort_is_turned_around(gateway: Gateway) -> None:
    """v: the same column the other way."""
    async with deck(gateway) as (app, pilot):
        table = app.query_one("#runs", DeckTable)
        before = list(table.row_keys)
        await pilot.press("v")
        assert list(table.row_keys) == before[::-1]


async def test_the_run_beneath_takes_what_is_changed(gateway: Gateway, tmp_path: Path) -> None:
    """Another currency and ASCII charts are there once the settings are closed, now and then."""
    run_id = next(
        row.record.run_id for row in gateway.snapshot().rows if row.record.name == "trend apple"
    )
    path = tmp_path / "config.toml"
    async with deck(gateway, (160, 50), config_path=path, run_id=run_id) as (app, pilot):
        await until(pilot, lambda: "━━ equity" in screen_text(app) and "+$" in screen_text(app))
        await pilot.press("comma")
        await until(pilot, lambda: "◀ past" in screen_text(app))
        for key, text in ((".currency", "€"), (".ascii", "1")):
            await open_settings(app, pilot, key)
            await pilot.press("enter")
            await answer(app, pilot, text)
            await until(pilot, lambda: on_top(app, SettingsScreen))
            await pilot.press("escape")
        await until(pilot, lambda: on_top(app, RunScreen))
        await until(pilot, lambda: "$" not in screen_text(app) and "+€" in screen_text(app))
        await until(pilot, lambda: "* equity" in screen_text(app))
        await pilot.press("0")
        await until(pilot, lambda: "◀ past" not in screen_text(app))
        await until(pilot, lambda: "$" not in screen_text(app) and "+€" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: on_top(app, RunsScreen))
        await until(pilot, lambda: "=======" in screen_text(app) and "$" not in screen_text(app))
