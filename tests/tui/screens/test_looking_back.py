"""Looking back: one time cursor for the whole screen, and nothing of the future anywhere."""

from __future__ import annotations

import re

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.screens.kit import at_once, create, deck, on_top, reach, screen_text, text_in, until
from tests.tui.screens.test_run_screen import by_name, manual, ready, rows, run_screen
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.go_to import GoToDialog
from tui.screens.run import RunScreen
from tui.widgets.curve import CurveChart
from tui.widgets.price import PriceChart
from tui.widgets.table import DeckTable


def at(app: StepdeckApp) -> int | None:
    """The moment that all panels show; the number of the record while it is now."""
    screen = run_screen(app)
    return screen.at if screen.shown is not None else None


async def shows(app: StepdeckApp, pilot: Pilot[None], settled: int) -> None:
    """Wait until every panel shows that moment."""
    screen = run_screen(app)
    await until(
        pilot, lambda: screen.shown is not None and screen.shown.record.step_index == settled
    )


async def test_every_panel_shows_the_moment_and_nothing_later(gateway: Gateway) -> None:
    """Price, equity, orders, decisions, positions and figures end where one looks."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (160, 50), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        screen = run_screen(app)
        screen.look_at(400)
        await shows(app, pilot, 400)
        view = screen.query_one("#price", PriceChart)._view
        curves = screen.query_one("#equity", CurveChart)._curves
        assert view is not None
        assert curves is not None
        assert len(view.close) == 400
        assert all(len(one.values) <= 400 for one in curves.series)
        assert len(curves.stamps) == 400
        assert all(fill.step_index < 400 for fill in view.fills)
        assert all(int(row[0]) < 400 for row in rows(app, "orders"))
        due, *made = rows(app, "decisions")
        assert due[0] == "▸399"
        assert all(int(row[0]) < 399 for row in made)
        text = screen_text(app)
        record = gateway.record(run_id)
        assert "◀ past  trend apple  step 399/756  " in text
        assert f"{record.equity:,.2f}" not in text
        assert record.sharpe is not None
        assert f"{record.sharpe:.2f}" not in str(screen.query_one("#figures"))
        assert "completed" not in text
        await pilot.press("end")
        await until(pilot, lambda: "◀ past" not in screen_text(app))
        assert f"{record.equity:,.2f}" in screen_text(app)
        assert gateway.record(run_id) == record


async def test_the_keys_of_the_time_cursor(gateway: Gateway) -> None:
    """comma, left, < back; full stop, right, > on; end and 0 to now; esc leaves the past first."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        for keys, where in (
            (("comma", "left"), 755),
            (("less_than_sign",), 745),
            (("full_stop", "right"), 747),
            (("greater_than_sign",), None),
            (("comma",), 756),
            (("end",), None),
            (("left",), 756),
            (("0",), None),
            (("comma",), 756),
            (("escape",), None),
        ):
            await pilot.press(*keys)
            assert at(app) == where, keys
        assert on_top(app, RunScreen)


async def test_from_fill_to_fill(gateway: Gateway) -> None:
    """[ and A go to the fill before, ] and a to the next; each shows its fill in the chart."""
    run_id = by_name(gateway, "trend apple")
    fills = [fill.step_index + 1 for fill in gateway.reader().fills(run_id)]
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("left_square_bracket")
        assert at(app) == fills[-1]
        await pilot.press("A", "left_square_bracket")
        assert at(app) == fills[-3]
        await pilot.press("right_square_bracket")
        assert at(app) == fills[-2]
        await shows(app, pilot, fills[-2])
        fill = gateway.reader().fills(run_id)[-2]
        assert f"{fill.side} {fill.quantity:,.0f} @ {fill.price:.2f}" in screen_text(app)
        await pilot.press("a", "a")
        assert at(app) is None


async def test_from_session_to_session_and_decision_to_decision(gateway: Gateway) -> None:
    """{ } D d by session, ' ; by decision that does not hold."""
    run_id = by_name(gateway, "trend apple")
    decided = [row.step_index + 1 for row in gateway.reader().steps(run_id) if row.decision != "{}"]
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("left_curly_bracket", "D")
        assert at(app) == 755
        await pilot.press("right_curly_bracket")
        assert at(app) == 756
        await pilot.press("d")
        assert at(app) is None
        await pilot.press("apostrophe")
        assert at(app) == decided[-1]
        await pilot.press("apostrophe")
        assert at(app) == decided[-2]
        await pilot.press("semicolon")
        assert at(app) == decided[-1]


async def test_go_to_a_step_a_date_and_back(gateway: Gateway) -> None:
    """@ and J: what enter would do is said while one types, what is wrong too."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("at")
        assert on_top(app, GoToDialog)
        await pilot.press(*"119")
        await pilot.pause()
        assert "shows step 119, 2008-06-23" in screen_text(app)
        await pilot.press("enter")
        assert at(app) == 120
        await pilot.press("J")
        await pilot.press(*"-10", "enter")
        assert at(app) == 110
        await pilot.press("J")
        await pilot.press(*"2009-01-01", "enter")
        assert at(app) == 254
        await shows(app, pilot, 254)
        assert "2009-01-02" in screen_text(app)
        await pilot.press("at", *"9999", "enter")
        assert on_top(app, GoToDialog)
        said = str(app.screen.query_one("#go-to-said", Static).content)
        assert "there is no step 9999; the last is 756" in said
        await pilot.press("escape")
        assert at(app) == 254


async def test_digits_typed_at_once_after_the_prompts_key_are_the_step(gateway: Gateway) -> None:
    """They are not panels, though the prompt is not drawn yet."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        at_once(app, "at", "1", "2", "5")
        await until(pilot, lambda: text_in(app, GoToDialog, "#go-to") == "125")


