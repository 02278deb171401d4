"""What works everywhere: help, palette, quitting, trouble, small windows, crashes."""

from __future__ import annotations

import logging

import pytest
from textual.widgets import Static

from engine.errors import InvalidOption, LedgerBusy
from tests.tui.screens.kit import create, deck, on_top, reach, screen_text, settings, until
from tui import keys
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.keys import Place
from tui.messages import Broke, PollTrouble
from tui.screens.asking import AskDialog
from tui.screens.base import DeckScreen, too_small
from tui.screens.breakpoints import BreakpointsScreen, ConditionsDialog
from tui.screens.compare import CompareScreen
from tui.screens.dialogs import ConfirmDialog, ErrorDialog, QuitDialog
from tui.screens.export import ExportDialog
from tui.screens.go_to import GoToDialog
from tui.screens.help import HelpScreen, help_text, width_with_ids
from tui.screens.indicators import IndicatorsDialog
from tui.screens.log import LogScreen
from tui.screens.new_run import NewRunScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.screens.seen import SeenDialog
from tui.screens.settings import SettingsScreen
from tui.screens.ticket import TicketDialog
from tui.widgets.table import DeckTable


async def test_help_lists_the_keys_of_the_place_one_is_in(gateway: Gateway) -> None:
    """In the list the list's keys, in a run the run's; esc goes back."""
    async with deck(gateway, (160, 50)) as (app, pilot):
        await pilot.press("question_mark")
        assert on_top(app, HelpScreen)
        text = screen_text(app)
        assert "Fill in the form of a new run" in text
        assert "runs.cancel" in text
        assert "Filter" in text
        assert "Hold this step" not in text
        await pilot.press("escape")
        await pilot.press("enter")
        assert on_top(app, RunScreen)
        await pilot.press("question_mark")
        await pilot.pause()
        assert "Hold this step" in screen_text(app)
        assert "Fill in the form" not in screen_text(app)


def test_help_names_every_action_of_its_places() -> None:
    """Nothing that can be pressed is missing from help."""
    for place in (Place.RUNS, Place.RUN, Place.FORM, Place.COMPARE, Place.LOG, Place.SETTINGS):
        text = help_text(keys.Keys(), (place, Place.LIST), ids=True).plain
        for action in keys.of(place, Place.LIST, Place.EVERYWHERE):
            assert action.help in text
            assert action.id in text
        # As wide as its dialog is made: a line of a key is one line.
        named = [line for line in text.splitlines() if line.endswith(tuple(keys.BY_ID))]
        assert max(map(len, named)) <= width_with_ids(keys.Keys(), (place, Place.LIST))


def test_every_action_has_its_method() -> None:
    """The registry names no key that does nothing."""
    owners: dict[Place, tuple[object, ...]] = {
        Place.RUNS: (RunsScreen,),
        Place.RUN: (RunScreen,),
        Place.FORM: (NewRunScreen,),
        Place.COMPARE: (CompareScreen,),
        Place.LOG: (LogScreen,),
        Place.SETTINGS: (SettingsScreen,),
        Place.ASK: (AskDialog,),
        Place.EXPORT: (ExportDialog,),
        Place.BREAKPOINTS: (BreakpointsScreen,),
        Place.CONDITIONS: (ConditionsDialog,),
        Place.TICKET: (TicketDialog,),
        Place.GO_TO: (GoToDialog,),
        Place.BREAKPOINTS: (BreakpointsScreen,),
        Place.CONDITIONS: (ConditionsDialog,),
        Place.INDICATORS: (IndicatorsDialog,),
        Place.SEEN: (SeenDialog,),
        Place.CONFIRM: (ConfirmDialog,),
        Place.QUIT: (QuitDialog,),
        Place.NOTICE: (HelpScreen, ErrorDialog),
        Place.LIST: (DeckTable,),
        Place.EVERYWHERE: (StepdeckApp,),
    }
    for action in keys.ACTIONS:
        on_screen = action.id in keys.ON_SCREEN
        for owner in (DeckScreen,) if on_screen else owners[action.place]:
            assert callable(getattr(owner, f"action_{action.method}", None)), action.id


@pytest.mark.parametrize("key", ["ctrl+p", "colon"])
async def test_the_palette_finds_and_does_an_action(gateway: Gateway, key: str) -> None:
    """Typing part of what one wants is enough."""
    async with deck(gateway) as (app, pilot):
        await pilot.press(key)
        await until(pilot, lambda: "what do you want to do?" in screen_text(app))
        await pilot.press(*"form of a new")
        await until(pilot, lambda: "Fill in the form" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: on_top(app, NewRunScreen))


async def test_the_key_bar_can_be_clicked(gateway: Gateway) -> None:
    """A click on a key's word does what the key does."""
    async with deck(gateway) as (app, pilot):
        line = screen_text(app).splitlines()[-1]
        await pilot.click("KeyBar", offset=(line.index("? Help") + 3, 0))
        assert on_top(app, HelpScreen)


async def test_keys_do_not_reach_past_a_dialog(gateway: Gateway) -> None:
    """q and n in help do not quit and open nothing."""
    async with deck(gateway) as (app, pilot):
        await pilot.press("question_mark", "n", "x", "slash")
        assert on_top(app, HelpScreen)
        await pilot.press("q")
        assert on_top(app, RunsScreen)
        assert app.return_code is None


