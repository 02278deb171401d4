"""Processes to be killed, stopped and raced: real ones, born in milliseconds.

A server that has the engine imported forks them. It never holds a lock and never opens a ledger,
so that each victim is an instance of its own, with its own files, threads and signals.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final

from engine import failpoints

Line = Connection
"""A victim's end of the pipe to its test: what it sends is a fact, what it gets is leave to go."""

PATIENCE_SECONDS: Final = 120.0

_context: Final = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["pytest", "tests.faults.warm"])


class Died(AssertionError):
    """A victim that was to say something has ended instead."""


class Victim:
    """One such process. ``hear`` gives what it says, ``tell`` lets it go on."""

    def __init__(self, process: ForkServerProcess, line: Connection) -> None:
        self.process = process
        self._line = line

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def hear(self, timeout: float = PATIENCE_SECONDS) -> Any:
        """The next thing it says. Raises ``Died``, ``TimeoutError``."""
        if not self._line.poll(timeout):
            raise TimeoutError("the process said nothing")
        try:
            return self._line.recv()
        except (EOFError, ConnectionError) as error:
            raise Died("the process ended and had not said what it should") from error

    def hear_rest(self) -> list[Any]:
        """All it said before it died, once it is dead."""
        said = []
        # A pipe is read to its end; what was cut short by the death was not said.
        with contextlib.suppress(EOFError, OSError):
            while self._line.poll(0):
                said.append(self._line.recv())
        return said

    def tell(self, what: object = None) -> None:
        """Let it go on."""
        self._line.send(what)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        self.process.kill()
        self.process.join(PATIENCE_SECONDS)
        assert self.process.exitcode is not None, "a killed process is still there"

    def join(self) -> None:
        """Wait for it to end by itself, without an error."""
        self.process.join(PATIENCE_SECONDS)
        assert self.process.exitcode == 0, f"exit code {self.process.exitcode}"


class Nursery:
    """Where victims come from; none of them outlives it."""

    def __init__(self) -> None:
        self._born: list[Victim] = []

    def bear(self, life: Callable[..., None], path: Path, *words: object, **env: str) -> Victim:
        """A process that calls ``life(path, line, *words)``; ``env`` is set in it before."""
        ours, theirs = _context.Pipe()
        process = _context.Process(target=_live, args=(life, path, theirs, words, env), daemon=True)
        process.start()
        theirs.close()
        victim = Victim(process, ours)
        self._born.append(victim)
        return victim

    def bury(self) -> None:
        """End whatever is left."""
        for victim in self._born:
            if victim.process.is_alive():
                victim.kill()
            victim._line.close()
            victim.process.close()
        self._born.clear()

    @contextlib.contextmanager
    def generation(self) -> Iterator[None]:
        """Bury at the end those that were born inside."""
        try:
            yield
        finally:
            self.bury()


def _live(
    life: Callable[..., None],
    path: Path,
    line: Connection,
    words: tuple[object, ...],
    env: dict[str, str],
) -> None:
    os.environ.update(env, STEPDECK_DB=str(path))
    failpoints.arm(env.get(failpoints.VARIABLE, ""))
    life(path, line, *words)
