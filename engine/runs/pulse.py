"""The heartbeat of one process: in its lock file first, then mirrored in the rows of its runs.

The file needs no database, so the heart beats on while another process holds the write lock or a
run fills the writer; the mirror is sent and not waited for.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import TYPE_CHECKING

from engine.errors import LedgerError
from engine.failpoints import failpoint
from engine.runs.clock import wall_text
from engine.runs.session import Session
from engine.store import writes

if TYPE_CHECKING:
    from engine.runs.service import RunService

log = logging.getLogger(__name__)


class Pulse:
    """Counts the beats of one service. One thread at a time beats."""

    def __init__(self, service: RunService) -> None:
        self._service = service
        self._beats = 0
        self._mirror: Future[list[bool]] | None = None
        self._mirrored: list[Session] = []

    def beat(self) -> None:
        """Show that this process lives, and look whether it still owns what it did."""
        failpoint("heartbeat.before")
        self._beats += 1
        service = self._service
        try:
            service.instance.beat(self._beats)
        except OSError as error:
            log.warning("heartbeat: %s", error)
        failpoint("heartbeat.filed")
        if self._mirror is not None:
            if not self._mirror.done():
                return
            self._look(self._mirror)
        self._mirror, self._mirrored = None, []
        sessions = list(service.sessions.values())
        if sessions:
            self._mirrored = sessions
            self._mirror = self._send(sessions)
        failpoint("heartbeat.after")

    def _send(self, sessions: list[Session]) -> Future[list[bool]] | None:
        service, beats = self._service, self._beats
        at, owner = wall_text(service.clock), service.instance.id
        live = [(session.run_id, session.epoch) for session in sessions]
        try:
            return service.ledger.submit(
                lambda conn: [
                    writes.heartbeat(conn, run_id, owner, epoch, beats, at)
                    for run_id, epoch in live
                ]
            )
        except LedgerError:  # closed meanwhile
            return None

    def _look(self, mirror: Future[list[bool]]) -> None:
        """An idle run learns here that somebody has taken it: it writes nothing else."""
        try:
            landed = mirror.result()
            for session, ours in zip(self._mirrored, landed, strict=True):
                if not ours:
                    self._check(session)
        except LedgerError as error:
            log.warning("heartbeat: %s", error)

    def _check(self, session: Session) -> None:
        service = self._service
        with session.claim(0.0) as held:
            if not held or session.closed.is_set():
                return
            record = service.record(session.run_id)
            if (record.owner_instance, record.lease_epoch) != (service.instance.id, session.epoch):
                service.lose(session)
