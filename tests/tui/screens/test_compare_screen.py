"""Runs side by side: what is shown, and what the keys and the mouse do."""

from __future__ import annotations

from textual.pilot import Pilot

from tests.tui.screens.kit import create, deck, on_top, reach, screen_text, until
from tests.tui.screens.test_run_screen import run_screen
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.compare import CompareScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.widgets.curve import CurveChart
from tui.widgets.table import DeckTable


def ids_of(gateway: Gateway, *names: str) -> list[str]:
    by_name = {row.record.name: row.record.run_id for row in gateway.snapshot().rows}
    return [by_name[name] for name in names]


async def compare(
    app: StepdeckApp, pilot: Pilot[None], gateway: Gateway, *names: str
) -> CompareScreen:
    """The screen on runs of these names, once it has read them."""
    screen = CompareScreen(ids_of(gateway, *names))
    app.push_screen(screen)
    await until(pilot, lambda: screen._compared is not None and "▸" in screen_text(app))
    return screen


async def test_figures_stand_in_columns_with_the_best_marked(gateway: Gateway) -> None:
    """Every figure of both runs; the better return carries the star."""
    async with deck(gateway, (160, 50)) as (app, pilot):
        screen = await compare(app, pilot, gateway, "dip buyer", "trend apple")
        text = screen_text(app)
        line = next(line for line in text.splitlines() if "total return" in line)
        best = gateway.record(screen._run_ids[1]).total_return
        assert best is not None
        assert f"★ {best:+.2%}" in line
        assert line.count("★") == 1
        assert "Made differently" in text


async def test_the_first_decision_that_differs_is_said(gateway: Gateway) -> None:
    """Date and step, and what each of the two decided there."""
    async with deck(gateway, (160, 50)) as (app, pilot):
        await compare(app, pilot, gateway, "dip buyer", "top five")
        text = screen_text(app)
        assert "first decides otherwise at 2008-01-23, step 14" in text
        assert "here:  hold" in text
        assert "dip buyer at step 14:  MSFT → 40%" in text


async def test_difference_draws_every_run_less_the_first(gateway: Gateway) -> None:
    """d, and d again; the first run's own curve is then the zero line."""
    async with deck(gateway) as (app, pilot):
        screen = await compare(app, pilot, gateway, "dip buyer", "top five", "trend apple")
        chart = screen.query_one("#compare-curves", CurveChart)
        assert chart._curves is not None
        assert len(chart._curves.series) == 3
        await pilot.press("d")
        assert [one.name for one in chart._curves.series] == ["top five", "trend apple"]
        assert chart._curves.initial == 0.0
        await pilot.click("#compare-difference")
        assert len(chart._curves.series) == 3
        # Told apart without colour: the chosen one is drawn whole.
        assert [one.broken for one in chart._curves.series] == [True, False, True]


async def test_choosing_by_key_and_by_mouse(gateway: Gateway) -> None:
    """right and left walk through the runs, a click on a title chooses that one."""
    async with deck(gateway, (160, 50)) as (app, pilot):
        screen = await compare(app, pilot, gateway, "dip buyer", "top five", "trend apple")
        assert screen._chosen == 1
        await pilot.press("right")
        assert "▸ trend apple" in screen_text(app)
        await pilot.press("n")
        assert "the others are held against this one" in screen_text(app)
        await pilot.press("left")
        assert screen._chosen == 2
        table = screen.query_one("#figures-compared", DeckTable)
        await pilot.click(table, offset=(table.size.width - 20, 0))
        assert screen._chosen == 1


async def test_the_chosen_run_becomes_the_first_or_is_left_out(gateway: Gateway) -> None:
    """f holds the others against it, x takes it away as long as two are left."""
    async with deck(gateway) as (app, pilot):
        screen = await compare(app, pilot, gateway, "dip buyer", "top five", "trend apple")
        await pilot.press("f")
        await until(pilot, lambda: "against top five" in screen_text(app))
        await pilot.press("x")
        await until(pilot, lambda: "Compare 2 runs" in screen_text(app))
        await pilot.press("x")
        await pilot.pause()
        assert screen._run_ids == ids_of(gateway, "top five", "trend apple")


async def test_opening_one_and_both(gateway: Gateway) -> None:
    """enter opens the chosen run; b puts the first behind it; esc walks back."""
    async with deck(gateway) as (app, pilot):
        screen = await compare(app, pilot, gateway, "dip buyer", "top five")
        first, other = screen._run_ids
        await pilot.press("enter")
        opened = app.screen
        assert isinstance(opened, RunScreen)
        assert (opened.run_id, opened.at) == (other, 15)
        await until(pilot, lambda: "step 14/756" in screen_text(app))
        app.pop_screen()
        await pilot.press("b")
        opened = app.screen
        assert isinstance(opened, RunScreen)
        assert (opened.run_id, opened.at) == (other, 15)
        await pilot.press("escape")
        opened = app.screen
        assert isinstance(opened, RunScreen)
        assert (opened.run_id, opened.at) == (first, 15)
        await pilot.press("comma", "escape")
        # From a moment of one's own choosing it is to now, as ever.
        assert run_screen(app) is opened
        assert run_screen(app).at is None
        await pilot.press("escape")
        assert on_top(app, CompareScreen)
        await pilot.press("escape")
        assert on_top(app, RunsScreen)


async def test_a_run_that_moves_is_read_again(gateway: Gateway) -> None:
    """The figures follow the ledger."""
    run_id = create(gateway, "manual", symbols="AAPL", name="mine")
    reach(gateway, run_id, "running")
    async with deck(gateway, (160, 50)) as (app, pilot):
        screen = await compare(app, pilot, gateway, "trend apple", "mine")
        gateway.step(run_id, 7)
        await until(
            pilot,
            lambda: screen._compared is not None and screen._compared.runs[1].step_index == 8,
        )


async def test_a_run_that_is_deleted_meanwhile_is_left_out(gateway: Gateway) -> None:
    """What is there is still compared."""
    async with deck(gateway) as (app, pilot):
        screen = await compare(app, pilot, gateway, "dip buyer", "top five", "trend apple")
        gateway.delete(screen._run_ids[1])
        await until(pilot, lambda: len(screen._run_ids) == 2)
        assert "Compare 2 runs" in screen_text(app)


async def test_figures_are_copied_as_a_table(gateway: Gateway) -> None:
    """y: tabs between columns, as a spreadsheet takes them."""
    async with deck(gateway) as (app, pilot):
        await compare(app, pilot, gateway, "dip buyer", "top five")
        await pilot.press("y")
        lines = app.clipboard.splitlines()
        assert lines[0] == "figure\tdip buyer\ttop five"
        assert all(line.count("\t") == 2 for line in lines)


async def test_more_runs_than_fit_scroll_by_choosing(gateway: Gateway) -> None:
    """At 80 columns the first run and the chosen one are always there."""
    async with deck(gateway, (80, 24)) as (app, pilot):
        names = ("dip buyer", "top five", "trend apple", "by hand", "on hold")
        await compare(app, pilot, gateway, *names)
        for name in names[2:]:
            await pilot.press("right")
            text = screen_text(app)
            assert f"▸ {name}" in text
            assert any("Figure" in line and "dip buyer" in line for line in text.splitlines())
