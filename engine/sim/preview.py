"""What a decision would do if the next bars stood at prices that are known now. Pure.

Nobody knows the next bar, so a decision is tried on bars that stand still: at the last closes, or
at the prices that an order waits for. It is the simulation itself that tries it, so that what a
ticket says beforehand and what the ledger says afterwards come from the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.model import HOLD, Decision, Fill, Order, OrderRecord, Rules
from engine.sim.lots import LotGrid
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import State

ROWS = 5  # the bar decided on, three to be met, one more so that the run does not end there
MINUTE = 60_000_000


@dataclass(frozen=True, slots=True)
class Standing:
    """An account, and the market as it is known when a decision is thought about.

    ``prices`` are the last closes and ``volumes`` those of the last bars by symbol; a symbol
    without a bar so far is in neither. ``holdings`` are shares and average cost by symbol.
    ``date`` is the ISO date of the session, whose fees apply. ``last`` says that the decision is
    the run's last. What is owed to the account (``receivable``) counts as equity.
    """

    rules: Rules
    symbols: tuple[str, ...]
    prices: Mapping[str, float]
    volumes: Mapping[str, float]
    date: str
    cash: float
    holdings: Mapping[str, tuple[float, float]]
    receivable: float = 0.0
    last: bool = False

    @property
    def equity(self) -> float:
        """What the account is worth at the last closes."""
        held = sum(
            quantity * self.prices.get(symbol, avg_cost)
            for symbol, (quantity, avg_cost) in self.holdings.items()
        )
        return self.cash + held + self.receivable

    def held(self, symbol: str) -> float:
        """Shares held of the symbol."""
        return self.holdings.get(symbol, (0.0, 0.0))[0]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a decision would come to.

    ``orders`` has a record for each intent, in order of submission; one that rests has met bars at
    the last close and not traded. ``cash``, ``equity`` and ``quantities`` (shares by symbol, those
    that are not zero) are those after.
    """

    orders: tuple[OrderRecord, ...]
    fills: tuple[Fill, ...]
    cash: float
    equity: float
    quantities: Mapping[str, float]


def preview(
    standing: Standing, decision: Decision, path: Mapping[str, tuple[float, float]] | None = None
) -> Preview:
    """Try the decision on bars at the last closes; with ``path``, then at a symbol's two prices.

    Orders that are open already are left out. Raises ``StrategyError`` where the decision holds
    something that is no order.
    """
    grid = LotGrid(standing.rules.lot)
    panel = _panel(standing, path or {})
    simulation = Simulation(panel, standing.rules)
    before = _state(standing, grid, simulation.lead)
    state, result = simulation.step(before, decision)
    records = {record.order_id: record for _, record in result.orders}
    fills = list(result.fills)
    while state.settled < ROWS - 1 and not state.done:
        state, result = simulation.step(state, HOLD)
        records |= {record.order_id: record for _, record in result.orders}
        fills += result.fills
    quantities = dict(zip(panel.symbols, state.quantities, strict=True))
    marks = {symbol: fills_price(fills, symbol, standing) for symbol in quantities}
    held = sum(count * marks[symbol] for symbol, count in quantities.items() if count)
    return Preview(
        tuple(sorted(records.values(), key=_number)),
        tuple(fills),
        state.cash,
        state.cash + held + standing.receivable,
        {symbol: count for symbol, count in quantities.items() if count},
    )


def fills_price(fills: list[Fill], symbol: str, standing: Standing) -> float:
    """What a symbol is worth after the fills: the price it last traded at, else its last close."""
    for fill in reversed(fills):
        if fill.symbol == symbol:
            return fill.reference_price
    return standing.prices.get(symbol, standing.holdings.get(symbol, (0.0, 0.0))[1])


def when_it_trades(
    standing: Standing, order: Order, others: Sequence[Order] = ()
) -> Preview | None:
    """What an order that waits for a price would come to there; None where it waits for none.

    The ``others`` are of the same decision and go before it, at the last closes if they can.
    """
    waits = [price for price in (order.stop_price, order.limit_price) if price is not None]
    if order.order_type == "market" or not waits or standing.last:
        return None
    decision = Decision((*others, order))
    return preview(standing, decision, {order.symbol: (waits[0], waits[-1])})


def _number(record: OrderRecord) -> int:
    return int(record.order_id.rpartition("-")[2])


def _panel(standing: Standing, path: Mapping[str, tuple[float, float]]) -> Panel:
    rows = 1 if standing.last else ROWS
    now = [standing.prices.get(symbol, np.nan) for symbol in standing.symbols]
    prices = np.tile(np.array(now, dtype=np.float64), (rows, 1))
    for symbol, (first, second) in path.items():
        if symbol in standing.symbols and rows > 1:
            column = standing.symbols.index(symbol)
            prices[2, column] = first
            prices[3:, column] = second
    volumes = [standing.volumes.get(symbol, np.nan) for symbol in standing.symbols]
    return Panel(
        standing.symbols,
        np.arange(rows, dtype=np.int64) * MINUTE,
        prices,
        prices,
        prices,
        prices,
        np.tile(np.array(volumes, dtype=np.float64), (rows, 1)),
        np.zeros(rows, np.int32),
        (standing.date,),
        timeframe="1Min",
    )


def _state(standing: Standing, grid: LotGrid, lead: int) -> State:
    quantities = [standing.held(symbol) for symbol in standing.symbols]
    lots = tuple(grid.toward_zero(quantity) for quantity in quantities)
    costs = tuple(standing.holdings.get(symbol, (0.0, 0.0))[1] for symbol in standing.symbols)
    return State(0, lead, standing.cash, lots, tuple(map(grid.quantity, lots)), costs)
