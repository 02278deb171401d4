"""Orders and fills as columns of numbers, which SQL makes rows of.

To bind a text costs the interpreter eight times what a number costs, and most texts of these rows
say the same again and again. So symbols, stamps and endings are given once a statement, as JSON;
rows hold their places; and SQLite puts rows together without the interpreter's lock.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine import codec
from engine.errors import LedgerRefused
from engine.stamps import stamp_texts

ROWS_PER_STATEMENT: Final = (250, 50, 10, 1)
"""Sizes of a statement, in rows. Large ones also because each statement gives up the interpreter's
lock and must get it back from threads that compute; still larger ones take longer to prepare."""

Integers = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]


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
    columns = (
        orders.decided,
        orders.number,
        orders.symbol,
        orders.ending,
        orders.requested,
        orders.quantity,  # SQLite takes NaN for NULL
        orders.filled,
        orders.closed,
    )
    texts = (run_id, codec.dumps(list(orders.symbols)), codec.dumps(list(orders.endings)))
    insert(conn, _ORDERS, texts, columns)


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
    stamps, moment = np.unique(fills.stamp, return_inverse=True)
    columns = (
        fills.fill_id,
        fills.decided,
        fills.number,
        fills.step,
        moment,
        fills.symbol,
        fills.quantity,
        *figures.values(),
    )
    texts = (run_id, codec.dumps(list(fills.symbols)), codec.dumps(stamp_texts(stamps)))
    insert(conn, _FILLS, texts, columns)


def insert(
    conn: sqlite3.Connection,
    statements: Mapping[int, str],
    shared: tuple[Any, ...],
    columns: Sequence[NDArray[Any]],
) -> None:
    """Execute ``statements``, by size, over the rows of ``columns``; each is bound ``shared``
    first. The columns are of one length, which may be 0."""
    count, width = len(columns[0]), len(columns)
    flat: list[Any] = [None] * (count * width)
    for place, column in enumerate(columns):
        flat[place::width] = column.tolist()
    done = 0
    for size, statement in statements.items():
        while count - done >= size:
            cells = flat[done * width : (done + size) * width]
            added = conn.execute(statement, (*shared, *cells)).rowcount
            if added != size:  # a join found nothing
                raise LedgerRefused(f"{size - added} rows name a text that was not given")
            done += size


def refuse_infinite(table: str, **figures: Floats) -> None:
    """Raises ``LedgerRefused`` naming the column that holds a NaN or an infinity.

    SQLite would store NaN as NULL, in STRICT tables too: what is wrong would read as absent.
    """
    for name, column in figures.items():
        if not np.isfinite(column).all():
            raise LedgerRefused(f"{table}.{name} is not finite", field=name)


def statements(head: str, marks: str, tail: str = "") -> dict[int, str]:
    """Statements by size: ``marks`` once a row, between ``head`` and ``tail``."""
    return {size: f"{head}{', '.join([f'({marks})'] * size)}{tail}" for size in ROWS_PER_STATEMENT}


def _marks(width: int) -> str:
    return ", ".join("?" * width)


_SYMBOLS = "symbols (place, name) AS MATERIALIZED (SELECT key, value FROM json_each(?2))"

_ORDERS = statements(
    f"""
INSERT INTO orders (
    run_id, order_id, step_index, symbol, side, order_type, quantity_type, requested_quantity,
    quantity, time_in_force, status, reason, filled_quantity, closed_step)
WITH {_SYMBOLS},
endings (place, side, quantity_type, status, reason) AS MATERIALIZED (
    SELECT key, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
           json_extract(value, '$[2]'), json_extract(value, '$[3]')
    FROM json_each(?3)),
rows (decided, number, symbol, ending, requested, quantity, filled, closed) AS (VALUES """,
    _marks(8),
    """)
SELECT ?1, decided || '-' || number, decided, symbols.name, endings.side, 'market',
       endings.quantity_type, requested, quantity, 'day', endings.status, endings.reason, filled,
       closed
FROM rows
CROSS JOIN symbols ON symbols.place = rows.symbol
CROSS JOIN endings ON endings.place = rows.ending
""",
)

_FILLS = statements(
    f"""
INSERT INTO fills (
    run_id, fill_id, order_id, step_index, ts, symbol, side, quantity, price, reference_price,
    commission, fees, slippage, realized_pnl, position_after, avg_cost_after)
WITH {_SYMBOLS},
moments (place, ts) AS MATERIALIZED (SELECT key, value FROM json_each(?3)),
rows (fill_id, decided, number, step, moment, symbol, quantity, price, reference, commission, fees,
      slippage, realized, after, avg_cost) AS (VALUES """,
    _marks(15),
    """)
SELECT ?1, fill_id, decided || '-' || number, step, moments.ts, symbols.name,
       iif(quantity < 0, 'sell', 'buy'), abs(quantity), price, reference, commission, fees,
       slippage, realized, after, avg_cost
FROM rows
CROSS JOIN moments ON moments.place = rows.moment
CROSS JOIN symbols ON symbols.place = rows.symbol
""",
)
