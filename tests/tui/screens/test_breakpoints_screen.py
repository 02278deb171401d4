"""The Breakpoints screen and the reasons of an order, on a real ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.model import Breakpoint
from tests.tui.screens.kit import at_once, create, deck, on_top, reach, screen_text, until
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.keys import Place, of
from tui.screens.base import KeyBar
from tui.screens.breakpoints import BreakpointsScreen, ConditionsDialog
from tui.screens.dialogs import ErrorDialog
from tui.screens.help import HelpScreen
from tui.screens.run import RunScreen
from tui.screens.why import WhyDialog
from tui.widgets.table import DeckTable


def make_run(gateway: Gateway, *conditions: str, symbols: str = "AAPL") -> str:
    """A run that stands paused, at its first breakpoint or at its beginning."""
    run_id = create(
        gateway,
        "sma_cross",
        symbols=symbols,
        start="2008-01-02",
        end="2009-12-31",
        name="watched",
        paused=not conditions,
        **{"break": list(conditions)},
    )
    reach(gateway, run_id, "paused")
    return run_id


@asynccontextmanager
async def opened(
    gateway: Gateway,
    run_id: str,
    size: tuple[int, int] = (80, 24),
    *,
    read_only: bool = False,
) -> AsyncIterator[tuple[StepdeckApp, Pilot[None], BreakpointsScreen]]:
    """The screen over the run's own."""
    async with deck(gateway, size, run_id=run_id, read_only=read_only) as (app, pilot):
        screen = BreakpointsScreen(run_id, "AAPL")
        app.push_screen(screen)
        await until(pilot, lambda: screen._record is not None)
        yield app, pilot, screen


async def test_a_breakpoint_is_written_and_kept(empty: Gateway) -> None:
    """`a`, the text and enter: it stands in the list and in the ledger."""
    run_id = make_run(empty)
    async with opened(empty, run_id) as (app, pilot, _):
        assert "No breakpoints" in screen_text(app)
        await pilot.press("a", *"drawdown < -5%", "enter")
        await until(pilot, lambda: "● on   drawdown < -5%" in screen_text(app))
        assert empty.breakpoints(run_id) == (Breakpoint(1, "drawdown < -5%"),)


async def test_an_error_stands_under_its_column_while_one_types(empty: Gateway) -> None:
    """The caret is under the letter at which the text goes wrong; enter keeps nothing then."""
    run_id = make_run(empty)
    async with opened(empty, run_id) as (app, pilot, screen):
        await pilot.press("a", *"cash < 5 and drowdown < 0")
        await until(pilot, lambda: "did you mean drawdown?" in screen_text(app))
        lines = screen_text(app).splitlines()
        at = next(y for y, line in enumerate(lines) if "drowdown <" in line)
        assert lines[at + 1].index("^") == lines[at].index("drowdown")
        await pilot.press("enter")
        await pilot.pause()
        assert empty.breakpoints(run_id) == ()
        line = screen.query_one("#breakpoint-text", Input)
        line.value = "cash < 5"
        await until(pilot, lambda: "✓ good: looks at cash" in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: not screen.editing)
        assert on_top(app, BreakpointsScreen)


async def test_keys_switch_change_delete_and_take_back(empty: Gateway) -> None:
    """Every key of the place does what help says, in the ledger."""
    run_id = make_run(empty, 'fill("AAPL")')
    async with opened(empty, run_id) as (app, pilot, screen):

        async def becomes(*points: Breakpoint) -> None:
            await until(pilot, lambda: empty.breakpoints(run_id) == points and not screen._asked)

        first = Breakpoint(1, 'fill("AAPL")', hits=1)
        assert "stopped at breakpoint 1" in screen_text(app)
        await pilot.press("space")
        await becomes(Breakpoint(1, first.expression, enabled=False, hits=1))
        await pilot.press("o")
        await becomes(Breakpoint(1, first.expression, enabled=False, once=True, hits=1))
        await pilot.press("space", "o")
        await becomes(first)
        await pilot.press("enter", "end", *" or sold", "enter")
        await becomes(Breakpoint(1, 'fill("AAPL") or sold'))
        await pilot.press("d")
        await becomes()
        await pilot.press("u")
        await becomes(Breakpoint(1, 'fill("AAPL") or sold'))
        await pilot.press("u", "u", "u")
        await becomes(Breakpoint(1, first.expression, enabled=False, once=True, hits=1))
        await pilot.press("delete", "a", *"fill", "enter")
        await becomes(Breakpoint(1, "fill"))
        await pilot.press("escape")
        assert not on_top(app, BreakpointsScreen)