async def test_a_click_in_a_chart_goes_there(gateway: Gateway) -> None:
    """Both charts: the whole screen shows that step."""
    run_id = by_name(gateway, "trend apple")
    for panel in ("1", "2"):
        async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
            await ready(app, pilot)
            await pilot.press(panel)
            await pilot.click("#price" if panel == "1" else "#equity", offset=(30, 8))
            await until(pilot, lambda: at(app) is not None)
            await shows(app, pilot, at(app) or 0)
            assert 200 < (at(app) or 0) < 500


async def test_a_finished_run_replays(gateway: Gateway) -> None:
    """space plays the past on to now, and holds it; + and - change how fast."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        run_screen(app).look_at(740)
        await pilot.press("+", "space")
        assert "replay 20 steps/s" in screen_text(app)
        await until(pilot, lambda: (at(app) or 0) > 741)
        await pilot.press("space")
        held = at(app)
        await pilot.pause(0.2)
        assert at(app) == held
        await pilot.press("+", "+", "+", "space")
        await until(pilot, lambda: at(app) is None)


async def test_a_live_run_goes_on_while_one_looks_back(gateway: Gateway) -> None:
    """The banner counts on, the moment stays; keys that decide are off until one is back at now."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "step 10/" in screen_text(app))
        await pilot.press("comma", "comma")
        await shows(app, pilot, 9)
        await pilot.press("b", "h", "c")
        assert on_top(app, RunScreen)
        gateway.step(run_id, 4)
        await until(pilot, lambda: "step 8/124 (now: 14)  " in screen_text(app))
        assert at(app) == 9
        await pilot.press("full_stop")
        assert at(app) == 10
        assert gateway.record(run_id).step_index == 15


async def test_orders_stand_as_they_stood(gateway: Gateway) -> None:
    """An order that is filled now rests while one looks at the time before."""
    run_id = manual(gateway)
    from engine.model import Decision, Order

    gateway.submit(run_id, 0, Decision((Order.buy("AAPL", 10, limit=170.0, time_in_force="gtc"),)))
    gateway.step(run_id, 20)
    filled = gateway.reader().fills(run_id)[0].step_index
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("4")
        assert "filled" in rows(app, "orders")[0][-1]
        run_screen(app).look_at(filled)
        await until(pilot, lambda: "resting" in rows(app, "orders")[0][-1])
        await pilot.press("1")
        await until(pilot, lambda: "buy limit 10 @ 170.00" in screen_text(app))
        await pilot.press("full_stop")
        await until(pilot, lambda: "filled" in rows(app, "orders")[0][-1])


async def test_the_list_keeps_its_end_key_while_now_is_shown(gateway: Gateway) -> None:
    """end is back to now in the past, and the last row otherwise."""
    run_id = by_name(gateway, "top five")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("4", "end")
        table = run_screen(app).query_one("#orders", DeckTable)
        assert table.cursor_index == len(table.rows) - 1
        await pilot.press("comma", "end")
        assert at(app) is None


async def test_bars_that_are_gone_leave_the_rows(gateway: Gateway, tmp_path: object) -> None:
    """Without bars one still looks back over what the ledger holds."""
    from pathlib import Path

    bars = Path(str(tmp_path)) / "AAA.csv"
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"2024-01-{day:02d},10,11,9,10.5,100" for day in (2, 3, 4, 5, 8, 9)]
    bars.write_text("\n".join(lines), "utf-8")
    run_id = create(gateway, "buy_and_hold", source=f"csv:{bars}")
    reach(gateway, run_id, "completed")
    gateway.settle(20)
    bars.unlink()
    gateway.close()
    again = Gateway.open(gateway.path, app=True)
    async with deck(again, (80, 24), run_id=run_id) as (app, pilot):
        await until(pilot, lambda: "No bars" in screen_text(app))
        await pilot.press("comma", "comma")
        await shows(app, pilot, 4)
        assert "◀ past  buy_and_hold  step 3/5  " in screen_text(app)
    again.close()


@pytest.mark.parametrize("key", ["z"])
async def test_z_shows_times_in_utc(gateway: Gateway, key: str) -> None:
    """Of hourly bars the zone is seen in head, charts and decisions; z turns it around."""
    run_id = create(gateway, "buy_and_hold", source="synthetic:bars=30,seed=1", timeframe="1Hour")
    reach(gateway, run_id, "completed")
    gateway.settle(20)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        assert "UTC" not in screen_text(app).splitlines()[0]
        await pilot.press(key)
        await until(pilot, lambda: "UTC" in screen_text(app).splitlines()[0])
        await pilot.press("comma")
        await until(pilot, lambda: re.match(r" ◀ past .* UTC ", screen_text(app)))
        await pilot.press(key)
        await until(pilot, lambda: "UTC" not in screen_text(app))
