"""``stepdeck data check``: everything wrong with a file, not just the first thing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import InvalidFile, InvalidOption
from engine.market.checks import check_rows
from engine.market.files import FORMATS, expand, format_of, load_files, read_headers
from engine.market.rows import Problem
from engine.market.stamps import check_zone
from engine.market.timeframes import infer_timeframe
from engine.model import stamp_text

SHOWN = 100


@dataclass(frozen=True, slots=True)
class SymbolReport:
    """One symbol of a checked file: how many good bars, from when to when, and how many of them
    have no volume."""

    symbol: str
    rows: int
    first: str
    last: str
    zero_volume: int


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What ``data check`` found. ``problems`` are the first of the bad rows, ``counts`` all of them
    by rule; ``timeframe`` is None where the bars do not tell one, and a notice says why."""

    files: tuple[str, ...]
    rows: int
    symbols: tuple[SymbolReport, ...]
    timeframe: str | None
    problems: tuple[Problem, ...]
    counts: dict[str, int]
    notices: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every row obeys every rule."""
        return not self.counts


def check_file(pattern: str, *, tz: str = "UTC", shown: int = SHOWN) -> CheckReport:
    """Check all rows of a file, folder or glob; ``csv:`` or ``parquet:`` may stand before it.

    Raises ``InvalidFile`` for what is no bar file, ``MarketDataInvalid`` for one that cannot be
    read at all.
    """
    check_zone(tz)
    name, colon, rest = pattern.partition(":")
    if colon and name in FORMATS:
        form, pattern = name, rest
    else:
        form = format_of(pattern) or _folder_format(pattern)
    paths = expand(pattern, form)
    rows = load_files(read_headers(paths, form), form, tz, None, None)
    findings = check_rows(rows, shown)
    counts = Counter(problem.kind for problem in rows.unread)
    counts.update(findings.counts)
    notices = list(rows.notices)
    good = rows.take(~findings.bad)
    timeframe = None
    try:
        timeframe = infer_timeframe(good.codes, good.stamps, paths[0].name) if len(good) else None
    except InvalidOption as error:
        notices.append(str(error))
    symbols = []
    for code, symbol in enumerate(good.symbols):
        own = np.flatnonzero(good.codes == code)
        if len(own):
            stamps = good.stamps[own]
            symbols.append(
                SymbolReport(
                    symbol,
                    len(own),
                    stamp_text(int(stamps.min())),
                    stamp_text(int(stamps.max())),
                    int(np.count_nonzero(good.fields["volume"][own] == 0)),
                )
            )
    return CheckReport(
        tuple(str(path) for path in paths),
        len(rows) + len(rows.unread),
        tuple(symbols),
        timeframe,
        (*rows.unread, *findings.problems)[:shown],
        dict(counts),
        tuple(notices),
    )


def _folder_format(pattern: str) -> str:
    folder = Path(pattern).expanduser()
    if not folder.exists():
        raise InvalidFile(
            f"there is no file {folder}", field="path", remedy="name a CSV or Parquet file"
        )
    for name, form in FORMATS.items():
        if folder.is_dir() and any(
            child.name.lower().endswith(form.ends) for child in folder.iterdir()
        ):
            return name
    raise InvalidFile(
        f"{folder} is neither CSV nor Parquet by its name",
        field="path",
        remedy="write csv:PATH or parquet:PATH",
    )
