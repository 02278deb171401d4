"""What a screen asks of the engine threads beside it: to stand aside while it answers a key.

All threads of a process share the interpreter's lock. Beside two busy engine threads the screen's
gets a third of it, and waits for its turn each time it has let go; one key is many such times. So
who reads the terminal asks, the engine threads halt before their next step, and go on when the
answer is on its way to the terminal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from engine.runs.clock import Clock, SystemClock
from engine.sim.observation import Observation

MOST_SECONDS: Final = 0.05
"""How long one asking lasts, whatever becomes of who asked: three frames."""
_LOOK_SECONDS: Final = 0.002
"""How often one who stands aside looks whether somebody waits for the run in its hands."""

Decide = Callable[[Observation], object]
InTurn = Callable[[Decide], Decide]
"""Makes of a strategy's decisions the same ones, each made when it is the engine's turn."""


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
        """Whether to call ``stand_aside``: a mere look, for between two steps."""

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

    def stand_aside(self, wanted: Callable[[], bool] = lambda: False) -> None:
        """Wait, on an engine thread, until the answer is on its way or its time is over.

        ``wanted`` says whether somebody waits for what this thread holds: then it goes on at once.
        """
        while self.asked and not wanted():
            left = self._until - self._clock.monotonic()
            if left <= 0:
                self._expire()
            elif self._over.wait(min(left, _LOOK_SECONDS)):
                return

    def in_turn(self, wanted: Callable[[], bool]) -> InTurn:
        """Decisions before each of which a thread stands aside if it is asked to."""

        def of(decide: Decide) -> Decide:
            def decide_in_turn(observation: Observation) -> object:
                if self.asked:
                    self.stand_aside(wanted)
                return decide(observation)

            return decide_in_turn

        return of

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
