"""What could not be written of a run that this process has let go of, until it can be.

A disk that is full, a lock that stays: no failure of the run. What was computed and how the run
ended are kept and tried again, all of a run in one transaction; a run that was merely left becomes
``interrupted`` by it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from engine.errors import LedgerBusy, LedgerError, LedgerWriteFailed
from engine.runs import rows
from engine.runs.clock import wall_text
from engine.runs.commit import Write
from engine.runs.lifecycle import Trigger
from engine.runs.session import Session
from engine.store import writes

if TYPE_CHECKING:
    from engine.runs.service import RunService

UNWRITABLE = "ledger_unwritable"


class Unsaid(NamedTuple):
    """The writes of a session that did not land, in order; ``trigger`` the one that ends it, if one
    of them does."""

    session: Session
    writes: tuple[Write, ...]
    trigger: Trigger | None


class Backlog:
    """What a service has yet to say, oldest first. One thread at a time retries."""

    def __init__(self, service: RunService) -> None:
        self._service = service
        self._left: deque[Unsaid] = deque()

    def __contains__(self, session: Session) -> bool:
        return any(unsaid.session is session for unsaid in list(self._left))

    def add(self, session: Session, trigger: Trigger | None = None) -> None:
        """Keep what of ``session`` did not land."""
        self._left.append(Unsaid(session, self._service.committer.unlanded(session), trigger))

    def retry(self) -> None:
        """Say it. Raises ``LedgerBusy`` or ``LedgerWriteFailed`` where the ledger still refuses."""
        while self._left:
            unsaid = self._left[0]
            try:
                self._say(unsaid)
            except (LedgerBusy, LedgerWriteFailed):
                raise
            except LedgerError:
                # It refuses this run's rows for what they are: the run goes on from what it has.
                self._interrupt(unsaid.session)
            self._left.popleft()

    def _say(self, unsaid: Unsaid) -> None:
        def say(conn: writes.Connection) -> bool:
            return all(write(conn) for write in unsaid.writes)

        landed = self._service.ledger.write(say, run_id=unsaid.session.run_id)
        if unsaid.trigger is None:
            self._interrupt(unsaid.session)
        elif landed and unsaid.trigger is Trigger.COMPLETE:
            self._service.completed(unsaid.session)

    def _interrupt(self, session: Session) -> None:
        service = self._service
        rows.move_row(
            service.ledger,
            session.run_id,
            Trigger.INTERRUPT,
            owner=service.instance.id,
            epoch=session.epoch,
            reason=UNWRITABLE,
            at=wall_text(service.clock),
        )
