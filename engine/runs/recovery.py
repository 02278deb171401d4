"""Orphans and adoption: runs whose owner is gone, and the one conditional write that takes each."""

from __future__ import annotations

from engine.failpoints import failpoint
from engine.runs.clock import Clock, wall_text
from engine.runs.instance import Instance, discard, is_alive
from engine.runs.lifecycle import ACTIVE, Status
from engine.store import writes
from engine.store.ledger import Ledger


def recover(ledger: Ledger, instance: Instance, clock: Clock) -> list[str]:
    """Interrupt every active run whose owner's process is gone; return their ids.

    Safe in any number of processes at once: the write is conditional on the dead owner and its
    epoch, so each orphan is taken exactly once, and a living sibling's run is never touched.
    """
    with ledger.reader() as reader:
        active = [row for status in ACTIVE for row in reader.runs(status=status, all_runs=True)]
    owners = {row.owner_instance for row in active if row.owner_instance is not None}
    dead = {owner for owner in owners if not is_alive(ledger.path, owner)}
    if dead:
        failpoint("recover.found")
    taken = []
    for row in active:
        owner = row.owner_instance
        if owner is None or owner not in dead:
            continue
        epoch, run_id = row.lease_epoch, row.run_id

        def interrupt(
            conn: writes.Connection, run_id: str = run_id, owner: str = owner, epoch: int = epoch
        ) -> bool:
            return (
                writes.adopt(
                    conn,
                    run_id,
                    new_owner=instance.id,
                    old_owner=owner,
                    old_epoch=epoch,
                    sources=ACTIVE,
                    to=Status.INTERRUPTED,
                    reason="owner_gone",
                    at=wall_text(clock),
                    columns={},
                )
                is not None
            )

        if ledger.write(interrupt):
            failpoint("recover.taken")
            taken.append(run_id)
    for owner in dead:
        discard(ledger.path, owner)
    return taken
