"""From a wanted state per bar to the steps at which something has to be ordered."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from engine.model import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.strategies.base import PanelView

Wanted = Callable[["NDArray[np.float64]"], "NDArray[np.bool_]"]


def plan_targets(panel: PanelView, wanted: Wanted, weight: float) -> dict[int, tuple[Target, ...]]:
    """The targets by step of a strategy that is either in a symbol, at ``weight``, or out of it.

    ``wanted`` maps a symbol's own closes, gaps left out, to whether it should be held after each.
    A target is given at the bar where that changes, starting from out. Where the grid goes on
    without the symbol the order will have been cancelled (policy G4), so it is given again at the
    symbol's next bar; never while there is none, or a delisted symbol would be ordered for ever.
    """
    plan: dict[int, list[Target]] = {}
    for column, symbol in enumerate(panel.symbols):
        close = panel.close[:, column]
        has_bar = ~np.isnan(close)
        bars = np.flatnonzero(has_bar)
        held = wanted(np.ascontiguousarray(close[bars]))
        turns = np.flatnonzero(held != np.concatenate(([False], held[:-1]))).tolist()
        steps = bars.tolist()
        for turn, end in pairwise([*turns, len(steps)]):
            target = Target(symbol, weight if held[turn] else 0.0)
            for number in range(turn, end):
                plan.setdefault(steps[number], []).append(target)
                if number + 1 == len(steps) or steps[number + 1] == steps[number] + 1:
                    break
    return {step: tuple(targets) for step, targets in plan.items()}
