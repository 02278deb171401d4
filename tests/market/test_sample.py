"""The sample: real bars that come with the package."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from engine.errors import InvalidOption, MarketDataUnavailable, UnknownSymbol
from tests.market.kit import load, source


def test_all_of_it() -> None:
    """Five symbols on 3,270 sessions; FB from 2012 on, GOOG from 2004 on."""
    bars = load("sample")
    assert bars.symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    assert bars.close.shape == (3270, 5)
    assert (bars.session_dates[0], bars.session_dates[-1]) == ("2000-03-01", "2013-03-01")
    first = [bars.session_dates[np.flatnonzero(~np.isnan(column))[0]] for column in bars.close.T]
    assert first == ["2000-03-01", "2012-05-18", "2004-08-19", "2000-03-01", "2000-03-01"]
    assert bars.close[0, 0] == 130.31
    assert bars.provenance["adjustment"] == "raw"


@pytest.mark.parametrize(
    ("symbol", "day"), [("AAPL", "2000-06-21"), ("MSFT", "2003-02-18"), ("AAPL", "2005-02-28")]
)
def test_its_splits_apply_by_default_and_the_prices_show_them(symbol: str, day: str) -> None:
    """Each split is an action on the day on which the raw close halves."""
    bars = load("sample", symbols=(symbol,))
    assert (symbol, day, "split", 2.0) in [act[:4] for act in bars.actions]
    place = bars.session_dates.index(day)
    assert bars.close[place, 0] / bars.close[place - 1, 0] == pytest.approx(0.5, abs=0.06)


def test_the_crash_of_apple_is_no_split() -> None:
    """2000-09-29 fell by half as well, and is nowhere among the actions."""
    bars = load("sample", symbols=("AAPL",))
    place = bars.session_dates.index("2000-09-29")
    assert bars.close[place, 0] / bars.close[place - 1, 0] < 0.55
    assert [act.ex_date for act in bars.actions] == ["2000-06-21", "2005-02-28"]


def test_actions_can_be_switched_off() -> None:
    """`none` means none, and other bars by their hash."""
    plain = load("sample", actions="none")
    assert plain.actions == ()
    assert plain.content_hash != load("sample").content_hash
    with pytest.raises(InvalidOption, match="sample has no action columns"):
        source("sample", actions="columns")


def test_actions_outside_the_window_do_not_come_along() -> None:
    """Only what happens between the first and the last bar."""
    bars = load("sample", start=date(2003, 1, 1), end=date(2003, 12, 31))
    assert [act.symbol for act in bars.actions] == ["MSFT"]


def test_what_the_sample_has_not() -> None:
    """Other symbols and timeframes are refused; years before a listing hold no bars."""
    with pytest.raises(UnknownSymbol, match="it has AAPL, FB, GOOG, IBM, MSFT"):
        source("sample", symbols=("TSLA",))
    with pytest.raises(InvalidOption, match="daily bars, not 1Hour"):
        source("sample", timeframe="1Hour")
    with pytest.raises(MarketDataUnavailable, match="no bars of FB"):
        load("sample", symbols=("FB",), end=date(2011, 12, 31))


def test_it_loads_without_pandas() -> None:
    """The default source must not cost the default command half a second of imports."""
    code = (
        "import sys; from tests.market.kit import load; load('sample');"
        "print(*{'pandas', 'pyarrow', 'exchange_calendars'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
