"""Small panels and runs for the tests of the simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from engine.model import (
    EPOCH,
    CorporateAction,
    Costs,
    Decision,
    Order,
    OrderRecord,
    Rules,
    Target,
)
from engine.sim.digest import canonical_bytes
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import State, StepResult, join

NO_COSTS = Costs("none", sec=False, taf=False, slippage_bps=0.0)

Bars = Sequence[tuple[float, float, float, float] | tuple[float, float, float, float, float] | None]

HOUR = 3_600_000_000
DAY = 24 * HOUR
MONDAY = int((datetime(2026, 3, 2, 14, 30, tzinfo=UTC) - EPOCH).total_seconds()) * 1_000_000


def stamp_of(text: str) -> int:
    """Microseconds of ISO text in UTC."""
    moment = datetime.fromisoformat(text)
    return int((moment - EPOCH).total_seconds()) * 1_000_000


def date_of(stamp: int) -> str:
    """ISO date of a stamp, in UTC."""
    return datetime.fromtimestamp(stamp / 1e6, tz=UTC).date().isoformat()


def panel_of(
    bars: Mapping[str, Bars],
    *,
    stamps: Sequence[int] | None = None,
    daily: bool = False,
    actions: Sequence[CorporateAction] = (),
    sessions_per_year: int = 252,
) -> Panel:
    """A panel of (open, high, low, close[, volume]) by symbol; None where there is no bar.

    Stamps are hourly from Monday 2026-03-02 14:30 UTC, or daily; a session is a UTC date.
    """
    steps = len(next(iter(bars.values())))
    if stamps is None:
        stamps = [MONDAY + i * (DAY if daily else HOUR) for i in range(steps)]
    cells = np.full((5, steps, len(bars)), np.nan)
    for column, rows in enumerate(bars.values()):
        for step, bar in enumerate(rows):
            if bar is not None:
                cells[:, step, column] = bar if len(bar) == 5 else (*bar, 1e6)
    dates = sorted({date_of(stamp) for stamp in stamps})
    return Panel(
        tuple(bars),
        np.array(stamps, dtype=np.int64),
        cells[0],
        cells[1],
        cells[2],
        cells[3],
        cells[4],
        sessions=np.array([dates.index(date_of(stamp)) for stamp in stamps], dtype=np.int32),
        session_dates=tuple(dates),
        timeframe="1Day" if daily else "1Hour",
        actions=tuple(actions),
        sessions_per_year=sessions_per_year,
    )


def flat_bars(*prices: float | None, volume: float = 1e6) -> Bars:
    """Bars that open, stay and close at one price each."""
    return [None if p is None else (p, p, p, p, volume) for p in prices]


def rules_of(**fields: Any) -> Rules:
    """Rules without costs, 1,000 in cash and whole shares, except as given."""
    defaults: dict[str, Any] = {"cash": 1000.0, "lot": 1.0, "costs": NO_COSTS}
    return Rules(**(defaults | fields))


def run_steps(
    panel: Panel, rules: Rules, decisions: Mapping[int, Decision]
) -> tuple[State, StepResult]:
    """The whole run, one step at a time."""
    simulation = Simulation(panel, rules)
    state, first = simulation.start(simulation.initial())
    results = [first]
    while not state.done:
        state, result = simulation.step(state, decisions.get(state.decided, Decision()))
        results.append(result)
    return state, join(results)


def run_batch(
    panel: Panel, rules: Rules, decisions: Mapping[int, Decision], chunk: int = 10**9
) -> tuple[State, StepResult]:
    """The whole run in batches of so many decisions."""
    simulation = Simulation(panel, rules)
    state, first = simulation.start(simulation.initial())
    results = [first]
    while not state.done:
        state, result, fault = simulation.advance(
            state, lambda obs: decisions.get(obs.step), state.decided + chunk
        )
        assert fault is None
        results.append(result)
    return state, join(results)


def play(panel: Panel, rules: Rules, decisions: Mapping[int, Decision]) -> tuple[State, StepResult]:
    """The whole run, stepped; advanced in batches of any size it must be the same bytes."""
    state, result = run_steps(panel, rules, decisions)
    for chunk in (1, 3, 10**9):
        other, batch = run_batch(panel, rules, decisions, chunk)
        assert canonical_bytes(batch) == canonical_bytes(result)
        assert repr(other) == repr(state)
    return state, result


def records_of(result: StepResult) -> dict[str, OrderRecord]:
    """The last record of each order, by tag where it has one, else by order id."""
    return {record.tag or record.order_id: record for _, record in result.orders}


def busy(steps: int = 400, seed: int = 1) -> StepResult:
    """A run of four symbols, with gaps, in which most steps trade and orders end in every way:
    packed rows by the hundred, records of resting and tagged orders between them."""
    random = np.random.default_rng(seed)
    symbols = ("A", "Éà", "s p", "LONGER")
    bars: dict[str, Bars] = {}
    for symbol in symbols:
        closes = (50 * np.exp(np.cumsum(random.normal(0, 0.02, steps)))).tolist()
        gaps = (random.random(steps) < 0.1).tolist()
        bars[symbol] = flat_bars(
            *(None if gap else price for gap, price in zip(gaps, closes, strict=True)),
            volume=500.0,
        )
    decisions = {}
    for step in range(steps):
        kind = random.random()
        weights = np.round(random.dirichlet([1.0] * 4), 3).tolist()
        if kind < 0.02:
            decisions[step] = Decision((Order.buy("A", 2.0, limit=40.0, time_in_force="gtc"),))
        elif kind < 0.04:
            decisions[step] = Decision((Order.sell("A", 1.0, tag="out"), Order.buy("A", 9.0)))
        elif kind < 0.3:
            decisions[step] = Decision(
                (Order.sell("A", 3.0), Order.buy("LONGER", 4.0)), (Target("s p", -0.0),)
            )
        elif kind < 0.9:
            decisions[step] = Decision((), tuple(map(Target, symbols, weights)))
    rules = rules_of(cash=10_000.0, costs=Costs.of("us-equity"), participation=0.02)
    return run_batch(panel_of(bars), rules, decisions, 150)[1]
