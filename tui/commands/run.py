"""``stepdeck run``: a strategy over bars, in the foreground to its end or prepared only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from engine.errors import InvalidOption
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json
from tui.options import BY_NAME, NOT_YET, OPTIONS, RunOption, Value, build_request

if TYPE_CHECKING:
    from engine.model import RunRequest


def declare(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The table of run options as options of a command; what they mean is read later, as text."""
    for name in NOT_YET:
        # Known, so that the refusal can say "not yet" instead of "no such option".
        verb = click.option(
            f"--{name}", _argument(name), hidden=True, is_flag=name == "isolate", default=None
        )(verb)
    for option in reversed(OPTIONS):
        verb = click.option(*_names(option), **_attributes(option))(verb)
    return verb


def _names(option: RunOption) -> tuple[str, str]:
    flags = f"--{option.name}/--no-{option.name}" if option.kind == "switch" else option.flag
    return flags, _argument(option.name)


def _argument(name: str) -> str:
    # `break` is no name in Python, and `run` has arguments of its own.
    return "opt_" + name.replace("-", "_")


def _attributes(option: RunOption) -> dict[str, Any]:
    help_text = option.help
    if option.choices:
        help_text += f" {' | '.join(option.choices)}"
    if option.kind == "flag":
        return {"is_flag": True, "help": help_text}
    if option.kind == "switch":
        return {"default": True, "help": help_text}
    if option.default is not None:
        help_text += f" [default: {option.default}]"
    metavar = option.metavar or option.name.upper()
    return {"multiple": option.kind == "many", "help": help_text, "metavar": metavar}


def request_of(deck: Deck, strategy: str, given: Mapping[str, Value]) -> RunRequest:
    """The request of a command line whose options ``declare`` declared. Raises ``InputError``."""
    names = {_argument(name): name for name in (*BY_NAME, *NOT_YET)}
    values = {names[name]: value for name, value in given.items()}
    for name, value in values.items():
        # An unset variable of a shell, most likely: all of something is not what was meant by it.
        if value == "" or (isinstance(value, tuple) and "" in value):
            raise InvalidOption(f"{name} is empty", field=name, remedy="leave it out, or fill it")
    if values.get("costs") is None:
        values["costs"] = deck.settings.costs
    return build_request(strategy, values)


@click.command("run")
@click.argument("strategy")
@declare
@json_option
@db_option
@pass_deck
def run(deck: Deck, /, strategy: str, as_json: bool, **given: Value) -> int:
    """Run STRATEGY over bars and print the result; Ctrl-C cancels the run.

    STRATEGY is buy_and_hold, sma_cross, rsi_reversion, momentum, manual, tape:FILE.jsonl or
    FILE.py:Class; `stepdeck strategies` explains them. A manual run, or one with --paused, is
    prepared, its id printed, and left for the app or for `stepdeck resume`.
    """
    request = request_of(deck, strategy, given)
    # A manual run has nobody in the foreground to decide: it waits for the app.
    if request.paused or strategy == "manual":
        return _prepare(deck, request, as_json=as_json)
    from tui.commands.foreground import drive, exit_status, print_run

    record = drive(
        deck,
        lambda gateway: gateway.create(request),
        partial(print_run, as_json=as_json),
        create=True,
    )
    return exit_status(record, as_json=as_json)


def _prepare(deck: Deck, request: RunRequest, *, as_json: bool) -> int:
    gateway = deck.open(write=True, create=True)
    try:
        record = gateway.create(request, start=False)
    finally:
        gateway.close()
    if as_json:
        from tui.plain import run_document

        print_json(run_document(record))
    else:
        click.echo(record.run_id)
    return 0
