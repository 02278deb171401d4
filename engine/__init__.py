"""stepdeck's engine: write a strategy, run it over bars, read the ledger.

::

    from engine import Order, Strategy, Target, open_ledger, run

    class Dip(Strategy):
        \"\"\"Buy after a fall.\"\"\"

        fall: float = 0.03

        def decide(self, obs):
            closes = obs.history("close", 2)
            if len(closes) == 2 and closes[1, 0] < closes[0, 0] * (1 - self.fall):
                return Order.buy(obs.symbols[0], 10)

    result = run(Dip, "sample", symbols=["AAPL"])

The names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.api import LedgerView, Result, open_ledger, run
    from engine.errors import StepdeckError
    from engine.model import Decision, Order, Target
    from engine.sim.observation import Observation
    from engine.strategies import Strategy
    from engine.version import __version__

_HOMES = {
    "Decision": "engine.model",
    "LedgerView": "engine.api",
    "Observation": "engine.sim.observation",
    "Order": "engine.model",
    "Result": "engine.api",
    "StepdeckError": "engine.errors",
    "Strategy": "engine.strategies",
    "Target": "engine.model",
    "__version__": "engine.version",
    "open_ledger": "engine.api",
    "run": "engine.api",
}

__all__ = [
    "Decision",
    "LedgerView",
    "Observation",
    "Order",
    "Result",
    "StepdeckError",
    "Strategy",
    "Target",
    "__version__",
    "open_ledger",
    "run",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
