"""What a decision may see: bars up to the present one, each complete, and the account (policy G2).

There is no way from here to a later bar. Arrays handed out are copies, so that no view leads back
to the panel; an observation kept for later still shows its own step; and the panel that
``Strategy.prepare`` gets closes when ``prepare`` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidParameter, LookaheadError, UnknownSymbol
from engine.model import Bar, Portfolio, stamp_datetime
from engine.sim import indicators
from engine.sim.lots import LotGrid
from engine.sim.panel import FIELDS, Floats, Panel
from engine.sim.portfolio import Account, portfolio_at


class View:
    """What the observations of one simulation share."""

    __slots__ = ("columns", "flat", "grid", "panel", "params", "seed", "stamps", "symbols", "width")

    def __init__(self, panel: Panel, grid: LotGrid, seed: int, params: Mapping[str, Any]) -> None:
        self.panel = panel
        self.grid = grid
        self.seed = seed
        self.params = params
        self.symbols = panel.symbols
        self.columns = panel.index
        self.width = len(panel.symbols)
        self.flat = panel.flat
        self.stamps = panel.stamps.data

    def column(self, symbol: str) -> int:
        """The symbol's column. Raises ``UnknownSymbol``."""
        column = self.columns.get(symbol)
        if column is None:
            raise UnknownSymbol(
                f"the run has no symbol {symbol!r}",
                field="symbol",
                remedy=f"it has {', '.join(self.symbols[:12])}",
            )
        return column


class Observation:
    """The market and the account as they stand when the bar of ``step`` has closed."""

    __slots__ = ("_account", "_portfolio", "_rng", "_view", "step")

    step: int
    _portfolio: Portfolio
    _rng: np.random.Generator

    def __init__(self, view: View, step: int, account: Account) -> None:
        self._view = view
        self.step = step
        self._account = account

    def __repr__(self) -> str:
        return f"Observation(step={self.step}, ts={self.ts.isoformat()})"

    @property
    def stamp(self) -> int:
        """The bar's open stamp, microseconds UTC."""
        stamp: int = self._view.stamps[self.step]
        return stamp

    @property
    def ts(self) -> datetime:
        """The bar's open stamp as an aware datetime, UTC."""
        return stamp_datetime(self.stamp)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The run's symbols, in the order of every array here."""
        return self._view.symbols

    @property
    def params(self) -> Mapping[str, Any]:
        """The run's parameters."""
        return self._view.params

    def bar(self, symbol: str, step: int | None = None) -> Bar | None:
        """The symbol's bar at this step, or at an earlier one; None where it has none.

        Raises ``UnknownSymbol``; ``LookaheadError`` for a later step; ``InvalidParameter`` for a
        step below zero.
        """
        view = self._view
        column = view.column(symbol)
        at = self.step if step is None else self._past(step)
        cell = at * view.width + column
        flat = view.flat
        price = flat["open"][cell]
        if price != price:
            return None
        return Bar(
            symbol,
            view.stamps[at],
            price,
            flat["high"][cell],
            flat["low"][cell],
            flat["close"][cell],
            flat["volume"][cell],
        )

    def _past(self, step: int) -> int:
        if step > self.step:
            raise LookaheadError(
                f"step {step} was asked for before it has happened",
                field="step",
                remedy="a decision sees the present bar and those before it",
            )
        if step < 0:
            raise InvalidParameter(f"step {step} is before the first, 0", field="step")
        return step

    def history(self, field: str, n: int) -> Floats:
        """The last ``n`` values of open, high, low, close or volume, oldest first.

        float64[min(n, step + 1), symbols], NaN where a symbol has no bar; read-only, and a copy.
        Raises ``InvalidParameter`` for another field or for an ``n`` below 1.
        """
        if field not in FIELDS:
            raise InvalidParameter(
                f"bars have no field {field!r}", field="field", remedy=f"one of {', '.join(FIELDS)}"
            )
        if n < 1:
            raise InvalidParameter(
                f"history of {n} bars", field="n", remedy="ask for 1 bar or more"
            )
        stop = self.step + 1
        values: Floats = getattr(self._view.panel, field)[max(0, stop - n) : stop].copy()
        values.flags.writeable = False
        return values

    def indicator(self, name: str, *parameters: float) -> Floats:
        """The indicator's value at this step, float64[symbols]; NaN until it is warm.

        Names and parameters are those of ``engine.sim.indicators``. Raises ``InvalidParameter``.
        """
        values: Floats = indicators.compute(self._view.panel, name, *parameters)[self.step].copy()
        values.flags.writeable = False
        return values

    @property
    def portfolio(self) -> Portfolio:
        """Cash, equity and holdings, valued at the last closes seen."""
        try:
            return self._portfolio
        except AttributeError:
            view = self._view
            self._portfolio = portfolio_at(view.panel, view.grid, self._account, self.step)
            return self._portfolio

    @property
    def rng(self) -> np.random.Generator:
        """A generator seeded by (seed, step): the same numbers whenever this step is made (D2)."""
        try:
            return self._rng
        except AttributeError:
            self._rng = np.random.default_rng([self._view.seed, self.step])
            return self._rng


def account_of(observation: Observation) -> Account:
    """The account as the observation has it, to make the same observation elsewhere."""
    return observation._account


class PreparedPanel:
    """The whole panel, lent to ``Strategy.prepare`` for causal precomputation.

    What prepare computes for step i must use rows 0..i only; ``audit`` finds what does not. Once
    ``seal`` is called every access raises ``LookaheadError``.
    """

    __slots__ = ("_panel",)

    def __init__(self, panel: Panel) -> None:
        self._panel: Panel | None = panel

    def seal(self) -> None:
        """End the loan."""
        self._panel = None

    def _open(self) -> Panel:
        if self._panel is None:
            raise LookaheadError(
                "the prepared panel was read after prepare returned",
                remedy="compute in prepare, or ask the observation",
            )
        return self._panel

    @property
    def symbols(self) -> tuple[str, ...]:
        """The run's symbols, in the order of every array here."""
        return self._open().symbols

    @property
    def steps(self) -> int:
        """Number of grid points, T."""
        return self._open().steps

    @property
    def stamps(self) -> NDArray[np.int64]:
        """int64[T]: the open stamps, microseconds UTC."""
        return self._open().stamps

    @property
    def sessions(self) -> NDArray[np.int32]:
        """int32[T]: the session's ordinal at each grid point."""
        return self._open().sessions

    @property
    def open(self) -> Floats:
        """float64[T, N], NaN where there is no bar; so are the others."""
        return self._open().open

    @property
    def high(self) -> Floats:
        """float64[T, N]."""
        return self._open().high

    @property
    def low(self) -> Floats:
        """float64[T, N]."""
        return self._open().low

    @property
    def close(self) -> Floats:
        """float64[T, N]."""
        return self._open().close

    @property
    def volume(self) -> Floats:
        """float64[T, N]."""
        return self._open().volume

    @property
    def has_bar(self) -> NDArray[np.bool_]:
        """bool[T, N]: whether the symbol has a bar at the grid point."""
        return self._open().has_bar

    @property
    def mark(self) -> Floats:
        """float64[T, N]: the last close seen, NaN before a symbol's first bar."""
        return self._open().mark

    def indicator(self, name: str, *parameters: float) -> Floats:
        """The indicator at every step, float64[T, N]; causal. Raises ``InvalidParameter``."""
        return indicators.compute(self._open(), name, *parameters)
