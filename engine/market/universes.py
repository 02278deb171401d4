"""Named lists of symbols."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from engine.errors import InvalidOption

DJIA30 = (
    # The Dow Jones Industrial Average since NVDA and SHW replaced INTC and DOW on 2024-11-08.
    "AAPL", "AMGN", "AMZN", "AXP", "BA", "CAT", "CRM", "CSCO", "CVX", "DIS",
    "GS", "HD", "HON", "IBM", "JNJ", "JPM", "KO", "MCD", "MMM", "MRK",
    "MSFT", "NKE", "NVDA", "PG", "SHW", "TRV", "UNH", "V", "VZ", "WMT",
)  # fmt: skip

UNIVERSES: Mapping[str, tuple[str, ...]] = MappingProxyType({"djia30": DJIA30})


def universe(name: str) -> tuple[str, ...]:
    """The symbols of a named list; raises ``InvalidOption``."""
    if name not in UNIVERSES:
        raise InvalidOption(
            f"no universe {name!r}", field="universe", remedy=f"there is {', '.join(UNIVERSES)}"
        )
    return UNIVERSES[name]
