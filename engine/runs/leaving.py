"""Ending or leaving a run by its row alone: over the head of whoever holds its session for long.

What the holder still computes is fenced by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import RunNotFound
from engine.runs import rows
from engine.runs.clock import wall_text
from engine.runs.lifecycle import ACTIVE, EndReason, Trigger
from engine.runs.session import Session

if TYPE_CHECKING:
    from engine.runs.service import RunService


def cancel_row(service: RunService, run_id: str, owner: str | None, epoch: int) -> bool:
    """Cancel the run of that lease; False if it is another's, or has ended."""
    at, reason = wall_text(service.clock), EndReason.CANCELLED_BY_USER
    return rows.move_row(
        service.ledger,
        run_id,
        Trigger.CANCEL,
        owner=owner,
        epoch=epoch,
        reason=reason,
        at=at,
        columns={"end_reason": reason, "finished_at": at},
    )


def cancel_held(service: RunService, session: Session) -> None:
    """Cancel a run of ours whose session somebody holds, and let go of the session."""
    _over_its_head(service, session, lambda *lease: cancel_row(service, *lease))


def interrupt_held(service: RunService, session: Session, reason: str) -> None:
    """Leave a run of ours whose session somebody holds, and let go of the session."""

    def interrupt(run_id: str, owner: str, epoch: int) -> bool:
        return rows.move_row(
            service.ledger,
            run_id,
            Trigger.INTERRUPT,
            owner=owner,
            epoch=epoch,
            reason=reason,
            at=wall_text(service.clock),
        )

    _over_its_head(service, session, interrupt)


def _over_its_head(
    service: RunService, session: Session, move: Callable[[str, str, int], bool]
) -> None:
    run_id, epoch = session.run_id, session.epoch
    while not move(run_id, service.instance.id, epoch):
        # Whoever holds it may have rewound it just now: the run is ours still, at another epoch.
        try:
            record = service.record(run_id)
        except RunNotFound:
            break
        ours = record.owner_instance == service.instance.id and record.status in ACTIVE
        if not ours or record.lease_epoch == epoch:
            break
        epoch = record.lease_epoch
    service.drop(session)
