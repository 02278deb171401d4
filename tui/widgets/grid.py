"""A sheet of cells that charts are drawn on: characters, roles and grounds in numpy arrays.

Pure: no Textual. Whole curves are set with a few array operations, and a line is turned into spans
only where role or ground changes, which keeps a full-screen chart within a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tui.safe import cells, safe_line
from tui.widgets.roles import GROUND_INDEX, GROUNDS, ROLE_INDEX, ROLES, Span

BLANK: Final = ord(" ")
BRAILLE: Final = 0x2800
# The bit of each dot of a braille cell, by row (4) and column (2).
DOTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
ROW_BITS: Final = np.array([0x01, 0x02, 0x04, 0x40], np.uint32)

Ints = npt.NDArray[np.intp]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint32]


class Glyphs(NamedTuple):
    """The characters charts are drawn with."""

    rule: str
    level: str
    upright: str
    solid: str
    broken: str
    buy: str
    sell: str
    above: str
    below: str
    bars: str


DRAWN: Final = Glyphs("┈", "╌", "│", "━━", "╍╍", "▲", "▼", "↑", "↓", "▁▂▃▄▅▆▇█")
ASCII: Final = Glyphs(".", "-", "|", "*", ".", "^", "v", "^", "v", "#")
# Known to be one cell wide; asking for each character's width costs more than drawing it.
_NARROW: Final = frozenset("".join(map(chr, range(32, 127))) + "".join(DRAWN) + "–…·")


class Grid:
    """``height`` lines of ``width`` cells. What falls outside is cut off.

    ``ascii`` says to draw with ASCII only; ``glyphs`` are then the ones to use.
    """

    def __init__(self, width: int, height: int, *, ascii: bool = False) -> None:  # noqa: A002
        self.width = max(0, width)
        self.height = max(0, height)
        self.ascii = ascii
        self.glyphs = ASCII if ascii else DRAWN
        shape = (self.height, self.width)
        self.characters = np.full(shape, BLANK, np.uint32)
        self.roles = np.zeros(shape, np.uint8)
        self.grounds = np.zeros(shape, np.uint8)

    def put(self, x: int, y: int, text: str, role: str = "text", ground: str | None = None) -> None:
        """Write text from a cell on; characters that are not one cell wide become ``·``."""
        if not 0 <= y < self.height:
            return
        text = safe_line(text)
        if not _NARROW.issuperset(text):
            text = "".join(c if cells(c) == 1 else "·" for c in text)
        if x < 0:
            text, x = text[-x:], 0
        text = text[: max(0, self.width - x)]
        if not text:
            return
        where = slice(x, x + len(text))
        self.characters[y, where] = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        self.roles[y, where] = ROLE_INDEX.get(role, 0)
        if ground is not None:
            self.grounds[y, where] = GROUND_INDEX[ground]

    def put_right(self, end: int, y: int, text: str, role: str = "text") -> None:
        """Write text so that it ends before column ``end``."""
        self.put(end - cells(safe_line(text)), y, text, role)

    def braille(self, dots: Bools, x: int, y: int, role: str) -> None:
        """Lay a raster of dots, ``[4 * lines, 2 * columns]``, over the cells from (x, y) on.

        Cells with no dot keep what they show; dots join those already there, and a cell that both
        hold takes the new role.
        """
        lines, columns = dots.shape[0] // 4, dots.shape[1] // 2
        bits = np.einsum(
            "abcd,bd->ac",
            dots.reshape(lines, 4, columns, 2).astype(np.uint32),
            DOTS,
            dtype=np.uint32,
        )
        self.set_bits(bits, x, y, role)

    def set_bits(self, bits: Codes, x: int, y: int, role: str) -> None:
        """Like ``braille``, from the bits of whole cells, ``[lines, columns]``."""
        lines = min(bits.shape[0], self.height - y)
        columns = min(bits.shape[1], self.width - x)
        if lines <= 0 or columns <= 0:
            return
        bits = bits[:lines, :columns]
        target = self.characters[y : y + lines, x : x + columns]
        found = bits != 0
        old = np.where((target >= BRAILLE) & (target < BRAILLE + 256), target - BRAILLE, 0)
        target[found] = (BRAILLE + (old | bits))[found]
        self.roles[y : y + lines, x : x + columns][found] = ROLE_INDEX[role]

    def character(self, mask: Bools, x: int, y: int, character: str, role: str) -> None:
        """Set one character wherever ``mask[line, column]`` holds, from (x, y) on."""
        lines = min(mask.shape[0], self.height - y)
        columns = min(mask.shape[1], self.width - x)
        if lines <= 0 or columns <= 0:
            return
        found = mask[:lines, :columns]
        self.characters[y : y + lines, x : x + columns][found] = ord(character)
        self.roles[y : y + lines, x : x + columns][found] = ROLE_INDEX[role]

    def rule(self, y: int, end: int, character: str, role: str) -> None:
        """Draw a line of one character up to column ``end``."""
        if 0 <= y < self.height:
            self.characters[y, : max(0, end)] = ord(character)
            self.roles[y, : max(0, end)] = ROLE_INDEX[role]

    def upright(self, x: int, top: int, bottom: int, role: str, *, blank: bool = False) -> None:
        """Draw a vertical line from line ``top`` to before ``bottom``.

        With ``blank`` it goes only through cells that hold nothing but rules and levels.
        """
        if not 0 <= x < self.width:
            return
        lines = slice(max(0, top), max(0, bottom))
        where = self.blank(self.characters[lines, x]) if blank else slice(None)
        self.characters[lines, x][where] = ord(self.glyphs.upright)
        self.roles[lines, x][where] = ROLE_INDEX[role]

    def blank(self, characters: Codes) -> Bools:
        """Which characters give way to all else: spaces, rules and levels."""
        lines = (BLANK, ord(self.glyphs.rule), ord(self.glyphs.level))
        return np.isin(characters, lines)

    def scatter(self, codes: Codes, columns: Ints, y: int, roles: Sequence[str]) -> None:
        """Set whole columns: ``codes[lines, n]`` at ``columns[n]`` in ``roles[n]``, from line y on.

        Spaces leave what is there.
        """
        lines = slice(y, y + codes.shape[0])
        found = codes != BLANK
        colors = np.array([ROLE_INDEX[role] for role in roles], np.uint8)
        self.characters[lines, columns] = np.where(found, codes, self.characters[lines, columns])
        self.roles[lines, columns] = np.where(found, colors, self.roles[lines, columns])

    def shade(self, x: int, top: int, bottom: int, ground: str = "column") -> None:
        """Put a ground behind column ``x`` of the lines ``top`` up to ``bottom``."""
        if 0 <= x < self.width:
            self.grounds[max(0, top) : max(0, bottom), x] = GROUND_INDEX[ground]

    def line(self, y: int) -> list[Span]:
        """The spans of a line; together they are ``width`` cells."""
        characters, roles, grounds = self.characters[y], self.roles[y], self.grounds[y]
        look = roles.astype(np.int32) + (grounds.astype(np.int32) << 8)
        edges = (np.flatnonzero(look[1:] != look[:-1]) + 1).tolist()
        text = characters.tobytes().decode("utf-32-le")
        starts = [0, *edges]
        ends = [*edges, self.width]
        return [
            Span(text[start:end], ROLES[roles[start]], GROUNDS[grounds[start]])
            for start, end in zip(starts, ends, strict=True)
            if end > start
        ]

    def lines(self) -> list[list[Span]]:
        """All lines as spans."""
        return [self.line(y) for y in range(self.height)]

    def text(self) -> str:
        """The sheet without its roles, trailing spaces cut: for tests and plain output."""
        return "\n".join(line.tobytes().decode("utf-32-le").rstrip() for line in self.characters)
