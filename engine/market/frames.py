"""Bars from pandas: a DataFrame in the columns of a bar file, or one by symbol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import InvalidFile
from engine.market.headers import ALIASES, CONTRACT, Header, read_header
from engine.market.parquet_file import arrow_stamps, is_stamp, is_text
from engine.market.parts import NUMBERS, Part, code_symbols, join_parts, row_locator
from engine.market.rows import Rows

if TYPE_CHECKING:
    import pandas as pd

STAMP_NAMES = frozenset(ALIASES["timestamp"])


def read_frames(
    bars: pd.DataFrame | Mapping[str, pd.DataFrame], zone: str
) -> tuple[tuple[Header, ...], Rows]:
    """The headers and all rows of a frame, or of one by symbol; the timestamp may be the index.

    Raises ``InvalidFile`` for what has not the columns of a bar file.
    """
    import pandas as pd

    if not isinstance(bars, (Mapping, pd.DataFrame)):
        raise InvalidFile(
            f"bars is a {type(bars).__name__}",
            field="bars",
            remedy="give a source such as sample, a path, a DataFrame, or one by symbol",
        )
    if not len(bars):
        raise InvalidFile("there are no bars in the frame", field="bars", remedy=CONTRACT)
    frames = bars.items() if isinstance(bars, Mapping) else ((None, bars),)
    names = ["frame" if symbol is None else f"frame of {symbol}" for symbol, _ in frames]
    parts = [
        _part(frame, name, symbol, zone)
        for name, (symbol, frame) in zip(names, frames, strict=True)
    ]
    rows = join_parts(
        [("", part) for _, part in parts], [row_locator(name) for name in names], zone
    )
    return tuple(header for header, _ in parts), rows


def _part(frame: Any, where: str, symbol: str | None, zone: str) -> tuple[Header, Part]:
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        raise InvalidFile(f"{where} is a {type(frame).__name__}, not a DataFrame", field="bars")
    names = [str(name) for name in frame.columns]
    if not STAMP_NAMES & {name.strip().lower() for name in names}:
        frame = (
            frame.reset_index() if frame.index.nlevels > 1 else frame.reset_index(names="timestamp")
        )
        names = [str(name) for name in frame.columns]
    header = read_header(names, where)
    if symbol is None and "symbol" not in header.places:
        raise InvalidFile(
            f"{where}: no column symbol", field="symbol", remedy="add one, or pass {symbol: frame}"
        )

    def column(name: str) -> Any:
        return frame.iloc[:, header.places[name]]

    numbers = {}
    for name in NUMBERS:
        if name in header.places:
            try:
                numbers[name] = column(name).to_numpy(dtype=np.float64, na_value=np.nan)
            except (TypeError, ValueError) as error:
                raise InvalidFile(
                    f"{where}: column {name} holds what is no number: {error}", field=name
                ) from error
    stamps = arrow_stamps(_arrow(column("timestamp"), where, "timestamp"), zone)
    if symbol is None:
        symbols, codes = code_symbols(_arrow(column("symbol"), where, "symbol"))
    else:
        symbols, codes = (symbol,), np.zeros(len(frame), dtype=np.int32)
    return header, Part(symbols, codes, stamps, numbers, len(frame))


def _arrow(column: Any, where: str, name: str) -> Any:
    """A column of stamps or symbols as an Arrow array; raises ``InvalidFile`` for another kind."""
    import pyarrow as pa

    try:
        array = pa.chunked_array([pa.array(column)])
    except pa.ArrowException as error:
        raise InvalidFile(f"{where}: column {name}: {error}", field=name) from error
    fits = is_stamp if name == "timestamp" else is_text
    if not fits(array.type):
        raise InvalidFile(
            f"{where}: column {name} holds {column.dtype}",
            field=name,
            remedy="use timestamps" if name == "timestamp" else "use text",
        )
    return array
