"""Bars of one CSV file, plain or gzipped, by Arrow; line by line only where something is wrong."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from engine.errors import InvalidFile, MarketDataInvalid
from engine.market.headers import CONTRACT, Header, read_header
from engine.market.parts import NUMBERS, Part, code_symbols, floats
from engine.market.rows import Problem
from engine.market.stamps import parse_stamps

if TYPE_CHECKING:
    from numpy.typing import NDArray

ABSENT = ["", "NaN", "nan", "NA", "N/A", "null", "None"]
READ_ERRORS = (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError)


def csv_header(path: Path) -> Header:
    """The header of the file; raises ``InvalidFile``."""
    try:
        with _open(path) as file:
            reader = csv.reader(file)
            first = next((row for row in reader if row), None)
            lines = reader.line_num
    except READ_ERRORS as error:
        raise InvalidFile(
            f"cannot read {_bad_text(path) or path}: {_reason(error)}",
            field="source",
            remedy=CONTRACT,
        ) from error
    if first is None:
        raise InvalidFile(f"{path.name} is empty", field="source", remedy=CONTRACT)
    where = f"{path.name} line {lines}"
    if len(first) == 1 and any(mark in first[0] for mark in ";\t|"):
        raise InvalidFile(
            f"{where}: its columns are not separated by commas", field="source", remedy=CONTRACT
        )
    return read_header(first, where, lines)


def read_csv(path: Path, header: Header, columns: tuple[str, ...], zone: str) -> Part:
    """Those of ``columns`` (our names) that the file has.

    Raises ``MarketDataInvalid`` where the file cannot be read at all; single bad lines and cells
    are named in the part.
    """
    import pyarrow as pa

    wanted = tuple(name for name in columns if name in header.places)
    spoilt: dict[int, tuple[str, str]] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    try:
        try:
            table, broken = _read_table(path, header, wanted, pa.float64())
        except pa.ArrowInvalid:  # a cell that is no number, or worse: take them as text
            table, broken = _read_table(path, header, wanted, pa.string())
    except (pa.ArrowException, OSError) as error:
        raise MarketDataInvalid(
            f"cannot read {_bad_text(path) or path.name}: {_reason(error)}",
            field="source",
            remedy="correct the file",
        ) from error
    for name in wanted:
        if name in NUMBERS:
            column = table[name]
            if pa.types.is_string(column.type):
                numbers[name] = _parse_numbers(name, column.to_pylist(), spoilt)
            else:
                numbers[name] = floats(column)
    names, codes = code_symbols(table["symbol"]) if "symbol" in wanted else ((), None)
    lost = tuple(_lost_lines(path, header)) if broken else ()
    return Part(
        names, codes, parse_stamps(table["timestamp"], zone), numbers, table.num_rows, lost, spoilt
    )


class Lines:
    """Where the rows of a CSV file stand; the file is read again when first asked."""

    def __init__(self, path: Path, header: Header) -> None:
        self._path, self._header = path, header
        self._numbers: list[int] | None = None

    def __call__(self, row: int) -> str:
        if self._numbers is None:
            width = len(self._header.names)
            self._numbers = [
                number for number, cells in _lines(self._path, self._header) if len(cells) == width
            ]
        return f"{self._path.name} line {self._numbers[row]}"


def _read_table(
    path: Path, header: Header, wanted: tuple[str, ...], number: Any
) -> tuple[Any, bool]:
    """The columns as an Arrow table under our names, and whether lines had to be left out."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    broken = []

    def skip(row: Any) -> str:
        broken.append(row.actual_columns)
        return "skip"

    places = [str(header.places[name]) for name in wanted]
    types = {
        place: number if name in NUMBERS else pa.string()
        for name, place in zip(wanted, places, strict=True)
    }
    if "symbol" in wanted:
        types[str(header.places["symbol"])] = pa.dictionary(pa.int32(), pa.string())
    table = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(
            column_names=[str(place) for place in range(len(header.names))],
            skip_rows=header.lines,
        ),
        parse_options=arrow_csv.ParseOptions(invalid_row_handler=skip),
        convert_options=arrow_csv.ConvertOptions(
            column_types=types,
            include_columns=places,
            null_values=ABSENT,  # of numbers: NA is a ticker
        ),
    )
    return table.rename_columns(list(wanted)), bool(broken)


def _parse_numbers(
    name: str, texts: list[str | None], spoilt: dict[int, tuple[str, str]]
) -> NDArray[np.float64]:
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        if text is None or text in ABSENT:
            continue
        try:
            values[row] = float(text)
        except ValueError:
            spoilt.setdefault(row, (name, f"{name} {text!r} is not a number"))
    return values


def _lost_lines(path: Path, header: Header) -> Iterator[Problem]:
    width = len(header.names)
    for number, cells in _lines(path, header):
        if len(cells) != width:
            yield Problem(
                f"{path.name} line {number}",
                None,
                None,
                "line",
                "line malformed",
                f"{len(cells)} fields where the header has {width}",
            )


def _lines(path: Path, header: Header) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every line after the header that is not empty."""
    with _open(path) as file:
        for _ in range(header.lines):
            next(file)
        reader = csv.reader(file)
        for cells in reader:
            if cells:
                yield header.lines + reader.line_num, cells


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _bad_text(path: Path) -> str | None:
    """``file line n`` of the first line that is not UTF-8, None if all are."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    line.decode()
                except UnicodeDecodeError:
                    return f"{path.name} line {number}"
    except READ_ERRORS:
        return None
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
