"""The rules a bar must obey (policy G6), over all rows at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import MarketDataInvalid
from engine.market.bars import FIELDS, PRICES
from engine.market.grid import grid_of
from engine.market.rows import Problem, Rows
from engine.model import stamp_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SPARSEST = 100  # cells a row, up to which a table of cells is cheaper than sorting
REMEDY = "correct the data, or let --repair drop such rows"


@dataclass(frozen=True, eq=False)
class Findings:
    """``bad`` bool [R] marks the rows that break a rule; ``problems`` names them, at most
    ``limit`` of them, in the order of the source; ``counts`` is rows by field and rule."""

    bad: NDArray[np.bool_]
    problems: tuple[Problem, ...]
    counts: dict[str, int]


def check_rows(rows: Rows, limit: int = 1) -> Findings:
    """Check every row against G6: values there and finite, prices above 0, the range around open
    and close, no negative volume, no stamp twice for a symbol (the first in the source counts)."""
    broken: dict[int, tuple[str, str]] = {}
    for field, kind, mask in _rules(rows):
        for row in np.flatnonzero(mask).tolist():
            broken.setdefault(row, (field, kind))
    bad = np.zeros(len(rows), dtype=np.bool_)
    bad[list(broken)] = True
    first = sorted(broken)[:limit]
    return Findings(
        bad,
        tuple(_problem(rows, row, *broken[row]) for row in first),
        dict(Counter(f"{field} {kind}" for field, kind in broken.values())),
    )


def refuse(problems: Sequence[Problem], count: int) -> MarketDataInvalid:
    """The error that names the first of ``count`` bad rows."""
    first = problems[0]
    more = f" (and {count - 1} more bad row{'s' if count > 2 else ''})" if count > 1 else ""
    return MarketDataInvalid(first.text + more, field=first.field, remedy=REMEDY)


def _rules(rows: Rows) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Field, rule and the rows that break it, in the order in which a row's problem is named."""
    for field in FIELDS:
        values = rows.fields[field]
        finite = np.isfinite(values)
        if not finite.all():
            missing = np.isnan(values)
            yield field, "missing", missing
            yield field, "infinite", ~finite & ~missing
        if field == "volume":
            yield field, "negative", values < 0
        else:
            yield field, "not above 0", values <= 0
    open_, high, low, close = (rows.fields[field] for field in PRICES)
    yield "high", "below open or close", high < np.maximum(open_, close)
    yield "low", "above open or close", low > np.minimum(open_, close)
    yield "timestamp", "twice", _repeats(rows)


def _repeats(rows: Rows) -> NDArray[np.bool_]:
    """Rows whose symbol and stamp an earlier row of the source has already."""
    repeated = np.zeros(len(rows), dtype=np.bool_)
    grid, steps = grid_of(rows.stamps)
    cells = steps * len(rows.symbols) + rows.codes
    size = len(grid) * len(rows.symbols)
    if size <= SPARSEST * len(rows):
        taken = np.zeros(size, dtype=np.bool_)
        taken[cells] = True
        if np.count_nonzero(taken) == len(rows):
            return repeated
    order = np.argsort(cells, kind="stable")  # the earlier row comes first
    ordered = cells[order]
    repeated[order[1:]] = ordered[1:] == ordered[:-1]
    return repeated


def _problem(rows: Rows, row: int, field: str, kind: str) -> Problem:
    symbol = rows.symbols[rows.codes[row]]
    stamp = int(rows.stamps[row])
    if field == "timestamp":
        same = np.flatnonzero((rows.stamps == stamp) & (rows.codes == rows.codes[row]))
        detail = f"this timestamp is there twice (before: {rows.where(int(same[0]))})"
    else:
        detail = f"{field} {_explain(rows, row, field, kind)}"
    return Problem(rows.where(row), symbol, stamp_text(stamp), field, f"{field} {kind}", detail)


def _explain(rows: Rows, row: int, field: str, kind: str) -> str:
    bar = {name: float(values[row]) for name, values in rows.fields.items()}
    value = f"{bar[field]:.10g}"
    if kind == "missing":
        return "is missing"
    if kind == "infinite":
        return f"{value} is not finite"
    if kind == "below open or close":
        name = "open" if bar["open"] >= bar["close"] else "close"
        return f"{value} is below its {name} {bar[name]:.10g}"
    if kind == "above open or close":
        name = "open" if bar["open"] <= bar["close"] else "close"
        return f"{value} is above its {name} {bar[name]:.10g}"
    return f"{value} is {kind}"
