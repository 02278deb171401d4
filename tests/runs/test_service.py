"""Runs from their first row to their last, through the one door."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from engine.errors import (
    RunNotActive,
    StepAlreadyFinalized,
    StepdeckError,
    StepNotActive,
    TooManyActiveRuns,
    UnknownSymbol,
)
from engine.model import Decision, Order, Rules, RunRequest
from engine.runs.lifecycle import TERMINAL, Status
from engine.runs.limits import Limits
from engine.runs.output import log_path
from tests.runs.conftest import MANUAL, SMA, Deck


def test_a_run_ends_completed_with_a_row_for_every_grid_point(deck: Deck) -> None:
    """The row, the curve and the events of a finished run agree."""
    record = deck.run(SMA)
    assert (record.status, record.end_reason) == ("completed", "end_of_data")
    with deck.reader() as reader:
        steps, _, equity, cash = reader.equity(record.run_id)
        events = reader.events_after(0, run_id=record.run_id)
    assert record.step_index == record.total_steps == len(steps)
    assert steps.tolist() == list(range(len(steps)))
    assert (equity[-1], cash[-1]) == (record.equity, record.cash)
    assert record.total_return == pytest.approx(equity[-1] / record.initial_cash - 1, abs=1e-12)
    states = [event.data["to"] for event in events if event.kind == "status"]
    assert states == ["created", "loading", "running", "completed"]
    assert record.metrics["num_fills"] == record.num_fills > 0


def test_stepping_by_hand_gives_the_rows_that_running_gives(deck: Deck) -> None:
    """One step at a time, in tens, or all at once: the same digest and the same figures (D1)."""
    request = replace(SMA, start=date(2008, 1, 1), end=date(2009, 6, 30))
    whole = deck.run(request)
    session = deck.ready(replace(request, paused=True))
    assert deck.service.record(session.run_id).status == Status.PAUSED
    for count in (1, 1, 10, 1, 100):
        before = deck.service.record(session.run_id).step_index
        assert deck.service.step(session.run_id, count).step_index == before + count
    deck.service.resume(session.run_id)
    assert session.closed.wait(60)
    stepped = deck.service.record(session.run_id)
    assert deck.digest(stepped.run_id) == deck.digest(whole.run_id)
    assert stepped.metrics == whole.metrics


def test_a_step_of_a_running_strategy_pauses_it(deck: Deck) -> None:
    """What follows a step by hand is by hand, until somebody resumes."""
    session = deck.start(replace(SMA, speed=5.0))
    _until(lambda: deck.service.record(session.run_id).status == Status.RUNNING)
    assert deck.service.step(session.run_id).status == Status.PAUSED


def test_manual_decisions_are_durable_when_they_are_answered(deck: Deck) -> None:
    """A buy and a sell by hand fill at the next opens and are in the ledger at once."""
    session = deck.ready(MANUAL)
    run_id = session.run_id
    deck.service.submit(run_id, 0, Decision((Order.buy("AAPL", 100),)))
    deck.service.submit(run_id, 1, Decision())
    record = deck.service.submit(run_id, 2, Decision((Order.sell("AAPL", 40),), rationale="enough"))
    assert (record.step_index, record.num_fills) == (4, 2)
    with deck.reader() as reader:
        fills = reader.fills(run_id)
        held = reader.positions(run_id)
        steps = reader.steps(run_id)
    assert [(fill.side, fill.quantity, fill.step_index) for fill in fills] == [
        ("buy", 100, 1),
        ("sell", 40, 3),
    ]
    assert [(position.symbol, position.quantity) for position in held] == [("AAPL", 60)]
    assert [(row.step_index, row.decision_source) for row in steps] == [
        (0, "manual"),
        (1, "manual"),
        (2, "manual"),
    ]


def test_a_decision_names_the_step_that_is_due(deck: Deck) -> None:
    """Late and early decisions change nothing; a repeat with its key is answered again."""
    run_id = deck.ready(MANUAL).run_id
    buy = Decision((Order.buy("AAPL", 1),))
    deck.service.submit(run_id, 0, buy, key="k1")
    before = deck.service.record(run_id)
    assert deck.service.submit(run_id, 0, buy, key="k1") == before
    with pytest.raises(StepAlreadyFinalized, match="step 0 was decided"):
        deck.service.submit(run_id, 0, Decision(), key="k1")
    with pytest.raises(StepAlreadyFinalized):
        deck.service.submit(run_id, 0, buy)
    with pytest.raises(StepNotActive, match="step 1 is due"):
        deck.service.submit(run_id, 2, buy)
    assert deck.service.record(run_id) == before


def test_a_manual_run_ends_with_its_last_decision(deck: Deck) -> None:
    """The last decision settles nothing more, expires what it asked for, and completes the run."""
    window = replace(MANUAL, start=date(2012, 12, 24), end=date(2012, 12, 31))
    session = deck.ready(window)
    total = deck.service.record(session.run_id).total_steps
    assert total is not None
    deck.service.step(session.run_id, total - 1)
    record = deck.service.submit(session.run_id, total - 1, Decision((Order.buy("AAPL", 1),)))
    assert (record.status, record.step_index) == ("completed", total)
    with deck.reader() as reader:
        (order,) = reader.orders(session.run_id)
    assert (order.status, order.reason) == ("expired", "no_next_bar")


@pytest.mark.parametrize("when", ["created", "paused", "running", "interrupted"])
def test_cancel_ends_a_run_wherever_it_is(deck: Deck, when: str) -> None:
    """A cancel is committed once, with its reason, and says so however often it is asked."""
    if when == "created":
        session = deck.service.create(SMA)
    elif when == "running":
        session = deck.start(replace(SMA, speed=20.0))
        _until(lambda: deck.service.record(session.run_id).step_index > 1)
    else:
        session = deck.ready(replace(SMA, paused=True))
        deck.service.step(session.run_id, 50)
    if when == "interrupted":
        deck.service.interrupt(session)
    record = deck.service.cancel(session.run_id)
    assert (record.status, record.end_reason) == ("cancelled", "cancelled_by_user")
    assert record.finished_at is not None
    assert deck.service.cancel(session.run_id) == record
    with deck.reader() as reader:
        events = reader.events_after(0, run_id=session.run_id)
        assert len(reader.equity(session.run_id).steps) == record.step_index
    assert [e.data["to"] for e in events if e.kind == "status"].count("cancelled") == 1


def test_cancel_changes_nothing_of_a_finished_run(deck: Deck) -> None:
    """A late cancel is told the truth: the run had completed."""
    record = deck.run(SMA)
    assert deck.service.cancel(record.run_id) == record


def test_cancel_does_not_wait_for_a_strategy_that_does_not_return(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """The run is cancelled over the strategy's head, and what it still answers is fenced."""
    inside, gate = tmp_path / "inside", tmp_path / "gate"
    spec = strategy_file(
        "import pathlib, time\n"
        "if obs.step == 5:\n"
        f"    pathlib.Path({str(inside)!r}).touch()\n"
        f"    while not pathlib.Path({str(gate)!r}).exists():\n"
        "        time.sleep(0.01)\n"
        "return Order.buy(obs.symbols[0], 1)"
    )
    session = deck.start(RunRequest(spec, symbols=("IBM",), baselines=False))
    _until(inside.exists)
    record = deck.service.cancel(session.run_id)
    assert record.status == "cancelled"
    gate.touch()
    assert deck.host.wait_idle(30)
    assert deck.service.record(session.run_id) == record


