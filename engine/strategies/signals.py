"""From a wanted state per bar to the steps at which something has to be ordered."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.strategies.base import PanelView

Wanted = Callable[["NDArray[np.float64]"], "NDArray[np.bool_]"]


def plan_weights(panel: PanelView, wanted: Wanted, weight: float) -> NDArray[np.float64]:
    """The weights, [steps, symbols], of a strategy that is either in a symbol, at ``weight``, or
    out of it; NaN where nothing is to be ordered.

    ``wanted`` maps a symbol's own closes, gaps left out, to whether it should be held after each.
    A target is given at the bar where that changes, starting from out. Where the grid goes on
    without the symbol the order will have been cancelled (policy G4), so it is given again at the
    symbol's next bar; never while there is none, or a delisted symbol would be ordered for ever.
    """
    weights = np.full(panel.close.shape, np.nan)
    for column in range(len(panel.symbols)):
        close = panel.close[:, column]
        bars = np.flatnonzero(~np.isnan(close))
        held = wanted(np.ascontiguousarray(close[bars]))
        turns = np.flatnonzero(held != np.concatenate(([False], held[:-1])))
        weights[bars[turns], column] = np.where(held[turns], weight, 0.0)
        if len(bars) == panel.steps:
            continue
        steps = bars.tolist()
        for turn, end in pairwise([*turns.tolist(), len(steps)]):
            for number in range(turn, end):
                weights[steps[number], column] = weight if held[turn] else 0.0
                if number + 1 == len(steps) or steps[number + 1] == steps[number] + 1:
                    break
    return weights
