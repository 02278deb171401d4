"""The traps that real files hold (design, market data), each as a run from file to fills."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import engine
from engine.api import Result
from engine.errors import MarketDataInvalid
from engine.model import OrderRecord

SPLITS = """symbol,ex_date,kind,value,pay_date
AAPL,2000-06-21,split,2,
AAPL,2005-02-28,split,2,
AAPL,2014-06-09,split,7,
AAPL,2020-08-31,split,4,
"""


@pytest.fixture
def lean(shared: Path) -> str:
    """Raw hourly bars of ten US symbols, 1998 to 2021, the first of a day stamped 09:00."""
    return f"csv:{shared / 'data' / 'lean_us_hourly_raw.csv.gz'}"


@pytest.fixture
def hourly(hourly_file: Path) -> str:
    """Hourly bars of 38 US symbols, split-adjusted, the first of a day stamped 09:30."""
    return f"csv:{hourly_file}"


def played(folder: Path, source: str, tape: Mapping[str, Any], **config: Any) -> Result:
    """A run of decisions by stamp."""
    path = folder / "tape.jsonl"
    path.write_text("".join(json.dumps({"at": at} | line) + "\n" for at, line in tape.items()))
    return engine.run(f"tape:{path}", source, **{"costs": "none"} | config)


def order(symbol: str, side: str, quantity: float, **fields: Any) -> dict[str, Any]:
    """A decision of one order."""
    return {"orders": [{"symbol": symbol, "side": side, "quantity": quantity} | fields]}


def ended(result: Result) -> list[tuple[str, str | None, str | None]]:
    """How each order ended: status, reason, and the stamp of the bar at which it did."""

    def told(record: OrderRecord) -> tuple[str, str | None, str | None]:
        at = None if record.closed_step is None else result.stamps[record.closed_step]
        stamp = None if at is None else pd.Timestamp(int(at), unit="us").isoformat()
        return record.status, record.reason, stamp

    return [told(record) for record in result.order_records]


def _dates(result: Result) -> pd.Index[str]:
    return pd.DatetimeIndex(result.equity.index).strftime("%Y-%m-%d")


def change(result: Result, day: str) -> float:
    """What a day did to equity: its last over the last of the day before."""
    closing = result.equity["equity"].groupby(_dates(result)).last()
    before = closing.shift()
    return float(closing[day] / before[day] - 1)


def test_a_crash_is_a_loss_and_a_split_is_not(lean: str, tmp_path: Path) -> None:
    """Held through a fall of half in a day and four splits: what the actions file names, and it
    alone, is made good in shares."""
    actions = tmp_path / "splits.csv"
    actions.write_text(SPLITS)
    config: dict[str, Any] = {
        "symbols": ["AAPL"],
        "start": date(2000, 6, 1),
        "end": date(2020, 12, 31),
        "costs": "none",
    }
    with_splits = engine.run("buy_and_hold", lean, actions=str(actions), **config)
    without = engine.run("buy_and_hold", lean, **config)
    for day in ("2000-06-21", "2005-02-28", "2014-06-09", "2020-08-31"):
        assert abs(change(with_splits, day)) < 0.11
        assert change(without, day) < -0.4
    for run in (with_splits, without):
        assert change(run, "2000-09-29") < -0.5
    (fill,) = with_splits.fill_records
    holding = with_splits.equity_values[-1] - with_splits.cash_values[-1]
    assert holding == pytest.approx(fill.quantity * 2 * 2 * 7 * 4 * 132.7, rel=1e-3)
    assert with_splits.cash_flow_records == ()


def test_a_spin_off_shown_as_a_split_does_what_it_says(hourly: str) -> None:
    """DHR's 1.128 applies only where asked for: shares in whole lots, the rest paid in cash."""
    config: dict[str, Any] = {"symbols": ["DHR"], "start": "2023-09-01", "end": "2023-10-31"}
    silent = engine.run("buy_and_hold", hourly, **config)
    split = engine.run("buy_and_hold", hourly, actions="columns:split", **config)
    (fill,) = silent.fill_records
    (flow,) = split.cash_flow_records
    total = fill.quantity * 1.128
    assert flow.kind == "cash_in_lieu"
    assert flow.quantity == pytest.approx(total - int(total))
    assert silent.cash_flow_records == ()
    # Prices of that file are adjusted for it already, which makes the split a gift of an eighth.
    assert change(split, "2023-10-02") - change(silent, "2023-10-02") > 0.12


