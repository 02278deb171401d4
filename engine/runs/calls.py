"""The call into its strategy that a run makes: which, at which step and line, since when.

Nothing is noted for each step, which would cost every run: only when a call has taken long, the
thread that is in it is looked at.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Final, NamedTuple

from engine.runs.clock import Clock, time_text
from engine.sim.observation import Observation

LONG_SECONDS: Final = 2.0
"""From here on a call is long, and people are told of it."""


class LongCall(NamedTuple):
    """A call that goes on: ``decide`` or ``prepare``, the step whose decision it is to make, the
    strategy's own line that was first seen in it (``bad.py:12``), and since when (ISO, UTC).

    ``step`` and ``place`` are None where they cannot be told: of ``prepare``, or where the strategy
    decides in a process of its own.
    """

    what: str
    step: int | None
    place: str | None
    since: str


class _Going(NamedTuple):
    what: str
    began: float
    thread: int


class Call:
    """What a run asks its strategy now; any thread may ask how long that takes."""

    def __init__(self, path: Path | None) -> None:
        """``path`` is the strategy's own file."""
        self._path = path
        self._going: _Going | None = None
        self._known: tuple[_Going, LongCall] | None = None

    @contextmanager
    def going(self, what: str, clock: Clock) -> Iterator[None]:
        """A call, or some at once that are ended after a while, by the thread that makes them."""
        self._going = _Going(what, clock.monotonic(), threading.get_ident())
        try:
            yield
        finally:
            self._going = None

    def long(self, clock: Clock) -> LongCall | None:
        """The call that goes on, where it is long."""
        going, known = self._going, self._known
        if going is None:
            return None
        taken = clock.monotonic() - going.began
        if taken < LONG_SECONDS:
            return None
        if known is None or known[0] is not going:
            step, place = self._place(going.thread)
            since = time_text(clock.now() - timedelta(seconds=taken))
            known = self._known = going, LongCall(going.what, step, place, since)
        return known[1]

    def _place(self, thread: int) -> tuple[int | None, str | None]:
        """The step and the strategy's line that a thread is at."""
        step = place = None
        frame: FrameType | None = sys._current_frames().get(thread)
        path = None if self._path is None else str(self._path.resolve())
        while frame is not None:
            if place is None and path is not None and frame.f_code.co_filename == path:
                place = f"{Path(path).name}:{frame.f_lineno}"
            seen = [value for value in frame.f_locals.values() if isinstance(value, Observation)]
            if step is None and seen:
                step = seen[0].step
            frame = frame.f_back
        return step, place
