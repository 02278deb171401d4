"""Vector strategies: every decision at once, a row of target weights for each step.

Row k is the decision at step k. A number is a target weight for its symbol, NaN leaves the symbol
as it is, and a row of NaN alone holds. So a row decides ``Target(symbol, weight)`` for each number
in it, in the order of the run's symbols; that is all that it means, stepped or compiled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.codec import name_of
from engine.errors import StrategyError
from engine.model import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TargetRows:
    """The rows that a strategy's ``weights`` answered, checked.

    ``weights`` is float64[steps, symbols], read-only and nobody else's; ``busy`` is bool[steps],
    whether a row has a number at all.
    """

    __slots__ = ("_symbols", "_talks", "busy", "weights")

    def __init__(self, answer: object, symbols: tuple[str, ...], steps: int) -> None:
        """Raises ``StrategyError`` for an answer of another shape, or with an infinite weight."""
        try:
            weights: NDArray[np.float64] = np.array(answer, dtype=np.float64, order="C")
        except (TypeError, ValueError):
            raise StrategyError(
                f"weights answered {name_of(answer)}",
                field="weights",
                remedy=f"answer numbers, an array [steps, symbols], here {(steps, len(symbols))}",
            ) from None
        if weights.shape != (steps, len(symbols)):
            raise StrategyError(
                f"weights answered an array of shape {weights.shape}",
                field="weights",
                remedy=f"answer one of [steps, symbols], here {(steps, len(symbols))}",
            )
        infinite = np.isinf(weights)
        if infinite.any():
            step, column = np.argwhere(infinite)[0].tolist()
            raise StrategyError(
                f"weights answered {weights[step, column]} for {symbols[column]} at step {step}",
                field="weights",
                remedy="answer finite weights, and NaN to leave a symbol as it is",
            )
        self.busy: NDArray[np.bool_] = np.any(~np.isnan(weights), axis=1)
        weights.flags.writeable = self.busy.flags.writeable = False
        self.weights = weights
        self._talks = self.busy.data  # scalars read from it are plain
        self._symbols = symbols

    def targets(self, step: int) -> tuple[Target, ...] | None:
        """The decision of a step, None to hold."""
        if not self._talks[step]:
            return None
        row = zip(self._symbols, self.weights[step].tolist(), strict=True)
        return tuple([Target(symbol, weight) for symbol, weight in row if weight == weight])
