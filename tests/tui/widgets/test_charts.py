"""The charts as widgets: cursor, mouse, zoom, and how little is painted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from textual import events
from textual.app import App, ComposeResult
from textual.message import Message

from tests.tui.widgets.kit import curves, view
from tui.widgets.chart import Chart
from tui.widgets.curve import CurveChart, Curves, Series
from tui.widgets.price import PriceChart

SIZE = (100, 30)


class ChartApp(App[None]):
    """One chart, and what it posted."""

    def __init__(self, chart: Chart) -> None:
        super().__init__()
        self.chart = chart
        self.heard: list[Message] = []

    def newest(self) -> Message:
        """What it posted last."""
        return self.heard[-1]

    def compose(self) -> ComposeResult:
        yield self.chart

    def on_chart_chosen(self, message: Chart.Chosen) -> None:
        self.heard.append(message)

    def on_chart_pointed(self, message: Chart.Pointed) -> None:
        self.heard.append(message)


def screen(chart: Chart) -> str:
    """What the chart shows."""
    return "\n".join(chart.render_line(y).text for y in range(chart.size.height))


def cursor_of(chart: Chart) -> int | None:
    """The chart's cursor as it is now."""
    return chart.cursor


def bars_of(chart: PriceChart) -> int | None:
    """How many bars are shown, None for all."""
    return chart.bars


async def test_an_empty_chart_says_what_would_be_there() -> None:
    """Nothing to show is a sentence, before and after there was something."""
    chart = CurveChart(empty="No equity yet\nThe first step settles it")
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert "No equity yet" in screen(chart)
        chart.show(curves())
        assert "No equity yet" not in screen(chart)
        chart.show(None)
        assert "The first step settles it" in screen(chart)
        chart.set_empty("Nothing")
        assert "Nothing" in screen(chart)


async def test_the_same_again_paints_nothing() -> None:
    """Only lines that came out different are painted; a new value at the end paints few."""
    chart = CurveChart()
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.pause()
        assert chart.show(curves(200, 400)) == SIZE[1]
        assert chart.show(curves(200, 400)) == 0
        steps = np.arange(201)
        flat = np.full(201, 100_000.0)
        first = Curves((Series("equity", steps[:-1], flat[:-1]),), steps[:-1], 400, 100_000.0)
        then = Curves((Series("equity", steps, flat),), steps, 400, 100_000.0)
        chart.show(first)
        assert 0 < chart.show(then) <= 4


async def test_the_mouse_reads_values_and_a_click_chooses() -> None:
    """Pointing shows the step's values and posts it, leaving takes them away, a click chooses."""
    chart = CurveChart()
    app = ChartApp(chart)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.show(curves(200, 400))
        await pilot.hover(CurveChart, offset=(20, 10))
        await pilot.pause()
        step = chart.cursor
        assert step is not None
        assert abs(step - 20 * chart.steps_per_column) <= chart.steps_per_column
        assert app.newest() == Chart.Pointed(chart, step)
        assert f"step {step}" in screen(chart).splitlines()[0]
        await pilot.click(CurveChart, offset=(20, 10))
        await pilot.pause()
        assert app.newest() == Chart.Chosen(chart, step)
        count = len(app.heard)
        await pilot.hover(CurveChart, offset=(80, 12))
        await pilot.pause()
        assert cursor_of(chart) is None
        await pilot.click(CurveChart, offset=(80, 12))
        await pilot.pause()
        assert not any(isinstance(one, Chart.Chosen) for one in app.heard[count:])


async def test_dragging_and_the_wheel_move_the_window() -> None:
    """The wheel zooms about the newest bars, a drag shows earlier ones and chooses nothing."""
    chart = PriceChart()
    app = ChartApp(chart)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.show(view(600))
        await pilot._post_mouse_events(
            [events.MouseScrollUp], PriceChart, offset=(40, 10), button=0
        )
        assert bars_of(chart) == 480
        await pilot.mouse_down(PriceChart, offset=(20, 10))
        await pilot.hover(PriceChart, offset=(20, 10))
        app.screen._forward_event(move(app, 40))
        await pilot.mouse_up(PriceChart, offset=(40, 10))
        await pilot.pause()
        assert chart.stop is not None
        assert chart.stop < 600
        assert not any(isinstance(one, Chart.Chosen) for one in app.heard)
        chart.pan(20)
        assert stop_of(chart) is None


def move(app: App[None], x: int) -> events.MouseMove:
    """The mouse at a column with its first button held."""
    return events.MouseMove(
        app.screen, x, 10, 20, 0, 1, False, False, False, screen_x=x, screen_y=10
    )


def stop_of(chart: PriceChart) -> int | None:
    """Where the window ends, None for the newest."""
    return chart.stop


async def test_drawdown_and_ascii_can_be_switched() -> None:
    """Both take effect at once."""
    chart = CurveChart()
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.show(curves())
        assert "0%" in screen(chart)
        chart.drawdown = False
        assert " 0%" not in screen(chart)
        chart.ascii = True
        assert screen(chart).isascii()


async def test_zoom() -> None:
    """In halves the bars shown, out goes back to all of them; the cursor stays in the window."""
    chart = PriceChart()
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.zoom(2)
        assert bars_of(chart) is None
        chart.show(view(600))
        assert "bars a column" in screen(chart)
        chart.zoom(2)
        assert bars_of(chart) == 300
        for _ in range(9):
            chart.zoom(2)
        assert bars_of(chart) == 10
        chart.cursor = 100
        assert "│" in screen(chart)
        for _ in range(9):
            chart.zoom(0.5)
        assert bars_of(chart) is None


async def test_a_click_on_a_candle() -> None:
    """The price chart answers with a step too."""
    chart = PriceChart()
    app = ChartApp(chart)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.show(view(60))
        await pilot.click(PriceChart, offset=(40, 10))
        await pilot.pause()
        chosen = app.newest()
        assert isinstance(chosen, Chart.Chosen)
        assert 0 <= chosen.step < 60


async def test_a_view_that_does_not_ask_for_all_shows_bars_apart() -> None:
    """A moving run's newest bars stand side by side; earlier ones are a pan away."""
    chart = PriceChart()
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.show(replace(view(600), whole=False))
        assert "bars a column" not in screen(chart)
        newest = screen(chart).splitlines()[-1]
        chart.pan(-1)
        assert screen(chart).splitlines()[-1] != newest
        chart.show(replace(view(100), whole=False))
        assert stop_of(chart) is None


async def test_charts_follow_the_window() -> None:
    """After a resize every line has the new width."""
    for chart in (CurveChart(), PriceChart()):
        async with ChartApp(chart).run_test(size=SIZE) as pilot:
            await pilot.pause()
            if isinstance(chart, CurveChart):
                chart.show(curves())
            else:
                chart.show(view())
            for width, height in ((160, 50), (12, 3), (60, 18)):
                await pilot.resize_terminal(width, height)
                await pilot.pause()
                assert chart.size == (width, height)
                for y in range(height):
                    assert chart.render_line(y).cell_length == width


async def test_a_theme_change_repaints() -> None:
    """Colours are the theme's in force."""
    chart = CurveChart()
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.show(curves())
        before = chart.render_line(10)
        pilot.app.theme = "textual-light"
        await pilot.pause()
        assert chart.render_line(10) != before
