"""The account counted again from its fills and cash flows alone (lifecycle.md, invariants 5 and 6).

A second hand: sums in another order than the simulation's, from the ledger's rows and not from its
decisions. So it agrees within ``TOLERANCE`` of currency (policy M1), not bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.model import CashFlow, Fill
from engine.runs.verification import Difference
from engine.sim.lots import LotGrid
from engine.sim.panel import Panel
from engine.sim.portfolio import Split, grid_lots, schedule

TOLERANCE: Final = 1e-6
# Of the money that went through: a double has no more digits to add it up with.
_ROUNDING: Final = 1e-12

Floats = NDArray[np.float64]


def recount_cash(
    initial_cash: float, rows: int, fills: Iterable[Fill], flows: Iterable[CashFlow]
) -> Floats:
    """Cash at each of ``rows`` grid points: what was there, less what fills and flows moved."""
    moved = np.zeros(rows)
    for fill in fills:
        if 0 <= fill.step_index < rows:
            notional = fill.quantity * fill.price
            costs = fill.commission + fill.fees
            moved[fill.step_index] += (notional if fill.side == "sell" else -notional) - costs
    for flow in flows:
        if 0 <= flow.step_index < rows:
            moved[flow.step_index] += flow.amount
    return initial_cash + np.cumsum(moved)


def recount_equity(panel: Panel, lot: float, cash: Floats, fills: Sequence[Fill]) -> Floats:
    """``cash`` and the value of what the fills left in hand, at each settled grid point.

    Holdings follow from quantities and the panel's splits; what dividends are owed counts from
    their ex-date to their pay date (policy M7 to M9).
    """
    grid = LotGrid(lot)
    rows = len(cash)
    equity = cash.copy()
    actions = schedule(panel)
    traded: dict[int, list[Fill]] = {}
    for fill in fills:
        if 0 <= fill.step_index < rows and fill.symbol in panel.index:
            traded.setdefault(fill.step_index, []).append(fill)
    turns = sorted(step for step in {*actions, *traded} if step < rows)
    # In whole lots: sums of fractional shares would drift over thousands of fills.
    held: dict[int, int] = {}
    for turn, step in enumerate(turns):
        for action in actions.get(step, ()):
            lots = held.get(action.column, 0)
            if isinstance(action, Split):
                held[action.column] = grid_lots(lots * action.ratio)
            elif lots:
                earning = lots if action.ratio == 1.0 else grid_lots(lots * action.ratio)
                equity[step : action.pay_step] += grid.quantity(earning) * action.per_share
        for fill in traded.get(step, ()):
            column = panel.index[fill.symbol]
            lots = grid.toward_zero(fill.quantity)
            held[column] = held.get(column, 0) + (lots if fill.side == "buy" else -lots)
        until = turns[turn + 1] if turn + 1 < len(turns) else rows
        for column, lots in held.items():
            if lots:
                equity[step:until] += grid.quantity(lots) * panel.mark[step:until, column]
    return equity


def compare_account(
    column: str, recounted: Floats, recorded: Floats
) -> tuple[Difference | None, int]:
    """The first grid point at which the recorded ``column`` is not what was counted again."""
    allowed = np.maximum(TOLERANCE, _ROUNDING * np.maximum.accumulate(np.abs(recounted)))
    wrong = ~(np.abs(recounted - recorded) <= allowed)
    if not wrong.any():
        return None, 0
    at = int(wrong.argmax())
    expected, got = float(recounted[at]), float(recorded[at])
    return Difference("equity", at, None, column, expected, got), int(wrong.sum())
