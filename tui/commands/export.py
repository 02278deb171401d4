"""``stepdeck export``: a run as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json

if TYPE_CHECKING:
    from tui.export import Format


@click.command("export")
@click.argument("run")
@click.option(
    "--format",
    "form",
    type=click.Choice(("csv", "parquet", "json", "html", "tape")),
    default="csv",
    show_default=True,
    help="csv and parquet: a folder with a file a table; the others: one file.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="PATH",
    help="Where to write.",
)
@click.option("--force", is_flag=True, help="Write over what is there.")
@json_option
@db_option
@pass_deck
def export(deck: Deck, run: str, form: str, output: Path, force: bool, as_json: bool) -> None:
    """Equity, orders, fills, steps and cash flows of RUN; a tear sheet; its decisions as a tape.

    The tear sheet (html) is one page that needs no network: the figures and rules of `show`, then
    the charts of quantstats, which `pip install 'stepdeck[report]'` brings.
    A tape replays with `stepdeck run tape:PATH` over the same bars, without the strategy. What is
    written appears whole or not at all.
    """
    from tui.export import export_run

    chosen: Format = form  # type: ignore[assignment]  # click has checked it
    gateway = deck.open(write=False)
    try:
        run_id = gateway.resolve(run)
        rows = export_run(gateway, run_id, chosen, output.expanduser(), force=force)
    finally:
        gateway.close()
    if as_json:
        print_json({"run_id": run_id, "format": form, "path": str(output), "rows": dict(rows)})
    else:
        counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in rows.items())
        click.echo(f"{output}: {counts}")
