"""Naming a source, and holding its bars once."""

from __future__ import annotations

import gc
import hashlib
import weakref
from pathlib import Path

import pytest

from engine.errors import InvalidOption, NotAvailable, UnknownSource
from engine.market import DJIA30, check_file, universe
from tests.market.kit import bar, hourly, load, source, write


@pytest.mark.parametrize("text", ["", "sampel", "sample:x", "http://x/y.zip", "bars.txt"])
def test_an_unknown_source_is_refused_with_what_there_is(text: str) -> None:
    """The sources there are, are named."""
    with pytest.raises(UnknownSource, match=r"there are sample, synthetic\[:k=v,…\], csv:PATH"):
        source(text)


def test_alpaca_is_not_there_yet() -> None:
    """It is in the contract, and says so."""
    with pytest.raises(NotAvailable, match="alpaca is not there yet"):
        source("alpaca")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("timeframe", "1h", "no timeframe '1h'"),
        ("calendar", "LSE", "no calendar 'LSE'"),
        ("tz", "Mars/Base", "no time zone 'Mars/Base'"),
        ("symbols", (), "no symbols"),
    ],
)
def test_bad_options_are_refused_by_name(option: str, value: object, message: str) -> None:
    """The option is the error's field."""
    with pytest.raises(InvalidOption, match=message) as caught:
        source("sample", **{option: value})
    assert caught.value.field == option


def test_bars_are_held_once_while_anybody_holds_them(tmp_path: Path) -> None:
    """A second load gives the same arrays; once all are gone they are read anew."""
    text = hourly(tmp_path)
    first = load(text)
    assert load(text).close is first.close
    assert load(text, calendar="none").close is not first.close
    kept = weakref.ref(first.close)
    del first
    gc.collect()
    assert kept() is None
    assert load(text).close.shape == (4, 1)


def test_the_hash_sees_all_that_a_simulation_sees(tmp_path: Path) -> None:
    """Prices, stamps, symbols, sessions, calendar: any difference is another hash."""
    texts = [
        hourly(tmp_path),
        write(tmp_path, bar(), bar(stamp="2026-03-02T15:30:00Z"), name="two.csv"),
        write(tmp_path, bar(), bar(stamp="2026-03-02T16:30:00Z"), name="three.csv"),
        write(tmp_path, bar("X"), bar("X", stamp="2026-03-02T15:30:00Z"), name="four.csv"),
        write(
            tmp_path,
            bar(cells="100,101,99,100,1001"),
            bar(stamp="2026-03-02T15:30:00Z"),
            name="five.csv",
        ),
    ]
    hashes = [load(text, timeframe="1Hour").content_hash for text in texts]
    hashes.append(load(texts[0], calendar="none").content_hash)
    assert len(set(hashes)) == len(hashes)
    assert all(len(each) == len(hashlib.sha256().hexdigest()) for each in hashes)


def test_universes() -> None:
    """The Dow has thirty members, each once."""
    assert len(set(DJIA30)) == len(DJIA30) == 30
    assert universe("djia30") is DJIA30
    with pytest.raises(InvalidOption, match="no universe 'dax'"):
        universe("dax")


def test_a_file_is_checked_whole(tmp_path: Path) -> None:
    """The report names every bad row, what is good, and the timeframe."""
    text = hourly(
        tmp_path,
        bar(stamp="2026-03-02T18:30:00Z", cells="100,99,99,100,1"),
        bar("MSFT", cells="100,101,99,100,0"),
        bar("MSFT", stamp="2026-03-02T15:30:00Z", cells="x,101,99,100,1"),
        "oops",
    )
    report = check_file(text)
    assert not report.ok
    assert report.rows == 8
    assert report.timeframe == "1Hour"
    assert report.counts == {
        "line malformed": 1,
        "open unreadable": 1,
        "high below open or close": 1,
    }
    assert [problem.where for problem in report.problems] == [
        "bars.csv line 9",
        "bars.csv line 8",
        "bars.csv line 6",
    ]
    assert [(each.symbol, each.rows, each.zero_volume) for each in report.symbols] == [
        ("AAPL", 4, 0),
        ("MSFT", 1, 1),
    ]
    assert check_file(text.removeprefix("csv:"), shown=1).problems == report.problems[:1]


def test_a_real_file_with_a_flaw_is_reported(shared: Path) -> None:
    """The daily file's one flaw, in 24,598 rows."""
    report = check_file(str(shared / "data" / "agentictrading_us_daily.csv.gz"))
    assert report.rows == 24_598
    assert report.counts == {"low above open or close": 1}
    assert report.problems[0].symbol == "ACN"
