"""Corporate actions from files and columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InvalidFile, InvalidOption, MarketDataInvalid
from tests.market.kit import HEADER, bar, load, source, write

DAYS = [f"2026-03-0{day}" for day in (2, 3, 4, 5, 6)]


def daily(folder: Path) -> str:
    """Five daily bars of two symbols."""
    return write(folder, *(bar(symbol, day) for symbol in ("AAPL", "MSFT") for day in DAYS))


def actions(folder: Path, *lines: str, header: str = "symbol,ex_date,kind,value,pay_date") -> str:
    """An actions file of these lines."""
    path = folder / "actions.csv"
    path.write_text("\n".join((header, *lines)) + "\n")
    return str(path)


def test_a_file_of_actions_applies_to_the_runs_symbols_and_window(tmp_path: Path) -> None:
    """Splits stand before dividends of their date, symbols in the order of the request."""
    path = actions(
        tmp_path,
        "AAPL,2026-03-04,dividend,0.25,2026-03-20",
        "AAPL,2026-03-04,split,2,",
        "MSFT,2026-03-04,split,0.5,",
        "IBM,2026-03-04,split,3,",
        "AAPL,2026-03-09,split,7,",
        "AAPL,2026-02-27,split,7,",
    )
    bars = load(daily(tmp_path), symbols=("MSFT", "AAPL"), actions=path)
    assert [tuple(act) for act in bars.actions] == [
        ("MSFT", "2026-03-04", "split", 0.5, None),
        ("AAPL", "2026-03-04", "split", 2.0, None),
        ("AAPL", "2026-03-04", "dividend", 0.25, "2026-03-20"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("AAPL,2026-03-04,merger,1,", "line 2: kind 'merger' is not split or dividend"),
        ("AAPL,04/03/2026,split,2,", "line 2: ex_date '04/03/2026' is not an ISO date"),
        ("AAPL,2026-03-04,split,two,", "line 2: value 'two' is not a number"),
        ("AAPL,2026-03-04,split,0,", "line 2: value '0' is not a number above 0"),
        ("AAPL,2026-03-04,split,inf,", "line 2: value 'inf' is not a number above 0"),
        (",2026-03-04,split,2,", "line 2: symbol '' is not a symbol"),
        ("AAPL,2026-03-04,dividend,1,2026-03-01", "is not on or after the ex-date 2026-03-04"),
        ("AAPL,2026-03-04,dividend,1,soon", "pay_date 'soon' is not an ISO date"),
    ],
)
def test_a_bad_line_of_actions_is_refused_with_its_number(
    line: str, message: str, tmp_path: Path
) -> None:
    """Before the run exists."""
    with pytest.raises(InvalidFile, match=message):
        source(daily(tmp_path), actions=actions(tmp_path, line))


def test_files_that_are_no_actions_are_refused(tmp_path: Path) -> None:
    """Missing files and missing columns."""
    with pytest.raises(InvalidFile, match="cannot read the actions file"):
        source(daily(tmp_path), actions=str(tmp_path / "none.csv"))
    with pytest.raises(InvalidFile, match="line 1: no column 'kind'"):
        source(daily(tmp_path), actions=actions(tmp_path, header="symbol,ex_date,value"))


def test_columns_hold_actions_where_they_hold_anything(tmp_path: Path) -> None:
    """Empty, 0 and a split of 1 are nothing; the ex-date is the row's session."""
    cells = (",", "0.25,0", "0,1", "0,2", "0.3,")
    lines = [f"{bar(stamp=day)},{cell}" for day, cell in zip(DAYS, cells, strict=True)]
    text = write(tmp_path, *lines, header=HEADER + ",dividend,split")
    both = load(text, actions="columns")
    assert [tuple(act)[:4] for act in both.actions] == [
        ("AAPL", "2026-03-03", "dividend", 0.25),
        ("AAPL", "2026-03-05", "split", 2.0),
        ("AAPL", "2026-03-06", "dividend", 0.3),
    ]
    only = load(text, actions="columns:dividend")
    assert {act.kind for act in only.actions} == {"dividend"}
    none = load(text, actions="none")
    assert none.actions == ()
    assert len(none.provenance["notices"]) == 3  # the dates, the splits, the dividends
    given = load(text, actions=actions(tmp_path))
    assert len(given.provenance["notices"]) == 1


def test_columns_that_are_not_there_are_refused(tmp_path: Path) -> None:
    """Asked for dividends, a file without that column cannot give any."""
    with pytest.raises(InvalidOption, match=r"bars.csv has no column split or dividend"):
        source(daily(tmp_path), actions="columns")
    text = write(tmp_path, f"{bar()},2", header=HEADER + ",split")
    with pytest.raises(InvalidOption, match="has no column dividend"):
        source(text, actions="columns:dividend", timeframe="1Hour")


def test_a_column_that_holds_a_bad_action_is_refused(tmp_path: Path) -> None:
    """A negative split ratio is named with its line, if the column is read."""
    text = write(tmp_path, f"{bar(stamp=DAYS[0])},-2", header=HEADER + ",split")
    with pytest.raises(MarketDataInvalid, match=r"bars.csv line 2: AAPL: split -2 is not above 0"):
        load(text, actions="columns")
    assert load(text).actions == ()