async def test_two_keys_at_once_find_their_places(gateway: Gateway) -> None:
    """x and y in one breath: the question is asked and answered, no key is lost."""
    run_id = create(gateway, "manual", symbols="AAPL", name="mine")
    reach(gateway, run_id, "running")
    async with deck(gateway) as (app, pilot):
        await until(pilot, lambda: "mine" in screen_text(app))
        app.screen.query_one("#runs", DeckTable).move_to(0)
        await pilot.pause()
        app.simulate_key("x")
        app.simulate_key("y")
        await until(pilot, lambda: gateway.record(run_id).status == "cancelled")


@pytest.mark.parametrize(("width", "height"), [(59, 24), (80, 17), (20, 5)])
async def test_a_window_too_small_says_how_much_is_missing_and_recovers(
    gateway: Gateway, width: int, height: int
) -> None:
    """One line instead of a broken screen; larger again, everything is back."""
    async with deck(gateway, (width, height)) as (app, pilot):
        assert "too small" in " ".join(screen_text(app).split())
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: "trend apple" in screen_text(app))
        assert "too small" not in screen_text(app)


def test_too_small_names_what_is_missing() -> None:
    """Columns, rows, or both."""
    assert too_small(60, 18) is None
    assert too_small(59, 18) == "too small: 1 more columns needed"
    assert too_small(20, 5) == "too small: 40 more columns and 13 more rows needed"


async def test_trouble_with_the_ledger_is_said_and_goes_away(gateway: Gateway) -> None:
    """While it cannot be read the header says why; then it tallies again."""
    async with deck(gateway) as (app, pilot):
        app.post_message(PollTrouble(LedgerBusy("the ledger is busy", remedy="wait")))
        await until(pilot, lambda: "the ledger is busy" in screen_text(app))
        app.post_message(PollTrouble(None))
        await until(pilot, lambda: "3 completed" in screen_text(app))


async def test_a_bug_on_a_thread_ends_the_app_with_a_status(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """Not zero, the traceback in the log, and the runs stay resumable."""
    caplog.set_level(logging.CRITICAL)
    app = StepdeckApp(gateway, settings())

    async def stumble() -> None:
        async with app.run_test() as pilot:
            app.post_message(Broke(ZeroDivisionError("a bug")))
            await pilot.pause()

    with pytest.raises(ZeroDivisionError):
        await stumble()
    assert app.return_code == 1
    assert "the app crashed" in caplog.text


async def test_hostile_text_stays_inert(gateway: Gateway) -> None:
    """Escape sequences and markup in a run's name reach no widget as such."""
    name = "\x1b]52;c;aGk=\x07[/bold][@click=app.quit]x[/] \u202eevil\x9b31m"
    run_id = create(gateway, "manual", symbols="AAPL", name=name)
    reach(gateway, run_id, "running")
    async with deck(gateway, (160, 50)) as (app, pilot):
        for press in ("x", "n", "enter", "question_mark", "escape", "x", "escape", "escape", "q"):
            await pilot.press(press)
            text = screen_text(app)
            assert not any(mark in text for mark in ("\x1b", "\x07", "\u202e", "\x9b"))
        await pilot.press("escape")
        assert "[/bold]" in screen_text(app)


async def test_themes_can_be_chosen(gateway: Gateway) -> None:
    """The setting picks one; the light one is ours too."""
    async with deck(gateway, theme="stepdeck-light") as (app, _):
        assert app.theme == "stepdeck-light"


def test_a_keymap_that_makes_no_sense_is_refused_before_anything_is_shown(
    gateway: Gateway,
) -> None:
    """The error names the entry."""
    with pytest.raises(InvalidOption, match="which is no action"):
        StepdeckApp(gateway, settings(keymap={"nothing": "n"}))


def test_a_theme_that_there_is_not_is_refused_by_name(gateway: Gateway) -> None:
    """A word in the config that names no theme is an error that lists what there is."""
    with pytest.raises(InvalidOption, match=r"theme is 'neon'.*stepdeck-dark"):
        StepdeckApp(gateway, settings(theme="neon"))


async def test_the_screen_is_told_apart_by_what_it_follows(gateway: Gateway) -> None:
    """Opening and leaving runs leaves one screen, and its preview goes on."""
    async with deck(gateway) as (app, pilot):
        for _ in range(3):
            await pilot.press("enter")
            await pilot.press("escape")
            await pilot.press("j")
        assert len(app.screen_stack) == 1
        key = app.screen.query_one("#runs", DeckTable).cursor_key
        assert key is not None
        await until(pilot, lambda: key in screen_text(app))
        assert not str(app.screen.query_one("#filter-wrong", Static).content)


async def test_a_second_passes_over_a_screen_that_is_being_built(empty: Gateway) -> None:
    """On a busy machine the clock ticks before the screen's widgets are there."""
    async with deck(empty) as (app, pilot):
        app.push_screen(RunsScreen())
        app._second_passed()
        await until(pilot, lambda: app.screen.children)
