"""What the fills of a run come to, kept up as they are made: sums, round trips, exposure.

A run may be ended at any moment and its figures are then wanted at once, however many fills it has
had. What is added here is added in the order of the fills, so that the figures are the same bits
however the fills were divided among results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from operator import itemgetter
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from engine.model import CashFlow, Fill
from engine.sim.panel import Floats
from engine.sim.records import Fills

# A fill or what a split paid in cash: its grid point, symbol and profit, whether it took a holding
# to zero or through it, and the holding a fill left.
_Happening = tuple[int, str, float, bool, float | None]


class Traded(NamedTuple):
    """Fills as columns, in their order. ``notional`` is price x quantity; ``closes`` says whether a
    fill took a holding to zero or through it; ``after`` is the holding it left."""

    steps: list[int]
    symbols: list[str]
    notional: Floats
    commission: Floats
    fees: Floats
    slippage: Floats
    realized: Floats
    after: Floats
    closes: NDArray[np.bool_]

    @classmethod
    def of(cls, fills: Sequence[Fill]) -> Traded:
        """The columns of some fills, without making records of packed ones."""
        if isinstance(fills, Fills):
            rows, names = fills.rows, fills.legend.symbols
            steps, symbols = rows["step"].tolist(), [names[i] for i in rows["column"].tolist()]
            buys, quantity, after = rows["lots"] > 0, fills.quantities(), fills.positions()
            price, slippage = rows["price"], fills.slippages()
            commission, fees, realized = rows["commission"], rows["fees"], rows["realized"]
        else:
            steps, symbols = [f.step_index for f in fills], [f.symbol for f in fills]
            buys = np.array([fill.side == "buy" for fill in fills], dtype=np.bool_)
            figures = np.array([(*fill[6:8], *fill[9:14]) for fill in fills], dtype=np.float64)
            quantity, price, commission, fees, slippage, realized, after = figures.reshape(-1, 7).T
        beyond = after * np.where(buys, 1.0, -1.0) > 0.0
        through = beyond & (np.abs(after) < quantity * (1.0 - 1e-12))
        return cls(
            steps,
            symbols,
            quantity * price,
            commission,
            fees,
            slippage,
            realized,
            after,
            (after == 0.0) | through,
        )


class Activity:
    """The sums of a run's fills so far. ``take`` is the only way forward, in the order of steps."""

    def __init__(self) -> None:
        self.num_fills = 0
        self.num_trades = 0
        self.notional = self.commission = self.fees = self.slippage = 0.0
        self._won = self._lost = self._profit = 0.0
        self._wins = self._held_bars = 0
        # Of the round trip that each symbol is in: its first step, its profit so far.
        self._running: dict[str, tuple[int, float]] = {}
        self._held: set[str] = set()
        self._exposed = self._since = 0

    @classmethod
    def of(cls, fills: Sequence[Fill], cash_flows: Iterable[CashFlow]) -> Self:
        """That of a whole run."""
        activity = cls()
        activity.take(fills, cash_flows)
        return activity

    def copy(self) -> Activity:
        """One that goes its own way from here."""
        other = copy(self)
        other._running, other._held = dict(self._running), set(self._held)
        return other

    @property
    def total_costs(self) -> float:
        """Commission, fees and slippage together."""
        return self.commission + self.fees + self.slippage

    def take(self, fills: Sequence[Fill], cash_flows: Iterable[CashFlow]) -> None:
        """Add what happened at the steps that follow."""
        paid: list[_Happening] = [
            (flow.step_index, flow.symbol or "", flow.realized_pnl, False, None)
            for flow in cash_flows
            if flow.kind == "cash_in_lieu"
        ]
        if not len(fills):
            self._go_on(paid)
            return
        traded = Traded.of(fills)
        self.num_fills += len(traded.steps)
        self.notional = total(traded.notional, self.notional)
        self.commission = total(traded.commission, self.commission)
        self.fees = total(traded.fees, self.fees)
        self.slippage = total(traded.slippage, self.slippage)
        happenings: Iterable[_Happening] = zip(
            traded.steps,
            traded.symbols,
            traded.realized.tolist(),
            traded.closes.tolist(),
            traded.after.tolist(),
            strict=True,
        )
        # At one grid point splits come before fills; a stable sort keeps them there.
        self._go_on(sorted([*paid, *happenings], key=itemgetter(0)) if paid else happenings)

    def _go_on(self, happenings: Iterable[_Happening]) -> None:
        """Trips from flat to flat by symbol; a flip through zero closes one and opens the next.

        Their profit is what their fills realised, and what a split on the way paid in cash. A run
        is exposed from a fill that leaves some symbol held to the one that leaves none.
        """
        running, held = self._running, self._held
        exposed, since = self._exposed, self._since
        for step, symbol, realized, closes, after in happenings:
            begun, profit = running.get(symbol, (step, 0.0))
            profit += realized
            if after is not None:
                if held:
                    exposed += step - since
                since = step
                if after:
                    held.add(symbol)
                else:
                    held.discard(symbol)
            if not closes:
                running[symbol] = (begun, profit)
                continue
            self.num_trades += 1
            self._profit += profit
            self._held_bars += step - begun
            if profit > 0.0:
                self._wins += 1
                self._won += profit
            elif profit < 0.0:
                self._lost += profit
            if after:
                running[symbol] = (step, 0.0)
            else:
                running.pop(symbol, None)
        self._exposed, self._since = exposed, since

    def exposure(self, rows: int) -> float:
        """Share of ``rows`` grid points that end with some symbol held, as the fills leave it."""
        return (self._exposed + (rows - self._since if self._held else 0)) / rows

    def round_trips(self) -> dict[str, Any]:
        """The figures of the trips that are over; those that need one are left out without."""
        figures: dict[str, Any] = {"num_trades": self.num_trades}
        if self.num_trades:
            figures["win_rate"] = self._wins / self.num_trades
            figures["expectancy"] = self._profit / self.num_trades
            figures["average_hold_bars"] = self._held_bars / self.num_trades
            if self._lost < 0.0:
                figures["profit_factor"] = self._won / -self._lost
        return figures


def total(values: Floats, before: float = 0.0) -> float:
    """The sum, added in order: the same however fills are divided among results."""
    return float(np.add.accumulate(np.concatenate(([before], values)))[-1])
