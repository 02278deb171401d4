"""Who holds the write lock, for people: by the system's word where it has one, else a guess."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from engine.store.holders import holders
from engine.store.locks import held_instances


def holder_text(ledger: Path) -> str:
    """The process that holds the write lock, with its instance; empty where nothing is known.

    Where the system does not say whose a lock is, all our own kind that live are named. One that is
    stopped is said to be: a process that runs gives the lock back by itself.
    """
    instances: dict[int | None, str] = {}
    with suppress(OSError):
        instances = {found.pid: found.instance for found in held_instances(ledger)}
    writing = [found.pid for found in holders(ledger) if found.writes]
    pids = [pid for pid in writing or instances if pid != os.getpid()]
    return ", ".join(_name(pid, instances.get(pid)) for pid in pids)


def _name(pid: int | None, instance: str | None) -> str:
    stopped = "stopped " if _stopped(pid) else ""
    return f"{stopped}pid {pid or '?'}" + (f" (instance {instance})" if instance else "")


def _stopped(pid: int | None) -> bool:
    """Whether the process is stopped, by SIGSTOP or a debugger (as Linux tells)."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return text.rpartition(") ")[2][:1] in ("T", "t")
    return False
