"""Looking back: what a run was at any moment, replayed from its bars and its log.

Nobody is called that decides, and no row is needed of a step that held. States are kept every few
hundred steps; what lies between is replayed when somebody looks there.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from engine import codec
from engine.errors import LedgerCorrupt, StepNotActive
from engine.model import (
    HOLD,
    CashFlow,
    Decision,
    Fill,
    OrderRecord,
    Position,
    Rules,
)
from engine.runs.answers import is_closed
from engine.runs.config import decode_request
from engine.runs.replay import refuse_other_bars
from engine.sim.observation import Observation
from engine.sim.panel import Floats, Panel
from engine.sim.records import Fills, joined_fills, joined_orders
from engine.sim.running import Running
from engine.sim.simulation import Simulation
from engine.sim.state import NO_ROWS, State, StepResult
from engine.store.reader import Reader

STRIDE: Final = 200
"""Steps between two states that are kept; looking anywhere replays fewer than so many."""

_STRETCHES: Final = 4  # replayed stretches that are kept, so that walking about replays little

Logged = tuple[Decision, str]


@dataclass(frozen=True, eq=False)
class Moment:
    """What a run was when ``settled`` of its grid points were: the last of them is the present bar.

    ``decision_step`` is that bar's step, None before the first; ``observation`` is what its
    decision could see (None where the run was over), ``decision`` what was decided then, by
    ``source`` (both None where nothing has been decided yet). ``state`` is before that decision
    with next-open fills, after it with close fills, as the ledger's rows of that moment are.
    ``alive`` are the orders that were alive, ``positions`` the holdings by symbol at the last
    closes seen, ``figures`` the running columns of ``runs``. Nothing in it is of a later bar.
    """

    past: Past
    settled: int
    decision_step: int | None
    stamp: int | None
    observation: Observation | None
    decision: Decision | None
    source: str | None
    state: State
    alive: tuple[OrderRecord, ...]
    positions: tuple[Position, ...]
    equity: float | None
    cash: float
    figures: Mapping[str, Any]

    @property
    def decided(self) -> int:
        """How many decisions had been made."""
        return self.state.decided

    @cached_property
    def fills(self) -> Sequence[Fill]:
        """Every fill so far, in the order of execution."""
        return self.past.fills_before(self.settled)

    @cached_property
    def orders(self) -> tuple[OrderRecord, ...]:
        """Every order so far as it stood then, in order of submission."""
        return self.past.orders_at(self)

    @cached_property
    def cash_flows(self) -> tuple[CashFlow, ...]:
        """Every cash flow so far, in order."""
        return self.past.cash_flows_before(self.settled)


class Past:
    """A run's past. It knows what its log told it, up to ``settled`` grid points; any thread."""

    def __init__(self, run_id: str, simulation: Simulation, driver: str, rewind_count: int) -> None:
        self.run_id = run_id
        self.rewind_count = rewind_count
        self._simulation = simulation
        self._driver = driver
        self._decisions: dict[int, Logged] = {}
        self._last = self._begin = simulation.initial()
        self._started = False
        self._kept: list[State] = []
        self._stretches: dict[int, tuple[State, ...]] = {}
        self._results: list[StepResult] = []
        self._joined: _Joined | None = None
        self._lock = threading.RLock()

    # -- what it is of ----------------------------------------------------------------------------

    @property
    def panel(self) -> Panel:
        """The run's bars, the future ones too: show nothing past a moment's ``settled``."""
        return self._simulation.panel

    @property
    def rules(self) -> Rules:
        return self._simulation.rules

    @property
    def total_steps(self) -> int:
        """Grid points of the whole run."""
        return self._simulation.total_steps

    @property
    def settled(self) -> int:
        """How many grid points it knows: ``at`` answers from 0 to this."""
        return self._last.settled

    @property
    def decided(self) -> int:
        """How many decisions it knows."""
        return self._last.decided

    @property
    def equity(self) -> Floats:
        """float64[settled]: the equity curve, read-only."""
        return self._columns().running.equity

    @property
    def cash(self) -> Floats:
        """float64[settled]: the cash at each grid point, read-only."""
        return self._columns().cash

    # -- learning ---------------------------------------------------------------------------------

    def extend(self, decisions: Mapping[int, Logged], settled: int, *, closed: bool) -> None:
        """Go on to ``settled`` grid points with what was decided since (holds may be left out).

        ``closed`` says that the decision of the last bar, which settles nothing more, was made too.
        """
        simulation = self._simulation
        with self._lock:
            self._decisions.update(decisions)
            if not self._started and (settled or not simulation.lead):
                state, result = simulation.start(self._begin)
                self._started = True
                self._kept.append(state)
                self._take(state, result)
        target = settled - simulation.lead + (1 if closed and simulation.lead else 0)
        while self._started and self._last.decided < target and not self._last.done:
            # A stride at a time, so that whoever looks meanwhile does not wait for long.
            with self._lock:
                stop = min(target, (self._last.decided // STRIDE + 1) * STRIDE)
                advanced = simulation.advance(self._last, self._logged, stop)
                if advanced.fault is not None:  # a decoded decision holds orders and nothing else
                    raise advanced.fault
                self._take(advanced.state, advanced.result)
                if advanced.state.decided % STRIDE == 0:
                    self._kept.append(advanced.state)
                self._stretches.pop((stop - 1) // STRIDE, None)

    def _logged(self, observation: Observation) -> Decision:
        made = self._decisions.get(observation.step)
        return HOLD if made is None else made[0]

    def _take(self, state: State, result: StepResult) -> None:
        self._last = state
        self._results.append(result)
        self._joined = None

    # -- looking ----------------------------------------------------------------------------------

    def at(self, settled: int) -> Moment:
        """The run when ``settled`` grid points were settled. Raises ``StepNotActive`` past them."""
        with self._lock:
            if not 0 <= settled <= self.settled:
                raise StepNotActive(
                    f"run {self.run_id} has settled {self.settled} grid points, not {settled}",
                    field="step",
                    remedy=f"look at 0 to {self.settled}",
                )
            return self._moment(settled)

    def _moment(self, settled: int) -> Moment:
        simulation, columns = self._simulation, self._columns()
        step = settled - 1 if settled else None
        before = self._begin if step is None else self._state(step)
        if settled == self.settled:
            state = self._last
        elif settled:
            state = self._state(settled - simulation.lead)
        else:
            state = self._begin
        observed = step is not None and not before.done
        made = step is not None and observed and step < self._last.decided
        decision, source = HOLD, self._driver
        if made and step is not None:
            decision, source = self._decisions.get(step, (decision, source))
        figures = columns.running.at(settled) | {"cash": state.cash}
        return Moment(
            self,
            settled,
            step,
            None if step is None else int(self.panel.stamps[step]),
            simulation.observe(before) if observed else None,
            decision if made else None,
            source if made else None,
            state,
            simulation.open_records(state),
            self._positions(state),
            figures["equity"],
            state.cash,
            figures,
        )

    def _state(self, decided: int) -> State:
        """The state when so many decisions had been made: kept, or replayed from one that is."""
        if decided == self._last.decided:
            return self._last
        stretch = decided // STRIDE
        states = self._stretches.pop(stretch, None)
        if states is None:
            state = self._kept[stretch]
            made = [state]
            stop = min((stretch + 1) * STRIDE, self._last.decided)
            while state.decided < stop - 1:
                logged = self._decisions.get(state.decided)
                state, _ = self._simulation.step(state, HOLD if logged is None else logged[0])
                made.append(state)
            states = tuple(made)
        self._stretches[stretch] = states  # the newest last
        while len(self._stretches) > _STRETCHES:
            del self._stretches[next(iter(self._stretches))]
        return states[decided % STRIDE]

    def _positions(self, state: State) -> tuple[Position, ...]:
        if not any(state.lots):
            return ()
        panel = self.panel
        marks = panel.mark[state.settled - 1].tolist()
        columns = zip(panel.symbols, state.quantities, state.avg_costs, marks, strict=True)
        return tuple(
            Position(symbol, held, cost, mark, held * mark, held * (mark - cost))
            for symbol, held, cost, mark in sorted(columns)
            if held
        )

    # -- everything so far ------------------------------------------------------------------------

    def fills_before(self, settled: int) -> Sequence[Fill]:
        """The fills of the first ``settled`` grid points."""
        columns = self._columns()
        fills, count = columns.fills, columns.running.fills_before(settled)
        if isinstance(fills, Fills):
            # A copy: a view would lead to all that came after.
            return Fills(fills.legend, fills.rows[:count].copy(), fills.first)
        return fills[:count]

    def cash_flows_before(self, settled: int) -> tuple[CashFlow, ...]:
        """The cash flows of the first ``settled`` grid points."""
        flows = self._columns().cash_flows
        return flows[: bisect_left(flows, settled, key=lambda flow: flow.step_index)]

    def orders_at(self, moment: Moment) -> tuple[OrderRecord, ...]:
        """Every order up to a moment as it stood then."""
        # What the last decision of a run closes is touched one past the last grid point.
        until = moment.settled if moment.state.decided < self.total_steps else 2**62
        orders: dict[str, OrderRecord] = {}
        for step, record in self._columns().orders:
            if step >= until:
                break
            orders[record.order_id] = record
        return tuple(orders.values())

    def _columns(self) -> _Joined:
        with self._lock:
            if self._joined is None:
                results = self._results
                fills = joined_fills([result.fills for result in results])
                equity = _read_only([result.equity for result in results])
                self._joined = _Joined(
                    Running.of(self.rules, equity, fills),
                    _read_only([result.cash for result in results]),
                    fills,
                    joined_orders([result.orders for result in results]),
                    tuple(flow for result in results for flow in result.cash_flows),
                )
            return self._joined


@dataclass(frozen=True, slots=True, eq=False)
class _Joined:
    """Everything a past knows, in columns."""

    running: Running
    cash: Floats
    fills: Sequence[Fill]
    orders: Sequence[tuple[int, OrderRecord]]
    cash_flows: tuple[CashFlow, ...]


def _read_only(parts: list[Floats]) -> Floats:
    joined = np.concatenate(parts) if parts else NO_ROWS
    joined.flags.writeable = False
    return joined


# -- from the ledger -------------------------------------------------------------------------------


def open_past(reader: Reader, run_id: str, panel: Panel) -> Past:
    """The past of a run over its bars.

    Raises ``BarsChanged`` where ``panel`` is not what the run traded, and as ``catch_up`` does.
    """
    record = reader.run(run_id)
    refuse_other_bars(record.bars_hash, panel, record.source)
    request = decode_request(record.config)
    simulation = Simulation(panel, request.rules, request.params)
    past = Past(run_id, simulation, record.driver, record.rewind_count)
    catch_up(past, reader)
    return past


def catch_up(past: Past, reader: Reader) -> bool:
    """Tell a past what the ledger has had since; False if the run was rewound: open it anew.

    Raises ``LedgerCorrupt`` where the replayed steps do not come to the ledger's equity.
    """
    known, decided = past.settled, past.decided
    with reader.moment():
        record = reader.run(past.run_id)
        if record.rewind_count != past.rewind_count:
            return False
        closed = is_closed(record)
        if record.step_index == known and not (closed and decided < past.total_steps):
            return True
        rows = reader.steps(past.run_id, since=decided)
        _, _, equity, _ = reader.equity(past.run_id, since=known)
    decisions = {
        row.step_index: (codec.decode_decision(codec.loads(row.decision)), row.decision_source)
        for row in rows
    }
    past.extend(decisions, record.step_index, closed=closed)
    replayed = past.equity[known:]
    if not np.array_equal(replayed, equity):
        shared = min(len(replayed), len(equity))
        wrong = np.flatnonzero(replayed[:shared] != equity[:shared])
        step = known + (int(wrong[0]) if len(wrong) else shared)
        raise LedgerCorrupt(
            f"run {past.run_id} replays to another equity at step {step} than the ledger has",
            field="equity",
            remedy=f"`stepdeck verify {past.run_id}` names what was changed",
        )
    return True
