"""One run of the list: what can be filtered, sorted and shown, worked out from its record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.model import RunRecord
from engine.store.records import RunHead
from tui import format as fmt
from tui.steps import number_of, place_of
from tui.viewmodel.stalled import stalled_text
from tui.viewmodel.stopped import stopped_text

if TYPE_CHECKING:
    from tui.gateway import LongCall
    from tui.run_book import Stalled

ACTIVE: Final = frozenset({"created", "loading", "running", "paused"})
TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})
CAN_PAUSE: Final = frozenset({"running"})
CAN_RESUME: Final = frozenset({"paused"})
CAN_CANCEL: Final = ACTIVE | {"interrupted"}
CAN_DELETE: Final = TERMINAL | {"interrupted"}
CAN_TAKE_UP: Final = frozenset({"interrupted"})


def seconds_since(text: str | None, now: datetime) -> float | None:
    """Seconds from an ISO stamp of the ledger until ``now``; None where there is no stamp."""
    if text is None:
        return None
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        # Another program wrote it: a row without an age is still a row.
        return None
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    return max(0.0, (now - stamp).total_seconds())


Run = RunRecord | RunHead
"""A run as its whole row, or as the head of it that lists are made of."""


class RunView(NamedTuple):
    """A run as the list sees it. ``rate`` is in steps a second, None while it is not known."""

    record: Run
    owner: str
    rate: float | None
    now: datetime
    spark: tuple[float, ...] = ()
    stalled: bool = False
    call: LongCall | None = None

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
        """Seconds until a run that moves by itself is done at its present rate."""
        total = self.record.total_steps
        if self.record.by_hand or self.record.status != "running" or not total or not self.rate:
            return None
        return (total - self.record.step_index) / self.rate

    @property
    def age(self) -> float | None:
        """Seconds since the run was created."""
        return seconds_since(self.record.created_at, self.now)

    def text(self, field: str) -> str:
        """What the filter's text field sees."""
        return _TEXTS[field](self)

    def number(self, field: str) -> float | None:
        """What the filter's number field sees; rates and shares as fractions, age in seconds."""
        return _NUMBERS[field](self)


_TEXTS: Final[Mapping[str, Callable[[RunView], str]]] = {
    "id": lambda run: run.record.run_id,
    "name": lambda run: run.record.name or "",
    "status": lambda run: run.record.status,
    "strategy": lambda run: run.record.strategy,
    "driver": lambda run: run.record.driver,
    "symbol": lambda run: run.symbols,
    "source": lambda run: run.record.source,
    "agent": lambda run: run.record.agent_id or "",
    "owner": lambda run: run.owner,
    "tag": lambda run: " ".join(run.record.tags),
    "reason": lambda run: " ".join(filter(None, (run.record.end_reason, run.record.error_code))),
    "timeframe": lambda run: run.record.timeframe or "",
    "parent": lambda run: run.record.parent_run_id or "",
}
_NUMBERS: Final[Mapping[str, Callable[[RunView], float | None]]] = {
    "ret": lambda run: run.record.total_return,
    "dd": lambda run: run.record.max_drawdown,
    "sharpe": lambda run: run.record.sharpe,
    "equity": lambda run: run.record.equity,
    "step": lambda run: number_of(run.record.step_index),
    "steps": lambda run: run.record.step_index,
    "progress": lambda run: run.progress,
    "fills": lambda run: run.record.num_fills,
    "trades": lambda run: run.record.num_trades,
    "costs": lambda run: run.record.total_costs,
    "age": lambda run: run.age,
}


# Live first: what moves or waits for somebody stands above what is over.
STATUS_ORDER: Final = {
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

# Age is not among them: it is the ledger's own order.
SORT_KEYS: Final[Mapping[str, Callable[[RunView], float | str | None]]] = {
    "status": lambda run: STATUS_ORDER.get(run.record.status, 99),
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
}
SORTABLE: Final = frozenset({*SORT_KEYS, "age"})
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


def why_it_stands(record: RunRecord, stall: Stalled | None) -> tuple[str | None, str]:
    """Why a run does not go on, in a line, and the role it is said in; None while it does."""
    if stall is not None:
        return stalled_text(stall), "attention"
    return why_it_ended(record), fmt.status_look(record.status).role


def why_it_ended(record: RunRecord) -> str | None:
    """The end of a run in a line, or why it stands still; None while it goes on."""
    stopped = stopped_text(record)
    if stopped is not None:
        return stopped
    if record.status == "interrupted":
        # A message is why it could not go on when that was last tried.
        why = record.error_message or "its owner left it; it can be taken up where it stopped"
        return f"interrupted: {why}"
    if record.status not in TERMINAL:
        return None
    reason = (record.end_reason or record.status).replace("_", " ")
    if record.error_message:
        return f"{reason}: {record.error_message}"
    return reason


def call_text(call: LongCall, now: datetime, waits: str | None, cancel: str) -> str:
    """The call that a run hangs in: ``decide of step 50 has taken 12 s in bad.py:8``, what waits
    for it (``pause the run``), and the key that does not."""
    seconds = int(seconds_since(call.since, now) or 0)
    taken = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
    of = "" if call.step is None else f" of step {call.step}"
    place = f" in {call.place}" if call.place else ""
    waiting = f"; it is waited for to {waits}" if waits else ""
    return f"{call.what}{of} has taken {taken}{place}{waiting}; {cancel} cancels at once"


def one_line(record: Run) -> str:
    """The run in a line for a question about it: name, strategy, status, step."""
    called = f"{record.name} ({record.strategy})" if record.name else record.strategy
    steps = f"step {place_of(record)}" if record.total_steps else ""
    return "  ".join(filter(None, (called, record.status, steps)))
