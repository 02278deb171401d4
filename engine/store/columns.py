"""Orders and fills as columns of numbers, which SQL makes rows of.

To bind a text costs the interpreter eight times what a number costs, and most texts of these rows
say the same again and again. So symbols, stamps and endings are given once a statement, as JSON;
rows hold their places; and SQLite puts rows together without the interpreter's lock. The numbers
are bound where they are few, and wait in an image (``engine.store.image``) where they are many.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine import codec
from engine.errors import LedgerRefused
from engine.stamps import stamp_texts
from engine.store.connection import BESIDE

SIZES: Final = (250, 50, 10, 1)
"""Sizes of a statement, in rows. Large, because each statement gives up the interpreter's lock and
must get it back from threads that compute; not larger, because preparing one takes longer still."""
_EMPTIEST: Final = 4
"""A statement is filled up with rows of nothing where at least a fourth of it is used."""

ORDER_WIDTH: Final = 8
FILL_WIDTH: Final = 15

Integers = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]


class Places(NamedTuple):
    """A column whose rows name one of a few values that JSON can write."""

    place: Integers
    values: Sequence[Any]


Texts = NDArray[np.bytes_]  # ASCII, of one length
Array = Integers | Floats | Texts | Places
Column = Array | Sequence[Any]


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
    place in ``symbols``; ``quantity`` is below zero for a sale; ``stamp`` is in microseconds, and
    rises.
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


def insert_orders(
    conn: sqlite3.Connection, run_id: str, orders: MarketOrders, *, staged: bool = False
) -> None:
    """Add rows of ``orders``, ``staged`` as ``insert`` has it.

    Raises ``LedgerRefused`` for a figure that is not finite.
    """
    refuse_infinite(
        "orders",
        requested_quantity=orders.requested,
        quantity=orders.quantity[~np.isnan(orders.quantity)],
        filled_quantity=orders.filled,
    )
    insert(conn, _ORDERS, (run_id,), order_columns(orders), staged=staged)


def order_columns(orders: MarketOrders) -> tuple[Array, ...]:
    """What makes a row of ``orders``, in the order in which its statement takes it."""
    return (
        orders.decided,
        orders.number,
        Places(orders.symbol, orders.symbols),
        Places(orders.ending, orders.endings),
        orders.requested,
        orders.quantity,  # SQLite takes NaN for NULL
        orders.filled,
        orders.closed,
    )


def insert_fills(
    conn: sqlite3.Connection, run_id: str, fills: FillColumns, *, staged: bool = False
) -> None:
    """Add rows of ``fills``, ``staged`` as ``insert`` has it.

    Raises ``LedgerRefused`` for a figure that is not finite.
    """
    refuse_infinite("fills", quantity=fills.quantity, **_fill_figures(fills))
    insert(conn, _FILLS, (run_id,), columns_of_fills(fills), staged=staged)


def columns_of_fills(fills: FillColumns) -> tuple[Array, ...]:
    """What makes a row of ``fills``, in the order in which its statement takes it."""
    return (
        fills.fill_id,
        fills.decided,
        fills.number,
        fills.step,
        _texts_of(fills.stamp),
        Places(fills.symbol, fills.symbols),
        fills.quantity,
        *_fill_figures(fills).values(),
    )


def _texts_of(stamps: NDArray[np.int64]) -> Texts:
    """Their texts: rising stamps repeat, and so do these."""
    firsts = np.flatnonzero(np.diff(stamps, prepend=~stamps[:1]))
    counts = np.diff(firsts, append=len(stamps))
    texts: Texts = np.repeat(np.array(stamp_texts(stamps[firsts]), np.bytes_), counts)
    return texts


def _fill_figures(fills: FillColumns) -> dict[str, Floats]:
    return {
        "price": fills.price,
        "reference_price": fills.reference_price,
        "commission": fills.commission,
        "fees": fills.fees,
        "slippage": fills.slippage,
        "realized_pnl": fills.realized_pnl,
        "position_after": fills.position_after,
        "avg_cost_after": fills.avg_cost_after,
    }


class Insertion(NamedTuple):
    """Statements that insert rows of a table: by how many are bound, and for those of an image."""

    bound: Mapping[int, str]
    staged: str


def insert(
    conn: sqlite3.Connection,
    insertion: Insertion,
    shared: tuple[Any, ...],
    columns: Sequence[Column],
    *,
    staged: bool = False,
) -> None:
    """Insert the rows of ``columns``, bound by size, or those that wait as ``staged`` in an image.

    Each statement is bound ``shared`` first, then for every column of ``Places`` the JSON of the
    values that its rows name, then its rows. The columns are of one length, which may be 0; the
    first holds no NULL, so that a row without it is none.
    """
    if staged:
        texts = [_json(tuple(one.values)) for one in columns if isinstance(one, Places)]
        added = conn.execute(insertion.staged, (*shared, *texts)).rowcount
        _refuse_lost(len(_cells(columns[0])), added)
        return
    _insert_bound(conn, insertion.bound, shared, columns)


@lru_cache(maxsize=64)
def _json(values: tuple[Any, ...]) -> str:
    # Batch after batch of a run has the same.
    return codec.dumps(values)


def _insert_bound(
    conn: sqlite3.Connection,
    statements: Mapping[int, str],
    shared: tuple[Any, ...],
    columns: Sequence[Column],
) -> None:
    width = len(columns)
    texts, lists = list(shared), []
    for column in columns:
        if isinstance(column, Places):
            used, place = np.unique(column.place, return_inverse=True)
            texts.append(codec.dumps([column.values[value] for value in used.tolist()]))
            lists.append(place.tolist())
        else:
            lists.append(_listed(column) if isinstance(column, np.ndarray) else column)
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
        _refuse_lost(min(size, left), conn.execute(statements[size], texts + part).rowcount)
        at += size * width
        left -= size


def _listed(column: Integers | Floats | Texts) -> list[Any]:
    values: list[Any] = (column.astype(np.str_) if column.dtype.kind == "S" else column).tolist()
    return values


def _refuse_lost(rows: int, added: int) -> None:
    if added != rows:  # a join found nothing
        raise LedgerRefused(f"{rows - added} rows are of no place")


def cells(columns: Sequence[Array]) -> list[Integers | Floats | Texts]:
    """The columns as an image takes them: places as their numbers."""
    return [_cells(column) for column in columns]


def _cells(column: Any) -> Any:
    return column.place if isinstance(column, Places) else column


def refuse_infinite(table: str, **figures: Floats) -> None:
    """Raises ``LedgerRefused`` naming the column that holds a NaN or an infinity.

    SQLite would store NaN as NULL, in STRICT tables too: what is wrong would read as absent.
    """
    for name, column in figures.items():
        if not np.isfinite(column).all():
            raise LedgerRefused(f"{table}.{name} is not finite", field=name)


def insertion(head: str, width: int, tail: str, table: str | None = None) -> Insertion:
    """Statements that take rows of ``width`` values between ``head`` and ``tail``, or those of a
    ``table`` in an image."""
    row = f"({', '.join('?' * width)})"
    bound = {size: f"{head}(VALUES {', '.join([row] * size)}){tail}" for size in SIZES}
    return Insertion(bound, f"{head}(SELECT * FROM {BESIDE}.{table}){tail}" if table else "")


_ORDERS = insertion(
    """
