"""What a source delivers: a window of bars as aligned arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.model import CorporateAction

PRICES = ("open", "high", "low", "close")
FIELDS = (*PRICES, "volume")


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of N symbols on one grid of T stamps, with what is known of where they come from.

    ``stamps`` int64 [T], microseconds since the epoch, ascending: the union of the symbols' own
    (policy G1). ``open`` to ``volume`` are float64 [T, N], C-contiguous, not writeable, NaN where
    the symbol has no bar. ``sessions`` int32 [T] is each grid point's session as an ordinal into
    ``session_dates`` (ISO dates, the trade dates). ``sessions_per_year`` is what daily figures are
    annualised with. ``content_hash`` is the SHA-256 of all that a simulation can see of these bars.
    ``provenance`` says source, feed, adjustment, calendar, rows, gaps, repairs and notices.
    """

    symbols: tuple[str, ...]
    stamps: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    sessions: NDArray[np.int32]
    session_dates: tuple[str, ...]
    timeframe: str
    calendar: str
    sessions_per_year: int
    actions: tuple[CorporateAction, ...]
    content_hash: str
    provenance: Mapping[str, Any]
