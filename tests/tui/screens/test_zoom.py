"""One window of time for the charts of a run, by key and by mouse; the cursor of a comparison."""

from __future__ import annotations

import pytest
from textual import events
from textual.pilot import Pilot

from tests.tui.screens.kit import deck, on_top, screen_text, until
from tests.tui.screens.test_compare_screen import compare
from tests.tui.screens.test_run_screen import by_name, ready, run_screen
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.compare import CompareScreen
from tui.screens.run import RunScreen
from tui.widgets.chart import Chart
from tui.widgets.window import UNZOOMED


def shown_by(chart: Chart) -> tuple[int, int]:
    """The steps in sight: the first one, and the one before which they end."""
    assert chart._picture is not None
    window = chart._picture.window
    return window.start, window.stop


def shown(app: StepdeckApp) -> tuple[int, int]:
    """The steps that both charts of the run show; they show the same."""
    area = run_screen(app).area
    assert area.price.zoom == area.equity.zoom
    assert shown_by(area.price) == shown_by(area.equity)
    return shown_by(area.price)


def shown_at(chart: Chart) -> int | None:
    """The step whose values a chart tells, None for the newest."""
    return chart.cursor


async def wheel(pilot: Pilot[None], chart: Chart, x: int) -> None:
    """Turn the wheel up over a column of a chart."""
    await pilot._post_mouse_events([events.MouseScrollUp], chart, offset=(x, 6), button=0)
    await pilot.pause()


async def test_price_and_equity_share_a_window(gateway: Gateway) -> None:
    """The keys and the wheel over either chart move both; Z shows all as it was."""
    async with deck(gateway, (120, 36), run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        area = run_screen(app).area
        assert shown(app) == (0, 757)
        assert run_screen(app).allows("unzoom") is None
        await pilot.press("I")
        assert shown(app) == (757 - 505, 757)
        await pilot.press("shift+left")
        assert shown(app) == (0, 505)
        await pilot.press("M")
        assert shown(app) == (252, 757)
        for chart in (area.equity, area.price):
            before = shown(app)
            await wheel(pilot, chart, 20)
            await until(pilot, lambda: area.price.zoom == area.equity.zoom)
            start, stop = shown(app)
            assert stop - start < before[1] - before[0]
            assert start > before[0]
        assert run_screen(app).allows("unzoom") is True
        await pilot.press("Z")
        assert shown(app) == (0, 757)
        assert area.equity.zoom == UNZOOMED


async def test_the_window_stays_in_a_small_screen(gateway: Gateway) -> None:
    """One panel at a time: what the equity was zoomed to is what the price shows."""
    async with deck(gateway, (80, 24), run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        area = run_screen(app).area
        await pilot.press("2", "I", "I", "H")
        there = shown_by(area.equity)
        assert there[1] < 757
        await pilot.press("1")
        await until(pilot, lambda: area.price._picture)
        assert shown(app) == there


async def test_a_moment_stands_in_one_column(gateway: Gateway) -> None:
    """Price above equity: whatever their values, a moment is in the same column of both."""
    async with deck(gateway, (160, 50), run_id=by_name(gateway, "top five")) as (app, pilot):
        await ready(app, pilot)
        area = run_screen(app).area
        await until(pilot, lambda: area.price._picture and area.equity._picture)
        for _ in range(len(area.symbols)):
            price, equity = area.price._picture, area.equity._picture
            assert equity is not None
            if price is not None:
                assert price.columns == equity.columns
                assert price.window.column_of(300) == equity.window.column_of(300)
            else:
                # Not traded yet: the equity is what the keys zoom.
                await pilot.press("I")
                assert shown_by(area.equity) == (252, 757)
                await pilot.press("Z")
            await pilot.press("n")
            await pilot.pause()


async def test_looking_back_keeps_the_window_or_goes_along(gateway: Gateway) -> None:
    """A moment after the window leaves it be; one before it is its new right end."""
    async with deck(gateway, (120, 36), run_id=by_name(gateway, "trend apple")) as (app, pilot):
        await ready(app, pilot)
        screen = run_screen(app)
        await pilot.press("I", "I", "I", "H")
        there = shown(app)
        screen.look_at(700)
        await until(pilot, lambda: screen.shown and screen.shown.record.step_index == 700)
        assert shown(app) == there
        screen.look_at(200)
        await until(pilot, lambda: screen.shown and screen.shown.record.step_index == 200)
        assert shown(app)[1] == 200


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_the_cursor_reads_every_curve(gateway: Gateway, size: tuple[int, int]) -> None:
    """Pointing at a moment tells equity, its drawdown and the baseline there."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, size, run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("2")
        area = run_screen(app).area
        await pilot.hover("#equity", offset=(30, 5))
        await until(pilot, lambda: area.equity.cursor is not None)
        step = area.equity.cursor
        assert step is not None
        assert area.price.cursor == step
        detail = gateway.detail(run_id)
        peak = max(detail.record.initial_cash, float(detail.equity[: step + 1].max()))
        assert detail.baseline is not None
        text = screen_text(app)
        assert f"equity {detail.equity[step]:,.2f}" in text
        assert f"DD {(detail.equity[step] / peak - 1) * 100:+.2f}%".replace("+0.00", "0.00") in text
        assert f"buy and hold {detail.baseline[1][step]:,.2f}" in text


async def test_the_cursor_of_a_comparison(gateway: Gateway) -> None:
    """Keys and clicks set it, esc takes it away first; enter opens the run there."""
    async with deck(gateway, (120, 36)) as (app, pilot):
        screen = await compare(app, pilot, gateway, "dip buyer", "top five")
        chart = screen.chart
        assert chart.count == 757
        await pilot.press("less_than_sign", "comma")
        assert screen._cursor == 745
        await pilot.press("full_stop")
        assert shown_at(chart) == 746
        await pilot.click(chart, offset=(30, 5))
        await until(pilot, lambda: screen._cursor != 746)
        there = screen._cursor
        assert there is not None
        assert "Open there" in screen_text(app)
        # The mouse reads other values and leaves the cursor where it was set.
        await pilot.hover(chart, offset=(50, 5))
        await until(pilot, lambda: chart.cursor != there)
        await pilot.hover("#figures-compared", offset=(5, 5))
        await until(pilot, lambda: chart.cursor == there)
        await pilot.press("I", "I")
        start, stop = shown_by(chart)
        assert start < there < stop
        assert stop - start < 400
        await pilot.press("enter")
        await until(pilot, lambda: on_top(app, RunScreen))
        assert run_screen(app).at == there + 1
        await pilot.press("escape")
        await until(pilot, lambda: on_top(app, CompareScreen))
        await pilot.press("escape")
        assert on_top(app, CompareScreen)
        assert shown_at(chart) is None
        await pilot.press("Z")
        assert shown_by(chart) == (0, 757)
        await pilot.press("escape")
        await until(pilot, lambda: not on_top(app, CompareScreen))
