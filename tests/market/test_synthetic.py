"""Seeded bars: the same for the same arguments, and like a market's."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from engine.errors import InvalidOption, LoadCancelled, UnknownSymbol
from engine.market.checks import check_rows
from engine.market.synthetic import load_synthetic, make_grid, parse_parameters
from engine.market.timeframes import TIMEFRAMES
from engine.model import stamp_text
from tests.market.kit import load, source


def test_same_arguments_same_bytes() -> None:
    """Twice the same source gives the same hash; another seed another."""
    one = load("synthetic:seed=7,symbols=3")
    hash_, close = one.content_hash, one.close.copy()
    del one
    two = load("synthetic:seed=7,symbols=3")
    assert two.content_hash == hash_
    assert two.close.tobytes() == close.tobytes()
    assert load("synthetic:seed=8,symbols=3").content_hash != hash_


def test_a_symbol_does_not_depend_on_its_company() -> None:
    """The bars of a symbol are the same whichever others are asked for with it."""
    alone = load("synthetic", symbols=("ACME",))
    among = load("synthetic", symbols=("ZETA", "ACME", "BETA"))
    assert alone.close[:, 0].tobytes() == among.close[:, 1].tobytes()


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
@pytest.mark.parametrize("calendar", ["XNYS", "24/7"])
def test_every_timeframe_obeys_the_rules_of_a_bar(timeframe: str, calendar: str) -> None:
    """Whatever the parameters, G6 holds, and stamps ascend."""
    grid = make_grid(parse_parameters("bars=3000"), timeframe, calendar, None, None)
    parameters = parse_parameters("vol=1.5,cluster=1,splits=2,gap=0.8")
    rows = load_synthetic(parameters, ("A", "B"), grid, timeframe, None, None)
    assert not check_rows(rows).counts
    assert (np.diff(grid.stamps) > 0).all()
    assert len(grid.stamps) == 3000


def test_the_grid_is_the_exchanges() -> None:
    """Sessions, early closes and summer time are those of XNYS."""
    bars = load(
        "synthetic:symbols=1", timeframe="1Hour", start=date(2024, 7, 2), end=date(2024, 7, 5)
    )
    assert bars.session_dates == ("2024-07-02", "2024-07-03", "2024-07-05")
    assert np.bincount(bars.sessions).tolist() == [7, 4, 7]
    assert stamp_text(int(bars.stamps[0])) == "2024-07-02T13:30:00Z"
    winter = load(
        "synthetic:symbols=1", timeframe="1Min", start=date(2024, 1, 2), end=date(2024, 1, 2)
    )
    assert stamp_text(int(winter.stamps[0])) == "2024-01-02T14:30:00Z"
    assert len(winter.stamps) == 390


def test_it_looks_like_a_market() -> None:
    """Volatility, its clusters, correlation, gaps and fat tails are what was asked for."""
    bars = load("synthetic:symbols=8,bars=5000,vol=0.3,corr=0.5")
    returns = np.diff(np.log(bars.close), axis=0)
    assert np.median(returns.std(axis=0)) * np.sqrt(252) == pytest.approx(0.3, rel=0.25)
    pairs = np.corrcoef(returns.T)[np.triu_indices(8, 1)]
    assert pairs.mean() == pytest.approx(0.5, abs=0.12)
    size = np.abs(returns)
    clusters = [np.corrcoef(each[5:], each[:-5])[0, 1] for each in size.T]
    assert np.mean(clusters) > 0.05
    gaps = np.log(bars.open[1:] / bars.close[:-1])
    assert gaps.var() / returns.var() == pytest.approx(0.25, abs=0.08)
    scores = (returns - returns.mean(axis=0)) / returns.std(axis=0)
    assert np.mean(scores**4) > 3.5


def test_splits_and_dividends_are_actions_that_prices_show() -> None:
    """A split divides the raw price on its day; dividends come each quarter, paid later."""
    bars = load("synthetic:symbols=1,splits=2,dividends=0.04,vol=0.05,seed=3")
    splits = [act for act in bars.actions if act.kind == "split"]
    assert splits
    for split in splits:
        place = bars.session_dates.index(split.ex_date)
        ratio = bars.close[place - 1, 0] / bars.open[place, 0]
        assert ratio == pytest.approx(split.value, rel=0.05)
    dividends = [act for act in bars.actions if act.kind == "dividend"]
    assert len(dividends) == pytest.approx(4 * len(bars.session_dates) / 252, abs=2)
    assert all(act.pay_date is not None and act.pay_date > act.ex_date for act in dividends)
    plain = load("synthetic:symbols=1,splits=2,dividends=0.04,vol=0.05,seed=3", actions="none")
    assert plain.actions == ()


def test_missing_bars_are_gaps() -> None:
    """Some symbols then have no bar at some grid points."""
    bars = load("synthetic:missing=0.1")
    assert np.isnan(bars.close).mean() == pytest.approx(0.1, abs=0.02)


def test_it_is_labelled() -> None:
    """Nobody shall take it for a market."""
    found = source("synthetic:seed=1")
    assert found.label == "synthetic:seed=1"
    assert found.provenance["synthetic"] is True
    assert found.symbols == ("SYN01", "SYN02", "SYN03", "SYN04", "SYN05")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("synthetic:sede=7", "no parameter 'sede'; did you mean seed"),
        ("synthetic:seed", "'seed' is no name=value"),
        ("synthetic:vol=high", "vol=high is not a number from 0 to 5"),
        ("synthetic:vol=nan", "vol=nan is not a number"),
        ("synthetic:symbols=2.5", "symbols=2.5 is not a whole number"),
        ("synthetic:symbols=5000,bars=20000", "would make about 100,000,000 bars"),
        ("synthetic:bars=1000000", "would end on 6263-11-03; choose years"),
    ],
)
def test_bad_parameters_are_refused_by_name(text: str, message: str) -> None:
    """The parameter, its value and what would do."""
    with pytest.raises(InvalidOption, match=message):
        source(text)


def test_bad_windows_and_symbols_are_refused() -> None:
    """Years no calendar knows, names no exchange has, and a start after the end."""
    with pytest.raises(InvalidOption, match="choose years from 1900 to 2199"):
        source("synthetic", end=date(9999, 12, 31))
    with pytest.raises(UnknownSymbol, match="'A B' is no symbol"):
        source("synthetic", symbols=("A B",))
    with pytest.raises(InvalidOption, match="start 2024-01-02 is after end 2024-01-01"):
        source("synthetic", start=date(2024, 1, 2), end=date(2024, 1, 1))


def test_an_end_before_the_usual_start_moves_the_start() -> None:
    """Five years up to that end."""
    bars = load("synthetic:symbols=1", end=date(2012, 12, 31))
    assert (bars.session_dates[0], bars.session_dates[-1]) == ("2008-01-02", "2012-12-31")


def test_progress_is_told_by_symbol_and_loading_can_be_stopped() -> None:
    """Each symbol is announced as it is done; a stop is obeyed between two."""
    seen: list[tuple[str, int, int]] = []
    found = source("synthetic:symbols=3")
    with pytest.raises(LoadCancelled):
        found.load(lambda *step: seen.append(step), lambda: len(seen) == 2)
    assert seen == [("SYN01", 1, 3), ("SYN02", 2, 3)]
