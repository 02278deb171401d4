"""The charts as widgets: cursor, mouse, zoom, and how little is painted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from textual import events
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot

from tests.tui.widgets.kit import curves, view
from tui.widgets.chart import Chart
from tui.widgets.curve import CurveChart, Curves, Series
from tui.widgets.price import PriceChart
from tui.widgets.window import UNZOOMED, Zoom

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

    def on_chart_zoomed(self, message: Chart.Zoomed) -> None:
        self.heard.append(message)


def screen(chart: Chart) -> str:
    """What the chart shows."""
    return "\n".join(chart.render_line(y).text for y in range(chart.size.height))


def cursor_of(chart: Chart) -> int | None:
    """The chart's cursor as it is now."""
    return chart.cursor


def bars_of(chart: Chart) -> int | None:
    """How many bars were chosen to be shown, None for as many as the chart chooses."""
    return chart.zoom.bars


def shown_by(chart: Chart) -> tuple[int, int]:
    """The steps in sight: the first one, and the one before which they end."""
    assert chart._picture is not None
    window = chart._picture.window
    return window.start, window.stop


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
        assert abs(step - 20 * 400 / 91) <= 400 / 91
        assert app.newest() == Chart.Pointed(chart, step)
        assert f"step {step} " in screen(chart).splitlines()[0]
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


def both() -> Iterator[Chart]:
    """A chart of each kind, to be filled once it is on a screen."""
    yield PriceChart()
    yield CurveChart()


def fill(chart: Chart, count: int) -> None:
    """Give a chart so many steps."""
    if isinstance(chart, PriceChart):
        chart.show(view(count))
    elif isinstance(chart, CurveChart):
        chart.show(curves(count))


async def turn(pilot: Pilot[None], kind: type[events.MouseEvent], x: int, times: int = 1) -> None:
    """Turn the wheel over a column."""
    for _ in range(times):
        await pilot._post_mouse_events([kind], Chart, offset=(x, 10), button=0)
    await pilot.pause()


async def test_dragging_moves_what_was_grabbed_with_the_mouse() -> None:
    """In either chart the step under the mouse stays under it, and no moment is chosen."""
    for chart in both():
        app = ChartApp(chart)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause()
            fill(chart, 600)
            await turn(pilot, events.MouseScrollUp, 40, 6)
            first = chart.step_at(20)
            assert first is not None
            await pilot.mouse_down(Chart, offset=(20, 10))
            for x in (27, 36, 52):
                app.screen._forward_event(move(app, x))
            await pilot.pause()
            at = chart.step_at(52)
            await pilot.mouse_up(Chart, offset=(52, 10))
            await pilot.pause()
            assert at is not None
            assert abs(at - first) <= 2
            assert not any(isinstance(one, Chart.Chosen) for one in app.heard)
            assert isinstance(app.heard[-1], Chart.Zoomed | Chart.Pointed)
            chart.pan(20)
            assert stop_of(chart) is None


async def test_the_wheel_zooms_about_the_mouse() -> None:
    """In either chart what is pointed at stays; with shift the wheel pans."""
    for chart in both():
        app = ChartApp(chart)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause()
            fill(chart, 600)
            there = chart.step_at(40)
            assert there is not None
            await turn(pilot, events.MouseScrollUp, 40)
            assert bars_of(chart) == 480
            assert any(isinstance(one, Chart.Zoomed) for one in app.heard)
            await turn(pilot, events.MouseScrollUp, 40, 5)
            now = chart.step_at(40)
            assert now is not None
            assert abs(now - there) <= 600 / 91 + 1
            begin = shown_by(chart)[0]
            await turn(pilot, events.MouseScrollLeft, 40)
            assert shown_by(chart)[0] < begin
            await turn(pilot, events.MouseScrollRight, 40)
            assert shown_by(chart)[0] == begin
            await turn(pilot, events.MouseScrollDown, 40, 30)
            assert shown_by(chart) == (0, 600)


async def test_a_fixed_chart_stays() -> None:
    """The preview reads values, and neither zooms nor pans."""
    chart = CurveChart(fixed=True)
    app = ChartApp(chart)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.show(curves(600))
        await turn(pilot, events.MouseScrollUp, 40, 3)
        await pilot.mouse_down(Chart, offset=(20, 10))
        app.screen._forward_event(move(app, 60))
        await pilot.mouse_up(Chart, offset=(60, 10))
        assert chart.zoom == UNZOOMED
        await pilot.hover(Chart, offset=(30, 10))
        await pilot.pause()
        assert chart.cursor is not None


def move(app: App[None], x: int) -> events.MouseMove:
    """The mouse at a column with its first button held."""
    return events.MouseMove(
        app.screen, x, 10, 20, 0, 1, False, False, False, screen_x=x, screen_y=10
    )


def stop_of(chart: Chart) -> int | None:
    """Where the window ends, None for the newest."""
    return chart.zoom.stop


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
    """In halves the bars shown, out goes back to all of them; the plot is never half empty."""
    for chart in both():
        async with ChartApp(chart).run_test(size=SIZE) as pilot:
            await pilot.pause()
            chart.zoom_by(2)
            assert bars_of(chart) is None
            fill(chart, 600)
            chart.zoom_by(2)
            assert shown_by(chart) == (300, 600)
            for _ in range(9):
                chart.zoom_by(2)
            start, stop = shown_by(chart)
            assert (stop - start, stop) == (22, 600)
            chart.cursor = 100
            assert "│" in screen(chart)
            chart.cursor = None
            for _ in range(9):
                chart.zoom_by(0.5)
            assert shown_by(chart) == (0, 600)


async def test_a_zoomed_curve_fills_its_height() -> None:
    """The value axis is of what is in sight; the newest value out of it says where it is."""
    chart = CurveChart()
    steps = np.arange(400)
    values = np.where(steps < 200, 100_000.0 + steps, 900_000.0)
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.show(Curves((Series("equity", steps, values),), np.empty(0, np.int64)))
        chart.zoom = Zoom(100, 150)
        lines = [line[:90] for line in screen(chart).splitlines()[1:-6]]
        assert all(any(0x2800 < ord(c) < 0x2900 for c in line) for line in lines[2:-2])
        assert "↑900.00k" in screen(chart)


async def test_a_moment_before_the_window_lets_it_go() -> None:
    """Looking back to before what was panned to shows the newest of that moment."""
    for chart in both():
        async with ChartApp(chart).run_test(size=SIZE) as pilot:
            await pilot.pause()
            fill(chart, 600)
            chart.zoom = Zoom(50, 300)
            fill(chart, 400)
            assert shown_by(chart) == (250, 300)
            fill(chart, 200)
            assert shown_by(chart) == (150, 200)


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


async def test_no_frame_is_of_another_size() -> None:
    """A chart that is painted before it heard of its new size is drawn for that size."""
    chart = CurveChart()
    async with ChartApp(chart).run_test(size=SIZE) as pilot:
        await pilot.pause()
        chart.show(curves())
        told = chart.on_resize
        chart.on_resize = lambda: None  # type: ignore[method-assign]
        await pilot.resize_terminal(60, 12)
        await pilot.pause()
        assert chart.render_line(0).cell_length == 60
        assert "Jan" in chart.render_line(11).text
        told()


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
