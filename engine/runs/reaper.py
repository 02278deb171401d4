"""The reaper: one pass over everything that may have been left undone, by anybody.

Every duty is conditional in the ledger, so that passes of any number of processes, at any moment
and as often as they like, come to what one would have come to. What fails is logged and tried
again in the next pass; it keeps no other duty and no other run from its turn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.errors import StepdeckError
from engine.runs import recovery
from engine.runs.clock import wall_text
from engine.runs.lifecycle import Status
from engine.store import writes

if TYPE_CHECKING:
    from engine.runs.service import RunService

log = logging.getLogger(__name__)


@dataclass
class Swept:
    """What a pass did: ids of runs, and counts of what has none."""

    adopted: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    expired: int = 0
    refused: int = 0
    discarded: int = 0
    failed: list[str] = field(default_factory=list)


class Reaper:
    """The passes of one process."""

    def __init__(self, service: RunService) -> None:
        self._service = service

    def sweep(self) -> Swept:
        """One pass. Raises nothing of ours or of the disk's: what failed is named in ``failed``."""
        swept = Swept()
        duties: tuple[tuple[str, Callable[[Swept], None]], ...] = (
            ("retry", self._retry),
            ("deadlines", self._deadlines),
            ("release", self._release),
            ("cancels", self._cancels),
            ("orphans", self._orphans),
            ("commands", self._commands),
            ("locks", self._locks),
            ("checkpoint", self._checkpoint),
        )
        for name, duty in duties:
            try:
                duty(swept)
            except (StepdeckError, OSError) as error:
                log.warning("reaper, %s: %s", name, error)
                swept.failed.append(name)
        return swept

    def _retry(self, _swept: Swept) -> None:
        """What could not be written before."""
        self._service.retry_stalled()

    def _deadlines(self, swept: Swept) -> None:
        """Steps of agents whose time is up, where the host's timer did not come to it."""
        swept.expired = self._service.expire_deadlines()

    def _release(self, swept: Swept) -> None:
        """Sessions that are over: their bars go, the ledger answers for them from now on."""
        for session in list(self._service.sessions.values()):
            if session.closed.is_set():
                self._service.drop(session)
                swept.released.append(session.run_id)

    def _cancels(self, swept: Swept) -> None:
        """Runs that somebody wants cancelled and has not been heard about: ours, and nobody's."""
        service = self._service
        with service.ledger.reader() as reader:
            active, left = reader.active(), reader.left_to_cancel()
        for run in active:
            if run.cancel_requested_at is not None and run.run_id in service.sessions:
                self._cancel(run.run_id, swept)
        for run_id in left:
            self._cancel(run_id, swept)

    def _cancel(self, run_id: str, swept: Swept) -> None:
        try:
            if self._service.cancel(run_id).status == Status.CANCELLED:
                swept.cancelled.append(run_id)
        except StepdeckError as error:
            log.warning("reaper, cancel of %s: %s", run_id, error)
            swept.failed.append(run_id)

    def _orphans(self, swept: Swept) -> None:
        """Runs of dead owners, here or elsewhere."""
        service = self._service
        swept.adopted = recovery.recover(
            service.ledger, service.instance, service.clock, service.liveness
        )

    def _commands(self, swept: Swept) -> None:
        """Commands to runs that have ended: nobody will carry them out."""
        service = self._service
        with service.ledger.reader() as reader:
            stale = reader.commands_to_ended()
        if stale:
            at = wall_text(service.clock)
            swept.refused = service.ledger.write(
                lambda conn: sum(
                    writes.answer_command(
                        conn,
                        command.command_id,
                        at=at,
                        result={"message": f"run {command.run_id} has ended"},
                        error_code="run_not_active",
                    )
                    for command in stale
                )
            )

    def _locks(self, swept: Swept) -> None:
        """Lock files of processes that died without a run."""
        service = self._service
        swept.discarded = recovery.discard_leftovers(service.ledger, service.liveness)

    def _checkpoint(self, _swept: Swept) -> None:
        """The WAL into the database, while nothing moves here that it would hold up."""
        if not any(s.status is Status.RUNNING for s in list(self._service.sessions.values())):
            self._service.ledger.checkpoint()
