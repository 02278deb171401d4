"""Driving a run that another process owns: requests in the ledger, answered by the owner.

The asker writes a row of ``commands`` and waits for its answer; the owner's host finds it within
its watching interval and does what its own keys would do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from engine import codec
from engine.errors import InvalidOption, LedgerError, RunNotActive, StepdeckError, error_of
from engine.failpoints import failpoint
from engine.model import RunRecord
from engine.runs import breakpoints
from engine.runs.clock import wall_text
from engine.runs.lifecycle import TERMINAL
from engine.runs.service import RunService
from engine.store import writes
from engine.store.reader import Reader
from engine.store.records import Command

log = logging.getLogger(__name__)

ANSWER_SECONDS = 10.0
SLOW_ANSWER_SECONDS = 120.0
SLOW = frozenset({"rewind", "hand_back"})
"""What warms a strategy first."""
KINDS = (
    "cancel",
    "pause",
    "resume",
    "speed",
    "step",
    "decide",
    "take_over",
    "hand_back",
    "rewind",
    "breakpoints",
    "run_to",
)


class Desk:
    """Answers what other processes ask of one service's runs.

    What warms a strategy may take long: it gets a thread of its own, and what else is asked of that
    run waits for it, but for a cancel. Everything else is done at once, in order.
    """

    def __init__(self, service: RunService) -> None:
        self._service = service
        self._slow: dict[int, str] = {}
        self._lock = threading.Lock()

    def answer_pending(self, reader: Reader) -> None:
        """Carry out every command that waits for a run of this process, or begin to."""
        for command in reader.pending_commands(self._service.instance.id):
            with self._lock:
                busy = command.run_id in self._slow.values()
                if command.command_id in self._slow or (busy and command.kind != "cancel"):
                    continue
                if command.kind in SLOW:
                    self._slow[command.command_id] = command.run_id
            if command.kind in SLOW:
                threading.Thread(
                    target=self._answer_slow, args=(command,), name="stepdeck-command", daemon=True
                ).start()
            else:
                self._answer(command)

    def _answer_slow(self, command: Command) -> None:
        try:
            self._answer(command)
        except LedgerError as error:
            log.warning("command %d of run %s: %s", command.command_id, command.run_id, error)
        finally:
            with self._lock:
                del self._slow[command.command_id]

    def _answer(self, command: Command) -> None:
        failpoint("command.found")
        service = self._service
        code = None
        result: dict[str, Any] = {}
        try:
            record = carry_out(service, command.run_id, command.kind, command.data)
            result = {"status": record.status, "step_index": record.step_index}
        except StepdeckError as error:
            code, result = error.code, {"message": str(error), "field": error.field}
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
    """Do to a run of this process what the command says; the answer is the run's state after it.

    Raises what the service raises, and ``InvalidOption`` for what is no such command.
    """
    try:
        return _carry_out(service, run_id, kind, data)
    except (KeyError, TypeError, ValueError) as error:
        # Rows of the ledger may be anybody's.
        raise InvalidOption(
            f"the data of the command {kind!r} is not what it takes: {data!r}", field="data"
        ) from error


def _carry_out(service: RunService, run_id: str, kind: str, data: Mapping[str, Any]) -> RunRecord:
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
        return service.submit(
            run_id, int(data["step"]), decision, key=data.get("key"), epoch=data.get("epoch")
        )
    if kind == "take_over":
        return service.take_over(run_id)
    if kind == "hand_back":
        return service.hand_back(run_id)
    if kind == "rewind":
        return service.rewind(run_id, int(data["step"]), epoch=data.get("epoch"))
    if kind == "breakpoints":
        return service.set_breakpoints(run_id, breakpoints.decode(data.get("breakpoints")))
    if kind == "run_to":
        return service.run_to(run_id, str(data["condition"]))
    raise InvalidOption(f"no command {kind!r}", field="kind", remedy=f"one of {', '.join(KINDS)}")


def _request(
    conn: writes.Connection, run_id: str, kind: str, data: Mapping[str, Any], at: str, by: str
) -> int:
    if kind == "cancel":
        # In the row too: whoever takes the run from a dead owner then finishes the job.
        writes.request_cancel(conn, run_id, at)
    return writes.request_command(conn, run_id, kind, data, at, by)


def ask(
    service: RunService, run_id: str, kind: str, data: Mapping[str, Any] | None = None
) -> RunRecord:
    """Ask the run's owner, another living process, for ``kind``; return the run's state after it.

    Raises what the owner raised, and ``RunNotActive`` if it does not answer.
    """
    patience = SLOW_ANSWER_SECONDS if kind in SLOW else ANSWER_SECONDS
    at = wall_text(service.clock)
    command_id = service.ledger.write(
        lambda conn: _request(conn, run_id, kind, data or {}, at, service.instance.id)
    )
    failpoint("command.requested")
    until = service.clock.monotonic() + patience
    with service.ledger.reader() as reader:
        while service.clock.monotonic() < until:
            answer = reader.command(command_id)
            record = reader.run(run_id)
            if answer.applied_at is not None:
                if answer.error_code is not None:
                    said = answer.result or {}
                    raise error_of(answer.error_code)(
                        said.get(
                            "message", f"the owner of run {run_id} refused: {answer.error_code}"
                        ),
                        field=said.get("field"),
                    )
                return record
            if record.status in TERMINAL:
                return record
            time.sleep(0.01)
    raise RunNotActive(
        f"the owner of run {run_id} did not answer within {patience:g} s",
        field="run",
        remedy="the request stands and is carried out when the owner goes on; `stepdeck resume "
        f"--take {run_id}` takes the run from it",
    )