INSERT INTO orders (
    run_id, order_id, step_index, symbol, side, order_type, quantity_type, requested_quantity,
    quantity, time_in_force, status, reason, filled_quantity, closed_step)
WITH symbols (place, name) AS MATERIALIZED (SELECT key, value FROM json_each(?2)),
endings (place, side, quantity_type, status, reason) AS MATERIALIZED (
    SELECT key, json_extract(value, '$[0]'), json_extract(value, '$[1]'),
           json_extract(value, '$[2]'), json_extract(value, '$[3]')
    FROM json_each(?3)),
rows (decided, number, symbol, ending, requested, quantity, filled, closed) AS """,
    ORDER_WIDTH,
    """
SELECT ?1, decided || '-' || number, decided, symbols.name, endings.side, 'market',
       endings.quantity_type, requested, quantity, 'day', endings.status, endings.reason, filled,
       closed
FROM rows
CROSS JOIN symbols ON symbols.place = rows.symbol
CROSS JOIN endings ON endings.place = rows.ending
WHERE decided IS NOT NULL
""",
    "orders",
)

_FILLS = insertion(
    """
INSERT INTO fills (
    run_id, fill_id, order_id, step_index, ts, symbol, side, quantity, price, reference_price,
    commission, fees, slippage, realized_pnl, position_after, avg_cost_after)
WITH symbols (place, name) AS MATERIALIZED (SELECT key, value FROM json_each(?2)),
rows (fill_id, decided, number, step, ts, symbol, quantity, price, reference, commission, fees,
      slippage, realized, after, avg_cost) AS """,
    FILL_WIDTH,
    """
SELECT ?1, fill_id, decided || '-' || number, step, ts, symbols.name,
       iif(quantity < 0, 'sell', 'buy'), abs(quantity), price, reference, commission, fees,
       slippage, realized, after, avg_cost
FROM rows
CROSS JOIN symbols ON symbols.place = rows.symbol
WHERE fill_id IS NOT NULL
""",
    "fills",
)
