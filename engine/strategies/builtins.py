"""The built-in strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from engine.model import Order, Target
from engine.strategies.averages import carry_forward, moving_average, relative_strength
from engine.strategies.base import Observation, PanelView, Strategy
from engine.strategies.signals import plan_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class BuyAndHold(Strategy):
    """Buy equal slices of the initial cash at each symbol's first open, and hold (policy B1)."""

    def decide(self, obs: Observation) -> list[Order] | None:
        """Good-till-cancelled orders at step 0, nothing ever after."""
        if obs.step:
            return None
        slice_ = obs.portfolio.cash / len(obs.symbols)
        return [
            Order.buy(symbol, slice_, quantity_type="notional", time_in_force="gtc")
            for symbol in obs.symbols
        ]


class PriceIndex(Strategy):
    """Hold as many shares of each symbol as of any other, as a price average does (policy B2)."""

    def decide(self, obs: Observation) -> list[Order] | None:
        """At step 0 all the cash goes into the symbols that have a bar there; nothing after."""
        if obs.step:
            return None
        closes = {bar.symbol: bar.close for symbol in obs.symbols if (bar := obs.bar(symbol))}
        shares = obs.portfolio.cash / sum(closes.values())
        return [Order.buy(symbol, shares) for symbol in closes]


class SmaCross(Strategy):
    """Hold a symbol while its fast moving average is above its slow one; all in, or flat.

    fast: bars in the fast average
    slow: bars in the slow average
    """

    bounds: ClassVar[Mapping[str, tuple[float | None, float | None]]] = {
        "fast": (1, None),
        "slow": (1, None),
    }
    fast: int = 10
    slow: int = 30

    def weights(self, panel: PanelView) -> NDArray[np.float64]:
        """Targets where an average has crossed; each symbol has an equal share of equity."""
        return plan_weights(panel, self._above, 1.0 / len(panel.symbols))

    def _above(self, closes: NDArray[np.float64]) -> NDArray[np.bool_]:
        slow = moving_average(closes, self.slow)
        # Two means of one constant price may differ in the last bit; that is not a cross.
        above: NDArray[np.bool_] = moving_average(closes, self.fast) - slow > slow * 1e-12
        return above


class RsiReversion(Strategy):
    """Buy what has fallen hard, sell it once it has risen hard, by Wilder's RSI.

    period: bars in the RSI
    low: buy when the RSI falls below this
    high: sell when the RSI rises above this
    weight: share of equity in each holding
    """

    bounds: ClassVar[Mapping[str, tuple[float | None, float | None]]] = {
        "period": (2, None),
        "low": (0, 100),
        "high": (0, 100),
        "weight": (0, 1),
    }
    period: int = 14
    low: float = 30.0
    high: float = 70.0
    weight: float = 0.02

    def weights(self, panel: PanelView) -> NDArray[np.float64]:
        """Targets where the RSI has left its band."""
        return plan_weights(panel, self._oversold, self.weight)

    def _oversold(self, closes: NDArray[np.float64]) -> NDArray[np.bool_]:
        strength = relative_strength(closes, self.period)
        # 1 enters, 0 leaves, and what is between keeps the last of them; out at first.
        signal = np.where(strength < self.low, 1.0, np.where(strength > self.high, 0.0, np.nan))
        held: NDArray[np.bool_] = carry_forward(signal[:, None])[:, 0] == 1.0
        return held


class Momentum(Strategy):
    """Hold the symbols that rose most over the last bars, in equal weights.

    lookback: bars over which the rise is measured
    top: how many symbols to hold
    every: steps between two rebalancings
    """

    bounds: ClassVar[Mapping[str, tuple[float | None, float | None]]] = {
        "lookback": (1, None),
        "top": (1, None),
        "every": (1, None),
    }
    lookback: int = 20
    top: int = 5
    every: int = 1

    def prepare(self, panel: PanelView) -> None:
        """Rank at every rebalancing; closes are carried forward over gaps, ties go by symbol order.

        A symbol counts once it has a close ``lookback`` grid points back, and while its last bar is
        not that old.
        """
        has_bar = ~np.isnan(panel.close)
        closes = carry_forward(panel.close)
        steps = np.arange(0, panel.steps, self.every)
        cold = -(-self.lookback // self.every)  # rebalancings before there is a rise
        first = cold * self.every
        now = slice(first, None, self.every)
        then = slice(first - self.lookback, max(panel.steps - self.lookback, 0), self.every)
        rise = np.full((len(steps), len(panel.symbols)), np.nan)
        np.divide(closes[now], closes[then], out=rise[cold:])
        rise -= 1.0
        if not has_bar.all():
            rise[cold:][_last_bars(has_bar)[now] <= np.arange(panel.steps)[then, None]] = np.nan
        counts = np.minimum(np.count_nonzero(~np.isnan(rise), axis=1), self.top)
        np.negative(rise, out=rise)
        ranked = np.argsort(rise, axis=1, kind="stable")[:, : self.top].copy()
        held = np.zeros(rise.shape, dtype=np.bool_)
        np.put_along_axis(held, ranked, np.arange(ranked.shape[1]) < counts[:, None], axis=1)
        self._held = ranked.tolist()
        self._counts = counts.tolist()
        self._left = _leavers(panel.symbols, has_bar, steps, held)
        self._symbols = panel.symbols
        self._enter = [
            [Target(symbol, 1.0 / count) for symbol in panel.symbols]
            for count in range(1, self.top + 1)
        ]

    def decide(self, obs: Observation) -> list[Target] | None:
        """Equal weights for the strongest, none for what has dropped out of them."""
        number, off = divmod(obs.step, self.every)
        count = self._counts[number]
        if off or not count:
            return None
        enter = self._enter[count - 1]
        targets = [enter[column] for column in self._held[number][:count]]
        leavers = self._left.get(number)
        return [*leavers, *targets] if leavers else targets


def _last_bars(has_bar: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The last grid point up to each at which a symbol has a bar; -1 before the first."""
    here = np.where(has_bar, np.arange(len(has_bar))[:, None], -1)
    last: NDArray[np.int64] = np.maximum.accumulate(here, axis=0)
    return last


def _leavers(
    symbols: tuple[str, ...],
    has_bar: NDArray[np.bool_],
    steps: NDArray[np.int64],
    held: NDArray[np.bool_],
) -> dict[int, list[Target]]:
    """Targets of zero by rebalancing, for what the one before held and this one does not.

    What could not be sold because it had no bar at the next grid point (policy G4) is tried again
    at the rebalancings at which it has one.
    """
    leaving = np.zeros_like(held)
    leaving[1:] = held[:-1] & ~held[1:]
    if not has_bar.all():
        unsold = np.zeros(len(symbols), dtype=np.bool_)
        for number, step in enumerate(steps.tolist()):
            leaving[number] |= unsold & ~held[number] & has_bar[step]
            unsold &= ~held[number]
            if step + 1 < len(has_bar):
                unsold = (unsold | leaving[number]) & ~(leaving[number] & has_bar[step + 1])
    targets = [Target(symbol, 0.0) for symbol in symbols]
    found: dict[int, list[Target]] = {}
    for number, column in zip(*(axis.tolist() for axis in np.nonzero(leaving)), strict=True):
        found.setdefault(number, []).append(targets[column])
    return found
