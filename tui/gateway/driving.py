"""Opening a ledger, and asking the run service for things."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from engine.errors import (
    LeaseLost,
    LedgerError,
    LedgerReadOnly,
    RunNotActive,
    RunNotResumable,
)
from engine.model import (
    Breakpoint,
    Decision,
    RunRecord,
    RunRequest,
)
from engine.runs.instance import Instance
from engine.runs.lifecycle import ACTIVE, TERMINAL, Status
from engine.runs.limits import Limits
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tui.gateway.reading import Reading
from tui.gateway.views import decided_elsewhere

if TYPE_CHECKING:
    from engine.drivers.audit import Audit
    from engine.drivers.host import Host
    from engine.runs.service import RunService
    from engine.runs.session import Session

log = logging.getLogger(__name__)

Leave = Literal["interrupt", "cancel", "wait"]
POLL_SECONDS = 0.02


class Gateway(Reading):
    """One ledger, opened for watching or for driving too."""

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        write: bool = True,
        limits: Limits | None = None,
        app: bool = False,
        surface: str = "cli",
    ) -> Self:
        """Open the ledger at ``path``; with ``write``, host runs and recover orphans.

        ``app`` lets a screen in this process ask for its turn. Raises ``LedgerError`` of a kind for
        a file that cannot be used; nothing is touched then.
        """
        if not write:
            Reader.open(path).close()
            return cls(path, None, None, None)
        # Loaded here, so that watching a ledger needs no engine.
        from engine.drivers.courtesy import Courtesy
        from engine.drivers.host import Host, tune_interpreter
        from engine.runs.recovery import recover
        from engine.runs.service import RunService

        tune_interpreter()
        limits = limits or Limits()
        ledger = Ledger.open(path)
        try:
            instance = Instance.take(path)
        except LedgerReadOnly:
            ledger.close()
            raise
        service = RunService(ledger, instance, limits=limits, surface=surface)
        if limits.recover_on_start:
            recover(ledger, instance, service.clock, service.liveness)
        host = Host(service, courtesy=Courtesy() if app else None)
        return cls(path, ledger, service, host)

    def close(self, live: Leave = "interrupt") -> None:
        """Let go of the ledger; live runs become interrupted, cancelled, or are waited for.

        What the ledger does not take of that is told by ``unsaid``, and left to recovery.
        """
        if self._closed:
            return
        self._closed = True
        service, host, ledger = self._service, self._host, self._ledger
        if service is not None and host is not None and ledger is not None:
            for session in list(service.sessions.values()):
                if live == "wait" and session.status is Status.RUNNING and session.decide:
                    # Held by a breakpoint, or from elsewhere, it would wait for ever.
                    while session.status is Status.RUNNING and not session.closed.wait(0.1):
                        pass
                elif live == "cancel" and session.baseline_of is None:
                    self._try_to_leave(session, partial(service.cancel, session.run_id))
            host.close()
            for session in list(service.sessions.values()):
                self._try_to_leave(session, partial(service.interrupt, session))
            service.instance.release()
        for reader in self._readers:
            reader.close()
        if ledger is not None:
            ledger.close()

    def _try_to_leave(self, session: Session, leave: Callable[[], object]) -> None:
        """What the ledger does not take of one run is kept from no other, nor from the end."""
        try:
            leave()
        except LedgerError as error:
            log.warning("run %s: %s", session.run_id, error)
            self.unsaid[session.run_id] = (
                f"run {session.run_id} could not be left in order: {error.message}; "
                "it is interrupted at its last durable step, once the ledger can be written"
            )

    # -- doing ----------------------------------------------------------------------------------

    def _driving(self) -> tuple[RunService, Host]:
        if self._service is None or self._host is None:
            raise LedgerReadOnly(
                "this ledger is open for watching only",
                field="db",
                remedy="open it with `stepdeck` to drive runs",
            )
        return self._service, self._host

    def key_came(self) -> None:
        """Let the engine stand aside, for a few frames at most, until ``key_answered``."""
        if self._host is not None:
            self._host.make_way()

    def key_answered(self) -> None:
        """What answers the key is on its way to the terminal: the engine goes on."""
        if self._host is not None and self._host.courtesy is not None:
            self._host.courtesy.done()

    def active(self) -> tuple[str, ...]:
        """Ids of the runs that are live in this process, baselines left out."""
        service, _ = self._driving()
        return tuple(
            session.run_id
            for session in list(service.sessions.values())
            if session.baseline_of is None
        )

    def check(self, request: RunRequest) -> RunRequest:
        """The request with its symbols, timeframe and typed parameters filled in; no row is made.

        Raises the ``InputError`` kinds that ``create`` would.
        """
        from engine.runs.requests import prepare

        return prepare(request).request

    def create(self, request: RunRequest, *, start: bool = True) -> RunRecord:
        """A new run; with ``start`` the host takes it up, else it is left ``interrupted``.

        Raises ``InputError`` of a kind for a request that is refused and ``TooManyActiveRuns`` at
        a cap; no row exists then.
        """
        service, host = self._driving()
        session = service.create(request)
        if start:
            host.enqueue(session)
        else:
            service.interrupt(session, reason="prepared")
        return service.record(session.run_id)

    def still(self) -> AbstractContextManager[object]:
        """Keep this process out of transactions while it is stopped (Ctrl-Z)."""
        return nullcontext() if self._ledger is None else self._ledger.still()

    def again(self, run_id: str) -> RunRecord:
        """A new run with the settings of another; raises as ``create`` does.

        It stops where the other would as that stands now: at its lasting breakpoints that are on.
        """
        from engine.runs.config import decode_request

        record = self.record(run_id)
        request = decode_request(record.config)
        if "breakpoints" in record.metadata:
            stops = self.breakpoints_of(record)
            lasting = tuple(stop.expression for stop in stops if stop.enabled and not stop.once)
            request = replace(request, breakpoints=lasting)
        return self.create(request)

    def seize(self, run_id: str) -> RunRecord:
        """Take a live run from the process that has it and leave it ``interrupted``."""
        from engine.runs.adoption import seize

        service, _ = self._driving()
        return seize(service, run_id)

    def take_up(self, run_id: str, *, play: bool | None = None, force: bool = False) -> RunRecord:
        """Go on with an interrupted run, as it was, or playing or paused as ``play`` says.

        With ``force`` also with a live one of another process, which then writes nothing more.
        """
        service, host = self._driving()
        record = self.record(run_id)
        if play and decided_elsewhere(record):
            raise RunNotResumable(
                f"run {run_id} is driven by hand",
                field="run",
                remedy=f"open it with `stepdeck {run_id}`",
            )
        session = service.take_up(run_id, play=play, force=force)
        host.enqueue(session)
        return service.record(run_id)

    def pause(self, run_id: str) -> RunRecord:
        """Hold a run after its step in progress."""
        return self._operate(run_id, "pause", {})

    def resume(self, run_id: str) -> RunRecord:
        """Let a paused run move."""
        return self._operate(run_id, "resume", {})

    def set_speed(self, run_id: str, speed: float | None) -> RunRecord:
        """Limit a run to ``speed`` steps a second; None lifts the limit."""
        return self._operate(run_id, "speed", {"speed": speed})

    def step(self, run_id: str, count: int = 1) -> RunRecord:
        """Make ``count`` decisions: a manual run holds, a strategy is paused and decides."""
        return self._operate(run_id, "step", {"count": count})

    def run_to(self, run_id: str, condition: str) -> RunRecord:
        """Let a run go on, as fast as it can, to where an expression first holds.

        A strategy's run is let go and pauses there by itself; one by hand holds until then. Raises
        ``InvalidExpression``.
        """
        from engine.sim.expressions import parse

        parse(condition, self.record(run_id).symbols)
        return self._operate(run_id, "run_to", {"condition": condition})

    def breakpoints(self, run_id: str) -> tuple[Breakpoint, ...]:
        """The run's breakpoints, as the ledger holds them."""
        return self.breakpoints_of(self.record(run_id))

    def breakpoints_of(self, record: RunRecord) -> tuple[Breakpoint, ...]:
        """The breakpoints in a row of the ledger; what is none there is left out."""
        from engine.runs.breakpoints import decode

        return decode(record.metadata.get("breakpoints"))

    def set_breakpoints(self, run_id: str, points: Sequence[Breakpoint]) -> RunRecord:
        """Give a live or an interrupted run these breakpoints; hit counts are kept.

        Raises ``InvalidExpression`` for one that means nothing to the run.
        """
        from engine.runs.breakpoints import checked, encode

        service, _ = self._driving()
        record = self.record(run_id)
        checked(points, record.symbols)
        if record.status == Status.INTERRUPTED and run_id not in service.sessions:
            return service.set_breakpoints(run_id, points)
        return self._operate(run_id, "breakpoints", {"breakpoints": encode(points)})

    def submit(
        self, run_id: str, step: int, decision: Decision, *, epoch: int | None = None
    ) -> RunRecord:
        """Make the decision that is due at ``step`` by hand; durable when this returns.

        In a strategy's run this takes over. ``epoch`` is the ``lease_epoch`` under which the step
        was seen: if a rewind has discarded it since, ``StepRewound``.
        """
        from engine.codec import encode_decision

        data: dict[str, object] = {"step": step, "decision": encode_decision(decision)}
        if epoch is not None:
            data["epoch"] = epoch
        return self._operate(run_id, "decide", data)

    def take_over(self, run_id: str) -> RunRecord:
        """Decide by hand from the next step on, in a strategy's place; the run is paused."""
        return self._operate(run_id, "take_over", {})

    def hand_back(self, run_id: str) -> RunRecord:
        """Let the strategy decide again, made afresh and shown every step so far.

        May take a while. Raises ``InvalidOption`` for a run that has no strategy,
        ``StrategyChanged`` and ``StrategyDiverged`` with the run as it was.
        """
        return self._operate(run_id, "hand_back", {})

    def rewind(self, run_id: str, step: int) -> RunRecord:
        """Make the moment after ``step`` decisions the run's present, and pause it there.

        What came after is kept as discarded. An interrupted run is left interrupted. May take a
        while. Raises ``InvalidOption`` for a step that it has not come to, ``RunNotActive`` for a
        run that has ended, and what keeps it from being replayed, with the run as it was.
        """
        service, _ = self._driving()
        record = self.record(run_id)
        moves = record.status in ACTIVE and service.owner_alive(record)
        if run_id not in service.sessions and not moves:
            return service.rewind(run_id, step)
        return self._operate(run_id, "rewind", {"step": step})

    def fork(
        self,
        run_id: str,
        step: int,
        *,
        strategy: str | None = None,
        params: Mapping[str, Any] | None = None,
        rebase: bool = False,
        name: str | None = None,
        play: bool = False,
        start: bool = True,
        breakpoints: bool = True,
    ) -> RunRecord:
        """A new run of this process with the first ``step`` decisions of any run.

        It is paused where that run was then; ``play`` lets it go on, without ``start`` it is left
        ``interrupted``. Its own strategy is warmed and compared with what it decided; another
        ``strategy``, or other ``params``, decides from ``step`` on. ``rebase`` accepts other bars.
        May take a while. Raises ``InputError`` kinds, ``TooManyActiveRuns``, ``BarsChanged``,
        ``StrategyChanged`` and ``StrategyDiverged``; there is no row then.
        """
        service, _ = self._driving()
        session = service.fork(
            run_id,
            step,
            strategy=strategy,
            params=params,
            rebase=rebase,
            name=name,
            breakpoints=breakpoints,
        )
        if not session.closed.is_set():
            if not start:
                service.interrupt(session, reason="prepared")
            elif play:
                return service.resume(session.run_id)
        return service.record(session.run_id)

    def cancel(self, run_id: str) -> RunRecord:
        """Cancel a run wherever it lives; the answer is its true state."""
        service, _ = self._driving()
        record = self.record(run_id)
        if record.status in TERMINAL or record.status == Status.INTERRUPTED:
            return service.cancel(run_id)
        return self._operate(run_id, "cancel", {})

    def delete(self, run_id: str) -> tuple[str, ...]:
        """Delete a run that has ended or was left, and its baselines; the ids that went.

        Raises ``RunNotFound``, ``RunIsActive``.
        """
        from engine.runs.clock import wall_text
        from engine.runs.removal import remove

        service, _ = self._driving()
        at = wall_text(service.clock)
        return remove(service.ledger, run_id, at=at, by=service.instance.id)

    def _operate(self, run_id: str, kind: str, data: dict[str, object]) -> RunRecord:
        from engine.drivers import commands

        service, _ = self._driving()
        if run_id in service.sessions:
            return commands.carry_out(service, run_id, kind, data)
        record = self.record(run_id)
        if record.status not in ACTIVE:
            remedy = "take it up with resume" if record.status == Status.INTERRUPTED else None
            raise RunNotActive(f"run {run_id} is {record.status}", field="run", remedy=remedy)
        if not service.owner_alive(record):
            if kind == "cancel":
                return service.cancel(run_id)
            raise RunNotResumable(
                f"the owner of run {run_id} is gone", field="run", remedy="take it up with resume"
            )
        if kind in ("decide", "rewind"):
            # Of what is seen now, not of what a rewind may make of the step meanwhile.
            data.setdefault("epoch", record.lease_epoch)
        return commands.ask(service, run_id, kind, data)

    def wait(self, run_id: str, timeout: float | None = None) -> RunRecord:
        """Wait until the run has ended or was left, at most ``timeout`` seconds.

        Raises ``LeaseLost`` if another process has taken it meanwhile.
        """
        service, _ = self._driving()
        session = service.sessions.get(run_id)
        if session is not None:
            session.closed.wait(timeout)
        record = self.record(run_id)
        # Asked of the row: this process may have been stopped while another brought it to its end.
        if session is not None and record.owner_instance != service.instance.id:
            raise LeaseLost(f"run {run_id} was taken over by another process", field="run")
        return record

    def settle(self, timeout: float) -> bool:
        """Wait until this process's runs and baselines are done; False if they were not in time."""
        _, host = self._driving()
        return host.wait_idle(timeout)


def audit(request: RunRequest, *, points: int, progress: Callable[[int, int], None]) -> Audit:
    """Look for look-ahead and hidden randomness in the request's strategy; needs no ledger.

    Raises ``InputError``, ``MarketDataError`` and ``StrategyFault`` kinds, and what ``progress``
    (called with reruns done and in all) raises.
    """
    from engine.drivers.audit import audit

    return audit(request, points=points, progress=progress)
