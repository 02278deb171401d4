"""Timestamps of files to microseconds since the epoch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import InvalidOption
from engine.model import EPOCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = np.iinfo(np.int64).min
"""The stamp of a row that has none."""
YEARS = (1900, 2200)
EARLIEST, LATEST = (
    (datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) for year in YEARS
)


@dataclass(frozen=True, eq=False)
class Stamps:
    """``values`` int64 [R], ``MISSING`` for what ``faults`` (row to reason) could not be read;
    ``zoneless`` says whether some were written without a zone, ``dates`` whether as dates alone."""

    values: NDArray[np.int64]
    faults: dict[int, str]
    zoneless: bool = False
    dates: bool = False


def implausible(stamps: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Stamps (int64 [R]) that are there, and of a year no exchange calendar knows."""
    odd: NDArray[np.bool_] = (stamps < EARLIEST) | (stamps >= LATEST)
    odd &= stamps != MISSING
    return odd


def check_zone(name: str) -> None:
    """Raise ``InvalidOption`` for a time zone that is none."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidOption(
            f"no time zone {name!r}", field="tz", remedy="e.g. UTC or America/New_York"
        ) from None


def parse_stamps(texts: Any, zone: str) -> Stamps:
    """ISO 8601 texts (an Arrow string array) as stamps; those without a zone are in ``zone``.

    A date alone is midnight UTC, whatever the zone: it names a session, not a moment.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        zoned = pc.cast(texts, pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        pass
    else:
        return _from_arrow(zoned.cast(pa.timestamp("us")))
    try:
        local = _from_arrow(pc.cast(texts, pa.timestamp("us")))
    except pa.ArrowInvalid:
        return _one_by_one(texts.to_pylist(), zone)
    lengths = pc.unique(pc.binary_length(texts)).to_pylist()
    dates = set(lengths) <= {len("2026-03-02"), None}
    if dates or zone == "UTC":
        return Stamps(local.values, local.faults, zoneless=True, dates=dates)
    return localize(local, zone)


def localize(local: Stamps, zone: str) -> Stamps:
    """Stamps read as if UTC, as wall times of ``zone``; ambiguous and skipped ones are faults."""
    import pandas as pd

    wall = pd.DatetimeIndex(local.values.astype("datetime64[us]"))
    placed = wall.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    values = placed.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    stamps = values.astype(np.int64)
    faults = dict(local.faults)
    for row in np.flatnonzero((stamps == MISSING) & (local.values != MISSING)).tolist():
        faults[row] = (
            f"{wall[row].isoformat()} happens twice or never in {zone}, where the clock changes;"
            " write the zone"
        )
    return Stamps(stamps, faults, zoneless=True)


def _from_arrow(array: Any) -> Stamps:
    import pyarrow as pa

    chunked = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
    integers = chunked.cast(pa.int64())
    if not integers.null_count:
        return Stamps(integers.to_numpy(), {})
    nulls = np.flatnonzero(integers.is_null().to_numpy()).tolist()
    values = integers.fill_null(MISSING).to_numpy()
    return Stamps(values, dict.fromkeys(nulls, "there is no timestamp"))


def _one_by_one(texts: list[str | None], zone: str) -> Stamps:
    """The slow way, for a file in which some stamps are wrong or of another form than the rest."""
    values = np.full(len(texts), MISSING, dtype=np.int64)
    faults: dict[int, str] = {}
    moments: list[datetime | None] = []
    for row, text in enumerate(texts):
        try:
            moments.append(datetime.fromisoformat((text or "").strip()))
        except ValueError:
            moments.append(None)
            faults[row] = (
                f"timestamp {text!r} is not ISO 8601 (2026-03-02T14:30:00Z)"
                if (text or "").strip()
                else "there is no timestamp"
            )
    zoned = [moment is not None and moment.tzinfo is not None for moment in moments]
    for row, moment in enumerate(moments):
        if moment is None:
            continue
        if any(zoned) and not zoned[row]:
            faults[row] = f"timestamp {texts[row]!r} has no zone, while others have one"
            continue
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        values[row] = (aware - EPOCH) // timedelta(microseconds=1)
    read = Stamps(values, faults, zoneless=not any(zoned) and any(moments))
    read_as = [text or "" for text, moment in zip(texts, moments, strict=True) if moment]
    dates = bool(read_as) and all(len(text.strip()) == 10 for text in read_as)
    if any(zoned) or zone == "UTC" or dates:
        return Stamps(values, faults, read.zoneless, dates)
    return localize(read, zone)
