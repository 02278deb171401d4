"""The display edge: text from outside, made harmless for a terminal, and cell-wise fitting.

Names, tags, files, strategy output, LLM text and rows of a ledger may hold anything. Textual and a
plain ``print`` hand escape sequences on to the terminal, where they move the cursor, write the
clipboard or hide text; so everything that came from outside passes here before it is shown.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Align = Literal["left", "right", "center"]

# Strings that a terminal swallows up to a terminator go with all they hold, and one that is never
# terminated goes to the end of the text, as it would in the terminal. BEL ends only OSC.
_HOSTILE: Final = re.compile(
    r"(?:\x1b\]|\x9d).*?(?:\x07|\x1b\\|\x9c|\Z)"  # OSC
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f]).*?(?:\x1b\\|\x9c|\Z)"  # DCS SOS PM APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI
    r"|\x1b[ -/]*[0-~]?"  # any other escape, or a lone ESC
    r"|\r(?=\n)"
    r"|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\r]"  # C0 but tab and line ends, DEL, C1
    r"|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # bidi overrides, isolates and marks
    r"|[\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"  # invisible: BOM, annotations, tags
    # What joins or varies its neighbours: terminals do not agree on how wide the result is, and a
    # table's columns would stand elsewhere in each.
    r"|[\u200b-\u200d\u2060-\u2064\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef]"
    # No letter needs more marks than three; hundreds run into the lines around.
    r"|(?<=[\u0300-\u036f]{3})[\u0300-\u036f]+",
    re.DOTALL,
)
# Python and Textual break lines at these too; one line must not turn into two behind our back.
_LINE_ENDS: Final = re.compile("[\x0b\x0c\x85\u2028\u2029]")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_SPACES: Final = str.maketrans("\n\t", "  ")
ELLIPSIS: Final = "…"


def safe_text(value: object) -> str:
    """``str(value)`` without anything a terminal would obey; newlines and tabs stay.

    CSI, OSC, DCS, PM, APC and SOS sequences (unterminated ones too), other escapes, C0, DEL, C1 and
    bidirectional controls are dropped; lone surrogates, which no terminal can be sent, become
    U+FFFD. The result is a fixed point: cleaning it again changes nothing.
    """
    text = value if isinstance(value, str) else str(value)
    if text.isascii() and text.isprintable():
        return text
    text = _HOSTILE.sub("", text)
    text = _LINE_ENDS.sub("\n", text)
    return _SURROGATES.sub("\ufffd", text)


def safe_line(value: object, width: int | None = None) -> str:
    """``safe_text`` on one line: newlines and tabs become spaces.

    With ``width`` the line is cut to that many cells, the last of them an ellipsis.
    """
    text = safe_text(value).translate(_SPACES)
    return text if width is None else cut(text, width)


def cells(text: str) -> int:
    """The number of terminal cells the text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """The text in at most ``width`` cells, ending in an ellipsis where something was cut off."""
    if cells(text) <= width:
        return text
    if width <= 0:
        return ""
    if text.isascii():
        return text[: width - 1] + ELLIPSIS
    kept: list[str] = []
    room = width - 1
    for character in text:
        room -= cells(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + ELLIPSIS


def fit(text: str, width: int, align: Align = "left") -> str:
    """The text in exactly ``width`` cells: cut, or padded on the side away from ``align``."""
    text = cut(text, width)
    room = width - cells(text)
    if room <= 0:
        return text
    if align == "left":
        return text + " " * room
    if align == "right":
        return " " * room + text
    return " " * (room // 2) + text + " " * (room - room // 2)
