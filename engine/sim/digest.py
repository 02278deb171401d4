"""Canonical bytes of what was settled (policy D3): the input of a run's digest chain.

The bytes of a batch are those of its parts, one after the other, wherever the batches end: all
that belongs to a grid point stands together, as order records, fills, cash flows, the row of cash
and equity, then the decision made there. Numbers are little-endian, floats IEEE doubles (NaN where
there is none), texts UTF-8 with their length before them; each piece starts with a letter that
names it. Rationales, run ids and everything of the wall clock stay out.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import numpy as np

from engine.model import CashFlow, Decision, Fill, OrderRecord
from engine.sim.state import StepResult

_NONE: Final = float("nan")
_SEPARATOR: Final = "\x1f"
_HEAD: Final = Struct("<cI")
_ORDER: Final = Struct("<qqddddd")
_FILL: Final = Struct("<qqqddddddddd")
_FLOW: Final = Struct("<qqddd")
_DECISION: Final = Struct("<qd")
_INTENT: Final = Struct("<ddd")
_ROW: Final = np.dtype([("kind", "S1"), ("step", "<i8"), ("cash", "<f8"), ("equity", "<f8")])


def canonical_bytes(result: StepResult) -> bytes:
    """The bytes of everything a result settled, in order of grid points."""
    rows = _rows(result)
    width = _ROW.itemsize
    pieces: list[bytes] = []
    written = 0  # rows already in `pieces`
    events = _events(result)
    for step in sorted(events):
        before, after = events[step]
        upto = min(max(step - result.first, 0), result.rows)
        if upto > written:
            pieces.append(rows[written * width : upto * width])
            written = upto
        pieces += before
        if result.first <= step < result.first + result.rows and upto == written:
            pieces.append(rows[written * width : (written + 1) * width])
            written += 1
        pieces += after
    pieces.append(rows[written * width :])
    return b"".join(pieces)


def _rows(result: StepResult) -> bytes:
    rows = np.empty(result.rows, dtype=_ROW)
    rows["kind"] = b"E"
    rows["step"] = np.arange(result.first, result.first + result.rows)
    rows["cash"] = result.cash
    rows["equity"] = result.equity
    return rows.tobytes()


def _events(result: StepResult) -> dict[int, tuple[list[bytes], list[bytes]]]:
    """By grid point: what comes before its row, and what after."""
    events: dict[int, tuple[list[bytes], list[bytes]]] = {}

    def at(step: int) -> tuple[list[bytes], list[bytes]]:
        found = events.get(step)
        if found is None:
            found = events[step] = ([], [])
        return found

    for step, record in result.orders:
        at(step)[0].append(_order(record))
    for fill in result.fills:
        at(fill.step_index)[0].append(_fill(fill))
    for flow in result.cash_flows:
        at(flow.step_index)[0].append(_flow(flow))
    for step, decision in result.decisions:
        at(step)[1].append(_decision(step, decision))
    return events


def _piece(kind: bytes, texts: str, numbers: bytes) -> bytes:
    encoded = texts.encode("utf-8", "surrogatepass")
    return _HEAD.pack(kind, len(encoded)) + encoded + numbers


def _number(value: float | None) -> float:
    return _NONE if value is None else value


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
    return _piece(
        b"O",
        f"{order_id}\x1f{symbol}\x1f{side}\x1f{order_type}\x1f{quantity_type}\x1f{time_in_force}"
        f"\x1f{_text(oco_group)}\x1f{_text(tag)}\x1f{status}\x1f{reason}",
        _ORDER.pack(
            step_index,
            -1 if closed_step is None else closed_step,
            _NONE if requested is None else requested,
            _NONE if quantity is None else quantity,
            _NONE if limit is None else limit,
            _NONE if stop is None else stop,
            filled,
        ),
    )


def _text(text: str | None) -> str:
    """A text of the strategy's own, told from None and from the separator."""
    return "-" if text is None else f"{len(text)}:{text}"


def _fill(fill: Fill) -> bytes:
    (number, order_id, step, stamp, symbol, side, *figures) = fill
    return _piece(
        b"F", f"{order_id}\x1f{symbol}\x1f{side}", _FILL.pack(number, step, stamp, *figures)
    )


def _flow(flow: CashFlow) -> bytes:
    return _piece(
        b"C",
        f"{_text(flow.symbol)}\x1f{flow.kind}",
        _FLOW.pack(
            flow.step_index, flow.ts, _number(flow.quantity), flow.amount, flow.realized_pnl
        ),
    )


def _decision(step: int, decision: Decision) -> bytes:
    pieces = [
        _piece(
            b"D",
            _SEPARATOR.join(_text(tag) for tag in decision.cancels),
            _DECISION.pack(step, _number(decision.confidence)),
        )
    ]
    for order in decision.orders:
        texts = (
            order.symbol,
            order.side,
            order.quantity_type,
            order.order_type,
            order.time_in_force,
            order.oco_group,
            order.tag,
        )
        pieces.append(
            _piece(
                b"I",
                _SEPARATOR.join(_text(text) for text in texts),
                _INTENT.pack(order.quantity, _number(order.limit_price), _number(order.stop_price)),
            )
        )
    for symbol, weight, shares, tag in decision.targets:
        pieces.append(
            _piece(
                b"T",
                f"{_text(symbol)}\x1f{_text(tag)}",
                _INTENT.pack(_number(weight), _number(shares), _NONE),
            )
        )
    return b"".join(pieces)
