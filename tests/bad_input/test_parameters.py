"""Malformed parameters and options: refused by name, with what would do, before anything exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engine.errors import InputError
from engine.runs.requests import prepare
from engine.strategies import describe, parse_params
from tui.options import build_request


class Parameter(NamedTuple):
    """A strategy's parameter, as given on a command line or by a program."""

    strategy: str
    name: str
    value: object
    said: str
    code: str = "invalid_parameter"


class Option(NamedTuple):
    """Options of ``run`` by name; ``field`` is the one that is wrong."""

    field: str
    value: Any
    said: str
    code: str = "invalid_option"
    others: dict[str, Any] = {}  # noqa: RUF012  # never changed


WHOLE, NUMBER = "a whole number >= 1", "a number from 0 to 100"

PARAMETERS = (
    *(
        Parameter("sma_cross", "fast", value, WHOLE)
        for value in ("0", "-3", "1.5", "ten", "", " ", "1e3", "nan", "inf", "0x10", "1_0_", "+-1")
    ),
    *(
        Parameter("sma_cross", "slow", value, WHOLE)
        for value in (0, -1, 2.0, 1.5, True, None, [30], (), b"30", float("nan"))
    ),
    *(
        Parameter("rsi_reversion", "low", value, NUMBER)
        for value in (
            "-0.1",
            "100.01",
            "nan",
            "inf",
            "-inf",
            "half",
            "30%",
            "",
            True,
            None,
            10**400,
        )
    ),
    *(Parameter("rsi_reversion", "high", value, NUMBER) for value in ("1e9", -1, "70,5", [70])),
    *(
        Parameter("rsi_reversion", "period", value, "a whole number >= 2")
        for value in ("1", 1, "14.0", "fourteen", False)
    ),
    *(
        Parameter("rsi_reversion", "weight", value, "a number from 0 to 1")
        for value in ("1.01", -0.01, "2%", "nan")
    ),
    *(Parameter("momentum", "top", value, WHOLE) for value in ("0", "all", 0.5, "-5")),
    *(Parameter("momentum", "every", value, WHOLE) for value in ("0", "daily")),
    *(Parameter("momentum", "lookback", value, WHOLE) for value in ("0", "20d")),
    Parameter("sma_cross", "fats", "3", "it has fast, slow", "unknown_parameter"),
    Parameter("sma_cross", "FAST", "3", "it has fast, slow", "unknown_parameter"),
    Parameter("sma_cross", "fast ", "3", "it has fast, slow", "unknown_parameter"),
    Parameter("sma_cross", "", "3", "it has fast, slow", "unknown_parameter"),
    Parameter("sma_cross", "_plan", "3", "it has fast, slow", "unknown_parameter"),
    Parameter("sma_cross", "bounds", "3", "it has fast, slow", "unknown_parameter"),
    Parameter("momentum", "topp", "3", "it has lookback, top, every", "unknown_parameter"),
    Parameter("buy_and_hold", "weight", "1", "it has none", "unknown_parameter"),
    Parameter("manual", "fast", "1", "it has none", "unknown_parameter"),
)


def numbers(field: str, said: str, *values: str) -> tuple[Option, ...]:
    """An option that takes a number, with texts that are none or out of its range."""
    bad = ("", "ten", "1,5", "nan", "inf", "-inf", "1e999", "$5")
    return (
        *(Option(field, value, "give a number") for value in bad if value),
        *(Option(field, value, said) for value in values),
    )