async def test_everything_works_by_mouse(empty: Gateway) -> None:
    """Buttons add, take a template, switch and delete."""
    run_id = make_run(empty)
    async with opened(empty, run_id, (120, 36)) as (app, pilot, screen):
        await pilot.click("#breakpoints-templates")
        await until(pilot, lambda: on_top(app, ConditionsDialog))
        table = app.screen.query_one("#conditions", DeckTable)
        await pilot.click(table, offset=(8, 3))
        await pilot.click("#conditions-choose")
        await until(pilot, lambda: screen.editing)
        assert screen.query_one("#breakpoint-text", Input).value == "rejection"
        await pilot.press("enter")
        await until(pilot, lambda: "● on   rejection" in screen_text(app))
        await pilot.click("#breakpoints-switch")
        await until(pilot, lambda: "○ off  rejection" in screen_text(app))
        await pilot.click("#breakpoints-remove")
        await until(pilot, lambda: "No breakpoints" in screen_text(app))
        await pilot.click("#breakpoints-undo")
        await until(pilot, lambda: "rejection" in screen_text(app))


async def test_a_word_is_written_into_what_one_is_writing(empty: Gateway) -> None:
    """Half a condition stays; the word goes in at the cursor. Wide windows show the words."""
    run_id = make_run(empty)
    async with opened(empty, run_id, (160, 50)) as (app, pilot, screen):
        assert "the session's date" in screen_text(app)
        await pilot.press("a", *"cash < 5 or ")
        await until(pilot, lambda: screen.editing)
        await pilot.click("#breakpoints-words", offset=(8, 1))
        screen.query_one("#breakpoints-words").focus()
        await pilot.press("enter")
        line = screen.query_one("#breakpoint-text", Input)
        await until(pilot, lambda: line.value == "cash < 5 or fill")


async def test_hits_show_as_they_happen(empty: Gateway) -> None:
    """The list follows the ledger: the run is let go elsewhere and comes back with its count."""
    run_id = make_run(empty, "fill")
    async with opened(empty, run_id) as (app, pilot, _):
        empty.resume(run_id)
        await until(pilot, lambda: empty.breakpoints(run_id)[0].hits == 2)
        await until(pilot, lambda: "fill" in screen_text(app) and "     2" in screen_text(app))


async def test_a_finished_run_is_only_looked_at(empty: Gateway) -> None:
    """What it had is shown, nothing can be changed, and the screen says why."""
    run_id = make_run(empty, "fill")
    empty.set_breakpoints(run_id, (Breakpoint(1, "fill", enabled=False, hits=1),))
    empty.resume(run_id)
    reach(empty, run_id, "completed")
    async with opened(empty, run_id) as (app, pilot, screen):
        await until(pilot, lambda: "this run has ended" in screen_text(app))
        await pilot.press("d", "a", "space")
        await pilot.pause()
        assert not screen.editing
        assert empty.breakpoints(run_id) == (Breakpoint(1, "fill", enabled=False, hits=1),)


async def test_watching_changes_nothing(empty: Gateway) -> None:
    """Read-only, the list is there and its keys that write are not."""
    run_id = make_run(empty, "fill")
    async with opened(empty, run_id, read_only=True) as (app, pilot, _):
        await pilot.press("d")
        await pilot.pause()
        assert "Delete" not in screen_text(app).splitlines()[-2]
        assert len(empty.breakpoints(run_id)) == 1


async def test_a_refusal_is_shown_and_what_was_built_on_it_dropped(empty: Gateway) -> None:
    """The run ends beneath the screen: the next change is refused in a panel."""
    run_id = make_run(empty, "fill")
    async with opened(empty, run_id) as (app, pilot, screen):
        screen.deck.poller.stop()
        empty.cancel(run_id)
        await pilot.press("space")
        await until(pilot, lambda: on_top(app, ErrorDialog))
        assert "is cancelled" in screen_text(app)
        await pilot.press("escape")
        assert screen.points == (Breakpoint(1, "fill", hits=1),)


