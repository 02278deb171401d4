"""``stepdeck runs``: the ledger's runs, newest first."""

from __future__ import annotations

import click

from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json

STATUSES = (
    "created", "loading", "running", "paused", "interrupted", "completed", "failed", "cancelled"
)  # fmt: skip


@click.command("runs")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs in this state.")
@click.option("--agent", metavar="ID", help="Only runs of this agent.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N runs.")
@click.option("--all", "baselines", is_flag=True, help="Baselines too.")
@click.option("--plain", is_flag=True, help="As text, which is what it prints anyway.")
@json_option
@db_option
@pass_deck
def runs(
    deck: Deck,
    status: str | None,
    agent: str | None,
    limit: int | None,
    baselines: bool,
    plain: bool,  # noqa: ARG001
    as_json: bool,
) -> None:
    """The ledger's runs, newest first. Baselines are left out unless --all."""
    from tui.plain import run_document, runs_table

    gateway = deck.open(write=False)
    try:
        records = gateway.reader().runs(status=status, agent=agent, limit=limit, all_runs=baselines)
        rows = [(record, gateway.owner(record)) for record in records]
    finally:
        gateway.close()
    if as_json:
        print_json([run_document(record, owner) for record, owner in rows])
    elif rows:
        click.echo(runs_table(rows))
    elif status or agent:
        click.echo("no runs match")
    else:
        click.echo("no runs yet: `stepdeck run sma_cross` makes one")