def test_caps_are_refused_before_there_is_a_row(open_deck: Callable[..., Deck]) -> None:
    """At a cap nothing is inserted, and the message says count and limit; a cancel frees a slot."""
    deck = open_deck(Limits(max_active_runs=3, max_active_runs_per_agent=1))
    first = deck.service.create(replace(SMA, agent_id="a"))
    with pytest.raises(TooManyActiveRuns, match="1 runs of agent a are active and the limit is 1"):
        deck.service.create(replace(SMA, agent_id="a"))
    deck.service.create(SMA)
    deck.service.create(SMA)
    with pytest.raises(TooManyActiveRuns, match="3 runs are active and the limit is 3"):
        deck.service.create(SMA)
    deck.service.cancel(first.run_id)
    deck.service.create(SMA)
    with deck.reader() as reader:
        assert len(reader.runs()) == 4


def test_a_refused_request_leaves_no_row(deck: Deck) -> None:
    """Unknown symbols and bad rules are refused while nothing has been written."""
    with pytest.raises(UnknownSymbol, match="NOPE"):
        deck.service.create(replace(SMA, symbols=("NOPE",)))
    with pytest.raises(StepdeckError, match="cash is -5"):
        deck.service.create(replace(SMA, rules=Rules(cash=-5.0)))
    with deck.reader() as reader:
        assert reader.runs(all_runs=True) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("if obs.step == 7:\n    1 / 0", "ZeroDivisionError: division by zero in own.py:9"),
        ("if obs.step == 7:\n    raise SystemExit(3)", "SystemExit: 3 in own.py:9"),
        ("if obs.step == 7:\n    raise KeyboardInterrupt", "KeyboardInterrupt in own.py:9"),
    ],
)
def test_a_strategy_that_fails_fails_its_own_run(
    deck: Deck, strategy_file: Callable[[str], str], body: str, said: str
) -> None:
    """The steps before the failure are kept, the row says file and line, other runs go on."""
    other = deck.start(SMA)
    record = deck.run(RunRequest(strategy_file(body), symbols=("AAPL",), baselines=False))
    assert (record.status, record.end_reason) == ("failed", "strategy_error")
    assert said in (record.error_message or "")
    assert "\n" not in (record.error_message or "")
    assert record.step_index == 8
    assert other.closed.wait(60)
    assert deck.service.record(other.run_id).status == "completed"


