"""Files that get their name when they are whole: made under another one, synced, then linked."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from engine.failpoints import failpoint


def draft_path(path: Path) -> Path:
    """The name beside ``path`` under which the file is made; hidden, and ours to remove."""
    return path.with_name(f".{path.name}.new")


def name_draft(draft: Path, path: Path) -> bool:
    """Give ``draft`` the name ``path`` for good; False, and nothing done, if a file has it."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    except OSError:
        # A file system without hard links: between the look and the renaming is a small gap.
        if path.exists():
            return False
        draft.rename(path)
    failpoint("name.linked")
    sync(path.parent)
    return True


def remove_draft(draft: Path) -> None:
    """Remove ``draft`` and what SQLite may have left beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the disk keep a folder's names, or a file that no SQLite connection has open."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if sys.platform == "darwin" and not path.is_dir():
            # There an fsync alone leaves data in the drive's cache.
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        else:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
