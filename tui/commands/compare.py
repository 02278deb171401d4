"""``stepdeck compare``: runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from engine.errors import InvalidOption
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json

if TYPE_CHECKING:
    from tui.viewmodel.compare import Comparison

SPARK_CELLS: Final = 48
BEST: Final = "*"


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN…")
@json_option
@db_option
@pass_deck
def compare(deck: Deck, runs: tuple[str, ...], as_json: bool) -> None:
    """Figures of several runs in columns, the best of each marked, and their curves.

    What differs in how the runs were made is listed, and for each run the first decision that is
    not the first run's, over the stamps that both have.
    """
    from tui.viewmodel.compare import compare as side_by_side

    gateway = deck.open(write=False)
    try:
        ids = [gateway.reader().resolve(run) for run in runs]
        if len(ids) < 2:
            raise InvalidOption(
                "one run cannot be compared", field="run", remedy="name two runs or more"
            )
        for run_id in ids:
            if ids.count(run_id) > 1:
                raise InvalidOption(f"run {run_id} is named twice", field="run")
        compared = side_by_side([gateway.detail(run_id) for run_id in ids])
    finally:
        gateway.close()
    if as_json:
        print_json(_document(compared))
    else:
        click.echo(_text(compared))


def _document(compared: Comparison) -> dict[str, Any]:
    from tui.plain import run_document

    ids = [record.run_id for record in compared.runs]
    return {
        "runs": [run_document(record) for record in compared.runs],
        "figures": [
            {
                "name": figure.name,
                "values": dict(zip(ids, figure.values, strict=True)),
                "best": [ids[place] for place in sorted(figure.best)],
            }
            for figure in compared.figures
        ],
        "settings": [
            {"name": setting.name, "values": dict(zip(ids, setting.values, strict=True))}
            for setting in compared.settings
        ],
        "curves": [
            {
                "run_id": run_id,
                "stamps": curve.stamps.tolist(),
                "growth": curve.growth.tolist(),
            }
            for run_id, curve in zip(ids, compared.curves, strict=True)
        ],
        "against_first": [
            {
                "run_id": run_id,
                "window": None if against.window is None else list(against.window),
                "first_difference": None
                if against.first is None
                else {
                    "ts": against.first.ts,
                    "steps": dict(zip((ids[0], run_id), against.first.steps, strict=True)),
                    "decisions": dict(zip((ids[0], run_id), against.first.decisions, strict=True)),
                },
            }
            for run_id, against in zip(ids[1:], compared.against, strict=True)
        ],
    }


def _text(compared: Comparison) -> str:
    parts = [_figures(compared), _settings(compared), _curves(compared), _decisions(compared)]
    return "\n\n".join(part for part in parts if part)


def _figures(compared: Comparison) -> str:
    from tui.plain import figure, table
    from tui.safe import cut

    runs = compared.runs
    header = ["", *(record.run_id for record in runs)]
    rows = [
        ["", *(cut(record.name or record.strategy, 20) for record in runs)],
        ["state", *(record.status for record in runs)],
        ["steps settled", *(f"{record.step_index:,}" for record in runs)],
    ]
    rows += [
        [
            shown.name.replace("_", " "),
            *(
                figure(shown.name, value) + (BEST if place in shown.best else " ")
                for place, value in enumerate(shown.values)
            ),
        ]
        for shown in compared.figures
    ]
    # The mark stands past the digits; what has none keeps its room.
    rows[:3] = [[row[0], *(f"{cell} " for cell in row[1:])] for row in rows[:3]]
    header[1:] = [f"{name} " for name in header[1:]]
    return table(header, rows, left=(0,)) + f"\n{BEST} the best of its row"


def _settings(compared: Comparison) -> str:
    from tui.plain import table_body
    from tui.safe import cut

    if not compared.settings:
        return "Made alike: same strategy, bars, rules and costs"
    rows = [
        (
            f"  {setting.name.replace('_', ' ')}",
            *(
                cut(_value(value), 12 if setting.name.endswith("_hash") else 24)
                for value in setting.values
            ),
        )
        for setting in compared.settings
    ]
    return "Made differently\n" + table_body(rows, left=range(len(compared.runs) + 1))


def _value(value: Any) -> str:
    from tui.format import DASH

    if value is None:
        return DASH
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _curves(compared: Comparison) -> str:
    """Each curve from its own lowest to its own highest; the growth says how far apart they are."""
    from tui.format import percent
    from tui.plain import table_body
    from tui.widgets.spark import spark

    rows = []
    for record, curve in zip(compared.runs, compared.curves, strict=True):
        if len(curve.growth):
            low, last = float(curve.growth.min()) - 1, float(curve.growth[-1]) - 1
            high = float(curve.growth.max()) - 1
            said = (percent(low), percent(high), percent(last))
            picture = spark(curve.growth.tolist(), SPARK_CELLS)
        else:
            said, picture = ("", "", ""), "nothing settled yet"
        rows.append((f"  {record.run_id}", picture, *said))
    head = ("  run", "equity", "lowest", "highest", "last")
    return "Curves\n" + table_body([head, *rows], left=(0, 1))


def _decisions(compared: Comparison) -> str:
    from tui.safe import safe_line

    first = compared.runs[0].run_id
    lines = [f"Decisions against {first}"]
    for record, against in zip(compared.runs[1:], compared.against, strict=True):
        if against.window is None:
            said = "no grid point in common"
        elif against.first is None:
            said = f"the same from {against.window[0]} to {against.window[1]}"
        else:
            where = against.first
            ours, theirs = ("hold" if text == "{}" else text for text in where.decisions)
            said = f"first at {where.ts} (step {where.steps[1]}): {theirs} where {first} has {ours}"
        lines.append(safe_line(f"  {record.run_id}: {said}"))
    return "\n".join(lines)
