"""One run of the list: what can be filtered, sorted and shown, worked out from its record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from engine.model import RunRecord
from tui.viewmodel.stopped import stopped_text

if TYPE_CHECKING:
    from tui.gateway import RunRow
    from tui.viewmodel.filters import Filter

ACTIVE: Final = frozenset({"created", "loading", "running", "paused"})
TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})
CAN_PAUSE: Final = frozenset({"running"})
CAN_RESUME: Final = frozenset({"paused"})
CAN_CANCEL: Final = ACTIVE | {"interrupted"}
CAN_TAKE_UP: Final = frozenset({"interrupted"})


def seconds_since(text: str | None, now: datetime) -> float | None:
    """Seconds from an ISO stamp of the ledger until ``now``; None where there is no stamp."""
    if text is None:
        return None
    stamp = datetime.fromisoformat(text)
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    return max(0.0, (now - stamp).total_seconds())


@dataclass(frozen=True)
class RunView:
    """A run as the list sees it. ``rate`` is in steps a second, None while it is not known."""

    record: RunRecord
    owner: str
    rate: float | None
    now: datetime
    spark: tuple[float, ...] = ()

    @property
    def run_id(self) -> str:
        return self.record.run_id

    @property
    def name(self) -> str:
        """The run's name, or the strategy of one that has none."""
        return self.record.name or self.record.strategy

    @property
    def symbols(self) -> str:
        """The symbols in request order: ``AAPL MSFT``."""
        return " ".join(self.record.symbols)

    @property
    def progress(self) -> float | None:
        """Settled share of the grid, 0 to 1; None before the bars are loaded."""
        total = self.record.total_steps
        return self.record.step_index / total if total else None

    @property
    def eta(self) -> float | None:
        """Seconds until a running run is done at its present rate."""
        total = self.record.total_steps
        if self.record.status != "running" or not total or not self.rate:
            return None
        return (total - self.record.step_index) / self.rate

    @property
    def age(self) -> float | None:
        """Seconds since the run was created."""
        return seconds_since(self.record.created_at, self.now)

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """What the filter's text fields see."""
        record = self.record
        return {
            "id": record.run_id,
            "name": record.name or "",
            "status": record.status,
            "strategy": record.strategy,
            "driver": record.driver,
            "symbol": self.symbols,
            "source": record.source,
            "agent": record.agent_id or "",
            "owner": self.owner,
            "tag": " ".join(record.tags),
            "reason": " ".join(filter(None, (record.end_reason, record.error_code))),
            "timeframe": record.timeframe or "",
        }

    @cached_property
    def numbers(self) -> Mapping[str, float | None]:
        """What the filter's number fields see; rates and shares as fractions, age in seconds."""
        record = self.record
        return {
            "ret": record.total_return,
            "dd": record.max_drawdown,
            "sharpe": record.sharpe,
            "equity": record.equity,
            "steps": record.step_index,
            "progress": self.progress,
            "fills": record.num_fills,
            "trades": record.num_trades,
            "costs": record.total_costs,
            "age": self.age,
        }


def view(
    row: RunRow, now: datetime, rates: Mapping[str, float], sparks: Mapping[str, tuple[float, ...]]
) -> RunView:
    """The row of a snapshot as the list sees it."""
    run_id = row.record.run_id
    return RunView(row.record, row.owner, rates.get(run_id), now, sparks.get(run_id, ()))


# Live first: what moves or waits for somebody stands above what is over.
_STATUS_ORDER: Final = {
    name: place
    for place, name in enumerate(
        (
            "running",
            "paused",
            "loading",
            "created",
            "interrupted",
            "failed",
            "cancelled",
            "completed",
        )
    )
}

SORT_KEYS: Final[Mapping[str, Callable[[RunView], float | str | None]]] = {
    "status": lambda run: _STATUS_ORDER.get(run.record.status, 99),
    "name": lambda run: run.name.casefold(),
    "strategy": lambda run: run.record.strategy.casefold(),
    "driver": lambda run: run.record.driver,
    "symbols": lambda run: run.symbols,
    "progress": lambda run: run.progress,
    "rate": lambda run: run.rate,
    "eta": lambda run: run.eta,
    "equity": lambda run: run.record.equity,
    "return": lambda run: run.record.total_return,
    "drawdown": lambda run: run.record.max_drawdown,
    "owner": lambda run: run.owner,
    "age": lambda run: run.age,
}
# The first press on a column shows what people look for in it: the best, the newest, A before Z.
FALLING_FIRST: Final = frozenset({"progress", "rate", "equity", "return"})


@dataclass(frozen=True, slots=True)
class Sorting:
    """The column the list is sorted by; ``age`` rising (newest first) is the ledger's own order."""

    column: str = "age"
    falling: bool = False

    def by(self, column: str) -> Sorting:
        """Sorted by ``column``: anew in its usual direction, turned around if it already is."""
        if column == self.column:
            return Sorting(column, not self.falling)
        return Sorting(column, column in FALLING_FIRST)

    def turned(self) -> Sorting:
        """The same column the other way around."""
        return Sorting(self.column, not self.falling)


def arrange(runs: Iterable[RunView], chosen: Filter, sorting: Sorting) -> list[RunView]:
    """The runs that pass the filter, sorted; what has no value comes last either way.

    Ties keep the order given (the ledger's: newest first).
    """
    key = SORT_KEYS[sorting.column]
    with_value: list[tuple[Any, RunView]] = []
    without: list[RunView] = []
    for run in runs:
        if chosen.matches(run):
            value = key(run)
            if value is None:
                without.append(run)
            else:
                with_value.append((value, run))
    # Python's sort keeps ties in the order given in both directions.
    with_value.sort(key=lambda pair: pair[0], reverse=sorting.falling)
    return [run for _, run in with_value] + without


def counts(runs: Iterable[RunView]) -> Mapping[str, int]:
    """How many runs there are of each status, in the order live first."""
    tally: dict[str, int] = {}
    for run in runs:
        tally[run.record.status] = tally.get(run.record.status, 0) + 1
    return {name: tally[name] for name in sorted(tally, key=lambda s: _STATUS_ORDER.get(s, 99))}


def why_it_ended(record: RunRecord) -> str | None:
    """The end of a run in a line, or why it stands still; None while it goes on."""
    stopped = stopped_text(record)
    if stopped is not None:
        return stopped
    if record.status == "interrupted":
        return "interrupted: its owner left it; it can be taken up where it stopped"
    if record.status not in TERMINAL:
        return None
    reason = (record.end_reason or record.status).replace("_", " ")
    if record.error_message:
        return f"{reason}: {record.error_message}"
    return reason


def one_line(record: RunRecord) -> str:
    """The run in a line for a question about it: name, strategy, status, step."""
    called = f"{record.name} ({record.strategy})" if record.name else record.strategy
    steps = f"step {record.step_index} of {record.total_steps}" if record.total_steps else ""
    return "  ".join(filter(None, (called, record.status, steps)))