def test_volume_of_another_basis_than_prices_caps_as_it_stands(hourly: str) -> None:
    """Volume is not split-adjusted: a cap on it is ten times tighter before the split of NVDA."""

    def capped(day: str) -> float:
        run = engine.run(
            "buy_and_hold",
            hourly,
            symbols=["NVDA"],
            start=day,
            end=day,
            participation=0.001,
            cash=1e9,
        )
        return float(sum(fill.quantity for fill in run.fill_records))

    assert capped("2024-06-10") > 4 * capped("2024-06-07")


def test_bars_without_volume_fill_unless_a_cap_says_otherwise(hourly: str, tmp_path: Path) -> None:
    """GBTC has 281 bars of no volume: a price all the same; a share of nothing is nothing."""
    frame = pd.read_csv(hourly.removeprefix("csv:"))
    frame = frame[frame["symbol"] == "GBTC"].reset_index(drop=True)
    empty = int(np.flatnonzero(frame["volume"] == 0)[5])
    before, at = frame["timestamp"][empty - 1], frame["timestamp"][empty]
    tape = {before: order("GBTC", "buy", 10)}
    free = played(tmp_path, hourly, tape, symbols=["GBTC"])
    capped = played(tmp_path, hourly, tape, symbols=["GBTC"], participation=0.5)
    assert free.fill_records[0].price == frame["open"][empty]
    assert ended(capped) == [("cancelled", "volume_cap", at.removesuffix("Z"))]


def test_a_bad_print_trades_what_rests_there_and_values_nothing(
    hourly: str, tmp_path: Path
) -> None:
    """MCD printed 302 at 264 on 2023-01-24: a limit at 290 sells, the equity never saw it."""
    tape = {
        "2023-01-23T14:30:00Z": order("MCD", "buy", 100),
        "2023-01-23T20:30:00Z": order("MCD", "sell", 50, order_type="limit", limit_price=290.0),
    }
    run = played(
        tmp_path, hourly, tape, symbols=["MCD"], start="2023-01-23", end="2023-01-25", cash=30_000.0
    )
    sold = run.fill_records[-1]
    assert (sold.side, sold.price) == ("sell", 290.0)
    assert run.equity_values.max() < 30_000 + 50 * (290 - 264) + 100 * 15


@pytest.mark.parametrize(
    ("name", "symbol", "decided", "last"),
    [
        ("lean_us_hourly_raw", "IBM", "2014-06-05T13:00:00Z", "2014-06-05T19:00:00"),
        ("agentictrading_us_hourly", "AAPL", "2024-06-05T13:30:00Z", "2024-06-05T19:30:00"),
        ("aitrader_nasdaq100_hourly", "AAPL", "2025-10-02T14:00:00Z", "2025-10-02T19:00:00"),
    ],
)
def test_a_day_order_lives_as_long_as_its_vendors_day(
    shared: Path, tmp_path: Path, name: str, symbol: str, decided: str, last: str
) -> None:
    """First bars stamped 09:00, 09:30 and 10:00 New York: it rests to the last bar of that day."""
    source = f"csv:{shared / 'data' / name}.csv.gz"
    day = decided[:10]
    tape = {decided: order(symbol, "buy", 1, order_type="limit", limit_price=1.0)}
    run = played(
        tmp_path,
        source,
        tape,
        symbols=[symbol],
        start=day,
        end=(date.fromisoformat(day) + pd.Timedelta(days=1)).isoformat(),
        repair=True,
    )
    assert ended(run) == [("expired", "session_end", last)]


