"""One thread looks at the ledger and posts what it saw as one frozen message.

``PRAGMA data_version`` gates a look: while nothing was committed by anybody, the thread reads
nothing else, except that owners die without a commit, so every two seconds it asks for those of
active runs. What is the same as at the last look is not posted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from textual.message import Message

from engine.errors import RunNotFound, StepdeckError
from tui.messages import Broke, Polled, PollTrouble, Tick
from tui.run_book import Snapshot

if TYPE_CHECKING:
    from engine.model import RunRecord
    from tui.gateway import Gateway, Glance, LongCall, RunDetail
    from tui.viewmodel.run_panels import PanelRows, RunPanels

log = logging.getLogger(__name__)
FOCUSED_SECONDS: Final = 0.1
RESTING_SECONDS: Final = 0.2
REST_AFTER_SECONDS: Final = 2.0
UNFOCUSED_SECONDS: Final = 1.0
"""How often the ledger is looked at: usually, when nothing has been new for a while, and while
nobody looks."""
LOOK_ANYWAY_SECONDS: Final = 2.0
RATE_SECONDS: Final = 3.0
SPARK_POINTS: Final = 24
SPARK_SECONDS: Final = 1.0
MOST_SPARKS: Final = 8
MOST_SPARKS_KEPT: Final = 1000
WHOLE_SECONDS: Final = 5.0


class Seen(Protocol):
    """What was read of one run."""

    @property
    def record(self) -> RunRecord: ...


Known = TypeVar("Known", bound=Seen)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the screen in sight needs beside the list."""

    in_view: tuple[str, ...] = ()
    followed: str | None = None
    panels: RunPanels | None = None
    previewed: str | None = None


class Spark(NamedTuple):
    """A sample of a run's curve: at which step, when it was read, its values."""

    step: int
    at: float
    values: tuple[float, ...]


class RateMeter:
    """Steps a second of moving runs, over the last few seconds of looks."""

    def __init__(self, seconds: float = RATE_SECONDS) -> None:
        self._seconds = seconds
        self._looks: dict[str, deque[tuple[float, int]]] = {}

    def observe(self, at: float, steps: Mapping[str, int]) -> dict[str, float]:
        """The rates at ``at`` (seconds, monotonic), given the step each moving run has reached.

        A run seen once has no rate yet; one that went back starts anew.
        """
        for run_id in self._looks.keys() - steps.keys():
            del self._looks[run_id]
        rates = {}
        for run_id, step in steps.items():
            looks = self._looks.setdefault(run_id, deque())
            if looks and step < looks[-1][1]:
                looks.clear()
            looks.append((at, step))
            while len(looks) > 2 and at - looks[1][0] >= self._seconds:
                looks.popleft()
            elapsed = at - looks[0][0]
            if elapsed > 0:
                rates[run_id] = (step - looks[0][1]) / elapsed
        return rates


