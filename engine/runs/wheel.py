"""Who is at the wheel of a run that has a strategy: it, or a person who has taken over.

It is kept in the run's ``metadata``, so that a run which is taken up again comes back as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.errors import InvalidOption
from engine.model import TAKEN_OVER, RunRecord
from engine.runs import warming
from engine.runs.lifecycle import Status
from engine.runs.replay import read_log
from engine.runs.session import Progress

if TYPE_CHECKING:
    from engine.runs.service import RunService

"""The key of a run's ``metadata`` that is true while a person decides in a strategy's place."""


def take_over(service: RunService, run_id: str) -> RunRecord:
    """A person decides from the next step on; see ``RunService.take_over``."""
    with service.moving(run_id) as (session, _):
        if session.taken_over or session.prepared.driver == "manual":
            return service.record(run_id)
        metadata = {**session.metadata, TAKEN_OVER: True}
        metadata.pop("run_to", None)
        if session.status is Status.RUNNING:
            service.hold(session, {"metadata": metadata}, reason=TAKEN_OVER)
        else:
            service.update(session, {"metadata": metadata})
        with warming.exchange(session, None):
            session.metadata, session.taken_over, session.decide = metadata, True, None
        session.breaks.goal = None
        service.keep_deadline(session)
    return service.record(run_id)


def hand_back(service: RunService, run_id: str) -> RunRecord:
    """The strategy decides from the next step on; see ``RunService.hand_back``."""
    with service.moving(run_id) as (session, progress):
        if session.prepared.driver == "manual":
            raise InvalidOption(
                f"run {run_id} is driven by hand: it has no strategy to hand back to",
                field="run",
                remedy="fork it with a strategy",
            )
        if not session.taken_over:
            return service.record(run_id)
        service.flush(session, wait=True)
        with service.ledger.reader() as reader:
            log = read_log(reader, service.record(run_id))
        decide, _ = warming.warm(
            service, session, Progress(progress.simulation), log, strategy=True
        )
        metadata: dict[str, Any] = dict(session.metadata)
        del metadata[TAKEN_OVER]
        with warming.exchange(session, decide):
            service.update(session, {"metadata": metadata})
            session.metadata, session.taken_over, session.decide = metadata, False, decide
        service.keep_deadline(session)
    service.ready(session)
    return service.record(run_id)
