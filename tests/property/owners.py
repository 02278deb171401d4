"""An owner that does as it is told, in this process or in one that can be killed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from engine import codec
from engine.errors import StepdeckError
from engine.model import RunRequest
from engine.runs.instance import Instance
from engine.runs.limits import Limits
from engine.runs.recovery import recover
from engine.runs.service import RunService
from engine.runs.session import Session
from engine.store.ledger import Ledger
from tests.faults.nursery import Line, Nursery

CAP: Final = 4
LIMITS: Final = Limits(max_active_runs=CAP, decision_timeout_seconds=100_000.0)

Outcome = tuple[str | None, Any]
"""The code of the error, or None and the answer."""


class Owner(Protocol):
    """Somebody who owns runs of a ledger."""

    def do(self, verb: str, *words: Any) -> Outcome:
        """Do it, and say what became of it."""

    def leave(self) -> None:
        """Leave what is live for others, as a person does who quits."""

    def crash(self) -> None:
        """Be gone from one instant to the next."""


class Deeds:
    """What an owner can do; a host's work is done by hand, so that each deed is one step."""

    def __init__(self, path: Path) -> None:
        # Imported here: it brings numba where that is installed.
        from engine.drivers.strategy import decider

        self.service = RunService(Ledger.open(path), Instance.take(path), limits=LIMITS)
        self.service.decider = decider

    def do(self, verb: str, *words: Any) -> Outcome:
        deed: Callable[..., Any] = getattr(self, verb)
        try:
            return None, deed(*words)
        except StepdeckError as error:
            return error.code, str(error)

    def create(self, request: RunRequest) -> str:
        return self.service.create(request).run_id

    def begin(self, run_id: str) -> int:
        """Load and start a run that was made here; its steps in all."""
        return self._start(self.service.sessions[run_id])

    def take_up(self, run_id: str) -> int:
        return self._start(self.service.take_up(run_id))

    def _start(self, session: Session) -> int:
        self.service.load(session)
        total = session.simulation.total_steps
        session.decide = self.service.decider(session)
        self.service.begin(session)
        assert session.error is None, session.error
        # A running strategy's first row may wait for its batch, which no host fills here.
        self.service.flush(session, wait=True)
        return total

    def decide(self, run_id: str, step: int, decision: str, key: str | None) -> str:
        made = codec.decode_decision(codec.loads(decision))
        return self.service.submit(run_id, step, made, key=key).status

    def step(self, run_id: str, count: int) -> str:
        return self.service.step(run_id, count).status

    def pause(self, run_id: str) -> str:
        return self.service.pause(run_id).status

    def resume(self, run_id: str) -> str:
        return self.service.resume(run_id).status

    def cancel(self, run_id: str) -> str:
        return self.service.cancel(run_id).status

    def rewind(self, run_id: str, step: int) -> str:
        return self.service.rewind(run_id, step).status

    def recover(self) -> list[str]:
        return recover(self.service.ledger, self.service.instance, self.service.clock)

    def interrupt_all(self) -> None:
        for session in list(self.service.sessions.values()):
            self.service.interrupt(session)


class Here(Deeds):
    """An owner in this process: quick, and its crash is a dropped lock and a closed file."""

    def leave(self) -> None:
        self.interrupt_all()
        self.service.instance.release()
        self.service.ledger.close()

    def crash(self) -> None:
        self.service.ledger.close()
        # What the kernel does when a process dies; the file of the lock stays behind.
        self.service.instance._file.close()


class There:
    """An owner in a process of its own, whose crash is ``kill -9``."""

    def __init__(self, nursery: Nursery, path: Path) -> None:
        self._victim = nursery.bear(obey, path)

    def do(self, verb: str, *words: Any) -> Outcome:
        self._victim.tell((verb, words))
        outcome: Outcome = self._victim.hear()
        return outcome

    def leave(self) -> None:
        self._victim.tell(("leave", ()))
        self._victim.join()

    def crash(self) -> None:
        self._victim.kill()


def obey(path: Path, line: Line) -> None:
    """The life of such a process."""
    here = Here(path)
    while True:
        verb, words = line.recv()
        if verb == "leave":
            here.leave()
            return
        line.send(here.do(verb, *words))
