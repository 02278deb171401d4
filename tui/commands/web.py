"""``stepdeck web``: the app in a browser."""

from __future__ import annotations

import sys
import webbrowser

import click

from engine.errors import NotAvailable
from tui.commands.common import Deck, db_option, pass_deck

PORT = 8701


@click.command("web")
@click.argument("run", required=False)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="The port on this machine's own address; 0 takes a free one.",
)
@click.option(
    "--watch", "read_only", is_flag=True, help="Show the ledger without being able to change it."
)
@click.option("--open", "show", is_flag=True, help="Open it in the default browser.")
@db_option
@pass_deck
def web(deck: Deck, run: str | None, port: int, read_only: bool, show: bool) -> int:
    """The app in a browser, on RUN if one is named; Ctrl-C ends it.

    It answers on 127.0.0.1 only, and only to who has the address that it prints. Each page is an
    app of its own on the same ledger: closing it leaves the runs it drives interrupted, as quitting
    does, and what it shows of other pages' runs is the ledger's.
    """
    try:
        from tui.web.server import listen, serve
    except ImportError as error:
        raise NotAvailable(
            f"`stepdeck web` needs the package {error.name}",
            remedy="pip install 'stepdeck[web]'",
        ) from error
    path = deck.settings.db
    command = [
        sys.executable,
        "-P",
        "-m",
        "tui.cli",
        *(["watch"] if read_only else []),
        "--db",
        str(path),
    ]
    if run is not None:
        gateway = deck.open(write=False)
        try:
            command.append(gateway.resolve(run))
        finally:
            gateway.close()
    elif read_only:
        deck.open(write=False).close()

    def started(address: str) -> None:
        click.echo(f"stepdeck is at {address}")
        click.echo("Ctrl-C ends it")
        if show:
            webbrowser.open(address)

    serve(command, listen(port), started)
    return 0
