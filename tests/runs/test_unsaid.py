"""A ledger that refuses to be written: nothing is lost, nothing is said that is not so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.errors import LedgerError, LedgerWriteFailed, StepNotActive
from engine.failpoints import armed
from engine.model import Decision, Order
from engine.runs.reaper import Reaper
from engine.runs.verify import verify
from tests.runs.conftest import MANUAL, SMA, Deck

BUY = Decision((Order.buy("AAPL", 2),))


def test_a_decision_that_could_not_be_written_was_not_made(deck: Deck) -> None:
    """Its caller was told; the step is due as before, and takes another decision than that one."""
    run_id = deck.ready(MANUAL).run_id
    with armed("commit.before", "error"), pytest.raises(LedgerWriteFailed):
        deck.service.submit(run_id, 0, BUY, key="k0")
    assert deck.service.record(run_id).step_index == 1
    assert deck.service.observe(run_id).step == 0
    with pytest.raises(StepNotActive):
        deck.service.submit(run_id, 1, Decision(), key="k1")
    deck.service.submit(run_id, 0, Decision(), key="k1")
    record = deck.service.submit(run_id, 1, BUY, key="k0")
    assert (record.step_index, record.num_fills) == (3, 1)
    with deck.reader() as reader:
        assert verify(reader, run_id).ok


def test_no_run_ends_without_its_last_steps(deck: Deck) -> None:
    """A batch is refused and the disk is well again: the end does not land on its own."""
    session = deck.ready(replace(SMA, paused=True))
    before = deck.service.step(session.run_id, 10)
    deck.host.close()
    with session.claim():
        deck.service.advance(session, 20)
        with armed("commit.before", "error"):
            deck.service.flush(session, wait=False)
            with pytest.raises(LedgerError):
                deck.service.flush(session, wait=True)
        session.in_flight[0].future.exception()
        deck.service.advance(session, 10_000)
    record = deck.service.record(session.run_id)
    assert record.status == "completed"
    with deck.reader() as reader:
        assert len(reader.equity(session.run_id).steps) == record.step_index == record.total_steps
    assert before.step_index == 11


@pytest.mark.parametrize("ending", ["cancel", "complete", "fail"])
def test_an_end_that_could_not_be_written_is_written_later(deck: Deck, ending: str) -> None:
    """The row says nothing untrue meanwhile, and the whole truth as soon as it can be written."""
    whole = deck.run(SMA)
    session = deck.ready(replace(SMA, paused=True))
    run_id = session.run_id
    deck.service.step(run_id, 10)
    deck.host.close()
    end: dict[str, Callable[[], object]] = {
        "cancel": lambda: deck.service.cancel(run_id),
        "complete": lambda: deck.service.step(run_id, 10_000),
        "fail": lambda: deck.service.fail(session, LedgerError("as good as any")),
    }
    with armed("end.sealed", "error"), pytest.raises(LedgerWriteFailed):
        end[ending]()
    assert deck.service.record(run_id).status == "paused"
    with armed("begin.after", "error"):
        assert "retry" in Reaper(deck.service).sweep().failed
    assert Reaper(deck.service).sweep().failed == []
    record = deck.service.record(run_id)
    assert (
        record.status == {"cancel": "cancelled", "complete": "completed", "fail": "failed"}[ending]
    )
    if ending == "complete":
        assert record.metrics == whole.metrics
        assert deck.digest(run_id) == deck.digest(whole.run_id)
