"""Seeded bars that look like a market's: ``synthetic[:name=value,…]``.

Log returns are drawn session by session. A session's variance follows a log-normal AR(1) process
that the symbols partly share (volatility clusters), and is split between the gap at its open and
its bars, the first and last of which are the busiest. Each return mixes a market factor with the
symbol's own noise (correlation). High and low are the extremes of a Brownian bridge from open to
close, drawn from their exact distribution. Prices are rounded to the cent.

A symbol's bars depend on the seed, the window, the parameters and its own name, not on which
other symbols are asked for with it. Same arguments, same bytes.
"""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InvalidOption, LoadCancelled, UnknownSymbol
from engine.market.calendars import EPOCH_DATE, Schedule, day_text, schedule
from engine.market.rows import Cancelled, Progress, Rows
from engine.market.stamps import YEARS
from engine.market.timeframes import DAY, MINUTE, TIMEFRAMES
from engine.model import CorporateAction

if TYPE_CHECKING:
    from numpy.typing import NDArray

START = date(2020, 1, 1)
DEFAULT_BARS: Mapping[str, int] = {
    "1Day": 1260,
    "1Hour": 1750,
    "15Min": 2600,
    "5Min": 3900,
    "1Min": 7800,
}
MOST_BARS = 50_000_000  # 2 GB as arrays
PERSISTENCE = 0.97  # of log variance from one session to the next
RATIOS = (2.0, 3.0, 1.5, 0.1)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What ``synthetic:`` takes after its colon.

    seed: another market
    symbols: how many symbols, where none are named
    bars: how many grid points, where no end date is given
    vol: yearly volatility of a symbol
    drift: yearly expected log return
    corr: correlation between symbols
    cluster: how strongly volatility clusters, 0 for not at all
    gap: share of a session's variance that happens overnight
    price: first close, on average
    volume: shares a session, on average
    missing: share of bars that are missing
    splits: splits a symbol and year
    dividends: yearly dividend yield, paid each quarter
    """

    seed: int = 0
    symbols: int = 5
    bars: int | None = None
    vol: float = 0.25
    drift: float = 0.06
    corr: float = 0.35
    cluster: float = 0.35
    gap: float = 0.25
    price: float = 100.0
    volume: float = 5_000_000.0
    missing: float = 0.0
    splits: float = 0.0
    dividends: float = 0.0


LIMITS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1),
    "symbols": (1, 5000),
    "bars": (1, MOST_BARS),
    "vol": (0, 5),
    "drift": (-5, 5),
    "corr": (0, 1),
    "cluster": (0, 2),
    "gap": (0, 0.9),
    "price": (1, 1_000_000),
    "volume": (0, 1e12),
    "missing": (0, 0.9),
    "splits": (0, 10),
    "dividends": (0, 1),
}
WHOLE = ("seed", "symbols", "bars")


def parse_parameters(text: str) -> Parameters:
    """The parameters of ``name=value,name=value``; raises ``InvalidOption`` naming the bad one."""
    given: dict[str, float] = {}
    known = [field.name for field in fields(Parameters)]
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not equals or name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise InvalidOption(
                f"synthetic has no parameter {name!r}" if equals else f"{item!r} is no name=value",
                field="source",
                remedy=f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}",
            )
        given[name] = _number(name, value)
    return Parameters(**given)  # type: ignore[arg-type]  # whole where WHOLE says so


def _number(name: str, text: str) -> float:
    low, high = LIMITS[name]
    try:
        value = int(text) if name in WHOLE else float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        noun = "whole number" if name in WHOLE else "number"
        raise InvalidOption(
            f"synthetic {name}={text} is not a {noun} from {low:,.15g} to {high:,.15g}",
            field="source",
            remedy="correct it, or leave it out",
        )
    return value


def symbol_names(count: int) -> tuple[str, ...]:
    """``SYN01`` … in as many digits as it takes, at least two."""
    width = max(2, len(str(count)))
    return tuple(f"SYN{number:0{width}d}" for number in range(1, count + 1))


def check_symbol(symbol: str) -> None:
    """Raise ``UnknownSymbol`` for what no exchange would list."""
    if not symbol or len(symbol) > 32 or not symbol.isprintable() or any(c in symbol for c in " ,"):
        raise UnknownSymbol(f"{symbol!r} is no symbol", field="symbols", remedy="e.g. ACME")


@dataclass(frozen=True, eq=False)
class Grid:
    """The grid of synthetic bars: ``stamps`` int64 [T], each point's session ``place`` int64 [T]
    and number ``within`` it int64 [T], and each session's count of bars ``counts`` int64 [S]."""

    stamps: NDArray[np.int64]
    place: NDArray[np.int64]
    within: NDArray[np.int64]
    counts: NDArray[np.int64]
    days: NDArray[np.int64]


