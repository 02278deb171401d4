"""Bars of one Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import InvalidFile, MarketDataInvalid
from engine.market.headers import CONTRACT, Header, read_header
from engine.market.parts import NUMBERS, Part, code_symbols, floats
from engine.market.stamps import MISSING, Stamps, localize, parse_stamps

if TYPE_CHECKING:
    from numpy.typing import NDArray


def parquet_header(path: Path) -> Header:
    """The columns of the file; raises ``InvalidFile`` also for a column of a useless type."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidFile(
            f"cannot read {path}: {error}", field="source", remedy=CONTRACT
        ) from error
    header = read_header(schema.names, path.name)
    if "symbol" in header.places and not is_text(schema.field(header.places["symbol"]).type):
        raise InvalidFile(f"{path.name}: column symbol holds no text", field="symbol")
    for name, place in header.places.items():
        kind = schema.field(place).type
        if name in NUMBERS and not (
            pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        ):
            raise InvalidFile(
                f"{path.name}: column {header.names[place]!r} holds {kind}, not numbers",
                field=name,
                remedy="store it as float64",
            )
    kind = schema.field(header.places["timestamp"]).type
    if not is_stamp(kind):
        raise InvalidFile(
            f"{path.name}: column {header.names[header.places['timestamp']]!r} holds {kind}",
            field="timestamp",
            remedy="store it as a timestamp with zone UTC",
        )
    return header


def read_parquet(path: Path, header: Header, columns: tuple[str, ...], zone: str) -> Part:
    """Those of ``columns`` (our names) that the file has.

    Raises ``MarketDataInvalid`` where the file cannot be read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    wanted = [name for name in columns if name in header.places]
    raw = {name: header.names[header.places[name]] for name in wanted}
    try:
        table = parquet.ParquetFile(
            path, read_dictionary=[raw["symbol"]] if "symbol" in raw else None
        ).read(columns=list(raw.values()))
    except (pa.ArrowException, OSError) as error:
        raise MarketDataInvalid(
            f"cannot read {path.name}: {error}", field="source", remedy="write the file anew"
        ) from error
    names: tuple[str, ...] = ()
    codes: NDArray[np.int32] | None = None
    if "symbol" in raw:
        names, codes = code_symbols(table[raw["symbol"]])
    return Part(
        names,
        codes,
        arrow_stamps(table[raw["timestamp"]], zone),
        {name: floats(table[raw[name]]) for name in wanted if name in NUMBERS},
        table.num_rows,
    )


def arrow_stamps(column: Any, zone: str) -> Stamps:
    """A column of timestamps, dates or ISO texts as stamps, in ``zone`` where they say none."""
    import pyarrow as pa

    if is_text(column.type):
        return parse_stamps(column.cast(pa.string()), zone)
    dates = pa.types.is_date(column.type)
    zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
    integers = column.cast(pa.timestamp("us", "UTC" if zoned else None), safe=False).cast(
        pa.int64()
    )
    nulls = np.flatnonzero(integers.is_null().to_numpy()).tolist() if integers.null_count else []
    faults = dict.fromkeys(nulls, "there is no timestamp")
    values = integers.fill_null(MISSING).to_numpy()
    read = Stamps(values, faults, zoneless=not zoned, dates=dates)
    return read if zoned or dates or zone == "UTC" else localize(read, zone)


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is text, dictionary-encoded or not."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_stamp(kind: Any) -> bool:
    """Whether an Arrow type can hold bar stamps: timestamps, dates, ISO texts."""
    import pyarrow as pa

    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind) or is_text(kind))
