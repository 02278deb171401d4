"""Decisions a call at a step, and a strategy's failures as failures of its own run."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sized
from pathlib import Path

from engine.errors import StepdeckError, StrategyError, StrategyFault
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

    def __call__(self, observation: Observation) -> object:
        """The answer at a step. Raises ``StrategyFault``."""
        try:
            return self._decide(observation)
        except StrategyFault:
            raise
        except BaseException as error:
            raise self._explain(error, observation.step) from error

    def advance(self, simulation: Simulation, state: State, stop: int, halt: Sized = ()) -> Advance:
        """As ``Simulation.advance``, without a wrapper around each call."""
        return simulation.advance(state, self._decide, stop, self._explain, halt)

    def close(self) -> None:
        """There is nothing to let go of."""

    def _explain(self, error: BaseException, step: int) -> StrategyError:
        return fault_of("decide", error, self._path, step)


def prepared(
    make: Callable[[Mapping[str, object]], Strategy],
    params: Mapping[str, object],
    panel: Panel,
    path: Path | None,
) -> tuple[Strategy, TargetRows | None]:
    """A strategy made and prepared over its bars, and its rows if it is a vector strategy.

    Raises ``StrategyError`` for whatever it raises meanwhile.
    """
    where = "prepare"
    try:
        strategy = make(params)
        lent = PreparedPanel(panel)
        try:
            strategy.prepare(lent)
            where = "weights"
            return strategy, strategy.plan(lent)
        finally:
            lent.seal()
    except StepdeckError:
        raise
    except BaseException as error:
        raise fault_of(where, error, path) from error


def fault_of(
    where: str, error: BaseException, path: Path | None, step: int | None = None
) -> StrategyError:
    """The failure in one line: what was raised, at which file and line, at which step."""
    frames = traceback.extract_tb(error.__traceback__)
    # The file was compiled by its resolved name; a run may have been given it by another.
    own = [frame for frame in frames if path and Path(frame.filename) == path.resolve()]
    frame = own[-1] if own else frames[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    at = "" if step is None else f" at step {step}"
    return StrategyError(f"{where} raised {said} in {place}{at}", where=place, field="strategy")
