"""What processes do before they are killed: each takes a ledger's path and its line to the test."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from engine import failpoints
from engine.drivers import commands
from engine.errors import LeaseLost, RunError, RunNotActive, TooManyActiveRuns
from engine.runs.clock import wall_text
from engine.runs.instance import Instance
from engine.runs.lifecycle import MOVING, Status
from engine.runs.limits import Limits
from engine.runs.recovery import recover
from engine.runs.removal import remove
from engine.runs.service import RunService
from engine.runs.session import Session
from engine.store.backup import back_up
from engine.store.ledger import Ledger
from tests.faults.nursery import Line
from tests.faults.works import BY_HAND, by_hand, key_of, request
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
            elif chance.random() < 0.02:
                _go_back(deck, line, session, chance)
            elif session.request.name in BY_HAND:
                _decide(deck, line, session)
            elif chance.random() < 0.02:
                _hold_for_a_moment(deck, line, session)
        time.sleep(0.0002)
    deck.host.wait_idle(60)
    line.send(("idle",))
    threading.Event().wait()


def tour(path: Path, line: Line) -> None:
    """Pass every seam there is: make or open, recover, take up, begin, decide, ask, end, delete,
    copy, close.

    Says what ``work`` says, and at its end ``("passed", counts)`` if nothing killed it; the counts
    are those of failpoints that ``count_passages`` has armed.
    """
    owner = Deck(path)
    service = owner.service
    recover(owner.ledger, service.instance, service.clock)
    with owner.reader() as reader:
        left = reader.runs(status=Status.INTERRUPTED, all_runs=True)
    sessions = [service.take_up(record.run_id, play=True) for record in left]
    for session in sessions:
        owner.host.enqueue(session)
    for name in ("quick", "hand"):
        session = owner.start(request(name))
        line.send(("run", session.run_id, name))
        sessions.append(session)
    paused = service.create(replace(request("momentum"), paused=True))
    line.send(("run", paused.run_id, "momentum"))
    owner.host.enqueue(paused)
    service.pulse.beat()
    while not owner.host.wait_idle(0.001):
        for session in sessions:
            if session.request.name in BY_HAND and not session.closed.is_set():
                _decide(owner, line, session)
    # Not said: these steps are acknowledged and taken back again.
    commands.ask(service, paused.run_id, "step", {"count": 3})
    commands.ask(service, paused.run_id, "rewind", {"step": 1})
    for kind in ("step", "resume"):
        record = commands.ask(service, paused.run_id, kind)
        line.send(("settled", paused.run_id, record.step_index))
    forked = service.fork(paused.run_id, 1, name="momentum")
    line.send(("run", forked.run_id, "momentum"))
    service.resume(forked.run_id)
    for session in sessions:
        if session.request.name in BY_HAND:
            for _ in range(3):
                if not session.closed.is_set():
                    _decide(owner, line, session)
    assert owner.host.wait_idle(60)
    spare = service.create(request("momentum"))
    service.interrupt(spare)
    remove(owner.ledger, spare.run_id, at=wall_text(service.clock), by=None)
    back_up(path, path.with_name(f"{uuid.uuid4()}.copy"))
    owner.close()
    line.send(("passed", {name: armed.passed for name, armed in failpoints._armed.items()}))


def counted_tour(path: Path, line: Line) -> None:
    """The same with every failpoint armed, to nobody's harm, so that passages are counted."""
    with ExitStack() as stack:
        for name in failpoints.FAILPOINTS:
            stack.enter_context(failpoints.armed(name, lambda: None))
        tour(path, line)


def _decide(deck: Deck, line: Line, session: Session) -> None:
    """Make the decision that is due, if the run has begun, and say so once it is acknowledged."""
    if session.status not in MOVING or session.progress is None:
        return
    step = session.progress.state.decided
    (symbol,) = session.prepared.source.symbols
    key = key_of(session.rewind_count, step)
    deck.service.submit(session.run_id, step, by_hand(symbol, step), key=key)
    line.send(("step", session.run_id, step, key))


