"""Columns of numbers as a SQLite database of their own, from which SQL takes whole batches.

To bind a number costs the interpreter as much as it costs SQLite to store it, and each statement
has to win the interpreter's lock back from threads that compute. An image is laid out by numpy,
handed over whole (``Connection.deserialize``), and read by one ``INSERT … SELECT`` a table.

The format is SQLite's own (https://www.sqlite.org/fileformat2.html): a table is a b-tree of one
root page over leaves, which are full of cells of one size. Integers are stored in 8 bytes and
figures as IEEE doubles, so every bit is kept; SQLite reads a NaN as NULL. The texts of a column are
ASCII and of one length.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.integer[Any]] | NDArray[np.floating[Any]] | NDArray[np.bytes_]

_PAGE: Final = 1 << 15
_FILE_HEADER: Final = struct.Struct(">16sHBBBBBBIIIIIIIIIIII20xII")
_LEAF_HEADER: Final = struct.Struct(">BHHHB")
_ROOT_HEADER: Final = struct.Struct(">BHHHBI")
_CHILD: Final = struct.Struct(">I3s")
_POINTER: Final = np.dtype(">u2")
_LEAF, _ROOT = 0x0D, 0x05
_INTEGER, _REAL = 6, 7  # a record's words for values of 8 bytes
_TEXT: Final = 13  # and for texts: this, and twice their length
_FORMAT: Final = 3_037_000  # the version that is said to have written it: the oldest we run with
# Row numbers from here on take three bytes up to the last, so that cells are of one size.
_FIRST_ROW: Final = 1 << 14
MOST_ROWS: Final = 100_000
"""Rows of a table; more would want leaves that one root cannot hold, at the widest."""
_WIDEST: Final = 20
assert _FIRST_ROW + MOST_ROWS < 1 << 21
assert MOST_ROWS * (_WIDEST * 9 + 10) // (_PAGE - 200) < _PAGE // 10


def image(tables: Mapping[str, Sequence[Cells]]) -> bytes:
    """A database with these tables, their columns named ``column1`` and so on.

    The columns of a table, at most 20, are of one length, at most ``MOST_ROWS`` and perhaps 0. Rows
    keep their order. A table has its root at the same page in every image of as many tables.
    """
    parts = [_Table(columns) for columns in tables.values()]
    count = 1 + sum(part.pages for part in parts)
    pages = np.zeros((count, _PAGE), np.uint8)
    free = 1 + len(parts)
    for number, part in enumerate(parts):
        free = part.lay_out(pages, 1 + number, free)
    _lay_out_schema(pages[0], count, tables)
    return pages.tobytes()


class _Table:
    """One table's cells, and how many to a leaf."""

    def __init__(self, columns: Sequence[Cells]) -> None:
        rows = len(columns[0])
        assert rows <= MOST_ROWS
        assert len(columns) <= _WIDEST
        kinds, formats = zip(*map(_stored, columns), strict=True)
        header = b"".join(kinds)
        header = bytes([1 + len(header)]) + header
        values = np.dtype([(str(place), stored) for place, stored in enumerate(formats)])
        size = _varint(len(header) + values.itemsize)
        cells = np.empty(
            rows,
            [
                ("size", f"V{len(size)}"),
                ("row", np.uint8, 3),
                ("header", f"V{len(header)}"),
                *values.descr,
            ],
        )
        cells["size"], cells["header"] = np.void(size), np.void(header)
        numbers = np.arange(_FIRST_ROW, _FIRST_ROW + rows)
        for place, shift, more in ((0, 14, 0x80), (1, 7, 0x80), (2, 0, 0)):
            cells["row"][:, place] = numbers >> shift & 0x7F | more
        for place, column in enumerate(columns):
            cells[str(place)] = column
        self._size = cells.dtype.itemsize
        self._cells = cells.view(np.uint8)
        self._rows = rows
        self._fit = (_PAGE - _LEAF_HEADER.size) // (self._size + _POINTER.itemsize)
        leaves = -(-rows // self._fit)
        self.pages = 1 if leaves <= 1 else 1 + leaves

    def lay_out(self, pages: NDArray[np.uint8], root: int, free: int) -> int:
        """Fill the page ``root`` and pages from ``free`` on; the next free one."""
        if self.pages == 1:
            self._leaf(pages[root], 0, self._rows)
            return free
        last = self.pages - 2  # of the leaves, counted from 0
        at = _PAGE - last * _CHILD.size
        page = pages[root].data
        _ROOT_HEADER.pack_into(page, 0, _ROOT, 0, last, at, 0, free + last + 1)
        starts = np.arange(at, _PAGE, _CHILD.size).astype(_POINTER).tobytes()
        page[_ROOT_HEADER.size : _ROOT_HEADER.size + len(starts)] = starts
        for leaf in range(last + 1):
            first = leaf * self._fit
            rows = min(self._fit, self._rows - first)
            self._leaf(pages[free + leaf], first, rows)
            if leaf < last:
                highest = _varint(_FIRST_ROW + first + rows - 1)
                _CHILD.pack_into(page, at + leaf * _CHILD.size, free + leaf + 1, highest)
        return free + last + 1

    def _leaf(self, page: NDArray[np.uint8], first: int, rows: int) -> None:
        at = _PAGE - rows * self._size
        page[at:] = self._cells[first * self._size : (first + rows) * self._size]
        starts = np.arange(at, _PAGE, self._size).astype(_POINTER).view(np.uint8)
        page[_LEAF_HEADER.size : _LEAF_HEADER.size + len(starts)] = starts
        _LEAF_HEADER.pack_into(page.data, 0, _LEAF, 0, rows, at, 0)


def _stored(column: Cells) -> tuple[bytes, str]:
    """A column's word in the header of a record, and what its values are stored as."""
    if column.dtype.kind == "f":
        return bytes([_REAL]), ">f8"
    if column.dtype.kind == "S":
        length = column.dtype.itemsize
        return _varint(_TEXT + 2 * length), f"S{length}"
    return bytes([_INTEGER]), ">i8"


def _lay_out_schema(
    page: NDArray[np.uint8], pages: int, tables: Mapping[str, Sequence[Cells]]
) -> None:
    """The first page: the file's header, and the table of tables."""
    view = page.data
    _FILE_HEADER.pack_into(
        view, 0, b"SQLite format 3\0", _PAGE,
        1, 1, 0, 64, 32, 32,  # rollback journal, nothing reserved, fractions that are fixed
        1, pages, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0, 1, _FORMAT,  # schema format 4, UTF-8
    )  # fmt: skip
    at = _PAGE
    for number, (name, columns) in enumerate(tables.items()):
        names = ", ".join(f"column{place}" for place in range(1, len(columns) + 1))
        title = name.encode()
        texts = (b"table", title, title, f"CREATE TABLE {name} ({names})".encode())
        kinds = [_varint(_TEXT + 2 * len(text)) for text in texts]
        header = b"".join((*kinds[:3], b"\x01", kinds[3]))  # the root, a byte, is its fourth value
        body = b"".join((*texts[:3], bytes([2 + number]), texts[3]))
        header = _varint(1 + len(header)) + header
        cell = _varint(len(header) + len(body)) + _varint(1 + number) + header + body
        at -= len(cell)
        view[at : at + len(cell)] = cell
        struct.pack_into(">H", view, _FILE_HEADER.size + _LEAF_HEADER.size + 2 * number, at)
    _LEAF_HEADER.pack_into(view, _FILE_HEADER.size, _LEAF, 0, len(tables), at, 0)


def _varint(number: int) -> bytes:
    """SQLite's integer of variable length: seven bits a byte, the highest first."""
    found = [number & 0x7F]
    while number := number >> 7:
        found.append(number & 0x7F | 0x80)
    return bytes(reversed(found))
