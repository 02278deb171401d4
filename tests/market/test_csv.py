"""CSV files: headers, lines and cells, good and bad."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest

from engine.errors import (
    InputError,
    InvalidFile,
    InvalidOption,
    MarketDataInvalid,
    MarketDataUnavailable,
    UnknownSymbol,
)
from engine.market import check_file
from engine.model import stamp_text
from tests.market.kit import HEADER, bar, hourly, load, source, write


def test_the_columns_of_the_contract_become_aligned_arrays(tmp_path: Path) -> None:
    """Two symbols, in order of appearance, on the union of their stamps."""
    bars = load(
        write(
            tmp_path,
            bar("MSFT", "2026-03-02T14:30:00Z", "1,4,0.5,2,10"),
            bar("AAPL", "2026-03-02T15:30:00Z", "5,8,4.5,6,20"),
            bar("MSFT", "2026-03-02T15:30:00Z", "2,5,1.5,3,30"),
        )
    )
    assert bars.symbols == ("MSFT", "AAPL")
    assert [stamp_text(stamp) for stamp in bars.stamps.tolist()] == [
        "2026-03-02T14:30:00Z",
        "2026-03-02T15:30:00Z",
    ]
    assert (bars.open[1].tolist(), bars.high[1].tolist()) == ([2, 5], [5, 8])
    assert (bars.low[1].tolist(), bars.close[1].tolist()) == ([1.5, 4.5], [3, 6])
    assert bars.volume[1].tolist() == [30, 20]
    assert not bars.close.flags.writeable
    assert bars.close.flags.c_contiguous


def test_requested_symbols_keep_the_order_of_the_request(tmp_path: Path) -> None:
    """Ties are broken by that order, so it must survive."""
    text = hourly(tmp_path, bar("MSFT"), bar("IBM"))
    assert load(text, symbols=("IBM", "AAPL")).symbols == ("IBM", "AAPL")


@pytest.mark.parametrize(
    "header",
    [
        "Symbol,Timestamp,Open,High,Low,Close,Volume",
        "ticker,Date/Time,OPEN,HIGH,LOW,CLOSE,Vol",
        " symbol , datetime ,o,h,l,c,v",
        "\ufeffsymbol,timestamp,open,high,low,close,volume",
    ],
)
def test_case_and_the_usual_names_of_columns_are_understood(header: str, tmp_path: Path) -> None:
    """Case, blanks, a byte order mark and common aliases do not matter."""
    bars = load(write(tmp_path, bar(), bar(stamp="2026-03-02T15:30:00Z"), header=header))
    assert bars.close.tolist() == [[100], [100]]


def test_columns_stand_in_any_order_and_others_are_ignored(tmp_path: Path) -> None:
    """Columns go by name; what is not used is listed in the provenance."""
    header = "vwap,volume,close,low,high,open,timestamp,symbol"
    lines = [f"7,1000,100,99,101,98.5,2026-03-02T{hour}:30:00Z,AAPL" for hour in (14, 15)]
    with pytest.raises(MarketDataInvalid, match=r"low 99 is above its open 98.5"):
        load(write(tmp_path, *lines, header=header))
    good = load(write(tmp_path, *(line.replace("98.5", "99.5") for line in lines), header=header))
    assert good.open[0, 0] == 99.5
    assert good.provenance["ignored_columns"] == ["vwap"]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("symbol,timestamp,open,high,low,volume", "no column close among"),
        ("a;b;c", "columns are not separated by commas"),
        (HEADER + ",Adj Close", "column 'Adj Close' is adjusted"),
        ("Date,Open,High,Low,Adj_Close,Volume", "column 'Adj_Close' is adjusted"),
        ("symbol,date,time,open,high,low,close,volume", "'date' and 'time' both mean timestamp"),
        ("AAPL,2026-03-02T14:30:00Z,1,1,1,1,1", "no column timestamp, open, high"),
    ],
)
def test_a_useless_header_is_refused_before_anything_is_read(
    header: str, message: str, tmp_path: Path
) -> None:
    """A header that is no bar file's is refused input, named with its line."""
    with pytest.raises(InvalidFile, match=message) as caught:
        source(write(tmp_path, bar(), header=header))
    assert "bars.csv line 1" in str(caught.value)


