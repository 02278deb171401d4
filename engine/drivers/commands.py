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
from typing import Any, NamedTuple

from engine import codec
from engine.errors import InvalidOption, LedgerError, RunNotActive, StepdeckError, error_of
from engine.failpoints import failpoint
from engine.model import RunRecord
from engine.runs import breakpoints
from engine.runs.clock import wall_text
from engine.runs.lifecycle import TERMINAL, Status
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

    A run may keep whoever asks something of it waiting: its strategy is called, or warmed, or is
    in a call that does not return. So what is asked of a run is done in order on a thread of its
    own, and holds up no other run; a cancel never waits and is done at once.
    """

    def __init__(self, service: RunService) -> None:
        self.more = False
        """Whether a run that was busy at the last look may have commands left."""
        self._service = service
        self._busy: set[str] = set()
        self._done: dict[int, _Answer] = {}
        self._lock = threading.Lock()

    def answer_pending(self, reader: Reader) -> None:
        """Carry out every command that waits for a run of this process, or begin to."""
        with self._lock:
            # Asked before the ledger is: what a thread has answered since is not done again.
            self.more, busy = False, set(self._busy)
        waiting: dict[str, list[Command]] = {}
        for command in reader.pending_commands(self._service.instance.id):
            if command.kind == "cancel":
                self._answer(command)
            elif command.run_id not in busy:
                waiting.setdefault(command.run_id, []).append(command)
        for run_id, commands in waiting.items():
            with self._lock:
                self._busy.add(run_id)
            threading.Thread(
                target=self._answer_all,
                args=(run_id, commands),
                name="stepdeck-command",
                daemon=True,
            ).start()

    def _answer_all(self, run_id: str, commands: list[Command]) -> None:
        try:
            for command in commands:
                self._answer(command)
        except LedgerError as error:
            log.warning("commands of run %s: %s", run_id, error)
        finally:
            with self._lock:
                self._busy.discard(run_id)
                self.more = True

    def _answer(self, command: Command) -> None:
        failpoint("command.found")
        service = self._service
        if command.command_id not in self._done:
            # Kept until it is in the ledger: a step that was made must not be made again.
            self._done[command.command_id] = self._carry_out(command)
            failpoint("command.carried")
        code, result = self._done[command.command_id]
        service.ledger.write(
            partial(
                writes.answer_command,
                command_id=command.command_id,
                at=wall_text(service.clock),
                result=result,
                error_code=code,
            )
        )
        del self._done[command.command_id]
        failpoint("command.answered")

    def _carry_out(self, command: Command) -> _Answer:
        try:
            record = carry_out(self._service, command.run_id, command.kind, command.data)
        except StepdeckError as error:
            return _Answer(error.code, {"message": str(error), "field": error.field})
        except Exception as error:  # an error of ours, kept to the one command
            log.exception("command %d of run %s", command.command_id, command.run_id)
            said = f"{type(error).__name__}: {error}; the log of the run's owner has the rest"
            return _Answer(StepdeckError.code, {"message": said})
        return _Answer(None, {"status": record.status, "step_index": record.step_index})


class _Answer(NamedTuple):
    """What became of a command, as its row says it."""

    code: str | None
    result: dict[str, Any]


def carry_out(service: RunService, run_id: str, kind: str, data: object) -> RunRecord:
    """Do to a run of this process what the command says; the answer is the run's state after it.

    Raises what the service raises, and ``InvalidOption`` for what is no such command.
    """
    # Rows of the ledger may be anybody's.
    try:
        if not isinstance(data, Mapping):
            raise TypeError("no JSON object")  # noqa: TRY301  # as whatever else is amiss
        return _carry_out(service, run_id, kind, data)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
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
            if kind == "cancel" and record.status == Status.INTERRUPTED:
                # Its owner left it before it was told: what is asked of the run is ours to do.
                return service.cancel(run_id)
            time.sleep(0.01)
    raise RunNotActive(
        f"the owner of run {run_id} did not answer within {patience:g} s",
        field="run",
        remedy="the request stands and is carried out when the owner goes on; `stepdeck resume "
        f"--take {run_id}` takes the run from it",
    )
