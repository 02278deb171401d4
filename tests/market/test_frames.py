"""Bars from pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine.errors import InvalidFile, MarketDataInvalid, UnknownSymbol
from engine.market import Bars, from_frames
from tests.market.kit import hourly, load, request


def frame(**columns: Any) -> pd.DataFrame:
    """Four hourly bars of AAPL, with these columns instead."""
    plain = {
        "symbol": "AAPL",
        "timestamp": pd.date_range("2026-03-02T14:30", periods=4, freq="h", tz="UTC"),
        "open": 100.0,
        "high": 101.0,
        "low": 99.0,
        "close": 100.0,
        "volume": 1000,
    }
    return pd.DataFrame(plain | columns)


def bars_of(bars: Any, **options: Any) -> Bars:
    """The bars of a frame or frames."""
    return from_frames(bars, request("frame", **options)).load()


def test_a_frame_is_the_same_as_the_file(tmp_path: Path) -> None:
    """In the columns of a bar file, or with its stamps as index, or one by symbol."""
    wanted = load(hourly(tmp_path)).content_hash
    plain = frame()
    indexed = plain.set_index("timestamp")
    by_symbol = {"AAPL": indexed.drop(columns="symbol").rename(columns=str.title)}
    unnamed = {"AAPL": by_symbol["AAPL"].rename_axis(None)}
    doubly = plain.set_index(["symbol", "timestamp"])
    for bars in (plain, indexed, by_symbol, unnamed, doubly):
        assert bars_of(bars).content_hash == wanted


def test_frames_by_symbol_keep_their_order() -> None:
    """As they stand in the mapping, unless symbols are named."""
    frames = {"MSFT": frame().drop(columns="symbol"), "AAPL": frame().drop(columns="symbol")}
    assert bars_of(frames).symbols == ("MSFT", "AAPL")
    assert bars_of(frames, symbols=("AAPL",)).symbols == ("AAPL",)
    with pytest.raises(UnknownSymbol, match="the frame has no symbol 'IBM'"):
        bars_of(frames, symbols=("IBM",))


def test_a_bad_bar_is_named_by_frame_and_row() -> None:
    """Rows are counted from 1."""
    bad = frame(close=[100.0, 100.0, 102.0, 100.0])
    with pytest.raises(MarketDataInvalid, match=r"frame row 3: AAPL .* below its close 102"):
        bars_of(bad)
    with pytest.raises(MarketDataInvalid, match=r"frame of X row 3: X "):
        bars_of({"X": bad.drop(columns="symbol")})


@pytest.mark.parametrize(
    ("bars", "message"),
    [
        (frame().drop(columns="symbol"), "no column symbol"),
        (frame().drop(columns="volume"), "no column volume"),
        (frame().drop(columns="timestamp"), "column timestamp holds int64"),
        (frame(close="high"), "column close holds what is no number"),
        (frame(symbol=7), "column symbol holds int64"),
        ({"AAPL": [1, 2, 3]}, "frame of AAPL is a list, not a DataFrame"),
        ({}, "no bars"),
        (None, "bars is a NoneType; give a source"),
        ([1, 2], "bars is a list; give a source"),
        (frame().head(0), "no bars"),
    ],
)
def test_what_is_no_table_of_bars_is_refused(bars: Any, message: str) -> None:
    """With the column and what it holds."""
    with pytest.raises(InvalidFile, match=message):
        bars_of(bars)
