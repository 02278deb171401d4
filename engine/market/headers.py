"""Column names of bar files, whatever their case and custom."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from engine.errors import InvalidFile
from engine.market.bars import FIELDS

ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "symbol": ("symbol", "ticker", "sym"),
        "timestamp": ("timestamp", "date", "datetime", "time", "date time", "ts"),
        "open": ("open", "o"),
        "high": ("high", "h"),
        "low": ("low", "l"),
        "close": ("close", "c"),
        "volume": ("volume", "vol", "v"),
        "dividend": ("dividend", "dividends"),
        "split": ("split", "splits", "stock split", "stock splits"),
    }
)
REQUIRED = ("timestamp", *FIELDS)
ADJUSTED = re.compile(r"adj(usted)? ?(open|high|low|close|volume)")
CONTRACT = "a bar file has symbol,timestamp,open,high,low,close,volume"


@dataclass(frozen=True, slots=True)
class Header:
    """Which column of a file holds what: ``places`` maps our names to indices into the file's
    ``names``; ``ignored`` are the names of the rest. ``lines`` is how many lines it takes up."""

    names: tuple[str, ...]
    places: Mapping[str, int]
    ignored: tuple[str, ...]
    lines: int = 0


def read_header(names: Sequence[str], where: str, lines: int = 0) -> Header:
    """Understand the column names of a file; ``where`` names it in errors.

    Raises ``InvalidFile`` for a missing or doubly given column, and for adjusted prices beside
    raw ones.
    """
    meanings = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    places: dict[str, int] = {}
    ignored: list[str] = []
    for place, raw in enumerate(names):
        plain = re.sub(r"[\s_/-]+", " ", raw.strip().lower())
        if ADJUSTED.fullmatch(plain):
            raise InvalidFile(
                f"{where}: column {raw.strip()!r} is adjusted and the other prices are not, so that"
                " open, high, low and close would be on two bases",
                field=raw.strip(),
                remedy="adjust all of them under the plain names, or remove the column",
            )
        name = meanings.get(plain)
        if name is None:
            ignored.append(raw.strip())
        elif name in places:
            raise InvalidFile(
                f"{where}: columns {names[places[name]].strip()!r} and {raw.strip()!r} both mean"
                f" {name}",
                field=name,
                remedy="leave one of them",
            )
        else:
            places[name] = place
    missing = [name for name in REQUIRED if name not in places]
    if missing:
        columns = ", ".join(name.strip() or "''" for name in names)
        raise InvalidFile(
            f"{where}: no column {', '.join(missing)} among {columns}",
            field=missing[0],
            remedy=CONTRACT,
        )
    return Header(tuple(names), places, tuple(ignored), lines)
