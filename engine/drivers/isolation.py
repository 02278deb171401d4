"""The other side of ``isolated``: the process in which a strategy decides, run as a program.

``engine.drivers.isolation CONNECTION PANEL TRACE`` are the descriptors it is given: what it talks
over, the bars, and where a crash leaves its traceback.
"""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import pickle
import resource
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from engine import codec
from engine.drivers.isolated import Setup, SharedPanel
from engine.drivers.stepping import Stepping, prepared
from engine.errors import StepdeckError
from engine.runs.output import RunOutput, captured
from engine.sim.lots import LotGrid
from engine.sim.observation import Observation, View
from engine.sim.panel import Panel
from engine.strategies import registry


def serve(conn: Connection, panel_file: int, trace: int) -> None:
    """Answer until nobody asks any more."""
    setup: Setup = pickle.loads(conn.recv_bytes())  # noqa: S301  # from the process that made us
    faulthandler.enable(trace, all_threads=False)
    threading.Thread(target=_leave_with, args=(setup.parent,), daemon=True).start()
    panel = _mapped(setup.panel, panel_file)
    outputs = _Outputs()
    _limit_memory(setup.request.isolate_memory)
    try:
        with captured(outputs[setup.log]):
            decide = _decider(setup, panel)
    except StepdeckError as error:
        conn.send_bytes(_refusal(error))
        return
    conn.send_bytes(b".")
    rules = setup.request.rules
    view = View(panel, LotGrid(rules.lot), rules.seed, setup.request.params)
    while True:
        step, account, log = pickle.loads(conn.recv_bytes())  # noqa: S301
        with captured(outputs[log]):
            answer = _answer(decide, Observation(view, step, account))
        conn.send_bytes(answer)


class _Outputs(dict[str, RunOutput]):
    """The logs by path, each opened when something first goes there."""

    def __missing__(self, path: str) -> RunOutput:
        self[path] = output = RunOutput(Path(path))
        return output


def _decider(setup: Setup, panel: Panel) -> Stepping:
    loaded = registry.load(setup.request.strategy)
    assert loaded.make is not None
    strategy, _ = prepared(loaded.make, setup.request.params, panel, loaded.info.path)
    return Stepping(strategy.decide, loaded.info.path)


def _answer(decide: Stepping, observation: Observation) -> bytes:
    try:
        decision = decide(observation)
        return b"." if decision.holds else b"." + codec.decision_text(decision).encode()
    except StepdeckError as error:
        return _refusal(error)


def _refusal(error: StepdeckError) -> bytes:
    said = [error.code, error.message, error.field, error.remedy, getattr(error, "where", None)]
    return b"!" + codec.dumps(said).encode()


def _mapped(shared: SharedPanel, file: int) -> Panel:
    """The panel, its arrays read-only in memory that all processes share."""
    memory = mmap.mmap(file, shared.size, access=mmap.ACCESS_READ)
    arrays: dict[str, Any] = {}
    for name, kind, shape, offset in shared.arrays:
        count = int(np.prod(shape))
        values = np.frombuffer(memory, dtype=kind, count=count, offset=offset)
        arrays[name] = values.reshape(shape)
    return Panel(
        symbols=shared.symbols,
        session_dates=shared.session_dates,
        timeframe=shared.timeframe,
        calendar=shared.calendar,
        sessions_per_year=shared.sessions_per_year,
        actions=shared.actions,
        **arrays,
    )


def _limit_memory(megabytes: int) -> None:
    """Let what comes now take so much more than is taken already.

    Where a system does not count the address space (macOS), its data segment is limited instead.
    """
    more = megabytes * 2**20
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (more, more))


def _leave_with(parent: int) -> None:
    """A strategy that never returns must not outlive the program that asked it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    connection, panel_descriptor, trace_descriptor = map(int, sys.argv[1:])
    with contextlib.suppress(EOFError, ConnectionError):
        serve(Connection(connection), panel_descriptor, trace_descriptor)
