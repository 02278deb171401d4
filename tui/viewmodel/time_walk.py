"""Where a run's time can be stopped at: fills, decisions, sessions, a step or date one names.

A moment is held as its count of settled steps, as ``RunRecord.step_index`` is: 1 shows the first
bar and nothing after it, the run's own count is now. What is typed and said is the step's number.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidOption
from engine.model import stamp_datetime
from tui import format as fmt
from tui.steps import number_of, settled_at

if TYPE_CHECKING:
    from engine.sim.panel import Panel
    from tui.gateway import RunDetail

DAY_US = 86_400_000_000
REMEDY = "a step such as 120, a date such as 2026-03-02, or -10 for ten back"


def after(stops: Sequence[int], at: int) -> int | None:
    """The first of the rising ``stops`` past ``at``; None where there is none."""
    index = bisect_right(stops, at)
    return int(stops[index]) if index < len(stops) else None


def before(stops: Sequence[int], at: int) -> int | None:
    """The last of the rising ``stops`` ahead of ``at``; None where there is none."""
    index = bisect_left(stops, at)
    return int(stops[index - 1]) if index else None


Stops = Callable[["RunDetail"], list[int]]


def fill_stops(detail: RunDetail) -> list[int]:
    """The moments right after a fill, rising."""
    return sorted({settled_at(fill.step_index) for fill in detail.fills})


def decision_stops(detail: RunDetail) -> list[int]:
    """The moments of the steps whose decision was more than to hold, rising."""
    settled = detail.record.step_index
    return [
        settled_at(row.step_index)
        for row in detail.decisions
        if row.decision != "{}" and settled_at(row.step_index) <= settled
    ]


def session_stops(detail: RunDetail, panel: Panel | None, zone: tzinfo) -> list[int]:
    """The moments of the first bar of each session; without bars a session is a local date."""
    settled = len(detail.stamps)
    if not settled:
        return []
    ordinals: npt.NDArray[np.int64]
    if panel is not None and panel.steps >= settled:
        ordinals = panel.sessions[:settled].astype(np.int64)
    else:
        ordinals = _local_days(detail.stamps, zone)
    turns = np.flatnonzero(np.diff(ordinals)) + 1
    return [1, *(turns + 1).tolist()]


def _local_days(stamps: npt.NDArray[np.int64], zone: tzinfo) -> npt.NDArray[np.int64]:
    offset = stamp_datetime(int(stamps[len(stamps) // 2])).astimezone(zone).utcoffset()
    daily = not bool(np.any(stamps % DAY_US))
    shift = 0 if daily or offset is None else int(offset.total_seconds()) * 1_000_000
    days: npt.NDArray[np.int64] = (stamps + shift) // DAY_US
    return days


@dataclass(frozen=True, slots=True)
class Goal:
    """Where to go: a moment that is recorded (``settled``), or one still to come.

    Of what is to come either ``step`` (its number) or ``day`` (ISO) is given.
    """

    settled: int | None = None
    step: int | None = None
    day: str | None = None


def read_goal(
    text: str,
    *,
    shown: int,
    stamps: npt.NDArray[np.int64],
    total: int | None,
    zone: tzinfo,
    live: bool,
) -> Goal:
    """What is typed after "go to": ``120``, ``-10``, ``+10``, ``2026-03-02``.

    ``shown`` is the moment shown, as a count of settled steps like ``total``; ``stamps`` are those
    of the settled steps. What lies ahead of now is a goal for a run that is ``live`` only. Raises
    ``InvalidOption`` naming what would be right.
    """
    said = text.strip()
    if not said:
        raise InvalidOption("nowhere to go yet", field="go to", remedy=REMEDY)
    settled = len(stamps)
    day = _day_of(said)
    if day is not None:
        return _goal_of_day(day, stamps, zone, live)
    try:
        number = int(said.replace(",", "").replace("_", ""))
    except ValueError:
        raise InvalidOption(f"{said!r} is no step or date", field="go to", remedy=REMEDY) from None
    now = number_of(settled) or 0
    step = (number_of(shown) or 0) + number if said[0] in "+-" else number
    if step < 0:
        raise InvalidOption(
            f"there is no step {step}", field="go to", remedy=f"the first is 0, now is {now}"
        )
    if step < settled:
        return Goal(settled=settled_at(step))
    if total is not None and step >= total:
        raise InvalidOption(
            f"there is no step {step}", field="go to", remedy=f"the last is {total - 1}"
        )
    if not live:
        raise InvalidOption(
            f"the run never came to step {step}", field="go to", remedy=f"its last is {now}"
        )
    return Goal(step=step)


def _day_of(text: str) -> date | None:
    """The date typed, also with another separator; None for what is none."""
    parts = text.replace("/", "-").replace(".", "-").split("-")
    if len(parts) not in (2, 3) or len(parts[0]) != 4 or not all(p.isdigit() for p in parts):
        return None
    year, month, day = (*map(int, parts), 1)[:3]
    try:
        return date(year, month, day)
    except ValueError:
        raise InvalidOption(
            f"there is no {text.strip()} in the calendar", field="go to", remedy=REMEDY
        ) from None


def _goal_of_day(day: date, stamps: npt.NDArray[np.int64], zone: tzinfo, live: bool) -> Goal:
    days = _local_days(stamps, zone)
    wanted = datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    at = int(np.searchsorted(days, wanted.days))
    if at < len(days):
        return Goal(settled=at + 1)
    if not live:
        raise InvalidOption(
            f"the run never came to {day.isoformat()}",
            field="go to",
            remedy=f"its last bar is of {fmt.day(int(stamps[-1]), zone)}",
        )
    return Goal(day=day.isoformat())


def goal_text(goal: Goal, stamps: npt.NDArray[np.int64], zone: tzinfo) -> str:
    """What enter would do, in words."""
    if goal.settled is not None:
        when = fmt.stamp(int(stamps[goal.settled - 1]), zone)
        where = "now, " if goal.settled == len(stamps) else ""
        return f"shows {where}step {number_of(goal.settled)}, {when}"
    if goal.step is not None:
        return f"lets the run go on to step {goal.step}"
    return f"lets the run go on to the first bar of {goal.day} or after"
