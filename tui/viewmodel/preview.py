"""What is shown of one run beside the list: its curves, holdings, last decision and end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.codec import loads
from engine.model import OrderRecord, Position
from tui import format as fmt
from tui.widgets.curve import Curves, Series
from tui.widgets.facts import Fact, Facts

if TYPE_CHECKING:
    from tui.gateway import Glance, RunDetail

MOST_POSITIONS: Final = 4


def curves(detail: RunDetail, zone: tzinfo = UTC) -> Curves | None:
    """Equity against the step, with the baseline as far as the run has come; None before it began.

    The baseline is cut where the run stands: nothing after the present is shown. The axis ends a
    little past the present too: a run of which little is done would be a dot on an axis to its end.
    """
    settled = len(detail.equity)
    if not settled:
        return None
    series = [Series("equity", np.arange(settled, dtype=np.int64), detail.equity, "line")]
    if detail.baseline is not None:
        steps, equity = detail.baseline
        series.append(Series("buy and hold", steps[:settled], equity[:settled], "baseline"))
    return Curves(
        tuple(series),
        detail.stamps,
        total_steps=detail.record.total_steps,
        initial=detail.record.initial_cash,
        zone=zone,
        axis_steps=axis_steps(settled, detail.record.total_steps),
    )


LEAST_AXIS: Final = 24


def axis_steps(settled: int, total: int | None) -> int:
    """How many steps the time axis stands for: what is done, with a little room to grow into.

    The room comes in chunks, so that the curve does not shrink at every step.
    """
    room = max(LEAST_AXIS, settled // 4)
    ahead = -(-(settled + 1) // room) * room
    return max(settled, min(ahead, total) if total else ahead)


def sampled(glance: Glance) -> Curves | None:
    """The same of the few points that a preview has."""
    if not len(glance.equity):
        return None
    series = [Series("equity", glance.steps, glance.equity, "line")]
    settled = int(glance.steps[-1]) + 1
    if glance.baseline is not None:
        steps, equity = glance.baseline
        known = int(np.searchsorted(steps, settled))
        series.append(Series("buy and hold", steps[:known], equity[:known], "baseline"))
    # Each step between two points goes by the stamp before it: exact to less than a column.
    stamps = glance.stamps[np.searchsorted(glance.steps, np.arange(settled), side="right") - 1]
    return Curves(
        tuple(series),
        stamps,
        total_steps=glance.record.total_steps,
        initial=glance.record.initial_cash,
        axis_steps=axis_steps(settled, glance.record.total_steps),
    )


def facts(glance: Glance, currency: str) -> tuple[Facts, ...]:
    """The run in a few lines: positions, last decision, id and where it comes from."""
    record, last = glance.record, glance.last
    groups = [Facts("Positions", tuple(position_facts(glance.positions, currency)))]
    if last is not None:
        by = last.decision_source.replace("_", " ")
        groups.append(
            Facts(f"Decision {last.step_index}, {by}", (Fact(decision_text(last.decision), ""),))
        )
    about = [Fact(record.run_id, "")]
    if record.parent_run_id is not None:
        about.append(Fact(f"fork of {record.parent_run_id} from {record.forked_at_step}", ""))
    groups.append(Facts("Run", tuple(about)))
    return tuple(groups)


def position_facts(positions: tuple[Position, ...], currency: str) -> list[Fact]:
    """The largest holdings with what each has gained, a line each."""
    if not positions:
        return [Fact("all in cash", "")]
    largest = sorted(positions, key=lambda held: -abs(held.market_value))[:MOST_POSITIONS]
    lines = [
        Fact(
            f"{held.symbol}  {fmt.quantity(held.quantity)}",
            fmt.signed_money(held.unrealized_pnl, currency),
            fmt.gain_role(held.unrealized_pnl),
        )
        for held in largest
    ]
    if len(positions) > MOST_POSITIONS:
        lines.append(Fact(f"and {len(positions) - MOST_POSITIONS} more", ""))
    return lines


# A strategy says the same again and again: what a text means is worked out once.
@lru_cache(maxsize=4096)
def decision_text(decision: str) -> str:
    """A decision's JSON in words: ``buy 100 AAPL; AAPL → 25%``, or ``hold``."""
    try:
        said = loads(decision)
    except ValueError:
        return decision
    if not isinstance(said, Mapping):
        return "hold"
    parts = [_order_text(order) for order in said.get("orders", ()) if isinstance(order, Mapping)]
    parts += _target_texts(said.get("targets", ()))
    cancelled = said.get("cancel", ())
    if cancelled:
        parts.append(f"cancel {', '.join(map(str, cancelled))}")
    return "; ".join(parts) or "hold"


def _order_text(order: Mapping[str, Any]) -> str:
    kind = order.get("quantity_type", "shares")
    asked = order.get("quantity")
    size = amount_text(asked if isinstance(asked, (int, float)) else None, str(kind))
    return f"{order.get('side', '–')} {size} {order.get('symbol', '–')}"


def _target_texts(targets: object) -> list[str]:
    if isinstance(targets, Mapping):
        return [f"{symbol} → {_weight(weight)}" for symbol, weight in targets.items()]
    if not isinstance(targets, (list, tuple)):
        return []
    return [
        f"{one.get('symbol', '–')} → "
        + (
            _weight(one.get("weight"))
            if one.get("weight") is not None
            else f"{fmt.quantity(one.get('shares'))} shares"
        )
        for one in targets
        if isinstance(one, Mapping)
    ]


def _weight(weight: object) -> str:
    return fmt.share(weight if isinstance(weight, (int, float)) else None)


def amount_text(amount: float | None, kind: str) -> str:
    """A size as asked for: ``100``, ``$5,000.00``, ``25 %``; ``→`` before a target."""
    if amount is None:
        return fmt.DASH
    if kind == "notional":
        return fmt.money(amount, "$")
    if kind == "weight":
        return fmt.share(amount, 1)
    if kind == "target_weight":
        return f"→ {fmt.share(amount, 1)}"
    if kind == "target_shares":
        return f"→ {fmt.quantity(amount)}"
    return fmt.quantity(amount)


def order_reason(order: OrderRecord) -> str:
    """The reason code in words; empty for a plain fill."""
    return (order.reason or "").replace("_", " ")
