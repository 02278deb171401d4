"""G5: which session a grid point belongs to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from engine.errors import InvalidOption
from engine.market.calendars import assign_sessions, check_calendar, day_text, local_days, schedule
from engine.model import EPOCH


def stamp(text: str) -> int:
    """A stamp of ISO text in UTC."""
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)


def dates(calendar: str, timeframe: str, *stamps: str) -> list[str]:
    """The trade date of each stamp."""
    days, ordinals = assign_sessions(
        calendar, timeframe, np.array([stamp(text) for text in stamps], dtype=np.int64)
    )
    return [day_text(int(days[ordinal])) for ordinal in ordinals]


def test_intraday_bars_belong_to_their_local_date() -> None:
    """Before the open, within the session and after the close of a trading day."""
    assert (
        dates(
            "XNYS",
            "1Hour",
            "2026-03-02T09:00",
            "2026-03-02T14:30",
            "2026-03-02T23:00",
            "2026-03-03T01:00",
        )
        == ["2026-03-02"] * 4
    )


def test_bars_of_no_trading_day_belong_to_the_next() -> None:
    """A weekend's bars go to Monday, a holiday's to the day after, New Year's across the year."""
    assert dates("XNYS", "1Hour", "2026-03-07T15:00", "2026-03-08T23:00") == ["2026-03-09"] * 2
    assert dates("XNYS", "1Hour", "2025-12-25T15:00") == ["2025-12-26"]
    assert dates("XNYS", "1Hour", "2025-12-31T15:00", "2026-01-01T15:00") == [
        "2025-12-31",
        "2026-01-02",
    ]


def test_daily_bars_need_no_calendar() -> None:
    """Midnight UTC is its own date, any other stamp its date in the exchange's zone."""
    assert dates(
        "XNYS",
        "1Day",
        "2026-03-02T00:00",
        "2026-03-03T05:00",
        "2026-03-04T14:30",
        "2026-03-08T00:00",
    ) == ["2026-03-02", "2026-03-03", "2026-03-04", "2026-03-08"]


@pytest.mark.parametrize("calendar", ["24/7", "none"])
def test_without_an_exchange_a_session_is_a_utc_date(calendar: str) -> None:
    """Every stamp is in session."""
    assert dates(calendar, "1Hour", "2026-03-07T23:00", "2026-03-08T00:00") == [
        "2026-03-07",
        "2026-03-08",
    ]


def test_local_dates_across_a_clock_change() -> None:
    """The last and first minute of a New York date, before and after summer time begins."""
    stamps = [
        stamp(text)
        for text in ("2026-03-08T04:59", "2026-03-08T05:00", "2026-03-09T03:59", "2026-03-09T04:00")
    ]
    days = local_days("America/New_York", np.array(stamps, dtype=np.int64))
    assert [day_text(int(day)) for day in days] == [
        "2026-03-07",
        "2026-03-08",
        "2026-03-08",
        "2026-03-09",
    ]


def test_the_schedule_knows_early_closes_and_holidays() -> None:
    """2024-07-03 closes at 13:00 New York, 2024-07-04 is no session."""
    week = schedule("XNYS", date(2024, 7, 1), date(2024, 7, 5))
    assert [day_text(int(day)) for day in week.days] == [
        "2024-07-01",
        "2024-07-02",
        "2024-07-03",
        "2024-07-05",
    ]
    hours = (week.closes - week.opens) / 3_600_000_000
    assert hours.tolist() == [6.5, 6.5, 3.5, 6.5]


def test_other_calendars_are_refused() -> None:
    """Only those of the contract."""
    with pytest.raises(InvalidOption, match="there are XNYS, 24/7, none"):
        check_calendar("XLON")
