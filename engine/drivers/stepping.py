"""Decisions a call at a step, and a strategy's failures as failures of its own run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from pathlib import Path

from engine import codec
from engine.drivers.fault import fault_of
from engine.errors import InputError, StrategyFault
from engine.model import HOLD, Decision
from engine.sim.intake import plain
from engine.sim.observation import Observation, PreparedPanel
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import Advance, State
from engine.strategies.base import Strategy
from engine.strategies.rows import TargetRows


class Stepping:
    """Decisions of a strategy or a tape, a call a step.

    Whatever a call raises is a failure of the strategy, ``SystemExit`` and ``KeyboardInterrupt``
    too: they must not end the program.
    """

    def __init__(self, decide: Callable[[Observation], object], path: Path | None = None) -> None:
        """``path`` is the strategy's own file, whose lines a failure names."""
        self._decide = decide
        self._path = path

    def __call__(self, observation: Observation) -> Decision:
        """The decision at a step, plain. Raises ``StrategyFault``."""
        try:
            decision = codec.as_decision(self._decide(observation))
            return HOLD if decision.holds else plain(decision)
        except BaseException as error:
            raise self._explain(error, observation.step) from error

    def advance(self, simulation: Simulation, state: State, stop: int, halt: Sized = ()) -> Advance:
        """As ``Simulation.advance``, without a wrapper around each call."""
        return simulation.advance(state, self._decide, stop, self._explain, halt)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _explain(self, error: BaseException, step: int) -> StrategyFault:
        return fault_of(self._decide, error, self._path, step)


def prepared(
    make: Callable[[Mapping[str, object]], Strategy],
    params: Mapping[str, object],
    panel: Panel,
    path: Path | None,
) -> tuple[Strategy, TargetRows | None]:
    """A strategy made and prepared over its bars, and its rows if it is a vector strategy.

    Raises ``StrategyFault`` for whatever it raises meanwhile, ``InputError`` for parameters that it
    does not have or take.
    """
    called: Callable[..., object] = make
    name = "__init__"
    lent = PreparedPanel(panel)
    try:
        strategy = make(params)
        name, called = "prepare", strategy.prepare
        strategy.prepare(lent)
        name, called = "weights", getattr(strategy, "weights", strategy.plan)
        return strategy, strategy.plan(lent)
    except BaseException as error:
        if called is make and isinstance(error, InputError):
            raise
        raise fault_of(called, error, path, name=name) from error
    finally:
        lent.seal()
