"""``stepdeck config``: where the settings are, what they are, a file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from engine.errors import InvalidOption
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json
from tui.format import DASH


@click.group("config")
def config() -> None:
    """Where the settings are, what they are, a file to start from."""


@config.command("path")
@db_option
def path() -> None:
    """Print where config.toml is looked for."""
    from tui.settings import config_file

    click.echo(config_file())


@config.command("init")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@db_option
def init(force: bool) -> None:
    """Write a config.toml with every setting at its default, commented out."""
    from tui.files import write_atomically
    from tui.settings import config_file, template

    target = config_file()
    if target.exists() and not force:
        raise InvalidOption(
            f"{target} is there already", field="config.toml", remedy="--force writes over it"
        )
    write_atomically(target, lambda temporary: temporary.write_text(template(), encoding="utf-8"))
    click.echo(target)


@config.command("show")
@json_option
@db_option
@pass_deck
def show(deck: Deck, as_json: bool) -> None:
    """Print every setting in force with its origin."""
    rows = settings_rows(deck)
    if as_json:
        print_json(rows)
        return
    from tui.plain import table

    cells = [(row["key"], value_text(row["value"]), row["origin"]) for row in rows]
    click.echo(table(("setting", "value", "from"), cells, left=(0, 1, 2)))


def value_text(value: object) -> str:
    """A setting as `config.toml` has it; a dash where nothing is set and the app chooses."""
    if value is None or value == {}:
        return DASH
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_rows(deck: Deck) -> list[dict[str, Any]]:
    """Every setting as key, value, origin and the variable that sets it."""
    from tui.settings import TABLE

    settings = deck.settings
    rows = []
    for setting in TABLE:
        value = settings.value(setting.key)
        rows.append(
            {
                "key": setting.key,
                "value": str(value) if isinstance(value, Path) else value,
                "origin": settings.origins[setting.key],
                "variable": setting.variable,
            }
        )
    return rows