OPTIONS = (
    *numbers("cash", "an amount above 0", "0", "-1", "-0.0"),
    *numbers("lot", "a size above 0", "0", "-1"),
    *numbers("commission-min", "0 or more", "-0.01"),
    *numbers("commission-per-share", "0 or more", "-1e-9"),
    *numbers("commission-pct", "0 or more", "-0.001"),
    *(Option("commission-pct", value, "0.02 is 2 %") for value in ("1", "2", "100")),
    *numbers("slippage-bps", "0 or more", "-1"),
    *numbers("participation", "above 0 and up to 1", "0", "-0.1", "1.01", "10"),
    *numbers("max-leverage", "1 or more", "0", "0.99", "-1"),
    *numbers("risk-free", "0.04 is 4 %", "-1", "-2", "1", "5"),
    *numbers("speed", "a number above 0", "0", "-1"),
    Option("slippage-bps", "10000", "less than 10000"),
    Option("lot", "1e-13", "from 1e-12 on"),
    *(Option("seed", value, "a whole number") for value in ("1.5", "x", "nan", "-1", str(2**63))),
    *(
        Option("start", value, "give a date")
        for value in ("2012-13-01", "soon", "1/2/2012", "2012")
    ),
    *(Option("end", value, "give a date") for value in ("2012-02-30", "20120230", "yesterday")),
    Option("start", "2012-02-01", "end", others={"end": "2012-01-01"}),
    *(Option("fill", value, "next_open | close") for value in ("open", "Close", "next_close")),
    *(
        Option("costs", value, "us-equity")
        for value in ("free", "US-EQUITY", "sec,finra", "sec;taf")
    ),
    *(Option("timeframe", value, "1Hour") for value in ("2Day", "1hour", "60Min", "day")),
    *(Option("calendar", value, "XNYS | 24/7 | none") for value in ("xnys", "NYSE", "24-7")),
    *(Option("tz", value, "e.g. UTC") for value in ("Mars/Base", "EST5", "+01:00")),
    *(
        Option("tz", "America/New_York", "stamps of its own", others={"source": source})
        for source in ("", "sample", "synthetic:bars=9")
    ),
    Option("universe", "nyse", "djia30"),
    Option("universe", "djia30", "give one of them", others={"symbols": "AAPL"}),
    *(Option("symbols", value, "symbols") for value in ("AAPL,,MSFT", ",", "AAPL,AAPL", "AAPL,")),
    *(
        Option("symbols", value, "it has", "unknown_symbol")
        for value in ("NOPE", "aapl", "AAPL MSFT")
    ),
    *(
        Option("source", value, "sample", "unknown_source")
        for value in ("moon", "Sample", "http://x")
    ),
    Option("source", "csv:", "csv:PATH"),
    Option("source", "csv:nowhere.csv", "nowhere.csv", "invalid_file"),
    Option("source", "parquet:nowhere.parquet", "nowhere.parquet", "invalid_file"),
    *(
        Option("source", f"synthetic:{text}", "synthetic")
        for text in ("seed=x", "bars=0", "vol=-1", "corr=2", "symbols=0", "missing=1")
    ),
    Option("source", "synthetic:sed=1", "did you mean seed?"),
    Option("source", "synthetic:seed", "is no name=value"),
    Option("actions", "nowhere.csv", "nowhere.csv", "invalid_file"),
    Option("actions", "columns", "leave --actions out"),
    Option("timeframe", "1Hour", "sample has daily bars"),
    Option("p", ["fast"], "NAME=VALUE", "invalid_parameter"),
    Option("p", ["=3"], "NAME=VALUE", "invalid_parameter"),
    Option("csah", "5", "did you mean cash?"),
)


def refused(error: InputError, code: str, field: str, said: str) -> None:
    """One line with the code and the field, what is wrong and what would be right."""
    assert (error.code, error.field) == (code, field)
    assert said in str(error)
    assert len(str(error).splitlines()) == 1
    assert error.remedy


@pytest.mark.parametrize("row", PARAMETERS, ids=lambda row: f"{row.name}={row.value!r:.20}")
def test_a_parameter_that_cannot_be_is_refused(row: Parameter) -> None:
    """By its name, with what it must be and its default."""
    with pytest.raises(InputError) as caught:
        parse_params(describe(row.strategy), {row.name: row.value})
    refused(caught.value, row.code, row.name, row.said)


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: f"{row.field}={row.value}")
def test_an_option_that_cannot_be_is_refused(
    row: Option, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the text becomes a request, or where the request is looked at: before any run."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        prepare(build_request("sma_cross", {row.field: row.value, **row.others}))
    refused(caught.value, row.code, row.field, row.said)


@pytest.mark.parametrize("strategy", ["manual", "tape:any.jsonl"])
def test_what_has_no_strategy_is_not_isolated(strategy: str) -> None:
    """An option that would do nothing is refused rather than forgotten."""
    with pytest.raises(InputError) as caught:
        build_request(strategy, {"isolate": True})
    refused(caught.value, "invalid_option", "isolate", f"{strategy} has no strategy")


def test_there_are_three_hundred_of_them() -> None:
    """Orders, tape lines, actions rows and parameters: the tables of this folder together."""
    from tests.bad_input import test_actions, test_orders, test_tapes

    tables = (
        test_orders.ROWS,
        test_tapes.ROWS,
        test_tapes.OFF_THE_GRID,
        test_actions.ROWS,
        test_actions.HEADERS,
        test_actions.CELLS,
        PARAMETERS,
        OPTIONS,
    )
    assert sum(map(len, tables)) >= 300
    assert all(len(table) == len(set(map(repr, table))) for table in tables)
