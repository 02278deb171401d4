"""What orders came to, kept as packed rows: the records are made of them when somebody asks.

A long run has a million of them, and most are never looked at one by one. A row is a fifth of its
record's size, costs less to write than the record to make, and figures are computed on columns of
rows. The compiled kernel writes the same rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from engine.model import Fill, OrderRecord
from engine.sim.reasons import Reason, closing_status

# One fill. `lots` is below zero for a sale; `after` is the holding, both in lots of the run: whole
# numbers, but doubles, which is what they become in every product anyway.
FILL: Final = Struct("<iiiidddddddd")
FILL_ROW: Final = np.dtype(
    [
        ("step", "<i4"),
        ("decided", "<i4"),
        ("number", "<i4"),
        ("column", "<i4"),
        ("lots", "<f8"),
        ("after", "<f8"),
        ("price", "<f8"),
        ("reference", "<f8"),
        ("commission", "<f8"),
        ("fees", "<f8"),
        ("realized", "<f8"),
        ("avg_cost", "<f8"),
    ]
)
# One DAY market order that ended at the grid point it first met. `side` is 0 and `lots` are 0 where
# it was never sized; `reason` and `kind` are places in `REASONS` and `KINDS`.
ORDER: Final = Struct("<iiiidddbbbxxxxx")
# The same row of a target weight that nothing came of, from what is not zero in it.
IDLE: Final = Struct("<iiii16xdxb6x")
ORDER_ROW: Final = np.dtype(
    {
        "names": [
            "step",
            "decided",
            "number",
            "column",
            "lots",
            "filled",
            "requested",
            "side",
            "reason",
            "kind",
        ],
        "formats": ["<i4", "<i4", "<i4", "<i4", "<f8", "<f8", "<f8", "i1", "i1", "i1"],
        "offsets": [0, 4, 8, 12, 16, 24, 32, 40, 41, 42],
        "itemsize": 48,
    }
)
REASONS: Final[tuple[str | None, ...]] = (None, *(reason.value for reason in Reason))
REASON_CODES: Final[Mapping[str | None, int]] = MappingProxyType(
    {reason: code for code, reason in enumerate(REASONS)}
)
TARGET_WEIGHT: Final = 0
SHARES: Final = 1
KINDS: Final = ("target_weight", "shares")

_SIDES: Final[Mapping[int, str | None]] = MappingProxyType({1: "buy", -1: "sell", 0: None})
# By reason, then by whether anything filled.
_STATUSES: Final = tuple(
    (closing_status(reason, filled=False), closing_status(reason, filled=True))
    for reason in REASONS
)
_AT_ONCE: Final = 4096  # rows made into records together while iterating

Rows = NDArray[np.void]
Touch = tuple[int, OrderRecord]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Legend:
    """What a run's rows are to be read with; ``factor`` and ``divisor`` are its lot grid's."""

    symbols: tuple[str, ...]
    stamps: NDArray[np.int64]
    factor: float
    divisor: float


class Records(Sequence[T]):
    """A sequence whose items are made when asked for; equal to any sequence of equal items."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as a list's

    def _make(self, start: int, stop: int) -> Sequence[T]:
        """The items from ``start`` to before ``stop``, both in range."""
        raise KeyError(start, stop)

    def __iter__(self) -> Iterator[T]:
        size = len(self)
        for start in range(0, size, _AT_ONCE):
            yield from self._make(start, min(start + _AT_ONCE, size))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            start, stop, stride = index.indices(len(self))
            if stride != 1:
                return [self[at] for at in range(start, stop, stride)]
            return self._make(start, max(start, stop))
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(index)
        return self._make(at, at + 1)[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    def __repr__(self) -> str:
        return repr(list(self))


class Fills(Records[Fill]):
    """The fills of consecutive steps. ``rows`` are of ``FILL_ROW``; ids rise from ``first``."""

    __slots__ = ("first", "legend", "rows")

    def __init__(self, legend: Legend, rows: Rows, first: int) -> None:
        self.legend = legend
        self.rows = rows
        self.first = first

    def __len__(self) -> int:
        return len(self.rows)

    def _make(self, start: int, stop: int) -> list[Fill]:
        rows, legend = self.rows[start:stop], self.legend
        factor, divisor, symbols = legend.factor, legend.divisor, legend.symbols
        make = tuple.__new__
        steps = rows["step"]
        return [
            make(
                Fill,
                (
                    number,
                    f"{decided}-{intent}",
                    step,
                    stamp,
                    symbols[column],
                    "buy" if lots > 0 else "sell",
                    abs(lots) * factor / divisor,
                    price,
                    reference,
                    commission,
                    fees,
                    slippage,
                    realized,
                    after * factor / divisor,
                    avg_cost,
                ),
            )
            for (
                number,
                (
                    step,
                    decided,
                    intent,
                    column,
                    lots,
                    after,
                    price,
                    reference,
                    commission,
                    fees,
                    realized,
                    avg_cost,
                ),
                stamp,
                slippage,
            ) in zip(
                range(self.first + start, self.first + stop),
                rows.tolist(),
                legend.stamps[steps].tolist(),
                self.slippages(start, stop).tolist(),
                strict=True,
            )
        ]

    def quantities(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Shares of each fill, above zero."""
        return shares(np.abs(self.rows["lots"][start:stop]), self.legend)

    def positions(self) -> NDArray[np.float64]:
        """Shares held after each fill."""
        return shares(self.rows["after"], self.legend)

    def slippages(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """What the price's distance from the reference cost, in currency (policy M4)."""
        rows = self.rows[start:stop]
        adverse = (rows["price"] - rows["reference"]) * np.where(rows["lots"] > 0, 1.0, -1.0)
        slippage: NDArray[np.float64] = adverse * self.quantities(start, stop)
        return slippage


class Packed(NamedTuple):
    """Orders as rows of ``ORDER_ROW``; ``tags`` by row, of those that have one."""

    rows: Rows
    tags: Mapping[int, str]


Part = Packed | tuple[Touch, ...]


class Ending(NamedTuple):
    """How packed orders ended, in the words of their records."""

    side: str | None
    quantity_type: str
    status: str
    reason: str | None


class Endings(NamedTuple):
    """The distinct ``endings`` of some packed orders, and the ``place`` of each order's."""

    endings: tuple[Ending, ...]
    place: NDArray[np.intp]

    @classmethod
    def of(cls, rows: Rows) -> Endings:
        """Those of rows of ``ORDER_ROW``."""
        codes = rows["side"] + 1
        for values, count in (
            (rows["kind"], len(KINDS)),
            (rows["filled"] > 0, 2),
            (rows["reason"], len(REASONS)),
        ):
            codes = codes * np.intp(count) + values
        found, place = distinct(codes, 3 * len(KINDS) * 2 * len(REASONS))
        endings = []
        for code in found.tolist():
            rest, reason = divmod(code, len(REASONS))
            rest, filled = divmod(rest, 2)
            side, kind = divmod(rest, len(KINDS))
            status = _STATUSES[reason][filled]
            endings.append(Ending(_SIDES[side - 1], KINDS[kind], status, REASONS[reason]))
        return cls(tuple(endings), place)


def distinct(
    codes: NDArray[np.integer[Any]], limit: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The distinct ``codes``, rising, and each one's place among them. They are below ``limit``,
    which is small: nothing is sorted."""
    seen = np.zeros(limit, np.bool_)
    seen[codes] = True
    found = np.flatnonzero(seen)
    places = np.empty(limit, np.intp)
    places[found] = np.arange(len(found))
    return found, places[codes]


def shares(lots: NDArray[Any], legend: Legend) -> NDArray[np.float64]:
    """Lots as shares; the one rounding that ``LotGrid.quantity`` makes."""
    quantity: NDArray[np.float64] = lots * legend.factor / legend.divisor
    return quantity


class Orders(Records[Touch]):
    """Every record touched, with the grid point it was touched at, in order.

    ``parts`` are packed rows, each an order of its own, and records that were made at once.
    """

    __slots__ = ("_starts", "legend", "parts")

    def __init__(self, legend: Legend, parts: Iterable[Part]) -> None:
        self.legend = legend
        self.parts = tuple(part for part in parts if _size(part))
        self._starts = np.cumsum([0, *map(_size, self.parts)]).tolist()

    def __len__(self) -> int:
        size: int = self._starts[-1]
        return size

    def __iter__(self) -> Iterator[Touch]:
        for part in self.parts:
            size = _size(part)
            for start in range(0, size, _AT_ONCE):
                yield from self._make_part(part, start, min(start + _AT_ONCE, size))

    def _make(self, start: int, stop: int) -> list[Touch]:
        made: list[Touch] = []
        at = bisect_right(self._starts, start) - 1
        while start < stop:
            part, first = self.parts[at], self._starts[at]
            end = min(stop, self._starts[at + 1])
            made += self._make_part(part, start - first, end - first)
            start, at = end, at + 1
        return made

    def _make_part(self, part: Part, start: int, stop: int) -> Sequence[Touch]:
        if not isinstance(part, Packed):
            return part[start:stop]
        legend = self.legend
        factor, divisor, symbols = legend.factor, legend.divisor, legend.symbols
        tags, make = part.tags, tuple.__new__
        return [
            (
                step,
                make(
                    OrderRecord,
                    (
                        f"{decided}-{number}",
                        decided,
                        symbols[column],
                        _SIDES[side],
                        "market",
                        KINDS[kind],
                        requested,
                        lots * factor / divisor if lots else None,
                        None,
                        None,
                        "day",
                        None,
                        tags.get(row) if tags else None,
                        _STATUSES[reason][filled > 0],
                        REASONS[reason],
                        filled * factor / divisor,
                        step,
                    ),
                ),
            )
            for row, (
                step,
                decided,
                number,
                column,
                lots,
                filled,
                requested,
                side,
                reason,
                kind,
            ) in enumerate(part.rows[start:stop].tolist(), start)
        ]

    def last(self) -> Orders:
        """Each order's last touch alone, in the order of first touches."""
        present = {
            record.order_id: (step, record)
            for part in self.parts
            if not isinstance(part, Packed)
            for step, record in part
        }
        parts: list[Part] = []
        for part in self.parts:
            if isinstance(part, Packed):
                parts.append(part)
            else:  # the first time an id is met it is taken, with what it came to
                touched = dict.fromkeys(record.order_id for _, record in part)
                parts.append(tuple(present.pop(id_) for id_ in touched if id_ in present))
        return Orders(self.legend, parts)


class OrderRecords(Records[OrderRecord]):
    """The present record of each order, without the grid points they were touched at."""

    __slots__ = ("_orders",)

    def __init__(self, orders: Orders) -> None:
        self._orders = orders.last()

    def __len__(self) -> int:
        return len(self._orders)

    def _make(self, start: int, stop: int) -> list[OrderRecord]:
        return [record for _, record in self._orders[start:stop]]


def present_records(orders: Sequence[Touch]) -> Sequence[OrderRecord]:
    """The last record of each order that a result touched, in the order of first touches."""
    if isinstance(orders, Orders):
        return OrderRecords(orders)
    return tuple({record.order_id: record for _, record in orders}.values())


def joined_fills(parts: Sequence[Sequence[Fill]]) -> Sequence[Fill]:
    """The fills of consecutive results as one sequence."""
    parts = [part for part in parts if len(part)]
    rows = [part for part in parts if isinstance(part, Fills)]
    if not rows or len(rows) < len(parts) or _legends(rows) > 1:
        return tuple(fill for part in parts for fill in part)
    if len(rows) == 1:
        return rows[0]
    return Fills(rows[0].legend, np.concatenate([part.rows for part in rows]), rows[0].first)


def joined_orders(parts: Sequence[Sequence[Touch]]) -> Sequence[Touch]:
    """The touched records of consecutive results as one sequence."""
    parts = [part for part in parts if len(part)]
    orders = [part for part in parts if isinstance(part, Orders)]
    if not orders or len(orders) < len(parts) or _legends(orders) > 1:
        return tuple(touch for part in parts for touch in part)
    return Orders(orders[0].legend, [piece for part in orders for piece in part.parts])


def _legends(parts: Iterable[Any]) -> int:
    return len({id(part.legend) for part in parts})


def _size(part: Part) -> int:
    return len(part.rows) if isinstance(part, Packed) else len(part)


class OrderLog:
    """Orders as steps settle them, in order: packed rows where they are plain, records else."""

    __slots__ = ("_parts", "rows", "tags")

    def __init__(self) -> None:
        self._parts: list[Packed | list[Touch]] = []
        self.rows = bytearray()
        self.tags: dict[int, str] = {}

    def add(self, step: int, record: OrderRecord) -> None:
        """Log a record touched at a grid point."""
        if self.rows or not self._parts:
            self._close_rows()
            self._parts.append([])
        last = self._parts[-1]
        assert isinstance(last, list)
        last.append((step, record))

    def _close_rows(self) -> None:
        if self.rows:
            self._parts.append(Packed(rows_of(self.rows, ORDER_ROW), self.tags))
            self.rows, self.tags = bytearray(), {}

    def finish(self, legend: Legend) -> Orders:
        """All that was logged."""
        self._close_rows()
        return Orders(
            legend, [part if isinstance(part, Packed) else tuple(part) for part in self._parts]
        )


def rows_of(packed: bytearray, kind: np.dtype[np.void]) -> Rows:
    """Packed rows as an array over the same memory, read-only."""
    rows: Rows = np.frombuffer(packed, dtype=kind) if packed else np.empty(0, dtype=kind)
    rows.flags.writeable = False
    return rows
