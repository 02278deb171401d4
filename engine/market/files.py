"""Bar files: one, a folder of them, or a glob; CSV and Parquet."""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InvalidFile, InvalidOption, LoadCancelled, MarketDataInvalid
from engine.market.csv_file import Lines, csv_header, read_csv
from engine.market.headers import CONTRACT, Header
from engine.market.parquet_file import parquet_header, read_parquet
from engine.market.parts import NUMBERS, Part, coded, join_parts, row_locator
from engine.market.rows import Cancelled, Progress, Rows
from engine.market.stamps import MISSING, implausible
from engine.market.timeframes import infer_timeframe, require_timeframe

if TYPE_CHECKING:
    from numpy.typing import NDArray

PROBE = 50_000  # rows of a file that tell a timeframe, kept for as long as it is remembered


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: the ends of its names, and how to read a header and a body."""

    ends: tuple[str, ...]
    header: Callable[[Path], Header]
    read: Callable[[Path, Header, tuple[str, ...], str], Part]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "csv": Format((".csv", ".csv.gz"), csv_header, read_csv),
        "parquet": Format((".parquet", ".pq"), parquet_header, read_parquet),
    }
)


@dataclass(frozen=True, eq=False)
class Scan:
    """What a look at names and stamps tells: ``symbols`` in order of appearance, and a probe of
    symbol ``codes`` int32 [P] and ``stamps`` int64 [P]. ``whole`` is whether all could be read; a
    symbol is named even where none of its stamps could, so that loading says so."""

    symbols: tuple[str, ...]
    codes: NDArray[np.int32]
    stamps: NDArray[np.int64]
    whole: bool = True


def format_of(path: str) -> str | None:
    """The format that a file's name tells, None if none does."""
    for name, form in FORMATS.items():
        if path.lower().endswith(form.ends):
            return name
    return None


def expand(pattern: str, format_name: str) -> tuple[Path, ...]:
    """The files that a path, a folder or a glob means, sorted, absolute.

    Raises ``InvalidFile`` if there are none.
    """
    form = FORMATS[format_name]
    path = Path(pattern).expanduser()
    if path.is_dir():
        found = [child for child in path.iterdir() if child.name.lower().endswith(form.ends)]
        missing = f"the folder {path} has no {' or '.join(form.ends)} files"
    elif path.is_file():
        found = [path]
        missing = ""
    elif glob.has_magic(pattern):
        found = [Path(name) for name in glob.glob(str(path)) if Path(name).is_file()]  # noqa: PTH207
        missing = f"no file matches {pattern}"
    else:
        found = []
        missing = f"there is no file {path}"
    if not found:
        raise InvalidFile(
            missing, field="source", remedy=f"give --source {format_name}:PATH of a file or folder"
        )
    return tuple(sorted(child.absolute() for child in found))


def read_headers(paths: tuple[Path, ...], format_name: str) -> dict[Path, Header]:
    """Every file's header; raises ``InvalidFile`` for the first that is none."""
    return {path: FORMATS[format_name].header(path) for path in paths}


def scan_files(headers: Mapping[Path, Header], format_name: str, zone: str) -> Scan:
    """Read symbols and stamps alone; a file that has not changed since is not read again.

    Raises ``InvalidFile`` for a file that cannot be read, or holds nothing.
    """
    scans = []
    for path, header in headers.items():
        status = path.stat()
        try:
            scans.append(
                _scan(path, header.lines, status.st_mtime_ns, status.st_size, format_name, zone)
            )
        except MarketDataInvalid as error:
            raise InvalidFile(error.message, field="source", remedy=error.remedy) from error
    symbols = tuple(dict.fromkeys(symbol for scan in scans for symbol in scan.symbols))
    whole = all(scan.whole for scan in scans)
    if not symbols and whole:
        raise InvalidFile(
            f"{next(iter(headers)).name} has a header and no bars", field="source", remedy=CONTRACT
        )
    places = {symbol: code for code, symbol in enumerate(symbols)}
    codes = [
        np.array([places[symbol] for symbol in scan.symbols], dtype=np.int32)[scan.codes]
        for scan in scans
    ]
    return Scan(
        symbols, np.concatenate(codes), np.concatenate([scan.stamps for scan in scans]), whole
    )


@lru_cache(maxsize=32)
def _scan(path: Path, lines: int, changed: int, size: int, format_name: str, zone: str) -> Scan:
    del lines, changed, size  # they are in the cache's key, that is all
    form = FORMATS[format_name]
    part = form.read(path, form.header(path), ("symbol", "timestamp"), zone)
    names, codes = coded(_stem(path), part)
    stamps = part.stamps.values
    good = (codes >= 0) & (stamps != MISSING) & ~implausible(stamps)
    whole = bool(good.all()) and not part.lost
    chosen = np.flatnonzero(good)[:PROBE]
    return Scan(names if part.count else (), codes[chosen], stamps[chosen], whole)


def choose_timeframe(scan: Scan, wanted: str | None, label: str, *, repair: bool = False) -> str:
    """The timeframe of the files: inferred, or as wanted if their spacing allows it.

    Files with lines that cannot be read pass for daily if nothing else can be told: loading them
    will name the line, which says more. Raises ``InvalidOption``.
    """
    if wanted is not None:
        require_timeframe(wanted, scan.codes, scan.stamps, label)
        return wanted
    try:
        return infer_timeframe(scan.codes, scan.stamps, label)
    except InvalidOption:
        if len(scan.stamps) and (scan.whole or repair):
            raise
        return "1Day"


def load_files(
    headers: Mapping[Path, Header],
    format_name: str,
    zone: str,
    progress: Progress | None,
    cancelled: Cancelled | None,
) -> Rows:
    """All rows of the files.

    Raises ``MarketDataInvalid`` for a file that cannot be read, ``LoadCancelled`` when asked to.
    """
    form = FORMATS[format_name]
    columns = ("symbol", "timestamp", *NUMBERS)
    parts: list[tuple[str, Part]] = []
    for done, (path, header) in enumerate(headers.items(), start=1):
        if cancelled is not None and cancelled():
            raise LoadCancelled(f"loading of {path.name} was cancelled")
        parts.append((_stem(path), form.read(path, header, columns, zone)))
        if progress is not None:
            progress(path.name, done, len(headers))
    locators = [
        Lines(path, header) if format_name == "csv" else row_locator(path.name)
        for path, header in headers.items()
    ]
    return join_parts(parts, locators, zone)


def _stem(path: Path) -> str:
    """The symbol after which a file without a symbol column is named: ``AAPL.csv.gz``."""
    return path.name.split(".")[0]
