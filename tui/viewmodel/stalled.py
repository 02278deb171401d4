"""Runs whose rows the ledger does not take, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.run_book import Stalled


def stalled_text(stall: Stalled) -> str:
    """One run that waits: ``stalls since 15:32:07, and tries again by itself: …``."""
    return f"stalls since {_clock(stall.since)}, and tries again by itself: {stall.why}"


def notice(stalls: Sequence[Stalled]) -> str:
    """All of them, in a line on top of the list."""
    first = min(stalls, key=lambda stall: stall.since)
    if len(stalls) == 1:
        return f"1 run {stalled_text(first)}"
    return (
        f"{len(stalls)} runs stall since {_clock(first.since)}, and try again by themselves: "
        f"{first.why}"
    )


def _clock(stamp: str) -> str:
    """The time of day of an ISO stamp, here."""
    return f"{datetime.fromisoformat(stamp).astimezone():%H:%M:%S}"
