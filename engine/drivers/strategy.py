"""Who decides a run's steps, from what its request names."""

from __future__ import annotations

from collections.abc import Callable

from engine.drivers.stepping import Stepping, prepared
from engine.drivers.vector import Vector
from engine.runs.requests import Prepared
from engine.runs.session import Decider, Session
from engine.sim.panel import Panel


def decider(session: Session) -> Decider | None:
    """What decides the session's steps, once its bars are loaded; see ``decider_of``.


    How a vector strategy's decisions are made, and why if not compiled, goes into the metadata.
    """
    decide = decider_of(
        session.prepared,
        session.simulation.panel,
        stopped=session.closed.is_set,
    )
    if isinstance(decide, Vector):
        session.metadata["execution"] = decide.execution
        notices = session.metadata.setdefault("notices", [])
        if decide.notice is not None and decide.notice not in notices:
            notices.append(decide.notice)
    return decide


def decider_of(
    run: Prepared,
    panel: Panel,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Decider | None:
    """What decides a run's steps: its strategy, prepared; its tape; None for a person.

    ``stopped`` says when nobody waits for an isolated strategy's answer any more.
    Raises ``StrategyError`` for a strategy that fails while it is made or prepared, ``InvalidTape``
    for a tape with a decision off the grid.
    """
    loaded = run.loaded
    if loaded.tape is not None:
        decisions = loaded.tape.resolve(panel.stamps)
        return Stepping(lambda observation: decisions.get(observation.step))
    if run.request.isolate and run.driver == "strategy":
        from engine.drivers.isolated import Isolated

        return Isolated(run, panel, stopped)
    if loaded.make is None:
        return None
    path = loaded.info.path
    strategy, rows = prepared(loaded.make, run.request.params, panel, path)
    return Stepping(strategy.decide, path) if rows is None else Vector(strategy.decide, rows, path)
