"""The clock as an argument: nothing in the engine reads the time any other way."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for stamps that people read, monotonic time for everything that is measured."""

    def now(self) -> datetime:
        """The wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def wall_text(clock: Clock) -> str:
    """Now, as ISO 8601 text in UTC with milliseconds: ``2026-03-02T14:30:00.125Z``."""
    return time_text(clock.now())


def time_text(moment: datetime) -> str:
    """An aware time in UTC in the form of ``wall_text``."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
