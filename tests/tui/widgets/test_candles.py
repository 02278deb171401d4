"""Bars merged to columns, and candles told apart without colour."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.widgets.kit import bars
from tui.widgets.candles import Merged, candle_cells, merge
from tui.widgets.scale import Span

NAN = np.nan


@given(st.integers(1, 120), st.integers(1, 15), st.integers(0, 99), st.booleans(), st.data())
def test_merging_loses_no_extreme_and_no_volume(
    count: int, size: int, seed: int, gaps: bool, data: st.DataObject
) -> None:
    """Each group opens with its first bar, closes with its last, and spans all of them."""
    start = data.draw(st.integers(0, count - 1))
    stop = data.draw(st.integers(start + 1, count))
    open_, high, low, close, volume = bars(count, seed, gaps)
    merged = merge(open_, high, low, close, volume, start, stop, size)
    assert merged.first[0] == start
    assert merged.last[-1] == stop - 1
    assert (merged.first[1:] == merged.last[:-1] + 1).all()
    for group, (first, last) in enumerate(zip(merged.first, merged.last, strict=True)):
        assert first // size == last // size
        part = [i for i in range(first, last + 1) if np.isfinite(close[i])]
        if not part:
            assert np.isnan(merged.close[group])
            assert merged.volume[group] == 0
            continue
        assert merged.open[group] == open_[part[0]]
        assert merged.close[group] == close[part[-1]]
        assert merged.high[group] == high[part].max()
        assert merged.low[group] == low[part].min()
        assert merged.volume[group] == volume[part].sum()


def test_a_new_bar_leaves_the_old_columns_alone() -> None:
    """Groups begin at multiples of their size, so all but the last stay as they were."""
    values = bars(101)
    before = merge(*values, 0, 100, 7)
    after = merge(*values, 0, 101, 7)
    assert (after.close[:14] == before.close[:14]).all()
    assert (after.high[:14] == before.high[:14]).all()


def one(open_: float, high: float, low: float, close: float) -> Merged:
    """A single candle."""
    place = np.array([0])
    prices = np.array([[open_], [high], [low], [close]])
    return Merged(place, place, prices[0], prices[1], prices[2], prices[3], np.array([1.0]))


def drawn(bar: Merged, *, ascii_only: bool = False) -> str:
    """The column of a candle on an axis from 0 to 9 with a line a unit, top first."""
    codes, _ = candle_cells(bar, Span(0.0, 9.0), 10, ascii=ascii_only)
    return "".join(chr(code) for code in codes[:, 0])


def test_hollow_rises_and_solid_falls() -> None:
    """Direction is in the shape, not only in the colour."""
    rising, falling = drawn(one(2, 8, 1, 7)), drawn(one(7, 8, 1, 2))
    assert "║" in rising
    assert "┃" not in rising
    assert "┃" in falling
    assert "║" not in falling
    assert "o" in drawn(one(2, 8, 1, 7), ascii_only=True)
    assert "#" in drawn(one(7, 8, 1, 2), ascii_only=True)


def test_a_candle_stands_where_its_prices_are() -> None:
    """Wick from high to low, body from open to close."""
    column = drawn(one(7, 9, 0, 3))
    assert column[0] in "╷│"
    assert column[-1] in "╵│"
    assert column[4] == "┃"


def test_a_bar_without_a_range_still_shows() -> None:
    """Four equal prices are a dot, not nothing."""
    assert drawn(one(5, 5, 5, 5)).strip()


def test_a_missing_bar_is_a_gap() -> None:
    """No bar, no candle."""
    assert drawn(one(NAN, NAN, NAN, NAN)).strip() == ""
