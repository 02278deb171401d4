"""The price of one symbol: candles, its fills, resting orders, volume, one cursor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from textual.message import Message
from textual.reactive import reactive

from engine.model import Fill, OrderRecord
from tui import format as show
from tui.safe import cells, safe_line
from tui.widgets.candles import Merged, candle_cells, merge
from tui.widgets.chart import Chart
from tui.widgets.grid import Bools, Grid
from tui.widgets.raster import filled_from_bottom
from tui.widgets.roles import ROLE_INDEX
from tui.widgets.scale import (
    Floats,
    Span,
    Stamps,
    span_of,
    tick_text,
    time_labels,
    value_ticks,
)
from tui.widgets.spark import spark

if TYPE_CHECKING:
    from engine.sim.panel import Panel

SMALLEST: Final = (24, 6)
VOLUME_FROM: Final = 12  # lines of height below which the volume strip gives way
LEAST_BARS: Final = 10
REACH: Final = 0.35  # how far beyond the bars an order may stretch the axis, in its own height
RULE: Final = "┈"


@dataclass(frozen=True, eq=False)
class PriceView:
    """What the chart may see: the settled bars of one symbol, ``[n]`` by grid point, and no more.

    Prices and volume are NaN where the symbol has no bar. ``fills`` and ``orders`` (alive ones) are
    the symbol's; ``avg_cost`` that of the position held.
    """

    symbol: str
    stamps: Stamps
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    fills: tuple[Fill, ...] = ()
    orders: tuple[OrderRecord, ...] = ()
    zone: tzinfo = UTC
    avg_cost: float | None = None

    @classmethod
    def of(
        cls,
        panel: Panel,
        symbol: str,
        settled: int,
        fills: Iterable[Fill] = (),
        orders: Iterable[OrderRecord] = (),
        zone: tzinfo = UTC,
        avg_cost: float | None = None,
    ) -> PriceView:
        """The view of a symbol after ``settled`` grid points: later bars are cut off here."""
        index = panel.symbols.index(symbol)
        return cls(
            symbol,
            panel.stamps[:settled],
            panel.open[:settled, index],
            panel.high[:settled, index],
            panel.low[:settled, index],
            panel.close[:settled, index],
            panel.volume[:settled, index],
            tuple(fill for fill in fills if fill.symbol == symbol),
            tuple(
                order
                for order in orders
                if order.symbol == symbol and order.status in ("pending", "resting")
            ),
            zone,
            avg_cost,
        )


class Window(NamedTuple):
    """The grid points shown, how many share a column group, and how many columns a group takes."""

    start: int
    stop: int
    size: int
    slot: int


def window_of(count: int, bars: int | None, cursor: int | None, columns: int) -> Window:
    """Which of ``count`` grid points to show in ``columns``: the newest ``bars`` (None: all).

    A cursor outside draws the window to itself.
    """
    shown = count if bars is None else max(1, min(bars, count))
    stop = count
    if cursor is not None and cursor < stop - shown:
        stop = min(count, max(shown, cursor + shown // 2))
    start = stop - shown
    size = 1
    # Groups begin at multiples of their size, so a window may touch one more than it fills.
    while (stop - 1) // size - start // size + 1 > columns:
        size += 1
    slot = max(1, min(4, columns // max(1, (stop - 1) // size - start // size + 1)))
    return Window(start, stop, size, slot)


class Picture(NamedTuple):
    """A drawn chart with what a click needs: its plot's columns, its window and its groups."""

    grid: Grid
    columns: int
    window: Window
    bars: Merged

    def step_at(self, x: int) -> int | None:
        """The last grid point of the group at a column."""
        group = x // self.window.slot
        if not 0 <= x < self.columns or group >= len(self.bars.last):
            return None
        return int(self.bars.last[group])


class _Frame(NamedTuple):
    columns: int
    top: int
    rows: int
    volume: int
    axis: int


