"""The run service: the one door through which every run is made, moved and ended.

A strategy's loop, a key press and a request from another process all come through here. The
service starts no threads: its host moves the runs. What it answers is what the ledger holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.errors import (
    InvalidOption,
    LeaseLost,
    LedgerError,
    RunNotActive,
    StepdeckError,
)
from engine.market import BarSource
from engine.model import Breakpoint, Decision, RunRecord, RunRequest
from engine.runs import (
    adoption,
    beginning,
    deadlines,
    deciding,
    leaving,
    rewind,
    rows,
    stalls,
    stopping,
    wheel,
)
from engine.runs.acting import Acting
from engine.runs.clock import Clock, SystemClock, wall_text
from engine.runs.commit import Committer
from engine.runs.fork import Wish, fork
from engine.runs.instance import Instance
from engine.runs.lifecycle import (
    ACTIVE,
    MOVING,
    TERMINAL,
    EndReason,
    Status,
    Trigger,
    after,
    target,
)
from engine.runs.limits import Limits
from engine.runs.liveness import Liveness
from engine.runs.output import captured
from engine.runs.pulse import Pulse
from engine.runs.session import Decider, Progress, Session
from engine.sim.observation import Observation
from engine.store.ledger import Ledger
from engine.strategies.registry import LoadedStrategy

# How long a cancel waits for the step in progress before it is committed over the step's head.
PATIENCE_SECONDS = 0.2


class RunService:
    """Creates, loads, moves and ends runs in one ledger, as one owner.

    ``ready`` is called with every session that has become able to move, ``completed`` with every
    one whose result has been published; ``decider`` makes what decides a loaded session's steps.
    The host sets all three.
    """

    def __init__(
        self,
        ledger: Ledger,
        instance: Instance,
        *,
        limits: Limits | None = None,
        clock: Clock | None = None,
        surface: str = "python",
    ) -> None:
        self.ledger = ledger
        self.instance = instance
        self.limits = limits or Limits()
        self.clock = clock or SystemClock()
        self.surface = surface
        self.sessions: dict[str, Session] = {}
        self.acting = Acting()
        self.ready: Callable[[Session], None] = lambda _session: None
        self.completed: Callable[[Session], None] = lambda _session: None
        self.decider: Callable[[Session], Decider | None] = lambda _session: None
        self.committer = Committer(ledger, instance.id, self.clock)
        self._cancels: set[str] = set()
        self.pulse = Pulse(self)
        self.liveness = Liveness(
            ledger.path,
            self.clock,
            stale_seconds=self.limits.heartbeat_stale_seconds,
            probe_locks=self.limits.probe_locks,
        )

    # -- making a run ---------------------------------------------------------------------------

    def create(
        self,
        request: RunRequest,
        *,
        baseline_of: str | None = None,
        loaded: LoadedStrategy | None = None,
        source: BarSource | None = None,
    ) -> Session:
        """Check ``request`` and give it a row; the run waits as ``created`` for its host.

        ``loaded`` and ``source`` stand in for what the request names. Raises ``InputError`` of a
        kind for a request that is refused, ``TooManyActiveRuns`` at a cap; in both cases there is
        no row.
        """
        return beginning.create(self, request, baseline_of, loaded, source)

    def load(self, session: Session) -> None:
        """Read the run's bars; afterwards ``session.progress`` is set, unless the run is closed.

        Market data that is missing or wrong fails a new run and leaves a resumed one interrupted,
        with the reason in its row; nothing is raised for that. The session is not held while bars
        are read, so a cancel does not wait for them, and what is read after it is dropped.
        """
        beginning.load(self, session)

    def begin(self, session: Session) -> None:
        """Start a loaded run, whose ``decide`` the driver has set.

        A resumed run is replayed first; a new one settles what comes before its first decision.
        """
        beginning.begin(self, session)

    # -- moving it ------------------------------------------------------------------------------

    def advance(self, session: Session, steps: int) -> int:
        """Let the run's own driver make up to ``steps`` decisions; return how many it made.

        Called by the host while it holds the session. What is computed waits for the next batch;
        the end of the data, ruin and a fault of the strategy end the run. Where somebody waits for
        the session no more are made than the one in progress.
        """
        progress, decide = session.progress, session.decide
        assert progress is not None
        assert decide is not None
        before = progress.state.decided
        with captured(session.output), session.call.going("decide", self.clock):
            advanced, hits = session.breaks.advance(
                decide, progress, before + steps, session.waiting
            )
        if advanced.state.done:
            # Written while the figures of the whole run are computed.
            self.committer.send(session)
        progress.take(advanced.state, advanced.result)
        self.committer.add(session, advanced.result, session.prepared.driver)
        made = progress.state.decided - before
        if advanced.fault is not None:
            self.fail(session, advanced.fault)
        elif progress.state.done:
            self.complete(session)
        elif hits:
            stopping.stop(self, session, hits)
        elif self.committer.due(session):
            self.flush(session, wait=False)
        return made

    def submit(
        self,
        run_id: str,
        step: int,
        decision: Decision,
        *,
        key: str | None = None,
        epoch: int | None = None,
    ) -> RunRecord:
        """Make the decision that is due at ``step``: a person's, or the agent's whose run it is.

        It is durable when this returns. A repeat with its ``key`` changes nothing, also after the
        run has ended. Raises ``StepAlreadyFinalized`` or ``StepNotActive`` for another step than
        the one that is due, ``DecisionDeadlineExceeded`` for one that was held meanwhile,
        ``StepRewound`` for one that was seen under ``epoch``, or whose key was used, in a future
        that a rewind has discarded, ``RunNotActive`` for a run that does not move in this process,
        and for an agent's decision while its run is paused.
        """
        return deciding.submit(self, run_id, step, decision, key=key, epoch=epoch)

    def keep_deadline(self, session: Session) -> None:
        """Give the session the deadline it should have now, after whatever moved it."""
        deadlines.keep(session, self.clock, self.limits.decision_timeout_seconds)

    def expire_deadlines(self) -> int:
        """Hold every step whose agent is late; how many there were. The host's timer calls this."""
        return deadlines.expire_all(self)

    def step(self, run_id: str, count: int = 1) -> RunRecord:
        """Make ``count`` decisions now and commit them: a strategy decides, a person's run holds.

        A running strategy is paused first, so that what follows is by hand. Fewer are made where
        somebody else operates on the run meanwhile.
        """
        return deciding.step(self, run_id, count)

    def rewind(self, run_id: str, step: int, *, epoch: int | None = None) -> RunRecord:
        """Keep the first ``step`` decisions and make that the present of a run; it is paused.

        What came after is kept as discarded rows. A strategy is warmed afresh. An interrupted run
        is adopted, cut and left interrupted. Going back to where a run stands pauses it. Raises
        ``InvalidOption`` for a step it has not come to, ``RunNotActive`` for a run that has ended
        or moves elsewhere, ``StepRewound`` for a step that was seen under ``epoch`` and is gone;
        what ``replay.retrace`` raises and ``StrategyChanged``, with the run as it was.
        """
        return rewind.rewind(self, run_id, step, epoch=epoch)

    def fork(
        self,
        run_id: str,
        step: int,
        *,
        strategy: str | None = None,
        params: Mapping[str, Any] | None = None,
        rebase: bool = False,
        name: str | None = None,
        breakpoints: bool = True,
    ) -> Session:
        """A new run with the first ``step`` decisions of any run, paused where that one was then.

        Its own strategy is warmed and compared; another ``strategy``, or other ``params``, is shown
        the beginning and decides from ``step`` on. ``rebase`` accepts other bars on the same grid
        and compares nothing before ``step``. ``breakpoints`` are taken along. Raises
        ``InvalidOption`` for a step the run has not come to, ``BarsChanged``, ``StrategyChanged``,
        ``StrategyDiverged``, and what ``create`` raises; there is no row then.
        """
        wish = Wish(
            strategy=strategy, params=params, rebase=rebase, name=name, breakpoints=breakpoints
        )
        return fork(self, run_id, step, wish)

    def take_over(self, run_id: str) -> RunRecord:
        """Let a person decide; a running run is paused. Of a run by hand nothing changes."""
        return wheel.take_over(self, run_id)

    def hand_back(self, run_id: str) -> RunRecord:
        """Let the strategy decide again, made afresh and shown every step so far.

        Raises ``InvalidOption`` for a run that has none; ``StrategyChanged`` and
        ``StrategyDiverged``, with the run as it was.
        """
        return wheel.hand_back(self, run_id)

    def observe(self, run_id: str) -> Observation:
        """What the decision that is due may see."""
        with self.moving(run_id) as (_, progress):
            return progress.simulation.observe(progress.state)

    def pause(self, run_id: str) -> RunRecord:
        """Hold the run after the step in progress. Pausing a paused run changes nothing."""
        with self.moving(run_id) as (session, _):
            if session.status is Status.RUNNING:
                with stopping.unchanged_if_refused(session):
                    self.hold(session, stopping.without_goal(session))
        return self.record(run_id)

    def hold(
        self,
        session: Session,
        columns: Mapping[str, Any],
        *,
        reason: str | None = None,
        kept: bool = False,
    ) -> None:
        """Pause a session that runs: its batch, ``columns`` and the status in one transaction.

        ``kept``: where the ledger refuses, the session stalls and is paused once it can be.
        """
        self.move(session, Trigger.PAUSE, reason=reason, columns=columns, kept=kept)
        self.keep_deadline(session)

    def resume(self, run_id: str) -> RunRecord:
        """Let a paused run move again. Resuming a running run changes nothing."""
        with self.moving(run_id) as (session, _):
            if session.status is Status.PAUSED:
                self.let_go(session, {})
        self.ready(session)
        return self.record(run_id)

    def let_go(self, session: Session, columns: Mapping[str, Any]) -> None:
        """Let a session go on that is paused, with columns of its row."""
        self.move(session, Trigger.RESUME, columns=columns)
        self.keep_deadline(session)

    def set_breakpoints(self, run_id: str, points: Sequence[Breakpoint]) -> RunRecord:
        """Give a run other breakpoints; see ``stopping.replace_all``."""
        return stopping.replace_all(self, run_id, points)

    def run_to(self, run_id: str, condition: str) -> RunRecord:
        """Let a run go on to where ``condition`` first holds; see ``stopping.aim``."""
        with self.moving(run_id) as (session, progress):
            stopping.aim(self, session, progress, condition)
        self.ready(session)
        return self.record(run_id)

    def set_speed(self, run_id: str, speed: float | None) -> RunRecord:
        """Limit the run to ``speed`` steps a second; None lifts the limit."""
        if speed is not None and not 0 < speed < float("inf"):
            raise InvalidOption(
                f"speed is {speed:g} steps a second", field="speed", remedy="give more than 0"
            )
        with self.moving(run_id) as (session, _):
            metadata = {**session.metadata, "speed": speed}
            self.update(session, {"metadata": metadata})
            session.speed, session.metadata = speed, metadata
        self.ready(session)
        return self.record(run_id)

    def cancel(self, run_id: str) -> RunRecord:
        """End the run as cancelled, if it has not ended; the answer is its true state.

        What was computed before is committed first. A strategy that does not return within
        ``PATIENCE_SECONDS`` is not waited for: the run is cancelled over its head, and what
        it still answers is fenced. A finished run keeps its result. Raises ``LedgerError`` where
        the ledger refuses it; it is then carried out as soon as it can be.
        """
        session = self.sessions.get(run_id)
        if session is not None:
            with self.acting, session.claim(PATIENCE_SECONDS) as held:
                try:
                    if session.closed.is_set():
                        pass
                    elif held:
                        # A lost lease is no error here: the record says whose the run is now.
                        with contextlib.suppress(LeaseLost):
                            self._end(session, Trigger.CANCEL, EndReason.CANCELLED_BY_USER)
                    else:
                        leaving.cancel_held(self, session)
                except LedgerError as error:
                    if not held:
                        self._cancels.add(run_id)
                    raise stalls.not_yet(run_id, "cancelled", error) from error
            return self.record(run_id)
        record = self.record(run_id)
        abandoned = record.status in ACTIVE and not self.owner_alive(record)
        if record.status == Status.INTERRUPTED or abandoned:
            leaving.cancel_row(self, run_id, record.owner_instance, record.lease_epoch)
            record = self.record(run_id)
        return record

    # -- ending it ------------------------------------------------------------------------------

    def fail(self, session: Session, error: StepdeckError) -> None:
        """End the run for ``error``, after what was settled before it has been committed.

        A run that was being taken up again is left interrupted instead, as it was.
        """
        with session.claim():
            if session.closed.is_set():
                return
            if session.log is not None:
                self.close(session, Trigger.INTERRUPT, reason=error.code, error=error)
            else:
                self.close(session, Trigger.FAIL, reason=rows.end_reason(error), error=error)

    def _end(self, session: Session, trigger: Trigger, reason: str) -> None:
        """Cancel or leave a session, unless it is to end already and the ledger has yet to take
        that: then this is what is tried."""
        if session.ends:
            stalls.retry(self, session)
        else:
            stalls.drop_refused(session)
            self.close(session, trigger, reason=reason)

    def interrupt(self, session: Session, reason: str = "owner_left") -> None:
        """Leave the run where it is, for anybody to take up.

        Like a cancel, it does not wait for a strategy that does not return. Raises ``LedgerError``
        where that cannot be written.
        """
        with session.claim(PATIENCE_SECONDS) as held:
            if session.closed.is_set():
                return
            if held:
                with contextlib.suppress(LeaseLost):
                    self._end(session, Trigger.INTERRUPT, reason)
            else:
                leaving.interrupt_held(self, session, reason)

    def stall(self, session: Session, error: LedgerError) -> None:
        """Keep why the ledger refused what a host did with the session; it will be tried again."""
        with session.claim():
            if not session.closed.is_set():
                stalls.note(self, session, error)

    def retry(self, session: Session) -> bool:
        """Try again what the ledger refused of a stalled session; see ``stalls.retry``.

        False if somebody else holds the session: it is asked again soon.
        """
        with session.claim(0.0) as held:
            if held:
                stalls.retry(self, session)
        return held

    def retry_stalled(self) -> None:
        """Try again what the ledger refused, of all runs. Raises the last refusal after all."""
        self.carry_out_cancels()
        stalls.retry_all(self)

    def carry_out_cancels(self) -> None:
        """Cancel what could not be cancelled over its holder's head, for the ledger refused it."""
        for run_id in list(self._cancels):
            try:
                self.cancel(run_id)
            except LedgerError:
                continue
            self._cancels.discard(run_id)

    def give_up(self, session: Session, error: StepdeckError) -> None:
        """End the run for an error that is ours: what is committed stays, the rest is not tried."""
        with session.claim():
            session.forget_unwritten()
            session.progress = None
            self.fail(session, error)

    def complete(self, session: Session) -> None:
        ended = session.progress.state.ended if session.progress is not None else None
        self.close(session, Trigger.COMPLETE, reason=ended or EndReason.END_OF_DATA)
        self.completed(session)

    def close(
        self,
        session: Session,
        trigger: Trigger,
        *,
        reason: str,
        error: StepdeckError | None = None,
    ) -> None:
        """Commit what waits, move the row to where the run ends for this process, and let go.

        Where the ledger refuses, the session stalls, and ends so once it can be written.
        """
        columns: dict[str, Any] = {}
        if error is not None:
            session.error = error
            columns |= {"error_code": error.code, "error_message": str(error)}
        if target(trigger) in TERMINAL:
            columns |= {"end_reason": reason, "finished_at": wall_text(self.clock)}
            if session.progress is not None and session.progress.state.settled:
                columns |= session.progress.final_columns()
        try:
            self.move(session, trigger, reason=reason, columns=columns, kept=True)
        except LedgerError:
            raise
        except BaseException:
            self.drop(session)
            raise
        self.drop(session)

    def lose(self, session: Session) -> None:
        """Forget a session whose run is another's now, and say so to whoever holds the session."""
        session.error = LeaseLost(
            f"run {session.run_id} was taken over by another process", field="run"
        )
        self.drop(session)

    def drop(self, session: Session) -> None:
        """Forget the session; its row, if it is still ours, is left as it is."""
        session.closed.set()
        if session.decide is not None:
            session.decide.close()
        # The run may have been taken up here again: that is another session.
        if self.sessions.get(session.run_id) is session:
            del self.sessions[session.run_id]

    def move(
        self,
        session: Session,
        trigger: Trigger,
        *,
        reason: str | None = None,
        columns: Mapping[str, Any] | None = None,
        kept: bool = False,
    ) -> None:
        after(session.status, trigger)
        with self._leased(session):
            self.committer.move(session, trigger, reason=reason, columns=columns, kept=kept)

    def update(self, session: Session, columns: Mapping[str, Any]) -> None:
        """Set columns of the session's row. Raises ``LeaseLost``."""
        with self._leased(session):
            self.committer.update(session, columns)

    def flush(self, session: Session, *, wait: bool = False) -> None:
        """Commit what the session has computed. Raises ``LeaseLost``."""
        with self._leased(session):
            self.committer.flush(session, wait=wait)

    @contextlib.contextmanager
    def _leased(self, session: Session) -> Iterator[None]:
        """A session whose lease turns out to be lost is forgotten at once; one of which the ledger
        refuses something that is to be tried again stalls."""
        try:
            yield
        except LeaseLost:
            self.lose(session)
            raise
        except LedgerError as error:
            if session.holds:
                stalls.note(self, session, error)
            raise

    # -- taking one up --------------------------------------------------------------------------

    def take_up(self, run_id: str, *, play: bool | None = None, force: bool = False) -> Session:
        """Adopt an interrupted run; its host loads, replays and goes on with it.

        It comes back as it was, paused or running, unless ``play`` says otherwise. ``force`` takes
        it from an owner that lives, which then writes nothing more. Raises
        ``RunNotResumable`` for a run that is not interrupted, ``StrategyChanged`` or an
        ``InputError`` for one whose strategy or source is not what it was, ``TooManyActiveRuns``
        at a cap; the run is then left as it was.
        """
        return adoption.take_up(self, run_id, play=play, force=force)

    # -- reading --------------------------------------------------------------------------------

    def record(self, run_id: str) -> RunRecord:
        """The run's row as the ledger holds it. Raises ``RunNotFound``."""
        with self.ledger.reader() as reader:
            return reader.run(run_id)

    def owner_alive(self, record: RunRecord) -> bool:
        """Whether the process that owns the run still lives."""
        owner = record.owner_instance
        return owner is not None and self.liveness.alive(owner, record.heartbeat_seq)

    @contextlib.contextmanager
    def moving(self, run_id: str) -> Iterator[tuple[Session, Progress]]:
        """Hold a run that moves in this process, for an operation on it.

        What it is, is asked once it is held: it may have changed while one waited. Of a run that
        stalls, what is held back is tried first; raises ``LedgerError`` where it is refused again.
        """
        session = self.sessions.get(run_id)
        if session is None:
            raise RunNotActive(f"run {run_id} is {self.record(run_id).status}", field="run")
        with self.acting, session.claim():
            stalls.retry(self, session)
            if session.closed.is_set() or session.status not in MOVING or not session.progress:
                raise RunNotActive(f"run {run_id} is {self.record(run_id).status}", field="run")
            yield session, session.progress
