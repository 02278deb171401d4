"""The state table, over its whole product."""

from __future__ import annotations

import itertools

import pytest

from engine.errors import IllegalTransition
from engine.runs.lifecycle import (
    ACTIVE,
    TABLE,
    TERMINAL,
    Status,
    Trigger,
    after,
    sources,
    target,
)


@pytest.mark.parametrize(("status", "trigger"), itertools.product(Status, Trigger))
def test_every_pair_is_in_the_table_or_raises(status: Status, trigger: Trigger) -> None:
    """A trigger leads where the table says, and every pair it does not list is an error."""
    if (status, trigger) in TABLE:
        assert after(status, trigger) is TABLE[status, trigger]
        assert status in sources(trigger)
    else:
        with pytest.raises(IllegalTransition, match=status.value):
            after(status, trigger)
        assert status not in sources(trigger)


def test_nothing_leaves_a_terminal_state() -> None:
    """Completed, failed and cancelled runs have no transition at all."""
    assert not [pair for pair in TABLE if pair[0] in TERMINAL]


def test_interrupted_is_neither_active_nor_terminal() -> None:
    """An interrupted run holds no slot and has not ended."""
    assert Status.INTERRUPTED not in ACTIVE | TERMINAL
    assert set(Status) == ACTIVE | TERMINAL | {Status.INTERRUPTED}


@pytest.mark.parametrize("status", sorted(ACTIVE))
def test_every_active_run_can_be_cancelled_failed_and_interrupted(status: Status) -> None:
    """However far a run has come, it can be ended or left."""
    assert after(status, Trigger.CANCEL) is Status.CANCELLED
    assert after(status, Trigger.FAIL) is Status.FAILED
    assert after(status, Trigger.INTERRUPT) is Status.INTERRUPTED


@pytest.mark.parametrize("trigger", Trigger)
def test_a_trigger_leads_to_one_state(trigger: Trigger) -> None:
    """A conditional write may name its target without knowing which source it will find."""
    assert {TABLE[source, trigger] for source in sources(trigger)} == {target(trigger)}
