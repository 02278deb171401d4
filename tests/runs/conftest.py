"""A service with its host on a ledger of its own, and strategies to give it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine.drivers.host import Host
from engine.model import RunRecord, RunRequest
from engine.runs.clock import SystemClock
from engine.runs.instance import Instance
from engine.runs.limits import Limits
from engine.runs.service import RunService
from engine.runs.session import Session
from engine.store.ledger import Ledger
from engine.store.reader import Reader

SMA = RunRequest("sma_cross", symbols=("AAPL", "IBM"), baselines=False)
MANUAL = RunRequest("manual", symbols=("AAPL",), baselines=False)
AGENT = RunRequest("agent", symbols=("AAPL",), baselines=False)


class JumpClock(SystemClock):
    """The machine's clock, which a test may push: both ways for wall time, ahead for monotonic."""

    def __init__(self) -> None:
        self.wall, self.ahead = 0.0, 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.wall)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Deck:
    """One owner of a ledger: a service, its host, and what tests ask of them."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.ledger = Ledger.open(path)
        self.clock = JumpClock()
        self.service = RunService(self.ledger, Instance.take(path), limits=limits, clock=self.clock)
        self.host = Host(self.service, slice_seconds=0.005)

    def start(self, request: RunRequest) -> Session:
        """Create a run and let the host have it."""
        session = self.service.create(request)
        self.host.enqueue(session)
        return session

    def run(self, request: RunRequest) -> RunRecord:
        """Create a run and wait until it is over and the host is idle."""
        session = self.start(request)
        assert session.closed.wait(60)
        assert self.host.wait_idle(60)
        return self.service.record(session.run_id)

    def ready(self, request: RunRequest) -> Session:
        """A run that is loaded and waits: a manual one, or one that was asked to be paused."""
        session = self.start(request)
        assert self.host.wait_idle(60)
        return session

    def take_up(self, run_id: str, *, idle: bool = True) -> Session:
        """Take an interrupted run up and, if it will ever be, wait until the host is idle."""
        session = self.service.take_up(run_id)
        self.host.enqueue(session)
        assert not idle or self.host.wait_idle(60)
        return session

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what another thread is about to do."""
        pause = threading.Event()
        for _ in range(6000):
            if holds():
                return
            pause.wait(0.01)
        raise AssertionError("it did not come to pass")

    def reader(self) -> Reader:
        return self.ledger.reader()

    def digest(self, run_id: str) -> str:
        """The digest of everything the run has settled."""
        with self.reader() as reader:
            return reader.commits(run_id)[-1].digest

    def die(self) -> None:
        """Be gone as after kill -9: no more beats, the lock dropped, every row as it is."""
        self.host.close()
        self.service.instance._file.close()

    def close(self) -> None:
        self.host.close()
        for session in list(self.service.sessions.values()):
            self.service.interrupt(session)
        self.service.instance.release()
        self.ledger.close()


@pytest.fixture
def open_deck(tmp_path: Path) -> Iterator[Callable[..., Deck]]:
    """Makes owners of one ledger; each is closed at the end."""
    decks: list[Deck] = []

    def make(limits: Limits | None = None) -> Deck:
        deck = Deck(tmp_path / "runs.db", limits)
        decks.append(deck)
        return deck

    yield make
    for deck in decks:
        deck.close()


@pytest.fixture
def deck(open_deck: Callable[..., Deck]) -> Deck:
    """One owner."""
    return open_deck()


@pytest.fixture
def strategy_file(tmp_path: Path) -> Callable[[str], str]:
    """Writes ``decide``'s body into a strategy file; gives the spec that names it."""

    def write(body: str) -> str:
        lines = "\n".join(f"        {line}" for line in body.splitlines())
        (tmp_path / "own.py").write_text(
            "from engine import Order, Strategy, Target\n\n\n"
            "class Own(Strategy):\n    seen: int = 0\n\n    def decide(self, obs):\n"
            f"{lines}\n"
        )
        return f"{tmp_path / 'own.py'}:Own"

    return write
