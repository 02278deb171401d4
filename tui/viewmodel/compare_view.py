"""The compare screen as values: curves on one axis, a table of figures, what differs in words.

Pure: a comparison in, values out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from engine.model import RunRecord
from engine.store.records import stamp_of
from tui import format as fmt
from tui.plain import figure
from tui.steps import settled_at
from tui.viewmodel.compare import Comparison, Setting
from tui.viewmodel.preview import decision_text
from tui.viewmodel.run_panels import zone_of
from tui.widgets.curve import Curves, Series
from tui.widgets.table import Cell, Column, Row

ROLES: Final = ("line", "baseline", "attention", "gain", "accent", "loss")
START: Final = 100.0
NAME_CELLS: Final = 20
RUN_CELLS: Final = 15
WIDEST_RUN: Final = 26
BEST: Final = "★"
# Names that are too long for their column.
LABELS: Final = {"longest_drawdown_days": "longest DD, days"}


def run_name(record: RunRecord) -> str:
    """The run's name, or the strategy of one that has none."""
    return record.name or record.strategy


def curves(compared: Comparison, chosen: int, *, difference: bool) -> Curves | None:
    """Equity of all runs on one axis of time, 100 at each run's start.

    As ``difference`` each run after the first less the first, in points of that scale, at the
    stamps that both have. The chosen run's is drawn whole, the others' broken: colour alone would
    not tell them apart on every terminal. None where nothing is settled yet.
    """
    settled = [curve for curve in compared.curves if len(curve.stamps)]
    if not settled:
        return None
    stamps = np.unique(np.concatenate([curve.stamps for curve in settled]))
    series = []
    first = compared.curves[0]
    for place, (record, curve) in enumerate(zip(compared.runs, compared.curves, strict=True)):
        steps = np.searchsorted(stamps, curve.stamps)
        values = curve.growth * START
        name = run_name(record)
        if difference:
            if place == 0:
                continue
            both, mine, theirs = np.intersect1d(
                curve.stamps, first.stamps, assume_unique=True, return_indices=True
            )
            steps = np.searchsorted(stamps, both)
            values = (curve.growth[mine] - first.growth[theirs]) * START
        series.append(Series(name, steps, values, ROLES[place % len(ROLES)], place != chosen))
    shown = tuple(one for one in series if len(one.steps))
    if not shown:
        return None
    return Curves(
        shown,
        stamps,
        len(stamps),
        0.0 if difference else START,
        zone_of(compared.runs[0]),
        drawdown_of=None,
        counted=False,
    )


def columns(
    records: Sequence[RunRecord], chosen: int, room: int, lines: Sequence[Row] = ()
) -> tuple[Column, ...]:
    """The table's columns: the figure, the first run, then as many around the chosen as fit.

    Where there is room they are as wide as the names and what stands in ``lines``.
    """
    shown = window(len(records), chosen, room)
    texts = [cell.text for line in lines for cell in line.cells[1:]]
    names = [f"▸ {run_name(records[place])}" for place in shown]
    longest = max(map(len, [*texts, *names]), default=0)
    share = (room - NAME_CELLS - 3) // max(1, len(shown)) - 1
    width = max(RUN_CELLS, min(longest, share, WIDEST_RUN))
    return (
        Column("figure", "Figure", NAME_CELLS, sortable=False),
        *(
            Column(
                str(place),
                ("▸ " if place == chosen else "") + run_name(records[place]),
                width,
                "right",
            )
            for place in shown
        ),
    )


def window(count: int, chosen: int, room: int) -> list[int]:
    """Which runs stand in ``room`` cells: the first always, and the chosen one."""
    fits = max(2, (room - NAME_CELLS - 3) // (RUN_CELLS + 1))
    if count <= fits:
        return list(range(count))
    last = min(count, max(chosen + 1, fits))
    return [0, *range(last - fits + 1, last)]


def rows(compared: Comparison, shown: Sequence[int]) -> list[Row]:
    """A row a figure, the best marked; then how the runs were made, where that differs."""
    records = compared.runs
    lines = [
        Row("status", (Cell("state", "muted"), *(_status(records[place]) for place in shown))),
        Row(
            "steps",
            (
                Cell("steps settled", "muted"),
                *(Cell(fmt.count(records[place].step_index)) for place in shown),
            ),
        ),
    ]
    lines += [
        Row(
            f"figure {one.name}",
            (
                Cell(LABELS.get(one.name, one.name.replace("_", " ")), "muted"),
                *(
                    Cell(f"{BEST} {figure(one.name, one.values[place])}", "gain")
                    if place in one.best
                    else Cell(figure(one.name, one.values[place]))
                    for place in shown
                ),
            ),
        )
        for one in compared.figures
    ]
    if compared.settings:
        lines.append(Row("made", (Cell("Made differently", "strong"), *(Cell("") for _ in shown))))
        lines += [
            Row(
                f"setting {setting.name}",
                (
                    Cell(setting.name.replace("_", " "), "muted"),
                    *(Cell(setting_text(setting, place), "info") for place in shown),
                ),
            )
            for setting in compared.settings
        ]
    return lines


def _status(record: RunRecord) -> Cell:
    look = fmt.status_look(record.status)
    return Cell(look.text, look.role)


def setting_text(setting: Setting, place: int) -> str:
    """A run's value of something that differs, short."""
    value = setting.values[place]
    if value is None:
        return fmt.DASH
    if isinstance(value, bool):
        return "on" if value else "off"
    if setting.name.endswith("_hash"):
        return str(value)[:10]
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def difference_lines(compared: Comparison, chosen: int) -> list[tuple[str, str]]:
    """What the chosen run decided otherwise than the first, in words: (text, role)."""
    if chosen == 0:
        return [("the others are held against this one", "muted")]
    against, first = compared.against[chosen - 1], run_name(compared.runs[0])
    if against.window is None:
        return [(f"no grid point in common with {first}", "attention")]
    begin, end = (stamp[:10] for stamp in against.window)
    where = against.first
    if where is None:
        return [(f"decides as {first} does, from {begin} to {end}", "gain")]
    theirs, ours = (decision_text(text) for text in where.decisions)
    when = fmt.stamp(stamp_of(where.ts), zone_of(compared.runs[chosen]))
    return [
        (f"first decides otherwise at {when}, step {where.steps[1]}", "attention"),
        (f"here:  {ours}", "text"),
        (f"{first} at step {where.steps[0]}:  {theirs}", "muted"),
    ]


def jump(compared: Comparison, chosen: int) -> tuple[int, int] | None:
    """The moments to look back at, in the first run and in the chosen one, in settled steps."""
    if chosen == 0:
        return None
    where = compared.against[chosen - 1].first
    return None if where is None else (settled_at(where.steps[0]), settled_at(where.steps[1]))


def moments(compared: Comparison, chosen: int, stamp: int) -> tuple[int, int] | None:
    """The settled steps of the first run and of the chosen one at a stamp, microseconds UTC.

    None where one of them had not begun.
    """
    steps = [
        int(np.searchsorted(compared.curves[place].stamps, stamp, side="right"))
        for place in (0, chosen)
    ]
    return (steps[0], steps[1]) if all(steps) else None
