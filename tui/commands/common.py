"""What the verbs share: the ledger they open, the options they all take, how they print."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.errors import LedgerMissing

if TYPE_CHECKING:
    from tui.gateway import Gateway
    from tui.settings import Settings

Verb = TypeVar("Verb", bound=Callable[..., Any])


class Deck:
    """What a command line is about: the ledger it names and the settings in force.

    Settings are read when first asked for, so that ``--help`` needs none that are right.
    """

    def __init__(self, db: Path | None = None) -> None:
        self.db = db

    @cached_property
    def settings(self) -> Settings:
        """The settings; ``--db`` beats them. Raises ``InvalidOption``."""
        from tui.log import start_log
        from tui.settings import load_settings

        settings = load_settings(os.environ)
        if self.db is not None:
            origins = {**settings.origins, "db": "--db"}
            settings = replace(settings, db=self.db.expanduser(), origins=origins)
        start_log(settings.log_path)
        return settings

    def open(self, *, write: bool, create: bool = False, app: bool = False) -> Gateway:
        """The ledger, for reading or for writing; made only where ``create`` says so.

        Raises ``LedgerMissing`` and the other ``LedgerError`` kinds.
        """
        path = self.settings.db
        if not create and not path.exists():
            raise LedgerMissing(
                f"there is no ledger at {path}",
                field="db",
                remedy="`stepdeck run` or `stepdeck` makes one; --db names another",
            )
        from tui.gateway import Gateway

        if create and self.settings.origins["db"] == "default":
            # A folder that a person named and that is not there is a slip of the pen.
            path.parent.mkdir(parents=True, exist_ok=True)
        return Gateway.open(path, write=write, limits=self.settings.limits, app=app)


pass_deck = click.make_pass_decorator(Deck, ensure=True)


def _set_db(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
    deck = ctx.ensure_object(Deck)
    if value is not None:
        deck.db = value


def ledger_option(text: str) -> Callable[[Verb], Verb]:
    """``--db PATH`` with a help of its own; the innermost one of a command line holds."""
    return click.option(
        "--db",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        callback=_set_db,
        help=text,
    )


def db_option(verb: Verb) -> Verb:
    """``--db PATH``, on every command."""
    text = "The ledger [default: $STEPDECK_DB, else runs.db among your data]."
    return ledger_option(text)(verb)


def json_option(verb: Verb) -> Verb:
    """``--json``, on every command that prints data."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(verb)


def print_json(document: object) -> None:
    """One document on stdout. ASCII alone, so that no text of a ledger reaches the terminal raw."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))


def report(said: Mapping[str, str], *, as_json: bool) -> None:
    """What went wrong: one line on stderr, or with ``--json`` the object there."""
    if as_json:
        click.echo(json.dumps({"error": dict(said)}), err=True)
    else:
        from tui.safe import safe_line

        click.echo(f"stepdeck: {safe_line(said['message'])}", err=True)
