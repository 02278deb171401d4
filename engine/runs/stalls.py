"""Runs whose rows the ledger does not take: no failure of the run, it waits for the ledger.

A disk that is full or fails, a lock that stays, a file that may not be written. Such a run stays
what its row says, keeps what was refused and computes nothing further; it says why (``Session.
stall``) and tries again, and goes on as if nothing had been once it has landed. If its process ends
first, recovery leaves it interrupted at its last durable step, like any other.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from engine.errors import LeaseLost, LedgerBusy, LedgerError, LedgerRefused
from engine.runs.clock import wall_text
from engine.runs.lifecycle import ACTIVE, MOVING, Status, Trigger
from engine.runs.session import Session, Stall

if TYPE_CHECKING:
    from engine.runs.service import RunService

log = logging.getLogger(__name__)

UNWRITABLE: Final = "ledger_unwritable"


def note(service: RunService, session: Session, error: LedgerError) -> None:
    """Keep why the ledger refused the session just now. Called by whoever holds it."""
    before = session.stall
    if before is None:
        session.stall = Stall(error, wall_text(service.clock))
        log.warning("run %s stalls: %s", session.run_id, error)
        service.keep_deadline(session)
        service.ready(session)
    else:
        session.stall = replace(before, error=error, tries=before.tries + 1)


def retry(service: RunService, session: Session) -> None:
    """Have the ledger take what it refused of a stalled session, which then goes on.

    Called by whoever holds the session. Raises ``LedgerError`` where it refuses again, and
    ``LeaseLost``. Nothing is tried of one that stalls before it has computed anything: its start is
    made anew.
    """
    stall = session.stall
    if stall is None or session.closed.is_set():
        return
    if drop_refused(session):
        service.close(session, Trigger.INTERRUPT, reason=UNWRITABLE, error=stall.error)
        return
    if session.holds:
        service.flush(session, wait=True)
    elif session.status in MOVING:
        session.stall = None
    if session.stall is not None:
        return
    log.warning("run %s goes on: the ledger takes it again", session.run_id)
    if session.status not in ACTIVE:
        service.drop(session)
        if session.status is Status.COMPLETED:
            service.completed(session)
        return
    service.keep_deadline(session)
    service.ready(session)


def drop_refused(session: Session) -> bool:
    """Forget rows that were refused for what they are and not for the disk's sake; whether it was
    so. What the ledger has is then what there is, and anybody may go on from there."""
    refused = session.stall is not None and isinstance(session.stall.error, LedgerRefused)
    if refused:
        session.forget_unwritten()
    return refused


def retry_all(service: RunService) -> None:
    """``retry`` every stalled session that nobody holds; what is refused of one is no matter of
    another. Raises the last refusal once all have had their turn, ``LedgerBusy`` at once: another's
    lock is in everybody's way."""
    refused: LedgerError | None = None
    for session in list(service.sessions.values()):
        if session.stall is None:
            continue
        with session.claim(0.0) as held:
            if held:
                try:
                    retry(service, session)
                except LedgerBusy:
                    raise
                except LeaseLost as error:
                    log.warning("%s", error)
                except LedgerError as error:
                    refused = error
    if refused is not None:
        raise refused


def not_yet(run_id: str, what: str, error: LedgerError) -> LedgerError:
    """What somebody is told whose wish stands and could not be written."""
    return type(error)(
        f"run {run_id} is not {what} yet: {error.message}",
        field=error.field,
        remedy=f"it is {what} by itself as soon as the ledger can be written",
    )
