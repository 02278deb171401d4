"""Deadlines of the steps that an agent decides, on the monotonic clock that is handed in.

One function, ``keep``, brings a session's deadline in line with what the session is; it is called
after whatever moves a run. Manual runs have none.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.errors import StepdeckError
from engine.model import HOLD
from engine.runs import stopping
from engine.runs.clock import Clock, time_text
from engine.runs.lifecycle import EndReason, Status, Trigger
from engine.runs.session import Session

if TYPE_CHECKING:
    from engine.runs.service import RunService

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when the open step waits for its agent.

    ``due`` is monotonic, None while the run is paused; ``left`` is what remained when it was last
    set or frozen, in seconds; ``at`` is ``due`` as wall time, for people.
    """

    rewind_count: int
    step: int
    left: float
    due: float | None
    at: str | None

    def passed(self, clock: Clock) -> bool:
        """Whether the step has waited long enough."""
        return self.due is not None and clock.monotonic() >= self.due

    def seconds_left(self, clock: Clock) -> float:
        """What is left of it, never less than 0."""
        return self.left if self.due is None else max(self.due - clock.monotonic(), 0.0)

    def running(self, clock: Clock) -> Deadline:
        """It, with the clock ticking."""
        at = time_text(clock.now() + timedelta(seconds=self.left))
        return replace(self, due=clock.monotonic() + self.left, at=at)

    def frozen(self, clock: Clock) -> Deadline:
        """It, with the clock stopped."""
        return replace(self, left=self.seconds_left(clock), due=None, at=None)


def keep(session: Session, clock: Clock, seconds: float) -> None:
    """Give the session the deadline it should have now: anew for a step that has just opened.

    ``seconds`` is how long a step waits. Call it while holding the session.
    """
    progress = session.progress
    if not session.agent_decides or progress is None or session.closed.is_set():
        session.deadline = None
        return
    state = progress.state
    if state.done:
        session.deadline = None
        return
    deadline = session.deadline
    step = state.decided
    if deadline is None or (deadline.rewind_count, deadline.step) != (session.rewind_count, step):
        deadline = Deadline(session.rewind_count, step, seconds, None, None)
    # While the ledger takes nothing, nobody could decide in time.
    if session.status is Status.RUNNING and session.stall is None:
        if deadline.due is None:
            deadline = deadline.running(clock)
    elif deadline.due is not None:
        deadline = deadline.frozen(clock)
    session.deadline = deadline


def expire_all(service: RunService) -> int:
    """``expire`` every session; how many were late. What fails for one is no matter of another."""
    late = 0
    for session in list(service.sessions.values()):
        try:
            late += expire(service, session)
        except StepdeckError as error:
            log.warning("the deadline of run %s: %s", session.run_id, error)
    return late


def expire(service: RunService, session: Session) -> bool:
    """Hold the session's open step if its deadline has passed; whether it had.

    The next step opens. After too many in a row the run ends cancelled, ``agent_abandoned``.
    Never waits for a session that somebody else holds: it is asked again soon.
    """
    with session.claim(0.0) as held:
        if not held or session.closed.is_set() or session.progress is None:
            return False
        deadline = session.deadline
        if deadline is None or not deadline.passed(service.clock):
            return False
        progress = session.progress
        step = progress.state.decided
        before, peak = progress.state, progress.drawdown.peak
        state, result = progress.simulation.step(before, HOLD)
        progress.take(state, result)
        session.timeout_holds += 1
        session.timeouts_in_row += 1
        service.committer.add(
            session, result, "timeout_hold", always=(step, HOLD), deadline_at=deadline.at
        )
        session.events.append(
            (
                "deadline",
                {
                    "step": step,
                    "deadline_at": deadline.at,
                    "timeouts_in_a_row": session.timeouts_in_row,
                },
            )
        )
        limit = service.limits.abandon_after_timeouts
        if state.done:
            service.complete(session)
        elif limit and session.timeouts_in_row >= limit:
            service.close(session, Trigger.CANCEL, reason=EndReason.AGENT_ABANDONED)
        elif hits := session.breaks.after(progress, before, peak, result):
            stopping.stop(service, session, hits)
        else:
            service.flush(session, wait=True)
        keep(session, service.clock, service.limits.decision_timeout_seconds)
    return True
