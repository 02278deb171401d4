"""``stepdeck data``: bars in files, checked."""

from __future__ import annotations

from pathlib import Path

import click

from engine.errors import NotAvailable
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json


class _Data(click.Group):
    """Refuses the verbs that a later version has."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in ("list", "fetch"):
            raise NotAvailable(f"data {cmd_name} is not in this version yet", field="command")
        return super().get_command(ctx, cmd_name)


@click.group("data", cls=_Data)
def data() -> None:
    """Bars in files, checked."""
