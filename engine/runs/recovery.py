"""Orphans and adoption: runs whose owner is gone, each taken by one conditional write."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from engine.errors import StepdeckError
from engine.failpoints import failpoint
from engine.runs.clock import Clock, wall_text
from engine.runs.instance import Instance, discard
from engine.runs.lifecycle import ACTIVE, EndReason, Status, Trigger, sources
from engine.runs.liveness import Liveness
from engine.store import writes
from engine.store.ledger import Ledger
from engine.store.locks import is_held, lock_drafts, lock_files
from engine.store.records import ActiveRun

OWNER_GONE: Final = "owner_gone"
# Each transaction waits for the disk once; others get the write lock between two.
_TOGETHER: Final = 250


def recover(
    ledger: Ledger,
    instance: Instance,
    clock: Clock,
    liveness: Liveness | None = None,
    *,
    run_id: str | None = None,
) -> list[str]:
    """Interrupt every active run whose owner's process is gone; return their ids.

    With ``run_id`` that one alone: the others, and their owner's lock file, are left to whoever
    recovers.

    One that somebody had asked to cancel is cancelled. Safe in any number of processes at once:
    each write is conditional on the dead owner and its epoch, so each orphan is taken exactly once,
    and a living sibling's run is never touched. What the ledger refuses of one run is left for the
    next pass and keeps no other from being taken.
    """
    liveness = liveness or Liveness(ledger.path, clock)
    with ledger.reader() as reader:
        active = reader.active()
    beats: dict[str, int] = {}
    for run in active:
        beats[run.owner] = max(run.heartbeat_seq, beats.get(run.owner, 0))
    dead = {
        owner
        for owner, beat in beats.items()
        if owner != instance.id and not liveness.alive(owner, beat)
    }
    orphans = [run for run in active if run.owner in dead and run_id in (None, run.run_id)]
    if not orphans:
        return []
    failpoint("recover.found")
    taken: list[str] = []
    left: set[str] = set()
    for first in range(0, len(orphans), _TOGETHER):
        together = orphans[first : first + _TOGETHER]
        try:
            taken += _take(ledger, instance, clock, together)
        except StepdeckError:
            for orphan in together:
                try:
                    taken += _take(ledger, instance, clock, [orphan])
                except StepdeckError:
                    left.add(orphan.owner)
    for owner in dead - left if run_id is None else ():
        # An owner that is silent but holds its lock goes on holding it: it is fenced, not dead.
        if liveness.probe(owner) is False:
            discard(ledger.path, owner)
    return taken


def _take(
    ledger: Ledger, instance: Instance, clock: Clock, orphans: Sequence[ActiveRun]
) -> list[str]:
    def take(conn: writes.Connection) -> list[str]:
        at = wall_text(clock)
        return [run.run_id for run in orphans if _take_one(conn, instance.id, run, at)]

    taken = ledger.write(take)
    if taken:
        failpoint("recover.taken")
    return taken


def _take_one(conn: writes.Connection, owner: str, run: ActiveRun, at: str) -> bool:
    epoch = writes.adopt(
        conn,
        run.run_id,
        new_owner=owner,
        old_owner=run.owner,
        old_epoch=run.lease_epoch,
        sources=ACTIVE,
        to=Status.INTERRUPTED,
        reason=OWNER_GONE,
        at=at,
        columns={},
    )
    if epoch is None:
        return False
    if run.cancel_requested_at is not None:
        reason = EndReason.CANCELLED_BY_USER
        writes.transition(
            conn,
            run.run_id,
            sources=sources(Trigger.CANCEL),
            to=Status.CANCELLED,
            owner=owner,
            epoch=epoch,
            reason=reason,
            at=at,
            columns={"end_reason": reason, "finished_at": at},
        )
    return True


def discard_leftovers(ledger: Ledger, liveness: Liveness) -> int:
    """Remove the lock files of dead owners that have no run to show for; how many there were.

    So are those that never got their name: whoever still makes one holds its lock, or makes another
    where it was taken from under its hands.
    """
    with ledger.reader() as reader:
        owners = set(reader.owners())
    gone = [
        found.instance
        for found in lock_files(ledger.path)
        if found.instance not in owners and liveness.probe(found.instance) is False
    ]
    for owner in gone:
        discard(ledger.path, owner)
    drafts = [path for path in lock_drafts(ledger.path) if not is_held(path)]
    for path in drafts:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return len(gone) + len(drafts)
