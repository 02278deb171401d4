"""Standard output is for what this program says, whatever else of its process writes there."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

OUT: Final = 1
ERR: Final = 2


def stand_in_for_closed() -> None:
    """Put the null device where the caller has closed a standard stream, as ``>&-`` does.

    Python has no object for it then, and the next file that is opened gets its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115 - to the end
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


@contextlib.contextmanager
def stdout_kept(instead: Path | None = None) -> Iterator[None]:
    """Send to standard error, or to the end of the file ``instead``, what goes past Python.

    Prints of a strategy are caught; what a library in C or a program that it starts writes goes to
    the file descriptor, and would stand in a document or in the middle of a screen. Where Python's
    stdout is none of the process's own there is nothing to keep.
    """
    try:
        ours = sys.stdout.fileno() == OUT
    except (io.UnsupportedOperation, AttributeError):
        ours = False
    if not ours:
        yield
        return
    before = sys.stdout
    before.flush()
    # Open to the process's end: what a run that hangs prints is caught in front of it until then.
    stdout = os.fdopen(os.dup(OUT), "w", encoding=before.encoding, errors=before.errors)
    # Both: what asks how large the terminal is asks the second.
    sys.stdout = sys.__stdout__ = stdout  # type: ignore[misc]
    if instead is None:
        os.dup2(ERR, OUT)
    else:
        instead.parent.mkdir(parents=True, exist_ok=True)
        with instead.open("ab") as file:
            os.dup2(file.fileno(), OUT)
    try:
        yield
    finally:
        stdout.flush()
        os.dup2(stdout.fileno(), OUT)
