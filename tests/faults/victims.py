"""What processes do before they are killed: each takes a ledger's path and its line to the test."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from engine.errors import RunError
from engine.runs.lifecycle import MOVING, Status
from engine.runs.recovery import recover
from engine.runs.session import Session
from tests.faults.nursery import Line
from tests.faults.works import BY_HAND, by_hand, request
from tests.runs.conftest import Deck


def work(path: Path, line: Line, works: tuple[str, ...], seed: int) -> None:
    """Take up what others left, begin new works, and say what is durable, until killed.

    Says ``("begun",)``, then ``("run", id, work)`` of each run, ``("step", id, step)`` of each
    decision that was acknowledged, ``("ended", id, status)`` of each run seen ended, ``("idle",)``.
    """
    deck = Deck(path)
    service = deck.service
    recover(deck.ledger, service.instance, service.clock)
    with deck.reader() as reader:
        left = reader.runs(status=Status.INTERRUPTED, all_runs=True)
    line.send(("begun",))
    sessions: list[Session] = []
    for record in left:
        session = service.take_up(record.run_id, play=True)
        deck.host.enqueue(session)
        sessions.append(session)
    for name in works:
        session = deck.start(request(name))
        line.send(("run", session.run_id, name))
        sessions.append(session)
    chance = random.Random(seed)
    while sessions:
        for session in list(sessions):
            if session.closed.is_set():
                sessions.remove(session)
                line.send(("ended", session.run_id, service.record(session.run_id).status))
            elif session.request.name in BY_HAND:
                _decide(deck, line, session)
            elif chance.random() < 0.02:
                _hold_for_a_moment(deck, line, session)
        time.sleep(0.0002)
    deck.host.wait_idle(60)
    line.send(("idle",))
    threading.Event().wait()


def _decide(deck: Deck, line: Line, session: Session) -> None:
    """Make the decision that is due, if the run has begun, and say so once it is acknowledged."""
    if session.status not in MOVING or session.progress is None:
        return
    step = session.progress.state.decided
    (symbol,) = session.prepared.source.symbols
    deck.service.submit(session.run_id, step, by_hand(symbol, step), key=f"key-{step}")
    line.send(("step", session.run_id, step))


def _hold_for_a_moment(deck: Deck, line: Line, session: Session) -> None:
    """Pause a strategy's run, let it make some decisions one by one, and let it go on."""
    try:
        deck.service.pause(session.run_id)
        before = deck.service.record(session.run_id).step_index
        record = deck.service.step(session.run_id, 3)
        line.send(("settled", session.run_id, max(before, record.step_index)))
        deck.service.resume(session.run_id)
    except RunError:
        # It has not begun, or was over before: both are answers.
        return
