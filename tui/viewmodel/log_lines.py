"""A log file's newest lines as rows: read from its end, nothing of it obeyed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tui.safe import safe_line
from tui.widgets.table import Cell, Column, Row

MOST_BYTES: Final = 512_000
MOST_CELLS: Final = 2_000
COLUMNS: Final = (Column("line", "", 20, flexible=True, sortable=False),)
_LEVEL: Final = re.compile(r"^\S+ \S+ \d+ ([A-Z]+) ")
_ROLES: Final = {"WARNING": "attention", "ERROR": "loss", "CRITICAL": "loss"}


@dataclass(frozen=True, slots=True)
class Lines:
    """The newest lines of a file; ``cut`` if there is more before them, ``stamp`` tells changes."""

    path: Path
    stamp: tuple[int, int] | None
    texts: tuple[str, ...]
    cut: bool = False


def stamp_of(path: Path) -> tuple[int, int] | None:
    """What changes when somebody writes to the file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def read(path: Path) -> Lines:
    """The last half megabyte of the file, in lines. A file that cannot be read has none."""
    stamp = stamp_of(path)
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MOST_BYTES))
            data = file.read(MOST_BYTES)
    except OSError:
        return Lines(path, stamp, ())
    texts = data.decode("utf-8", "replace").split("\n")
    if texts and not texts[-1]:
        texts.pop()
    cut = size > MOST_BYTES
    return Lines(path, stamp, tuple(texts[1:] if cut else texts), cut)


def passing(lines: Lines, wanted: str) -> Sequence[int]:
    """The numbers of the lines that hold a text, in whatever case."""
    if not wanted:
        return range(len(lines.texts))
    needle = wanted.casefold()
    return [number for number, text in enumerate(lines.texts) if needle in text.casefold()]


def row(lines: Lines, number: int) -> Row:
    """One line, in the colour of its level."""
    text = lines.texts[number]
    found = _LEVEL.match(text)
    return Row(
        str(number),
        (Cell(safe_line(text, MOST_CELLS), _ROLES.get(found[1], "text") if found else "text"),),
    )
