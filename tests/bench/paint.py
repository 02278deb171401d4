"""What a tick of the screen costs: new values in, bytes for the terminal out.

    python -m tests.bench.paint

Each figure is the time from new values to the finished bytes of a frame (diff, lines, styles,
compositor, escape sequences), at 160 x 50, without a terminal to write to. A frame is 16 ms.
Nothing is asserted: times wobble with the machine, which is printed too.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import count

import numpy as np
from textual._compositor import CompositorUpdate
from textual.app import App, ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from tui import format as show
from tui.theme import DARK
from tui.widgets.curve import CurveChart, Curves, Series
from tui.widgets.price import PriceChart, PriceView
from tui.widgets.scale import Floats
from tui.widgets.spark import progress_bar, spark
from tui.widgets.table import Cell, Column, DeckTable, Row

SIZE = (160, 50)
TICKS = 60
COLUMNS = (
    Column("status", "status", 13),
    Column("name", "name", 12, flexible=True),
    Column("strategy", "strategy", 14),
    Column("symbols", "symbols", 14),
    Column("progress", "progress", 12),
    Column("steps", "steps", 11, "right"),
    Column("rate", "steps/s", 8, "right"),
    Column("equity", "equity", 12, "right"),
    Column("return", "return", 9, "right"),
    Column("drawdown", "max dd", 8, "right"),
    Column("spark", "equity", 12),
    Column("age", "age", 4, "right"),
)


class PaintApp(App[None]):
    """One widget, and what a real driver would be sent."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.sent = 0

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.theme = DARK.name

    def _display(self, screen: Screen[object], renderable: object) -> None:
        # A headless app stops before the escape sequences; they are part of the cost.
        if isinstance(renderable, CompositorUpdate):
            self.sent += len(renderable.render_segments(self.console))

    def paint(self) -> None:
        """What Textual does at the end of a tick, at once instead of at the next timer."""
        self.screen._compositor.update_widgets({self.widget})
        self.screen._compositor_refresh()


async def measure(name: str, widget: Widget, tick: Callable[[], object]) -> None:
    """Print the median and the 95th percentile of a tick, and the bytes it sends."""
    app = PaintApp(widget)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        tick()
        app.paint()
        app.sent = 0
        times = []
        for _ in range(TICKS):
            start = time.perf_counter()
            tick()
            app.paint()
            times.append((time.perf_counter() - start) * 1000)
        p95 = statistics.quantiles(times, n=20)[-1]
        print(
            f"{name:<58} p50 {statistics.median(times):6.2f} ms   p95 {p95:6.2f} ms   "
            f"{app.sent / TICKS / 1000:6.1f} kB"
        )


def run_row(index: int, tick: int) -> Row:
    """A row of the runs screen as it stands at a tick."""
    share = (index * 37 + tick * 3) % 1000 / 1000
    change = ((index * 17 + tick) % 200 - 100) / 1000
    look = show.status_look("running")
    shape = spark([(index * k + tick) % 7 for k in range(12)], 12)
    return Row(
        f"run{index}",
        (
            Cell(look.text, look.role),
            Cell(f"run number {index}"),
            Cell("sma_cross"),
            Cell("AAPL MSFT NVDA"),
            Cell(progress_bar(share, 12), "accent"),
            Cell(f"{share * 1750:,.0f}/1,750"),
            Cell(show.rate(share * 1e5)),
            Cell(show.money(100_000 * (1 + change))),
            Cell(show.percent(change), show.gain_role(change)),
            Cell(show.percent(-abs(change)), "loss"),
            Cell(shape, "line"),
            Cell("3m", "muted"),
        ),
    )


def table_tick(rows: int, live: int) -> tuple[DeckTable, Callable[[], object]]:
    """A table of ``rows`` of which ``live`` visible ones change at every tick."""
    table = DeckTable(COLUMNS, marks=True)
    still = [run_row(index, 0) for index in range(rows)]
    ticks = count()

    def tick() -> None:
        now = next(ticks)
        table.set_rows([run_row(index, now) for index in range(live)] + still[live:])

    return table, tick


def walk(steps: int, seed: int) -> Floats:
    """A random equity curve."""
    rng = np.random.default_rng(seed)
    curve: Floats = 100_000 * np.exp(np.cumsum(rng.normal(0, 0.003, steps)))
    return curve


def curve_tick(steps: int) -> tuple[CurveChart, Callable[[], object]]:
    """A curve with its baseline and drawdown that grows by a batch at every tick."""
    chart = CurveChart()
    equity, baseline = walk(steps, 1), walk(steps, 2)
    stamps = 1_735_828_200_000_000 + 3_600_000_000 * np.arange(steps, dtype=np.int64)
    at = np.arange(steps)
    ends: Iterator[int] = (steps // 2 + (tick * steps // (2 * TICKS + 4)) for tick in count())

    def tick() -> None:
        end = next(ends)
        series = (
            Series("equity", at[:end], equity[:end]),
            Series("buy and hold", at[:end], baseline[:end], "baseline", dotted=True),
        )
        chart.show(Curves(series, stamps[:end], steps, 100_000.0))

    return chart, tick


def price_tick(steps: int) -> tuple[PriceChart, Callable[[], object]]:
    """Candles of a symbol that grow by a batch at every tick."""
    chart = PriceChart()
    close = walk(steps, 3) / 1000
    stamps = 1_735_828_200_000_000 + 3_600_000_000 * np.arange(steps, dtype=np.int64)
    ends: Iterator[int] = (steps // 2 + (tick * steps // (2 * TICKS + 4)) for tick in count())

    def tick() -> None:
        end = next(ends)
        part = close[:end]
        chart.show(
            PriceView(
                "AAPL", stamps[:end], part * 0.999, part * 1.004, part * 0.996, part, part * 1e4
            )
        )

    return chart, tick


async def measure_all() -> None:
    """Measure everything."""
    for rows, live in ((50, 8), (2000, 8), (2000, 49), (20_000, 8)):
        table, tick = table_tick(rows, live)
        name = f"table, {rows:,} rows x 12 columns, {live} visible rows change"
        await measure(name, table, tick)
    for steps in (2_000, 100_000, 1_000_000):
        chart, tick = curve_tick(steps)
        await measure(f"curve, baseline and drawdown, {steps:,} steps", chart, tick)
    for steps in (2_000, 100_000):
        price, tick = price_tick(steps)
        await measure(f"candles with volume, {steps:,} bars", price, tick)


def main() -> None:
    """Print the machine, then a line for each figure."""
    print(
        f"python {platform.python_version()}, textual {version('textual')}, "
        f"{os.cpu_count()} cores, {platform.machine()}, {SIZE[0]} x {SIZE[1]} cells"
    )
    asyncio.run(measure_all())


if __name__ == "__main__":
    main()
