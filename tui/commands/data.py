"""``stepdeck data``: bars in files, checked."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from engine.errors import NotAvailable
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json

if TYPE_CHECKING:
    from engine.market import CheckReport


class _Data(click.Group):
    """Refuses the verbs that a later version has."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in ("list", "fetch"):
            raise NotAvailable(f"data {cmd_name} is not in this version yet", field="command")
        return super().get_command(ctx, cmd_name)


@click.group("data", cls=_Data)
def data() -> None:
    """Bars in files, checked."""


@data.command("check")
@click.argument("path")
@click.option("--tz", default="UTC", metavar="ZONE", help="Zone of stamps that name none.")
@json_option
@db_option
@pass_deck
def check(deck: Deck, /, path: str, tz: str, as_json: bool) -> int:  # noqa: ARG001
    """Check every row of PATH: a file, a folder or a glob of CSV or Parquet. 1 if any is bad."""
    from engine.market import check_file

    report = check_file(path, tz=tz)
    if as_json:
        print_json(asdict(report) | {"ok": report.ok})
    else:
        click.echo(_text(report))
    return 0 if report.ok else 1


def _text(report: CheckReport) -> str:
    from tui.plain import pairs, table
    from tui.safe import safe_line

    bad = sum(report.counts.values())
    facts = [
        ("files", ", ".join(report.files)),
        ("rows", f"{report.rows:,}"),
        ("symbols", f"{len(report.symbols):,}"),
        ("timeframe", report.timeframe or "cannot be told"),
        ("bad rows", f"{bad:,}" if bad else "none"),
    ]
    parts = [pairs("Checked", [*facts, *(("notice", notice) for notice in report.notices)])]
    if report.symbols:
        rows = [
            (one.symbol, f"{one.rows:,}", one.first, one.last, f"{one.zero_volume:,}")
            for one in report.symbols
        ]
        parts.append(table(("symbol", "bars", "first", "last", "without volume"), rows, (0, 2, 3)))
    if report.problems:
        lines = [f"  {safe_line(problem.text)}" for problem in report.problems]
        left_out = bad - len(lines)
        if left_out > 0:
            lines.append(f"  … and {left_out:,} more")
        parts.append("Bad rows\n" + "\n".join(lines))
    return "\n\n".join(parts)
