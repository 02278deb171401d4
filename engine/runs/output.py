"""What strategies print goes to their run's log, never to the screen or to a JSON document.

Standard output and error belong to the process, strategies to threads: a router in front of both
sends what is written inside ``captured`` to that run's log, and passes on everything else.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

MAX_BYTES = 1_000_000

_here = threading.local()
_installing = threading.Lock()


class RunOutput:
    """A run's log file, made with its first line and never longer than ``MAX_BYTES``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._left = MAX_BYTES - (path.stat().st_size if path.exists() else 0)

    def write(self, text: str) -> None:
        """Append ``text``; what is past the limit is dropped, and the log says so once."""
        data = text.encode(errors="replace")
        if self._left <= 0 or not data:
            return
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("ab") as file:
            file.write(data[: self._left])
            if len(data) > self._left:
                file.write(f"\n[output past {MAX_BYTES} bytes is not kept]\n".encode())
        self._left -= len(data)


def log_path(ledger: Path, run_id: str) -> Path:
    """Where the output of a run's strategy is kept: a folder beside the ledger."""
    return ledger.with_name(f"{ledger.name}-logs") / f"{run_id}.log"


class _Router(io.TextIOBase):
    """Writes of a thread inside ``captured`` go to its run; all others to ``outer``."""

    def __init__(self, outer: TextIO) -> None:
        self.outer = outer

    def write(self, text: str) -> int:
        output: RunOutput | None = getattr(_here, "output", None)
        if output is None:
            return self.outer.write(text)
        output.write(text)
        return len(text)

    def flush(self) -> None:
        if getattr(_here, "output", None) is None:
            self.outer.flush()

    def isatty(self) -> bool:
        return self.outer.isatty()

    def fileno(self) -> int:
        return self.outer.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.outer.encoding


def current_log() -> Path:
    """Where the output of this thread goes; ``os.devnull`` outside ``captured``."""
    output: RunOutput | None = getattr(_here, "output", None)
    return Path(os.devnull) if output is None else output.path


@contextmanager
def captured(output: RunOutput) -> Iterator[None]:
    """Send what this thread prints to ``output``, until the block ends."""
    with _installing:
        # Asked each time: a terminal app puts its own streams in place while it runs.
        if not isinstance(sys.stdout, _Router):
            sys.stdout = _Router(sys.stdout)
        if not isinstance(sys.stderr, _Router):
            sys.stderr = _Router(sys.stderr)
    before = getattr(_here, "output", None)
    _here.output = output
    try:
        yield
    finally:
        _here.output = before
