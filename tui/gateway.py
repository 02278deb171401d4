"""The one module of the terminal side that talks to the run service and the ledger.

Everything here may be called from any thread. Reading goes through one reader a thread; doing
blocks until the ledger says that it is done, so the app calls it from workers.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from engine.errors import (
    BarsChanged,
    InputError,
    LeaseLost,
    LedgerMissing,
    LedgerReadOnly,
    LedgerReplaced,
    MarketDataError,
    RunNotActive,
    RunNotResumable,
)
from engine.model import (
    Breakpoint,
    CashFlow,
    Decision,
    Fill,
    OrderRecord,
    Position,
    Rules,
    RunRecord,
    RunRequest,
)
from engine.runs.instance import Instance, describe, is_alive
from engine.runs.lifecycle import ACTIVE, TERMINAL, Status
from engine.runs.limits import Limits
from engine.store.heads import read_heads
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from engine.store.records import RunHead, StepRecord
from tui.run_book import Owner, RunBook
from tui.run_book import RunRow as RunRow
from tui.run_book import Snapshot as Snapshot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.drivers.audit import Audit as Audit
    from engine.drivers.audit import Finding as Finding
    from engine.drivers.host import Host
    from engine.runs.chains import Chains as Chains
    from engine.runs.past import Moment as Moment
    from engine.runs.past import Past as Past
    from engine.runs.service import RunService
    from engine.runs.verification import Verification as Verification
    from engine.sim.panel import Panel
    from engine.store.backup import Copy as Copy

Leave = Literal["interrupt", "cancel", "wait"]
POLL_SECONDS = 0.02
BY_HAND = frozenset({"manual", "agent"})
"""Drivers whose runs nobody in the foreground decides."""
PASTS_KEPT = 4
GLANCE_POINTS = 1000


@dataclass(frozen=True, slots=True)
class OwnerInfo:
    """A process that owns active runs; ``pid`` is None where its lock file is gone."""

    instance: str
    alive: bool
    pid: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """A run as a preview shows it: its row, its curve in few points, its end.

    ``steps``, ``stamps`` (microseconds) and ``equity`` have one entry a point, evenly spaced, the
    first and the last settled one among them; ``baseline`` is (steps, equity) of the twin.
    """

    record: RunRecord
    owner: Owner
    steps: NDArray[np.int64]
    stamps: NDArray[np.int64]
    equity: NDArray[np.float64]
    baseline: tuple[NDArray[np.int64], NDArray[np.float64]] | None
    positions: tuple[Position, ...]
    last: StepRecord | None


@dataclass(frozen=True, slots=True, eq=False)
class RunDetail:
    """Everything the ledger holds of one run.

    ``stamps`` (microseconds), ``equity`` and ``cash`` have one entry a settled grid point.
    ``baseline`` is that of the run's buy-and-hold twin, once it is there. ``next_decision`` is
    the step whose decision is due, None where nothing is. ``moment`` is set in a detail that was
    cut to one: see ``Gateway.detail_at``.
    """

    record: RunRecord
    owner: Owner
    next_decision: int | None
    stamps: NDArray[np.int64]
    equity: NDArray[np.float64]
    cash: NDArray[np.float64]
    baseline: tuple[NDArray[np.int64], NDArray[np.float64]] | None
    fills: tuple[Fill, ...]
    orders: tuple[OrderRecord, ...]
    decisions: tuple[StepRecord, ...]
    positions: tuple[Position, ...]
    cash_flows: tuple[CashFlow, ...]
    moment: Moment | None = None


class Gateway:
    """One ledger, opened for watching or for driving too."""

    def __init__(
        self,
        path: Path,
        ledger: Ledger | None,
        service: RunService | None,
        host: Host | None,
    ) -> None:
        self.path = path
        self._ledger = ledger
        self._service = service
        self._host = host
        self._local = threading.local()
        self._readers: list[Reader] = []
        self._panels: dict[str, Panel] = {}
        self._pasts: dict[str, Past] = {}
        self._looking = threading.Lock()
        self._file = _identity(path)
        self._closed = False

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

        ``app`` cuts engine time into the short slices that a screen beside it needs. Raises
        ``LedgerError`` of a kind for a file that cannot be used; nothing is touched then.
        """
        if not write:
            Reader.open(path).close()
            return cls(path, None, None, None)
        # Loaded here, so that watching a ledger needs no engine.
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
        host = Host(service, slice_seconds=0.005 if app else 0.02)
        return cls(path, ledger, service, host)

    def close(self, live: Leave = "interrupt") -> None:
        """Let go of the ledger; live runs become interrupted, cancelled, or are waited for."""
        if self._closed:
            return
        self._closed = True
        service, host, ledger = self._service, self._host, self._ledger
        if service is not None and host is not None and ledger is not None:
            for session in list(service.sessions.values()):
                if live == "wait" and session.status is Status.RUNNING and session.decide:
                    session.closed.wait()
                elif live == "cancel" and session.baseline_of is None:
                    service.cancel(session.run_id)
            host.close()
            for session in list(service.sessions.values()):
                service.interrupt(session)
            service.instance.release()
        for reader in self._readers:
            reader.close()
        if ledger is not None:
            ledger.close()

    # -- reading --------------------------------------------------------------------------------

    @property
    def instance(self) -> str | None:
        """The id of this process as an owner; None when only watching."""
        return self._service.instance.id if self._service is not None else None

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know of this ledger: no WAL, say."""
        if self._ledger is None:
            return ()
        waits = self._ledger.stall
        return self._ledger.notices if waits is None else (waits, *self._ledger.notices)

    def reader(self) -> Reader:
        """This thread's read-only connection."""
        held: tuple[tuple[int, int] | None, Reader] | None = getattr(self._local, "reader", None)
        if held is None or held[0] != self._file:
            held = self._file, Reader.open(self.path)
            self._local.reader = held
            self._readers.append(held[1])
        return held[1]

    def data_version(self) -> tuple[int, int | None]:
        """What changes when anybody has committed: the cheap gate before a look.

        Raises ``LedgerMissing`` and ``LedgerReplaced`` where the file is no longer the one that was
        opened; a gateway that only watches turns to the new one.
        """
        self._check_place()
        file = self._file
        return self.reader().data_version(), None if file is None else file[1]

    def _check_place(self) -> None:
        found = _identity(self.path)
        if found == self._file:
            return
        if found is None:
            raise LedgerMissing(
                f"the ledger has gone from {self.path}",
                field="db",
                remedy="put it back; what is done meanwhile is lost with the file",
            )
        if self._ledger is not None:
            raise LedgerReplaced(
                f"another file stands at {self.path} since it was opened",
                field="db",
                remedy="quit and open it anew; this session still holds the file that was there",
            )
        Reader.open(self.path).close()
        self._file = found

    def resolve(self, text: str) -> str:
        """The run id that ``text`` means: an id, a unique prefix, or ``@n``."""
        return self.reader().resolve(text)

    def record(self, run_id: str) -> RunRecord:
        """The run's row. Raises ``RunNotFound``."""
        return self.reader().run(run_id)

    def book(self) -> RunBook:
        """The ledger's runs for one thread to follow, reading only what changes."""
        return RunBook(lambda since: read_heads(self.reader(), since), self._owner)

    def snapshot(self) -> Snapshot:
        """The ledger's runs now."""
        book = self.book()
        rows = book.look()
        return Snapshot(book.seq, rows, self.notices)

    def owner(self, record: RunRecord | RunHead) -> Owner:
        """Whether the run's owner is this process, another that lives, or gone."""
        return self._owner(record, {})

    def _owner(self, record: RunRecord | RunHead, alive: dict[str, bool]) -> Owner:
        owner = record.owner_instance
        if owner is None or record.status not in ACTIVE:
            return "none"
        if owner == self.instance:
            return "here"
        if owner not in alive:
            alive[owner] = is_alive(self.path, owner)
        return "elsewhere" if alive[owner] else "gone"

    def owners(self) -> tuple[OwnerInfo, ...]:
        """The processes that own active runs, each with whether it lives and its process id."""
        return tuple(
            OwnerInfo(owner, is_alive(self.path, owner), describe(self.path, owner).get("pid"))
            for owner in self.reader().owners()
        )

    def detail(self, run_id: str, previous: RunDetail | None = None) -> RunDetail:
        """Everything of one run; with ``previous`` only what is new is read.

        The whole answer is of one moment: it is read in one transaction.
        """
        reader = self.reader()
        with reader.moment():
            record = reader.run(run_id)
            old = previous if previous and previous.record.run_id == run_id else None
            if old is not None and (
                record.rewind_count != old.record.rewind_count
                or record.step_index < old.record.step_index
            ):
                old = None
            if old is not None and record == old.record:
                # Only a baseline comes after the last change of a run's own row.
                late = None if old.baseline else self._baseline(reader, record)
                return old if late is None else replace(old, baseline=late)
            settled = len(old.stamps) if old else 0
            _, stamps, equity, cash = reader.equity(run_id, since=settled)
            fills = reader.fills(run_id, after=old.fills[-1].fill_id if old and old.fills else -1)
            decisions = reader.steps(
                run_id, since=old.decisions[-1].step_index + 1 if old and old.decisions else 0
            )
            kept = _settled_orders(old.orders) if old else ()
            orders = reader.orders(run_id, since=kept[-1].step_index + 1 if kept else 0)
            positions = reader.positions(run_id)
            flows = reader.cash_flows(run_id)
            baseline = self._baseline(reader, record)
        if old is not None:
            stamps = np.concatenate([old.stamps, stamps])
            equity = np.concatenate([old.equity, equity])
            cash = np.concatenate([old.cash, cash])
            fills = [*old.fills, *fills]
            decisions = [*old.decisions, *decisions]
            orders = [*kept, *orders]
        return RunDetail(
            record,
            self._owner(record, {}),
            _next_decision(record),
            stamps,
            equity,
            cash,
            baseline,
            tuple(fills),
            tuple(orders),
            tuple(decisions),
            tuple(positions),
            tuple(flows),
        )

    def _baseline(
        self, reader: Reader, record: RunRecord
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        twin = self._twin(reader, record)
        if twin is None:
            return None
        steps, _, equity, _ = reader.equity(twin)
        return steps, equity

    def _twin(self, reader: Reader, record: RunRecord) -> str | None:
        """The id of the run's buy-and-hold twin, once both are done."""
        if record.status != Status.COMPLETED:
            return None
        return next(
            (
                twin.run_id
                for twin in reader.baselines(record.run_id)
                if twin.status == Status.COMPLETED and twin.strategy == "buy_and_hold"
            ),
            None,
        )

    def glance(self, run_id: str, previous: Glance | None = None) -> Glance:
        """The run in brief; ``previous`` if its row is as it was. Raises ``RunNotFound``."""
        reader = self.reader()
        with reader.moment():
            record = reader.run(run_id)
            if previous is not None and previous.record == record:
                if previous.baseline is not None or record.status != Status.COMPLETED:
                    return previous
                late = self._baseline_points(reader, record)
                return previous if late is None else replace(previous, baseline=late)
            steps, stamps, equity, _ = reader.equity_sample(run_id, GLANCE_POINTS)
            last = reader.steps(run_id, limit=1, newest_first=True)
            return Glance(
                record,
                self._owner(record, {}),
                steps,
                stamps,
                equity,
                self._baseline_points(reader, record),
                tuple(reader.positions(run_id)),
                last[0] if last else None,
            )

    def _baseline_points(
        self, reader: Reader, record: RunRecord
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        twin = self._twin(reader, record)
        if twin is None:
            return None
        steps, _, equity, _ = reader.equity_sample(twin, GLANCE_POINTS)
        return steps, equity

    def sparks(self, run_ids: tuple[str, ...], points: int = 24) -> dict[str, tuple[float, ...]]:
        """A sample of each run's equity, evenly spaced, for sparklines."""
        reader = self.reader()
        return {
            run_id: tuple(reader.equity_sample(run_id, points).equity.tolist())
            for run_id in run_ids
        }

    def bars(self, run_id: str) -> Panel:
        """The bars the run trades; read from its source where this process does not have them.

        Only rows below the run's ``step_index`` may be shown. Raises ``MarketDataError`` or
        ``InputError`` of a kind where they cannot be had.
        """
        if self._service is not None:
            session = self._service.sessions.get(run_id)
            if session is not None and session.progress is not None:
                return session.simulation.panel
        from engine import market
        from engine.runs.config import decode_request
        from engine.runs.panels import panel_of

        panel = self._panels.get(run_id)
        if panel is None:
            request = decode_request(self.record(run_id).config)
            panel = panel_of(market.resolve(request).load())
            self._panels = {run_id: panel}
        return panel

    def past(self, run_id: str) -> Past:
        """The run's past up to what the ledger holds of it now, replayed from its bars.

        May read bars and replay the whole run: not for the screen's thread. Asked again, it is
        brought up to date, which costs what is new; after a rewind it is another one. Raises
        ``MarketDataError``, ``InputError``, ``BarsChanged`` where the bars are gone or others, and
        ``LedgerCorrupt`` where the replay does not come to the ledger's rows.
        """
        from engine.runs.past import catch_up, open_past

        reader = self.reader()
        with self._looking:
            past = self._pasts.pop(run_id, None)
            if past is None or not catch_up(past, reader):
                past = open_past(reader, run_id, self.bars(run_id))
            self._pasts[run_id] = past
            while len(self._pasts) > PASTS_KEPT:
                del self._pasts[next(iter(self._pasts))]
        return past

    def detail_at(self, detail: RunDetail, past: Past | None, settled: int) -> RunDetail:
        """``detail`` cut to when ``settled`` grid points were settled: the same shape, as of then.

        No row, array or figure of it is of a later bar; figures of a whole run are absent, and
        nothing is due (``next_decision`` None). The decisions are those that had been made; the one
        of the moment itself, and what it saw, are in ``moment``. Without a past (None: its bars
        are gone) there are no positions and no moment, and the rest is what the ledger's rows say.
        At ``record.step_index`` it is ``detail`` itself, with its moment. Raises ``StepNotActive``
        for a moment that the run, or the past, has not come to.
        """
        from tui.moments import detail_at

        return detail_at(detail, past, settled)

    def look(self, detail: RunDetail, settled: int) -> RunDetail:
        """``detail_at`` with the run's past; without its bars, what the rows alone say.

        Raises what ``past`` raises, but for bars that cannot be had.
        """
        try:
            past = self.past(detail.record.run_id)
        except (InputError, MarketDataError, BarsChanged):
            past = None
        return self.detail_at(detail, past, settled)

    def output_path(self, run_id: str) -> Path:
        """Where what the run's strategy prints is kept; there is no file before the first line."""
        from engine.runs.output import log_path

        return log_path(self.path, run_id)

    def verify(self, run_id: str) -> Verification:
        """Check the run's hashes, digest chain and rows against a replay of its decisions.

        Reads its bars and may take a while. Raises ``RunNotFound`` and ``LedgerError`` kinds.
        """
        from engine.runs.verify import verify

        return verify(self.reader(), run_id)

    def chains(self) -> Chains:
        """Links, extents and seals of every run, without a replay."""
        from engine.runs.chains import look_at_chains

        return look_at_chains(self.reader())

    def orphans(self) -> tuple[str, ...]:
        """Active runs whose owner is gone."""
        active = self.reader().runs(status=ACTIVE, all_runs=True)
        return tuple(row.run_id for row in active if self._owner(row, {}) == "gone")

    def removable(self, run_id: str) -> tuple[str, ...]:
        """The run and its baselines, which go with it. Raises ``RunNotFound``, ``RunIsActive``."""
        from engine.runs.removal import removable

        return removable(self.reader(), run_id)

    def ended_before(self, stamp: str) -> list[str]:
        """Runs that ended before ``stamp`` (ISO 8601 text, UTC), oldest first."""
        from engine.runs.removal import ended_before

        return ended_before(self.reader(), stamp)

    def back_up(self, target: Path) -> Copy:
        """Copy the ledger to ``target``, which must not be there, whoever writes it meanwhile."""
        from engine.store.backup import back_up

        return back_up(self.path, target)

    # -- doing ----------------------------------------------------------------------------------

    def _driving(self) -> tuple[RunService, Host]:
        if self._service is None or self._host is None:
            raise LedgerReadOnly(
                "this ledger is open for watching only",
                field="db",
                remedy="open it with `stepdeck` to drive runs",
            )
        return self._service, self._host

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
        """A new run with the settings of another; raises as ``create`` does."""
        from engine.runs.config import decode_request

        return self.create(decode_request(self.record(run_id).config))

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
        if play and (record.driver in BY_HAND or record.metadata.get("taken_over")):
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


def rules_of(record: RunRecord) -> Rules:
    """The rules the run is under."""
    from engine.runs.config import decode_request

    return decode_request(record.config).rules


def audit(request: RunRequest, *, points: int, progress: Callable[[int, int], None]) -> Audit:
    """Look for look-ahead and hidden randomness in the request's strategy; needs no ledger.

    Raises ``InputError``, ``MarketDataError`` and ``StrategyFault`` kinds, and what ``progress``
    (called with reruns done and in all) raises.
    """
    from engine.drivers.audit import audit

    return audit(request, points=points, progress=progress)


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells the file at ``path`` from any other; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _settled_orders(orders: tuple[OrderRecord, ...]) -> tuple[OrderRecord, ...]:
    """Those that can no longer change: all before the step of the first that is alive.

    The newest step's are left out too, so that reading goes on from a whole step.
    """
    if not orders:
        return ()
    step = min(
        (order.step_index for order in orders if order.status in ("pending", "resting")),
        default=orders[-1].step_index,
    )
    step = min(step, orders[-1].step_index)
    return orders[: bisect_left(orders, step, key=lambda order: order.step_index)]


def _next_decision(record: RunRecord) -> int | None:
    if record.status not in (Status.RUNNING, Status.PAUSED) or record.total_steps is None:
        return None
    rules = record.config.get("rules", {})
    return record.step_index - (1 if rules.get("fill") == "next_open" else 0)
