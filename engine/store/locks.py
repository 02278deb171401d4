"""Advisory file locks between processes; the kernel drops them when their holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@contextmanager
def file_lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the exclusive ``flock`` of the file at ``path``, which is made if it is not there.

    Yields whether it is held; False only with ``wait=False``, while another holds it. The file
    stays: removing a lock file lets two processes hold "it" at once. Raises ``OSError`` where the
    file cannot be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


class LockFile(NamedTuple):
    """The lock file of an instance beside a ledger; ``pid`` is None where it does not say."""

    path: Path
    instance: str
    held: bool
    pid: int | None


def instance_lock(ledger: Path, instance: str) -> Path:
    """The lock file of ``instance`` beside ``ledger``."""
    return ledger.with_name(f"{ledger.name}-{instance}.lock")


def lock_draft(ledger: Path, instance: str) -> Path:
    """What the lock file of ``instance`` is called until it is locked and filled."""
    path = instance_lock(ledger, instance)
    return path.with_name(f".{path.name}.new")


def lock_drafts(ledger: Path) -> list[Path]:
    """The lock files of instances that have not got their name, or never got it."""
    before, after = f".{ledger.name}-", ".lock.new"
    return [
        path
        for path in sorted(ledger.parent.iterdir())
        if path.name.startswith(before)
        and path.name.endswith(after)
        and _UUID.fullmatch(path.name[len(before) : -len(after)])
    ]


def lock_files(ledger: Path) -> Iterator[LockFile]:
    """The lock files of instances beside ``ledger``, in the order of their names.

    Those whose lock is held belong to processes that live; the others were left behind. Raises
    ``OSError`` where the folder cannot be read.
    """
    before, after = f"{ledger.name}-", ".lock"
    for path in sorted(ledger.parent.iterdir()):
        instance = path.name[len(before) : -len(after)]
        if path.name == f"{before}{instance}{after}" and _UUID.fullmatch(instance):
            with suppress(FileNotFoundError):
                yield LockFile(path, instance, is_held(path), lock_text(path).get("pid"))


def held_instances(ledger: Path) -> Iterator[LockFile]:
    """The instances whose processes live."""
    return (found for found in lock_files(ledger) if found.held)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock of the file; also where we cannot be told.

    Raises ``FileNotFoundError``.
    """
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        raise
    except OSError:
        return True
    return False


def lock_text(path: Path) -> dict[str, Any]:
    """What a lock file says of its process: pid and heartbeat; empty if it says nothing."""
    with suppress(OSError, ValueError):
        return dict(json.loads(path.read_text(encoding="utf-8")))
    return {}