def draw_price(
    view: PriceView,
    width: int,
    height: int,
    *,
    cursor: int | None = None,
    bars: int | None = None,
    ascii: bool = False,  # noqa: A002 - the option's name
) -> Picture | None:
    """The chart in ``width`` x ``height`` cells; None where the symbol has no bar yet."""
    known = np.flatnonzero(np.isfinite(view.close))
    if not len(known):
        return None
    grid = Grid(width, height)
    count = len(view.close)
    tiny = width < SMALLEST[0] or height < SMALLEST[1]
    last = float(view.close[known[-1]])
    label = 0 if tiny else len(f"{last * 1.5:,.2f}") + 2
    columns = max(1, width - label - 1) if not tiny else max(1, width)
    window = window_of(count, bars, cursor, columns)
    merged = merge(
        view.open,
        view.high,
        view.low,
        view.close,
        view.volume,
        window.start,
        window.stop,
        window.size,
    )
    if tiny:
        _draw_tiny(grid, view, merged, last, ascii=ascii)
        return Picture(grid, columns, window, merged)
    strip = max(2, height // 7) if height >= VOLUME_FROM else 0
    frame = _Frame(columns, 1, height - 2 - strip, strip, height - 1)
    span = _span(view, merged)
    _draw_rules(grid, frame, span, ascii=ascii)
    _draw_levels(grid, frame, span, view, ascii=ascii)
    rose = _draw_candles(grid, frame, span, merged, window, ascii=ascii)
    _draw_fills(grid, frame, span, view, merged, window, ascii=ascii)
    if frame.volume:
        _draw_volume(grid, frame, merged, window, rose, ascii=ascii)
    _draw_axis(grid, frame, view, merged, window, ascii=ascii)
    _draw_last(grid, frame, span, view, last)
    if cursor is not None:
        _draw_cursor(grid, frame, merged, window, cursor, ascii=ascii)
    _draw_header(grid, view, cursor, window)
    return Picture(grid, columns, window, merged)


def _span(view: PriceView, merged: Merged) -> Span:
    """The bars' range, stretched to orders and the average cost where they are not far off."""
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(merged.close)
    if not seen.any():
        return Span(0.0, 1.0)
    low, high = float(np.min(merged.low[seen])), float(np.max(merged.high[seen]))
    reach = (high - low) * REACH
    for level in _levels(view):
        if low - reach <= level <= high + reach:
            low, high = min(low, level), max(high, level)
    return span_of(low, high, 0.06)


def _levels(view: PriceView) -> list[float]:
    levels = [price for order in view.orders for price in (order.limit_price, order.stop_price)]
    return [price for price in [*levels, view.avg_cost] if price is not None]


def _draw_tiny(grid: Grid, view: PriceView, merged: Merged, last: float, *, ascii: bool) -> None:  # noqa: A002
    if grid.height > 1:
        grid.put(0, 0, f"{safe_line(view.symbol)} {show.price(last)}", "strong")
    shape = spark([float(value) for value in merged.close], grid.width, ascii=ascii)
    grid.put(0, grid.height - 1, shape, "line")


def _draw_rules(grid: Grid, frame: _Frame, span: Span, *, ascii: bool) -> None:  # noqa: A002
    ticks, step = value_ticks(span, max(2, frame.rows // 4))
    for value in ticks:
        row = frame.top + span.row(value, frame.rows)
        grid.put(0, row, ("." if ascii else RULE) * frame.columns, "faint")
        grid.put(frame.columns + 1, row, tick_text(value, step, abs(span.high)), "muted")


def _draw_levels(
    grid: Grid,
    frame: _Frame,
    span: Span,
    view: PriceView,
    *,
    ascii: bool,  # noqa: A002
) -> None:
    """A broken line with its words for each price an order rests at, and for the average cost."""
    if view.avg_cost is not None:
        _draw_level(grid, frame, span, view.avg_cost, "avg cost", "accent", ascii=ascii)
    for order in view.orders:
        side = order.side or "target"
        size = show.quantity(order.quantity or order.requested_quantity)
        for price, word in ((order.limit_price, "limit"), (order.stop_price, "stop")):
            if price is not None:
                text = f"{side} {word} {size}"
                _draw_level(grid, frame, span, price, text, "attention", ascii=ascii)


def _draw_level(
    grid: Grid,
    frame: _Frame,
    span: Span,
    price: float,
    text: str,
    role: str,
    *,
    ascii: bool,  # noqa: A002
) -> None:
    words = f" {text} @ {show.price(price)} "
    row = frame.top + span.row(price, frame.rows)
    if span.holds(price):
        grid.put(0, row, ("-" if ascii else "╌") * frame.columns, role)
    else:
        up, down = ("^", "v") if ascii else ("↑", "↓")
        words = f" {up if price > span.high else down}{words}"
    if cells(words) < frame.columns:
        grid.put(1, row, words, role)


def _draw_candles(
    grid: Grid,
    frame: _Frame,
    span: Span,
    merged: Merged,
    window: Window,
    *,
    ascii: bool,  # noqa: A002
) -> Bools:
    codes, rose = candle_cells(merged, span, frame.rows, ascii=ascii)
    at = np.arange(codes.shape[1]) * window.slot + (window.slot - 1) // 2
    at = at[at < frame.columns]
    codes = codes[:, : len(at)]
    roles = np.where(rose[: len(at)], ROLE_INDEX["gain"], ROLE_INDEX["loss"])
    lines = slice(frame.top, frame.top + frame.rows)
    found = codes != ord(" ")
    grid.characters[lines, at] = np.where(found, codes, grid.characters[lines, at])
    grid.roles[lines, at] = np.where(found, roles, grid.roles[lines, at])
    return rose


def _group_column(group: int, window: Window) -> int:
    return group * window.slot + (window.slot - 1) // 2


def _draw_fills(
    grid: Grid,
    frame: _Frame,
    span: Span,
    view: PriceView,
    merged: Merged,
    window: Window,
    *,
    ascii: bool,  # noqa: A002
) -> None:
    """Buys point up from below their candle, sells down from above it."""
    buy, sell = ("^", "v") if ascii else ("▲", "▼")
    offset = window.start // window.size
    for fill in view.fills:
        if not window.start <= fill.step_index < window.stop:
            continue
        group = fill.step_index // window.size - offset
        bought = fill.side == "buy"
        edge = float(merged.low[group] if bought else merged.high[group])
        if not np.isfinite(edge):
            edge = fill.price
        row = span.row(edge, frame.rows) + (1 if bought else -1)
        row = frame.top + max(0, min(row, frame.rows - 1))
        grid.put(
            _group_column(group, window),
            row,
            buy if bought else sell,
            "strong" if ascii else "accent" if bought else "attention",
        )


def _draw_volume(
    grid: Grid,
    frame: _Frame,
    merged: Merged,
    window: Window,
    rose: Bools,
    *,
    ascii: bool,  # noqa: A002
) -> None:
    most = float(merged.volume.max())
    top = frame.top + frame.rows
    if most <= 0:
        return
    eighths = 1 if ascii else 8
    blocks = "#" if ascii else "▁▂▃▄▅▆▇█"
    mask = filled_from_bottom(
        np.where(merged.volume > 0, merged.volume / most, np.nan) * frame.volume * eighths,
        frame.volume * eighths,
    )
    filled = mask.reshape(frame.volume, eighths, -1).sum(axis=1)
    at = [_group_column(group, window) for group in range(filled.shape[1])]
    for group, column in enumerate(at):
        role = "gain" if rose[group] else "loss"
        for line in range(frame.volume):
            if filled[line, group]:
                grid.put(column, top + line, blocks[int(filled[line, group]) - 1], role)
    grid.put(frame.columns + 1, top, show.short_money(most), "muted")
    grid.put(frame.columns + 1, top + frame.volume - 1, "vol", "muted")


def _draw_axis(
    grid: Grid,
    frame: _Frame,
    view: PriceView,
    merged: Merged,
    window: Window,
    *,
    ascii: bool,  # noqa: A002
) -> None:
    stamps = np.full(frame.columns, -1, np.int64)
    at = np.arange(len(merged.first)) * window.slot
    inside = at < frame.columns
    group_stamps = view.stamps[merged.first]
    for offset in range(window.slot):
        places = at[inside] + offset
        fits = places < frame.columns
        stamps[places[fits]] = group_stamps[inside][fits]
    for label in time_labels(stamps, view.zone):
        if label.column + cells(label.text) <= frame.columns:
            grid.put(label.column, frame.axis, label.text, "muted")
    for row in range(frame.top, frame.top + frame.rows + frame.volume):
        grid.put(frame.columns, row, "|" if ascii else "│", "faint")


def _draw_last(grid: Grid, frame: _Frame, span: Span, view: PriceView, last: float) -> None:
    """The last close as a tag on the axis."""
    change = _change(view, len(view.close) - 1)
    row = frame.top + span.row(last, frame.rows)
    text = f" {show.price(last)} "
    role = {"gain": "gain", "loss": "loss"}.get(show.gain_role(change), "text")
    grid.put(frame.columns, row, text.ljust(grid.width - frame.columns), role, "tag")


def _change(view: PriceView, step: int) -> float | None:
    """The change of the close from the bar before, as a fraction."""
    known = np.flatnonzero(np.isfinite(view.close[: step + 1]))
    if len(known) < 2:
        return None
    before, after = (float(value) for value in view.close[known[-2:]])
    return after / before - 1


def _draw_cursor(
    grid: Grid,
    frame: _Frame,
    merged: Merged,
    window: Window,
    cursor: int,
    *,
    ascii: bool,  # noqa: A002
) -> None:
    group = cursor // window.size - window.start // window.size
    if not 0 <= group < len(merged.close):
        return
    column = _group_column(group, window)
    bottom = frame.top + frame.rows + frame.volume
    grid.shade(column, frame.top, bottom)
    blank = {ord(c) for c in (" .-" if ascii else f" {RULE}╌")}
    for row in range(frame.top, bottom):
        if column < grid.width and int(grid.characters[row, column]) in blank:
            grid.put(column, row, "|" if ascii else "│", "muted")


def _draw_header(grid: Grid, view: PriceView, cursor: int | None, window: Window) -> None:
    """Symbol, close and change, the bar's prices, what was filled there; at the right the moment."""
    step = len(view.close) - 1 if cursor is None else min(cursor, len(view.close) - 1)
    close = float(view.close[step])
    change = _change(view, step) if np.isfinite(close) else None
    parts: list[tuple[str, str]] = [
        (f"{safe_line(view.symbol, 12)} ", "strong"),
        (f"{show.price(close)} ", "text"),
        (f"{show.percent(change)}  ", show.gain_role(change)),
    ]
    for name, values in (("O", view.open), ("H", view.high), ("L", view.low)):
        parts += [(f"{name} ", "muted"), (f"{show.price(float(values[step]))} ", "text")]
    parts += [("V ", "muted"), (f"{show.short_money(float(view.volume[step]))}  ", "text")]
    for fill in view.fills if cursor is not None else ():
        if fill.step_index == step:
            look = show.status_look(fill.side)
            text = f"{look.text} {show.quantity(fill.quantity)} @ {show.price(fill.price)}  "
            parts.append((text, look.role))
    if window.size > 1:
        parts.append((f"{window.size} bars a column", "muted"))
    when = show.stamp(int(view.stamps[step]), view.zone)
    room = grid.width - cells(when) - 2
    grid.put_right(grid.width, 0, when, "accent" if cursor is not None else "muted")
    x = 0
    for text, role in parts:
        if x + cells(text.rstrip()) > room:
            break
        grid.put(x, 0, text, role)
        x += cells(text)


class PriceChart(Chart):
    """The price of one symbol with what the run did in it."""

    bars: reactive[int | None] = reactive(None, repaint=False)

    @dataclass
    class CursorMoved(Message):
        """The cursor was put on a step by mouse, or taken away (None)."""

        chart: PriceChart
        step: int | None

        @property
        def control(self) -> PriceChart:
            return self.chart

    _view: PriceView | None = None
    _picture: Picture | None = None

    def show(self, view: PriceView | None) -> int:
        """Show this symbol; how many lines were painted anew for it."""
        self._view = view
        return self.redraw()

    def draw(self, width: int, height: int) -> Grid | None:
        self._picture = None
        if self._view is not None:
            self._picture = draw_price(
                self._view,
                width,
                height,
                cursor=self.cursor,
                bars=self.bars,
                ascii=self.ascii,
            )
        return None if self._picture is None else self._picture.grid

    def step_at(self, x: int) -> int | None:
        return None if self._picture is None else self._picture.step_at(x)

    def move_cursor(self, steps: int) -> None:
        """Move the cursor by so many steps, from the present where there is none."""
        if self._view is None or not len(self._view.close):
            return
        last = len(self._view.close) - 1
        at = last if self.cursor is None else self.cursor
        self.cursor = max(0, min(at + steps, last))

    def zoom(self, factor: float) -> None:
        """Show fewer bars (``factor`` above 1) or more; so many that all fit is all of them."""
        if self._view is None:
            return
        count = len(self._view.close)
        shown = round((count if self.bars is None else self.bars) / factor)
        self.bars = None if shown >= count else max(min(LEAST_BARS, count), shown)

    def chosen(self, step: int | None) -> None:
        self.post_message(self.CursorMoved(self, step))

    def watch_bars(self) -> None:
        """The window changed."""
        self.redraw()
