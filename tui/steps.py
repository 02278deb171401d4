"""What a moment of a run is called, and how its progress is counted: the one place that knows.

A step bears one number, from 0, in the ledger and wherever it is shown: that of its bar, of the
decision that sees the bar, and of what was filled at it. ``settled`` is a count, as
``RunRecord.step_index`` is: a run that has settled 60 steps stands at step 59, and what is shown of
that is the step's number. What is a count is worded as one: ``60 of 1,614 steps``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from tui.format import DASH

if TYPE_CHECKING:
    from engine.model import RunRecord


RULE: Final = "Numbered from 0: step 59 is the 60th bar, its decision and its fills."
"""The rule for people."""


class Counted(Protocol):
    """A run as far as its progress goes: its row, or what a list knows of that."""

    @property
    def step_index(self) -> int:
        """Settled steps."""

    @property
    def total_steps(self) -> int | None:
        """Steps of the whole run; None while that is not known."""


def number_of(settled: int) -> int | None:
    """The number of the step that a run stands at; None where it stands before the first."""
    return settled - 1 if settled else None


def settled_at(step: int) -> int:
    """How many steps are settled where a run stands at ``step``."""
    return step + 1


def lead_of(record: RunRecord) -> int:
    """How far settling runs ahead of deciding: 1 where orders fill at the next open, else 0."""
    rules = record.config.get("rules") or {}
    return 1 if rules.get("fill", "next_open") == "next_open" else 0


def decided_at(record: RunRecord, settled: int) -> int:
    """How many decisions are made at a moment, which is the number of the one that is due.

    Where orders fill at the next open that is the decision of the step that the run stands at;
    where they fill at the close, that of the next one.
    """
    return max(0, settled - lead_of(record))


def place(settled: int, total: int | None) -> str:
    """Where a run stands and where it ends: ``59/1613``, both numbers of steps."""
    at, last = number_of(settled), number_of(total or 0)
    return f"{DASH if at is None else at}/{'?' if last is None else last}"


def place_of(run: Counted) -> str:
    """Where a run stands and where it ends; see ``place``."""
    return place(run.step_index, run.total_steps)


def count_of(run: Counted) -> str:
    """How far a run is, as a count: ``60 of 1,614 steps``."""
    total = "?" if run.total_steps is None else f"{run.total_steps:,}"
    return f"{run.step_index:,} of {total} steps"
