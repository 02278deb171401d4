"""G6: what a bar must obey, and how it is told what does not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.errors import MarketDataInvalid, MarketDataUnavailable
from tests.market.kit import bar, hourly, load, write

BAD = {
    "missing open": ("open", ",101,99,100,1000", "open is missing"),
    "NaN close": ("close", "100,101,99,NaN,1000", "close is missing"),
    "infinite high": ("high", "100,inf,99,100,1000", "high inf is not finite"),
    "zero low": ("low", "100,101,0,100,1000", "low 0 is not above 0"),
    "negative open": ("open", "-1,101,99,100,1000", "open -1 is not above 0"),
    "high below close": ("high", "100,100.5,99,101,1000", "high 100.5 is below its close 101"),
    "high below open": ("high", "102,101,99,100,1000", "high 101 is below its open 102"),
    "low above open": ("low", "98,101,99,100,1000", "low 99 is above its open 98"),
    "low above close": ("low", "100,101,99,98,1000", "low 99 is above its close 98"),
    "negative volume": ("volume", "100,101,99,100,-5", "volume -5 is negative"),
    "missing volume": ("volume", "100,101,99,100,", "volume is missing"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_bar_is_refused_with_line_symbol_stamp_field_and_value(
    case: str, tmp_path: Path
) -> None:
    """Every rule of G6 names the line, the bar, the field, the value and the remedy."""
    field, cells, detail = BAD[case]
    text = hourly(tmp_path, bar(stamp="2026-03-02T18:30:00Z", cells=cells))
    with pytest.raises(MarketDataInvalid) as caught:
        load(text)
    assert str(caught.value) == (
        f"bars.csv line 6: AAPL 2026-03-02T18:30:00Z: {detail};"
        " correct the data, or let --repair drop such rows"
    )
    assert caught.value.field == field


def test_the_first_bad_row_of_the_file_is_named_and_the_rest_counted(tmp_path: Path) -> None:
    """Whatever rule they break, rows are named in the order of the file."""
    text = hourly(
        tmp_path,
        bar(stamp="2026-03-03T14:30:00Z", cells="100,101,99,100,-1"),
        bar(stamp="2026-03-03T15:30:00Z", cells="0,101,99,100,1"),
        bar(stamp="2026-03-03T16:30:00Z", cells="100,99,99,100,1"),
    )
    with pytest.raises(MarketDataInvalid, match=r"line 6: .* volume -1 .* \(and 2 more bad rows\)"):
        load(text)


def test_a_stamp_given_twice_names_both_lines(tmp_path: Path) -> None:
    """Duplicates are refused even if their bars agree; the later line is the bad one."""
    text = hourly(tmp_path, bar(stamp="2026-03-02T15:30:00Z"))
    with pytest.raises(
        MarketDataInvalid, match=r"line 6: .* there twice \(before: bars.csv line 3"
    ):
        load(text)


def test_row_order_does_not_matter(tmp_path: Path) -> None:
    """The same rows in any order are the same bars."""
    lines = [
        bar(stamp=f"2026-03-0{day}T15:30:00Z", cells=f"{day},9,1,{day},7") for day in (2, 3, 4)
    ]
    one = load(write(tmp_path, *lines, name="one.csv"), timeframe="1Hour")
    two = load(write(tmp_path, *reversed(lines), name="two.csv"), timeframe="1Hour")
    assert one.content_hash == two.content_hash
    assert one.close[:, 0].tolist() == [2, 3, 4]


def test_repair_drops_counts_and_reports(tmp_path: Path) -> None:
    """With repair the bad rows are left out, counted by rule and told; the good ones stay."""
    text = hourly(
        tmp_path,
        bar(stamp="2026-03-02T15:30:00Z", cells="500,501,499,500,1"),
        bar(stamp="2026-03-02T18:30:00Z", cells="100,99,99,100,1"),
    )
    bars = load(text, repair=True)
    assert bars.close[:, 0].tolist() == [100, 100, 100, 100]
    assert bars.provenance["repairs"] == {"timestamp twice": 1, "high below open or close": 1}
    assert bars.provenance["rows"] == 4
    assert any("line 7" in line for line in bars.provenance["repaired"])
    assert "2 bad rows were dropped (--repair)" in bars.provenance["notices"]


def test_nothing_is_left_after_repair(tmp_path: Path) -> None:
    """A window of bad rows alone is no window of bars."""
    text = hourly(tmp_path, bar("MSFT", cells="0,0,0,0,0"))
    with pytest.raises(MarketDataUnavailable, match=r"every bar of bars.csv"):
        load(text, symbols=("MSFT",), repair=True)


def test_only_what_is_asked_for_is_checked(tmp_path: Path) -> None:
    """A bad bar of another symbol, or outside the window, does not concern the run."""
    text = hourly(tmp_path, bar("MSFT", cells="0,0,0,0,0"))
    assert load(text, symbols=("AAPL",)).close.shape == (4, 1)
    with pytest.raises(MarketDataInvalid, match="MSFT"):
        load(text)


def test_zero_volume_is_a_bar(tmp_path: Path) -> None:
    """No trades in an hour is not an error."""
    bars = load(hourly(tmp_path, bar(stamp="2026-03-02T18:30:00Z", cells="100,100,100,100,0")))
    assert bars.volume[-1, 0] == 0


def test_a_symbol_without_a_bar_holds_nan_in_every_field(tmp_path: Path) -> None:
    """Gaps are NaN in all five arrays, and counted."""
    bars = load(hourly(tmp_path, bar("MSFT", stamp="2026-03-02T15:30:00Z")))
    for field in ("open", "high", "low", "close", "volume"):
        assert [math.isnan(value) for value in getattr(bars, field)[:, 1]] == [
            True,
            False,
            True,
            True,
        ]
    assert bars.provenance["gaps"] == 3
