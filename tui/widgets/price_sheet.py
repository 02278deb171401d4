"""The drawing of one symbol's price: candles, fills, resting orders, volume. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from engine.model import Fill, OrderRecord
from tui import format as show
from tui.safe import cells, safe_line
from tui.widgets.axes import (
    Frame,
    Picture,
    draw_cursor,
    draw_tag,
    draw_ticks,
    draw_time_axis,
    put_words,
    words_width,
)
from tui.widgets.candles import Merged, candle_cells, merge
from tui.widgets.grid import Bools, Grid
from tui.widgets.raster import filled_from_bottom
from tui.widgets.scale import Floats, Span, Stamps, span_of, value_ticks
from tui.widgets.spark import spark
from tui.widgets.studies import (
    NO_STUDIES,
    Studies,
    draw_line,
    draw_strip,
    overlay_levels,
)
from tui.widgets.window import UNZOOMED, Window, Zoom, window_of

if TYPE_CHECKING:
    from engine.sim.panel import Panel

SMALLEST: Final = (24, 6)
VOLUME_FROM: Final = 12  # lines of height below which the volume strip gives way
REACH: Final = 0.35  # how far beyond the bars an order may stretch the axis, in its own height
USUAL_SLOT: Final = 2  # columns a candle takes where the view chooses how many bars there are


@dataclass(frozen=True, eq=False)
class PriceView:
    """What the chart may see: the settled bars of one symbol, ``[n]`` by grid point, and no more.

    Prices and volume are NaN where the symbol has no bar. ``fills`` and ``orders`` (alive ones) are
    the symbol's; ``avg_cost`` that of the position held. With ``total_steps`` the whole run has its
    place on the time axis and the bars grow to the right; without, they take all of it. ``whole``
    asks for all the bars where nobody has chosen how many, else as many are shown as stand apart.
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
    total_steps: int | None = None
    whole: bool = True
    studies: Studies = NO_STUDIES

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
        total_steps: int | None = None,
        *,
        whole: bool = True,
        studies: Studies = NO_STUDIES,
    ) -> PriceView:
        """The view of a symbol after ``settled`` grid points: later bars are cut off here.

        ``studies`` may hold values for the whole grid; they are cut off too.
        """
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
            total_steps,
            whole,
            studies.until(settled),
        )