def _go_back(deck: Deck, line: Line, session: Session, chance: random.Random) -> None:
    """Rewind a run, or fork it, at some step that it has been at."""
    progress = session.progress
    if session.status not in MOVING or progress is None or session.baseline_of is not None:
        return
    run_id, name = session.run_id, session.request.name
    # What the ledger has: in memory the run is further on.
    decided = max(deck.service.record(run_id).step_index - 1, 0)
    with suppress(RunError):
        if chance.random() < 0.3:
            fork = deck.service.fork(run_id, chance.randint(0, decided), name=name)
            line.send(("run", fork.run_id, name))
            deck.host.enqueue(fork)
            return
        step = chance.randint(0, decided)
        line.send(("rewinding", run_id, step))
        line.send(("settled", run_id, deck.service.rewind(run_id, step).step_index))
        deck.service.resume(run_id)


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


def hold(path: Path, line: Line, works: tuple[str, ...], speed: float) -> None:
    """Own runs that take their time, and say ``("closed", id)`` of each that is taken away.

    Says ``("run", id, work)`` of each at first, then ``("moving",)`` once all have moved.
    """
    deck = Deck(path)
    sessions = []
    for name in works:
        # No baselines: what is robbed are runs that this tells of.
        session = deck.start(replace(request(name), speed=speed, baselines=False))
        line.send(("run", session.run_id, name))
        sessions.append(session)
    said = False
    while sessions:
        for session in list(sessions):
            if session.closed.is_set():
                sessions.remove(session)
                line.send(("closed", session.run_id))
            elif session.request.name in BY_HAND:
                with suppress(LeaseLost, RunNotActive):
                    _decide(deck, line, session)
        if not said and all(
            session.closed.is_set() or (session.progress and session.progress.state.settled > 2)
            for session in sessions
        ):
            said = True
            line.send(("moving",))
        time.sleep(0.0005)
    threading.Event().wait()


def stall(path: Path, line: Line, work: str) -> None:
    """Run one work to its end, stopped wherever a failpoint says; say ``("ended", id, status)``."""
    deck = Deck(path)
    line.send("ready")
    session = deck.service.create(request(work))
    # Said before anybody moves it: the process may stop at any moment from then on.
    line.send(("run", session.run_id, work))
    deck.host.enqueue(session)
    session.closed.wait()
    deck.host.wait_idle(60)
    line.send(("ended", session.run_id, deck.service.record(session.run_id).status))
    deck.close()


def create(path: Path, line: Line, count: int) -> None:
    """Make so many runs, none of which ever moves, and wait to be killed."""
    service = _service(path)
    for _ in range(count):
        service.create(request("quick"))
    line.send("made")
    threading.Event().wait()


def reap(path: Path, line: Line) -> None:
    """Once told, take what orphans there are; say which."""
    service = _service(path)
    line.send("ready")
    line.recv()
    line.send(recover(service.ledger, service.instance, service.clock))
    _leave(service)


def crowd(path: Path, line: Line, tries: int, cap: int, seed: int) -> None:
    """Try to make or take up so many runs under a cap, and give places back; say how it went."""
    service = _service(path, Limits(max_active_runs=cap))
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    line.send("ready")
    line.recv()
    mine: list[Session] = []
    left: list[str] = []
    for _ in range(tries):
        if mine and chance.random() < 0.4:
            session = mine.pop(chance.randrange(len(mine)))
            if chance.random() < 0.5:
                service.cancel(session.run_id)
            else:
                service.interrupt(session)
                left.append(session.run_id)
        try:
            if left and chance.random() < 0.3:
                mine.append(service.take_up(left.pop()))
                counts["taken up"] += 1
            else:
                mine.append(service.create(request("quick")))
                counts["made"] += 1
        except TooManyActiveRuns:
            counts["refused"] += 1
    line.send(dict(counts))
    _leave(service)


def _service(path: Path, limits: Limits | None = None) -> RunService:
    """An owner that moves nothing."""
    return RunService(Ledger.open(path), Instance.take(path), limits=limits)


def _leave(service: RunService) -> None:
    for session in list(service.sessions.values()):
        service.interrupt(session)
    service.instance.release()
    service.ledger.close()
