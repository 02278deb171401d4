"""The lists of a run: what opening, marking, copying and exporting their rows does."""

from __future__ import annotations

import csv
from pathlib import Path

from textual.widgets import Input

from engine.model import Decision, Order
from tests.tui.screens.kit import create, deck, on_top, reach, screen_text, until
from tests.tui.screens.test_looking_back import at
from tests.tui.screens.test_run_screen import by_name, ready, rows, run_screen
from tui.gateway import Gateway
from tui.keys import BY_ID
from tui.screens.asking import AskDialog
from tui.screens.base import KeyBar
from tui.screens.why import WhyDialog
from tui.widgets.table import DeckTable


def holder(gateway: Gateway) -> str:
    """A run by hand that holds three symbols."""
    run_id = create(gateway, "manual", symbols="AAPL,IBM,MSFT", start="2008-01-02")
    reach(gateway, run_id, "running")
    bought = tuple(Order.buy(symbol, 10) for symbol in ("AAPL", "IBM", "MSFT"))
    gateway.submit(run_id, 0, Decision(bought))
    return run_id


async def test_keys_of_a_list_are_shown_in_it_alone(gateway: Gateway) -> None:
    """Mark, sort and open stand in the key bar of a list, and not of a chart."""
    async with deck(gateway, (160, 50), run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        screen = run_screen(app)
        for action in ("mark", "sort", "open"):
            assert screen.allows(action) is False
        await pilot.press("4")
        assert screen.allows("mark") is True
        shown = str(app.screen.query_one(KeyBar).render())
        assert "enter Why" in shown
        assert "m Mark" in shown
        assert "S Sort" in shown
        await pilot.press("5")
        assert "enter Look there" in str(app.screen.query_one(KeyBar).render())


async def test_marked_rows_are_copied_and_exported(gateway: Gateway, tmp_path: Path) -> None:
    """m marks and goes on to the next; y and e take all marked ones, esc unmarks them."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("4", "m", "down", "m")
        table = app.screen.query_one("#orders", DeckTable)
        marked = table.marked
        assert len(marked) == 2
        assert run_screen(app).label(BY_ID["run.export"]) == "Export 2 rows"
        await pilot.press("y")
        lines = app.clipboard.splitlines()
        assert [line.split("\t")[0] for line in lines] == [
            cells[0] for cells in (rows(app, "orders")[0], rows(app, "orders")[2])
        ]
        await pilot.press("e")
        assert on_top(app, AskDialog)
        target = tmp_path / "orders.csv"
        app.screen.query_one("#answer", Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, target.exists)
        with target.open(newline="") as file:
            written = list(csv.DictReader(file))
        assert {row["order_id"] for row in written} == set(marked)
        assert {"status", "reason", "filled_quantity"} <= set(written[0])
        await pilot.press("escape")
        assert table.marked == ()
        await pilot.press("y")
        assert "\n" not in app.clipboard


async def test_a_place_that_is_taken_is_not_written_over(gateway: Gateway, tmp_path: Path) -> None:
    """What is there already is said while one types, and enter does nothing."""
    taken = tmp_path / "mine.csv"
    taken.write_text("mine")
    async with deck(gateway, (80, 24), run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("5", "m", "e")
        await until(pilot, lambda: on_top(app, AskDialog))
        app.screen.query_one("#answer", Input).value = str(taken)
        await pilot.press("enter")
        await until(pilot, lambda: "is there already; name another place" in screen_text(app))
        assert on_top(app, AskDialog)
        assert taken.read_text() == "mine"


async def test_opening_a_row_goes_where_it_came_from(gateway: Gateway) -> None:
    """enter: an order's reasons, the step of a decision, the symbol of a holding."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        step = int(rows(app, "decisions")[1][0])
        await pilot.press("4", "enter")
        await until(pilot, lambda: on_top(app, WhyDialog))
        await pilot.press("escape", "5", "down", "enter")
        assert at(app) == step + 1
        await until(pilot, lambda: f"step {step}/756" in screen_text(app))
    async with deck(gateway, (80, 24), run_id=holder(gateway)) as (app, pilot):
        await ready(app, pilot)
        await until(pilot, lambda: len(rows(app, "positions")) == 3)
        await pilot.press("3", "G", "enter")
        assert run_screen(app).symbol == "MSFT"


async def test_marked_holdings_are_closed_at_once(gateway: Gateway) -> None:
    """c in the positions: one decision sells all marked ones, and leaves the others."""
    run_id = holder(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await until(pilot, lambda: len(rows(app, "positions")) == 3)
        await pilot.press("3", "m", "m")
        await until(pilot, lambda: "Close 2" in screen_text(app))
        await pilot.press("c")
        await until(pilot, lambda: gateway.record(run_id).step_index == 3)
        await until(pilot, lambda: [row[0] for row in rows(app, "positions")] == ["MSFT"])
