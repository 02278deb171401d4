"""The same decision again: the same answer, whatever has become of its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from engine.errors import RunNotActive, StepAlreadyFinalized
from engine.model import Decision, Order, RunRecord, RunRequest
from engine.runs.answers import Answer, answer_at
from tests.runs.conftest import AGENT, MANUAL, SMA, Deck

BUY = Decision((Order.buy("AAPL", 7), Order.buy("NOPE", 1)), confidence=0.5, rationale="why not")
START, END = date(2012, 12, 24), date(2012, 12, 31)


def _answer(deck: Deck, run_id: str, step: int) -> Answer:
    with deck.reader() as reader:
        answer = answer_at(reader, run_id, step)
    assert answer is not None
    return answer


def _calm(record: RunRecord) -> RunRecord:
    """The row without what only shows that its owner lives."""
    return replace(record, heartbeat_seq=0, heartbeat_at=None)


def test_an_answer_says_what_a_decision_led_to(deck: Deck) -> None:
    """Its orders, what was refused of them, what it filled, and the account after it."""
    run_id = deck.ready(AGENT).run_id
    record = deck.service.submit(run_id, 0, BUY, key="k0")
    answer = _answer(deck, run_id, 0)
    assert (answer.status, answer.source, answer.key) == ("completed", "agent", "k0")
    assert answer.decision == BUY
    assert len(answer.orders) == 2
    assert [reason for _, reason in answer.rejections] == ["invalid_symbol"]
    assert [(fill.symbol, fill.quantity, fill.step_index) for fill in answer.fills] == [
        ("AAPL", 7, 1)
    ]
    assert (answer.equity, answer.cash) == (record.equity, record.cash)
    with deck.reader() as reader:
        assert answer_at(reader, run_id, 1) is None


@pytest.mark.parametrize("after", ["later steps", "the end", "a cancel", "a restart", "leaving"])
@pytest.mark.parametrize("request_", [MANUAL, AGENT], ids=["manual", "agent"])
def test_a_repeat_is_answered_from_the_ledger(
    open_deck: Callable[..., Deck], request_: RunRequest, after: str
) -> None:
    """Same key and content: the stored answer, and no row changes; other content is refused."""
    deck = open_deck()
    session = deck.ready(replace(request_, start=START, end=END))
    run_id = session.run_id
    deck.service.submit(run_id, 0, BUY, key="k0")
    deck.service.submit(run_id, 1, Decision(), key="k1")
    before = _answer(deck, run_id, 0)
    if after in ("the end", "later steps"):
        total = deck.service.record(run_id).total_steps
        assert total is not None
        for step in range(2, total if after == "the end" else 4):
            deck.service.submit(run_id, step, Decision())
    elif after == "a cancel":
        deck.service.cancel(run_id)
    else:
        deck.service.interrupt(session)
    if after in ("a restart", "the end", "a cancel"):
        deck.close()
        deck = open_deck()
    if after == "a restart":
        deck.take_up(run_id)
    record = _calm(deck.service.record(run_id))
    assert record.status == {
        "the end": "completed", "a cancel": "cancelled", "leaving": "interrupted"
    }.get(after, "running")  # fmt: skip
    assert _calm(deck.service.submit(run_id, 0, BUY, key="k0")) == record
    assert _calm(deck.service.submit(run_id, 1, Decision(), key="k1")) == record
    assert _answer(deck, run_id, 0) == before
    with pytest.raises(StepAlreadyFinalized, match=r"step 0 was decided already: .*AAPL"):
        deck.service.submit(run_id, 0, Decision(), key="k0")
    with pytest.raises(StepAlreadyFinalized, match="step 0 was decided already"):
        deck.service.submit(run_id, 0, BUY, key="other")
    assert _calm(deck.service.record(run_id)) == record


def test_a_key_decides_one_step_only(deck: Deck) -> None:
    """A key that another step has is refused by naming it, and nothing is computed or written."""
    run_id = deck.ready(MANUAL).run_id
    record = deck.service.submit(run_id, 0, BUY, key="k")
    for decision in (BUY, Decision()):
        with pytest.raises(StepAlreadyFinalized, match="the key k has decided step 0"):
            deck.service.submit(run_id, 1, decision, key="k")
    assert deck.service.record(run_id) == record
    assert deck.service.submit(run_id, 1, Decision(), key="k1").step_index == 3


def test_a_run_that_ended_takes_no_new_decision(deck: Deck) -> None:
    """What was never decided is not answered: the run is not active, and says what it is."""
    session = deck.ready(MANUAL)
    deck.service.submit(session.run_id, 0, BUY)
    deck.service.cancel(session.run_id)
    with pytest.raises(RunNotActive, match="is cancelled"):
        deck.service.submit(session.run_id, 1, BUY, key="new")


def test_a_strategy_s_hold_cannot_be_decided_again(deck: Deck) -> None:
    """A step without a row was held; in a finished run too it is final."""
    record = deck.run(replace(SMA, start=START, end=END))
    with pytest.raises(StepAlreadyFinalized, match=r"step 0 was decided already: \{\}"):
        deck.service.submit(record.run_id, 0, BUY)
