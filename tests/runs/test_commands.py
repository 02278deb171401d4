"""Driving a run that another owner has, through the ledger alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from engine import codec
from engine.drivers import commands
from engine.errors import (
    InvalidOption,
    LeaseLost,
    LedgerWriteFailed,
    RunNotActive,
    StepAlreadyFinalized,
    StepRewound,
)
from engine.model import Decision, Order
from engine.store import writes
from tests.runs.conftest import MANUAL, SMA, Deck


@pytest.fixture
def other(open_deck: Callable[..., Deck], deck: Deck) -> Deck:
    """A second owner of the same ledger."""
    return open_deck()


def test_pause_step_and_resume_travel_to_the_owner(deck: Deck, other: Deck) -> None:
    """What one process asks, the other's run does; the answer is the run's state after it."""
    run_id = deck.ready(replace(SMA, paused=True)).run_id
    record = commands.ask(other.service, run_id, "step", {"count": 5})
    assert (record.status, record.step_index) == ("paused", 6)
    assert commands.ask(other.service, run_id, "speed", {"speed": 50.0}).status == "paused"
    assert commands.ask(other.service, run_id, "resume").status == "running"
    assert commands.ask(other.service, run_id, "pause").status == "paused"
    with deck.reader() as reader:
        asked = reader.commands(run_id)
    assert [command.kind for command in asked] == ["step", "speed", "resume", "pause"]
    assert {command.requested_by for command in asked} == {other.service.instance.id}
    assert all(command.applied_at and not command.error_code for command in asked)


def test_a_decision_travels_to_the_owner(deck: Deck, other: Deck) -> None:
    """A manual run can be traded from another process; a late decision is refused there too."""
    run_id = deck.ready(MANUAL).run_id
    data = {"step": 0, "decision": codec.encode_decision(Decision((Order.buy("AAPL", 3),)))}
    assert commands.ask(other.service, run_id, "decide", data).num_fills == 1
    with pytest.raises(StepAlreadyFinalized, match="step 0 was decided already"):
        commands.ask(other.service, run_id, "decide", data)


def test_a_cancel_from_elsewhere_is_written_by_the_owner(deck: Deck, other: Deck) -> None:
    """The asker learns the true state; asking about an ended run changes nothing."""
    run_id = deck.ready(replace(SMA, paused=True)).run_id
    record = commands.ask(other.service, run_id, "cancel")
    assert (record.status, record.owner_instance) == ("cancelled", deck.service.instance.id)
    assert other.service.cancel(run_id) == record


def test_a_command_nobody_knows_is_answered_with_what_there_is(deck: Deck) -> None:
    """A word from a later version is refused by name, and the run goes on."""
    run_id = deck.ready(replace(SMA, paused=True)).run_id
    with pytest.raises(InvalidOption, match="no command 'dance'"):
        commands.carry_out(deck.service, run_id, "dance", {})
    assert deck.service.record(run_id).status == "paused"


def test_a_stale_owner_writes_nothing(deck: Deck, other: Deck) -> None:
    """Once a run has another epoch, its former owner's next batch lands in no table."""
    session = deck.ready(replace(SMA, paused=True))
    run_id = session.run_id
    deck.service.step(run_id, 3)
    epoch = other.ledger.write(
        lambda conn: writes.adopt(
            conn,
            run_id,
            new_owner=other.service.instance.id,
            old_owner=deck.service.instance.id,
            old_epoch=1,
            sources={"paused"},
            to="interrupted",
            at="2026-01-01T00:00:00.000Z",
            columns={},
        )
    )
    assert epoch == 2
    before = other.service.record(run_id)
    with pytest.raises(LeaseLost, match="no longer this process's"):
        commands.carry_out(deck.service, run_id, "step", {"count": 4})
    assert session.closed.is_set()
    with pytest.raises(RunNotActive, match="is interrupted"):
        deck.service.step(run_id)
    assert other.service.record(run_id) == before
    with other.reader() as reader:
        assert len(reader.equity(run_id).steps) == before.step_index == 4


def test_rewind_take_over_and_hand_back_travel_to_the_owner(deck: Deck, other: Deck) -> None:
    """A run of another process is driven like one's own, with the errors that one's own has."""
    run_id = deck.ready(replace(SMA, paused=True)).run_id
    commands.ask(other.service, run_id, "step", {"count": 60})
    record = commands.ask(other.service, run_id, "rewind", {"step": 20, "epoch": 1})
    assert (record.status, record.step_index, record.rewind_count) == ("paused", 21, 1)
    with pytest.raises(StepRewound):
        commands.ask(other.service, run_id, "decide", {"step": 20, "decision": {}, "epoch": 1})
    with pytest.raises(StepRewound):
        commands.ask(other.service, run_id, "rewind", {"step": 20, "epoch": 1})
    with pytest.raises(InvalidOption, match="give 0 to 20"):
        commands.ask(other.service, run_id, "rewind", {"step": 21})
    assert commands.ask(other.service, run_id, "take_over").metadata["taken_over"] is True
    data = {"step": 20, "decision": {}, "epoch": 2}
    assert commands.ask(other.service, run_id, "decide", data).step_index == 22
    assert "taken_over" not in commands.ask(other.service, run_id, "hand_back").metadata
    with deck.reader() as reader:
        sources = {row.decision_source for row in reader.steps(run_id, since=20)}
    assert sources == {"manual"}


def test_data_that_no_command_takes_is_answered(deck: Deck, other: Deck) -> None:
    """Rows that another program wrote are refused by name; the owner answers on."""
    run_id = deck.ready(replace(SMA, paused=True)).run_id
    for kind, data in (("rewind", {}), ("rewind", {"step": "x"}), ("decide", {"step": []})):
        with pytest.raises(InvalidOption, match="not what it takes"):
            commands.ask(other.service, run_id, kind, data)
    assert commands.ask(other.service, run_id, "step").step_index == 2


