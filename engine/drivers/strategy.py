"""A strategy at the wheel: its answers, and its failures as failures of its own run."""

from __future__ import annotations

import traceback
from pathlib import Path

from engine.errors import StepdeckError, StrategyError, StrategyFault
from engine.runs.requests import Prepared
from engine.runs.session import Decide, Session
from engine.sim.observation import Observation, PreparedPanel
from engine.sim.panel import Panel
from engine.strategies import Strategy


def decider(session: Session) -> Decide | None:
    """What decides the session's steps, once its bars are loaded; see ``decider_of``."""
    return decider_of(session.prepared, session.simulation.panel)


def decider_of(run: Prepared, panel: Panel) -> Decide | None:
    """What decides a run's steps: its strategy, prepared; its tape; None for a person.

    Raises ``StrategyError`` for a strategy that fails while it is made or prepared, ``InvalidTape``
    for a tape with a decision off the grid.
    """
    loaded = run.loaded
    if loaded.tape is not None:
        decisions = loaded.tape.resolve(panel.stamps)
        return lambda observation: decisions.get(observation.step)
    if loaded.make is None:
        return None
    path = loaded.info.path
    try:
        strategy = loaded.make(run.request.params)
        lent = PreparedPanel(panel)
        try:
            strategy.prepare(lent)
        finally:
            lent.seal()
    except StepdeckError:
        raise
    except BaseException as error:
        raise _fault("prepare", error, path) from error
    return guarded(strategy, path)


def guarded(strategy: Strategy, path: Path | None) -> Decide:
    """``strategy.decide`` with whatever it raises turned into a ``StrategyError``.

    ``SystemExit`` and ``KeyboardInterrupt`` raised by a strategy are its failures too: they must
    not end the program.
    """
    decide = strategy.decide

    def call(observation: Observation) -> object:
        try:
            return decide(observation)
        except StrategyFault:
            raise
        except BaseException as error:
            raise _fault("decide", error, path, observation.step) from error

    return call


def _fault(
    where: str, error: BaseException, path: Path | None, step: int | None = None
) -> StrategyError:
    """The failure in one line: what was raised, at which file and line, at which step."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if path is not None and Path(frame.filename) == path]
    frame = own[-1] if own else frames[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    at = "" if step is None else f" at step {step}"
    return StrategyError(f"{where} raised {said} in {place}{at}", where=place, field="strategy")
