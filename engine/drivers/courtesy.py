"""What a screen asks of the engine threads beside it: to stand aside while it answers a key.

All threads of a process share the interpreter's lock. Beside two busy engine threads the screen's
gets a third of it, and waits for its turn each time it has let go; one key is many such times. So
who reads the terminal asks, the slices in progress end with their next step, and the next ones
begin when the answer is on its way to the terminal.
"""

from __future__ import annotations

import threading
from typing import Final

from engine.runs.clock import Clock, SystemClock

MOST_SECONDS: Final = 0.05
"""How long one asking lasts, whatever becomes of who asked: three frames."""


class Courtesy:
    """One screen's request to the engine threads of its process. Any thread may call anything.

    A screen that never says ``done`` costs the engine ``most_seconds`` a key. After standing aside
    the engine is left alone for as long as it stood: whatever is asked, and however often, it has
    half of the time.
    """

    def __init__(self, clock: Clock | None = None, *, most_seconds: float = MOST_SECONDS) -> None:
        self._clock = clock or SystemClock()
        self._most_seconds = most_seconds
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._began = self._until = self._not_before = float("-inf")
        self.asked = False
        """Whether to call ``stand_aside``."""

    def ask(self) -> None:
        """A key has come. What was asked before and is not done yet lasts no longer for it."""
        with self._lock:
            now = self._clock.monotonic()
            if self.asked and now < self._until:
                return
            self._end(now)
            if now >= self._not_before:
                self._began, self._until = now, now + self._most_seconds
                self._over.clear()
                self.asked = True

    def done(self) -> None:
        """The answer is on its way; engine threads go on."""
        with self._lock:
            self._end(self._clock.monotonic())

    def stand_aside(self) -> None:
        """Wait, on an engine thread between two slices, until the answer is on its way or its time
        is over."""
        while self.asked:
            left = self._until - self._clock.monotonic()
            if left <= 0:
                self._expire()
            elif self._over.wait(min(left, self._most_seconds)):
                return

    def _expire(self) -> None:
        with self._lock:
            now = self._clock.monotonic()
            if now >= self._until:
                self._end(now)

    def _end(self, now: float) -> None:
        if self.asked:
            self.asked = False
            ended = min(now, self._until)
            self._not_before = ended + (ended - self._began)
            self._over.set()