class Poller:
    """Looks at the ledger ten times a second, once a second while the terminal is unfocused."""

    def __init__(
        self,
        gateway: Gateway,
        post: Callable[[Message], object],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._post = post
        self._monotonic = monotonic
        self._thread = threading.Thread(target=self._run, name="deck-poller", daemon=True)
        self._wake = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._focused = True
        self._wanted = Wanted()
        self._asked_anew = True
        self._due = False
        self._version: tuple[int, int | None] | None = None
        self._looked_at = -LOOK_ANYWAY_SECONDS
        self._news_at = 0.0
        self._whole_version: tuple[int, int | None] | None = None
        self._whole_at = 0.0
        self._trouble: str | None = None
        self._book = gateway.book()
        self._detail: RunDetail | None = None
        self._glance: Glance | None = None
        self._made: PanelRows | None = None
        self._sparks: dict[str, Spark] = {}
        self._rates = RateMeter()
        self._tick: Tick | None = None
        self._calls: dict[str, LongCall] = {}

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; returns once the thread has let go of the ledger, or after a second."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def show(
        self,
        in_view: Sequence[str],
        followed: str | None,
        panels: RunPanels | None = None,
        *,
        previewed: str | None = None,
    ) -> None:
        """Say which runs need sparklines, and which one is followed in detail or at a glance.

        ``panels`` works the followed run's screen out, here and not on the screen's thread.
        """
        wanted = Wanted(tuple(in_view), followed, panels, previewed)
        with self._lock:
            if wanted == self._wanted:
                return
            self._wanted = wanted
            self._asked_anew = True
        self._wake.set()

    def look_now(self) -> None:
        """Look at once, commit or not."""
        with self._lock:
            self._asked_anew = True
        self._wake.set()

    def set_focused(self, focused: bool) -> None:
        """Slow down while nobody looks."""
        self._focused = focused
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                tick = self.look()
            except StepdeckError as error:
                self._say_trouble(error)
            except BaseException as fault:
                log.exception("looking at the ledger")
                self._post(Broke(fault))
                return
            else:
                self._say_trouble(None)
                if tick is not None and not self._stopping:
                    self._post(Polled(tick))
            self._wake.wait(self._pause)

    @property
    def _pause(self) -> float:
        if not self._focused:
            return UNFOCUSED_SECONDS
        resting = self._monotonic() - self._news_at > REST_AFTER_SECONDS
        return RESTING_SECONDS if resting else FOCUSED_SECONDS

    def _say_trouble(self, error: StepdeckError | None) -> None:
        text = None if error is None else str(error)
        if text != self._trouble:
            self._trouble = text
            self._version = self._whole_version = None
            self._post(PollTrouble(error))

    def look(self) -> Tick | None:
        """One look: None if there is nothing that the last one had not seen.

        Raises ``LedgerError`` where the ledger cannot be read.
        """
        with self._lock:
            asked, self._asked_anew = self._asked_anew, False
            wanted = self._wanted
        due, self._due = self._due, False
        now = self._monotonic()
        version = self._gateway.data_version()
        committed = version != self._version
        overdue = now - self._looked_at >= LOOK_ANYWAY_SECONDS
        # That a write of ours waits for another's lock, or a strategy's call hangs, is news without
        # a commit.
        notices = self._gateway.notices
        calls = self._gateway.calls()
        told = self._tick is not None and notices != self._tick.snapshot.notices
        told = told or calls != self._calls
        self._calls = calls
        if not (committed or asked or due or overdue or told):
            return None
        first = self._tick is None
        # What leaves no event is seen by reading all, once in a while in which anybody committed.
        whole = version != self._whole_version and now - self._whole_at >= WHOLE_SECONDS
        if committed or whole:
            whole = whole or self._version is None or version[1] != self._version[1]
            rows = self._book.look(whole=whole)
            if whole:
                self._whole_version, self._whole_at = version, now
        else:
            rows = self._book.look_at_owners()
        self._looked_at = now
        # The version was read first: what is committed meanwhile is looked at again, never missed.
        self._version = version
        moving = {
            row.record.run_id: row.record.step_index
            for row in self._book.owned
            if row.record.status == "running"
        }
        tick = Tick(
            Snapshot(self._book.seq, rows, notices),
            MappingProxyType(self._sparks_of(wanted.in_view, now)),
            MappingProxyType(self._rates.observe(now, moving)),
            *(self._followed(wanted, asked) if not first else (None, None, None)),
        )
        if first and (wanted.followed or wanted.previewed):
            # The list is drawn first: one run may take longer to read than all their heads.
            self.look_now()
        if self._tick is not None and not asked and _same(self._tick, tick):
            return None
        self._tick, self._news_at = tick, now
        return tick

    def _followed(
        self, wanted: Wanted, asked: bool
    ) -> tuple[RunDetail | None, PanelRows | None, Glance | None]:
        before = self._detail
        detail = self._detail = self._read(self._gateway.detail, wanted.followed, before)
        self._glance = self._read(self._gateway.glance, wanted.previewed, self._glance)
        if detail is None or wanted.panels is None:
            self._made = None
        elif asked or self._made is None or detail is not before:
            self._made = wanted.panels.make(detail)
        return detail, self._made, self._glance

    def _read(
        self,
        read: Callable[[str, Known | None], Known],
        run_id: str | None,
        previous: Known | None,
    ) -> Known | None:
        if run_id is None:
            return None
        if previous is not None and previous.record.run_id != run_id:
            previous = None
        try:
            return read(run_id, previous)
        except RunNotFound:
            # Deleted by another process: the list says so by not showing it.
            return None

    def _sparks_of(self, in_view: Sequence[str], now: float) -> dict[str, tuple[float, ...]]:
        """The sparks of what is in view; those of moving runs a second old at most, in turns."""
        steps = {
            name: row.record.step_index
            for name in in_view
            if (row := self._book.get(name)) is not None
        }
        stale: list[str] = []
        for name, step in steps.items():
            known = self._sparks.get(name)
            if known is None:
                stale.insert(0, name)
            elif known.step != step and now - known.at >= SPARK_SECONDS:
                stale.append(name)
        missing = sum(name not in self._sparks for name in stale)
        now_read = tuple(stale[: max(missing, MOST_SPARKS)])
        if now_read:
            fresh = self._gateway.sparks(now_read, SPARK_POINTS)
            self._sparks |= {
                name: Spark(steps[name], now, fresh.get(name, ())) for name in now_read
            }
        if any(self._sparks[name].step != step for name, step in steps.items()):
            self._due = True
        if len(self._sparks) > MOST_SPARKS_KEPT:
            self._sparks = {name: self._sparks[name] for name in steps}
        return {name: self._sparks[name].values for name in steps}


def _same(one: Tick, other: Tick) -> bool:
    """Whether two looks saw the same."""
    return (
        one.snapshot.rows is other.snapshot.rows
        and one.snapshot.notices == other.snapshot.notices
        and one.detail is other.detail
        and one.glance is other.glance
        and one.panels is other.panels
        and one.sparks == other.sparks
        and one.rates == other.rates
    )
