"""Which processes have a ledger open, and which of them keep its WAL from being cut.

Told by ``/proc`` where there is one (Linux), else not at all. Nothing is opened: a descriptor of
ours on the ledger's files would, when closed, drop the locks of this process's own connections.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_PROC: Final = Path("/proc")
# Where SQLite's locks stand in the -shm file: writing, then five slots for readers, of which those
# after the first read pages that are still in the WAL.
_WRITE: Final = 120
_SLOTS: Final = range(123, 128)
_LAST_FRAME: Final = 16
_MOVED_FRAME: Final = 96  # the readers' marks follow it
_INDEX_BYTES: Final = 136
_UNUSED: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has the ledger open. ``pins`` counts the WAL's pages that were written after
    what it reads, which stay in the WAL for it; 0 where it reads the newest, or nothing now.
    """

    pid: int
    command: str
    writes: bool
    reads: bool
    pins: int

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})"


def can_tell() -> bool:
    """Whether this system says who has a file open."""
    return (_PROC / "locks").exists()


def holders(path: Path) -> tuple[Holder, ...]:
    """The processes that have the ledger open, this one included, in the order of their ids.

    Empty where the system does not say. Those of other users show only while they hold a lock.
    """
    if not can_tell():
        return ()
    index = path.with_name(f"{path.name}-shm")
    found = set(_opened(path)) | set(_opened(index))
    locks = list(_locks(index))
    marks = _marks(index)
    reads: set[int] = set()
    writes: set[int] = set()
    pins: dict[int, int] = {}
    for lock in locks:
        found.add(lock.pid)
        if lock.first <= _WRITE <= lock.last:
            writes.add(lock.pid)
        for slot, byte in enumerate(_SLOTS):
            if lock.first <= byte <= lock.last:
                reads.add(lock.pid)
                if marks is not None and marks.slots[slot] != _UNUSED:
                    # Who reads the database alone keeps everything later from being moved there.
                    seen = marks.slots[slot] if slot else marks.moved
                    behind = max(marks.last - seen, 0)
                    pins[lock.pid] = max(pins.get(lock.pid, 0), behind)
    return tuple(
        Holder(pid, _command(pid), pid in writes, pid in reads, pins.get(pid, 0))
        for pid in sorted(found)
    )


def wal_is_read(path: Path) -> bool:
    """Whether some connection reads pages from the WAL; False where the system does not say."""
    slots = _SLOTS[1:]
    index = path.with_name(f"{path.name}-shm")
    return any(lock.first <= slots[-1] and lock.last >= slots[0] for lock in _locks(index))


class _Lock(NamedTuple):
    pid: int
    first: int
    last: int


class _Marks(NamedTuple):
    """The WAL's last frame, the last that is in the database, and up to which each slot reads."""

    last: int
    moved: int
    slots: tuple[int, ...]


def _locks(index: Path) -> Iterator[_Lock]:
    """The POSIX locks that are held on the file."""
    try:
        status = index.stat()
        lines = (_PROC / "locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:
        # 1: POSIX  ADVISORY  READ 1234 fe:00:1056 124 124; "->" before those that still wait
        words = line.split()
        if len(words) == 8 and words[1] == "POSIX" and words[5] == wanted:
            last = _UNUSED if words[7] == "EOF" else int(words[7])
            yield _Lock(int(words[4]), int(words[6]), last)


def _marks(index: Path) -> _Marks | None:
    """What the WAL's index says, read through a descriptor that a connection of ours holds."""
    own = _PROC / "self" / "fd"
    with suppress(OSError):
        for name in os.listdir(own):  # noqa: PTH208  # names, without a Path for each
            with suppress(OSError):
                if os.readlink(own / name) != str(index):  # noqa: PTH115  # it may be gone by now
                    continue
                data = os.pread(int(name), _INDEX_BYTES, 0)
                if len(data) == _INDEX_BYTES:
                    (last,) = struct.unpack_from("=I", data, _LAST_FRAME)
                    moved, *slots = struct.unpack_from("=6I", data, _MOVED_FRAME)
                    return _Marks(last, moved, tuple(slots))
    return None


def _opened(file: Path) -> Iterator[int]:
    """The processes that have the file open, as far as one may look."""
    wanted = str(file)
    for process in _PROC.iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                for name in os.listdir(process / "fd"):  # noqa: PTH208
                    with suppress(OSError):
                        if os.readlink(process / "fd" / name) == wanted:  # noqa: PTH115
                            yield int(process.name)
                            break


def _command(pid: int) -> str:
    """What the process was started as, cut short; its bare name where no more is told."""
    with suppress(OSError):
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
        text = " ".join(word.decode(errors="replace") for word in words if word)
        if text:
            return text if len(text) <= 60 else f"{text[:59]}…"
        return (_PROC / str(pid) / "comm").read_text(errors="replace").strip()
    return "?"
