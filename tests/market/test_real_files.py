"""Real files load as they are, and their traps are met (design, market data)."""

from __future__ import annotations

import csv
import gzip
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from engine.errors import InvalidFile, InvalidOption, MarketDataInvalid
from engine.market import Bars
from engine.model import stamp_text
from tests.market.kit import load, source


@pytest.fixture
def lean(shared: Path) -> str:
    """Raw hourly bars of ten US symbols, 1998 to 2021, stamped from 09:00 New York."""
    return f"csv:{shared / 'data' / 'lean_us_hourly_raw.csv.gz'}"


def column(
    bars: Bars, symbol: str, field: str = "close"
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The symbol's own values, gaps left out."""
    values = getattr(bars, field)[:, bars.symbols.index(symbol)]
    return np.asarray(values[~np.isnan(values)])


def session_sizes(bars: Bars, symbol: str, day: str) -> int:
    """How many bars the symbol has in the session of a date."""
    inside = bars.sessions == bars.session_dates.index(day)
    return int(np.count_nonzero(~np.isnan(bars.close[inside, bars.symbols.index(symbol)])))


def test_every_row_of_the_hourly_file_is_in_its_cell(hourly_file: Path) -> None:
    """The panel is the file: each of 188,517 rows stands at its stamp and symbol, no more."""
    bars = load(f"csv:{hourly_file}")
    steps = {stamp_text(stamp): step for step, stamp in enumerate(bars.stamps.tolist())}
    columns = {symbol: place for place, symbol in enumerate(bars.symbols)}
    with gzip.open(hourly_file, "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    cells = [(steps[row["timestamp"]], columns[row["symbol"]]) for row in rows]
    for field in ("open", "high", "low", "close", "volume"):
        values = getattr(bars, field)
        assert [values[cell] for cell in cells] == [float(row[field]) for row in rows]
    assert bars.provenance["rows"] == len(rows) == np.count_nonzero(~np.isnan(bars.close))
    assert bars.timeframe == "1Hour"
    assert len(bars.session_dates) == 730


def test_early_closes_have_fewer_bars_and_not_the_same_for_all(hourly_file: Path) -> None:
    """The day after Thanksgiving is one session; a symbol's stray fourth bar belongs to it."""
    bars = load(f"csv:{hourly_file}")
    for day in ("2022-11-25", "2023-11-24", "2024-12-24"):
        assert session_sizes(bars, "AAPL", day) == 3
    stocks = [symbol for symbol in bars.symbols if symbol not in ("IBIT", "FBTC")]  # of 2024
    assert {session_sizes(bars, symbol, "2023-11-24") for symbol in stocks} == {3, 4}
    assert session_sizes(bars, "AAPL", "2023-11-22") == 7


def test_a_missing_bar_is_a_gap_and_nothing_is_filled(hourly_file: Path) -> None:
    """TMO has no bar on the first day; its cells are NaN in every field."""
    bars = load(f"csv:{hourly_file}", symbols=("TMO", "AAPL"))
    assert np.isnan(bars.close[bars.sessions == 0, 0]).all()
    assert not np.isnan(bars.close[bars.sessions == 0, 1]).any()


def test_action_columns_are_told_and_not_applied_unless_asked(hourly_file: Path) -> None:
    """Prices of that file are split-adjusted already: whether columns apply is for a person."""
    silent = load(f"csv:{hourly_file}", symbols=("NVDA", "DHR"))
    assert silent.actions == ()
    assert "split column holds 2 values" in silent.provenance["notices"][0]
    assert "dividend column holds" in silent.provenance["notices"][1]
    splits = load(f"csv:{hourly_file}", symbols=("NVDA", "DHR"), actions="columns:split")
    assert [(act.symbol, act.ex_date, act.value) for act in splits.actions] == [
        ("DHR", "2023-10-02", 1.128),  # a spin-off, shown as a split by its vendor
        ("NVDA", "2024-06-10", 10.0),
    ]
    assert splits.provenance["notices"] == []
    both = load(f"csv:{hourly_file}", symbols=("NVDA",), actions="columns")
    assert {act.kind for act in both.actions} == {"split", "dividend"}


def test_volume_may_jump_where_prices_do_not(hourly_file: Path) -> None:
    """Hourly prices are split-adjusted and volume is not; nothing is repaired by guess."""
    bars = load(
        f"csv:{hourly_file}", symbols=("NVDA",), start=date(2024, 6, 7), end=date(2024, 6, 10)
    )
    before, after = bars.sessions == 0, bars.sessions == 1
    assert abs(bars.close[after].mean() / bars.close[before].mean() - 1) < 0.05
    assert bars.volume[after].sum() > 4 * bars.volume[before].sum()


def test_hourly_and_daily_files_are_on_other_bases(shared: Path, hourly_file: Path) -> None:
    """The daily file is dividend-adjusted: its closes are lower, and no mixing is offered."""
    daily = f"csv:{shared / 'data' / 'agentictrading_us_daily.csv.gz'}"
    days = load(daily, symbols=("KO",), end=date(2022, 12, 30), start=date(2022, 9, 20))
    hours = load(
        f"csv:{hourly_file}", symbols=("KO",), end=date(2022, 12, 30), start=date(2022, 9, 20)
    )
    last = np.flatnonzero(np.diff(hours.sessions, append=len(hours.session_dates)))
    assert days.session_dates == hours.session_dates
    assert (days.close[:, 0] < 0.97 * hours.close[last, 0]).all()
    with pytest.raises(InvalidOption, match=r"1 day apart, not 1Hour"):
        source(daily, timeframe="1Hour")


def test_bad_prints_within_the_rules_stay(hourly_file: Path) -> None:
    """The opening glitch of 2023-01-24 printed 302 for MCD at 264; it obeys G6 and is kept."""
    bars = load(
        f"csv:{hourly_file}", symbols=("MCD",), start=date(2023, 1, 24), end=date(2023, 1, 24)
    )
    assert bars.high[0, 0] > 300
    assert bars.close[0, 0] < 275


def test_a_daily_bar_against_the_rules_is_named(shared: Path) -> None:
    """ACN's last daily bar opens below its low."""
    text = f"csv:{shared / 'data' / 'agentictrading_us_daily.csv.gz'}"
    with pytest.raises(MarketDataInvalid) as caught:
        load(text)
    assert str(caught.value).startswith(
        "agentictrading_us_daily.csv.gz line 2260: ACN 2025-08-15T04:00:00Z:"
        " low 245.8500061 is above its open 245.7400055"
    )
    assert load(text, symbols=("AAPL",)).close.shape == (753, 1)


def test_last_rows_that_hold_only_an_open(shared: Path) -> None:
    """They are refused, and dropped and counted by repair; the first bar starts at 10:00."""
    text = f"csv:{shared / 'data' / 'aitrader_nasdaq100_hourly.csv.gz'}"
    with pytest.raises(
        MarketDataInvalid, match=r"line 175: AAPL .* high is missing \(and 100 more"
    ):
        load(text)
    bars = load(text, repair=True)
    assert bars.provenance["repairs"] == {"high missing": 101}
    assert stamp_text(int(bars.stamps[0])) == "2025-10-01T14:00:00Z"
    assert bars.close.shape == (173, 101)


def test_bars_stamped_before_the_open_belong_to_that_day(lean: str) -> None:
    """That vendor's first bar of the day is stamped 09:00, half an hour before the open."""
    bars = load(lean, symbols=("AAPL",), start=date(2014, 6, 5), end=date(2014, 6, 6))
    assert bars.session_dates == ("2014-06-05", "2014-06-06")
    assert [stamp_text(stamp)[11:16] for stamp in bars.stamps[:2].tolist()] == ["13:00", "14:00"]
    assert session_sizes(bars, "AAPL", "2014-06-05") == 7


def test_stray_bars_after_an_early_close_belong_to_that_day(lean: str) -> None:
    """On 2007-07-03 AAPL has 7 bars and AIG 5, all of one session."""
    bars = load(lean, symbols=("AAPL", "AIG"), start=date(2007, 7, 3), end=date(2007, 7, 3))
    assert session_sizes(bars, "AAPL", "2007-07-03") == 7
    assert session_sizes(bars, "AIG", "2007-07-03") == 5


def test_clock_changes_follow_the_rule_of_their_year(lean: str) -> None:
    """From 2007 summer time began in March: the same wall hour is another UTC hour."""
    old = load(lean, symbols=("IBM",), start=date(2006, 3, 20), end=date(2006, 3, 20))
    new = load(lean, symbols=("IBM",), start=date(2007, 3, 20), end=date(2007, 3, 20))
    assert stamp_text(int(old.stamps[0]))[11:16] == "14:00"
    assert stamp_text(int(new.stamps[0]))[11:16] == "13:00"
    assert (old.session_dates, new.session_dates) == (("2006-03-20",), ("2007-03-20",))


def test_a_crash_is_no_split_and_a_split_no_crash(lean: str, tmp_path: Path) -> None:
    """AAPL lost half in an hour of 2000-09-29 and 86 % by its split of 2014-06-09: only the
    action file knows which is which."""
    actions = tmp_path / "actions.csv"
    actions.write_text("symbol,ex_date,kind,value,pay_date\nAAPL,2014-06-09,split,7,\n")
    bars = load(lean, symbols=("AAPL",), actions=str(actions))
    closes = column(bars, "AAPL")
    days = bars.sessions[~np.isnan(bars.close[:, 0])]
    falls = np.flatnonzero(closes[1:] / closes[:-1] < 0.55) + 1
    dates = [bars.session_dates[days[fall]] for fall in falls]
    assert "2000-09-29" in dates
    assert "2014-06-09" in dates
    assert [(act.ex_date, act.value) for act in bars.actions] == [("2014-06-09", 7.0)]
    assert load(lean, symbols=("AAPL",)).actions == ()


def test_minute_bars_outside_the_session_belong_to_their_date(shared: Path) -> None:
    """Trades from 04:00 to 19:59 New York are one session."""
    bars = load(f"csv:{shared / 'data' / 'lean_us_minute_trade_raw.csv.gz'}", symbols=("AAPL",))
    assert bars.timeframe == "1Min"
    assert bars.session_dates[0] == "2014-06-05"
    assert stamp_text(int(bars.stamps[0])) == "2014-06-05T08:15:00Z"


def test_quotes_are_no_bars(shared: Path) -> None:
    """A file of bids and asks is refused by its header."""
    with pytest.raises(InvalidFile, match=r"no column open, high, low, close, volume among symbol"):
        source(f"csv:{shared / 'data' / 'lean_us_minute_quote_raw.csv.gz'}")


def test_foreign_exchange_keeps_its_own_hours(shared: Path) -> None:
    """Without a calendar a session is a UTC date; with the exchange's, Sunday night is Monday."""
    text = f"csv:{shared / 'data' / 'backtestingpy_eurusd.csv.gz'}"
    free = load(text, calendar="none")
    assert len(free.session_dates) == 251
    assert free.sessions_per_year == 252
    assert load(text, calendar="24/7").sessions_per_year == 365
    listed = load(text)
    assert all(date.fromisoformat(day).weekday() < 5 for day in listed.session_dates)
    assert (np.diff(listed.sessions) >= 0).all()


@pytest.mark.parametrize(
    ("name", "rows", "first", "last"),
    [
        ("backtestingpy_goog", 2148, "2004-08-19", "2013-03-01"),
        ("backtrader_2006_day", 255, "2006-01-02", "2006-12-29"),
    ],
)
def test_daily_files_have_a_session_a_bar(
    name: str, rows: int, first: str, last: str, shared: Path
) -> None:
    """Stamped at New York midnight or at UTC midnight, a daily bar is its date's."""
    bars = load(f"csv:{shared / 'data' / name}.csv.gz")
    assert bars.timeframe == "1Day"
    assert bars.close.shape == (rows, 1)
    assert (len(bars.session_dates), bars.session_dates[0], bars.session_dates[-1]) == (
        rows,
        first,
        last,
    )
