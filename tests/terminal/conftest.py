"""Decks that end with their test, the command run beside them, and the ledger as others read it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.terminal.deck import COMMAND, PATIENCE_SECONDS, Deck

SIZES = ((80, 24), (160, 50))
OpenDeck = Callable[..., Deck]

SLOW = '''
import time
from pathlib import Path

from engine import Strategy, Target


class Slow(Strategy):
    """All in, or flat, by turns; slow until the file ``go`` lies beside this one."""

    def decide(self, obs):
        if not Path(__file__).with_name("go").exists():
            time.sleep(0.02)
        return [Target(obs.symbols[0], float(obs.step % 50 < 25))] if obs.step % 25 == 0 else None
'''


@pytest.fixture
def deck() -> Iterator[OpenDeck]:
    """Open the real command in a terminal; whatever is left of it is killed at the end."""
    with ExitStack() as stack:

        def opened(
            *words: object,
            size: tuple[int, int] = (80, 24),
            env: Mapping[str, str] | None = None,
        ) -> Deck:
            return stack.enter_context(Deck(*words, size=size, env=env))

        yield opened


class Shell:
    """``stepdeck`` as a script runs it, without a terminal."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def run(self, *words: object) -> str:
        """Run it to its end; what it printed. It must say that it worked."""
        done = subprocess.run(
            [COMMAND, *map(str, words)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *words: object) -> subprocess.Popen[bytes]:
        """Start it beside the test."""
        process = subprocess.Popen(
            [COMMAND, *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._started.append(process)
        return process

    def stop(self) -> None:
        """End what was started."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def shell() -> Iterator[Shell]:
    """The command beside the terminal."""
    made = Shell()
    yield made
    made.stop()


class Books:
    """The test's ledger, read as any other program would: SQLite, read-only."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def connect(self) -> sqlite3.Connection:
        """A connection that can change nothing; the caller closes it."""
        return sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=10)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with closing(self.connect()) as conn:
            return conn.execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> tuple[Any, ...]:
        """The one row of a query."""
        (row,) = self.rows(sql, *values)
        return row

    def status(self, name: str) -> str:
        """The status of the run called ``name``."""
        (status,) = self.one("SELECT status FROM runs WHERE name = ?", name)
        return str(status)

    def step(self, name: str) -> int:
        """The steps that the run called ``name`` has settled; 0 where it is not there yet."""
        return sum(
            step for (step,) in self.rows("SELECT step_index FROM runs WHERE name = ?", name)
        )


@pytest.fixture
def books() -> Books:
    """The ledger of the test's deck."""
    return Books(Path(os.environ["STEPDECK_DB"]))


@pytest.fixture
def slow(tmp_path: Path) -> str:
    """A strategy of one's own that takes more than a minute for the sample's bars; see ``SLOW``."""
    path = tmp_path / "slow.py"
    path.write_text(SLOW, "utf-8")
    return f"{path}:Slow"


@pytest.fixture
def speed_up(tmp_path: Path) -> Callable[[], object]:
    """Let runs of ``slow`` go on as fast as they can."""
    return (tmp_path / "go").touch
