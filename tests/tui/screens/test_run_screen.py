"""One run: panels, transport, trading by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Select, Static

from tests.tui.screens.kit import at_once, create, deck, on_top, reach, screen_text, text_in, until
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.dialogs import ConfirmDialog, ErrorDialog
from tui.screens.run import RunScreen
from tui.screens.ticket import TicketDialog
from tui.widgets.curve import CurveChart
from tui.widgets.price import PriceChart
from tui.widgets.table import DeckTable


def by_name(gateway: Gateway, name: str) -> str:
    """The id of the run of that name."""
    return next(row.record.run_id for row in gateway.snapshot().rows if row.record.name == name)


def run_screen(app: StepdeckApp) -> RunScreen:
    assert isinstance(app.screen, RunScreen)
    return app.screen


def rows(app: StepdeckApp, name: str) -> list[list[str]]:
    """The cells of a list of the run screen."""
    table = run_screen(app).query_one(f"#{name}", DeckTable)
    return [[cell.text for cell in row.cells] for row in table.rows]


async def ready(app: StepdeckApp, pilot: Pilot[None]) -> None:
    """The run has been seen and its bars are there."""
    await until(pilot, lambda: run_screen(app).record is not None and run_screen(app).panel)


def manual(gateway: Gateway, **options: str) -> str:
    """A run by hand of two symbols that waits at its first step."""
    run_id = create(
        gateway, "manual", symbols="AAPL,MSFT", start="2008-01-02", end="2008-06-30", **options
    )
    reach(gateway, run_id, "running")
    return run_id


async def test_a_finished_run_shows_all_at_once_in_a_large_window(gateway: Gateway) -> None:
    """At 160x50: price, equity with baseline, orders, decisions and figures side by side."""
    async with deck(gateway, (160, 50), run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        shown = [panel.id for panel in run_screen(app).query(".panel") if panel.display]
        assert len(shown) == 6
        text = screen_text(app)
        assert "buy and hold" in text
        assert "Sharpe" in text
        orders = rows(app, "orders")
        assert len(orders) == gateway.record(run_screen(app).run_id).num_fills
        assert orders[0][-1].startswith("✓ filled")


async def test_in_a_small_window_the_panels_are_tabs(gateway: Gateway) -> None:
    """At 80x24 the digits, tab and clicks choose which panel there is."""
    async with deck(gateway, (80, 24), run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)

        def shown() -> list[str | None]:
            return [panel.id for panel in run_screen(app).query(".panel") if panel.display]

        assert shown() == ["panel-price"]
        for key, name in zip("23456", ("equity", "positions", "orders", "decisions", "figures"),
                             strict=True):  # fmt: skip
            await pilot.press(key)
            assert shown() == [f"panel-{name}"]
            assert app.focused is None or app.focused.id == name
        await pilot.press("tab")
        assert shown() == ["panel-price"]
        await pilot.click("PanelTabs", offset=(13, 0))
        assert shown() == ["panel-equity"]


async def test_between_the_two_charts_and_lists_share_the_window(gateway: Gateway) -> None:
    """At 120x36: both charts, positions and one list."""
    async with deck(gateway, (120, 36), run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("6")
        shown = [panel.id for panel in run_screen(app).query(".panel") if panel.display]
        assert shown == ["panel-price", "panel-equity", "panel-positions", "panel-figures"]


async def test_a_failed_run_says_why_with_file_and_line(gateway: Gateway) -> None:
    """The reason stands under the run's name."""
    async with deck(gateway, run_id=by_name(gateway, "has a bug")) as (app, pilot):
        await until(pilot, lambda: "broken.py:9" in screen_text(app))
        assert "ZeroDivisionError" in screen_text(app)


async def test_n_and_shift_n_walk_through_the_symbols(gateway: Gateway) -> None:
    """The price panel names the symbol and how many there are."""
    async with deck(gateway, run_id=by_name(gateway, "top five")) as (app, pilot):
        await ready(app, pilot)
        assert run_screen(app).symbol == "AAPL"
        await pilot.press("n")
        assert run_screen(app).symbol == "FB"
        assert "FB  2 of 5" in screen_text(app)
        await pilot.press("N", "N")
        assert run_screen(app).symbol == "MSFT"


