"""What the strategy saw, the picker of indicators, copying and exporting from a run."""

from __future__ import annotations

from datetime import UTC

import pytest
from textual.widgets import Input

from tests.tui.screens.kit import deck, on_top, screen_text, until
from tests.tui.screens.test_looking_back import at, shows
from tests.tui.screens.test_run_screen import by_name, manual, ready, rows, run_screen
from tui.gateway import Gateway
from tui.screens.indicators import IndicatorsDialog
from tui.screens.run import RunScreen
from tui.screens.seen import SeenDialog
from tui.viewmodel.seen import seen
from tui.widgets.price import PriceChart


async def test_the_observation_of_a_moment(gateway: Gateway) -> None:
    """i: bars, history, indicators, portfolio and the decision; its keys walk on and back."""
    run_id = by_name(gateway, "trend apple")
    decided = next(row for row in gateway.reader().steps(run_id) if "AAPL" in row.decision)
    async with deck(gateway, (160, 50), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        run_screen(app).look_at(decided.step_index + 1)
        await shows(app, pilot, decided.step_index + 1)
        await pilot.press("i")
        assert on_top(app, SeenDialog)
        await until(
            pilot, lambda: f"What was seen at step {decided.step_index}" in screen_text(app)
        )
        text = screen_text(app)
        for said in ("AAPL →", "History of AAPL", "sma(10)", "Portfolio", "cash"):
            assert said in text, said
        await pilot.press("comma")
        await until(
            pilot, lambda: f"What was seen at step {decided.step_index - 1}" in screen_text(app)
        )
        await pilot.press("escape")
        assert on_top(app, RunScreen)
        assert at(app) == decided.step_index


async def test_an_exception_shows_file_line_and_what_was_seen(gateway: Gateway) -> None:
    """A failed run says where it failed, and i what it had before it."""
    async with deck(gateway, (80, 24), run_id=by_name(gateway, "has a bug")) as (app, pilot):
        await ready(app, pilot)
        await until(pilot, lambda: "i: what it saw" in screen_text(app))
        await pilot.press("i")
        await until(pilot, lambda: "broken.py:9, decide" in screen_text(app))
        text = screen_text(app)
        assert "ZeroDivisionError: float division by zero" in text
        assert "What was seen at step 6, 2008-01-10" in text
        assert "C 646.73" in text


def test_the_observation_without_bars_says_so(gateway: Gateway) -> None:
    """There is nothing to be replayed on, and no crash."""
    detail = gateway.detail(by_name(gateway, "trend apple"))
    groups = seen(detail, "AAPL", (), "$", UTC)
    assert groups[-1].facts[0].value == "its bars are gone"


async def test_indicators_are_picked_and_drawn(gateway: Gateway) -> None:
    """T, a function key and enter: the line over the price, the strip beneath it."""
    async with deck(gateway, (80, 24), run_id=by_name(gateway, "top five")) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("T")
        assert on_top(app, IndicatorsDialog)
        await pilot.press("f1", "f5")
        assert app.screen.query_one("#indicators", Input).value == "sma 20, rsi 14"
        await pilot.press("f1", "f2", "enter")
        await until(pilot, lambda: "SMA 50" in screen_text(app) and "RSI 14" in screen_text(app))
        await pilot.press("T")
        app.screen.query_one("#indicators", Input).value = "sma, nothing"
        await pilot.pause()
        assert "there is no 'nothing' to draw" in screen_text(app)
        await pilot.press("enter")
        assert on_top(app, IndicatorsDialog)
        app.screen.query_one("#indicators", Input).value = ""
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: "SMA" not in screen_text(app))
        await pilot.press("n")
        assert "SMA" not in screen_text(app)


async def test_zoom_and_pan(gateway: Gateway) -> None:
    """I O zoom, ( H and ) M pan; what is not shown is a key away."""
    async with deck(gateway, (80, 24), run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        chart = run_screen(app).query_one("#price", PriceChart)

        def shown() -> tuple[int, int]:
            assert chart._picture is not None
            return chart._picture.window.start, chart._picture.window.stop

        assert shown() == (0, 757)
        await pilot.press("I")
        start, stop = shown()
        assert stop == 757
        assert 250 < start < 260
        await pilot.press("left_parenthesis")
        assert shown()[1] < 757
        await pilot.press("H")
        assert shown()[0] == 0
        await pilot.press("right_parenthesis", "M")
        assert shown() == (start, 757)
        await pilot.press("O", "O")
        assert shown() == (0, 757)


async def test_copy_takes_the_row_one_stands_on(gateway: Gateway) -> None:
    """y in a list copies its row, elsewhere the run's id."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("y")
        assert app.clipboard == run_id
        await pilot.press("4", "y")
        assert app.clipboard == "\t".join(rows(app, "orders")[0])


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_buttons_that_do_not_fit_are_behind_more(
    gateway: Gateway, size: tuple[int, int]
) -> None:
    """Every action of the place can be reached by mouse: a button, the key bar or the palette."""
    async with deck(gateway, size, run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("comma")
        await until(pilot, lambda: "◀ past" in screen_text(app))
        lines = screen_text(app).splitlines()
        assert all(len(line.rstrip()) <= size[0] for line in lines)
        shown = [button for button in app.screen.query("ActionButton") if button.display]
        assert {str(button.id) for button in shown} >= {"run-play", "run-now", "run-look-back"}
        if size[0] < 100:
            await pilot.click("#palette")
            await until(pilot, lambda: "what do you want to do?" in screen_text(app))
            await pilot.press("escape")
        await pilot.click("#run-now")
        await until(pilot, lambda: at(app) is None)


async def test_a_long_name_does_not_hide_whose_turn_it_is(gateway: Gateway) -> None:
    """At 80 columns the name gives way, not the decision."""
    run_id = manual(gateway, name="a name that goes on and on and on, as names do at times")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        first = screen_text(app).splitlines()[0]
        assert "decision 0 is yours" in first
        assert "a name" in first
