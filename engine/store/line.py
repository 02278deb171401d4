"""The line of writes in front of the one writer of a process: who is next.

Writes of one run land in the order they were asked for. Those that somebody waits for go ahead of
those that nobody does (batches of strategies on their way), together with what stands before them
of their own run, so that a cancel waits for its run's steps and not for everybody's.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MOST_IN_A_ROW: Final = 16
"""Waited-for writes after which one that nobody waits for has its turn all the same."""


@dataclass(eq=False, slots=True)
class Place:
    """A write in the line; ``run_id`` None for what belongs to no run's order."""

    work: Callable[[], None]
    run_id: str | None
    waited: bool
    number: int = field(default=0, init=False)


class Line:
    """May be used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str | None, deque[Place]] = {}
        self._number = 0
        self._in_a_row = 0

    def join(self, place: Place) -> None:
        """Go to the end of the line."""
        with self._lock:
            self._number += 1
            place.number = self._number
            self._runs.setdefault(place.run_id, deque()).append(place)

    def hurry(self, run_id: str) -> None:
        """Somebody waits for the run's writes after all."""
        with self._lock:
            for place in self._runs.get(run_id, ()):
                place.waited = True

    def next(self) -> Place:
        """Take whose turn it is out of the line. Raises ``LookupError`` where nobody stands."""
        with self._lock:
            if not self._runs:
                raise LookupError("nobody is in the line")
            waited = [
                (place.number, run_id)
                for run_id, places in self._runs.items()
                if (place := _first_waited(places)) is not None
            ]
            quiet = [
                (places[0].number, run_id)
                for run_id, places in self._runs.items()
                if not places[0].waited
            ]
            if waited and not (quiet and self._in_a_row >= MOST_IN_A_ROW):
                self._in_a_row += 1
                _, run_id = min(waited, key=_number)
            else:
                self._in_a_row = 0
                _, run_id = min(quiet, key=_number)
            places = self._runs[run_id]
            place = places.popleft()
            if not places:
                del self._runs[run_id]
            return place


def _first_waited(places: deque[Place]) -> Place | None:
    return next((place for place in places if place.waited), None)


def _number(found: tuple[int, str | None]) -> int:
    return found[0]
