"""The hot write: a batch of computed steps, in one fenced transaction.

Rows go in bulk, table by table and many to a statement: a statement each would cost half as much
again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, groupby
from math import isfinite
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import codec
from engine.errors import LedgerRefused
from engine.failpoints import failpoint
from engine.model import CashFlow, OrderRecord
from engine.stamps import stamp_texts
from engine.store.columns import (
    FILL_WIDTH,
    ORDER_WIDTH,
    SIZES,
    FillColumns,
    Floats,
    Integers,
    MarketOrders,
    cells,
    columns_of_fills,
    insert,
    insert_fills,
    insert_orders,
    insertion,
    order_columns,
    refuse_infinite,
)
from engine.store.connection import WritingConnection
from engine.store.image import MOST_ROWS, Cells, image
from engine.store.seal import Hashed
from engine.store.values import encode_columns, quoted

_FEWEST_LAID_OUT: Final = 500
"""Rows of numbers below which binding them is quicker than an image."""
_NO_ORDERS: Final = [np.empty(0)] * ORDER_WIDTH
_NO_FILLS: Final = [np.empty(0)] * FILL_WIDTH

MOVING = ("running", "paused")
"""The states in which steps are taken."""


class StepRow(NamedTuple):
    """One decision on record; ``decision`` and ``result`` are JSON text, ``ts`` ISO text."""

    step_index: int
    step_id: str
    ts: str
    status: str
    decision_source: str
    idempotency_key: str | None
    decision: str
    result: str | None = None
    deadline_at: str | None = None
    decided_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """A batch of a run: what its steps settled, and what the run is after them.

    ``first`` is the grid index of the first equity row, which is how many the run has so far;
    ``stamps`` (microseconds), ``equity`` and ``cash`` are of one length, which may be 0. ``orders``
    are records in the order they were touched, the last of an id being current;
    ``market_orders`` are others, which nothing touches again. ``holdings`` are rows
    of (symbol, quantity, average cost, last price), None where the batch leaves them alone.
    ``digest`` closes the batch. ``columns`` are columns of ``runs`` to set with it; ``step_index``
    is set from the rows, ``updated_at`` from ``at``. ``events`` are kinds with their data, for the
    change feed. The lease is ``owner``, ``epoch`` and a status
    in ``sources``. ``hashed`` takes in the steps of the batches before.
    """

    run_id: str
    run_key: int
    owner: str
    epoch: int
    first: int
    stamps: NDArray[np.int64] | Sequence[int]
    equity: NDArray[np.float64] | Sequence[float]
    cash: NDArray[np.float64] | Sequence[float]
    digest: str
    at: str
    orders: Sequence[OrderRecord] = ()
    market_orders: MarketOrders | None = None
    fills: FillColumns | None = None
    cash_flows: Sequence[CashFlow] = ()
    steps: Sequence[StepRow] = ()
    holdings: Sequence[tuple[str, float, float, float]] | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[tuple[str, Mapping[str, Any]]] = ()
    sources: Collection[str] = MOVING
    hashed: Hashed | None = None


def laid_out(batch: Append) -> bytes | None:
    """The numbers of a large batch as an image, for ``WritingConnection.lay_beside``.

    None for one whose rows are sooner bound than laid out, and for one that no image can hold.
    """
    tables = _tables(batch)
    lengths = [len(columns[0]) for columns in tables.values()]
    fits = sum(lengths) >= _FEWEST_LAID_OUT and max(lengths) <= MOST_ROWS
    return image(tables) if fits else None


def _tables(batch: Append) -> dict[str, Sequence[Cells]]:
    # Always the same, or a statement made for one image would read another's table.
    orders, fills = batch.market_orders, batch.fills
    return {
        "equity": _equity_columns(batch),
        "orders": _NO_ORDERS if orders is None else cells(order_columns(orders)),
        "fills": _NO_FILLS if fills is None else cells(columns_of_fills(fills)),
    }


def append(conn: sqlite3.Connection, batch: Append) -> bool:
    """Write ``batch`` if its lease holds; False if not, and then there is no row of it anywhere.

    Its numbers are taken from the image of it that lies beside the ledger, if one does. Figures
    keep every bit but the sign of a zero, which SQLite drops.

    Raises ``LedgerRefused`` for a NaN or an infinity in any figure, for a column that ``runs`` does
    not have, and for a batch that does not follow on what the run has.
    """
    settled = batch.first + len(batch.equity)
    if not _take_lease(conn, batch, settled):
        return False
    failpoint("append.leased")
    run_id = batch.run_id
    if batch.hashed is not None:
        batch.hashed.take_in(conn, run_id, batch.epoch)
    staged = isinstance(conn, WritingConnection) and conn.beside is batch
    _equity(conn, batch, staged)
    failpoint("append.equity")
    # A batch may touch an order several times: its row is what the last touch left.
    orders = {record.order_id: record for record in batch.orders}
    for alike, steps in groupby(batch.steps, _ALIKE):
        columns = list(zip(*map(_OWN, steps), strict=True))
        insert(conn, _STEPS, (run_id, *alike, batch.epoch), columns)
    _rows(conn, _ORDERS, [(run_id, *record) for record in orders.values()])
    if batch.market_orders is not None:
        insert_orders(conn, run_id, batch.market_orders, staged=staged)
    if batch.fills is not None:
        insert_fills(conn, run_id, batch.fills, staged=staged)
    flows = batch.cash_flows
    texts = stamp_texts([flow.ts for flow in flows])
    _rows(
        conn,
        _CASH_FLOWS,
        [(run_id, row[0], ts, *row[2:]) for row, ts in zip(flows, texts, strict=True)],
    )
    if batch.holdings is not None:
        conn.execute("DELETE FROM holdings WHERE run_id = ?", (run_id,))
        _holdings(conn, run_id, batch.holdings)
    conn.execute(_COMMIT, (run_id, settled - 1, batch.digest, batch.epoch))
    progress = codec.dumps({"from": batch.first, "to": settled})
    conn.execute(_EVENT, (run_id, batch.at, "progress", progress))
    for kind, data in batch.events:
        conn.execute(_EVENT, (run_id, batch.at, kind, codec.dumps(dict(data))))
    failpoint("append.written")
    return True


def _take_lease(conn: sqlite3.Connection, batch: Append, settled: int) -> bool:
    """The conditional update of ``runs`` that every other row of the batch depends on."""
    values = encode_columns(batch.columns)
    values["step_index"] = settled
    values["updated_at"] = batch.at
    lease = (batch.run_key, batch.run_id, batch.owner, batch.epoch, *map(str, batch.sources))
    held = _held(len(batch.sources))
    changed = conn.execute(
        _update(tuple(values), held), (*values.values(), *lease, batch.first)
    ).rowcount
    if changed:
        return True
    row = conn.execute(f"SELECT step_index FROM runs WHERE {held}", lease).fetchone()
    if row is None:
        return False
    raise LedgerRefused(
        f"run {batch.run_id} has {row[0]} settled steps and the batch begins at {batch.first}",
        field="step_index",
    )


@lru_cache(maxsize=64)
def _held(sources: int) -> str:
    marks = ", ".join("?" * sources)
    return (
        "run_key = ? AND run_id = ? AND owner_instance = ? AND lease_epoch = ? "
        f"AND status IN ({marks})"
    )


@lru_cache(maxsize=64)
def _update(names: tuple[str, ...], held: str) -> str:
    settings = ", ".join(f"{quoted(name)} = ?" for name in names)
    return f"UPDATE runs SET {settings} WHERE {held} AND step_index = ?"


def _equity(conn: sqlite3.Connection, batch: Append, staged: bool) -> None:
    columns = _equity_columns(batch)
    _, stamps, equity, cash = columns
    if not len(stamps) == len(equity) == len(cash):
        raise LedgerRefused(
            f"a batch has {len(stamps)} stamps, {len(equity)} equity and {len(cash)} cash figures",
            field="stamps",
        )
    refuse_infinite("equity_points", equity=equity, cash=cash)
    insert(conn, _EQUITY, (batch.run_key,), columns, staged=staged)


def _equity_columns(batch: Append) -> tuple[Integers, Integers, Floats, Floats]:
    return (
        np.arange(batch.first, batch.first + len(batch.equity)),
        np.asarray(batch.stamps, np.int64),
        np.asarray(batch.equity, np.float64),
        np.asarray(batch.cash, np.float64),
    )


def _holdings(
    conn: sqlite3.Connection, run_id: str, rows: Sequence[tuple[str, float, float, float]]
) -> None:
    if rows:
        columns = list(zip(*rows, strict=True))
        for name, figures in zip(("quantity", "avg_cost", "last_price"), columns[1:], strict=True):
            if not all(map(isfinite, figures)):
                raise _not_finite("holdings", name)
        insert(conn, _HOLDINGS, (run_id,), columns)


class _Table(NamedTuple):
    """Where rows of a kind go, in statements by size, and which of their values are figures."""

    name: str
    columns: tuple[str, ...]
    figures: tuple[int, ...]
    statements: Mapping[int, str]


def _table(name: str, columns: Iterable[str], figures: str = "", upsert: str = "") -> _Table:
    columns = ("run_id", *columns)
    marks = f"({', '.join('?' * len(columns))})"
    insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES "
    return _Table(
        name,
        columns,
        tuple(columns.index(figure) for figure in figures.split()),
        {rows: insert + ", ".join([marks] * rows) + upsert for rows in SIZES},
    )


def _rows(conn: sqlite3.Connection, table: _Table, rows: Sequence[tuple[Any, ...]]) -> None:
    for place in table.figures:
        # Zeros and absences add nothing, and what is not finite makes the sum so.
        figures = filter(None, map(itemgetter(place), rows))
        if not isfinite(sum(figures)) and not all(
            row[place] is None or isfinite(row[place]) for row in rows
        ):
            raise _not_finite(table.name, table.columns[place])
    _insert(conn, table, rows)


def _insert(conn: sqlite3.Connection, table: _Table, rows: Sequence[tuple[Any, ...]]) -> None:
    done = 0
    for size, statement in table.statements.items():
        while len(rows) - done >= size:
            conn.execute(statement, tuple(chain.from_iterable(rows[done : done + size])))
            done += size


def _not_finite(table: str, column: str) -> LedgerRefused:
    # SQLite would store NaN as NULL, in STRICT tables too: what is wrong would read as absent.
    return LedgerRefused(f"{table}.{column} is not finite", field=column)


_ORDER_KEY = ("step_index", "order_id")
# What steps of a batch have in common as a rule, and what is each one's own.
_ALIKE = attrgetter("status", "decision_source", "idempotency_key", "deadline_at", "decided_at")
_OWN = attrgetter("step_index", "step_id", "ts", "decision", "result")
_STEPS = insertion(
    "INSERT INTO steps (run_id, step_index, step_id, ts, status, decision_source, idempotency_key, "
    "decision, result, deadline_at, decided_at, lease_epoch) SELECT ?1, column1, column2, column3, "
    "?2, ?3, ?4, column4, column5, ?5, ?6, ?7 FROM ",
    5,
    " WHERE column1 IS NOT NULL",
)
_ORDERS = _table(
    "orders",
    OrderRecord._fields,
    "requested_quantity quantity limit_price stop_price filled_quantity",
    " ON CONFLICT (run_id, step_index, order_id) DO UPDATE SET "
    + ", ".join(
        f"{name} = excluded.{name}" for name in OrderRecord._fields if name not in _ORDER_KEY
    ),
)
_CASH_FLOWS = _table("cash_flows", CashFlow._fields, "quantity amount realized_pnl")
_HOLDINGS = insertion(
    "INSERT INTO holdings (run_id, symbol, quantity, avg_cost, last_price) "
    "SELECT ?1, column1, column2, column3, column4 FROM ",
    4,
    " WHERE column1 IS NOT NULL",
)
# The last decision of a run settles nothing: its commit closes the same step again.
_COMMIT = (
    "INSERT INTO commits (run_id, last_step, digest, lease_epoch) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (run_id, last_step) DO UPDATE "
    "SET digest = excluded.digest, lease_epoch = excluded.lease_epoch"
)
_EVENT = "INSERT INTO events (run_id, at, kind, data) VALUES (?, ?, ?, ?)"
_EQUITY = insertion(
    "INSERT INTO equity_points (run_key, step_index, ts, equity, cash) "
    "SELECT ?1, column1, column2, column3, column4 FROM ",
    4,
    " WHERE column1 IS NOT NULL",
    "equity",
)
