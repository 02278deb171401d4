"""The runs of a ledger in the order shown: filtered, sorted, counted, as a list or as a tree.

Kept up to date by what changed: of ten thousand runs a tick looks at those that moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tui.viewmodel.filters import Filter
from tui.viewmodel.runs import SORT_KEYS, STATUS_ORDER, RunView, Sorting

if TYPE_CHECKING:
    from tui.run_book import RunRow


class RunList:
    """What passes the filter, in the order of the sort.

    ``keys`` are run ids; the list is the same object for as long as neither what passes nor its
    order has changed. ``depths`` says how deep a fork stands under its parent, in a tree.
    """

    def __init__(self) -> None:
        self.filter = Filter()
        self.sorting = Sorting()
        self.as_tree = False
        self.keys: Sequence[str] = []
        self.depths: Mapping[str, int] = {}
        self._rows: tuple[RunRow, ...] = ()
        self._by_id: dict[str, RunRow] = {}
        self._rates: Mapping[str, float] = {}
        self._counts: dict[str, int] = {}
        self._passing: set[str] = set()
        self._sort_by: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, run_id: str) -> RunRow | None:
        """The run's row, None if it is not in the ledger."""
        return self._by_id.get(run_id)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many runs there are of each status, in the order live first."""
        return {
            name: self._counts[name]
            for name in sorted(self._counts, key=lambda s: STATUS_ORDER.get(s, 99))
            if self._counts[name]
        }

    # -- what changes it ------------------------------------------------------------------------

    def update(
        self, rows: tuple[RunRow, ...], rates: Mapping[str, float], now: datetime
    ) -> frozenset[str]:
        """Take in another look at the ledger; the ids of the runs that are not as they were."""
        changed, others = self._take_rows(rows)
        moved = changed
        if self.sorting.column in ("rate", "eta"):
            moved = changed | (rates.keys() | self._rates.keys()) & self._by_id.keys()
        self._rates = rates
        if others:
            self._sort_all(now)
        elif moved:
            self._look_at(moved, now)
        return changed

    def _take_rows(self, rows: tuple[RunRow, ...]) -> tuple[frozenset[str], bool]:
        """The ids of what changed, and whether runs have come or gone."""
        old, self._rows = self._rows, rows
        if old is rows:
            return frozenset(), False
        if len(old) == len(rows):
            differing = [
                (before, after)
                for before, after in zip(old, rows, strict=True)
                if before is not after
            ]
            if all(before.record.run_id == after.record.run_id for before, after in differing):
                for before, after in differing:
                    self._by_id[after.record.run_id] = after
                    self._count(before.record.status, -1)
                    self._count(after.record.status, 1)
                return frozenset(after.record.run_id for _, after in differing), False
        known, self._by_id = self._by_id, {row.record.run_id: row for row in rows}
        self._counts = {}
        for row in rows:
            self._count(row.record.status, 1)
        changed = {run_id for run_id, row in self._by_id.items() if known.get(run_id) is not row}
        return frozenset(changed | (known.keys() - self._by_id.keys())), True

    def _count(self, status: str, by: int) -> None:
        self._counts[status] = self._counts.get(status, 0) + by

    def set_filter(self, chosen: Filter, now: datetime) -> None:
        """Let only those through that pass."""
        self.filter = chosen
        self._sort_all(now)

    def set_sorting(self, sorting: Sorting, now: datetime) -> None:
        """Sort by another column, or the other way."""
        self.sorting = sorting
        self._sort_all(now)

    def set_tree(self, as_tree: bool, now: datetime) -> None:
        """Forks beneath the runs that they come from, or all in one list."""
        self.as_tree = as_tree
        self._sort_all(now)

    def grow_older(self, now: datetime) -> bool:
        """Time has passed; whether others pass the filter for it."""
        if not self.filter.by_age:
            return False
        before = self.keys
        self._look_at(self._by_id.keys(), now)
        return self.keys is not before

    # -- how it is arranged ---------------------------------------------------------------------

    def _sort_all(self, now: datetime) -> None:
        self._passing = set()
        self._sort_by = {}
        self._look_at(self._by_id.keys(), now, anew=True)

    @property
    def _as_it_is(self) -> bool:
        """Whether all is shown in the ledger's own order: then no run needs to be asked."""
        return not self.filter.tests and self.sorting.column == "age"

    def _look_at(self, run_ids: Iterable[str], now: datetime, *, anew: bool = False) -> None:
        """Ask the filter and the sort about some runs; arrange all if an answer is another."""
        turned = anew
        if not self._as_it_is:
            key = SORT_KEYS.get(self.sorting.column)
            matches, by_id, rates, passing = (
                self.filter.matches, self._by_id, self._rates, self._passing
            )  # fmt: skip
            for run_id in run_ids:
                row = by_id[run_id]
                run = RunView(row.record, row.owner, rates.get(run_id), now)
                passes = matches(run)
                if passes is not (run_id in passing):
                    passing ^= {run_id}
                    turned = True
                if passes and key is not None:
                    value = key(run)
                    turned = turned or self._sort_by.get(run_id) != value
                    self._sort_by[run_id] = value
        if turned:
            self._arrange()

    def _arrange(self) -> None:
        """What has no value comes last either way; ties keep the ledger's order, newest first."""
        keys = [row.record.run_id for row in self._rows]
        if not self._as_it_is:
            keys = [run_id for run_id in keys if run_id in self._passing]
        if self.sorting.column == "age":
            if self.sorting.falling:
                keys.reverse()
        else:
            sort_by = self._sort_by
            # Python's sort keeps ties in the order given in both directions.
            keys = sorted(
                (run_id for run_id in keys if sort_by[run_id] is not None),
                key=sort_by.__getitem__,
                reverse=self.sorting.falling,
            ) + [run_id for run_id in keys if sort_by[run_id] is None]
        self.keys, self.depths = keys, {}
        if self.as_tree:
            parents = {run_id: self._by_id[run_id].record.parent_run_id for run_id in keys}
            self.keys, self.depths = _as_tree(keys, parents)


def _as_tree(
    keys: Sequence[str], parents: Mapping[str, str | None]
) -> tuple[list[str], dict[str, int]]:
    """The keys with each fork below its parent, in the order given among siblings.

    A fork whose parent is not among them stands at the top, as do runs that name each other.
    """
    children: dict[str, list[str]] = {}
    tops = []
    for key in keys:
        parent = parents[key]
        if parent is not None and parent in parents and parent != key:
            children.setdefault(parent, []).append(key)
        else:
            tops.append(key)
    shown: list[str] = []
    depths: dict[str, int] = {}

    def lay(top: str) -> None:
        open_ = [(top, 0)]
        while open_:
            key, depth = open_.pop()
            if key in depths:
                continue
            depths[key] = depth
            shown.append(key)
            open_ += [(child, depth + 1) for child in reversed(children.get(key, ()))]

    for top in tops:
        lay(top)
    for key in keys:
        if key not in depths:
            lay(key)
    return shown, depths
