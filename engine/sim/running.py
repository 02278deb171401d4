"""The running figures of a run at each of its grid points, for looking back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.model import Fill, Rules
from engine.sim.activity import Traded
from engine.sim.panel import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """What ``Drawdown`` and ``Activity`` said after each grid point, bit for bit.

    ``equity`` and ``drawdown`` (the lowest so far, <= 0) have one value a grid point. The others
    count fills: value i is after the first i of them, whose grid points are ``fill_steps``.
    """

    initial_cash: float
    equity: Floats
    drawdown: Floats
    fill_steps: NDArray[np.int64]
    trades: NDArray[np.int64]
    commission: Floats
    fees: Floats
    slippage: Floats

    @classmethod
    def of(cls, rules: Rules, equity: Floats, fills: Sequence[Fill]) -> Running:
        """The figures of the rows and fills of a run, or of the beginning of one."""
        curve = np.concatenate(([rules.cash], equity))
        peaks = np.maximum.accumulate(curve)
        lowest = np.minimum.accumulate(curve / peaks - 1.0)[1:]
        traded = Traded.of(fills)
        return cls(
            rules.cash,
            equity,
            lowest,
            np.asarray(traded.steps, dtype=np.int64),
            np.concatenate(([0], np.cumsum(traded.closes))).astype(np.int64),
            _sums(traded.commission),
            _sums(traded.fees),
            _sums(traded.slippage),
        )

    def fills_before(self, settled: int) -> int:
        """How many fills there had been when so many grid points were settled."""
        return int(np.searchsorted(self.fill_steps, settled))

    def at(self, settled: int) -> dict[str, Any]:
        """The running columns of ``runs`` when so many grid points were settled, but for cash."""
        fills = self.fills_before(settled)
        equity = float(self.equity[settled - 1]) if settled else None
        costs = self.commission[fills] + self.fees[fills] + self.slippage[fills]
        return {
            "equity": equity,
            "total_return": None if equity is None else equity / self.initial_cash - 1.0,
            "max_drawdown": float(self.drawdown[settled - 1]) if settled else 0.0,
            "num_fills": fills,
            "num_trades": int(self.trades[fills]),
            "total_costs": float(costs),
        }


def _sums(values: Floats) -> Floats:
    # One after the other, as ``Activity`` adds them.
    return np.add.accumulate(np.concatenate(([0.0], values)))
