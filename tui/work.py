"""Work off the screen's thread: named daemon threads whose outcome comes back as a message.

Textual's own thread workers run in a pool that Python joins at exit, so one blocked call (a network
drive, a strategy file that never returns from its import) would keep the process alive after quit.
These are daemons: what blocks is left behind.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from textual.message import Message
from textual.message_pump import MessagePump

from engine.errors import StepdeckError
from tui.messages import Broke, Failed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """``call`` runs on a thread; the message it answers goes to ``target``.

    ``title`` says what was tried, for the error panel: "pause the run".
    """

    title: str
    call: Callable[[], Message]
    target: MessagePump


class Work:
    """What people ask for is done in the order they asked; slow reading gets threads of its own.

    ``ask`` keeps order within a lane (a buy and the step after it): what a run has to do with is
    asked in the run's own, for a run may keep whoever asks waiting as long as its strategy does.
    ``overtake`` is for what waits for nobody: a cancel. ``load`` starts at once, and within a group
    only the newest answers: the outcome of one that was overtaken is dropped. ``newest`` is for a
    key held down: one call of a group at a time, then the last of those asked for meanwhile.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, deque[Job]] = {}
        self._stopped = False
        self._newest: dict[str, int] = {}
        self._waiting: dict[str, Job | None] = {}
        self._lock: Final = threading.Lock()

    def ask(
        self, title: str, call: Callable[[], Message], target: MessagePump, lane: str = ""
    ) -> None:
        """Queue ``call`` behind what was asked for in its lane before."""
        with self._lock:
            if self._stopped:
                return
            waiting = self._lanes.get(lane)
            if waiting is not None:
                waiting.append(Job(title, call, target))
                return
            waiting = self._lanes[lane] = deque([Job(title, call, target)])
        threading.Thread(
            target=self._serve, args=(lane, waiting), name=f"deck-asks-{lane}", daemon=True
        ).start()

    def overtake(
        self, title: str, call: Callable[[], Message], target: MessagePump, lane: str
    ) -> None:
        """Do ``call`` now, and nothing that waits in the lane; what is under way there answers
        nobody."""
        with self._lock:
            waiting = self._lanes.pop(lane, None)
            if waiting is not None:
                waiting.clear()
        self.ask(title, call, target, lane)

    def load(
        self, group: str, title: str, call: Callable[[], Message], target: MessagePump
    ) -> None:
        """Start ``call`` on a thread of its own, overtaking what its group still has under way."""
        with self._lock:
            turn = self._newest[group] = self._newest.get(group, 0) + 1

        def run() -> None:
            outcome = _outcome(Job(title, call, target))
            with self._lock:
                overtaken = self._newest[group] != turn
            if not overtaken:
                target.post_message(outcome)

        threading.Thread(target=run, name=f"deck-{group}", daemon=True).start()

    def newest(
        self, group: str, title: str, call: Callable[[], Message], target: MessagePump
    ) -> None:
        """Start ``call``, or let it wait for the one under way and take the place of any other.

        Every call that is made answers, in the order asked, unless the group is forgotten.
        """
        job = Job(title, call, target)
        with self._lock:
            if group in self._waiting:
                self._waiting[group] = job
                return
            self._waiting[group] = None

        def run(job: Job | None = job) -> None:
            while job is not None:
                with self._lock:
                    turn = self._newest.get(group, 0)
                outcome = _outcome(job)
                with self._lock:
                    forgotten = self._newest.get(group, 0) != turn
                    job = self._waiting[group]
                    if job is None:
                        del self._waiting[group]
                    else:
                        self._waiting[group] = None
                if not forgotten:
                    target.post_message(outcome)

        threading.Thread(target=run, name=f"deck-{group}", daemon=True).start()

    def forget(self, group: str) -> None:
        """Drop what the group has under way and what waits in it."""
        with self._lock:
            self._newest[group] = self._newest.get(group, 0) + 1
            if group in self._waiting:
                self._waiting[group] = None

    def stop(self) -> None:
        """Take no more; what is under way ends by itself or is left behind."""
        with self._lock:
            self._stopped = True
            for waiting in self._lanes.values():
                waiting.clear()

    def _serve(self, lane: str, waiting: deque[Job]) -> None:
        while True:
            with self._lock:
                if not waiting:
                    if self._lanes.get(lane) is waiting:
                        del self._lanes[lane]
                    return
                job = waiting.popleft()
            outcome = _outcome(job)
            with self._lock:
                overtaken = self._lanes.get(lane) is not waiting
            if not overtaken:
                job.target.post_message(outcome)


def _outcome(job: Job) -> Message:
    try:
        return job.call()
    except StepdeckError as error:
        return Failed(job.title, error)
    except BaseException as fault:
        # The app raises it again on its own thread, so that a bug ends the app and not only a key.
        log.exception("%s", job.title)
        return Broke(fault)