def check_size(
    parameters: Parameters,
    symbols: int,
    timeframe: str,
    calendar: str,
    start: date | None,
    end: date | None,
) -> None:
    """Raise ``InvalidOption`` for a window outside the calendar, or more bars than memory holds."""
    first, last = _dates(parameters, timeframe, calendar, start, end)
    for field, day in (("start", first), ("end", last)):
        if not YEARS[0] <= day.year < YEARS[1]:
            raise InvalidOption(
                f"synthetic bars would {field} on {day}",
                field=field,
                remedy=f"choose years from {YEARS[0]} to {YEARS[1] - 1}",
            )
    most = ((last - first).days + 1) * _per_day(timeframe, calendar)
    if end is None:
        most = min(most, parameters.bars or DEFAULT_BARS[timeframe])
    if most * symbols > MOST_BARS:
        raise InvalidOption(
            f"synthetic would make about {most * symbols:,} bars",
            field="end" if end is not None else "source",
            remedy=f"ask for at most {MOST_BARS:,} in all",
        )


def make_grid(
    parameters: Parameters, timeframe: str, calendar: str, start: date | None, end: date | None
) -> Grid:
    """All bars of the sessions from ``start`` to ``end``; ``bars`` of them at most, if that is set.

    Without ``end`` there are ``bars`` of them, or a default.
    """
    first, last = _dates(parameters, timeframe, calendar, start, end)
    sessions = schedule(calendar, first, last)
    stamps, place, within, counts = _session_bars(sessions, timeframe)
    wanted = parameters.bars
    if wanted is None and end is None:
        wanted = DEFAULT_BARS[timeframe]
    return Grid(stamps[:wanted], place[:wanted], within[:wanted], counts, sessions.days)


def _dates(
    parameters: Parameters, timeframe: str, calendar: str, start: date | None, end: date | None
) -> tuple[date, date]:
    """The first date, and the last or one that is late enough for the bars wanted."""
    first = start or (START if end is None or end >= START else end - timedelta(days=1826))
    if end is not None:
        return first, end
    wanted = parameters.bars or DEFAULT_BARS[timeframe]
    # 252 sessions a year are more than 2 in 3 days; early closes are short by a few per cent.
    days = int(wanted / _per_day(timeframe, calendar) * 1.55) + 30
    return first, first + timedelta(days=min(days, (date.max - first).days))


