"""Canonical bytes of what was settled (policy D3): the input of a run's digest chain.

The bytes of a batch are those of its parts, one after the other, wherever the batches end: all
that belongs to a grid point stands together, as order records, fills, cash flows, the row of cash
and equity, then the decision made there. Numbers are little-endian, floats IEEE doubles (NaN where
there is none); each piece is a letter that names it, the length of its texts, its numbers, and then
the texts, UTF-8. Rationales, run ids and everything of the wall clock stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.model import CashFlow, Decision, Fill, OrderRecord, Target
from engine.sim.records import (
    Ending,
    Endings,
    Fills,
    Legend,
    Orders,
    Packed,
    Rows,
    distinct,
    shares,
)
from engine.sim.state import StepResult

_NONE: Final = float("nan")
_AFTER_ROW: Final = 4  # the place of a decision; its grid point's row has the one before
_SEPARATOR: Final = "\x1f"
# Each piece: its letter, the length of its texts, its numbers; the texts follow.
_ORDER: Final = Struct("<cIqqddddd")
_FILL: Final = Struct("<cIqqqddddddddd")
_FLOW: Final = Struct("<cIqqddd")
_DECISION: Final = Struct("<cIqd")
_INTENT: Final = Struct("<cIddd")
_ROW: Final = np.dtype([("kind", "S1"), ("step", "<i8"), ("cash", "<f8"), ("equity", "<f8")])
# The numbers of an order's and of a fill's piece, many at once.
_ORDERS: Final = np.dtype(
    [("kind", "S1"), ("texts", "<u4")]
    + [(name, "<i8") for name in ("step", "closed")]
    + [(name, "<f8") for name in ("requested", "quantity", "limit", "stop", "filled")]
)
_FILLS: Final = np.dtype(
    [("kind", "S1"), ("texts", "<u4")]
    + [(name, "<i8") for name in ("number", "step", "stamp")]
    + [
        (name, "<f8")
        for name in (
            "quantity", "price", "reference", "commission", "fees", "slippage", "realized",
            "after", "avg_cost",
        )
    ]
)  # fmt: skip
# Fewer packed rows are taken as records; more are taken so many at a time.
_FEWEST: Final = 16
_AT_ONCE: Final = 1 << 14

Piece = tuple[int, bytes]  # its place in the stream, and its bytes


def canonical_bytes(result: StepResult) -> bytes:
    """The bytes of everything a result settled, in order of grid points."""
    # Places in the stream: five to a grid point, rising; what has one place keeps its order.
    placed = [*_all_orders(result.orders), *_all_fills(result.fills)]
    placed += [(5 * flow.step_index + 2, _flow(flow)) for flow in result.cash_flows]
    targets: dict[Target, bytes] = {}
    placed += [
        (5 * step + _AFTER_ROW, _decision(step, made, targets)) for step, made in result.decisions
    ]
    rows, size = _rows(result), _ROW.itemsize
    if not placed:
        return rows
    at, pieces = zip(*placed, strict=True)
    places = np.array(at)
    order = np.argsort(places, kind="stable")
    # All rows of earlier places go before a piece: of steps below, and its own if it comes after.
    due = (places[order] + 5 - _AFTER_ROW) // 5 - result.first
    ends = np.clip(due, 0, result.rows) * size
    cells: list[bytes] = [b""] * (2 * len(pieces))
    cells[1::2] = map(pieces.__getitem__, order.tolist())
    begin = 0
    for number, end in zip(*_first_of_each(ends), strict=True):
        cells[2 * number] = rows[begin:end]
        begin = end
    return b"".join(cells) + rows[begin:]


def _first_of_each(rising: NDArray[np.integer[Any]]) -> tuple[list[int], list[int]]:
    firsts = np.flatnonzero(rising > np.concatenate(([0], rising[:-1])))
    return firsts.tolist(), rising[firsts].tolist()


def _all_orders(orders: Sequence[tuple[int, OrderRecord]]) -> Iterator[Piece]:
    if not isinstance(orders, Orders):
        yield from _order_records(orders)
        return
    for part in orders.parts:
        if isinstance(part, Packed) and len(part.rows) >= _FEWEST and not part.tags:
            for start in range(0, len(part.rows), _AT_ONCE):
                yield from _order_rows(part.rows[start : start + _AT_ONCE], orders.legend)
        else:
            yield from _order_records(Orders(orders.legend, [part]))


def _order_records(orders: Sequence[tuple[int, OrderRecord]]) -> Iterator[Piece]:
    for step, record in orders:
        yield 5 * step, _order(record)


def _all_fills(fills: Sequence[Fill]) -> Iterator[Piece]:
    if isinstance(fills, Fills) and len(fills) >= _FEWEST:
        for start in range(0, len(fills), _AT_ONCE):
            yield from _fill_rows(fills, start, min(start + _AT_ONCE, len(fills)))
    else:
        for fill in fills:
            yield 5 * fill.step_index + 1, _fill(fill)


def _order_rows(rows: Rows, legend: Legend) -> list[Piece]:
    """The pieces of packed orders without tags, those of a grid point together."""
    endings = Endings.of(rows)
    numbers = np.empty(len(rows), _ORDERS)
    numbers["kind"] = b"O"
    numbers["step"], numbers["closed"] = rows["decided"], rows["step"]
    numbers["requested"] = rows["requested"]
    lots = rows["lots"]
    numbers["quantity"] = np.where(lots != 0.0, shares(lots, legend), _NONE)
    numbers["limit"] = numbers["stop"] = _NONE
    numbers["filled"] = shares(rows["filled"], legend)

    def rest(code: int) -> bytes:
        column, ending = divmod(code, len(endings.endings))
        return _of_market_order(legend.symbols[column], endings.endings[ending])

    codes = rows["column"] * len(endings.endings) + endings.place
    return _pieces(numbers, rows, codes, len(legend.symbols) * len(endings.endings), rest, 0)


@lru_cache(maxsize=4096)
def _of_market_order(symbol: str, ending: Ending) -> bytes:
    side, kind, status, reason = ending
    return _bytes(
        f"\x1f{symbol}\x1f{side}\x1fmarket\x1f{kind}\x1fday\x1f-\x1f-\x1f{status}\x1f{reason}"
    )


def _fill_rows(fills: Fills, start: int, stop: int) -> list[Piece]:
    """The pieces of packed fills, those of a grid point together."""
    rows, legend = fills.rows[start:stop], fills.legend
    numbers = np.empty(len(rows), _FILLS)
    numbers["kind"] = b"F"
    numbers["number"] = np.arange(fills.first + start, fills.first + stop)
    numbers["step"], numbers["stamp"] = rows["step"], legend.stamps[rows["step"]]
    numbers["quantity"] = fills.quantities(start, stop)
    numbers["slippage"] = fills.slippages(start, stop)
    numbers["after"] = shares(rows["after"], legend)
    for name in ("price", "reference", "commission", "fees", "realized", "avg_cost"):
        numbers[name] = rows[name]

    def rest(code: int) -> bytes:
        column, sold = divmod(code, 2)
        return _bytes(f"\x1f{legend.symbols[column]}\x1f{'sell' if sold else 'buy'}")

    codes = rows["column"] * 2 + (rows["lots"] < 0)
    return _pieces(numbers, rows, codes, 2 * len(legend.symbols), rest, 1)


def _pieces(
    numbers: NDArray[np.void],
    rows: Rows,
    codes: NDArray[np.integer[Any]],
    limit: int,
    rest: Callable[[int], bytes],
    place: int,
) -> list[Piece]:
    """Pieces of ``numbers`` (all but their ``texts``), each followed by its order's id and by what
    ``rest`` says of its code, which is below ``limit``."""
    decided, number = rows["decided"], rows["number"]
    found, which = distinct(codes, limit)
    rests = [rest(code) for code in found.tolist()]
    lengths = np.array([len(text) for text in rests])[which]
    steps = {step: b"%d" % step for step in set(decided.tolist())}
    intents = [b"-%d" % intent for intent in range(int(number.max()) + 1)]
    numbers["texts"] = lengths + _digits(decided) + _digits(number) + 1
    cells: list[bytes] = [b""] * (4 * len(rows))
    cells[::4] = numbers.view(f"V{numbers.dtype.itemsize}").tolist()
    cells[1::4] = map(steps.__getitem__, decided.tolist())
    cells[2::4] = map(intents.__getitem__, number.tolist())
    cells[3::4] = map(rests.__getitem__, which.tolist())
    settled = rows["step"]
    groups = np.concatenate(([0], np.flatnonzero(settled[1:] != settled[:-1]) + 1))
    places = (5 * settled[groups].astype(np.int64) + place).tolist()
    begins = (4 * groups).tolist()
    return [
        (at, b"".join(cells[begin:end]))
        for at, begin, end in zip(places, begins, [*begins[1:], len(cells)], strict=True)
    ]


def _digits(whole: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """How many digits each number, from zero on, is written with."""
    digits = np.ones(len(whole), np.uint32)
    most, power = int(whole.max()), 10
    while power <= most:
        digits += whole >= power
        power *= 10
    return digits


def _rows(result: StepResult) -> bytes:
    rows = np.empty(result.rows, dtype=_ROW)
    rows["kind"] = b"E"
    rows["step"] = np.arange(result.first, result.first + result.rows)
    rows["cash"] = result.cash
    rows["equity"] = result.equity
    return rows.tobytes()


def _bytes(texts: str) -> bytes:
    return texts.encode("utf-8", "surrogatepass")


def _number(value: float | None) -> float:
    # One NaN for all: what arithmetic makes has a sign that differs by processor, and no log
    # keeps it.
    return _NONE if value is None or value != value else value


def _order(record: OrderRecord) -> bytes:
    (
        order_id,
        step_index,
        symbol,
        side,
        order_type,
        quantity_type,
        requested,
        quantity,
        limit,
        stop,
        time_in_force,
        oco_group,
        tag,
        status,
        reason,
        filled,
        closed_step,
    ) = record
    texts = _bytes(
        f"{order_id}\x1f{symbol}\x1f{side}\x1f{order_type}\x1f{quantity_type}\x1f{time_in_force}"
        f"\x1f{_text(oco_group)}\x1f{_text(tag)}\x1f{status}\x1f{reason}"
    )
    numbers = _ORDER.pack(
        b"O",
        len(texts),
        step_index,
        -1 if closed_step is None else closed_step,
        _NONE if requested is None else requested,
        _NONE if quantity is None else quantity,
        _NONE if limit is None else limit,
        _NONE if stop is None else stop,
        filled,
    )
    return numbers + texts


def _text(text: str | None) -> str:
    """A text of the strategy's own, told from None and from the separator."""
    return "-" if text is None else f"{len(text)}:{text}"


