"""What must be so before an older ledger is upgraded: nobody else uses it, and there is a copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

from engine.errors import LedgerBusy
from engine.failpoints import failpoint
from engine.store.backup import copy_to
from engine.store.connection import connect
from engine.store.drafts import draft_path, remove_draft
from engine.store.locks import held_instances


def make_ready(path: Path, version: int, *, vfs: str | None = None) -> None:
    """Refuse the upgrade while an instance holds its lock; else copy the ledger beside itself.

    Called while the upgrade holds the write lock, so that the copy is what will be upgraded, and
    an instance that comes later finds the new version. Raises ``LedgerBusy`` naming the holders,
    ``LedgerWriteFailed`` where there is no room for the copy.
    """
    held = list(held_instances(path))
    if held:
        names = ", ".join(
            f"process {holder.pid or '?'} (instance {holder.instance})" for holder in held
        )
        raise LedgerBusy(
            f"{path} has the older schema version {version} and is in use by {names}",
            field="db",
            remedy="it is upgraded once nobody uses it: quit that stepdeck, then try again",
        )
    failpoint("upgrade.unused")
    with closing(connect(path, "ro", vfs=vfs)) as conn:
        copy_to(conn, path, next(_free_names(path, version)))
    failpoint("upgrade.copied")


def _free_names(path: Path, version: int) -> Iterator[Path]:
    """``runs.db.v1``, or where there is one ``runs.db.v1-2``: a copy is never written over."""
    for n in count(1):
        name = path.with_name(f"{path.name}.v{version}" + (f"-{n}" if n > 1 else ""))
        if name.exists():
            # Whoever was killed after naming it left its draft.
            remove_draft(draft_path(name))
        else:
            yield name