async def test_nothing_after_the_present_is_shown(gateway: Gateway) -> None:
    """Price and equity end at the step the run has reached."""
    async with deck(gateway, run_id=by_name(gateway, "by hand")) as (app, pilot):
        await ready(app, pilot)
        settled = gateway.record(run_screen(app).run_id).step_index
        view = run_screen(app).query_one("#price", PriceChart)._view
        curves = run_screen(app).query_one("#equity", CurveChart)._curves
        assert view is not None
        assert curves is not None
        assert len(view.close) == len(curves.series[0].values) == settled


async def test_stepping_by_hand_holds(gateway: Gateway) -> None:
    """. is one step, > are ten, h holds; pressed as fast as can be, none is lost."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press(".", "right", "h", ">", "h")
        await until(pilot, lambda: gateway.record(run_id).step_index == 15)
        await until(pilot, lambda: "step 14/" in screen_text(app))
        assert "decision 14 is yours" in screen_text(app)


async def test_buy_then_sell_by_the_ticket(gateway: Gateway) -> None:
    """b, a size, enter; s offers what is held. The ledger has both fills."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("b")
        assert on_top(app, TicketDialog)
        await pilot.press(*"100")
        await pilot.pause()
        assert "about 100" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: rows(app, "positions"))
        assert rows(app, "positions")[0][:2] == ["AAPL", "100"]
        await pilot.press("s")
        assert app.screen.query_one("#ticket-size", Input).value == "100"
        await pilot.press("enter")
        await until(pilot, lambda: not rows(app, "positions"))
        reader = gateway.reader()
        assert [fill.side for fill in reader.fills(run_id)] == ["buy", "sell"]


async def test_a_ticket_behind_a_step_is_for_the_decision_after_it(gateway: Gateway) -> None:
    """Keys act in their order, however fast: no order is refused for a step of one's own."""
    run_id = manual(gateway)
    assert gateway._service is not None
    session = gateway._service.sessions[run_id]
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        with session.lock:  # held up, as by a disk that is slow
            await pilot.press("full_stop", "full_stop", "b", *"5")
            await until(pilot, lambda: "decision 0," in screen_text(app))
        await until(pilot, lambda: "decision 2," in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: rows(app, "positions"))
        with session.lock:
            await pilot.press("full_stop", "b", *"7", "enter", "full_stop")
            await pilot.press("c")
        await until(pilot, lambda: not rows(app, "positions"))
        placed = gateway.reader().orders(run_id)
        assert [(order.step_index, order.side) for order in placed] == [
            (2, "buy"),
            (4, "buy"),
            (6, "sell"),
        ]


async def test_close_sells_all_of_the_symbol_shown(gateway: Gateway) -> None:
    """c after a purchase leaves nothing of it."""
    run_id = manual(gateway)
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("c")
        assert gateway.record(run_id).step_index == 1
        await pilot.press("b", *"7", "enter")
        await until(pilot, lambda: rows(app, "positions"))
        await pilot.press("c")
        await until(pilot, lambda: not rows(app, "positions"))
        assert len(gateway.reader().fills(run_id)) == 2


async def test_the_full_ticket_takes_money_and_weights(gateway: Gateway) -> None:
    """o: half of equity in the second symbol."""
    run_id = manual(gateway)
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("n", "o")
        app.screen.query_one("#ticket-type", Select).value = "weight"
        await pilot.pause()
        app.screen.query_one("#ticket-size", Input).value = "50%"
        await pilot.pause()
        assert "weight after" in screen_text(app)
        await pilot.click("#ticket-place")
        await until(pilot, lambda: rows(app, "positions"))
        symbol, _, _, _, _, weight, _ = rows(app, "positions")[0]
        assert symbol == "MSFT"
        assert 48 < float(weight.rstrip("%")) < 52


