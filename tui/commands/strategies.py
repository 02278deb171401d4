"""``stepdeck strategies``: what there is to run, with parameters, types and defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json

if TYPE_CHECKING:
    from engine.strategies.registry import StrategyInfo


@click.command("strategies")
@click.argument("name", required=False)
@json_option
@db_option
@pass_deck
def strategies(deck: Deck, name: str | None, as_json: bool) -> None:  # noqa: ARG001
    """The strategies there are, or the parameters of NAME (FILE.py:Class is a name too)."""
    from engine.strategies import registry

    if name is not None:
        info = registry.describe(name)
        if as_json:
            print_json(_document(info))
        else:
            click.echo(_text(info))
        return
    infos = registry.available()
    if as_json:
        print_json([_document(info) for info in infos])
        return
    click.echo("\n\n".join(_text(info) for info in infos))
    click.echo("\ntape:FILE.jsonl  Replays a decision tape.")
    click.echo("FILE.py:Class    A strategy of your own.")


def _document(info: StrategyInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "summary": info.summary,
        "driver": info.driver,
        "path": None if info.path is None else str(info.path),
        "parameters": [
            {
                "name": parameter.name,
                "type": parameter.type,
                "default": parameter.default,
                "help": parameter.help,
            }
            for parameter in info.parameters
        ],
        "passed_over": [{"name": name, "why": why} for name, why in info.passed_over],
    }


def _text(info: StrategyInfo) -> str:
    from tui.plain import table_body
    from tui.safe import safe_line

    lines = [f"{safe_line(info.name)}  {safe_line(info.summary)}".rstrip()]
    rows = [
        (f"  -p {parameter.name}={parameter.default}", parameter.type, parameter.help)
        for parameter in info.parameters
    ]
    if rows:
        lines.append(table_body(rows, left=(0, 1, 2)))
    lines += [safe_line(f"  {name} is no parameter: it is {why}") for name, why in info.passed_over]
    return "\n".join(lines)
