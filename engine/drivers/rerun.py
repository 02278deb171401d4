"""One strategy run again from nothing, in memory: here, or in processes of their own.

Run as a program, ``engine.drivers.rerun TASK ANSWER``, it makes the run that one file asks for and
writes what was decided to another.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine import codec
from engine.drivers.strategy import decider_of
from engine.errors import StrategyFault
from engine.model import Decision, RunRequest
from engine.runs.config import decode_request, encode_request
from engine.runs.output import RunOutput, captured
from engine.runs.panels import panel_of
from engine.runs.requests import Prepared, load_strategy, prepare
from engine.sim.observation import Observation
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation

_STEPS_A_PULSE: Final = 256


class Run(NamedTuple):
    """What a run decided, holds left out; ``fault`` ended it before the decision ``faulted_at``."""

    decisions: dict[int, Decision]
    fault: StrategyFault | None
    faulted_at: int


def decide_afresh(
    prepared: Prepared, panel: Panel, stop: int, pulse: Callable[[], None] = lambda: None
) -> Run:
    """The decisions of a fresh instance over ``panel``, until ``stop`` of them are made.

    A strategy file is executed again, so that nothing it kept from another run is seen. What it
    prints is dropped.
    """
    decisions: dict[int, Decision] = {}
    simulation = Simulation(panel, prepared.request.rules, prepared.request.params)
    with captured(RunOutput(Path(os.devnull))):
        if prepared.loaded.info.path is not None:
            prepared = replace(prepared, loaded=load_strategy(prepared.request))
        try:
            decide = decider_of(prepared, panel)
        except StrategyFault as fault:
            return Run(decisions, fault, 0)
        assert decide is not None

        def recorded(observation: Observation) -> Decision:
            if observation.step % _STEPS_A_PULSE == 0:
                pulse()
            decision = decide(observation)
            if not decision.holds:
                decisions[observation.step] = decision
            return decision

        state, _ = simulation.start(simulation.initial())
        if state.done:
            return Run(decisions, None, 0)
        advanced = simulation.advance(state, recorded, stop)
    return Run(decisions, advanced.fault, advanced.state.decided)


Replica = tuple[int, "subprocess.Popen[bytes]", Path]


@contextmanager
def replicas(request: RunRequest, seeds: Iterable[int]) -> Iterator[list[Replica]]:
    """The run of ``request`` in a process for each hash seed; they are ended with the block."""
    package = Path(__file__).resolve().parents[2]
    started: list[Replica] = []
    with tempfile.TemporaryDirectory(prefix="stepdeck-audit-") as folder:
        task = Path(folder) / "request.json"
        task.write_text(codec.dumps(encode_request(request)), encoding="utf-8")
        try:
            for seed in seeds:
                path = os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH"))))
                answer = Path(folder) / f"{seed}.json"
                process = subprocess.Popen(  # noqa: S603  # our own program, our own files
                    [sys.executable, "-P", "-m", "engine.drivers.rerun", str(task), str(answer)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": path},
                )
                started.append((seed, process, answer))
            yield started
        finally:
            for _, process, _ in started:
                if process.poll() is None:
                    process.kill()
                process.wait()


def read_replica(answer: Path) -> Run:
    """What a replica that has ended wrote; a fault at step 0 for one that wrote nothing."""
    try:
        said: Mapping[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Run({}, StrategyFault("the run ended its process"), 0)
    decisions = {int(step): codec.decode_decision(wire) for step, wire in said["decisions"].items()}
    fault = None if said["fault"] is None else StrategyFault(said["fault"])
    return Run(decisions, fault, said["faulted_at"])


def replicate(task: Path, answer: Path) -> None:
    """Make the run that the file ``task`` asks for and write its decisions to ``answer``."""
    prepared = prepare(decode_request(codec.loads(task.read_text(encoding="utf-8"))))
    panel = panel_of(prepared.source.load())
    decisions, fault, faulted_at = decide_afresh(prepared, panel, panel.steps)
    said = {
        "decisions": {
            str(step): codec.loads(codec.decision_text(made)) for step, made in decisions.items()
        },
        "fault": None if fault is None else str(fault),
        "faulted_at": faulted_at,
    }
    part = answer.with_suffix(".part")
    part.write_text(json.dumps(said), encoding="utf-8")
    part.replace(answer)


if __name__ == "__main__":
    replicate(Path(sys.argv[1]), Path(sys.argv[2]))