def test_files_that_are_not_there_or_empty_are_refused(tmp_path: Path) -> None:
    """No file, an empty one, a header alone, a folder without files, a glob without matches."""
    (tmp_path / "empty.csv").touch()
    (tmp_path / "none").mkdir()
    for text, message in {
        f"csv:{tmp_path / 'nowhere.csv'}": "there is no file",
        f"csv:{tmp_path / 'empty.csv'}": "empty.csv is empty",
        write(tmp_path, name="head.csv"): "has a header and no bars",
        f"csv:{tmp_path / 'none'}": "has no .csv or .csv.gz files",
        f"csv:{tmp_path / 'x*.csv'}": "no file matches",
    }.items():
        with pytest.raises(InvalidFile, match=message):
            source(text)
    with pytest.raises(InputError, match="names no file"):
        source("csv:")


def test_a_malformed_line_names_its_number(tmp_path: Path) -> None:
    """A line with too few fields is found while reading, blank lines counted."""
    text = hourly(tmp_path, "", "AAPL,2026-03-02T18:30:00Z,100,101")
    found = source(text)
    with pytest.raises(MarketDataInvalid) as caught:
        found.load()
    assert str(caught.value).startswith("bars.csv line 7: 4 fields where the header has 7;")
    repaired = source(text, repair=True).load()
    assert repaired.provenance["repairs"] == {"line malformed": 1}
    assert len(repaired.stamps) == 4


def test_a_malformed_line_is_named_even_if_it_is_all_there_is(tmp_path: Path) -> None:
    """What cannot be told without the line (symbols, timeframe) does not hide it."""
    with pytest.raises(MarketDataInvalid, match=r"bars.csv line 2: 2 fields"):
        load(write(tmp_path, "AAPL,oops"))


def test_a_cell_that_is_no_number_names_line_field_and_text(tmp_path: Path) -> None:
    """Text where a price should be is told as it stands; repair drops that row alone."""
    text = hourly(tmp_path, bar(stamp="2026-03-02T18:30:00Z", cells="100,1o1,99,100,1000"))
    with pytest.raises(MarketDataInvalid) as caught:
        load(text)
    assert str(caught.value).startswith(
        "bars.csv line 6: AAPL 2026-03-02T18:30:00Z: high '1o1' is not a number;"
    )
    bars = load(text, repair=True)
    assert bars.provenance["repairs"] == {"high unreadable": 1}
    assert len(bars.stamps) == 4


@pytest.mark.parametrize(
    ("stamp", "why"),
    [
        ("03/02/2026 14:30", "timestamp '03/02/2026 14:30' is not ISO 8601"),
        ("1772461800", "is not ISO 8601"),
        ("", "there is no timestamp"),
        ("2026-02-30T14:30:00Z", "is not ISO 8601"),
        ("2026-03-02T18:30:00", "has no zone, while others have one"),
        ("0026-03-02T18:30:00Z", "no exchange has bars of that year"),
    ],
)
def test_a_stamp_that_is_none_names_its_line(stamp: str, why: str, tmp_path: Path) -> None:
    """Every bad stamp is told with its line; repair drops it."""
    text = hourly(tmp_path, bar(stamp=stamp))
    with pytest.raises(MarketDataInvalid, match=why) as caught:
        load(text)
    assert "bars.csv line 6: AAPL" in str(caught.value)
    assert len(load(text, repair=True).stamps) == 4


EPOCHS = ("1577923200", "1578009600")


@pytest.mark.parametrize("others", [(), tuple(bar(stamp=f"2026-03-0{day}") for day in (2, 3))])
def test_a_symbol_without_one_stamp_is_not_left_out(
    others: tuple[str, ...], tmp_path: Path
) -> None:
    """Every row of it is bad: that is said of the first, whoever else has bars in the file."""
    lines = (*others, *(bar("BAD", stamp) for stamp in EPOCHS))
    path = write(tmp_path, *lines)
    with pytest.raises(MarketDataInvalid) as caught:
        load(path)
    said = f"bars.csv line {len(others) + 2}: BAD: timestamp '{EPOCHS[0]}' is not ISO 8601"
    assert str(caught.value).startswith(said)
    assert "(and 1 more bad row)" in str(caught.value)


