"""What a run's rows are held against, and where the two differ first: values and comparisons.

Nothing here reads a file. ``engine.runs.verify`` brings the rows and the bars.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import codec
from engine.model import Decision, OrderRecord, RunRecord
from engine.store.seal import FINAL_DIGEST

Outcome = Literal["passed", "differs", "unchecked"]
Key = tuple[Any, ...]

WHOLE_ROW: Final = "row"
"""The column named where a whole row is missing, or is there and should not be."""


class Difference(NamedTuple):
    """One place where the ledger is not what it should be.

    ``key`` tells the row from others of its step (an order's id, a fill's), None where the step
    does. A row that is absent is None in ``expected`` or ``got`` under the column ``row``.
    """

    table: str
    step: int | None
    key: str | None
    column: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        where = [self.table]
        if self.step is not None:
            where.append(f"step {self.step}")
        if self.key is not None:
            where.append(self.key)
        where.append(f"column {self.column}" if self.column != WHOLE_ROW else "the row")
        return f"{', '.join(where)}: expected {_shown(self.expected)}, got {_shown(self.got)}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else repr(value)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; ``count`` rows or values of it differ, ``first`` of them."""

    name: str
    outcome: Outcome
    detail: str
    first: Difference | None = None
    count: int = 0


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of verifying a run. ``checks`` are in the order in which their findings count."""

    run_id: str
    status: str
    settled: int
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing differs; what could not be checked is no difference."""
        return all(check.outcome != "differs" for check in self.checks)

    @property
    def complete(self) -> bool:
        """Whether everything could be checked."""
        return all(check.outcome != "unchecked" for check in self.checks)

    @property
    def first(self) -> Difference | None:
        """The first difference.

        A configuration or bars that are not the run's own come before anything they would change;
        then what differs at the earliest step, a step's decision before what it led to.
        """
        found = [check.first for check in self.checks if check.first is not None]
        for difference in found:
            if difference.table == "runs" and difference.column in _CAUSES:
                return difference
        return _earliest(found)


_CAUSES: Final = frozenset({"config", "config_hash", "bars_hash"})
_TABLES: Final = (
    "steps",
    "orders",
    "fills",
    "cash_flows",
    "equity",
    "commits",
    "positions",
    "discarded_equity",
    "runs",
    "file",
)


def _earliest(found: Sequence[Difference]) -> Difference | None:
    def place(difference: Difference) -> tuple[float, int]:
        step = float("inf") if difference.step is None else difference.step
        return step, _TABLES.index(difference.table)

    return min(found, key=place, default=None)


class Rows(NamedTuple):
    """Rows of one table by key, with the columns' names and the step of each row."""

    table: str
    columns: tuple[str, ...]
    expected: Mapping[Any, Sequence[Any]]
    got: Mapping[Any, Sequence[Any]]
    step_of: Callable[[Sequence[Any]], int]
    name_of: Callable[[Any], str | None] = lambda key: str(key)


def compare_rows(rows: Rows) -> tuple[Difference | None, int]:
    """The first row that differs, by step and then in the order given, and how many do."""
    expected, got = rows.expected, rows.got
    if expected == got:
        return None, 0
    places: dict[Any, tuple[int, int]] = {}
    for table in (expected, got):
        for key, row in table.items():
            places.setdefault(key, (rows.step_of(row), len(places)))
    wrong = sorted(
        (key for key in places if expected.get(key) != got.get(key)), key=places.__getitem__
    )
    if not wrong:
        return None, 0
    key = wrong[0]
    should, stands = expected.get(key), got.get(key)
    step, name = places[key][0], rows.name_of(key)
    if should is None or stands is None:
        present = [_row_text(rows.columns, row) if row is not None else None
                   for row in (should, stands)]  # fmt: skip
        return Difference(rows.table, step, name, WHOLE_ROW, *present), len(wrong)
    column = next(at for at, (a, b) in enumerate(zip(should, stands, strict=True)) if a != b)
    return (
        Difference(rows.table, step, name, rows.columns[column], should[column], stands[column]),
        len(wrong),
    )


def _row_text(columns: Sequence[str], row: Sequence[Any]) -> str:
    return codec.dumps({n: v for n, v in zip(columns, row, strict=True) if v is not None})


