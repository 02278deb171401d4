"""Telling a timeframe from the distances of bars."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import InvalidOption
from engine.market.timeframes import (
    DAY,
    HOUR,
    MINUTE,
    TIMEFRAMES,
    check_timeframe,
    infer_timeframe,
    require_timeframe,
)

MONDAY = 20_514 * DAY  # 2026-03-02T00:00:00Z


def bars(
    *stamps: int,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int32]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Codes and stamps of one symbol."""
    return np.zeros(len(stamps), dtype=np.int32), np.array(stamps, dtype=np.int64)


@pytest.mark.parametrize("name", TIMEFRAMES)
def test_regular_bars_tell_their_timeframe(name: str) -> None:
    """Every timeframe is told from bars of it, gaps or not, in any order."""
    length = TIMEFRAMES[name]
    stamps = [MONDAY + place * length for place in (0, 1, 2, 3, 7, 8, 9)]
    assert infer_timeframe(*bars(*reversed(stamps)), "x") == name
    require_timeframe(name, *bars(*stamps), "x")


def test_symbols_are_told_apart() -> None:
    """Two symbols' bars five minutes apart are hourly if each symbol's are."""
    codes = np.array([0, 1] * 4, dtype=np.int32)
    stamps = np.array([MONDAY + (n // 2) * HOUR + (n % 2) * 5 * MINUTE for n in range(8)])
    assert infer_timeframe(codes, stamps, "x") == "1Hour"


def test_daily_bars_over_weekends_and_clock_changes_are_daily() -> None:
    """23 hours, 25 hours and three days apart."""
    assert infer_timeframe(*bars(MONDAY, MONDAY + 23 * HOUR, MONDAY + 48 * HOUR), "x") == "1Day"
    assert infer_timeframe(*bars(MONDAY + 4 * DAY, MONDAY + 7 * DAY), "x") == "1Day"
    assert infer_timeframe(*bars(MONDAY), "x") == "1Day"


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        ([MONDAY + 30 * MINUTE * n for n in range(5)], "30 minutes apart"),
        ([MONDAY + 7 * DAY * n for n in range(5)], "7 days apart"),
        ([MONDAY + 1_000_000 * n for n in range(5)], "1 second apart"),
        ([MONDAY + 15 * HOUR], "one bar a symbol"),
    ],
)
def test_what_tells_no_supported_timeframe_is_refused(stamps: list[int], message: str) -> None:
    """The distance is named, and what there is."""
    with pytest.raises(InvalidOption, match=message) as caught:
        infer_timeframe(*bars(*stamps), "x")
    assert "1Min, 5Min, 15Min, 1Hour, 1Day" in str(caught.value)


def test_a_timeframe_that_bars_overlap_is_refused() -> None:
    """Hourly bars are not daily ones, however few."""
    with pytest.raises(InvalidOption, match="1 hour apart, not 1Day"):
        require_timeframe("1Day", *bars(MONDAY, MONDAY + HOUR), "x")


def test_a_short_first_bar_of_the_day_is_no_overlap() -> None:
    """09:30, 10:00, 11:00 … are hourly bars, asked for or inferred."""
    starts = (14 * HOUR + 30 * MINUTE, *(hour * HOUR for hour in range(15, 21)))
    stamps = [MONDAY + day * DAY + start for day in range(3) for start in starts]
    assert infer_timeframe(*bars(*stamps), "x") == "1Hour"
    require_timeframe("1Hour", *bars(*stamps), "x")


def test_a_timeframe_no_two_of_many_bars_have_is_refused() -> None:
    """Many hourly bars are not minute bars; a few far apart are taken at their word."""
    many = [MONDAY + 14 * HOUR + n * HOUR for n in range(12)]
    with pytest.raises(InvalidOption, match="1 hour apart, not 1Min"):
        require_timeframe("1Min", *bars(*many), "x")
    require_timeframe("1Min", *bars(*many[:3]), "x")
    with pytest.raises(InvalidOption, match="1 day apart, not 1Hour"):
        require_timeframe("1Hour", *bars(MONDAY, MONDAY + DAY), "x")


def test_a_name_that_is_no_timeframe_is_refused() -> None:
    """What there is, is named."""
    check_timeframe(None)
    with pytest.raises(InvalidOption, match="no timeframe '1h'; there are 1Min"):
        check_timeframe("1h")