def test_nothing_left_to_repair_names_the_first_row(tmp_path: Path) -> None:
    """Rather than an empty window, or a timeframe that could not be told."""
    path = write(tmp_path, *(bar("BAD", stamp) for stamp in EPOCHS))
    with pytest.raises(MarketDataUnavailable, match=r"no bar of bars\.csv can be read: .*line 2"):
        load(path, repair=True)


def test_dates_stay_sessions_beside_a_stamp_that_is_none(tmp_path: Path) -> None:
    """A bad row changes nothing of the others; ten digits are no date."""
    lines = (bar(stamp="2026-03-02"), bar(stamp="2026-03-03"), bar(stamp="soon"))
    bars = load(write(tmp_path, *lines), repair=True, tz="America/New_York")
    assert [stamp % 86_400_000_000 for stamp in bars.stamps.tolist()] == [0, 0]
    assert "dates without a time" in str(bars.provenance["notices"])
    report = check_file(write(tmp_path, *(bar(stamp=stamp) for stamp in EPOCHS)))
    assert not report.notices


def test_a_line_without_a_symbol_names_its_number(tmp_path: Path) -> None:
    """A bar of nobody is refused."""
    with pytest.raises(MarketDataInvalid, match=r"bars.csv line 6: .*there is no symbol"):
        load(hourly(tmp_path, bar(symbol="")))


def test_tickers_that_look_like_nothing_are_tickers(tmp_path: Path) -> None:
    """NA and NaN are missing numbers and good tickers."""
    assert load(hourly(tmp_path, bar("NA"), bar("NaN"))).symbols == ("AAPL", "NA", "NaN")


def test_text_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    """Bytes of another encoding are refused, with the line they stand in."""
    text = hourly(tmp_path)
    with Path(text.removeprefix("csv:")).open("ab") as file:
        file.write(b"M\xfcller,2026-03-02T14:30:00Z,1,1,1,1,1\n")
    with pytest.raises(InvalidFile, match=r"bars.csv line 6"):
        source(text)


def test_a_broken_gzip_file_is_refused(tmp_path: Path) -> None:
    """A truncated download is no bar file."""
    whole = gzip.compress("\n".join((HEADER, *[bar()] * 5000)).encode())
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidFile, match="cannot read"):
        source(f"csv:{path}")
    path.write_bytes(b"not gzip")
    with pytest.raises(InvalidFile, match="cannot read"):
        source(f"csv:{path}")


def test_zones_count(tmp_path: Path) -> None:
    """Offsets are honoured: the same moment in another zone is the same stamp."""
    stamps = ("2026-03-02T09:30:00-05:00", "2026-03-02 15:30:00Z", "2026-03-02T17:30:00+0100")
    bars = load(write(tmp_path, *(bar(stamp=stamp) for stamp in stamps)))
    assert [stamp_text(stamp)[11:16] for stamp in bars.stamps.tolist()] == [
        "14:30",
        "15:30",
        "16:30",
    ]
    assert bars.provenance["notices"] == []


def test_stamps_without_a_zone_are_utc_and_it_is_said(tmp_path: Path) -> None:
    """No zone means --tz, UTC by default, and a notice."""
    text = write(tmp_path, bar(stamp="2026-03-02T14:30"), bar(stamp="2026-03-02 15:30:00"))
    bars = load(text)
    assert stamp_text(int(bars.stamps[0])) == "2026-03-02T14:30:00Z"
    assert bars.provenance["notices"] == ["timestamps carry no zone: taken as UTC (--tz)"]
    local = load(text, tz="America/New_York")
    assert stamp_text(int(local.stamps[0])) == "2026-03-02T19:30:00Z"
    assert local.provenance["notices"] == [
        "timestamps carry no zone: taken as America/New_York (--tz)"
    ]


def test_wall_times_that_happen_twice_or_never_are_named(tmp_path: Path) -> None:
    """Where the clock changes a time without a zone tells no moment."""
    text = write(
        tmp_path,
        *(bar(stamp=f"2026-03-07T{hour:02}:00:00") for hour in range(5)),
        bar(stamp="2026-03-08T02:00:00"),
        bar(stamp="2026-11-01T01:00:00"),
    )
    with pytest.raises(MarketDataInvalid, match=r"line 7.*happens twice or never") as caught:
        load(text, tz="America/New_York")
    assert "(and 1 more bad row)" in str(caught.value)


