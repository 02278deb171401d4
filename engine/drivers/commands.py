"""Driving a run that another process owns: requests in the ledger, answered by the owner.

The asker writes a row of ``commands`` and waits for its answer; the owner's host finds it within
its watching interval and does what its own keys would do.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from engine import codec
from engine.errors import InvalidOption, RunNotActive, StepdeckError
from engine.failpoints import failpoint
from engine.model import RunRecord
from engine.runs import breakpoints
from engine.runs.clock import wall_text
from engine.runs.lifecycle import TERMINAL
from engine.runs.service import RunService
from engine.store import writes
from engine.store.reader import Reader

ANSWER_SECONDS = 10.0
KINDS = ("cancel", "pause", "resume", "speed", "step", "decide", "breakpoints", "run_to")


def answer_pending(service: RunService, reader: Reader) -> None:
    """Carry out and answer every command that waits for a run of this process."""
    for command in reader.pending_commands(service.instance.id):
        failpoint("command.found")
        code = None
        result: dict[str, Any] = {}
        try:
            record = carry_out(service, command.run_id, command.kind, command.data)
            result = {"status": record.status, "step_index": record.step_index}
        except StepdeckError as error:
            code, result = error.code, {"message": str(error)}
        failpoint("command.carried")
        service.ledger.write(
            partial(
                writes.answer_command,
                command_id=command.command_id,
                at=wall_text(service.clock),
                result=result,
                error_code=code,
            )
        )
        failpoint("command.answered")


def carry_out(service: RunService, run_id: str, kind: str, data: Mapping[str, Any]) -> RunRecord:
    """Do to a run of this process what the command says; the answer is the run's state after it."""
    if kind == "cancel":
        return service.cancel(run_id)
    if kind == "pause":
        return service.pause(run_id)
    if kind == "resume":
        return service.resume(run_id)
    if kind == "speed":
        return service.set_speed(run_id, data.get("speed"))
    if kind == "step":
        return service.step(run_id, int(data.get("count", 1)))
    if kind == "decide":
        decision = codec.decode_decision(data.get("decision", {}))
        return service.submit(run_id, int(data["step"]), decision, key=data.get("key"))
    if kind == "breakpoints":
        return service.set_breakpoints(run_id, breakpoints.decode(data.get("breakpoints")))
    if kind == "run_to":
        return service.run_to(run_id, str(data["condition"]))
    raise InvalidOption(f"no command {kind!r}", field="kind", remedy=f"one of {', '.join(KINDS)}")


def ask(
    service: RunService, run_id: str, kind: str, data: Mapping[str, Any] | None = None
) -> RunRecord:
    """Ask the run's owner, another living process, for ``kind``; return the run's state after it.

    Raises ``RunNotActive`` if the owner refuses or does not answer, naming why.
    """
    at = wall_text(service.clock)
    command_id = service.ledger.write(
        lambda conn: writes.request_command(conn, run_id, kind, data or {}, at, service.instance.id)
    )
    failpoint("command.requested")
    until = service.clock.monotonic() + ANSWER_SECONDS
    with service.ledger.reader() as reader:
        while service.clock.monotonic() < until:
            answer = reader.command(command_id)
            record = reader.run(run_id)
            if answer.applied_at is not None:
                if answer.error_code is not None:
                    raise RunNotActive(answer.result["message"], field="run")
                return record
            if record.status in TERMINAL:
                return record
            time.sleep(0.01)
    raise RunNotActive(
        f"the owner of run {run_id} did not answer within {ANSWER_SECONDS:g} s",
        field="run",
        remedy="the request stands; it is carried out when the owner goes on",
    )
