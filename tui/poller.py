"""One thread looks at the ledger and posts what it saw as one frozen message.

``PRAGMA data_version`` gates a look: while nothing was committed by anybody, the thread reads
nothing else, except that owners die without a commit, so every two seconds it looks anyway.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from textual.message import Message

from engine.errors import RunNotFound, StepdeckError
from tui.messages import Broke, Polled, PollTrouble, Tick

if TYPE_CHECKING:
    from tui.gateway import Gateway, RunDetail, Snapshot
    from tui.viewmodel.run_panels import RunPanels

log = logging.getLogger(__name__)
FOCUSED_SECONDS: Final = 0.1
UNFOCUSED_SECONDS: Final = 1.0
LOOK_ANYWAY_SECONDS: Final = 2.0
RATE_SECONDS: Final = 3.0
SPARK_POINTS: Final = 24


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
        self._in_view: tuple[str, ...] = ()
        self._followed: str | None = None
        self._panels: RunPanels | None = None
        self._asked_anew = True
        self._version: int | None = None
        self._looked_at = -LOOK_ANYWAY_SECONDS
        self._trouble: str | None = None
        self._snapshot: Snapshot | None = None
        self._detail: RunDetail | None = None
        self._sparks: dict[str, tuple[int, tuple[float, ...]]] = {}
        self._rates = RateMeter()

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
        self, in_view: Sequence[str], followed: str | None, panels: RunPanels | None = None
    ) -> None:
        """Say which runs need sparklines and which one is followed in detail.

        ``panels`` works the followed run's screen out, here and not on the screen's thread.
        """
        wanted = tuple(in_view)
        with self._lock:
            now = (self._in_view, self._followed, self._panels)
            if now == (wanted, followed, panels):
                return
            self._in_view, self._followed, self._panels = wanted, followed, panels
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
            self._wake.wait(FOCUSED_SECONDS if self._focused else UNFOCUSED_SECONDS)

    def _say_trouble(self, error: StepdeckError | None) -> None:
        text = None if error is None else str(error)
        if text != self._trouble:
            self._trouble = text
            self._version = None
            self._post(PollTrouble(error))

    def look(self) -> Tick | None:
        """One look: None if nothing was committed and nothing was asked for since the last.

        Raises ``LedgerError`` where the ledger cannot be read.
        """
        with self._lock:
            asked, self._asked_anew = self._asked_anew, False
            in_view, followed, panels = self._in_view, self._followed, self._panels
        now = self._monotonic()
        version = self._gateway.data_version()
        changed = version != self._version or now - self._looked_at >= LOOK_ANYWAY_SECONDS
        if not changed and not asked:
            return None
        if changed or self._snapshot is None:
            self._snapshot = self._gateway.snapshot()
            self._looked_at = now
        # The version was read first: what is committed meanwhile is looked at again, never missed.
        self._version = version
        records = {row.record.run_id: row.record for row in self._snapshot.rows}
        moving = {
            name: record.step_index
            for name, record in records.items()
            if record.status == "running"
        }
        steps = {name: records[name].step_index for name in in_view if name in records}
        detail = self._detail_of(followed)
        return Tick(
            self._snapshot,
            MappingProxyType(self._sparks_of(steps)),
            MappingProxyType(self._rates.observe(now, moving)),
            detail,
            panels.make(detail) if panels is not None and detail is not None else None,
        )

    def _sparks_of(self, steps: Mapping[str, int]) -> dict[str, tuple[float, ...]]:
        stale = tuple(
            name
            for name, step in steps.items()
            if name not in self._sparks or self._sparks[name][0] != step
        )
        if stale:
            fresh = self._gateway.sparks(stale, SPARK_POINTS)
            self._sparks |= {name: (steps[name], fresh.get(name, ())) for name in stale}
        return {name: self._sparks[name][1] for name in steps}

    def _detail_of(self, followed: str | None) -> RunDetail | None:
        if followed is None:
            self._detail = None
            return None
        previous = self._detail
        if previous is not None and previous.record.run_id != followed:
            previous = None
        try:
            self._detail = self._gateway.detail(followed, previous)
        except RunNotFound:
            # Deleted by another process: the list says so by not showing it.
            self._detail = None
        return self._detail