def _per_day(timeframe: str, calendar: str) -> int:
    """Bars of a full session."""
    length = TIMEFRAMES[timeframe]
    minutes = 390 if calendar == "XNYS" else 1440
    return 1 if timeframe == "1Day" else -(-minutes * MINUTE // length)


def _session_bars(
    sessions: Schedule, timeframe: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    if timeframe == "1Day":
        numbers = np.arange(len(sessions.days))
        return sessions.days * DAY, numbers, np.zeros_like(numbers), np.ones_like(numbers)
    length = TIMEFRAMES[timeframe]
    counts = -((sessions.opens - sessions.closes) // length)  # the last bar may be a short one
    place = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    within = np.arange(len(place)) - starts[place]
    return sessions.opens[place] + within * length, place, within, counts


def load_synthetic(
    parameters: Parameters,
    symbols: tuple[str, ...],
    grid: Grid,
    timeframe: str,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> Rows:
    """The bars of ``symbols`` on ``grid``; raises ``LoadCancelled`` when asked to."""
    if not len(grid.stamps):
        empty = np.empty(0)
        return Rows(
            symbols,
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            dict.fromkeys(("open", "high", "low", "close", "volume"), empty),
            _locate,
        )
    market = _Market(parameters, grid, timeframe)
    made: list[dict[str, NDArray[np.float64]]] = []
    kept: list[NDArray[np.bool_]] = []
    actions: list[CorporateAction] = []
    for done, symbol in enumerate(symbols, start=1):
        if cancelled is not None and cancelled():
            raise LoadCancelled("making synthetic bars was cancelled")
        bars, present, own = market.make(symbol)
        made.append(bars)
        kept.append(present)
        actions += own
        if progress is not None:
            progress(symbol, done, len(symbols))
    rows = Rows(
        symbols=symbols,
        codes=np.repeat(np.arange(len(symbols), dtype=np.int32), len(grid.stamps)),
        stamps=np.tile(grid.stamps, len(symbols)),
        fields={name: np.concatenate([bars[name] for bars in made]) for name in made[0]},
        locate=_locate,
        actions=tuple(actions),
    )
    return rows.take(np.concatenate(kept))


def _locate(row: int) -> str:
    return f"synthetic row {row + 1}"


def _generator(seed: int, *names: str) -> np.random.Generator:
    """A stream of its own for every purpose and symbol."""
    digest = hashlib.sha256("\0".join((str(seed), *names)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


class _Market:
    """What the symbols share: the factor's returns, and how the variance of a session is spread."""

    def __init__(self, parameters: Parameters, grid: Grid, timeframe: str) -> None:
        self.parameters, self.grid = parameters, grid
        draw = _generator(parameters.seed, "market", timeframe)
        sessions = len(grid.days)
        self.mood = _autoregression(draw, sessions)
        self.gaps = draw.standard_normal(sessions)
        self.moves = draw.standard_normal(len(grid.stamps))
        # A U over the session: the first and last bars move most.
        width = np.maximum(grid.counts[grid.place] - 1, 1)
        shape = 1.0 + 2.0 * (2.0 * grid.within / width - 1.0) ** 2
        if timeframe == "1Day":
            shape = np.ones(len(grid.stamps))
        self.shape = shape
        total = np.bincount(grid.place, shape, minlength=sessions)
        self.part = (1.0 - parameters.gap) * shape / total[grid.place]
        self.opens = np.flatnonzero(grid.within == 0)
        self.timeframe = timeframe

    def make(
        self, symbol: str
    ) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.bool_], list[CorporateAction]]:
        """The symbol's bars on the grid, which of them are there, and its actions."""
        parameters, grid = self.parameters, self.grid
        draw = _generator(parameters.seed, "symbol", symbol, self.timeframe)
        count, sessions = len(grid.stamps), len(grid.days)
        own = math.sqrt(1.0 - parameters.corr)
        shared = math.sqrt(parameters.corr)
        mood = shared * self.mood + own * _autoregression(draw, sessions)
        # Log-normal variance of mean 1; clipped, so that no price runs out of what cents can show.
        spread = parameters.cluster
        variance = np.exp(np.clip(2.0 * spread * mood - 2.0 * spread**2, -6.0, 4.0))
        daily = parameters.vol / math.sqrt(252.0)
        beta = math.exp(0.25 * draw.standard_normal())
        sigma = daily * math.sqrt(beta) * np.sqrt(variance)

        gap = np.zeros(count)
        noise = shared * self.gaps + own * draw.standard_normal(sessions)
        at_open = grid.place[self.opens]
        gap[self.opens] = (sigma * math.sqrt(parameters.gap) * noise)[at_open]
        gap[0] = 0.0
        scale = sigma[grid.place] * np.sqrt(self.part)
        move = scale * (shared * self.moves + own * draw.standard_normal(count))
        move += (parameters.drift / 252.0 - 0.5 * sigma[grid.place] ** 2) * self.part
        level = math.log(parameters.price) + 0.6 * draw.standard_normal()
        close = level + np.cumsum(gap + move)
        open_ = close - move
        # Extremes of a Brownian bridge from 0 to c, variance v: (c ± sqrt(c^2 - 2 v ln U)) / 2.
        reach = -2.0 * scale**2
        rise = np.log1p(-draw.random(count))
        fall = np.log1p(-draw.random(count))
        high = open_ + 0.5 * (move + np.sqrt(move**2 + reach * rise))
        low = open_ + 0.5 * (move - np.sqrt(move**2 + reach * fall))

        factor, actions = self._actions(symbol, draw, close)
        bars = {
            name: np.maximum(np.round(np.exp(np.clip(values, -4.0, 16.0)) * factor, 2), 0.01)
            for name, values in (("open", open_), ("high", high), ("low", low), ("close", close))
        }
        busy = np.exp(0.35 * draw.standard_normal(count)) * np.sqrt(variance)[grid.place]
        bars["volume"] = np.floor(parameters.volume * busy * self.part / factor)
        present = np.ones(count, dtype=np.bool_)
        if parameters.missing:
            present = draw.random(count) >= parameters.missing
        return bars, present, actions

    def _actions(
        self, symbol: str, draw: np.random.Generator, close: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], list[CorporateAction]]:
        """What raw prices are multiplied with at each grid point, and the actions behind it."""
        parameters, grid = self.parameters, self.grid
        sessions = len(grid.days)
        factor = np.ones(sessions)
        actions: list[CorporateAction] = []
        used = np.unique(grid.place)
        if parameters.splits:
            chance = draw.random(sessions) < parameters.splits / 252.0
            ratios = draw.choice(RATIOS, sessions, p=(0.6, 0.15, 0.15, 0.1))
            for place in np.flatnonzero(chance & (np.arange(sessions) > 0)).tolist():
                factor[place:] /= ratios[place]
                actions.append(
                    CorporateAction(symbol, _day(grid, place), "split", float(ratios[place]))
                )
        if parameters.dividends:
            first = int(draw.integers(5, 63))
            last_close = np.zeros(sessions)
            last_close[grid.place] = np.exp(close)
            for place in range(first, int(used[-1]) + 1, 63):
                paid = last_close[place - 1] * factor[place] * parameters.dividends / 4
                value = round(float(paid), 4)
                if value > 0:
                    pay = (EPOCH_DATE + timedelta(days=int(grid.days[place]) + 14)).isoformat()
                    actions.append(
                        CorporateAction(symbol, _day(grid, place), "dividend", value, pay)
                    )
        return factor[grid.place], actions


def _day(grid: Grid, place: int) -> str:
    return day_text(int(grid.days[place]))


def _autoregression(draw: np.random.Generator, count: int) -> NDArray[np.float64]:
    """A standard AR(1) series of ``count`` sessions, its variance 1 throughout."""
    noise = draw.standard_normal(count).tolist()
    fresh = math.sqrt(1.0 - PERSISTENCE**2)
    series = []
    value = noise[0] if noise else 0.0
    for step in noise:
        value = PERSISTENCE * value + fresh * step
        series.append(value)
    return np.array(series)
