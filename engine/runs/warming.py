"""Warming a strategy: a fresh instance is shown every step so far before it decides the next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from engine.errors import StrategyChanged
from engine.model import RunRecord
from engine.runs import config
from engine.runs.output import RunOutput, captured
from engine.runs.replay import retrace
from engine.runs.requests import Prepared, load_strategy, prepare
from engine.runs.session import Decider, Log, Progress, Session
from engine.sim.state import StepResult

if TYPE_CHECKING:
    from engine.runs.service import RunService


class Warmed(NamedTuple):
    """What decides next, and what was settled until then."""

    decide: Decider | None
    taken: list[StepResult]


def warm(
    service: RunService, session: Session, progress: Progress, log: Log, *, strategy: bool
) -> Warmed:
    """Bring ``progress`` to where ``log`` ends, and with it what decides next, made afresh.

    That is None where a person does, or without ``strategy``. A strategy's file is executed again,
    so that nothing it kept is seen. Raises ``StrategyChanged``, and as ``retrace`` does; the
    session is as it was then.
    """
    decide: Decider | None = None
    # What it prints on the way has been printed before.
    with captured(RunOutput(Path(os.devnull))):
        if strategy:
            session.prepared = _fresh(session.prepared)
            decide = service.decider(session)
        cancelled = session.closed.is_set
        try:
            taken = retrace(progress, log, decide, session.request.source, cancelled)
        except BaseException:
            if decide is not None:
                decide.close()
            raise
    return Warmed(decide, taken)


@contextmanager
def exchange(session: Session, decide: Decider | None) -> Iterator[None]:
    """Let go of ``decide`` unless it decides for the session after the block, and of what did.

    What decides may be a process of its own, which must not outlive its use.
    """
    before = session.decide
    try:
        yield
    finally:
        now = None if session.closed.is_set() else session.decide
        for each in (before, decide):
            if each is not None and each is not now:
                each.close()


def _fresh(prepared: Prepared) -> Prepared:
    loaded = prepared.loaded
    if loaded.info.path is None:
        return prepared
    again = load_strategy(prepared.request)
    refuse_other_source(prepared.strategy, loaded.source_hash, again.source_hash)
    return replace(prepared, loaded=again)


def as_begun(record: RunRecord) -> Prepared:
    """The run's request as it began, checked again.

    Raises ``StrategyChanged``, and an ``InputError`` of a kind where its source or its strategy is
    not to be had any more.
    """
    prepared = prepare(config.decode_request(record.config))
    refuse_other_source(record.strategy, record.strategy_hash, prepared.loaded.source_hash)
    return prepared


def refuse_other_source(
    strategy: str,
    began: str | None,
    now: str | None,
    otherwise: str = "go on with another by a fork that names it",
) -> None:
    """Raise ``StrategyChanged`` where a strategy's source is not what a run began with.

    ``otherwise`` is what can be done without that source.
    """
    if began != now:
        raise StrategyChanged(
            f"the source of {strategy} is not what the run began with",
            field="strategy",
            remedy=f"put back the file with hash {(began or '')[:12]}, or {otherwise}",
        )
