"""Bars of all symbols on one grid, as aligned arrays that nobody can write to.

The grid is the sorted union of the symbols' open stamps (policy G1); where a symbol has no bar its
prices and volume are NaN. A panel may be shared by any number of runs and threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import MarketDataInvalid
from engine.model import CorporateAction

FIELDS: Final = ("open", "high", "low", "close", "volume")
ACTION_KINDS: Final = frozenset({"split", "dividend"})

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Panel:
    """Aligned bars; T grid points by N symbols.

    ``stamps`` are int64[T] microseconds UTC, strictly rising, the bars' opens. ``open``, ``high``,
    ``low``, ``close`` and ``volume`` are float64[T, N], NaN where there is no bar. ``sessions`` is
    int32[T], the session's ordinal at each grid point, never falling; ``session_dates`` gives each
    ordinal its ISO date, which is the trade date. ``sessions_per_year`` is 252, or 365 for a 24/7
    calendar. Arrays are made C-contiguous and read-only; one that already is, is not copied.

    Raises ``MarketDataInvalid`` naming the field where shapes, order or actions do not fit. The
    bars themselves are the source's to check (policy G6).
    """

    symbols: tuple[str, ...]
    stamps: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    sessions: NDArray[np.int32]
    session_dates: tuple[str, ...]
    timeframe: str = "1Day"
    calendar: str = "XNYS"
    sessions_per_year: int = 252
    actions: tuple[CorporateAction, ...] = ()
    content_hash: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        freeze = object.__setattr__
        freeze(self, "symbols", tuple(self.symbols))
        freeze(self, "actions", tuple(self.actions))
        freeze(self, "session_dates", tuple(self.session_dates))
        freeze(self, "provenance", MappingProxyType(dict(self.provenance)))
        freeze(self, "stamps", _sealed(self.stamps, np.int64))
        freeze(self, "sessions", _sealed(self.sessions, np.int32))
        for name in FIELDS:
            freeze(self, name, _sealed(getattr(self, name), np.float64))
        self._check()

    def _check(self) -> None:
        if not self.symbols or len(set(self.symbols)) != len(self.symbols):
            raise MarketDataInvalid("a panel needs symbols, each once", field="symbols")
        steps = self.stamps.shape[0]
        if self.stamps.ndim != 1 or not steps:
            raise MarketDataInvalid("a panel needs at least one grid point", field="stamps")
        if steps > 1 and not (self.stamps[1:] > self.stamps[:-1]).all():
            raise MarketDataInvalid("grid stamps must rise strictly", field="timestamp")
        shape = (steps, len(self.symbols))
        for name in FIELDS:
            if getattr(self, name).shape != shape:
                raise MarketDataInvalid(
                    f"{name} has shape {getattr(self, name).shape}, the grid {shape}", field=name
                )
        if self.sessions.shape != (steps,) or (self.sessions[1:] < self.sessions[:-1]).any():
            raise MarketDataInvalid("sessions must be one per grid point, never falling")
        if self.sessions[0] < 0 or self.sessions[-1] >= len(self.session_dates):
            raise MarketDataInvalid("every session needs its date", field="session_dates")
        for action in self.actions:
            if action.symbol not in self.index:
                raise MarketDataInvalid(
                    f"an action names {action.symbol!r}, which has no bars", field="symbol"
                )
            if action.kind not in ACTION_KINDS:
                raise MarketDataInvalid(
                    f"action kind {action.kind!r} is neither split nor dividend", field="kind"
                )
            if not 0 < action.value < float("inf"):
                raise MarketDataInvalid(
                    f"{action.kind} of {action.symbol} on {action.ex_date} has value"
                    f" {action.value}",
                    field="value",
                    remedy="it must be a number above zero",
                )

    @property
    def steps(self) -> int:
        """Number of grid points, T."""
        return int(self.stamps.shape[0])

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Column of each symbol."""
        return MappingProxyType({symbol: i for i, symbol in enumerate(self.symbols)})

    @cached_property
    def session_days(self) -> NDArray[np.int64]:
        """int64: the trade date of each session ordinal, in days since 1970."""
        dates = np.array(self.session_dates, dtype="datetime64[D]")
        return _sealed(dates.astype(np.int64), np.int64)

    @cached_property
    def has_bar(self) -> NDArray[np.bool_]:
        """bool[T, N]: whether the symbol has a bar at the grid point."""
        return _sealed(~np.isnan(self.close), np.bool_)

    @cached_property
    def has_gaps(self) -> bool:
        """Whether any symbol lacks a bar anywhere."""
        return not bool(self.has_bar.all())

    @cached_property
    def mark(self) -> Floats:
        """float64[T, N]: the last close seen, NaN before a symbol's first bar (policy M9)."""
        if not self.has_gaps:
            return self.close
        rows = np.arange(self.steps)[:, None]
        last = np.maximum.accumulate(np.where(self.has_bar, rows, 0), axis=0)
        return _sealed(np.take_along_axis(self.close, last, axis=0), np.float64)

    @cached_property
    def flat(self) -> Mapping[str, memoryview]:
        """Each price field, ``mark`` and ``volume`` as one flat memoryview, row after row.

        Scalars read from it are plain floats, several times faster than out of an array.
        """
        names = (*FIELDS, "mark")
        return MappingProxyType({n: memoryview(getattr(self, n).reshape(-1)) for n in names})

    @cached_property
    def indicator_cache(self) -> dict[tuple[str, tuple[float, ...]], Floats]:
        """Whole-panel indicator arrays by name and parameters, filled by ``indicators``."""
        return {}


def _sealed(values: NDArray[Any], kind: type[np.generic]) -> NDArray[Any]:
    array = np.ascontiguousarray(values, dtype=kind)
    if array.flags.writeable:
        if array is values or array.base is not None:
            array = array.copy()  # the caller may go on writing to its own
        array.flags.writeable = False
    return array
