"""The price chart's drawing, without a terminal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sim.panel import Panel
from tests.tui.widgets.kit import HOUR, START, bars, fill, order, view
from tui.widgets.price_sheet import PriceView, draw_price
from tui.widgets.window import Zoom, window_of


def text_of(
    what: PriceView,
    width: int,
    height: int,
    *,
    cursor: int | None = None,
    shown: int | None = None,
    ascii_only: bool = False,
) -> str:
    """The drawn chart as text."""
    picture = draw_price(what, width, height, cursor=cursor, zoom=Zoom(shown), ascii=ascii_only)
    assert picture is not None
    return picture.grid.text()


@given(
    st.integers(0, 250),
    st.integers(0, 70),
    st.integers(1, 600),
    st.one_of(st.none(), st.integers(1, 600)),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_size_holds(
    width: int, height: int, count: int, window: int | None, ascii_only: bool, gaps: bool
) -> None:
    """From nothing to 250 x 70, at any zoom, every line has its width."""
    what = view(
        count,
        gaps=gaps,
        fills=(fill(0, "buy", 100.0), fill(count - 1, "sell", 100.0)),
        orders=(order(None, 95.0), order(500.0, None)),
        avg_cost=100.0,
    )
    picture = draw_price(
        what, width, height, cursor=count // 3, zoom=Zoom(window), ascii=ascii_only
    )
    if picture is None:
        assert not np.isfinite(what.close).any()
        return
    lines = picture.grid.lines()
    assert len(lines) == height
    assert all(sum(len(span.text) for span in line) == width for line in lines)
    assert not ascii_only or picture.grid.text().replace("–", "-").isascii()


@given(
    st.integers(1, 3000),
    st.integers(1, 250),
    st.one_of(st.none(), st.integers(1, 3000)),
    st.data(),
)
def test_windows_fit_and_hold_their_cursor(
    count: int, columns: int, shown: int | None, data: st.DataObject
) -> None:
    """Groups stand in rising columns on the sheet, and a cursor is always in the window."""
    cursor = data.draw(st.one_of(st.none(), st.integers(0, count - 1)))
    total = data.draw(st.integers(0, 6000))
    window = window_of(count, columns, Zoom(shown), cursor=cursor, total=total)
    assert 0 <= window.start < window.stop <= count
    assert (np.diff(window.columns) > 0).all()
    assert window.columns[0] >= 0
    assert window.columns[-1] < columns
    if cursor is not None:
        assert window.column_of(cursor) is not None


def test_only_settled_bars_are_in_a_view() -> None:
    """The view of a panel ends where the run stands; other symbols' fills are left out."""
    count = 20
    one = bars(count)
    stamps = START + HOUR * np.arange(count, dtype=np.int64)
    arrays = [np.ascontiguousarray(np.stack([values, values * 2], axis=1)) for values in one]
    for values in arrays:
        values.setflags(write=False)
    panel = Panel(
        ("MSFT", "AAPL"),
        stamps,
        arrays[0],
        arrays[1],
        arrays[2],
        arrays[3],
        arrays[4],
        sessions=np.zeros(count, np.int32),
        session_dates=("2025-01-02",),
        timeframe="1Hour",
        calendar="none",
        sessions_per_year=252,
        actions=(),
        content_hash="0",
        provenance={},
    )
    fills = (fill(2, "buy", 100.0), fill(3, "sell", 100.0)._replace(symbol="MSFT"))
    orders = (order(None, 95.0), order(None, 96.0, "filled"))
    shown = PriceView.of(panel, "AAPL", 12, fills, orders)
    assert len(shown.close) == len(shown.stamps) == len(shown.volume) == 12
    assert shown.close[-1] == one.close[11] * 2
    assert [one_fill.step_index for one_fill in shown.fills] == [2]
    assert [one_order.stop_price for one_order in shown.orders] == [95.0]


def test_no_bar_no_chart() -> None:
    """A symbol that has not traded yet has nothing to draw."""
    what = view(5)
    empty = np.full(5, np.nan)
    assert draw_price(replace(what, close=empty), 80, 24) is None