async def test_help_says_when_a_breakpoint_is_looked_at(empty: Gateway) -> None:
    """`?` has the keys and, in words, what a condition sees."""
    run_id = make_run(empty)
    async with opened(empty, run_id, (120, 50)) as (app, pilot, _):
        await pilot.press("question_mark")
        await until(pilot, lambda: on_top(app, HelpScreen))
        text = screen_text(app)
        assert all(action.help in text for action in of(Place.BREAKPOINTS))
        assert "what has just happened" in text


async def test_the_run_s_own_keys_lead_here_and_to_the_reasons(empty: Gateway) -> None:
    """`B` opens the breakpoints and esc comes back; enter on an order, or two clicks, tell why."""
    run_id = make_run(empty, "fill")
    async with deck(empty, (120, 36), run_id=run_id) as (app, pilot):
        await until(pilot, lambda: "stopped at breakpoint 1: fill" in screen_text(app))
        await pilot.press("B")
        await until(pilot, lambda: on_top(app, BreakpointsScreen))
        await until(pilot, lambda: "● on   fill" in screen_text(app))
        await pilot.press("escape", "4")
        await until(pilot, lambda: on_top(app, RunScreen) and app.screen.focused is not None)
        await pilot.press("enter")
        await until(pilot, lambda: on_top(app, WhyDialog))
        await until(pilot, lambda: "The strategy decided" in screen_text(app))
        await pilot.press("escape")
        table = app.screen.query_one("#orders", DeckTable)
        await pilot.click(table, offset=(4, 1), times=2)
        await until(pilot, lambda: on_top(app, WhyDialog))


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids="{0[0]}x{0[1]}".format)
async def test_the_reasons_of_an_order_fit_the_window(
    gateway: Gateway, size: tuple[int, int]
) -> None:
    """From what was seen to the end, scrolled where it is longer than the window."""
    row = next(row for row in gateway.snapshot().rows if row.record.name == "by hand")
    run_id = row.record.run_id
    detail = gateway.detail(run_id)
    rejected = next(order for order in detail.orders if order.status == "rejected")
    async with deck(gateway, size, run_id=run_id) as (app, pilot):
        app.push_screen(WhyDialog(detail, rejected.order_id, gateway.bars(run_id)))
        await until(pilot, lambda: on_top(app, WhyDialog))
        await until(pilot, lambda: "A person decided: buy 200 AAPL" in screen_text(app))
        await pilot.press("end")
        await until(pilot, lambda: "What would be right: hold the symbol" in screen_text(app))
        await pilot.press("escape")
        assert not on_top(app, WhyDialog)


async def test_esc_at_the_heels_of_enter_leaves_the_screen(empty: Gateway) -> None:
    """The condition is kept and the screen left, however fast the two keys come."""
    run_id = make_run(empty)
    async with opened(empty, run_id) as (app, pilot, screen):
        at_once(app, "a", *"fill", "enter", "escape")
        await until(pilot, lambda: not on_top(app, BreakpointsScreen))
        await until(pilot, lambda: [p.expression for p in empty.breakpoints(run_id)] == ["fill"])
        assert screen is not app.screen


async def test_the_line_names_its_own_keys_alone(empty: Gateway) -> None:
    """While a condition is written the bar shows what works there, and none of the list's keys."""
    run_id = make_run(empty, "fill")
    async with opened(empty, run_id, (120, 36)) as (app, pilot, screen):
        await until(pilot, lambda: "● on" in screen_text(app))
        await pilot.press("a")
        await until(pilot, lambda: screen.editing)
        shown = str(screen.query_one(KeyBar).render())
        for named in ("enter Keep", "f2 Usual ones", "esc Back", "f1 Help", "ctrl+p Palette"):
            assert named in shown or named in screen_text(app)
        for not_here in ("space On/off", "Delete", "q Quit", "? Help", "Copy"):
            assert not_here not in shown
        await pilot.press("f2")
        await until(pilot, lambda: on_top(app, ConditionsDialog))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not screen.editing)
        assert "? Help" in str(screen.query_one(KeyBar).render())
