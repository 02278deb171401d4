"""The table of run options: text to request, request to command line, the same on both ways."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError, InvalidOption, NotAvailable
from engine.model import Costs, Rules, RunRequest
from tui.cli import stepdeck
from tui.options import CALENDARS, NOT_YET, OPTIONS, TIMEFRAMES, Value, build_request, command_line


def parsed(line: str) -> RunRequest:
    """The request that a command line makes, through the real command's parser."""
    words = shlex.split(line)
    assert words[:2] == ["stepdeck", "run"]
    seen: dict[str, Any] = {}
    command = stepdeck.get_command(
        stepdeck.make_context("stepdeck", [], resilient_parsing=True), "run"
    )
    assert command is not None
    with command.make_context("run", words[2:]) as ctx:
        seen = dict(ctx.params)
    values: dict[str, Value] = {
        name.removeprefix("opt_").replace("_", "-"): value
        for name, value in seen.items()
        if name.startswith("opt_")
    }
    return build_request(seen["strategy"], values)


def test_nothing_given_is_the_default_request() -> None:
    """Without options the request is the model's own default."""
    assert build_request("sma_cross", {}) == RunRequest("sma_cross")
    assert command_line(RunRequest("sma_cross")) == "stepdeck run sma_cross"


def test_every_option_has_its_place() -> None:
    """Each option of the table changes the request."""
    values: dict[str, Value] = {
        "p": ["fast=5"], "symbols": "A,B", "start": "2020-01-02", "end": "2020-02-03",
        "source": "csv:b.csv", "timeframe": "1Hour", "calendar": "24/7", "tz": "Europe/Berlin",
        "actions": "columns", "repair": True, "cash": "5000", "lot": "1e-9", "fill": "close",
        "costs": "sec", "commission-min": "1", "commission-per-share": "0.005",
        "commission-pct": "0.001", "slippage-bps": "2.5", "participation": "0.1",
        "allow-short": True, "max-leverage": "2", "risk-free": "0.04", "seed": "7", "name": "n",
        "tag": ["x", "y"], "agent": "bot", "speed": "10", "paused": True, "baselines": False,
        "break": ["fill", "drawdown < -5%"], "isolate": True, "isolate-memory": "512",
    }  # fmt: skip
    assert set(values) == {option.name for option in OPTIONS} - {"universe"}
    request = build_request("sma_cross", values)
    assert request == RunRequest(
        "sma_cross", {"fast": "5"}, "csv:b.csv", ("A", "B"), date(2020, 1, 2), date(2020, 2, 3),
        "1Hour", "24/7", "Europe/Berlin", "columns", True,
        Rules(5000, 1e-9, "close", Costs("sec", 1, 0.005, 0.001, True, False, 2.5), 0.1, True, 2,
              0.04, 7),
        "n", ("x", "y"), "bot", 10, True, False, ("fill", "drawdown < -5%"), True, 512,
    )  # fmt: skip
    assert parsed(command_line(request)) == request


@pytest.mark.parametrize(
    ("given_values", "costs"),
    [
        ({"costs": "none"}, Costs("none", 0, 0, 0, False, False, 0)),
        ({"costs": "us-equity"}, Costs("us-equity", 0, 0, 0, True, True, 1)),
        ({"costs": "sec,taf"}, Costs("sec,taf", 0, 0, 0, True, True, 0)),
        ({"costs": "none", "slippage-bps": "3"}, Costs("none", 0, 0, 0, False, False, 3)),
        ({"costs": "us-equity", "slippage-bps": "0"}, Costs("us-equity", 0, 0, 0, True, True, 0)),
    ],
)
def test_explicit_costs_override_a_profile_s_part(
    given_values: Mapping[str, Value], costs: Costs
) -> None:
    """A profile is a starting point; what is named beside it holds, 0 and `none` included."""
    assert build_request("sma_cross", given_values).rules.costs == costs


def test_djia30_is_a_list_of_symbols() -> None:
    """--universe djia30 asks for its thirty symbols."""
    symbols = build_request("sma_cross", {"universe": "djia30"}).symbols
    assert symbols is not None
    assert len(set(symbols)) == 30


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"cash": "lots"}, "cash"),
        ({"cash": "inf"}, "cash"),
        ({"seed": "1.5"}, "seed"),
        ({"start": "yesterday"}, "start"),
        ({"timeframe": "1day"}, "timeframe"),
        ({"calendar": "LSE"}, "calendar"),
        ({"symbols": "A,,B"}, "symbols"),
        ({"symbols": "A,A"}, "symbols"),
        ({"symbols": "A", "universe": "djia30"}, "universe"),
        ({"p": ["=1"]}, "p"),
        ({"p": ["fast=1", "fast=2"]}, "fast"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_values_name_their_field(values: Mapping[str, Value], field: str) -> None:
    """Whoever shows the refusal, a shell or a form, learns which field it is about."""
    with pytest.raises(InputError) as refusal:
        build_request("sma_cross", values)
    assert refusal.value.field == field


@pytest.mark.parametrize("name", NOT_YET)
def test_options_of_a_later_version(name: str) -> None:
    """They are known, and refused as not there yet."""
    with pytest.raises(NotAvailable):
        build_request("sma_cross", {name: "x"})


def test_empty_text_is_not_given() -> None:
    """A form's empty field asks for nothing."""
    assert build_request("sma_cross", {"cash": "", "symbols": " ", "name": None}) == RunRequest(
        "sma_cross"
    )


def test_a_number_is_not_a_flag() -> None:
    """A flag is yes or no."""
    with pytest.raises(InvalidOption):
        build_request("sma_cross", {"repair": "3"})


positive = st.floats(1e-9, 1e12, allow_nan=False)
words = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).filter(
    lambda text: text == text.strip()
)
requests = st.builds(
    RunRequest,
    strategy=st.sampled_from(["sma_cross", "manual"]),
    params=st.dictionaries(st.sampled_from(["fast", "slow"]), words),
    symbols=st.none() | st.lists(st.sampled_from("ABC"), min_size=1, unique=True).map(tuple),
    start=st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    timeframe=st.none() | st.sampled_from(TIMEFRAMES),
    calendar=st.sampled_from([name for name in CALENDARS if name != "24/7"]),
    repair=st.booleans(),
    rules=st.builds(
        Rules,
        cash=positive,
        lot=positive,
        fill=st.sampled_from(["next_open", "close"]),
        costs=st.builds(Costs, commission_min=positive, slippage_bps=st.floats(-5, 5)),
        participation=st.none() | st.floats(1e-9, 1),
        allow_short=st.booleans(),
        risk_free=st.floats(-0.5, 0.5),
        seed=st.integers(0, 2**63 - 1),
    ),
    name=st.none() | words,
    tags=st.lists(words, unique=True).map(tuple),
    speed=st.none() | positive,
    paused=st.booleans(),
    baselines=st.booleans(),
)


@given(requests)
def test_a_command_line_makes_the_request_it_was_made_of(request: RunRequest) -> None:
    """The line shown beside the form, typed into a shell, is the same request."""
    assert parsed(command_line(request)) == request
