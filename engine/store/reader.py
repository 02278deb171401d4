"""Reading the ledger: read-only connections that never stay inside a query."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from engine import codec
from engine.closing import Closing
from engine.errors import AmbiguousRun, LedgerError, RunNotFound
from engine.model import CashFlow, Fill, OrderRecord, Position, RunRecord
from engine.store import writes
from engine.store.connection import (
    check_identity,
    check_version,
    connect,
    require_sqlite,
    translate,
)
from engine.store.records import ActiveRun, Command, CommitRecord, Event, StepRecord, stamp_of
from engine.store.run_record import json_mapping, run_record
from engine.store.schema import RUN_COLUMNS
from engine.store.seal import log_hash, stored_row
from engine.store.structure import file_faults

_CHUNK = 20_000
_KEPT: Final = 1_000
"""Records of runs that have ended, kept by a reader."""
_TERMINAL: Final = frozenset({"completed", "failed", "cancelled"})
_RUNS = "SELECT " + ", ".join(f'"{name}"' for name in RUN_COLUMNS) + " FROM runs"
_KEYED_RUNS = _RUNS.removesuffix(" FROM runs") + ", run_key FROM runs"
_COMMANDS = f"SELECT {', '.join(Command._fields)} FROM commands"


class EquityRows(NamedTuple):
    """Rows of the equity curve as columns of one length; stamps in microseconds."""

    steps: NDArray[np.int64]
    stamps: NDArray[np.int64]
    equity: NDArray[np.float64]
    cash: NDArray[np.float64]


class Reader(Closing):
    """One read-only connection; threads that share it wait for each other.

    Every method is one query that is fetched to its end, so it sees whole batches and holds nothing
    up afterwards. Methods called inside ``with reader.moment()`` see the ledger at one instant.

    Where rows are asked for by ``since`` and ``until``, those are grid steps, the second excluded.
    All raise ``LedgerError`` kinds where the file cannot be read.
    """

    def __init__(self, path: Path, conn: sqlite3.Connection) -> None:
        self.path = path
        self._conn = conn
        # SQLite connections that threads share without this lose rows in silence.
        self._lock = threading.RLock()
        # By key, which is given once. Nothing changes a row that is terminal; a run that has been
        # deleted since is not asked for.
        self._ended: dict[int, RunRecord] = {}

    @classmethod
    def open(cls, path: str | Path, *, vfs: str | None = None, check: bool = True) -> Reader:
        """A reader of the ledger at ``path``, which is opened read-only.

        Raises ``LedgerMissing``, ``NotALedger``, ``LedgerTooNew``, ``LedgerReadOnly`` (SQLite keeps
        an index beside a WAL, so reading needs a folder that can be written), ``LedgerCorrupt``.
        """
        file = Path(path).resolve()
        if check:
            require_sqlite()
            check_identity(file, vfs=vfs)
        try:
            conn = connect(file, "ro", vfs=vfs)
            try:
                if check:
                    check_version(conn, file)
            except BaseException:
                conn.close()
                raise
        except sqlite3.Error as error:
            raise translate(error, file) from error
        return cls(file, conn)

    def close(self) -> None:
        with self._lock:
            self._conn.close()

    @contextmanager
    def moment(self) -> Iterator[Self]:
        """Let what is read inside be of one instant. Keep it short: it pins the WAL.

        One inside another is part of it.
        """
        with self._lock:
            if self._conn.in_transaction:
                yield self
                return
            self._conn.execute("BEGIN")
            try:
                yield self
            finally:
                _leave(self._conn)

    # -- runs -----------------------------------------------------------------------------------

    def runs(
        self,
        *,
        status: str | Collection[str] | None = None,
        agent: str | None = None,
        limit: int | None = None,
        all_runs: bool = False,
    ) -> list[RunRecord]:
        """Runs, newest first; baselines only with ``all_runs``."""
        where: list[str] = []
        values: list[Any] = []
        if status is not None:
            wanted = (status,) if isinstance(status, str) else tuple(status)
            where.append(f"status IN ({', '.join('?' * len(wanted))})")
            values += map(str, wanted)
        if agent is not None:
            where.append("agent_id = ?")
            values.append(agent)
        if not all_runs:
            where.append("baseline_of IS NULL")
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        if limit is not None and limit <= _KEPT:
            return self._newest_runs(condition, values, limit)
        rows = self._all(
            f"{_RUNS}{condition} ORDER BY run_key DESC LIMIT ?", (*values, _limit(limit))
        )
        return [run_record(row) for row in rows]

    def _newest_runs(self, condition: str, values: list[Any], limit: int) -> list[RunRecord]:
        """The same, where most have been read before: those that had ended are not read again."""
        with self.moment():
            keys = self._all(
                f"SELECT run_key FROM runs{condition} ORDER BY run_key DESC LIMIT ?",
                (*values, limit),
            )
            wanted = [int(row[0]) for row in keys]
            unknown = [key for key in wanted if key not in self._ended]
            rows = self._all(
                f"{_KEYED_RUNS} WHERE run_key IN (SELECT value FROM json_each(?))",
                (codec.dumps(unknown),),
            )
            read = {int(row[-1]): run_record(row[:-1]) for row in rows}
            found = [self._ended.get(key) or read[key] for key in wanted]
            self._ended |= {key: run for key, run in read.items() if run.status in _TERMINAL}
            if len(self._ended) > _KEPT:
                self._ended = {
                    key: run
                    for key, run in zip(wanted, found, strict=True)
                    if run.status in _TERMINAL
                }
        return found

    def run(self, run_id: str) -> RunRecord:
        """The row of a run. Raises ``RunNotFound``."""
        rows = self._all(f"{_RUNS} WHERE run_id = ?", (run_id,))
        if not rows:
            raise _not_found(run_id)
        return run_record(rows[0])

    def run_ids(self) -> list[str]:
        """The ids of all runs, baselines too, oldest first."""
        return [str(row[0]) for row in self._all("SELECT run_id FROM runs ORDER BY run_key")]

    def stored_run(self, run_id: str) -> dict[str, Any]:
        """The row of a run as it is stored, JSON columns as text. Raises ``RunNotFound``."""
        try:
            with self._lock:
                row = stored_row(self._conn, run_id)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        if row is None:
            raise _not_found(run_id)
        return row

    def log_hash(self, run_id: str, seq: int) -> str:
        """The hash of the run's log up to event ``seq``, as ``seal`` has it."""
        try:
            with self._lock:
                return log_hash(self._conn, run_id, seq)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def file_faults(self, *, most_bytes: int | None = None) -> tuple[str, ...] | None:
        """What SQLite finds wrong in the file's structure, and parts of its schema that are not
        what they should be; None, nothing looked at, for a file of more than ``most_bytes``.
        """
        try:
            with self._lock:
                pages = self._conn.execute("PRAGMA page_count").fetchone()[0]
                size = self._conn.execute("PRAGMA page_size").fetchone()[0]
                if most_bytes is not None and pages * size > most_bytes:
                    return None
                return file_faults(self._conn)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def run_key(self, run_id: str) -> int:
        """The run's integer key in ``equity_points``. Raises ``RunNotFound``."""
        rows = self._all("SELECT run_key FROM runs WHERE run_id = ?", (run_id,))
        if not rows:
            raise _not_found(run_id)
        return int(rows[0][0])

    def resolve(self, text: str, *, all_runs: bool = False) -> str:
        """The run id that ``text`` means: an id, a unique prefix of one, ``@1`` for the newest.

        Raises ``RunNotFound``, and ``AmbiguousRun`` naming some of those it could be.
        """
        if text.startswith("@"):
            return self._newest(text, all_runs)
        rows = self._all(
            "SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? || char(0x10FFFF) "
            "ORDER BY run_id LIMIT 5",
            (text, text),
        )
        ids = [str(row[0]) for row in rows]
        if not text or not ids:
            raise _not_found(text)
        if ids[0] == text or len(ids) == 1:
            return ids[0]
        raise AmbiguousRun(
            f"{text} begins the ids of several runs: {', '.join(ids)}",
            field="run",
            remedy="give more of the id",
        )

    def _newest(self, text: str, all_runs: bool) -> str:
        place = text[1:]
        if not place.isascii() or not place.isdigit() or int(place) < 1:
            raise RunNotFound(f"{text} names no run", field="run", remedy="@1 is the newest")
        only = "" if all_runs else " WHERE baseline_of IS NULL"
        rows = self._all(
            f"SELECT run_id FROM runs{only} ORDER BY run_key DESC LIMIT 1 OFFSET ?",
            (min(int(place), 2**62) - 1,),
        )
        if not rows:
            raise RunNotFound(f"there is no run {text}: the ledger has fewer", field="run")
        return str(rows[0][0])

    def moved_as(self, run_id: str) -> str | None:
        """``running`` or ``paused``, whichever the run was last; None for one that never moved."""
        rows = self._all(
            "SELECT json_extract(data, '$.to') AS status FROM events WHERE run_id = ? "
            "AND kind = 'status' AND status IN ('running', 'paused') ORDER BY seq DESC LIMIT 1",
            (run_id,),
        )
        return rows[0][0] if rows else None

    def baselines(self, run_id: str) -> list[RunRecord]:
        """The baselines of a run, oldest first."""
        rows = self._all(f"{_RUNS} WHERE baseline_of = ? ORDER BY run_key", (run_id,))
        return [run_record(row) for row in rows]

    # -- what a run did -------------------------------------------------------------------------

    def equity(self, run_id: str, since: int = 0, until: int | None = None) -> EquityRows:
        """The equity curve's rows, in order."""
        return self._equity(
            "SELECT step_index, ts, equity, cash FROM equity_points WHERE run_key = "
            "(SELECT run_key FROM runs WHERE run_id = ?) AND step_index >= ? AND step_index < ? "
            "ORDER BY step_index",
            (run_id, since, _end(until)),
        )

    def equity_extent(self, run_id: str) -> tuple[int, int | None, int | None]:
        """How many rows the curve has, and the steps of its first and last."""
        ((rows, first, last),) = self._all(
            "SELECT count(*), min(step_index), max(step_index) FROM equity_points WHERE run_key = "
            "(SELECT run_key FROM runs WHERE run_id = ?)",
            (run_id,),
        )
        return int(rows), first, last

    def equity_sample(
        self, run_id: str, points: int, since: int = 0, until: int | None = None
    ) -> EquityRows:
        """At most ``points`` rows of the curve, evenly spaced, its first and last among them."""
        with self.moment():
            rows = self._all(
                "SELECT step_index FROM runs WHERE run_id = ?",
                (run_id,),
            )
            settled = int(rows[0][0]) if rows else 0
            last = min(settled, _end(until)) - 1
            if last < since or points < 1:
                return self._equity("SELECT 0, 0, 0.0, 0.0 WHERE ?", (0,))
            count = min(points, last - since + 1)
            steps = np.unique(np.linspace(last if count == 1 else since, last, count).round())
            return self._equity(
                "SELECT step_index, ts, equity, cash FROM json_each(?) CROSS JOIN equity_points "
                "ON run_key = (SELECT run_key FROM runs WHERE run_id = ?) AND step_index = value "
                "ORDER BY step_index",
                (codec.dumps(steps.astype(int).tolist()), run_id),
            )

    def fills(
        self,
        run_id: str,
        *,
        since: int = 0,
        until: int | None = None,
        after: int = -1,
        limit: int | None = None,
    ) -> list[Fill]:
        """Fills in the order of execution; ``after`` a fill id to go on from."""
        rows = self._all(
            f"SELECT {', '.join(Fill._fields)} FROM fills WHERE run_id = ? AND fill_id > ? "
            "AND step_index >= ? AND step_index < ? ORDER BY fill_id LIMIT ?",
            (run_id, after, since, _end(until), _limit(limit)),
        )
        return [Fill._make((*row[:3], stamp_of(row[3]), *row[4:])) for row in rows]

    def orders(
        self,
        run_id: str,
        *,
        since: int = 0,
        until: int | None = None,
        alive: bool = False,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[OrderRecord]:
        """Orders by the step and place of their decision; ``alive`` leaves out what has ended."""
        only = " AND status IN ('pending', 'resting')" if alive else ""
        turn = " DESC" if newest_first else ""
        rows = self._all(
            f"SELECT {', '.join(OrderRecord._fields)} FROM orders "
            f"WHERE run_id = ? AND step_index >= ? AND step_index < ?{only} "
            # Ids of one step differ in their count alone: the longer is the later.
            f"ORDER BY step_index{turn}, length(order_id){turn}, order_id{turn} LIMIT ?",
            (run_id, since, _end(until), _limit(limit)),
        )
        return [OrderRecord(*row) for row in rows]

    def reasons(self, run_id: str) -> list[tuple[str, int]]:
        """Why orders did not simply fill, and how many each, the most frequent first."""
        return self._all(
            "SELECT reason, count(*) FROM orders WHERE run_id = ? AND reason IS NOT NULL "
            "GROUP BY reason ORDER BY count(*) DESC, reason",
            (run_id,),
        )

    def cash_flows(
        self, run_id: str, *, since: int = 0, until: int | None = None, limit: int | None = None
    ) -> list[CashFlow]:
        """Cash flows in the order they happened."""
        rows = self._all(
            f"SELECT {', '.join(CashFlow._fields)} FROM cash_flows WHERE run_id = ? "
            "AND step_index >= ? AND step_index < ? ORDER BY step_index, rowid LIMIT ?",
            (run_id, since, _end(until), _limit(limit)),
        )
        return [CashFlow._make((row[0], stamp_of(row[1]), *row[2:])) for row in rows]

    def steps(
        self,
        run_id: str,
        *,
        since: int = 0,
        until: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> list[StepRecord]:
        """The decisions on record, by step; a step without a row held."""
        turn = " DESC" if newest_first else ""
        rows = self._all(
            f"SELECT {', '.join(StepRecord._fields)} FROM steps WHERE run_id = ? "
            f"AND step_index >= ? AND step_index < ? ORDER BY step_index{turn} LIMIT ?",
            (run_id, since, _end(until), _limit(limit)),
        )
        return [StepRecord(*row) for row in rows]

    def step(self, run_id: str, step: int) -> StepRecord | None:
        """The decision on record for one step; None if it held without one, or is not decided."""
        rows = self.steps(run_id, since=step, until=step + 1)
        return rows[0] if rows else None

    def step_of_key(self, run_id: str, key: str) -> StepRecord | None:
        """The decision that came with an idempotency key."""
        rows = self._all(
            f"SELECT {', '.join(StepRecord._fields)} FROM steps "
            "WHERE run_id = ? AND idempotency_key = ?",
            (run_id, key),
        )
        return StepRecord(*rows[0]) if rows else None

    def discarded(self, run_id: str) -> dict[int, tuple[int, int]]:
        """What each rewind cut off: by its number the first grid point, and how many there were.

        A rewind whose rows are not one unbroken stretch has a count of -1.
        """
        rows = self._all(
            "SELECT rewind_count, min(step_index), max(step_index), count(*) FROM discarded_equity "
            "WHERE run_id = ? GROUP BY rewind_count",
            (run_id,),
        )
        return {
            number: (first, count if last - first + 1 == count else -1)
            for number, first, last, count in rows
        }

    def is_discarded_key(self, run_id: str, key: str) -> bool:
        """Whether a step that came with this idempotency key was cut off by a rewind."""
        rows = self._all(
            "SELECT 1 FROM discarded_steps WHERE run_id = ? AND idempotency_key = ? LIMIT 1",
            (run_id, key),
        )
        return bool(rows)

    def positions(self, run_id: str) -> list[Position]:
        """What the run held after its last commit, by symbol."""
        rows = self._all(
            f"SELECT {', '.join(Position._fields)} FROM positions WHERE run_id = ? ORDER BY symbol",
            (run_id,),
        )
        return [Position(*row) for row in rows]

    def progress(self, run_id: str) -> list[tuple[int, int]]:
        """The (from, to) of the run's batches as the feed tells of them, in order.

        Raises ``ValueError`` where an event is not what it should be.
        """
        rows = self._all(
            "SELECT data FROM events WHERE run_id = ? AND kind = 'progress' ORDER BY seq", (run_id,)
        )
        try:
            said = [codec.loads(row[0]) for row in rows]
            return [(int(data["from"]), int(data["to"])) for data in said]
        except (TypeError, KeyError) as error:
            raise ValueError(f"events, kind progress: {error!r}") from error

    def commits(self, run_id: str, *, since: int = -1) -> list[CommitRecord]:
        """The run's digest chain, in order; from the commit on that closed step ``since``."""
        rows = self._all(
            "SELECT last_step, digest, lease_epoch FROM commits WHERE run_id = ? "
            "AND last_step >= ? ORDER BY last_step",
            (run_id, since),
        )
        return [CommitRecord(*row) for row in rows]

    # -- what changes ---------------------------------------------------------------------------

    def data_version(self) -> int:
        """A number that differs once another connection has committed; the cheapest way to look."""
        return int(self._all("PRAGMA data_version")[0][0])

    def last_seq(self) -> int:
        """The number of the newest event; 0 before the first."""
        return int(self._all("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    def events_after(
        self, seq: int, limit: int = 1000, *, run_id: str | None = None
    ) -> list[Event]:
        """Events after ``seq``, oldest first; of one run if it is given."""
        only, values = ("", ()) if run_id is None else (" AND run_id = ?", (run_id,))
        rows = self._all(
            f"SELECT seq, run_id, at, kind, data FROM events WHERE seq > ?{only} "
            "ORDER BY seq LIMIT ?",
            (seq, *values, limit),
        )
        return [Event._make((*row[:4], json_mapping(row[4]))) for row in rows]

    def command(self, command_id: int) -> Command:
        """A command, answered or not. Raises ``LedgerError`` for an id that was never given."""
        rows = self._all(f"{_COMMANDS} WHERE command_id = ?", (command_id,))
        if not rows:
            raise LedgerError(f"there is no command {command_id}", field="command")
        return writes.command_of(rows[0])

    def commands(self, run_id: str) -> list[Command]:
        """Every command ever left for the run, oldest first."""
        rows = self._all(
            f"{_COMMANDS} WHERE run_id = ? ORDER BY command_id",
            (run_id,),
        )
        return [writes.command_of(row) for row in rows]

    def pending_commands(self, owner: str) -> list[Command]:
        """The unanswered commands to ``owner``'s runs, oldest first."""
        try:
            with self._lock:
                return writes.pending_commands(self._conn, owner)
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def commands_to_ended(self) -> list[Command]:
        """Unanswered commands to runs that have ended, oldest first."""
        rows = self._all(
            f"SELECT {', '.join(f'commands.{name}' for name in Command._fields)} FROM commands "
            "JOIN runs USING (run_id) WHERE applied_at IS NULL "
            "AND runs.status IN ('completed', 'failed', 'cancelled') ORDER BY command_id"
        )
        return [writes.command_of(row) for row in rows]

    def active(self) -> list[ActiveRun]:
        """Every live run that has an owner, baselines included, oldest first."""
        rows = self._all(
            f"SELECT run_id, owner_instance, {', '.join(ActiveRun._fields[2:])} FROM active_runs "
            "WHERE owner_instance IS NOT NULL ORDER BY run_key"
        )
        return [ActiveRun(*row) for row in rows]

    def left_to_cancel(self) -> list[str]:
        """Interrupted runs that somebody has asked to cancel, oldest first."""
        rows = self._all(
            "SELECT run_id FROM runs WHERE status = 'interrupted' "
            "AND cancel_requested_at IS NOT NULL ORDER BY run_key"
        )
        return [str(row[0]) for row in rows]

    def owners(self) -> list[str]:
        """The instances that own active runs."""
        rows = self._all(
            "SELECT DISTINCT owner_instance FROM active_runs WHERE owner_instance IS NOT NULL"
        )
        return [str(row[0]) for row in rows]

    # -- how ------------------------------------------------------------------------------------

    def query(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query, for readings that live in modules of their own."""
        return self._all(sql, values)

    def _all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._conn.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise translate(error, self.path) from error

    def _equity(self, sql: str, values: Sequence[object]) -> EquityRows:
        parts: list[tuple[Any, ...]] = []
        try:
            with self._lock, closing(self._conn.execute(sql, values)) as cursor:
                # In parts: a million rows as tuples at once would be a quarter of a gigabyte.
                while rows := cursor.fetchmany(_CHUNK):
                    steps, stamps, equity, cash = zip(*rows, strict=True)
                    parts.append(
                        (
                            np.array(steps, dtype=np.int64),
                            np.array(stamps, dtype=np.int64),
                            np.array(equity, dtype=np.float64),
                            np.array(cash, dtype=np.float64),
                        )
                    )
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        if not parts:
            whole, real = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64)
            return EquityRows(whole, whole, real, real)
        return EquityRows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _leave(conn: sqlite3.Connection) -> None:
    if conn.in_transaction:  # an I/O error ends a transaction by itself
        conn.execute("ROLLBACK")


def _end(until: int | None) -> int:
    return 2**62 if until is None else until


def _limit(limit: int | None) -> int:
    return -1 if limit is None else limit


def _not_found(run_id: str) -> RunNotFound:
    return RunNotFound(
        f"there is no run {run_id}", field="run", remedy="`stepdeck runs` lists what there is"
    )