@pytest.mark.parametrize("size", ["", "0", "-3", "many"])
async def test_a_ticket_without_a_size_stays_open_and_says_what_is_missing(
    gateway: Gateway, size: str
) -> None:
    """Nothing is decided by an empty or senseless size."""
    run_id = manual(gateway)
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("b")
        app.screen.query_one("#ticket-size", Input).value = size
        await pilot.press("enter")
        assert on_top(app, TicketDialog)
        said = str(app.screen.query_one("#ticket-estimate", Static).content)
        assert "give shares above 0" in said
        await pilot.press("escape")
        assert gateway.record(run_id).step_index == 1


async def test_a_size_typed_before_the_ticket_is_drawn_is_not_lost(gateway: Gateway) -> None:
    """b and digits at once: the digits are the size, not panels."""
    run_id = manual(gateway)
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        at_once(app, "b", "1", "2", "5")
        await until(pilot, lambda: text_in(app, TicketDialog, "#ticket-size") == "125")


async def test_a_refused_order_is_shown_with_its_reason(gateway: Gateway) -> None:
    """Selling what is not held: rejected, no position."""
    run_id = manual(gateway)
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("s", *"10", "enter")
        await until(pilot, lambda: rows(app, "orders"))
        assert rows(app, "orders")[0][-1] == "✗ rejected: no position"


async def test_a_strategy_plays_pauses_and_steps(gateway: Gateway) -> None:
    """space holds a run and lets it go on; . steps it while it is held."""
    run_id = create(gateway, "sma_cross", symbols="AAPL", paused=True)
    reach(gateway, run_id, "paused")
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press(".", ">")
        await until(pilot, lambda: gateway.record(run_id).step_index == 12)
        assert gateway.record(run_id).status == "paused"
        # Slow enough not to be done before it is paused, whatever else the machine does.
        await pilot.press(*["-"] * 6)
        await pilot.press("space")
        await until(pilot, lambda: "running" in screen_text(app))
        await pilot.click("#run-play")
        await until(pilot, lambda: gateway.record(run_id).status == "paused")


async def test_any_run_that_is_live_can_be_traded_by_hand(gateway: Gateway) -> None:
    """h, b and c in a strategy's run: the decision is recorded as a person's."""
    run_id = create(gateway, "sma_cross", symbols="AAPL", paused=True)
    reach(gateway, run_id, "paused")
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("h")
        await until(pilot, lambda: gateway.record(run_id).step_index == 2)
        await until(pilot, lambda: "step 1/" in screen_text(app))
        await pilot.press("b", *"12", "enter")
        await until(pilot, lambda: rows(app, "positions"))
        await pilot.press("c")
        await until(pilot, lambda: not rows(app, "positions"))
        steps = gateway.reader().steps(run_id)
        assert [row.decision_source for row in steps] == ["manual"] * 3


async def test_trading_pauses_a_run_that_moves_by_itself(gateway: Gateway) -> None:
    """b while it plays: it stands first, and the ticket is for the step that is due then."""
    run_id = create(gateway, "sma_cross", symbols="AAPL", speed="5")
    reach(gateway, run_id, "running")
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("b")
        await until(pilot, lambda: on_top(app, TicketDialog))
        assert gateway.record(run_id).status == "paused"
        await pilot.press(*"3", "enter")
        await until(pilot, lambda: rows(app, "positions"))


async def test_a_key_pressed_before_the_run_has_been_read_works(gateway: Gateway) -> None:
    """What the list knows of the run is enough for its keys."""
    run_id = manual(gateway)
    async with deck(gateway) as (app, pilot):
        await until(pilot, lambda: app.tick is not None)
        app.open_run(run_id)
        app.simulate_key("full_stop")
        await until(pilot, lambda: gateway.record(run_id).step_index == 2)


async def test_cancel_from_the_run_screen(gateway: Gateway) -> None:
    """x, y."""
    run_id = manual(gateway)
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("x")
        assert on_top(app, ConfirmDialog)
        await pilot.press("y")
        await until(pilot, lambda: "cancelled" in screen_text(app))
        assert gateway.record(run_id).status == "cancelled"


