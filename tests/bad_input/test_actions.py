"""Malformed corporate actions: files are refused before a run, columns while bars are read."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from engine.errors import InputError, MarketDataInvalid
from tests.market.kit import HEADER, bar, load, source, write

DAYS = tuple(f"2026-03-0{day}" for day in (2, 3, 4, 5, 6))
COLUMNS = "symbol,ex_date,kind,value,pay_date"
FIRST = "MSFT,2026-03-03,dividend,0.5,2026-03-05"
SECOND = "MSFT,2026-03-04,split,2,"


class Row(NamedTuple):
    """The fourth line of an actions file, and the words that must be said of it."""

    line: str
    said: str


ROWS = (
    # symbol
    Row(",2026-03-04,split,2,", "symbol '' is not a symbol"),
    Row("  ,2026-03-04,split,2,", "symbol '' is not a symbol"),
    # ex_date
    Row("AAPL,,split,2,", "ex_date '' is not an ISO date"),
    Row("AAPL,soon,split,2,", "ex_date 'soon' is not an ISO date"),
    Row("AAPL,04/03/2026,split,2,", "ex_date '04/03/2026' is not an ISO date"),
    Row("AAPL,2026-3-4,split,2,", "ex_date '2026-3-4' is not an ISO date"),
    Row("AAPL,2026-02-30,split,2,", "ex_date '2026-02-30' is not an ISO date"),
    Row("AAPL,2026-13-01,split,2,", "ex_date '2026-13-01' is not an ISO date"),
    Row("AAPL,2026-03-04T00:00:00Z,split,2,", "ex_date '2026-03-04T00:00:00Z' is not an ISO date"),
    Row("AAPL,1772582400,split,2,", "ex_date '1772582400' is not an ISO date"),
    Row("AAPL,Mar 4 2026,split,2,", "ex_date 'Mar 4 2026' is not an ISO date"),
    # kind
    Row("AAPL,2026-03-04,,2,", "kind '' is not split or dividend"),
    Row("AAPL,2026-03-04,Split,2,", "kind 'Split' is not split or dividend"),
    Row("AAPL,2026-03-04,merger,2,", "kind 'merger' is not split or dividend"),
    Row("AAPL,2026-03-04,spin-off,2,", "kind 'spin-off' is not split or dividend"),
    Row("AAPL,2026-03-04,div,2,", "kind 'div' is not split or dividend"),
    Row("AAPL,2026-03-04,2,split,", "kind '2' is not split or dividend"),
    # value
    Row("AAPL,2026-03-04,split,,", "value '' is not a number"),
    Row("AAPL,2026-03-04,split", "value '' is not a number"),
    Row("AAPL,2026-03-04,split,two,", "value 'two' is not a number"),
    Row("AAPL,2026-03-04,split,2:1,", "value '2:1' is not a number"),
    Row("AAPL,2026-03-04,split,2/1,", "value '2/1' is not a number"),
    Row("AAPL,2026-03-04,dividend,$0.25,", "value '$0.25' is not a number"),
    Row('AAPL,2026-03-04,dividend,"0,25",', "value '0,25' is not a number"),
    Row("AAPL,2026-03-04,split,0,", "value '0' is not a number above 0"),
    Row("AAPL,2026-03-04,split,-2,", "value '-2' is not a number above 0"),
    Row("AAPL,2026-03-04,dividend,0,", "value '0' is not a number above 0"),
    Row("AAPL,2026-03-04,dividend,-0.25,", "value '-0.25' is not a number above 0"),
    Row("AAPL,2026-03-04,dividend,nan,", "value 'nan' is not a number above 0"),
    Row("AAPL,2026-03-04,split,inf,", "value 'inf' is not a number above 0"),
    Row("AAPL,2026-03-04,split,1e999,", "value '1e999' is not a number above 0"),
    # pay_date
    Row("AAPL,2026-03-04,dividend,1,soon", "pay_date 'soon' is not an ISO date"),
    Row("AAPL,2026-03-04,dividend,1,2026-02-30", "pay_date '2026-02-30' is not an ISO date"),
    Row("AAPL,2026-03-04,dividend,1,2026-03-03", "is not on or after the ex-date 2026-03-04"),
    Row("AAPL,2026-03-04,split,2,2025-03-04", "is not on or after the ex-date 2026-03-04"),
    # The whole line.
    Row("AAPL,2026-03-04,dividend,1,2026-03-05,extra", "6 fields where the header has 5"),
    Row("AAPL;2026-03-04;split;2;", "kind '' is not split or dividend"),
    Row("AAPL", "kind '' is not split or dividend"),
    Row(COLUMNS, "kind 'kind' is not split or dividend"),
    Row(FIRST, "this dividend of MSFT is in line 2 already"),
    Row(SECOND, "this split of MSFT is in line 3 already"),
    Row("MSFT,2026-03-04,split,3,", "this split of MSFT is in line 3 already"),
)

HEADERS = (
    ("", "no column 'symbol'"),
    ("symbol,ex_date,value,pay_date", "no column 'kind'"),
    ("symbol,date,kind,value", "no column 'ex_date'"),
    ("ticker,ex_date,kind,value", "no column 'symbol'"),
    ("symbol,ex_date,kind,amount", "no column 'value'"),
    ("symbol;ex_date;kind;value", "no column 'symbol'"),
)

CELLS = (
    ("split", "-2", "split -2 is not above 0"),
    ("split", "inf", "split inf is not above 0"),
    ("dividend", "-0.25", "dividend -0.25 is not above 0"),
    ("dividend", "inf", "dividend inf is not above 0"),
    ("dividend", "0.25 USD", "dividend '0.25 USD' is not a number"),
    ("split", "2:1", "split '2:1' is not a number"),
)


def daily(folder: Path) -> str:
    """Five daily bars of two symbols."""
    return write(folder, *(bar(symbol, day) for symbol in ("AAPL", "MSFT") for day in DAYS))


def refused(error: InputError | MarketDataInvalid, code: str, *said: str) -> None:
    """One line with the code, the words, and what would be right."""
    assert (error.code, len(str(error).splitlines())) == (code, 1)
    for words in said:
        assert words in str(error)
    assert error.remedy


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.line)
def test_a_line_that_is_no_action_is_refused(row: Row, tmp_path: Path) -> None:
    """With the file, the line and the field, before the run exists."""
    path = tmp_path / "actions.csv"
    path.write_text(f"{COLUMNS}\n{FIRST}\n{SECOND}\n{row.line}\n")
    with pytest.raises(InputError) as caught:
        source(daily(tmp_path), actions=str(path))
    refused(caught.value, "invalid_file", "actions.csv line 4: ", row.said)
    assert caught.value.field == "actions"


@pytest.mark.parametrize(("header", "said"), HEADERS)
def test_a_header_of_other_columns_is_refused(header: str, said: str, tmp_path: Path) -> None:
    """What there must be is named."""
    path = tmp_path / "actions.csv"
    path.write_text(f"{header}\nAAPL,2026-03-04,split,2\n")
    with pytest.raises(InputError) as caught:
        source(daily(tmp_path), actions=str(path))
    refused(caught.value, "invalid_file", "actions.csv line 1: ", said)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"symbol,ex_date,kind,value\n\xff,,,\n"])
def test_bytes_that_are_no_text_are_refused(content: bytes, tmp_path: Path) -> None:
    """Not a traceback of a decoder."""
    path = tmp_path / "actions.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        source(daily(tmp_path), actions=str(path))
    refused(caught.value, "invalid_file", "actions.csv", "is not UTF-8 text")


@pytest.mark.parametrize(("column", "cell", "said"), CELLS)
def test_a_bad_cell_of_an_action_column_is_named(
    column: str, cell: str, said: str, tmp_path: Path
) -> None:
    """The run ends market_data_invalid, with line and symbol; empty cells beside it are none."""
    lines = [f"{bar(stamp=day)},{cell if day == DAYS[2] else ''}" for day in DAYS]
    text = write(tmp_path, *lines, header=f"{HEADER},{column}")
    with pytest.raises(MarketDataInvalid) as caught:
        load(text, actions=f"columns:{column}")
    refused(caught.value, "market_data_invalid", "bars.csv line 4", "AAPL", said)


@pytest.mark.parametrize("column", ["split", "dividend"])
def test_an_action_beside_every_bar_of_its_day_is_refused(column: str, tmp_path: Path) -> None:
    """Seven bars of a day do not make seven splits."""
    stamps = ("2026-03-02T14:30:00Z", "2026-03-02T15:30:00Z")
    text = write(tmp_path, *(f"{bar(stamp=at)},2" for at in stamps), header=f"{HEADER},{column}")
    with pytest.raises(MarketDataInvalid) as caught:
        load(text, actions="columns")
    said = f"a second {column} on 2026-03-02 (before: bars.csv line 2)"
    refused(caught.value, "market_data_invalid", "bars.csv line 3: AAPL: ", said)


@pytest.mark.parametrize("spec", ["columns", "columns:split", "columns:dividend", "Columns", "yes"])
def test_a_choice_of_actions_that_there_is_not_is_refused(spec: str, tmp_path: Path) -> None:
    """A file without such columns, and what is neither a choice nor a file."""
    with pytest.raises(InputError) as caught:
        source(daily(tmp_path), actions=spec)
    assert caught.value.field == "actions"
    refused(caught.value, caught.value.code)