def test_dates_alone_are_sessions_whatever_the_zone(tmp_path: Path) -> None:
    """A date names a session: it is stamped at midnight UTC, and --tz does not move it."""
    text = write(tmp_path, bar(stamp="2026-03-02"), bar(stamp="2026-03-03"))
    bars = load(text, tz="Asia/Tokyo")
    assert bars.session_dates == ("2026-03-02", "2026-03-03")
    assert bars.timeframe == "1Day"
    assert "dates without a time" in bars.provenance["notices"][0]


def test_a_folder_of_files_named_after_their_symbols(tmp_path: Path) -> None:
    """Without a symbol column the file's name is its symbol; other files are left alone."""
    folder = tmp_path / "bars"
    folder.mkdir()
    header = HEADER.removeprefix("symbol,")
    lines = [bar(stamp=f"2026-03-0{day}").removeprefix("AAPL,") for day in (2, 3)]
    for name in ("MSFT.csv", "AAPL.csv"):
        write(folder, *lines, name=name, header=header)
    (folder / "IBM.csv.gz").write_bytes(gzip.compress("\n".join((header, *lines)).encode()))
    (folder / "notes.txt").write_text("no bars")
    assert load(f"csv:{folder}").symbols == ("AAPL", "IBM", "MSFT")
    assert load(f"csv:{folder}/*S*.csv").symbols == ("MSFT",)


def test_files_of_a_folder_may_not_repeat_each_other(tmp_path: Path) -> None:
    """A bar that two files hold is a duplicate; both places are named."""
    for name in ("one.csv", "two.csv"):
        write(tmp_path, bar(stamp="2026-03-02"), bar(stamp="2026-03-03"), name=name)
    with pytest.raises(MarketDataInvalid, match=r"two.csv line 2: .*\(before: one.csv line 2\)"):
        load(f"csv:{tmp_path}")


def test_a_path_alone_is_a_source(tmp_path: Path) -> None:
    """A file's name tells its format; the source is the same from any folder."""
    path = hourly(tmp_path).removeprefix("csv:")
    assert source(path).source == f"csv:{path}"


def test_unknown_symbols_are_refused_with_what_there_is(tmp_path: Path) -> None:
    """The nearest name is proposed, the others listed."""
    with pytest.raises(UnknownSymbol) as caught:
        source(hourly(tmp_path, bar("MSFT")), symbols=("AAPL", "MSTF"))
    assert str(caught.value) == (
        "bars.csv has no symbol 'MSTF'; did you mean MSFT? it has AAPL, MSFT"
    )
    with pytest.raises(InvalidOption, match="named twice"):
        source(hourly(tmp_path), symbols=("AAPL", "AAPL"))


def test_the_window_is_inclusive_and_counts_trade_dates(tmp_path: Path) -> None:
    """Start and end are dates of sessions, both in the window."""
    text = write(tmp_path, *(bar(stamp=f"2026-03-0{day}T20:30:00Z") for day in range(2, 7)))
    bars = load(text, timeframe="1Hour", start=date(2026, 3, 3), end=date(2026, 3, 5))
    assert bars.session_dates == ("2026-03-03", "2026-03-04", "2026-03-05")


def test_an_empty_window_is_found_when_loading(tmp_path: Path) -> None:
    """Dates without bars are no bad input: the run that asked ends with that message."""
    found = source(hourly(tmp_path), start=date(2027, 1, 1))
    with pytest.raises(MarketDataUnavailable, match="no bars of AAPL from 2027-01-01 to its last"):
        found.load()


def test_a_symbol_without_bars_in_the_window_is_told(tmp_path: Path) -> None:
    """It stays in the run, and a notice says that it has no bars."""
    text = write(
        tmp_path, bar(stamp="2026-03-02"), bar(stamp="2026-03-03"), bar("MSFT", "2026-04-01")
    )
    bars = load(text, end=date(2026, 3, 31))
    assert bars.symbols == ("AAPL", "MSFT")
    assert "MSFT has no bars in the window" in bars.provenance["notices"]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """What is remembered of a file holds for that state of it."""
    first = load(hourly(tmp_path))
    again = load(hourly(tmp_path, bar("MSFT")))
    assert (first.symbols, again.symbols) == (("AAPL",), ("AAPL", "MSFT"))
