"""What can be done to runs from more than one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from engine.errors import InvalidOption
from tui.messages import Made, Said
from tui.screens.asking import AskDialog
from tui.steps import decided_at, number_of, settled_at
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


def step_to_fork_at(text: str, last: int) -> int:
    """The step that a fork is to stand at.

    Raises ``InvalidOption`` for what is no whole number from 0 to ``last``.
    """
    cleaned = text.strip().replace(",", "")
    if not cleaned.isascii() or not cleaned.isdigit() or int(cleaned) > last:
        raise InvalidOption(
            f"{text.strip()!r} is no step of this run" if cleaned else "no step yet",
            field="at",
            remedy=f"a number from 0 to {last}",
        )
    return int(cleaned)


def fork(deck: StepdeckApp, run: Run) -> None:
    """Ask for the step, make the fork and open it."""
    last = number_of(run.step_index)
    if last is None:
        return

    def check(text: str) -> str:
        return (
            f"a new run with the same past up to step {step_to_fork_at(text, last)}, paused there"
        )

    def answered(text: str | None) -> None:
        if text is None:
            return
        settled = settled_at(step_to_fork_at(text, last))

        def forking() -> Message:
            kept = decided_at(deck.gateway.record(run.run_id), settled)
            return Made(deck.gateway.fork(run.run_id, kept).run_id)

        deck.work.ask("fork the run", forking, deck)

    deck.push_screen(
        AskDialog(
            "Fork at which step?",
            [runs.one_line(run)],
            check,
            answer=str(last),
            yes="Fork",
        ),
        answered,
    )
