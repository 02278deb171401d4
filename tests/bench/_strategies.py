"""The workloads' strategies, asked for every bar, and as pure functions of prices, run compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import Strategy, Target
from engine.strategies.averages import moving_average
from tests.bench._peer import strongest


def turns(close: Any) -> Any:
    """1 where the average of 10 closes rises above that of 30, 0 where it falls, else NaN."""
    slow = moving_average(close, 30)
    above = moving_average(close, 10) - slow > slow * 1e-12
    return np.where(np.diff(above, prepend=False), above.astype(float), np.nan)


class AskedCross(Strategy):
    """All in above, flat below; asked at every bar."""

    def prepare(self, panel: Any) -> None:
        (symbol,) = panel.symbols
        weights = turns(panel.close[:, 0])
        self._plan = {
            step: (Target(symbol, float(weights[step])),)
            for step in np.flatnonzero(~np.isnan(weights)).tolist()
        }

    def decide(self, obs: Any) -> Any:
        return self._plan.get(obs.step)


class Cross(Strategy):
    """The same, all at once."""

    def weights(self, panel: Any) -> Any:
        return turns(panel.close[:, 0])[:, None]


class Top(Strategy):
    """The five that rose most over twenty bars, in equal weights; what drops out is sold."""

    def weights(self, panel: Any) -> Any:
        weights = strongest(panel.close)
        held = weights > 0.0
        before = np.vstack([np.zeros_like(held[:1]), held[:-1]])
        return np.where(held | before, weights, np.nan)
