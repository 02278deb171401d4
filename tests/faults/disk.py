"""The disk under SQLite: every write and sync recorded in order, any of them refused on demand.

A view of the file system (a VFS) that stands before SQLite's own in this process, in the very
library that ``sqlite3`` uses. It passes everything on and sees what is written, cut, synced and
removed, in the order in which SQLite asks for it.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

SECTOR: Final = 512
IOERR_WRITE, IOERR_FSYNC, IOERR_TRUNCATE, FULL = 778, 1034, 1546, 13

_Pointer = ctypes.c_void_p
# SQLite goes on using the path that a file was opened with: it is passed on, never a copy of ours.
_OPEN = ctypes.CFUNCTYPE(
    ctypes.c_int, _Pointer, _Pointer, _Pointer, ctypes.c_int, ctypes.POINTER(ctypes.c_int)
)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_char_p, ctypes.c_int)
_WRITE = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, _Pointer, ctypes.c_int, ctypes.c_int64)
_TRUNCATE = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int64)
_SYNC = ctypes.CFUNCTYPE(ctypes.c_int, _Pointer, ctypes.c_int)


class _Vfs(ctypes.Structure):
    _fields_ = [
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", _Pointer),
        ("zName", ctypes.c_char_p),
        ("pAppData", _Pointer),
        ("xOpen", _Pointer),
        ("xDelete", _Pointer),
        ("others", _Pointer * 14),
    ]


class _Methods(ctypes.Structure):
    _fields_ = [
        ("iVersion", ctypes.c_int),
        ("xClose", _Pointer),
        ("xRead", _Pointer),
        ("xWrite", _Pointer),
        ("xTruncate", _Pointer),
        ("xSync", _Pointer),
        ("others", _Pointer * 13),
    ]


class Write(NamedTuple):
    name: str
    offset: int
    data: bytes


class Truncate(NamedTuple):
    name: str
    size: int


class Sync(NamedTuple):
    name: str


class Delete(NamedTuple):
    name: str


class Said(NamedTuple):
    """What somebody was told at this point, so that all before it must be true for good."""

    words: tuple[Any, ...]


Op = Write | Truncate | Sync | Delete | Said


@dataclass
class Disk:
    """What SQLite did to the files of ``folder``. ``refuse`` answers an operation that is about to
    be done with SQLite's code for the error it is to meet, or with None."""

    folder: Path
    ops: list[Op] = field(default_factory=list)
    refuse: Callable[[Op], int | None] = lambda _op: None

    def said(self, *words: Any) -> None:
        self.ops.append(Said(words))

    def meets(self, op: Op) -> int | None:
        code = self.refuse(op)
        if code is None:
            self.ops.append(op)
        return code


def library() -> Any:
    """The SQLite that ``sqlite3`` uses, or None where it lets nobody in."""
    found = ctypes.CDLL(getattr(_sqlite3, "__file__", None))
    try:
        found.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        found.sqlite3_vfs_register.argtypes = (ctypes.POINTER(_Vfs), ctypes.c_int)
        found.sqlite3_vfs_unregister.argtypes = (ctypes.POINTER(_Vfs),)
    except AttributeError:
        return None
    return found


@contextmanager
def watched(folder: Path) -> Iterator[Disk]:
    """Have every connection that is opened meanwhile go through a ``Disk`` over ``folder``.

    All of them must be closed at the end.
    """
    lib = library()
    disk = Disk(folder.resolve())
    beneath = lib.sqlite3_vfs_find(None)
    shim = _Shim(beneath, disk)
    assert lib.sqlite3_vfs_register(ctypes.byref(shim.vfs), 1) == 0
    try:
        yield disk
    finally:
        lib.sqlite3_vfs_register(beneath, 1)
        lib.sqlite3_vfs_unregister(ctypes.byref(shim.vfs))


