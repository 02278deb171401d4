"""From long rows to aligned arrays: the window, the checks, the grid, the hash."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import codec
from engine.errors import MarketDataUnavailable
from engine.market.actions import ActionChoice
from engine.market.bars import FIELDS, Bars
from engine.market.calendars import (
    assign_sessions,
    day_number,
    day_text,
    sessions_per_year,
)
from engine.market.checks import check_rows, refuse
from engine.market.grid import grid_of
from engine.market.rows import Problem, Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.model import CorporateAction

EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Window:
    """Which bars of a source are wanted, and how they are to be read."""

    symbols: tuple[str, ...]
    start: date | None
    end: date | None
    timeframe: str
    calendar: str
    repair: bool
    actions: ActionChoice


def assemble(rows: Rows, window: Window, label: str, provenance: Mapping[str, Any]) -> Bars:
    """The bars of the window, checked, on their grid.

    Raises ``MarketDataInvalid`` for a bad row of the wanted symbols in the window (unless the
    window says repair), ``MarketDataUnavailable`` where nothing is left.
    """
    unread = [
        problem
        for problem in rows.unread
        if problem.symbol is None or problem.symbol in window.symbols
    ]
    if unread and not window.repair:
        raise refuse(unread, len(unread))
    repairs = dict(Counter(problem.kind for problem in unread))
    examples = [problem.text for problem in unread[:EXAMPLES]]

    rows = rows.choose(window.symbols)
    if unread and not len(rows):
        raise _all_bad(f"no bar of {label} can be read", unread[0])
    rows = _inside(rows, window)
    if not len(rows):
        raise _nothing(window, label)
    findings = check_rows(rows, EXAMPLES)
    if findings.problems:
        count = sum(findings.counts.values())
        if not window.repair:
            raise refuse(findings.problems, count)
        for kind, number in findings.counts.items():
            repairs[kind] = repairs.get(kind, 0) + number
        examples += [problem.text for problem in findings.problems]
        rows = rows.take(~findings.bad)
        if not len(rows):
            raise _all_bad(f"every bar of {label} in the window is bad", findings.problems[0])

    stamps, steps = grid_of(rows.stamps)
    days, sessions = assign_sessions(window.calendar, window.timeframe, stamps)
    chosen = _in_force(window.actions.of(rows, steps, days[sessions]), window.symbols, days)
    arrays = _scatter(rows, steps, len(stamps))
    gaps = len(stamps) * len(window.symbols) - len(rows)
    present = np.bincount(rows.codes, minlength=len(window.symbols))
    notices = [
        *rows.notices,
        *window.actions.notices(rows),
        *(
            f"{symbol} has no bars in the window"
            for symbol, count in zip(window.symbols, present.tolist(), strict=True)
            if not count
        ),
    ]
    if repairs:
        dropped = sum(repairs.values())
        notices.append(f"{dropped} bad row{'s were' if dropped > 1 else ' was'} dropped (--repair)")
    dates = tuple(day_text(day) for day in days.tolist())
    bars = Bars(
        symbols=window.symbols,
        stamps=stamps,
        **arrays,
        sessions=sessions,
        session_dates=dates,
        timeframe=window.timeframe,
        calendar=window.calendar,
        sessions_per_year=sessions_per_year(window.calendar),
        actions=chosen,
        content_hash="",
        provenance={
            **provenance,
            "timeframe": window.timeframe,
            "calendar": window.calendar,
            "sessions_per_year": sessions_per_year(window.calendar),
            "first": dates[0],
            "last": dates[-1],
            "rows": len(rows),
            "gaps": gaps,
            "repairs": repairs,
            "repaired": examples[:EXAMPLES] if repairs else [],
            "notices": notices,
        },
    )
    stamps.setflags(write=False)
    sessions.setflags(write=False)
    for values in arrays.values():
        values.setflags(write=False)
    object.__setattr__(bars, "content_hash", content_hash(bars))
    return bars


def content_hash(bars: Bars) -> str:
    """SHA-256 over everything a simulation can see of the bars; provenance is not in it."""
    digest = hashlib.sha256()
    head = {
        "symbols": bars.symbols,
        "timeframe": bars.timeframe,
        "calendar": bars.calendar,
        "sessions_per_year": bars.sessions_per_year,
        "session_dates": bars.session_dates,
        "actions": bars.actions,
        "steps": len(bars.stamps),
    }
    digest.update(codec.dumps(head).encode())
    arrays = (bars.stamps, bars.sessions, *(getattr(bars, field) for field in FIELDS))
    for array in arrays:
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
    return digest.hexdigest()


def _inside(rows: Rows, window: Window) -> Rows:
    """The rows whose session's trade date lies in the window."""
    if (window.start is None and window.end is None) or not len(rows):
        return rows
    stamps, steps = grid_of(rows.stamps)
    dates, sessions = assign_sessions(window.calendar, window.timeframe, stamps)
    days = dates[sessions]
    wanted = np.ones(len(stamps), dtype=np.bool_)
    if window.start is not None:
        wanted &= days >= day_number(window.start)
    if window.end is not None:
        wanted &= days <= day_number(window.end)
    return rows.take(wanted[steps])


def _scatter(rows: Rows, steps: NDArray[np.int64], count: int) -> dict[str, NDArray[np.float64]]:
    width = len(rows.symbols)
    cells = steps * width + rows.codes
    arrays = {}
    for field in FIELDS:
        flat = np.full(count * width, np.nan)
        flat[cells] = rows.fields[field]
        arrays[field] = flat.reshape(count, width)
    return arrays


def _in_force(
    actions: Sequence[CorporateAction], symbols: tuple[str, ...], days: NDArray[np.int64]
) -> tuple[CorporateAction, ...]:
    """The actions on these symbols between the first and the last session; splits come first on
    their date (policy M8), then symbols as in the request."""
    first, last = day_text(int(days[0])), day_text(int(days[-1]))
    order = {symbol: place for place, symbol in enumerate(symbols)}
    inside = [
        action for action in actions if action.symbol in order and first <= action.ex_date <= last
    ]
    return tuple(
        sorted(inside, key=lambda act: (act.ex_date, act.kind != "split", order[act.symbol]))
    )


def _all_bad(said: str, first: Problem) -> MarketDataUnavailable:
    return MarketDataUnavailable(f"{said}: {first.text}", field="source", remedy="correct the data")


def _nothing(window: Window, label: str) -> MarketDataUnavailable:
    names = ", ".join(window.symbols[:5]) + (" …" if len(window.symbols) > 5 else "")
    return MarketDataUnavailable(
        f"{label} has no bars of {names} from {window.start or 'its first'} to"
        f" {window.end or 'its last'}",
        field="start",
        remedy="choose other dates or symbols",
    )