def draw_price(
    view: PriceView,
    width: int,
    height: int,
    *,
    cursor: int | None = None,
    zoom: Zoom = UNZOOMED,
    ascii: bool = False,  # noqa: A002 - the option's name
    label: int = 0,
) -> Picture | None:
    """The chart in ``width`` x ``height`` cells; None where the symbol has no bar yet.

    ``label`` is how many cells the prices at the right take at least.
    """
    known = np.flatnonzero(np.isfinite(view.close))
    if not len(known):
        return None
    grid = Grid(width, height, ascii=ascii)
    count = len(view.close)
    tiny = width < SMALLEST[0] or height < SMALLEST[1]
    last = float(view.close[known[-1]])
    wanted = 0 if tiny else len(f"{last * 1.5:,.2f}") + 2
    columns = max(1, width - max(wanted, label) - 1) if not tiny else max(1, width)
    if zoom.bars is None and not view.whole:
        zoom = Zoom(max(1, columns // USUAL_SLOT), zoom.stop)
    window = window_of(count, columns, zoom, cursor=cursor, total=view.total_steps or 0)
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
        _draw_tiny(grid, view, merged, last)
        return Picture(grid, columns, window)
    frame = _frame_of(columns, height, len(view.studies.strips))
    span = _span(view, merged, window, frame.rows)
    _draw_rules(grid, frame, span)
    _draw_levels(grid, frame, span, view)
    for line in view.studies.overlays:
        draw_line(grid, line, window, merged.last, span, frame.columns, frame.top, frame.rows)
    rose = _draw_candles(grid, frame, span, merged, window)
    _name_levels(grid, frame, span, view)
    _draw_fills(grid, frame, span, view, merged, window)
    if frame.strip:
        _draw_volume(grid, frame, merged, window, rose)
    _draw_strips(grid, frame, view, merged, window)
    draw_time_axis(grid, frame, window, view.stamps, view.zone)
    role = show.gain_role(_change(view, count - 1))
    draw_tag(grid, frame, span, last, show.price(last), role)
    if cursor is not None:
        draw_cursor(grid, frame, window, cursor)
    _draw_header(grid, view, cursor, window)
    _name_overlays(grid, frame, view, cursor)
    return Picture(grid, columns, window, wanted)


def _name_overlays(grid: Grid, frame: Frame, view: PriceView, cursor: int | None) -> None:
    """The lines over the price with their values, in the plot's first line."""
    step = len(view.close) - 1 if cursor is None else min(cursor, len(view.close) - 1)
    x = 1
    for line in view.studies.overlays:
        name, value = f" {line.name} ", f"{show.price(line.at(step))} "
        if x + cells(name + value) > frame.columns:
            break
        grid.put(x, frame.top, name, line.role)
        grid.put(x + cells(name), frame.top, value)
        x += cells(name + value)


def _frame_of(columns: int, height: int, strips: int) -> Frame:
    """Divide the lines: header, price, volume, a strip for each study that has one, axis.

    Price keeps half of them; volume gives way first where strips are asked for.
    """
    volume = max(2, height // 7) if height >= VOLUME_FROM else 0
    size = 3 if height < 24 else 4
    most = (height - 2) // 2
    strips = min(strips, most // size)
    if strips and volume + strips * size > most:
        volume = 0
    rows = height - 2 - volume - strips * size
    return Frame(columns, 1, rows, volume, strips * size, height - 1)


def _draw_strips(grid: Grid, frame: Frame, view: PriceView, merged: Merged, window: Window) -> None:
    """The studies that have a scale of their own, beneath the price."""
    top = frame.below + frame.strip
    count = len(view.studies.strips)
    size = 3 if grid.height < 24 else 4
    for strip in view.studies.strips[: frame.studies // size] if count else ():
        draw_strip(grid, strip, window, merged.last, frame.columns, top, size)
        top += size


def _span(view: PriceView, merged: Merged, window: Window, rows: int) -> Span:
    """The bars' range, stretched to studies, orders and the average cost where not far off."""
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(merged.close)
    if not seen.any():
        return Span(0.0, 1.0)
    low, high = float(np.min(merged.low[seen])), float(np.max(merged.high[seen]))
    reach = (high - low) * REACH
    for level in [*_levels(view), *overlay_levels(view.studies, window.start, window.stop)]:
        if low - reach <= level <= high + reach:
            low, high = min(low, level), max(high, level)
    # Marks stand a line beyond their candle; that line must not be a candle's.
    room = 1.6 / rows if view.fills else 0.0
    return span_of(low, high, max(0.06, room))


def _levels(view: PriceView) -> list[float]:
    levels = [price for order in view.orders for price in (order.limit_price, order.stop_price)]
    return [price for price in [*levels, view.avg_cost] if price is not None]


def _draw_tiny(grid: Grid, view: PriceView, merged: Merged, last: float) -> None:
    if grid.height > 1:
        grid.put(0, 0, f"{safe_line(view.symbol)} {show.price(last)}", "strong")
    shape = spark([float(value) for value in merged.close], grid.width, ascii=grid.ascii)
    grid.put(0, grid.height - 1, shape, "line")


def _draw_rules(grid: Grid, frame: Frame, span: Span) -> None:
    ticks, step = value_ticks(span, max(2, frame.rows // 4))
    # Below the lowest price there is room, not prices.
    prices = [value for value in ticks if value >= 0 or span.high < 0]
    draw_ticks(grid, frame, span, prices, step, abs(span.high))


class _Level(NamedTuple):
    price: float
    words: str
    role: str


def _named_levels(view: PriceView) -> list[_Level]:
    """The prices orders rest at and the average cost, in words."""
    levels = []
    if view.avg_cost is not None:
        levels.append(_Level(view.avg_cost, "avg cost", "accent"))
    for order in view.orders:
        size = show.quantity(order.quantity or order.requested_quantity)
        for price, word in ((order.limit_price, "limit"), (order.stop_price, "stop")):
            if price is not None:
                words = f"{safe_line(order.side or 'target')} {word} {size}"
                levels.append(_Level(price, words, "attention"))
    return levels


def _draw_levels(
    grid: Grid,
    frame: Frame,
    span: Span,
    view: PriceView,
) -> None:
    """A broken line at each level on the axis."""
    for level in _named_levels(view):
        if span.holds(level.price):
            row = frame.top + span.row(level.price, frame.rows)
            grid.rule(row, frame.columns, grid.glyphs.level, level.role)


def _name_levels(
    grid: Grid,
    frame: Frame,
    span: Span,
    view: PriceView,
) -> None:
    """What the lines are, at the end of them where fewer candles stand in the way."""
    for price, name, role in _named_levels(view):
        words = f" {name} @ {show.price(price)} "
        if not span.holds(price):
            arrow = grid.glyphs.above if price > span.high else grid.glyphs.below
            words = f" {arrow}{words}"
        width = cells(words)
        if width + 2 > frame.columns:
            continue
        row = frame.top + span.row(price, frame.rows)
        left, right = 1, frame.columns - width - 1
        taken = [
            int(np.count_nonzero(~grid.blank(grid.characters[row, x : x + width])))
            for x in (left, right)
        ]
        grid.put(left if taken[0] <= taken[1] else right, row, words, role)


def _draw_candles(
    grid: Grid,
    frame: Frame,
    span: Span,
    merged: Merged,
    window: Window,
) -> Bools:
    codes, rose = candle_cells(merged, span, frame.rows, ascii=grid.ascii)
    roles = ["gain" if up else "loss" for up in rose.tolist()]
    grid.scatter(codes, window.columns, frame.top, roles)
    return rose


def _draw_fills(
    grid: Grid,
    frame: Frame,
    span: Span,
    view: PriceView,
    merged: Merged,
    window: Window,
) -> None:
    """A mark at the price of each fill, left of its candle, whose open most of them are.

    Where candles stand wall to wall buys point up from below theirs, sells down from above it.
    """
    # Thousands of fills may share a few columns: each mark is drawn once.
    marks: dict[tuple[int, bool], float] = {}
    places = window.columns
    apart = len(places) < 2 or int(np.diff(places).min()) >= USUAL_SLOT
    for fill in view.fills:
        group = window.group_of(fill.step_index)
        if group is not None:
            marks[group, fill.side == "buy"] = fill.price
    for (group, bought), price in marks.items():
        mark = grid.glyphs.buy if bought else grid.glyphs.sell
        role = "accent" if bought else "attention"
        if apart and int(places[group]) > 0 and span.holds(price):
            row, column = frame.top + span.row(price, frame.rows), int(places[group]) - 1
            if chr(grid.characters[row, column]) in (grid.glyphs.buy, grid.glyphs.sell):
                # Bought and sold at about one price: the two stand one above the other.
                row += 1 if bought else -1
            grid.put(column, row, mark, role)
            continue
        edge = float(merged.low[group] if bought else merged.high[group])
        if not np.isfinite(edge):
            edge = price
        row = span.row(edge, frame.rows) + (1 if bought else -1)
        row = frame.top + max(0, min(row, frame.rows - 1))
        grid.put(int(places[group]), row, mark, role)


def _draw_volume(
    grid: Grid,
    frame: Frame,
    merged: Merged,
    window: Window,
    rose: Bools,
) -> None:
    most = float(merged.volume.max())
    top = frame.below
    if most <= 0:
        return
    parts = len(grid.glyphs.bars)
    height = np.where(merged.volume > 0, merged.volume / most, np.nan) * frame.strip * parts
    mask = filled_from_bottom(height, frame.strip * parts)
    filled = mask.reshape(frame.strip, parts, -1).sum(axis=1)
    codes = np.array([ord(c) for c in f" {grid.glyphs.bars}"], np.uint32)[filled]
    roles = ["gain-soft" if up else "loss-soft" for up in rose.tolist()]
    grid.scatter(codes, window.columns, top, roles)
    grid.put(frame.columns + 1, top, show.short_money(most), "muted")
    grid.put(frame.columns + 1, top + frame.strip - 1, "vol", "muted")


def _change(view: PriceView, step: int) -> float | None:
    """The change of the close from the bar before, as a fraction."""
    known = np.flatnonzero(np.isfinite(view.close[: step + 1]))
    if len(known) < 2:
        return None
    before, after = (float(value) for value in view.close[known[-2:]])
    return after / before - 1


def _draw_header(
    grid: Grid,
    view: PriceView,
    cursor: int | None,
    window: Window,
) -> None:
    """Symbol, close and change, the bar's prices, what was filled; at the right the moment."""
    step = len(view.close) - 1 if cursor is None else min(cursor, len(view.close) - 1)
    close = float(view.close[step])
    change = _change(view, step) if np.isfinite(close) else None
    groups: list[list[tuple[str, str]]] = [
        [(f"{safe_line(view.symbol, 12)} ", "strong"), (f"{show.price(close)} ", "text")],
        [(f"{show.percent(change)}  ", show.gain_role(change))],
    ]
    for fill in view.fills:
        if fill.step_index == step:
            look = show.status_look(fill.side)
            words = look.word if grid.ascii else look.text
            text = f"{words} {show.quantity(fill.quantity)} @ {show.price(fill.price)}  "
            groups.append([(text, look.role)])
    for name, values in (("O", view.open), ("H", view.high), ("L", view.low)):
        groups.append([(f"{name} ", "muted"), (f"{show.price(float(values[step]))} ", "text")])
    groups.append([("V ", "muted"), (f"{show.short_money(float(view.volume[step]))}  ", "text")])
    if window.size > 1:
        groups.append([(f"{window.size} bars a column", "muted")])
    when = show.stamp(int(view.stamps[step]), view.zone)
    room = grid.width - cells(when) - 2
    grid.put_right(grid.width, 0, when, "accent" if cursor is not None else "muted")
    x = 0
    for group in groups:
        # A name without its figure says nothing.
        if x + words_width(group) > room:
            break
        x = put_words(grid, x, 0, group)
