"""Fifty texts that nobody should be able to put on somebody else's terminal.

Each comes with the bytes that would do the harm: none of them is ever written by the app itself.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Payload(NamedTuple):
    """A hostile text, and the bytes of it that must not reach the terminal."""

    text: str
    forbidden: tuple[bytes, ...]


def _made(text: str, *forbidden: str) -> Payload:
    return Payload(text, tuple(one.encode() for one in forbidden))


_ESC: Final = (
    "\x1bc", "\x1b7x", "\x1b#8", "\x1b(0", "\x1bN",  # reset, save cursor, test picture, sets
    "\x1b[3J", "\x1b[!p", "\x1b[8;1;1t", "\x1b[21t", "\x1b[5n", "\x1b[>c", "\x1b[?5h",
    "\x1b[12;13H", "\x1b[6;5;31;45m", "\x1b[1;3r", "\x1b[20l", "\x1b[99;1;", "\x1b[?1047h",
)  # fmt: skip
_OSC: Final = (
    "]52;c;b3duZWQ=", "]0;owned", "]2;owned", "]4;1;rgb:ff/00/00", "]7;file:///etc", "]9;owned",
    "]8;;http://evil.example/", "]10;?", "]11;#ff0000", "]133;A", "]777;notify;a;b",
    "]1337;File=inline=1:AAAA",
)  # fmt: skip

PAYLOADS: Final[tuple[Payload, ...]] = (
    *(_made(f"a{text}z", text) for text in _ESC),
    *(_made(f"a\x1b{text}\x07z", f"\x1b{text}", text[:4]) for text in _OSC),
    _made("a\x9d52;c;b3duZWQ=\x9cz", "\x9d", "52;c;"),
    _made("never ended \x1b]52;c;b3duZWQ=", "]52"),
    _made("a\x1bP1$r0m\x1b\\z", "\x1bP", "1$r0m"),
    _made("a\x1b_Gi=1,a=q;AAAA\x1b\\z", "\x1b_"),
    _made("a\x1b^secret words\x1b\\z", "\x1b^", "secret words"),
    _made("a\x1bXsecret start\x1b\\z", "\x1bX", "secret start"),
    _made("a\x84b\x85c\x8dd\x9b31me\x90q\x9cz", "\x84", "\x85", "\x8d", "\x9b", "\x90"),
    _made("a\x05b\x08c\x0bd\x0ce\x0ff\x7fg\x18z", "\x05", "\x0b", "\x0c", "\x7f"),
    _made("\u202eevil\u202c \u202dx\u202a \u202by", "\u202e", "\u202d", "\u202a", "\u202b"),
    _made("\u2066a\u2067b\u2068c\u2069 \u200e\u200f\u061c", "\u2066", "\u2067", "\u200f"),
    _made("[/bold][red]x[/][@click=app.quit]quit[/]"),
    _made("[link=http://evil.example]x[/link] [/x] ]]"),
    _made("one\ntwo\r\nthree\rfour\u2028five\x85six", "\u2028"),
    _made("tab\tby\ttab\ufeff\ufff9\U000e0041", "\ufeff", "\ufff9", "\U000e0041"),
    _made("n" * 10_000),
    _made("e" + "\u0301" * 300 + " zalgo"),
    _made("漢字仮名交じり文" * 40),
    _made("👨\u200d👩\u200d👧\u200d👦 👩🏽\u200d🚀 ❤️ 🇩🇪"),
    _made("%s %n {0} ${HOME} $(reboot) `reboot` '; DROP TABLE runs; --"),
    _made("\x1b\x1b\x1b[[[\x1b]\x1bP\x1b[31"),
)
FORBIDDEN: Final = frozenset(some for one in PAYLOADS for some in one.forbidden)
