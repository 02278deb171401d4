"""What one file of bars holds, before files are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.market.bars import FIELDS
from engine.market.rows import Problem, Rows
from engine.market.stamps import MISSING, Stamps, implausible
from engine.model import stamp_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

NUMBERS = (*FIELDS, "dividend", "split")


@dataclass(frozen=True, eq=False)
class Part:
    """The R rows of one file.

    ``codes`` int32 [R] index ``names``, -1 where the symbol is missing; None where the file has no
    symbol column. ``numbers`` are the columns read, float64 [R], NaN for what is absent or no
    number; ``spoilt`` tells the latter, row to (field, reason). ``lost`` are lines that are no rows
    at all.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int32] | None
    stamps: Stamps
    numbers: Mapping[str, NDArray[np.float64]]
    count: int
    lost: tuple[Problem, ...] = ()
    spoilt: Mapping[int, tuple[str, str]] = field(default_factory=dict)


def floats(column: Any) -> NDArray[np.float64]:
    """An Arrow column of numbers as float64 [R], NaN for null."""
    import pyarrow as pa

    values = column.cast(pa.float64(), safe=False)
    if values.null_count:
        values = values.fill_null(float("nan"))
    return np.asarray(values.to_numpy(), dtype=np.float64)


def code_symbols(column: Any) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """An Arrow column of text as its distinct values, stripped, in order of appearance, and codes
    int32 [R] into them; -1 where there is none."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    column = column.unify_dictionaries()
    chunks = column.chunks
    if not chunks:
        return (), np.empty(0, dtype=np.int32)
    raw = [name.strip() if name is not None else "" for name in chunks[0].dictionary.to_pylist()]
    names = tuple(dict.fromkeys(name for name in raw if name))
    places = {name: code for code, name in enumerate(names)}
    recode = np.array([places.get(name, -1) for name in raw] + [-1], dtype=np.int32)
    parts = [
        recode[chunk.indices.fill_null(len(raw)).to_numpy(zero_copy_only=False)] for chunk in chunks
    ]
    return names, np.concatenate(parts)


def row_locator(where: str) -> Callable[[int], str]:
    """Names rows by number, from 1: for sources that have no lines."""
    return lambda row: f"{where} row {row + 1}"


def coded(symbol: str, part: Part) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Names and codes int32 [R] of a part, which is all of ``symbol`` if it names none itself."""
    if part.codes is not None:
        return part.names, part.codes
    return (symbol,), np.zeros(part.count, dtype=np.int32)


def join_parts(
    parts: Sequence[tuple[str, Part]], locators: Sequence[Callable[[int], str]], zone: str
) -> Rows:
    """One table of all parts, each given with the symbol it is of if it has no symbol column.

    ``locators`` tell for each part where its rows stand. Rows without a symbol, a stamp or with a
    cell that cannot be read are left out and named in ``unread``.
    """
    named = [coded(symbol, part) for symbol, part in parts]
    symbols = tuple(dict.fromkeys(name for names, _ in named for name in names))
    places = {symbol: code for code, symbol in enumerate(symbols)}
    codes = [
        np.array([*(places[name] for name in names), -1], dtype=np.int32)[own]
        for names, own in named
    ]
    starts = np.cumsum([0, *(part.count for _, part in parts)], dtype=np.int64)

    def locate(row: int) -> str:
        number = int(starts.searchsorted(row, "right")) - 1
        return locators[number](row - int(starts[number]))

    unread: list[Problem] = []
    kept: list[NDArray[np.bool_]] = []
    for (_, part), own, where in zip(parts, codes, locators, strict=True):
        faults = {
            **part.spoilt,
            **{row: ("timestamp", why) for row, why in part.stamps.faults.items()},
        }
        faults |= dict.fromkeys(np.flatnonzero(own < 0).tolist(), ("symbol", "there is no symbol"))
        faults |= dict.fromkeys(
            np.flatnonzero(implausible(part.stamps.values)).tolist(),
            ("timestamp", "no exchange has bars of that year"),
        )
        unread += part.lost
        unread += [
            _fault(where(row), symbols, int(own[row]), int(part.stamps.values[row]), *faults[row])
            for row in sorted(faults)
        ]
        good = np.ones(part.count, dtype=np.bool_)
        good[list(faults)] = False
        kept.append(good)

    def column(name: str) -> NDArray[np.float64] | None:
        if not any(name in part.numbers for _, part in parts):
            return None
        columns = [
            part.numbers[name] if name in part.numbers else np.full(part.count, np.nan)
            for _, part in parts
        ]
        return columns[0] if len(columns) == 1 else np.concatenate(columns)

    fields = {}
    for name in FIELDS:
        values = column(name)
        assert values is not None, "a header has every field"
        fields[name] = values
    rows = Rows(
        symbols=symbols,
        codes=np.concatenate(codes),
        stamps=np.concatenate([part.stamps.values for _, part in parts]),
        fields=fields,
        locate=locate,
        dividends=column("dividend"),
        splits=column("split"),
        unread=tuple(unread),
        notices=tuple(_zone_notices([part for _, part in parts], zone)),
    )
    return rows.take(np.concatenate(kept))


def _fault(
    where: str, symbols: tuple[str, ...], code: int, stamp: int, field: str, why: str
) -> Problem:
    return Problem(
        where,
        symbols[code] if code >= 0 else None,
        stamp_text(stamp) if stamp != MISSING else None,
        field,
        f"{field} unreadable",
        why,
    )


def _zone_notices(parts: list[Part], zone: str) -> list[str]:
    if any(part.stamps.dates for part in parts):
        return ["timestamps are dates without a time: taken as sessions, stamped at midnight UTC"]
    if any(part.stamps.zoneless for part in parts):
        return [f"timestamps carry no zone: taken as {zone} (--tz)"]
    return []
