"""A strategy in a process of its own: what it does to that process is a failure of its run alone.

The run stays here. What goes over is the step and the account as the observation has it, what comes
back is the decision in its wire form, so that results are those of a strategy in this process, bit
for bit. The bars are shared: one copy of a panel in an anonymous file that the others map.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np

from engine import codec
from engine.drivers.stepping import Stepping
from engine.errors import StrategyError, StrategyFault, error_of
from engine.model import HOLD, CorporateAction, Decision, RunRequest
from engine.runs.output import current_log
from engine.runs.requests import Prepared
from engine.sim.observation import Observation, account_of
from engine.sim.panel import FIELDS, Panel
from engine.strategies.outside import environment

ARRAYS: Final = ("stamps", "sessions", *FIELDS)
LONGEST_ANSWER: Final = 16 * 2**20
_TOO_MUCH: Final = f"more than {LONGEST_ANSWER // 2**20} MB"
GONE_SECONDS: Final = 10.0
"""How long a process may take to be gone once it has let go of its end of the connection."""
LOOK_SECONDS: Final = 0.1
_FRAME: Final = re.compile(r'File "(.+)", line (\d+) in ')


class Shape(NamedTuple):
    """Where an array of the panel stands in its file."""

    name: str
    kind: str
    shape: tuple[int, ...]
    offset: int


class SharedPanel(NamedTuple):
    """Everything of a panel but its arrays, and where those are."""

    arrays: tuple[Shape, ...]
    size: int
    symbols: tuple[str, ...]
    session_dates: tuple[str, ...]
    timeframe: str
    calendar: str
    sessions_per_year: int
    actions: tuple[CorporateAction, ...]


class Setup(NamedTuple):
    """The first message: what the other process is to be."""

    request: RunRequest
    panel: SharedPanel
    log: str
    parent: int


class Isolated(Stepping):
    """The decisions of a strategy that runs in another process.

    What it prints goes where this thread's output goes. ``stopped`` is asked while an answer is
    waited for: the run has ended, and so does the process.
    """

    def __init__(self, run: Prepared, panel: Panel, stopped: Callable[[], bool]) -> None:
        """Start the process and let it prepare. Raises ``StrategyFault`` where that fails."""
        path = run.loaded.info.path
        super().__init__(self._ask, path)
        self._stopped = stopped
        file, shared = _shared(panel)
        self._trace = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed by close
        ours, theirs = socket.socketpair()
        descriptors = (theirs.fileno(), file.fileno(), self._trace.fileno())
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-P", "-m", "engine.drivers.isolation", *map(str, descriptors)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(),
                pass_fds=descriptors,
                # Ctrl-C is the run's to answer, not the strategy's.
                start_new_session=True,
            )
        finally:
            theirs.close()
        self._conn = Connection(ours.detach())
        weakref.finalize(self, _end, self._process, self._conn, self._trace)
        self._send(Setup(run.request, shared, str(current_log()), os.getpid()))
        self._receive("prepare", None)

    def close(self) -> None:
        """End the process; whoever waits for its answer learns it."""
        self._decide = _ended  # it held this object, and so the descriptors, until the next sweep
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)

    def _explain(self, error: BaseException, step: int) -> StrategyFault:
        """What comes from the other process has been explained there."""
        return error if isinstance(error, StrategyFault) else super()._explain(error, step)

    def _ask(self, observation: Observation) -> Decision:
        self._send((observation.step, account_of(observation), str(current_log())))
        answer = self._receive("decide", observation.step)
        return codec.decode_decision(codec.loads(answer)) if answer else HOLD

    def _send(self, message: object) -> None:
        # A process that is gone is met when its answer is waited for.
        with contextlib.suppress(OSError):
            self._conn.send_bytes(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))

    def _receive(self, where: str, step: int | None) -> bytes:
        try:
            while not self._conn.poll(LOOK_SECONDS):
                if self._stopped():
                    self.close()
                    raise StrategyFault("the run has ended")
            answer = self._conn.recv_bytes(LONGEST_ANSWER)
        except (EOFError, ConnectionError) as error:
            raise self._died(where, step) from error
        except OSError as error:
            raise self._failed(where, f"answered {_TOO_MUCH}", None, step) from error
        if answer[:1] == b"!":
            code, message, field, remedy, place = codec.loads(answer[1:])
            kind = error_of(code)
            if issubclass(kind, StrategyFault):
                raise kind(message, where=place, field=field, remedy=remedy)
            raise kind(message, field=field, remedy=remedy)
        return answer[1:]

    def _died(self, where: str, step: int | None) -> StrategyError:
        """Why there is no answer: the process ended, or closed what it answers over."""
        try:
            status = self._process.wait(GONE_SECONDS)
        except subprocess.TimeoutExpired:
            how = "closed the connection of its process"
        else:
            how = f"ended its process with status {status}"
            if status < 0:
                how = f"was killed by {signal.Signals(-status).name}"
        return self._failed(where, how, self._place(), step)

    def _failed(self, where: str, how: str, place: str | None, step: int | None) -> StrategyError:
        self._process.kill()
        said = f"{where} {how}"
        if place is not None:
            said += f" in {place}"
        if step is not None:
            said += f" at step {step}"
        return StrategyError(said, where=place, field="strategy")

    def _place(self) -> str | None:
        """File and line of what was executed when the process crashed, if it could still say."""
        self._trace.seek(0)
        frames = _FRAME.findall(self._trace.read())
        own = [frame for frame in frames if self._path is not None and frame[0] == str(self._path)]
        if not frames:
            return None
        file, line = own[0] if own else frames[0]
        return f"{Path(file).name}:{line}"


def _ended(_observation: Observation) -> Decision:
    raise StrategyFault("the run has ended")


def _end(process: subprocess.Popen[bytes], conn: Connection, trace: IO[str]) -> None:
    process.kill()
    process.wait()
    conn.close()
    trace.close()


_files: weakref.WeakKeyDictionary[Panel, tuple[IO[bytes], SharedPanel]] = (
    weakref.WeakKeyDictionary()
)


def _shared(panel: Panel) -> tuple[IO[bytes], SharedPanel]:
    """The panel's arrays in a file without a name, written once however many strategies read it."""
    known = _files.get(panel)
    if known is not None:
        return known
    file = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the panel
    arrays = []
    for name in ARRAYS:
        values: np.ndarray[Any, Any] = getattr(panel, name)
        arrays.append(Shape(name, values.dtype.str, values.shape, file.tell()))
        file.write(values.data)
    file.flush()
    shared = SharedPanel(
        tuple(arrays),
        file.tell(),
        panel.symbols,
        panel.session_dates,
        panel.timeframe,
        panel.calendar,
        panel.sessions_per_year,
        panel.actions,
    )
    _files[panel] = file, shared
    weakref.finalize(panel, file.close)
    return file, shared
