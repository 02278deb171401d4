"""The form of a new run as values."""

from __future__ import annotations

import pytest

from engine.errors import InvalidOption, UnknownSymbol
from engine.strategies import registry
from tui.options import BY_NAME, build_request
from tui.viewmodel import form


def test_every_field_is_an_option_of_run() -> None:
    """The form and the command line cannot drift apart."""
    assert set(form.FIELDS) <= set(BY_NAME)


def test_empty_fields_ask_for_what_the_command_line_does_by_default() -> None:
    """An untouched form is ``stepdeck run STRATEGY``."""
    untouched = {
        name: field.default if field.choices else "" for name, field in form.FIELDS.items()
    }
    assert build_request("sma_cross", form.options_of(untouched)) == build_request("sma_cross", {})


def test_parameters_become_options_and_switches_become_truths() -> None:
    """Names, not places, carry the values."""
    options = form.options_of(
        {"p.fast": " 5 ", "p.slow": "", "paused": "yes", "repair": "no", "cash": "10", "file": "x"}
    )
    assert options == {"p": ["fast=5"], "paused": True, "repair": False, "cash": "10"}


@pytest.mark.parametrize(
    ("strategy", "path", "spec"),
    [
        ("momentum", "ignored.py:X", "momentum"),
        ("own file", "mine.py:Mine", "mine.py:Mine"),
        ("tape", "t.jsonl", "tape:t.jsonl"),
        ("tape", "tape:t.jsonl", "tape:t.jsonl"),
    ],
)
def test_strategy_and_file_spell_one_spec(strategy: str, path: str, spec: str) -> None:
    """What ``stepdeck run`` takes as STRATEGY."""
    assert form.spec_of(strategy, path) == spec


def test_parameter_fields_say_type_default_and_meaning() -> None:
    """From the strategy's own declaration."""
    fields = form.parameter_fields(registry.describe("sma_cross").parameters)
    assert [(field.name, field.default) for field in fields] == [("p.fast", "10"), ("p.slow", "30")]
    assert all("whole number" in field.help for field in fields)


def test_an_error_finds_its_field() -> None:
    """By option name, by parameter name; what belongs to none is said below."""
    names = {"cash": 0, "symbols": 0, "slippage-bps": 0, "p.fast": 0}
    assert form.field_of(InvalidOption("x", field="cash"), names) == "cash"
    assert form.field_of(InvalidOption("x", field="slippage_bps"), names) == "slippage-bps"
    assert form.field_of(InvalidOption("x", field="fast"), names) == "p.fast"
    assert form.field_of(UnknownSymbol("x", field="symbols"), names) == "symbols"
    assert form.field_of(InvalidOption("x"), names) is None
    assert form.field_of(InvalidOption("x", field="moon"), names) is None