def compare_curves(
    stamps: NDArray[np.int64],
    expected: Mapping[str, NDArray[np.float64]],
    steps: NDArray[np.int64],
    got_stamps: NDArray[np.int64],
    got: Mapping[str, NDArray[np.float64]],
) -> tuple[Difference | None, int]:
    """The first row of the equity curve that differs: one missing, then its stamp or a figure.

    ``expected`` and ``got`` hold the columns ``equity`` and ``cash``, one value a row; the rows
    that are there have grid indices ``steps``.
    """
    count = len(stamps)
    inside = (steps >= 0) & (steps < count)
    there, extra = steps[inside], steps[~inside]
    columns: list[tuple[str, NDArray[Any], NDArray[Any]]] = [
        ("ts", stamps[there], got_stamps[inside])
    ]
    columns += [(name, values[there], got[name][inside]) for name, values in expected.items()]
    present = np.isin(np.arange(count), there)
    wrong = ~present
    for _, should, stands in columns:
        wrong[there[should != stands]] = True
    total = int(wrong.sum()) + len(extra)
    if not total:
        return None, 0
    if not wrong.any():
        at = int(extra[0])
        return Difference("equity", at, None, WHOLE_ROW, None, "a row"), total
    at = int(wrong.argmax())
    if not present[at]:
        return Difference("equity", at, None, WHOLE_ROW, "a row", None), total
    place = int(np.searchsorted(there, at))
    name, should, stands = next(c for c in columns if c[1][place] != c[2][place])
    return Difference("equity", at, None, name, should[place].item(), stands[place].item()), total


# What an order's record repeats of the decision that asked for it. A target's side is found later.
_ASKED: Final = (
    "symbol",
    "side",
    "order_type",
    "quantity_type",
    "requested_quantity",
    "limit_price",
    "stop_price",
    "time_in_force",
    "oco_group",
    "tag",
)


def asked(orders: Iterable[OrderRecord]) -> list[dict[str, Any]]:
    """What the orders of one decision say that it asked for."""
    intents = []
    for order in orders:
        intent = {name: getattr(order, name) for name in _ASKED}
        if order.quantity_type.startswith("target"):
            intent["side"] = None
        intents.append({name: value for name, value in intent.items() if value is not None})
    return intents


def blame_decision(
    difference: Difference | None,
    decisions: Mapping[int, Decision],
    expected: Iterable[OrderRecord],
    got: Iterable[OrderRecord],
) -> Difference | None:
    """A difference between orders as one of the decision that asked for them, if it is one.

    ``expected`` are the orders that the logged decisions lead to, ``got`` the ledger's. To be asked
    only where the digest chain says that what was logged is not what was settled: otherwise it is
    the order's row that was changed.
    """
    if difference is None or difference.table != "orders" or difference.step is None:
        return None
    step = difference.step
    wanted = asked(order for order in expected if order.step_index == step)
    stands = asked(order for order in got if order.step_index == step)
    if wanted == stands:
        return None
    decision = decisions.get(step)
    said = None if decision is None else codec.decision_text(decision)
    of_orders = f"what its orders say: {codec.dumps(stands)}" if stands else "no order"
    column = "decision" if decision is not None else WHOLE_ROW
    return Difference("steps", step, None, column, of_orders, said)


def expected_commits(progress: Iterable[tuple[int, int]]) -> list[int]:
    """Last steps of the commits that ``progress`` events tell of, as (from, to) in their order.

    An event that begins before the end of earlier ones follows a rewind: those are gone.
    """
    ends: list[int] = []
    for begin, end in progress:
        while ends and ends[-1] > begin:
            ends.pop()
        if not ends or ends[-1] != end:
            ends.append(end)
    return [end - 1 for end in ends]


def known_links(
    record: RunRecord, commits: Iterable[int], progress: Iterable[tuple[int, int]]
) -> dict[int, str | None]:
    """The commits that must be there; the last one's digest is sealed in the row of an ended run.

    ``commits`` are the last steps of those that are. A commit of which no event tells is not held
    against the run: only its digest counts.
    """
    ends = [end for end in expected_commits(progress) if end < record.step_index]
    there = [end for end in commits if end < record.step_index]
    links: dict[int, str | None] = dict.fromkeys([*there, *ends])
    final = record.metadata.get(FINAL_DIGEST)
    if final is not None:
        links[record.step_index - 1] = str(final)
    return links


def compare_chain(
    expected: Mapping[int, str | None], got: Mapping[int, str]
) -> tuple[Difference | None, int]:
    """The first link that is missing, is one too many, or has another digest.

    ``expected`` maps last steps to digests, None where a commit must be and its digest is unknown.
    """
    wrong = [
        step
        for step in sorted({*expected, *got})
        if step not in got or step not in expected or expected[step] not in (None, got[step])
    ]
    if not wrong:
        return None, 0
    step = wrong[0]
    if step in got and step in expected:
        first = Difference("commits", step, None, "digest", expected[step], got[step])
    else:
        should = (expected[step] or "a commit") if step in expected else None
        first = Difference("commits", step, None, WHOLE_ROW, should, got.get(step))
    return first, len(wrong)