class _Shim:
    """Ours before SQLite's own: the same but for opening, removing, and files' writing."""

    def __init__(self, beneath: Any, disk: Disk) -> None:
        self._disk = disk
        self._names: dict[int, str] = {}
        self._methods: dict[int, tuple[_Methods, list[Any]]] = {}
        self.vfs = _Vfs()
        ctypes.memmove(ctypes.byref(self.vfs), beneath, ctypes.sizeof(_Vfs))
        self._own_open = _OPEN(self.vfs.xOpen)
        self._own_delete = _DELETE(self.vfs.xDelete)
        self._kept = (_OPEN(self._open), _DELETE(self._delete))
        self.vfs.zName = b"watched"
        self.vfs.xOpen, self.vfs.xDelete = (
            ctypes.cast(function, _Pointer).value for function in self._kept
        )

    def _name(self, path: bytes | None) -> str | None:
        """The file's name, if it is one that is watched."""
        if path is None:
            return None
        found = Path(path.decode())
        return found.name if found.parent == self._disk.folder else None

    def _open(self, vfs: int, path: int | None, file: int, flags: int, out: Any) -> int:
        code = self._own_open(vfs, path, file, flags, out)
        self._names.pop(file, None)
        name = self._name(None if path is None else ctypes.string_at(path))
        place = ctypes.cast(file, ctypes.POINTER(_Pointer))
        if code == 0 and name is not None and place[0]:
            self._names[file] = name
            place[0] = self._watching(place[0])
        return int(code)

    def _delete(self, vfs: int, path: bytes, sync: int) -> int:
        name = self._name(path)
        if name is not None:
            self._disk.meets(Delete(name))
        return int(self._own_delete(vfs, path, sync))

    def _watching(self, own: int) -> int:
        """The methods of a file as they are, but for those that change it."""
        if own not in self._methods:
            methods = _Methods()
            ctypes.memmove(ctypes.byref(methods), own, ctypes.sizeof(_Methods))
            write, truncate, sync = (
                _WRITE(methods.xWrite),
                _TRUNCATE(methods.xTruncate),
                _SYNC(methods.xSync),
            )
            names, disk = self._names, self._disk

            def on_write(file: int, data: int, size: int, offset: int) -> int:
                op = Write(names[file], offset, ctypes.string_at(data, size))
                code = disk.meets(op)
                return write(file, data, size, offset) if code is None else code

            def on_truncate(file: int, size: int) -> int:
                code = disk.meets(Truncate(names[file], size))
                return truncate(file, size) if code is None else code

            def on_sync(file: int, flags: int) -> int:
                # Recorded when it is done: what it promises holds from then on.
                refused = disk.refuse(Sync(names[file]))
                code = int(sync(file, flags)) if refused is None else refused
                if code == 0:
                    disk.ops.append(Sync(names[file]))
                return code

            kept = [write, truncate, sync, _WRITE(on_write), _TRUNCATE(on_truncate), _SYNC(on_sync)]
            methods.xWrite, methods.xTruncate, methods.xSync = (
                ctypes.cast(function, _Pointer).value for function in kept[3:]
            )
            self._methods[own] = (methods, kept)
        return ctypes.addressof(self._methods[own][0])


class Image(NamedTuple):
    """Files as the disk has them after the power went, and what had been said by then."""

    files: dict[str, bytes]
    said: list[tuple[Any, ...]]
    lost: int


def after_power_loss(
    before: dict[str, bytes], ops: Sequence[Op], at: int, how: str, chance: random.Random
) -> Image:
    """The files if the power goes before operation ``at``.

    What was synced is there. Of what was written since, per file: nothing (``synced``), the
    beginning up to any byte (``cut``), or any of the writes, each whole, in some of its sectors, or
    not at all (``torn``). ``lost`` counts the bytes that are not there.
    """
    files = {name: bytearray(data) for name, data in before.items()}
    pending: dict[str, list[Write | Truncate]] = {}
    said: list[tuple[Any, ...]] = []
    for op in ops[:at]:
        if isinstance(op, Said):
            said.append(op.words)
        elif isinstance(op, Sync):
            for change in pending.pop(op.name, ()):
                _apply(files, change)
        elif isinstance(op, Delete):
            pending.pop(op.name, None)
            files.pop(op.name, None)
        else:
            pending.setdefault(op.name, []).append(op)
    lost = 0
    for changes in pending.values():
        written = sum(len(change.data) for change in changes if isinstance(change, Write))
        left = chance.randint(0, written) if how == "cut" else written
        for change in changes if how != "synced" else ():
            if isinstance(change, Truncate):
                if how == "cut" or chance.random() < 0.5:
                    _apply(files, change)
            elif how == "cut":
                _apply(files, change._replace(data=change.data[:left]))
                left = max(left - len(change.data), 0)
            else:
                for part in _torn(change, chance):
                    _apply(files, part)
        lost += written
    return Image({name: bytes(data) for name, data in files.items()}, said, lost)


def _torn(change: Write, chance: random.Random) -> Iterator[Write]:
    """Some of a write's sectors; all or none of them more often than not."""
    kept = chance.choice((0.0, 0.5, 1.0))
    for start in range(0, len(change.data), SECTOR):
        if chance.random() < kept:
            yield change._replace(
                offset=change.offset + start, data=change.data[start : start + SECTOR]
            )


def _apply(files: dict[str, bytearray], change: Write | Truncate) -> None:
    file = files.setdefault(change.name, bytearray())
    if isinstance(change, Truncate):
        del file[change.size :]
        file.extend(bytes(change.size - len(file)))
        return
    if not change.data:
        return
    end = change.offset + len(change.data)
    file.extend(bytes(max(end - len(file), 0)))
    file[change.offset : end] = change.data
