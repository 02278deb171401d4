"""Parquet files hold what CSV files hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from engine.errors import InvalidFile, MarketDataInvalid
from tests.market.kit import hourly, load, source

STAMPS = [1_772_461_800_000_000 + hour * 3_600_000_000 for hour in range(4)]


def table(**columns: Any) -> pa.Table:
    """Four hourly bars of AAPL, from 2026-03-02T14:30Z, with these columns instead."""
    plain = {
        "symbol": pa.array(["AAPL"] * 4).dictionary_encode(),
        "timestamp": pa.array(STAMPS).cast(pa.timestamp("us", "UTC")),
        "open": [100.0] * 4,
        "high": [101.0] * 4,
        "low": [99.0] * 4,
        "close": [100.0] * 4,
        "volume": pa.array([1000] * 4),
    }
    return pa.table(
        {name: column for name, column in (plain | columns).items() if column is not None}
    )


def save(folder: Path, content: pa.Table, name: str = "bars.parquet") -> str:
    """Write the table; returns its source text."""
    parquet.write_table(content, folder / name)
    return f"parquet:{folder / name}"


@pytest.mark.parametrize(
    "stamps",
    [
        pa.array(STAMPS).cast(pa.timestamp("us", "UTC")),
        pa.array(STAMPS).cast(pa.timestamp("us")).cast(pa.timestamp("ns")),
        pa.array(STAMPS).cast(pa.timestamp("us", "America/New_York")),
        pa.array([f"2026-03-02T{hour}:30:00Z" for hour in range(14, 18)]),
    ],
    ids=["us UTC", "ns without zone", "us New York", "text"],
)
def test_it_is_the_same_as_csv_whatever_the_stamps_type(stamps: Any, tmp_path: Path) -> None:
    """Stamps of any unit and zone, or ISO text, give the bars of the CSV file."""
    bars = load(save(tmp_path, table(timestamp=stamps)))
    assert bars.content_hash == load(hourly(tmp_path)).content_hash


def test_stamps_without_a_zone_are_told(tmp_path: Path) -> None:
    """As in CSV: --tz, and a notice."""
    text = save(tmp_path, table(timestamp=pa.array(STAMPS).cast(pa.timestamp("us"))))
    assert "no zone: taken as UTC" in load(text).provenance["notices"][0]


def test_a_file_named_after_its_symbol(tmp_path: Path) -> None:
    """Without a symbol column."""
    assert load(save(tmp_path, table(symbol=None), "MSFT.parquet")).symbols == ("MSFT",)
    assert load(f"parquet:{tmp_path}").symbols == ("MSFT",)


def test_a_bad_bar_is_named_by_its_row(tmp_path: Path) -> None:
    """Parquet has no lines: rows are counted from 1. A null is a missing value."""
    text = save(tmp_path, table(close=[100.0, 100.0, None, 100.0]))
    with pytest.raises(
        MarketDataInvalid,
        match=r"bars.parquet row 3: AAPL 2026-03-02T16:30:00Z: close is missing",
    ):
        load(text)
    text = save(
        tmp_path, table(timestamp=pa.array([*STAMPS[:3], None]).cast(pa.timestamp("us", "UTC")))
    )
    with pytest.raises(MarketDataInvalid, match=r"row 4: AAPL: there is no timestamp"):
        load(text)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"close": None}, "no column close"),
        ({"close": pa.array(["a"] * 4)}, "column 'close' holds string, not numbers"),
        ({"timestamp": pa.array(STAMPS)}, "column 'timestamp' holds int64"),
        ({"symbol": pa.array([1, 2, 3, 4])}, "column symbol holds no text"),
        ({"Adj Close": [1.0] * 4}, "is adjusted"),
    ],
)
def test_columns_of_no_use_are_refused(
    columns: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """By name and type, before anything is read."""
    with pytest.raises(InvalidFile, match=message):
        source(save(tmp_path, table(**columns)))


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    """Whatever its name says."""
    (tmp_path / "bars.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(InvalidFile, match="cannot read"):
        source(f"parquet:{tmp_path / 'bars.parquet'}")
