"""A live run's memory: the simulation, where it stands, and what is not yet in the ledger."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import LedgerError, StepdeckError
from engine.market import Bars
from engine.model import CashFlow, Decision, Fill, RunRequest
from engine.runs.breakpoints import Breakpoints
from engine.runs.calls import Call
from engine.runs.lifecycle import MOVING, Status
from engine.runs.output import RunOutput
from engine.runs.requests import Prepared
from engine.sim import digest, metrics
from engine.sim.activity import Activity
from engine.sim.observation import Observation
from engine.sim.records import joined_fills
from engine.sim.simulation import Simulation
from engine.sim.state import Advance, State, StepResult
from engine.store.seal import Hashed
from engine.store.writes import Append, Connection, StepRow

if TYPE_CHECKING:
    from engine.runs.deadlines import Deadline

# The figures that are columns of ``runs`` as well as keys of its ``metrics``.
FIGURE_COLUMNS = (
    "total_return",
    "max_drawdown",
    "sharpe",
    "sortino",
    "num_fills",
    "num_trades",
    "total_costs",
)


# How often one who waits for a run looks whether it has ended over its holder's head.
CLOSED_LOOK_SECONDS: Final = 0.25


class Decider(Protocol):
    """What decides a run's steps: one when it is called, or many at once."""

    def __call__(self, observation: Observation, /) -> Decision:
        """The decision, of plain texts and floats, at a step. Raises ``StrategyFault``."""

    def advance(
        self, simulation: Simulation, state: State, stop: int, halt: Sized = (), /
    ) -> Advance:
        """Make decisions until ``stop`` of them are made, or the run is over, or a fault; at least
        one, and then no more once ``halt`` holds something."""

    def close(self) -> None:
        """Let go of what is more than memory; whoever waits for an answer gets a fault."""


@dataclass(frozen=True, slots=True)
class Log:
    """What the ledger holds of a run, or of its beginning: enough to be replayed and checked.

    ``decisions`` by step are those that were not plain holds, each with its source; ``decided`` and
    ``settled`` count all decisions and the equity rows, as far as the log goes. ``anchor`` is the
    last commit within it: how many decisions had been made, and their digest. ``own_from`` is the
    first step that the run's own strategy decided: in a fork that went on with another one, what
    came before is not its own.
    """

    decisions: Mapping[int, tuple[Decision, str]]
    decided: int
    settled: int
    anchor: tuple[int, str] | None
    bars_hash: str | None
    own_from: int = 0

    @property
    def timeouts_at_end(self) -> int:
        """How many of the last decisions, in a row, were held because their deadline passed."""
        count = 0
        for step in sorted(self.decisions, reverse=True):
            if self.decisions[step][1] != "timeout_hold":
                break
            count += 1
        return count


class Mark(NamedTuple):
    """Where a progress stood; ``Progress.back_to`` leads there."""

    state: State
    drawdown: metrics.Drawdown
    activity: Activity
    fills: int
    cash_flows: int
    equity: int
    digest: Any


