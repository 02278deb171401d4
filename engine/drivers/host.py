"""The host: a few engine threads that keep the active runs of this process moving.

Runs share the threads in short, fair slices, so that a screen beside them stays quick. One more
thread watches the ledger for commands from other processes, one keeps the heartbeat. A thread that
a strategy holds for long gets a substitute, so that it slows nobody else.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from engine.drivers import commands
from engine.drivers.baselines import baselines_of
from engine.drivers.courtesy import Courtesy
from engine.drivers.strategy import decider
from engine.errors import LeaseLost, LedgerError, StepdeckError
from engine.failpoints import failpoint
from engine.runs.commit import BATCH_SECONDS
from engine.runs.lifecycle import MOVING, Status
from engine.runs.output import captured
from engine.runs.reaper import Reaper
from engine.runs.requests import Prepared
from engine.runs.service import RunService
from engine.runs.session import Session
from engine.store.reader import Reader

log = logging.getLogger(__name__)

BUSY_WATCH_SECONDS = 0.01
WATCH_SECONDS = 0.05
RESTING_WATCH_SECONDS = 0.2
IDLE_WATCH_SECONDS = 0.5
"""How often the ledger is looked at for commands: while runs move here, while some stand here that
somebody drives, while they merely stand, and while there is none that anybody could command."""
REST_AFTER_SECONDS = 5.0
"""So long after the last command, or the last run that came, nobody drives what stands here."""
HEARTBEAT_SECONDS = 5.0
RETRY_SECONDS = 1.0
STUCK_SECONDS = 2.0
LONGEST_SLICE_SECONDS = 0.05
"""After which a slice ends with the step in progress, however many it was to make."""
SLICE_STEPS = 5_000
ACT_SECONDS = 0.1
"""How long slices wait for whoever operates on a run, at a time."""
_TIME_IS_UP = object()


@dataclass(eq=False)
class _Lane:
    """One run's place in the host: how many steps fit a slice, and when its next step is due.

    ``refused``: the ledger did not take what its run has, and ``due`` is when it is asked again.
    """

    session: Session
    slice_steps: int = 16
    due: float = 0.0
    queued: bool = False
    refused: bool = False


def tune_interpreter() -> None:
    """Settings of the interpreter that suit a host beside a screen; a composition root calls it.

    Threads hand over the interpreter's lock every millisecond, because the writer and the screen
    need it often and briefly. The garbage collector looks less often: steps make millions of
    tuples, and none of them in cycles (measured: a sixth of a long run's time).
    """
    sys.setswitchinterval(0.001)
    gc.set_threshold(50_000, 20, 100)


class Host:
    """Moves the runs of one service. ``slice_seconds`` is how long a run keeps a thread.

    Its threads stand aside, between slices, for whoever operates on a run; with ``courtesy`` for a
    screen, too, that makes a slice in progress end with its next step.
    """

    def __init__(
        self,
        service: RunService,
        *,
        threads: int = 2,
        slice_seconds: float = 0.02,
        courtesy: Courtesy | None = None,
    ) -> None:
        self.service = service
        self.reaper = Reaper(service)
        self._slice_seconds = slice_seconds
        self.courtesy = courtesy
        self._queue: deque[_Lane] = deque()
        self._lanes: dict[str, _Lane] = {}
        lock = threading.RLock()
        self._wake = threading.Condition(lock)
        self._quiet = threading.Condition(lock)
        self._closing = False
        self._stop_watching = threading.Event()
        self._stirred = threading.Event()
        self._stirred_at = service.clock.monotonic()
        self._busy_since: dict[threading.Thread, float] = {}
        self._slices: dict[_Lane, float] = {}
        self._acts = Courtesy(service.clock, most_seconds=ACT_SECONDS)
        service.acting.begun, service.acting.over = self._acts.ask, self._acts.done
        self._baselines: deque[tuple[str, Prepared]] = deque()
        self._working = 0
        self._reap_at = service.clock.monotonic() + service.limits.reaper_interval_seconds
        service.ready = self.enqueue
        service.completed = self._queue_baseline
        service.decider = decider
        for _ in range(threads):
            self._hire()
        self._watcher = threading.Thread(target=self._watch, name="stepdeck-watch", daemon=True)
        self._watcher.start()
        self._pulse = threading.Thread(target=self._beat, name="stepdeck-pulse", daemon=True)
        self._pulse.start()

    def enqueue(self, session: Session) -> None:
        """Let ``session`` have its turns, if it can move."""
        self._stirred.set()
        with self._wake:
            lane = self._lanes.get(session.run_id)
            if lane is None or lane.session is not session:
                # New here, or taken up again after this process had left it.
                lane = self._lanes[session.run_id] = _Lane(session)
            if not lane.queued and not self._closing:
                lane.queued = True
                lane.due = 0.0
                self._queue.append(lane)
                self._wake.notify()
            elif lane.refused and session.stall is None:
                lane.due = 0.0  # the ledger has taken it for somebody else
                self._wake.notify()

    def make_way(self) -> None:
        """A screen is about to answer a key: stand aside until it says ``courtesy.done``.

        For as long as ``Courtesy`` has it; without one, not at all.
        """
        if self.courtesy is not None:
            self.courtesy.ask()
            if self.courtesy.asked:
                self._end_slices(float("inf"))

    def close(self, timeout: float = 2.0) -> None:
        """Stop the threads. Runs are left as they are: the service interrupts or cancels them.

        A thread inside a strategy's call is not waited for beyond ``timeout``; it is a daemon, and
        what it still computes is fenced.
        """
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._stop_watching.set()
        self._stirred.set()
        clock = self.service.clock
        until = clock.monotonic() + timeout
        for thread in [*self._busy_since, self._watcher, self._pulse]:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - clock.monotonic()))

    def wait_idle(self, timeout: float) -> bool:
        """Wait until nothing is queued, moving or waiting for its baseline; False if it was not."""
        with self._quiet:
            return self._quiet.wait_for(self._idle, timeout)

    def _idle(self) -> bool:
        return not (self._queue or self._working or self._baselines)

    # -- engine threads -------------------------------------------------------------------------

    def _hire(self) -> None:
        thread = threading.Thread(target=self._work, name="stepdeck-engine", daemon=True)
        self._busy_since[thread] = float("inf")
        thread.start()

    def _work(self) -> None:
        work: _Lane | tuple[str, Prepared] | None
        me = threading.current_thread()
        clock = self.service.clock
        while (work := self._next()) is not None:
            self._busy_since[me] = clock.monotonic()
            for courtesy in (self.courtesy, self._acts):
                if courtesy is not None and courtesy.asked:
                    courtesy.stand_aside()
            if isinstance(work, _Lane):
                self._turn(work)
            else:
                self._start_baselines(*work)
            with self._wake:
                self._working -= 1
                if isinstance(work, _Lane):
                    self._put_back(work)
                work = None  # or a thread without work would keep the last run's bars
                if self._idle():
                    self._quiet.notify_all()
                replaced = me not in self._busy_since
                if not replaced:
                    self._busy_since[me] = float("inf")
            if replaced:
                return
        self._busy_since.pop(me, None)

    def _put_back(self, lane: _Lane) -> None:
        """Queue a lane again after its turn, if its run can move; else forget it, and the run.

        Asked under the lock that ``enqueue`` takes: a resume that came during the turn found the
        lane queued and left it to this.
        """
        lane.queued = _can_move(lane.session) and not self._closing
        if lane.queued:
            self._queue.append(lane)
            self._wake.notify()
        elif self._lanes.get(lane.session.run_id) is lane:
            del self._lanes[lane.session.run_id]

    def _next(self) -> _Lane | tuple[str, Prepared] | None:
        """The lane whose turn it is, once one is due; where there is none a run that waits for its
        baselines; None when the host closes.
        """
        clock = self.service.clock
        with self._wake:
            while not self._closing:
                now = clock.monotonic()
                for _ in range(len(self._queue)):
                    lane = self._queue.popleft()
                    if lane.due <= now:
                        self._working += 1
                        return lane
                    self._queue.append(lane)
                if not self._queue and self._baselines:
                    self._working += 1
                    return self._baselines.popleft()
                soonest = min((lane.due for lane in self._queue), default=None)
                self._wake.wait(None if soonest is None else soonest - now)
        return None

    def _turn(self, lane: _Lane) -> None:
        """One slice of one run, or its start."""
        session, lane.refused = lane.session, False
        stall = session.stall
        try:
            if stall is not None and (session.holds or session.status in MOVING):
                if not self.service.retry(session):
                    lane.due = self.service.clock.monotonic() + stall.pause
            elif session.status in (Status.CREATED, Status.LOADING):
                self._start(session)
            elif session.decide is not None:
                self._slice(lane)
        except LeaseLost as error:
            log.warning("%s", error)
            self.service.drop(session)
        except LedgerError as error:
            if session.stall is stall:  # nobody has told it yet
                self.service.stall(session, error)
            self._park(lane)
        except Exception as error:  # one run's failure is kept, shown, and isolated
            log.exception("run %s failed", session.run_id)
            said = StepdeckError(f"{type(error).__name__}: {error}", remedy="the log has the rest")
            try:
                self.service.give_up(session, said)
            except StepdeckError as refused:  # said later, where it is the disk that refuses
                log.warning("run %s: %s", session.run_id, refused)

    def _park(self, lane: _Lane) -> None:
        """The ledger refuses: the run keeps what it has, and its lane comes up again in a while."""
        stall = lane.session.stall
        if stall is not None:
            lane.refused = True
            lane.due = self.service.clock.monotonic() + stall.pause

    def _start(self, session: Session) -> None:
        """Load and begin it; where the ledger refused that, from where it stands."""
        if session.progress is not None or self._load(session):
            self.service.begin(session)

    def _load(self, session: Session) -> bool:
        """Have its bars, and what decides its steps; False if the run is over with that."""
        self.service.load(session)
        if session.progress is None:
            return False
        try:
            with captured(session.output), session.call.going("prepare", self.service.clock):
                session.decide = None if session.taken_over else decider(session)
        except StepdeckError as error:
            self.service.fail(session, error)
            return False
        return True

    def _slice(self, lane: _Lane) -> None:
        session, clock = lane.session, self.service.clock
        if session.claimed:
            lane.due = clock.monotonic() + 0.001
            return
        with session.lock:
            if session.closed.is_set() or session.status is not Status.RUNNING:
                return
            if self.service.committer.crowded(session):
                lane.due = clock.monotonic() + 0.001
                return
            began = clock.monotonic()
            speed = session.pace
            steps = 1 if speed is not None and speed < 100 else lane.slice_steps
            if speed is not None and speed >= 100:
                steps = max(1, min(steps, int(speed * BATCH_SECONDS)))
            with self._timed(lane, began):
                made = self.service.advance(session, steps)
            took = clock.monotonic() - began
            if speed is not None:
                lane.due = max(lane.due, began - BATCH_SECONDS) + made / speed
            elif made:
                fitting = int(made * self._slice_seconds / max(took, 1e-6))
                lane.slice_steps = max(1, min(fitting, 4 * lane.slice_steps, SLICE_STEPS))
            self._flush_slow(session, took)

    @contextlib.contextmanager
    def _timed(self, lane: _Lane, began: float) -> Iterator[None]:
        """Let the watcher end the slice inside the block, should its steps grow slow."""
        with self._wake:
            self._slices[lane] = began
        try:
            yield
        finally:
            with self._wake:
                if self._slices.pop(lane) == float("inf"):
                    lane.session.waiting.remove(_TIME_IS_UP)

    def _end_slices(self, begun_before: float) -> None:
        """Let slices that began before then end with their next step."""
        with self._wake:
            for lane, began in self._slices.items():
                if began < begun_before:
                    self._slices[lane] = float("inf")
                    lane.session.waiting.append(_TIME_IS_UP)

    def _flush_slow(self, session: Session, took: float) -> None:
        """A run slower than its batches commits each step, or its row would lag behind it: by as
        long as the next call of its strategy takes."""
        speed = session.pace
        slow = took >= BATCH_SECONDS or (speed is not None and speed * BATCH_SECONDS <= 1)
        if slow and not session.closed.is_set():
            self.service.flush(session)

    # -- baselines ------------------------------------------------------------------------------

    def _queue_baseline(self, session: Session) -> None:
        """A completed run's baselines are computed after its result has been published."""
        if session.request.baselines and session.baseline_of is None:
            with self._wake:
                self._baselines.append((session.run_id, session.prepared))
                self._wake.notify()

    def _start_baselines(self, run_id: str, run: Prepared) -> None:
        """On an engine thread and without a lock: it looks for files and waits for the ledger."""
        try:
            for baseline, source in baselines_of(run):
                failpoint("baseline.before")
                session = self.service.create(baseline, baseline_of=run_id, source=source)
                failpoint("baseline.after")
                self.enqueue(session)
        except StepdeckError as error:
            log.warning("no baseline for run %s: %s", run_id, error)
        except Exception:  # the run's result stands, and the thread goes on to others
            log.exception("no baseline for run %s", run_id)

    # -- the watcher ----------------------------------------------------------------------------

    def _watch(self) -> None:
        """Commands from other processes, deadlines, stuck threads, and the reaper.

        Nothing may end the watcher: without it the process answers nobody and reaps nothing.
        """
        desk = commands.Desk(self.service)
        while not self._stop_watching.is_set():
            try:
                with self.service.ledger.reader() as reader:
                    self._watch_with(reader, desk)
            except LedgerError as error:
                log.warning("watcher: %s", error)
            except Exception:  # an error of ours: said in full, and the watch goes on
                log.exception("watcher")
            self._stop_watching.wait(RETRY_SECONDS)

    def _watch_with(self, reader: Reader, desk: commands.Desk) -> None:
        service = self.service
        clock = service.clock
        retry, seen = clock.monotonic(), -1
        while True:
            self._rest()
            if self._stop_watching.is_set():
                return
            now = clock.monotonic()
            self._end_slices(now - LONGEST_SLICE_SECONDS)
            self._replace_stuck(now)
            service.expire_deadlines()
            if now >= retry:
                retry = now + RETRY_SECONDS
                seen = -1  # what the ledger did not take of an answer is asked again
                service.carry_out_cancels()
            if now >= self._reap_at:
                self._reap_at = now + service.limits.reaper_interval_seconds
                self.reaper.sweep()
            version = reader.data_version()
            if desk.more:
                self._stirred_at = now
            if version != seen or desk.more:
                seen = version
                desk.answer_pending(reader)

    def _rest(self) -> None:
        """The watcher's pause, which a run that comes to this host cuts short."""
        seconds = IDLE_WATCH_SECONDS
        if self._working or self._queue:
            seconds = BUSY_WATCH_SECONDS
        elif sessions := list(self.service.sessions.values()):
            rests = self.service.clock.monotonic() - self._stirred_at > REST_AFTER_SECONDS
            waited_for = any(session.deadline is not None for session in sessions)
            seconds = RESTING_WATCH_SECONDS if rests and not waited_for else WATCH_SECONDS
        if self._stirred.wait(seconds):
            self._stirred.clear()
            self._stirred_at = self.service.clock.monotonic()

    def _beat(self) -> None:
        """The heart has a thread of its own: it must not wait for the ledger with the watcher."""
        while not self._stop_watching.wait(HEARTBEAT_SECONDS):
            try:
                self.service.pulse.beat()
            except Exception:  # a heart that stops would be taken for a dead owner's
                log.exception("heartbeat")

    def _replace_stuck(self, now: float) -> None:
        with self._wake:
            stuck = [
                thread
                for thread, since in self._busy_since.items()
                if now - since > STUCK_SECONDS and self._queue
            ]
            for thread in stuck:
                del self._busy_since[thread]
        for _ in stuck:
            self._hire()


def _can_move(session: Session) -> bool:
    """Whether it is to have another turn: it decides by itself, or waits for the ledger."""
    moves = session.status is Status.RUNNING and session.decide is not None
    return (moves or session.stall is not None) and not session.closed.is_set()
