"""Canonical bytes of what was settled (policy D3): the input of a run's digest chain.

The bytes of a batch are those of its parts, one after the other, wherever the batches end: all
that belongs to a grid point stands together, as order records, fills, cash flows, the row of cash
and equity, then the decision made there. Numbers are little-endian, floats IEEE doubles (NaN where
there is none); each piece is a letter that names it, the length of its texts, its numbers, and then
the texts, UTF-8. Rationales, run ids and everything of the wall clock stay out.
"""

from __future__ import annotations

from operator import itemgetter
from struct import Struct
from typing import Final

import numpy as np

from engine.model import CashFlow, Decision, Fill, OrderRecord
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


def canonical_bytes(result: StepResult) -> bytes:
    """The bytes of everything a result settled, in order of grid points."""
    # Places in the stream: five to a grid point, rising; what has one place keeps its order.
    placed = [(5 * step, _order(record)) for step, record in result.orders]
    placed += [(5 * fill.step_index + 1, _fill(fill)) for fill in result.fills]
    placed += [(5 * flow.step_index + 2, _flow(flow)) for flow in result.cash_flows]
    placed += [(5 * step + _AFTER_ROW, _decision(step, made)) for step, made in result.decisions]
    placed.sort(key=itemgetter(0))
    rows, first, count = _rows(result), result.first, result.rows
    pieces: list[bytes] = []
    written = 0
    for place, piece in placed:
        # All rows of earlier places go before it: of steps below, and its own if it comes after.
        due = min((place + 5 - _AFTER_ROW) // 5 - first, count)
        if due > written:
            pieces.append(rows[written * _ROW.itemsize : due * _ROW.itemsize])
            written = due
        pieces.append(piece)
    pieces.append(rows[written * _ROW.itemsize :])
    return b"".join(pieces)


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


def _decision(step: int, decision: Decision) -> bytes:
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
    for symbol, weight, shares, tag in decision.targets:
        texts = _bytes(f"{_text(symbol)}\x1f{_text(tag)}")
        pieces += (
            _INTENT.pack(b"T", len(texts), _number(weight), _number(shares), _NONE),
            texts,
        )
    return b"".join(pieces)