def _fill(fill: Fill) -> bytes:
    number, order_id, step, stamp, symbol, side, *figures = fill
    texts = _bytes(f"{order_id}\x1f{symbol}\x1f{side}")
    return _FILL.pack(b"F", len(texts), number, step, stamp, *figures) + texts


def _flow(flow: CashFlow) -> bytes:
    texts = _bytes(f"{_text(flow.symbol)}\x1f{flow.kind}")
    return (
        _FLOW.pack(
            b"C",
            len(texts),
            flow.step_index,
            flow.ts,
            _number(flow.quantity),
            flow.amount,
            flow.realized_pnl,
        )
        + texts
    )


def _decision(step: int, decision: Decision, seen: dict[Target, bytes]) -> bytes:
    """A decision's piece; ``seen`` are targets that other decisions have had."""
    cancels = decision.cancels
    texts = _bytes(_SEPARATOR.join([_text(tag) for tag in cancels])) if cancels else b""
    pieces = [_DECISION.pack(b"D", len(texts), step, _number(decision.confidence)), texts]
    for order in decision.orders:
        texts = _bytes(
            _SEPARATOR.join(
                _text(text)
                for text in (
                    order.symbol,
                    order.side,
                    order.quantity_type,
                    order.order_type,
                    order.time_in_force,
                    order.oco_group,
                    order.tag,
                )
            )
        )
        prices = _number(order.limit_price), _number(order.stop_price)
        pieces += (_INTENT.pack(b"I", len(texts), _number(order.quantity), *prices), texts)
    for target in decision.targets:
        piece = seen.get(target)
        if piece is None:
            piece = _target(target)
            if target.weight and target.shares is None:  # zeros are equal whatever their sign
                seen[target] = piece
        pieces.append(piece)
    return b"".join(pieces)


def _target(target: Target) -> bytes:
    symbol, weight, quantity, tag = target
    texts = _bytes(f"{_text(symbol)}\x1f{_text(tag)}")
    return _INTENT.pack(b"T", len(texts), _number(weight), _number(quantity), _NONE) + texts
