"""``stepdeck fork | rewind``: another future for a run, in a run of its own or in its place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json
from tui.plain import run_document, state
from tui.steps import place_of

if TYPE_CHECKING:
    from engine.model import RunRecord
    from tui.gateway import Gateway


@click.command("fork")
@click.argument("run")
@click.option("--at", type=int, required=True, metavar="N", help="Keep the first N decisions.")
@click.option("--strategy", metavar="S", help="Who decides from there on [default: as before].")
@click.option("-p", "params", multiple=True, metavar="NAME=VALUE", help="A parameter from then on.")
@click.option("--rebase", is_flag=True, help="Accept bars that are not those RUN began with.")
@click.option("--paused", is_flag=True, help="Only prepare it, for the app or a later resume.")
@click.option("--name", metavar="NAME", help="What to call it [default: RUN's name and N].")
@json_option
@db_option
@pass_deck
def fork(
    deck: Deck,
    /,
    run: str,
    at: int,
    strategy: str | None,
    params: tuple[str, ...],
    rebase: bool,
    paused: bool,
    name: str | None,
    as_json: bool,
) -> int:
    """A new run with the first N decisions of RUN, whatever became of it, run to its end.

    The strategy is made afresh and must decide those N again; another one, or other parameters, is
    shown them and decides from there on. A fork to be stepped by hand (--strategy manual), or with
    --paused, is prepared and its id printed.
    """
    from tui.options import parameters

    given = parameters(params) if params else None

    def forked(gateway: Gateway, *, prepared: bool) -> RunRecord:
        return gateway.fork(
            run_id,
            at,
            strategy=strategy,
            params=given,
            rebase=rebase,
            name=name,
            play=not prepared,
            start=not prepared,
            # Of one that runs on nobody is there to look at what a breakpoint of the parent stops.
            breakpoints=prepared,
        )

    gateway = deck.open(write=True)
    try:
        run_id = gateway.resolve(run)
        by_hand = (strategy or gateway.record(run_id).driver) in ("manual", "agent")
        if paused or by_hand:
            return _prepared(forked(gateway, prepared=True), as_json=as_json)
    finally:
        gateway.close()
    from tui.commands.foreground import drive, exit_status, print_run

    begin = partial(forked, prepared=False)
    record = drive(deck, begin, partial(print_run, as_json=as_json))
    return exit_status(record, as_json=as_json)


def _prepared(record: RunRecord, *, as_json: bool) -> int:
    if as_json:
        print_json(run_document(record))
    else:
        click.echo(record.run_id)
    return 0


@click.command("rewind")
@click.argument("run")
@click.option("--to", type=int, required=True, metavar="N", help="Keep the first N decisions.")
@json_option
@db_option
@pass_deck
def rewind(deck: Deck, run: str, to: int, as_json: bool) -> None:
    """Take RUN, live or interrupted, back to where it had made N decisions.

    What came after is kept as discarded. A live run is paused there, also one of another process;
    an interrupted one is left so, and paused once it is taken up. A run that has ended never
    changes: fork it.
    """
    gateway = deck.open(write=True)
    try:
        record = gateway.rewind(gateway.resolve(run), to)
    finally:
        gateway.close()
    if as_json:
        print_json(run_document(record))
    else:
        click.echo(f"{record.run_id}  {state(record)}  step {place_of(record)}")
