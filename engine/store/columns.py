"""Orders and fills as columns of numbers, which SQL makes rows of.

To bind a text costs the interpreter eight times what a number costs, and most texts of these rows
say the same again and again. So symbols, stamps and endings are given once a statement, as JSON;
rows hold their places; and SQLite puts rows together without the interpreter's lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import codec
from engine.errors import LedgerRefused

SIZES: Final = (250, 50, 10, 1)
"""Sizes of a statement, in rows. Large, because each statement gives up the interpreter's lock and
must get it back from threads that compute; not larger, because preparing one takes longer still."""
_EMPTIEST: Final = 4
"""A statement is filled up with rows of nothing where at least a fourth of it is used."""

Integers = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]


class Places(NamedTuple):
    """A column whose rows name one of a few values that JSON can write."""

    place: Integers
    values: Sequence[Any]


Column = NDArray[Any] | Sequence[Any] | Places


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketOrders:
    """DAY market orders without tag or price, each ended at the grid point it first met.

    All columns are of one length. ``decided`` and ``number`` make the order's id; ``symbol`` and
    ``ending`` are places in ``symbols`` and ``endings``; ``quantity`` is NaN where the order was
    never sized; ``closed`` is the grid point at which it ended. An ending is (side, quantity type,
    status, reason), a side of None being that of a target never sized.
    """

    symbols: Sequence[str]
    endings: Sequence[tuple[str | None, str, str, str | None]]
    decided: Integers
    number: Integers
    symbol: Integers
    ending: Integers
    requested: Floats
    quantity: Floats
    filled: Floats
    closed: Integers


@dataclass(frozen=True, slots=True, kw_only=True)
class FillColumns:
    """Fills in the order of their execution.

    All columns are of one length. ``decided`` and ``number`` make the order's id; ``symbol`` is a
    place in ``symbols``; ``quantity`` is below zero for a sale; ``stamp`` is in microseconds.
    """

    symbols: Sequence[str]
    fill_id: Integers
    decided: Integers
    number: Integers
    step: Integers
    stamp: NDArray[np.int64]
    symbol: Integers
    quantity: Floats
    price: Floats
    reference_price: Floats
    commission: Floats
    fees: Floats
    slippage: Floats
    realized_pnl: Floats
    position_after: Floats
    avg_cost_after: Floats


def insert_orders(conn: sqlite3.Connection, run_id: str, orders: MarketOrders) -> None:
    """Add rows of ``orders``. Raises ``LedgerRefused`` for a figure that is not finite."""
    refuse_infinite(
        "orders",
        requested_quantity=orders.requested,
        quantity=orders.quantity[~np.isnan(orders.quantity)],
        filled_quantity=orders.filled,
    )
    columns: tuple[Column, ...] = (
        orders.decided,
        orders.number,
        Places(orders.symbol, orders.symbols),
        Places(orders.ending, orders.endings),
        orders.requested,
        orders.quantity,  # SQLite takes NaN for NULL
        orders.filled,
        orders.closed,
    )
    insert(conn, _ORDERS, (run_id,), columns)


def insert_fills(conn: sqlite3.Connection, run_id: str, fills: FillColumns) -> None:
    """Add rows of ``fills``. Raises ``LedgerRefused`` for a figure that is not finite."""
    figures = {
        "price": fills.price,
        "reference_price": fills.reference_price,
        "commission": fills.commission,
        "fees": fills.fees,
        "slippage": fills.slippage,
        "realized_pnl": fills.realized_pnl,
        "position_after": fills.position_after,
        "avg_cost_after": fills.avg_cost_after,
    }
    refuse_infinite("fills", quantity=fills.quantity, **figures)
    columns: tuple[Column, ...] = (
        fills.fill_id,
        fills.decided,
        fills.number,
        fills.step,
        fills.stamp // 1_000_000,
        Places(fills.symbol, fills.symbols),
        fills.quantity,
        *figures.values(),
    )
    insert(conn, _FILLS, (run_id,), columns)


def insert(
    conn: sqlite3.Connection,
    statements: Mapping[int, str],
    shared: tuple[Any, ...],
    columns: Sequence[Column],
) -> None:
    """Execute ``statements``, by size, over the rows of ``columns``.

    Each is bound ``shared`` first, then for every column of ``Places`` the JSON of the values that
    its rows name, then its rows. The columns are of one length, which may be 0; the first holds no
    NULL, so that a row without it is none.
    """
    width = len(columns)
    texts, lists = list(shared), []
    for column in columns:
        if isinstance(column, Places):
            used, place = np.unique(column.place, return_inverse=True)
            texts.append(codec.dumps([column.values[value] for value in used.tolist()]))
            lists.append(place.tolist())
        else:
            lists.append(column.tolist() if isinstance(column, np.ndarray) else column)
    left = len(lists[0])
    cells: list[Any] = [None] * (left * width)
    for number, cell in enumerate(lists):
        cells[number::width] = cell
    sizes = sorted(statements)
    at = 0
    while left > 0:
        size = next((size for size in sizes if left <= size), sizes[-1])
        if left * _EMPTIEST < size:
            size = next(size for size in reversed(sizes) if size <= left)
        part = cells[at : at + size * width]
        part += [None] * (size * width - len(part))
        added = conn.execute(statements[size], texts + part).rowcount
        if added != min(size, left):  # a join found nothing
            raise LedgerRefused(f"{min(size, left) - added} rows are of no place")
        at += size * width
        left -= size


def refuse_infinite(table: str, **figures: Floats) -> None:
    """Raises ``LedgerRefused`` naming the column that holds a NaN or an infinity.

    SQLite would store NaN as NULL, in STRICT tables too: what is wrong would read as absent.
    """
    for name, column in figures.items():
        if not np.isfinite(column).all():
            raise LedgerRefused(f"{table}.{name} is not finite", field=name)


def statements(head: str, width: int, tail: str) -> dict[int, str]:
    """Statements by size: so many rows of ``width`` values, between ``head`` and ``tail``."""
    row = f"({', '.join('?' * width)})"
    return {size: f"{head}{', '.join([row] * size)}{tail}" for size in SIZES}


_ORDERS = statements(
    """