class Progress:
    """The run as far as it has been computed: state, digest, figures and the rows so far.

    ``take`` is the only way forward; it is called with every result in order, live or replayed.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.state: State = simulation.initial()
        self.drawdown = metrics.Drawdown.of(simulation.rules)
        self._activity = Activity()
        self._fills: list[Sequence[Fill]] = []
        self.cash_flows: list[CashFlow] = []
        self._equity: list[NDArray[np.float64]] = []
        self._digest = hashlib.sha256()

    def take(self, state: State, result: StepResult) -> None:
        """Advance to ``state``, which ``result`` led to."""
        self.state = state
        self.drawdown = self.drawdown.after(result.equity)
        self._activity.take(result.fills, result.cash_flows)
        if result.fills:
            self._fills.append(result.fills)
        self.cash_flows.extend(result.cash_flows)
        if len(result.equity):
            self._equity.append(result.equity)
        self._digest.update(digest.canonical_bytes(result))

    def mark(self) -> Mark:
        """Where it stands now."""
        return Mark(
            self.state,
            self.drawdown,
            self._activity.copy(),
            len(self._fills),
            len(self.cash_flows),
            len(self._equity),
            self._digest.copy(),
        )

    def back_to(self, mark: Mark) -> None:
        """Forget what was taken since ``mark``: it did not come into the ledger."""
        self.state, self.drawdown, self._activity = mark.state, mark.drawdown, mark.activity
        del self._fills[mark.fills :], self.cash_flows[mark.cash_flows :]
        del self._equity[mark.equity :]
        self._digest = mark.digest

    @property
    def digest(self) -> str:
        """SHA-256 over every settled step so far, as hex (policy D3)."""
        return self._digest.hexdigest()

    @property
    def fills(self) -> Sequence[Fill]:
        """Every fill so far."""
        return joined_fills(self._fills)

    @property
    def equity(self) -> float | None:
        """Equity at the last settled grid point; None before the first."""
        return float(self._equity[-1][-1]) if self._equity else None

    def holdings(self) -> list[tuple[str, float, float, float]]:
        """Symbol, quantity, average cost and last close of every position that is not zero."""
        state, panel = self.state, self.simulation.panel
        if not any(state.quantities):
            return []
        marks = panel.mark[state.settled - 1].tolist()
        return [
            held
            for held in zip(panel.symbols, state.quantities, state.avg_costs, marks, strict=True)
            if held[1]
        ]

    def running_columns(self) -> dict[str, Any]:
        """Columns of ``runs`` that every batch brings up to date."""
        activity, equity = self._activity, self.equity
        initial = self.simulation.rules.cash
        return {
            "equity": equity,
            "cash": self.state.cash,
            "total_return": None if equity is None else equity / initial - 1.0,
            "max_drawdown": self.drawdown.lowest,
            "num_fills": activity.num_fills,
            "num_trades": activity.num_trades,
            "total_costs": activity.total_costs,
        }

    def final_columns(self) -> dict[str, Any]:
        """Columns of ``runs`` with the figures of policy F1 to F5 over what has been settled."""
        figures = metrics.figures_of(
            self.simulation.panel,
            self.simulation.rules,
            np.concatenate(self._equity),
            self._activity,
        )
        columns = {name: figures[name] for name in FIGURE_COLUMNS}
        return columns | {"metrics": figures}


@dataclass(frozen=True, slots=True)
class Pending:
    """A write of a run that the writer has been given, and what will become of it.

    ``append`` is the batch in it, if there is one, ``to`` the status it leads to. Where it is
    refused, one that is ``kept`` is tried again as it is; of another its batch alone, because who
    asked for the rest was told.
    """

    write: Callable[[Connection], bool]
    append: Append | None
    future: Future[bool]
    to: Status | None = None
    kept: bool = False

    @property
    def refused(self) -> bool:
        return self.future.done() and self.future.exception() is not None

    @property
    def stands(self) -> bool:
        """Whether something of it is to be tried again if it is refused."""
        return self.kept or self.append is not None


@dataclass(frozen=True, slots=True)
class Stall:
    """Why the ledger does not take what a run has, since when (wall time), how often it was asked.

    Such a run computes nothing further. It goes on by itself once the ledger takes what it holds.
    """

    error: LedgerError
    since: str
    tries: int = 1

    @property
    def pause(self) -> float:
        """Seconds until it is worth another try: soon at first, then every two seconds."""
        return min(0.05 * 2.0 ** min(self.tries, 10), 2.0)


@dataclass(eq=False)
class Session:
    """One live run in this process.

    ``lock`` is held by whoever moves the run: an engine thread for a slice, or a caller of the
    service for an operation. A caller announces itself with ``claim``: whoever moves the run then
    ends with the step in progress, because of what ``waiting`` holds, and engine threads leave the
    run alone, because a lock alone is not fair. What ``breaks`` holds comes from ``metadata`` and
    goes back into it, and so outlives the session.
    """

    run_id: str
    run_key: int
    epoch: int
    prepared: Prepared
    output: RunOutput
    metadata: dict[str, Any]
    status: Status
    baseline_of: str | None = None
    log: Log | None = None
    start_paused: bool = False
    speed: float | None = None
    bars: Bars | None = None
    progress: Progress | None = None
    decide: Decider | None = None
    taken_over: bool = False
    rewind_count: int = 0
    deadline: Deadline | None = None
    timeout_holds: int = 0
    timeouts_in_row: int = 0
    unwritten: list[tuple[StepResult, list[StepRow]]] = field(default_factory=list)
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    unwritten_since: float = 0.0
    in_flight: deque[Pending] = field(default_factory=deque)
    stall: Stall | None = None
    error: StepdeckError | None = None
    call: Call = field(init=False)
    breaks: Breakpoints = field(init=False)
    closed: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)
    hashed: Hashed = field(default_factory=Hashed)
    waiting: list[object] = field(default_factory=list)
    _claims: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.call = Call(self.prepared.loaded.info.path)
        self.breaks = Breakpoints.stored(self.metadata, self.request.symbols or ())

    @property
    def holds(self) -> bool:
        """Whether writes of it are under way, or were refused and will be tried again."""
        return bool(self.unwritten) or any(pending.stands for pending in self.in_flight)

    @property
    def ends(self) -> bool:
        """Whether its end, or that it is left, is among what waits for the ledger."""
        return any(pending.kept and pending.to not in MOVING for pending in self.in_flight)

    def forget_unwritten(self) -> None:
        """Drop what is computed and not in the ledger."""
        self.unwritten.clear()
        self.in_flight.clear()
        self.events.clear()

    @property
    def claimed(self) -> bool:
        """Whether somebody waits to operate on the run; engine threads then keep off."""
        return self._claims > 0

    @property
    def pace(self) -> float | None:
        """Steps a second it is held to, None without limit.

        A run that goes to a goal goes as fast as it can.
        """
        return None if self.breaks.goal is not None else self.speed

    @property
    def request(self) -> RunRequest:
        return self.prepared.request

    @property
    def agent_decides(self) -> bool:
        """Whether an agent is asked for the run's decisions, each within its deadline."""
        return self.prepared.driver == "agent" and not self.taken_over

    @property
    def simulation(self) -> Simulation:
        assert self.progress is not None, "the run's bars are not loaded"
        return self.progress.simulation

    @contextmanager
    def claim(self, timeout: float = -1) -> Iterator[bool]:
        """Hold the run for an operation; yields False if ``timeout`` seconds did not suffice.

        Without a timeout it does so only of a run that is closed: who looks whether it is needs no
        more. With a timeout of 0 it only looks, and nobody ends anything for it.
        """
        with self._counting:
            self._claims += 1
        held = self.lock.acquire(blocking=False)
        if not held and timeout:
            me = object()
            self.waiting.append(me)
            try:
                held = self._acquire(timeout)
            finally:
                self.waiting.remove(me)
        try:
            yield held
        finally:
            with self._counting:
                self._claims -= 1
            if held:
                self.lock.release()

    def _acquire(self, timeout: float) -> bool:
        """Wait for the lock; without a timeout until it comes, or the run is closed over the head
        of a holder that may never let go."""
        if timeout >= 0:
            return self.lock.acquire(timeout=timeout)
        while not self.lock.acquire(timeout=CLOSED_LOOK_SECONDS):
            if self.closed.is_set():
                return False
        return True