def test_symbols_with_other_bars_on_an_early_close(lean: str, tmp_path: Path) -> None:
    """2007-07-03 has 7 bars of AAPL and 5 of AIG: AIG's orders find no bar, or wait a holiday."""
    tape = {
        "2007-07-03T17:00:00Z": {
            "orders": [
                {"symbol": "AIG", "side": "buy", "quantity": 1},
                {"symbol": "AIG", "side": "buy", "quantity": 2, "time_in_force": "gtc"},
                {"symbol": "AAPL", "side": "buy", "quantity": 3},
            ]
        }
    }
    run = played(
        tmp_path, lean, tape, symbols=["AAPL", "AIG"], start="2007-07-03", end="2007-07-05"
    )
    stamps = [stamp for _, _, stamp in ended(run)]
    assert [(status, reason) for status, reason, _ in ended(run)] == [
        ("cancelled", "no_bar"),
        ("filled", None),
        ("filled", None),
    ]
    assert stamps[0] == stamps[2] == "2007-07-03T18:00:00"
    assert stamps[1] == "2007-07-05T13:00:00"


@pytest.mark.parametrize(
    ("start", "end", "before", "after"),
    [
        ("2006-03-31", "2006-04-04", "14:00", "13:00"),  # the first Sunday of April, till 2006
        ("2007-03-09", "2007-03-13", "14:00", "13:00"),  # the second of March, since 2007
        ("2006-10-27", "2006-10-31", "13:00", "14:00"),
        ("2007-11-02", "2007-11-06", "13:00", "14:00"),
    ],
)
def test_clocks_change_and_sessions_do_not(
    lean: str, tmp_path: Path, start: str, end: str, before: str, after: str
) -> None:
    """Across a change of the clock, under both rules, a decision of Friday's last bar fills at
    Monday's first, which is another hour of UTC."""
    rows = engine.run("buy_and_hold", lean, symbols=["IBM"], start=start, end=end, costs="none")
    index = pd.DatetimeIndex(rows.equity.index)
    days = sorted({stamp.date().isoformat() for stamp in index})
    firsts = [index[index.strftime("%Y-%m-%d") == day][0] for day in days]
    assert [first.strftime("%H:%M") for first in firsts] == [before, after, after]
    friday = index[index.strftime("%Y-%m-%d") == days[0]][-1]
    tape = {friday.strftime("%Y-%m-%dT%H:%M:%SZ"): order("IBM", "buy", 10)}
    run = played(tmp_path, lean, tape, symbols=["IBM"], start=start, end=end)
    assert ended(run) == [("filled", None, firsts[1].strftime("%Y-%m-%dT%H:%M:%S"))]


def test_rows_that_hold_only_an_open_end_the_run_or_are_counted(shared: Path) -> None:
    """Refused by name while the bars are read; with repair they are dropped, and nobody trades."""
    source = f"csv:{shared / 'data' / 'aitrader_nasdaq100_hourly.csv.gz'}"
    with pytest.raises(MarketDataInvalid, match=r"AAPL 2025-11-10T\d\d:00:00Z: high is missing"):
        engine.run("buy_and_hold", source, symbols=["AAPL", "MSFT"])
    run = engine.run("buy_and_hold", source, symbols=["AAPL", "MSFT"], repair=True)
    assert len(run.equity_values) == 173
    assert np.isfinite(run.equity_values).all()


def test_bases_of_two_files_do_not_mix(shared: Path, hourly: str) -> None:
    """The dividend-adjusted daily file earns dividends that the hourly one does not; with those of
    its own columns the hourly one earns them too, in cash."""
    window: dict[str, Any] = {
        "symbols": ["KO"], "start": "2022-09-20", "end": "2025-07-31", "costs": "none",
    }  # fmt: skip
    daily = engine.run(
        "buy_and_hold", f"csv:{shared / 'data' / 'agentictrading_us_daily.csv.gz'}", **window
    )
    raw = engine.run("buy_and_hold", hourly, **window)
    paid = engine.run("buy_and_hold", hourly, actions="columns:dividend", **window)
    earned = [run.metrics["total_return"] for run in (raw, paid, daily)]
    assert earned[0] + 0.06 < min(earned[1:])
    assert earned[1] == pytest.approx(earned[2], abs=0.01)
    assert len(paid.cash_flow_records) == 11
    assert daily.metrics["num_fills"] == raw.metrics["num_fills"] == 1
