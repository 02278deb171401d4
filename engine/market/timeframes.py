"""Timeframes, and telling one from how far apart bars are."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InvalidOption

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

TIMEFRAMES: Mapping[str, int] = MappingProxyType(
    {"1Min": MINUTE, "5Min": 5 * MINUTE, "15Min": 15 * MINUTE, "1Hour": HOUR, "1Day": DAY}
)
"""Name to length in microseconds."""

SHORTEST_DAY = 20 * HOUR  # daily bars at local midnight are 23 hours apart when the clock changes
LONGEST_DAY = 4 * DAY  # over a weekend with a holiday
ENOUGH = 10  # distances that must all differ before a file is said not to have a timeframe


def check_timeframe(name: str | None) -> None:
    """Raise ``InvalidOption`` for a timeframe that is none."""
    if name is not None and name not in TIMEFRAMES:
        raise InvalidOption(
            f"no timeframe {name!r}", field="timeframe", remedy=f"there are {', '.join(TIMEFRAMES)}"
        )


def infer_timeframe(codes: NDArray[np.int32], stamps: NDArray[np.int64], label: str) -> str:
    """The timeframe of bars (symbol codes and stamps [R], any order), from their usual distance.

    Raises ``InvalidOption`` where they do not tell, or tell one that is not supported.
    """
    distances = _distances(codes, stamps)
    if not len(distances):
        if len(stamps) and _at_midnight(stamps):
            return "1Day"
        raise InvalidOption(
            f"{label} has one bar a symbol, which tells no timeframe",
            field="timeframe",
            remedy=f"give it: {', '.join(TIMEFRAMES)}",
        )
    if distances.min() >= SHORTEST_DAY:
        if np.median(distances) <= LONGEST_DAY:
            return "1Day"
        usual = int(np.median(distances))
    else:
        values, counts = np.unique(distances[distances < SHORTEST_DAY], return_counts=True)
        usual = int(values[counts.argmax()])
        names = {length: name for name, length in TIMEFRAMES.items()}
        for length in (usual, int(values[0])):
            if length in names:
                return names[length]
    raise InvalidOption(
        f"the bars of {label} are {_span(usual)} apart",
        field="timeframe",
        remedy=f"the timeframes are {', '.join(TIMEFRAMES)}",
    )


def require_timeframe(
    name: str, codes: NDArray[np.int32], stamps: NDArray[np.int64], label: str
) -> None:
    """Raise ``InvalidOption`` where bars (as for :func:`infer_timeframe`) cannot be of timeframe
    ``name``: they overlap, or no two of many are that far apart.

    A few bars are taken at their word, and so are bars that usually are that far apart: some
    vendors' first hour of the day is half a one.
    """
    distances = _distances(codes, stamps)
    if not len(distances):
        return
    values, counts = np.unique(distances, return_counts=True)
    usual = int(values[counts.argmax()])
    if usual == TIMEFRAMES[name]:
        return
    overlap = values[0] < (SHORTEST_DAY if name == "1Day" else TIMEFRAMES[name])
    many = len(distances) >= ENOUGH or _at_midnight(stamps)
    if overlap or (name != "1Day" and many and TIMEFRAMES[name] not in values):
        raise InvalidOption(
            f"the bars of {label} are {_span(usual)} apart, not {name}",
            field="timeframe",
            remedy="leave --timeframe out to use the data's own",
        )


def _distances(codes: NDArray[np.int32], stamps: NDArray[np.int64]) -> NDArray[np.int64]:
    """The distances between consecutive bars of a symbol, repeats left out."""
    order = np.lexsort((stamps, codes))
    gaps = np.diff(stamps[order])
    distances: NDArray[np.int64] = gaps[(np.diff(codes[order]) == 0) & (gaps > 0)]
    return distances


def _at_midnight(stamps: NDArray[np.int64]) -> bool:
    """Whether all bars are stamped with a New York or UTC midnight, as daily ones are."""
    return bool(np.isin(stamps % DAY, (0, 4 * HOUR, 5 * HOUR)).all())


def _span(length: int) -> str:
    units = (("day", DAY), ("hour", HOUR), ("minute", MINUTE), ("second", SECOND))
    name, unit = next((each for each in units if length >= each[1]), units[-1])
    count = length / unit
    return f"{count:g} {name}{'' if count == 1 else 's'}"
