"""Reading a ledger: one reader a thread, and what is kept between two looks."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import LedgerMissing, LedgerReplaced
from engine.model import (
    RunRecord,
)
from engine.runs.instance import describe, is_alive
from engine.runs.lifecycle import ACTIVE, Status
from engine.store.heads import read_heads
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from engine.store.records import RunHead
from tui.gateway.views import (
    BARS_GONE,
    Glance,
    OwnerInfo,
    RunDetail,
    next_decision,
    settled_orders,
)
from tui.run_book import Owner, RunBook, Snapshot, Stalled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.drivers.host import Host
    from engine.runs.calls import LongCall
    from engine.runs.chains import Chains
    from engine.runs.past import Past
    from engine.runs.service import RunService
    from engine.runs.verification import Verification
    from engine.sim.panel import Panel
    from engine.store.backup import Copy

PASTS_KEPT = 4
GLANCE_POINTS = 1000


class Reading:
    """One ledger as it is read; ``ledger`` and ``service`` are there where it is driven too."""

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
        self.unsaid: dict[str, str] = {}
        """What the ledger did not take when it was closed, in a line for a person, by run id."""

    @property
    def instance(self) -> str | None:
        """The id of this process as an owner; None when only watching."""
        return self._service.instance.id if self._service is not None else None

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know of this ledger: that it takes nothing, no WAL, say."""
        if self._ledger is None or self._service is None:
            return ()
        said = self._ledger.notices
        waits = self._ledger.stall
        if waits is not None:
            said = (waits, *said)
        stalls = [
            stall
            for session in list(self._service.sessions.values())
            if (stall := self.stall(session.run_id)) is not None
        ]
        if stalls:
            from tui.viewmodel.stalled import notice

            said = (notice(stalls), *said)
        return said

    def stall(self, run_id: str) -> Stalled | None:
        """Why the ledger takes nothing of a run of this process; None where it does."""
        session = self._service.sessions.get(run_id) if self._service is not None else None
        stall = session.stall if session is not None else None
        if stall is None:
            return None
        why = stall.error.message.replace(str(self.path), self.path.name)
        return Stalled(why, stall.since)

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
        return RunBook(
            lambda since: read_heads(self.reader(), since), self._owner, self.stall, self.call
        )

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

    def call(self, run_id: str) -> LongCall | None:
        """The call of a run's strategy that has taken long; of this process's runs alone."""
        service = self._service
        session = None if service is None else service.sessions.get(run_id)
        if service is None or session is None:
            return None
        return session.call.long(service.clock)

    def calls(self) -> dict[str, LongCall]:
        """Those of all runs of this process, by run id."""
        ids = [] if self._service is None else list(self._service.sessions)
        return {run_id: call for run_id in ids if (call := self.call(run_id)) is not None}

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
                stall, call = self.stall(run_id), self.call(run_id)
                if late is None and (stall, call) == (old.stall, old.call):
                    return old
                return replace(old, baseline=old.baseline or late, stall=stall, call=call)
            settled = len(old.stamps) if old else 0
            _, stamps, equity, cash = reader.equity(run_id, since=settled)
            fills = reader.fills(run_id, after=old.fills[-1].fill_id if old and old.fills else -1)
            decisions = reader.steps(
                run_id, since=old.decisions[-1].step_index + 1 if old and old.decisions else 0
            )
            kept = settled_orders(old.orders) if old else ()
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
            next_decision(record),
            stamps,
            equity,
            cash,
            baseline,
            tuple(fills),
            tuple(orders),
            tuple(decisions),
            tuple(positions),
            tuple(flows),
            stall=self.stall(run_id),
            call=self.call(run_id),
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
            stall = self.stall(run_id)
            if previous is not None and (previous.record, previous.stall) == (record, stall):
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
                stall,
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

        Only rows below the run's ``step_index`` may be shown. Raises one of ``BARS_GONE`` where
        they cannot be had, or are no longer those the run began with.
        """
        if self._service is not None:
            session = self._service.sessions.get(run_id)
            if session is not None and session.progress is not None:
                return session.simulation.panel
        from engine import market
        from engine.runs.config import decode_request
        from engine.runs.panels import panel_of
        from engine.runs.replay import refuse_other_bars

        panel = self._panels.get(run_id)
        if panel is None:
            record = self.record(run_id)
            panel = panel_of(market.resolve(decode_request(record.config)).load())
            refuse_other_bars(record.bars_hash, panel, record.source, "fork it with --rebase")
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
        except BARS_GONE:
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


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells the file at ``path`` from any other; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
