"""What a guard is: a piece of source text that a test misses."""

from __future__ import annotations

from typing import NamedTuple


class Guard(NamedTuple):
    """``text`` of ``file`` becomes ``instead``; ``test`` is a pytest node that must then fail."""

    name: str
    file: str
    text: str
    instead: str
    test: str
