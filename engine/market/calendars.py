"""Which session a grid point belongs to (policy G5).

XNYS comes from ``exchange_calendars``. ``24/7`` and ``none`` need nothing: their sessions are UTC
dates.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from engine.errors import InvalidOption
from engine.market.timeframes import DAY
from engine.model import EPOCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

CALENDARS = ("XNYS", "24/7", "none")
ZONES = {"XNYS": "America/New_York", "24/7": "UTC", "none": "UTC"}
EPOCH_DATE = date(1970, 1, 1)
SLACK = 14  # days; no exchange is closed for longer, so the next session is within them

_building = threading.Lock()  # exchange_calendars keeps a global cache of its own


@dataclass(frozen=True, eq=False)
class Schedule:
    """An exchange's sessions: ``days`` int64 [S] since the epoch, and their ``opens`` and
    ``closes`` int64 [S] in microseconds since the epoch, early closes included."""

    days: NDArray[np.int64]
    opens: NDArray[np.int64]
    closes: NDArray[np.int64]


def check_calendar(name: str) -> None:
    """Raise ``InvalidOption`` for a calendar that is none."""
    if name not in CALENDARS:
        raise InvalidOption(
            f"no calendar {name!r}", field="calendar", remedy=f"there are {', '.join(CALENDARS)}"
        )


def sessions_per_year(calendar: str) -> int:
    """What daily figures are annualised with (policy F3)."""
    return 365 if calendar == "24/7" else 252


def schedule(calendar: str, first: date, last: date) -> Schedule:
    """The sessions from ``first`` to ``last``, inclusive; for ``24/7`` and ``none`` every date."""
    if first > last:
        empty = np.empty(0, dtype=np.int64)
        return Schedule(empty, empty, empty)
    if calendar == "XNYS":
        whole = _exchange_schedule(first.year, last.year)
        low, high = (day - EPOCH_DATE for day in (first, last))
        chosen = slice(
            int(whole.days.searchsorted(low.days)), int(whole.days.searchsorted(high.days, "right"))
        )
        return Schedule(whole.days[chosen], whole.opens[chosen], whole.closes[chosen])
    days = np.arange((first - EPOCH_DATE).days, (last - EPOCH_DATE).days + 1, dtype=np.int64)
    return Schedule(days, days * DAY, (days + 1) * DAY)


@lru_cache(maxsize=16)
def _exchange_schedule(first: int, last: int) -> Schedule:
    """XNYS from the year ``first`` to some days past the year ``last``."""
    # Slow to import, and for intraday bars only.
    import exchange_calendars
    import pandas as pd

    with _building:
        built = exchange_calendars.get_calendar(
            "XNYS", start=date(first, 1, 1).isoformat(), end=date(last + 1, 1, SLACK).isoformat()
        )
    days, opens, closes = (
        pd.DatetimeIndex(column).as_unit("us").asi8
        for column in (built.sessions, built.opens, built.closes)
    )
    return Schedule(days // DAY, opens, closes)


def assign_sessions(
    calendar: str, timeframe: str, stamps: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Each grid point's session: ``days`` int64 [S] since the epoch, ordinals int32 [T] into them.

    ``stamps`` int64 [T] ascend. A daily bar's session is its UTC date if stamped at midnight UTC,
    else its date in the exchange's zone. An intraday bar outside any session belongs to that of its
    local date, or, where that is no trading day, to the next.
    """
    days = local_days(ZONES[calendar], stamps)
    if timeframe == "1Day":
        days = np.where(stamps % DAY == 0, stamps // DAY, days)
    elif calendar == "XNYS" and len(stamps):
        first, last = (EPOCH_DATE + timedelta(days=int(day)) for day in (days[0], days[-1]))
        trading = schedule(calendar, first, last + timedelta(days=SLACK)).days
        days = trading[trading.searchsorted(days)]
    dates, ordinals = np.unique(days, return_inverse=True)
    return dates, ordinals.astype(np.int32)


def local_days(zone_name: str, stamps: NDArray[np.int64]) -> NDArray[np.int64]:
    """The local date of each stamp in a zone, in days since the epoch; ``stamps`` ascend."""
    if zone_name == "UTC" or not len(stamps):
        return stamps // DAY
    zone = ZoneInfo(zone_name)
    first = int(stamps[0] // DAY) - 1
    last = int(stamps[-1] // DAY) + 1
    midnights = np.array([_midnight(zone, day) for day in range(first, last + 1)], dtype=np.int64)
    return first + midnights.searchsorted(stamps, "right") - 1


def _midnight(zone: ZoneInfo, day: int) -> int:
    """The stamp of a local midnight."""
    local = datetime.combine(EPOCH_DATE + timedelta(days=day), datetime.min.time(), tzinfo=zone)
    return (local.astimezone(UTC) - EPOCH) // timedelta(microseconds=1)


def day_text(day: int) -> str:
    """A day since the epoch as an ISO date."""
    return (EPOCH_DATE + timedelta(days=day)).isoformat()


def day_number(day: date) -> int:
    """A date in days since the epoch."""
    return (day - EPOCH_DATE).days
