"""``stepdeck doctor``: what is in force and what is wrong."""

from __future__ import annotations

import platform
from importlib import metadata, util
from typing import TYPE_CHECKING, Any, Final

import click

from engine.errors import LedgerError
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json
from tui.commands.config import settings_rows

if TYPE_CHECKING:
    from tui.gateway import Gateway

OPTIONAL: Final = {
    "serve": ("fastapi", "uvicorn"),
    "cluster": ("distributed",),
    "fast": ("numba",),
}
PACKAGES: Final = ("numpy", "pandas", "pyarrow", "TA-Lib", "exchange_calendars", "textual")


@click.command("doctor")
@click.option("--schema", is_flag=True, help="Print the ledger's tables, views and columns.")
@json_option
@db_option
@pass_deck
def doctor(deck: Deck, schema: bool, as_json: bool) -> int:
    """Ledger, settings and versions: what is in force, what is wrong. 1 if the ledger is."""
    if schema:
        from engine.store import docs

        if as_json:
            print_json(docs.document())
        else:
            click.echo(docs.text())
        return 0
    document = {
        "versions": _versions(),
        "ledger": _ledger(deck),
        "log": str(deck.settings.log_path),
        "config": str(deck.settings.config_path),
        "settings": settings_rows(deck),
        "extras": {
            name: all(util.find_spec(module) is not None for module in modules)
            for name, modules in OPTIONAL.items()
        },
    }
    if as_json:
        print_json(document)
    else:
        click.echo(_text(document))
    return 1 if document["ledger"].get("error") else 0
