"""The real command in a process of its own, and a ledger that reading tests share."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

COMMAND = (sys.executable, "-m", "tui.cli")
PATIENCE_SECONDS = 60


# Before it becomes the command, root loses what lets it write anywhere (Linux; elsewhere tests do
# not run as root): PR_CAPBSET_DROP is 24, CAP_DAC_OVERRIDE is 1.
HUMBLED = (
    "import ctypes, os, sys; os.geteuid() or ctypes.CDLL(None).prctl(24, 1); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """The error object on stderr."""
        error: dict[str, str] = json.loads(self.err)["error"]
        return error


class Command:
    """``stepdeck`` as a shell would start it, in the test's own folders."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self._env = env
        self._started: list[subprocess.Popen[str]] = []

    def __call__(
        self, *words: object, humble: bool = False, env: Mapping[str, str] | None = None
    ) -> Done:
        """Run it to its end; ``humble``: permissions hold even if the tests run as root."""
        first = (sys.executable, "-c", HUMBLED, *COMMAND[1:]) if humble else COMMAND
        done = subprocess.run(
            [*first, *map(str, words)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self._environment(env),
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *words: object, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """The command running beside the test; whatever is left of it is killed at the end."""
        process = subprocess.Popen(
            [*COMMAND, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=ROOT,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
        )
        self._started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Done:
        """Wait for a started command to end."""
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        return Done(process.returncode, out, err)

    def stop(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def _environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, **(self._env or {}), **(env or {})}


@pytest.fixture
def stepdeck() -> Iterator[Command]:
    command = Command()
    yield command
    command.stop()


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Where the test's own ledger is, once something has made it."""
    return tmp_path / "runs.db"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with two finished runs, ``second`` the newer one; for tests that only read."""
    folder = tmp_path_factory.mktemp("finished")
    path = folder / "runs.db"
    command = Command({"XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
    window = ("--end", "2000-12-29", "--db", path)
    first = ("run", "buy_and_hold", "--symbols", "IBM,MSFT", "--name", "first", "--agent", "bot")
    second = ("run", "sma_cross", "--symbols", "AAPL", "--name", "second", "--tag", "t")
    for words in (first, second):
        assert command(*words, *window).status == 0
    return path


def rows(path: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """What a ledger holds, read as any other program would."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)) as conn:
        return conn.execute(sql, values).fetchall()
