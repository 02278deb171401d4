"""The account of a run: cash, holdings, what is owed to it, and what corporate actions do to it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from engine.model import CashFlow, CorporateAction, Portfolio, Position
from engine.sim.lots import LotGrid
from engine.sim.panel import Panel
from engine.sim.state import Receivable

_new_account = tuple.__new__  # a third of the time of naming its fields
DUST: Final = 1e-9  # of a lot: what is left of a split below this is rounding, not a remainder


class Account(NamedTuple):
    """What an observation may know of the account; immutable, shared by quiet steps."""

    cash: float
    receivable: float
    lots: tuple[int, ...]
    avg_costs: tuple[float, ...]


class Split(NamedTuple):
    """A split as it applies at one grid point; ``ratio`` is new shares per old."""

    column: int
    ratio: float


class Dividend(NamedTuple):
    """A dividend as it is earned at one grid point.

    ``ratio`` is that of splits with an ex-date up to its own that the symbol, having no bar yet,
    has still before it: the dividend is per new share (policy M8).
    """

    column: int
    per_share: float
    pay_step: int
    ratio: float


Action = Split | Dividend


def schedule(panel: Panel) -> Mapping[int, tuple[Action, ...]]:
    """The panel's corporate actions by the grid point at which they apply, in order.

    A split applies at the symbol's first bar on or after the ex-date; a dividend is earned at the
    first grid point on or after it and paid at the first one on or after the pay date (never
    before it is earned; ``panel.steps`` where that lies beyond the data). Actions before the first
    session do nothing. On one grid point earlier ex-dates come first, then splits before dividends.
    """
    first_date = panel.session_dates[int(panel.sessions[0])]
    actions = sorted(
        (action for action in panel.actions if action.ex_date >= first_date),
        key=lambda action: (
            action.ex_date,
            action.kind != "split",
            panel.index[action.symbol],
        ),
    )
    split_steps = {i: _split_step(panel, a) for i, a in enumerate(actions) if a.kind == "split"}
    due: dict[int, list[Action]] = {}
    for number, action in enumerate(actions):
        column = panel.index[action.symbol]
        if action.kind == "split":
            step = split_steps[number]
            if step < panel.steps:
                due.setdefault(step, []).append(Split(column, float(action.value)))
            continue
        step = first_step_on(panel, action.ex_date)
        if step >= panel.steps:
            continue
        pay = max(step, first_step_on(panel, action.pay_date or action.ex_date))
        ratio = 1.0
        for i, split_step in split_steps.items():
            split = actions[i]
            same = split.symbol == action.symbol and split.ex_date <= action.ex_date
            if same and split_step > step:
                ratio *= split.value
        due.setdefault(step, []).append(Dividend(column, float(action.value), pay, ratio))
    return {step: tuple(listed) for step, listed in due.items()}


def first_step_on(panel: Panel, date: str) -> int:
    """The first grid point whose session is on or after an ISO date; ``panel.steps`` if none."""
    ordinal = bisect_left(panel.session_dates, date)
    return int(np.searchsorted(panel.sessions, ordinal))


def _split_step(panel: Panel, action: CorporateAction) -> int:
    first = first_step_on(panel, action.ex_date)
    present = panel.has_bar[first:, panel.index[action.symbol]]
    return first + int(present.argmax()) if present.any() else panel.steps


class Book:
    """The account while a step is being made: the one mutable thing, never seen outside.

    ``held`` lists the columns with a holding, rising, so that sums run in one fixed order.
    """

    __slots__ = (
        "_account",
        "avg_costs",
        "cash",
        "fills_made",
        "held",
        "lots",
        "receivables",
    )

    def __init__(
        self,
        cash: float,
        lots: Sequence[int],
        avg_costs: Sequence[float],
        receivables: Sequence[Receivable],
        fills_made: int,
    ) -> None:
        self.cash = cash
        self.lots = list(lots)
        self.avg_costs = list(avg_costs)
        self.receivables = list(receivables)
        self.fills_made = fills_made
        self.held = [column for column, count in enumerate(self.lots) if count]
        self._account: Account | None = None

    def hold(self, column: int, lots: int, avg_cost: float) -> None:
        """Set one holding; ``held`` stays in order."""
        before = self.lots[column]
        self.lots[column] = lots
        self.avg_costs[column] = avg_cost
        if not before:
            insort(self.held, column)
        elif not lots:
            self.held.remove(column)

    def receivable(self) -> float:
        """What is earned and not yet paid."""
        total = 0.0
        for claim in self.receivables:
            total += claim.amount
        return total

    def equity(self, grid: LotGrid, marks: memoryview, row: int) -> float:
        """Cash, then holdings by column at ``marks[row + column]``, then receivables (M9).

        The order of the additions is part of the result: the vectorised path repeats it.
        """
        total = self.cash
        factor, divisor, lots = grid.factor, grid.divisor, self.lots
        for column in self.held:
            total += lots[column] * factor / divisor * marks[row + column]
        return total + self.receivable() if self.receivables else total

    def account(self) -> Account:
        """The account as an immutable value; the same object until ``changed`` is called."""
        account = self._account
        if account is None:
            owed = self.receivable() if self.receivables else 0.0
            account = self._account = _new_account(
                Account, (self.cash, owed, tuple(self.lots), tuple(self.avg_costs))
            )
        return account

    def changed(self) -> None:
        """Drop the value that ``account`` keeps."""
        self._account = None

    def split(
        self, action: Split, grid: LotGrid, price: float, symbol: str, step: int, stamp: int
    ) -> CashFlow | None:
        """Apply a split (policy M7); the cash paid for what is left of a lot, if anything is."""
        before = self.lots[action.column]
        if not before:
            return None
        total = before * action.ratio
        after = grid_lots(total)
        avg_cost = self.avg_costs[action.column] / action.ratio
        self.hold(action.column, after, avg_cost if after else 0.0)
        rest = total - after
        if abs(rest) <= DUST:
            return None
        quantity = rest * grid.lot
        amount = quantity * price
        if before > 0:
            # A lot completed by less than a millionth is paid for, but never out of nothing.
            amount = max(amount, -max(self.cash, 0.0))
        self.cash += amount
        return CashFlow(
            step, stamp, symbol, "cash_in_lieu", quantity, amount, quantity * (price - avg_cost)
        )

    def earn(self, action: Dividend, grid: LotGrid) -> None:
        """Book a dividend as receivable; a short owes it (policy M8, O5)."""
        lots = self.lots[action.column]
        if lots and action.ratio != 1.0:
            lots = grid_lots(lots * action.ratio)
        if lots:
            quantity = grid.quantity(lots)
            amount = quantity * action.per_share
            self.receivables.append(Receivable(action.column, quantity, amount, action.pay_step))

    def collect(self, symbols: Sequence[str], step: int, stamp: int) -> list[CashFlow]:
        """Turn what is due by this grid point into cash, in the order it was earned."""
        flows = []
        waiting = []
        for claim in self.receivables:
            if claim.pay_step <= step:
                self.cash += claim.amount
                flows.append(
                    CashFlow(
                        step,
                        stamp,
                        symbols[claim.column],
                        "dividend",
                        claim.quantity,
                        claim.amount,
                        claim.amount,
                    )
                )
            else:
                waiting.append(claim)
        self.receivables = waiting
        return flows


def grid_lots(total: float) -> int:
    """A number of lots after a split, rounded toward zero, a millionth of a lot forgiven (O6)."""
    return int(total + 1e-6) if total >= 0.0 else -int(1e-6 - total)


def portfolio_at(panel: Panel, grid: LotGrid, account: Account, step: int) -> Portfolio:
    """The account valued at the last closes seen at a grid point."""
    marks = panel.flat["mark"]
    row = step * len(panel.symbols)
    equity = account.cash
    positions = {}
    for column, lots in enumerate(account.lots):
        if lots:
            quantity = grid.quantity(lots)
            price = marks[row + column]
            value = quantity * price
            equity += value
            avg_cost = account.avg_costs[column]
            positions[panel.symbols[column]] = Position(
                panel.symbols[column],
                quantity,
                avg_cost,
                price,
                value,
                quantity * (price - avg_cost),
            )
    # Not `equity + 0.0` without claims: the same additions as the equity row's.
    if account.receivable:
        equity += account.receivable
    return Portfolio(account.cash, equity, positions)