def test_a_cancel_does_not_wait_for_a_strategy_that_is_warmed(
    deck: Deck, other: Deck, strategy_file: Callable[[str], str]
) -> None:
    """A rewind that warms for long holds up neither a cancel nor other runs, and lands nowhere."""
    body = (
        "import pathlib, time\n"
        f"if pathlib.Path({str(deck.ledger.path.with_name('slow'))!r}).exists():\n"
        "    time.sleep(0.1)\n"
        "return None"
    )
    run_id = deck.ready(replace(SMA, strategy=strategy_file(body), paused=True)).run_id
    second = deck.ready(replace(SMA, paused=True)).run_id
    deck.service.step(run_id, 400)
    deck.ledger.path.with_name("slow").touch()
    asking = threading.Thread(
        target=commands.ask, args=(other.service, run_id, "rewind", {"step": 390})
    )
    asking.start()
    with deck.reader() as reader:
        while not reader.pending_commands(deck.service.instance.id):
            assert asking.is_alive()
    assert commands.ask(other.service, second, "step").step_index == 2
    assert commands.ask(other.service, run_id, "cancel").status == "cancelled"
    asking.join(60)
    record = deck.service.record(run_id)
    assert (record.status, record.rewind_count, record.step_index) == ("cancelled", 0, 401)


@pytest.mark.parametrize("data", ["[]", "not JSON", '{"count": 1e400}', '{"count": null}', "7"])
def test_rows_of_any_kind_are_answered(deck: Deck, other: Deck, data: str) -> None:
    """Whatever another program wrote as a command's data, the owner refuses it and answers on."""
    run_id = deck.ready(replace(SMA, paused=True)).run_id

    def write(conn: writes.Connection) -> int:
        asked = writes.request_command(conn, run_id, "step", {}, "2026-01-01T00:00:00.000Z", None)
        conn.execute("UPDATE commands SET data = ? WHERE command_id = ?", (data, asked))
        return asked

    asked = other.ledger.write(write)
    assert commands.ask(other.service, run_id, "speed", {"speed": 9.0}).metadata["speed"] == 9.0
    with deck.reader() as reader:
        deck.until(lambda: reader.command(asked).applied_at is not None)
        assert reader.command(asked).error_code == "invalid_option"
    assert deck.service.record(run_id).step_index == 1


def test_a_call_that_does_not_return_holds_up_its_own_run_alone(
    deck: Deck, other: Deck, strategy_file: Callable[[str], str]
) -> None:
    """Asked to pause or to step a run whose strategy hangs, an owner answers others, and a cancel
    of that run."""
    go = deck.ledger.path.with_name("go")
    body = (
        "import pathlib, time\n"
        f"pathlib.Path({str(go.with_name('in'))!r}).touch()\n"
        f"while not pathlib.Path({str(go)!r}).exists():\n"
        "    time.sleep(0.01)\n"
        "return None"
    )
    spec = strategy_file(body)
    hung = deck.start(replace(SMA, strategy=spec)).run_id
    deck.until(go.with_name("in").exists)
    stepped = deck.start(replace(SMA, strategy=spec, paused=True)).run_id
    deck.until(lambda: deck.service.record(stepped).status == "paused")
    quiet = deck.start(replace(SMA, paused=True)).run_id
    deck.until(lambda: deck.service.record(quiet).status == "paused")
    at = "2026-01-01T00:00:00.000Z"
    for run_id, kind in ((hung, "pause"), (stepped, "step")):
        other.ledger.write(lambda conn: writes.request_command(conn, run_id, kind, {}, at, None))  # noqa: B023  # called at once
    try:
        assert commands.ask(other.service, quiet, "step").step_index == 2
        assert commands.ask(other.service, stepped, "cancel").status == "cancelled"
        assert commands.ask(other.service, hung, "cancel").status == "cancelled"
    finally:
        go.touch()
    with deck.reader() as reader:
        deck.until(lambda: not reader.pending_commands(deck.service.instance.id))
    assert {deck.service.record(run_id).status for run_id in (hung, stepped)} == {"cancelled"}


def test_what_was_done_is_not_done_again_if_its_answer_was_refused(
    deck: Deck, other: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step whose answer the ledger would not take is made once, and answered later."""
    run_id = deck.ready(replace(SMA, paused=True)).run_id
    refused = 0
    answer = writes.answer_command

    def refuse(*args: object, **values: object) -> bool:
        nonlocal refused
        if refused < 3:
            refused += 1
            raise LedgerWriteFailed("the disk is full", field="db")
        return answer(*args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(writes, "answer_command", refuse)
    assert commands.ask(other.service, run_id, "step").step_index == 2
    assert refused == 3
    assert deck.service.record(run_id).step_index == 2


def test_a_cancel_of_a_run_that_is_left_meanwhile(
    deck: Deck, other: Deck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An owner that goes before it hears of a cancel leaves it to the asker, who is not kept
    waiting."""
    session = deck.ready(replace(SMA, paused=True))
    request = writes.request_cancel

    def leave(conn: writes.Connection, run_id: str, at: str) -> bool:
        # In the very transaction of the request, so that the owner cannot be the quicker one.
        asked = request(conn, run_id, at)
        writes.transition(
            conn,
            run_id,
            sources={"paused"},
            to="interrupted",
            owner=None,
            epoch=None,
            reason="owner_left",
            at=at,
            columns={},
        )
        return asked

    monkeypatch.setattr(writes, "request_cancel", leave)
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 600.0)
    monkeypatch.setattr(commands.Desk, "answer_pending", lambda *_: None)
    assert commands.ask(other.service, session.run_id, "cancel").status == "cancelled"
