"""What can be done to runs from more than one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tui.messages import Said
from tui.viewmodel import runs

if TYPE_CHECKING:
    from textual.message import Message

    from tui.app import StepdeckApp
    from tui.viewmodel.runs import Run

MOST_LINES: Final = 8


def some_lines(chosen: Sequence[Run]) -> list[str]:
    """The first runs in a line each, and how many more there are."""
    lines = [runs.one_line(run) for run in chosen[:MOST_LINES]]
    return lines + [f"and {len(chosen) - MOST_LINES} more"] * (len(chosen) > MOST_LINES)


def delete_each(deck: StepdeckApp, run_ids: Sequence[str]) -> None:
    """Delete runs; one that cannot be deleted does not keep the others."""
    for run_id in run_ids:

        def deleting(run_id: str = run_id) -> Message:
            gone = deck.gateway.delete(run_id)
            deck.poller.look_now()
            return Said(f"deleted {run_id}" if gone else f"{run_id} is active: not deleted")

        deck.work.ask("delete the run", deleting, deck)