async def test_take_up_from_the_run_screen(gateway: Gateway) -> None:
    """R on an interrupted run, then it is driven again."""
    async with deck(gateway, run_id=by_name(gateway, "by hand")) as (app, pilot):
        await ready(app, pilot)
        step = gateway.record(run_screen(app).run_id).step_index
        await pilot.press("R")
        await until(pilot, lambda: "is yours" in screen_text(app))
        await pilot.press(".")
        await until(pilot, lambda: gateway.record(run_screen(app).run_id).step_index == step + 1)


async def test_what_the_service_refuses_is_a_panel_and_the_app_goes_on(
    gateway: Gateway,
) -> None:
    """A decision for a step that is already made: cause, remedy, code and log."""
    run_id = manual(gateway)
    async with deck(gateway, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("b")
        gateway.step(run_id, 3)
        await pilot.press(*"5", "enter")
        await until(pilot, lambda: on_top(app, ErrorDialog))
        text = screen_text(app)
        assert "could not place the order" in text
        assert "step_already_finalized" in text
        assert "stepdeck.log" in text
        await pilot.press("escape")
        assert on_top(app, RunScreen)
        assert gateway.record(run_id).step_index == 4


async def test_lists_sort_by_key_and_title(gateway: Gateway) -> None:
    """S sorts the list that has the arrows; a click on a title too."""
    async with deck(gateway, (80, 24), run_id=by_name(gateway, "top five")) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("4", "S")
        steps = [int(cells[0]) for cells in rows(app, "orders")]
        assert steps == sorted(steps)
        await pilot.click("#orders", offset=(4, 0))
        steps = [int(cells[0]) for cells in rows(app, "orders")]
        assert steps == sorted(steps, reverse=True)


async def test_bars_that_are_gone_are_said_and_the_rest_is_shown(
    gateway: Gateway, tmp_path: Path
) -> None:
    """Where the source no longer has the bars, the ledger's own figures stay."""
    bars = tmp_path / "AAA.csv"
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"2024-01-{day:02d},10,11,9,10.5,100" for day in (2, 3, 4, 5, 8, 9)]
    bars.write_text("\n".join(lines), "utf-8")
    run_id = create(gateway, "buy_and_hold", source=f"csv:{bars}")
    reach(gateway, run_id, "completed")
    gateway.settle(20)
    bars.unlink()
    gateway.close()
    again = Gateway.open(gateway.path, app=True)
    async with deck(again, run_id=run_id) as (app, pilot):
        await until(pilot, lambda: "No bars" in screen_text(app))
        assert "equity" in screen_text(app)
        assert rows(app, "orders")
    again.close()


async def test_other_bars_are_said_and_not_drawn(gateway: Gateway, tmp_path: Path) -> None:
    """A file that has changed since draws nothing, and taking the run up says why it cannot be."""
    bars = tmp_path / "AAA.csv"
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"2024-01-{day:02d},10,11,9,10.5,100" for day in (2, 3, 4, 5, 8, 9)]
    bars.write_text("\n".join(lines), "utf-8")
    run_id = create(gateway, "manual", source=f"csv:{bars}")
    reach(gateway, run_id, "running")
    gateway.close()
    bars.write_text("\n".join(lines).replace("10.5", "10.7"), "utf-8")
    again = Gateway.open(gateway.path, app=True)
    async with deck(again, run_id=run_id) as (app, pilot):
        await until(pilot, lambda: "No bars" in screen_text(app))
        assert "10.70" not in screen_text(app)
        await pilot.press("R")
        await until(pilot, lambda: "not those the run began with" in ended(app))
    again.close()


def ended(app: StepdeckApp) -> str:
    """Why the run stands still, beneath its figures."""
    return str(app.screen.query_one("#run-ended", Static).content)


def told(app: StepdeckApp) -> str:
    """What stands in the corner."""
    return "\n".join(note.message for note in app._notifications)


async def test_a_key_that_does_nothing_says_why(gateway: Gateway) -> None:
    """Rewinding needs a past to go to, and a run that has ended is not traded: both are said."""
    async with deck(gateway, run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("b")
        await until(pilot, lambda: "fork it" in told(app))
    async with deck(gateway, run_id=manual(gateway, name="mine")) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("w")
        await until(pilot, lambda: "look back" in told(app))
        gateway.cancel(run_screen(app).run_id)