def test_fills_are_marked_by_shape() -> None:
    """A buy points up below its candle, a sell down above it."""
    what = view(60, fills=(fill(10, "buy", 100.0), fill(40, "sell", 100.0)))
    text = text_of(what, 100, 30)
    assert text.count("▲") == text.count("▼") == 1
    lines = text.splitlines()
    column = next(line.index("▲") for line in lines if "▲" in line)
    row = next(y for y, line in enumerate(lines) if "▲" in line)
    assert any(
        lines[y][column : column + 1] in tuple("╷╵│╻╹┃║╽╿") for y in range(max(1, row - 2), row)
    )
    ascii_text = text_of(what, 100, 30, ascii_only=True)
    assert "^" in ascii_text
    assert any("v" in line[:90] for line in ascii_text.splitlines()[1:-1])


def test_marks_hide_no_candle() -> None:
    """A mark stands left of its candle; where there is no room, above or below it."""
    for count, beside in ((40, 1), (95, 0)):
        fills = tuple(fill(step, side, 100.0) for step in range(count) for side in ("buy", "sell"))
        lines = text_of(view(count, fills=fills), 100, 14).splitlines()[1:-3]
        columns = [x for x in range(100) if any(line[x : x + 1] == "▲" for line in lines)]
        assert len(columns) > 38
        for x in columns:
            assert any(line[x + beside : x + beside + 1] in tuple("╷╵│╻╹┃║╽╿") for line in lines)
            assert any(line[x : x + 1] == "▼" for line in lines)


def test_a_mark_stands_at_the_price_of_its_fill() -> None:
    """The line of the mark is that of its price on the axis."""
    what = view(30, fills=(fill(12, "buy", 102.0),))
    picture = draw_price(what, 100, 30)
    assert picture is not None
    lines = picture.grid.text().splitlines()
    row = next(y for y, line in enumerate(lines) if y and "▲" in line)
    there = replace(what, fills=(), avg_cost=102.0)
    level = draw_price(there, 100, 30)
    assert level is not None
    named = next(y for y, line in enumerate(level.grid.text().splitlines()) if "avg cost" in line)
    assert abs(row - named) <= 1
    assert "▲ buy 10 @ 102.00" in text_of(what, 100, 30, cursor=12).splitlines()[0]


def test_resting_orders_and_cost_are_lines_with_words() -> None:
    """Each price an order rests at has a line with words; far ones are named at the edge."""
    low = float(view(60).low.min())
    what = view(60, orders=(order(None, low), order(9_999.0, None)), avg_cost=low + 1)
    text = text_of(what, 120, 36)
    assert f"sell stop 10 @ {low:,.2f}" in text
    assert f"avg cost @ {low + 1:,.2f}" in text
    assert "↑ sell limit 10 @ 9,999.00" in text


def test_the_header_is_of_the_cursors_bar() -> None:
    """Symbol, prices, moment, and what was filled there."""
    what = view(60, fills=(fill(10, "buy", 101.5),))
    first = text_of(what, 150, 30, cursor=10).splitlines()[0]
    assert first.startswith(f"AAPL {what.close[10]:,.2f}")
    assert f"H {what.high[10]:,.2f}" in first
    assert "▲ buy 10 @ 101.50" in first
    assert first.endswith("2025-01-03 00:30 UTC")


def test_a_narrow_header_has_no_name_without_its_figure() -> None:
    """What does not fit goes with its label."""
    for width in range(24, 120):
        words = text_of(view(60), width, 30).splitlines()[0].split()
        for name in ("O", "H", "L", "V"):
            if name in words:
                assert words[words.index(name) + 1][0].isdigit()
                assert not words[words.index(name) + 1].startswith("2025-")


def test_many_bars_share_a_column() -> None:
    """What is merged says so."""
    assert "10 bars a column" in text_of(view(1000), 120, 36).splitlines()[0]
    assert "bars a column" not in text_of(view(1000), 120, 36, shown=50).splitlines()[0]


def test_a_click_finds_the_bar() -> None:
    """The step at a candle's column is in that candle."""
    what = view(200)
    picture = draw_price(what, 100, 30)
    assert picture is not None
    for step in (0, 57, 199):
        column = picture.window.column_of(step)
        assert column is not None
        found = picture.step_at(column)
        assert found is not None
        assert found // picture.window.size == step // picture.window.size
    assert picture.step_at(-1) is None
    assert picture.step_at(99) is None


def test_a_live_chart_leaves_the_future_free() -> None:
    """With the run's length the bars stand in their part of the axis."""
    picture = draw_price(view(100, total_steps=400), 100, 30)
    assert picture is not None
    assert picture.window.columns[-1] < 30
