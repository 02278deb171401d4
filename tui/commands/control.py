"""``stepdeck cancel | pause | resume``: also for runs of another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from engine.errors import RunNotResumable
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.model import RunRecord
    from tui.gateway import Gateway


@click.command("cancel")
@click.argument("runs", nargs=-1, required=True)
@json_option
@db_option
@pass_deck
def cancel(deck: Deck, runs: tuple[str, ...], as_json: bool) -> None:
    """Cancel RUNS and say their true state: a run that has ended keeps it."""
    _each(deck, runs, lambda gateway, run_id: gateway.cancel(run_id), as_json=as_json)


@click.command("pause")
@click.argument("runs", nargs=-1, required=True)
@json_option
@db_option
@pass_deck
def pause(deck: Deck, runs: tuple[str, ...], as_json: bool) -> None:
    """Hold RUNS after the step in progress."""
    _each(deck, runs, lambda gateway, run_id: gateway.pause(run_id), as_json=as_json)


def _each(
    deck: Deck,
    runs: Iterable[str],
    act: Callable[[Gateway, str], RunRecord],
    *,
    as_json: bool,
) -> None:
    """Do it to every run, all of them resolved before the first is touched."""
    gateway = deck.open(write=True)
    try:
        run_ids = list(dict.fromkeys(gateway.resolve(run) for run in runs))
        records = [act(gateway, run_id) for run_id in run_ids]
    finally:
        gateway.close()
    _print(records, as_json=as_json)


def _print(records: list[RunRecord], *, as_json: bool) -> None:
    from tui.plain import run_document, state, steps

    if as_json:
        print_json([run_document(record) for record in records])
        return
    for record in records:
        click.echo(f"{record.run_id}  {state(record)}  {steps(record)}")


@click.command("resume")
@click.argument("run")
@click.option("--paused", is_flag=True, help="Prepare an interrupted run for the app only.")
@json_option
@db_option
@pass_deck
def resume(deck: Deck, run: str, paused: bool, as_json: bool) -> int:
    """Let RUN go on if it is paused; take it up, and run it to its end, if it is interrupted."""
    from tui.commands.foreground import drive

    gateway = deck.open(write=True)
    try:
        record = gateway.record(gateway.resolve(run))
        if record.status != "interrupted":
            _print([gateway.resume(record.run_id)], as_json=as_json)
            return 0
    finally:
        gateway.close()
    if paused:
        # It is as it was already, and any process may take it up.
        _print([record], as_json=as_json)
        return 0
    if record.driver == "manual":
        raise RunNotResumable(
            f"run {record.run_id} is stepped by hand",
            field="run",
            remedy=f"open it with `stepdeck {record.run_id}`",
        )
    return drive(
        deck,
        lambda gateway: gateway.take_up(record.run_id, play=True),
        create=False,
        as_json=as_json,
    )