INSERT INTO orders (
    run_id, order_id, step_index, symbol, side, order_type, quantity_type, requested_quantity,
    quantity, time_in_force, status, reason, filled_quantity, closed_step)
WITH symbols (place, name) AS MATERIALIZED (SELECT key, value FROM json_each(?2)),
endings (place, side, quantity_type, status, reason) AS MATERIALIZED (
    SELECT key, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
           json_extract(value, '$[2]'), json_extract(value, '$[3]')
    FROM json_each(?3)),
rows (decided, number, symbol, ending, requested, quantity, filled, closed) AS (VALUES """,
    8,
    """)
SELECT ?1, decided || '-' || number, decided, symbols.name, endings.side, 'market',
       endings.quantity_type, requested, quantity, 'day', endings.status, endings.reason, filled,
       closed
FROM rows
CROSS JOIN symbols ON symbols.place = rows.symbol
CROSS JOIN endings ON endings.place = rows.ending
WHERE decided IS NOT NULL
""",
)

_FILLS = statements(
    """
INSERT INTO fills (
    run_id, fill_id, order_id, step_index, ts, symbol, side, quantity, price, reference_price,
    commission, fees, slippage, realized_pnl, position_after, avg_cost_after)
WITH symbols (place, name) AS MATERIALIZED (SELECT key, value FROM json_each(?2)),
rows (fill_id, decided, number, step, seconds, symbol, quantity, price, reference, commission, fees,
      slippage, realized, after, avg_cost) AS (VALUES """,
    15,
    """)
SELECT ?1, fill_id, decided || '-' || number, step,
       strftime('%Y-%m-%dT%H:%M:%SZ', seconds, 'unixepoch'), symbols.name,
       iif(quantity < 0, 'sell', 'buy'), abs(quantity), price, reference, commission, fees,
       slippage, realized, after, avg_cost
FROM rows
CROSS JOIN symbols ON symbols.place = rows.symbol
WHERE fill_id IS NOT NULL
""",
)
