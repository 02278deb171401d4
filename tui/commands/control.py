"""``stepdeck cancel | pause | resume``: also for runs of another process."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import click

from engine.errors import RunNotResumable
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json
from tui.plain import run_document, state
from tui.steps import place_of

LIVE: Final = frozenset({"created", "loading", "running", "paused"})

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
    if as_json:
        print_json([run_document(record) for record in records])
        return
    for record in records:
        click.echo(f"{record.run_id}  {state(record)}  step {place_of(record)}")


@click.command("resume")
@click.argument("runs", nargs=-1, required=True)
@click.option("--paused", is_flag=True, help="Leave interrupted runs for the app to take up.")
@click.option(
    "--take", is_flag=True, help="Take live runs from the process that has them, by force."
)
@json_option
@db_option
@pass_deck
def resume(deck: Deck, runs: tuple[str, ...], paused: bool, take: bool, as_json: bool) -> int:
    """Let RUNS go on if they are paused; take them up and run them to their end, one after the
    other, if they are interrupted.

    --take is for a process that was stopped or hangs: it writes nothing more to the run, whatever
    it still does. --json prints one run as `run` does, several as a list.
    """
    from tui.commands.foreground import CANCELLED, drive, exit_status, print_run

    resumed: list[RunRecord] = []
    show = resumed.append if as_json else partial(print_run, as_json=False)
    status = 0
    for record, here in _resumable(deck, runs, paused=paused, take=take):
        if not here:
            resumed.append(record)
            if not as_json:
                _print([record], as_json=False)
            continue
        ended = drive(deck, partial(_take_up, record.run_id, take), show)
        status = max(status, exit_status(ended, as_json=as_json))
        if status == CANCELLED:
            break
    if as_json:
        documents = [run_document(record) for record in resumed]
        print_json(documents if len(runs) > 1 else documents[0])
    return status


def _take_up(run_id: str, take: bool, gateway: Gateway) -> RunRecord:
    return gateway.take_up(run_id, play=True, force=take)


def _resumable(
    deck: Deck, runs: Iterable[str], *, paused: bool, take: bool
) -> list[tuple[RunRecord, bool]]:
    """The runs as they are, each with whether it is to be driven here; those that were merely
    paused are let go, those that are to be left paused are taken; all checked before the first.
    """
    from tui.gateway import decided_elsewhere

    gateway = deck.open(write=True)
    try:
        records = [gateway.record(run_id) for run_id in dict.fromkeys(map(gateway.resolve, runs))]
        for record in records:
            here = record.status == "interrupted" or (take and record.status in LIVE)
            if here and decided_elsewhere(record) and not paused:
                raise _by_hand(record)
        return [_begin(gateway, record, paused=paused, take=take) for record in records]
    finally:
        gateway.close()


def _by_hand(record: RunRecord) -> RunNotResumable:
    first = ""
    if record.status != "interrupted":
        first = f"`stepdeck resume --take --paused {record.run_id}` takes it, then "
    return RunNotResumable(
        f"run {record.run_id} is stepped by hand"
        if record.by_hand
        else f"the decisions of run {record.run_id} are an agent's",
        field="run",
        remedy=f"{first}open it with `stepdeck {record.run_id}`",
    )


def _begin(
    gateway: Gateway, record: RunRecord, *, paused: bool, take: bool
) -> tuple[RunRecord, bool]:
    if take and record.status in LIVE:
        return (gateway.seize(record.run_id), False) if paused else (record, True)
    if record.status == "interrupted":
        return record, not paused
    return gateway.resume(record.run_id), False