def test_an_error_of_our_own_ends_the_run_at_what_is_committed(deck: Deck) -> None:
    """Steps that could not be written are not in the row's figures, and the row says what was."""
    session = deck.ready(replace(SMA, paused=True))
    deck.service.step(session.run_id, 60)
    before = deck.service.record(session.run_id)
    with session.claim():
        deck.service.advance(session, 30)
        assert session.unwritten
        deck.service.give_up(session, StepdeckError("RuntimeError: a bug"))
    record = deck.service.record(session.run_id)
    assert (record.status, record.error_message) == ("failed", "RuntimeError: a bug")
    assert (record.step_index, record.equity) == (before.step_index, before.equity)
    with deck.reader() as reader:
        assert len(reader.equity(session.run_id).steps) == before.step_index


def test_what_a_strategy_prints_goes_to_its_log(
    deck: Deck, strategy_file: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing reaches the screen; the log has every line."""
    spec = strategy_file("print('step', obs.step)")
    window = replace(MANUAL, start=date(2012, 12, 24), end=date(2012, 12, 31))
    record = deck.run(replace(window, strategy=spec))
    assert capsys.readouterr().out == ""
    lines = log_path(deck.ledger.path, record.run_id).read_text().splitlines()
    assert lines == [f"step {i}" for i in range(record.step_index)]


def test_an_empty_window_fails_the_run_with_its_reason(deck: Deck) -> None:
    """A run that was accepted and finds no bars ends failed, and says what was missing."""
    record = deck.run(replace(SMA, start=date(1980, 1, 1), end=date(1980, 2, 1)))
    assert record.status == "failed"
    assert record.end_reason == record.error_code == "market_data_unavailable"
    assert "1980-01-01" in (record.error_message or "")


def test_baselines_come_after_the_result_and_cannot_change_it(deck: Deck) -> None:
    """Buy and hold is an ordinary run, linked to its own, on the same bars and rules."""
    record = deck.run(replace(SMA, baselines=True))
    with deck.reader() as reader:
        twin, index = reader.baselines(record.run_id)
        assert reader.runs() == [record]
    assert index.name == "index: price average, frictionless"
    assert twin.status == "completed"
    assert twin.bars_hash == record.bars_hash
    assert record.finished_at is not None
    assert record.finished_at <= twin.created_at
    assert deck.service.record(record.run_id) == record


def test_paused_and_finished_runs_refuse_what_they_cannot_do(deck: Deck) -> None:
    """Pausing twice changes nothing; a finished run takes no more steps."""
    session = deck.ready(replace(SMA, paused=True))
    assert deck.service.pause(session.run_id).status == "paused"
    done = deck.run(SMA)
    for operate in (deck.service.pause, deck.service.resume, deck.service.step):
        with pytest.raises(RunNotActive, match="is completed"):
            operate(done.run_id)


def test_two_threads_cannot_decide_the_same_step(deck: Deck) -> None:
    """Of many decisions for one step exactly one lands."""
    run_id = deck.ready(MANUAL).run_id
    outcomes: list[str] = []

    def decide(quantity: int) -> None:
        try:
            deck.service.submit(run_id, 0, Decision((Order.buy("AAPL", quantity),)))
            outcomes.append("landed")
        except StepAlreadyFinalized:
            outcomes.append("refused")

    threads = [threading.Thread(target=decide, args=(i + 1,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["landed"] + ["refused"] * 7
    assert deck.service.record(run_id).step_index == 2


def test_many_runs_share_the_host_and_all_end(deck: Deck) -> None:
    """Twelve runs on two threads end completed, each as it would have alone."""
    sessions = [deck.start(SMA) for _ in range(12)]
    for session in sessions:
        assert session.closed.wait(120)
    records = [deck.service.record(session.run_id) for session in sessions]
    assert {record.status for record in records} == {Status.COMPLETED} <= TERMINAL
    assert len({deck.digest(record.run_id) for record in records}) == 1
    assert np.ptp([record.equity for record in records]) == 0


def _until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what another thread is about to do."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if holds():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come to pass")


def test_many_steps_by_hand_are_committed_on_the_way(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """A thousand slow steps at one request stand in the ledger as they are made; a cancel ends
    them."""
    spec = strategy_file("import time\ntime.sleep(0.005)\nreturn None")
    run_id = deck.ready(replace(SMA, strategy=spec, paused=True)).run_id
    stepping = threading.Thread(target=deck.service.step, args=(run_id, 100_000), daemon=True)
    stepping.start()
    deck.until(lambda: deck.service.record(run_id).step_index > 20)
    assert stepping.is_alive()
    assert deck.service.cancel(run_id).status == "cancelled"
    stepping.join(60)
    assert not stepping.is_alive()
