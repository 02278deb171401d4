"""A run's detail cut to one of its moments: the same shape, and nothing of what came after."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import StepNotActive
from engine.model import OrderRecord
from tui.steps import decided_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.model import Fill
    from tui.gateway import Moment, Past, RunDetail

# Figures of a whole run, and what is said of its end.
_OF_THE_END: dict[str, Any] = {
    "sharpe": None,
    "sortino": None,
    "metrics": {},
    "end_reason": None,
    "error_code": None,
    "error_message": None,
    "finished_at": None,
}


def detail_at(detail: RunDetail, past: Past | None, settled: int) -> RunDetail:
    """``detail`` as it was when ``settled`` grid points were settled; see ``Gateway.detail_at``."""
    now = detail.record.step_index
    if not 0 <= settled <= now:
        raise StepNotActive(
            f"run {detail.record.run_id} has settled {now} grid points, not {settled}",
            field="step",
            remedy=f"look at 0 to {now}",
        )
    moment = past.at(settled) if past is not None else None
    if settled == now:
        return replace(detail, moment=moment)
    decided = decided_at(detail.record, settled)
    fills = detail.fills[: _before(detail.fills, settled)]
    decisions = detail.decisions[: _before(detail.decisions, decided)]
    return replace(
        detail,
        record=replace(
            detail.record,
            **_OF_THE_END,
            **(_figures(moment) if moment is not None else _known_figures(detail, fills, settled)),
            step_index=settled,
            timeout_holds=sum(row.decision_source == "timeout_hold" for row in decisions),
        ),
        next_decision=None,
        stamps=_cut(detail.stamps, settled),
        equity=_cut(detail.equity, settled),
        cash=_cut(detail.cash, settled),
        baseline=None if detail.baseline is None else _cut_baseline(detail.baseline, settled),
        fills=fills,
        orders=_orders(detail.orders, fills, moment, settled, decided),
        decisions=decisions,
        # Holdings need the closes of then: without bars the ledger cannot tell them.
        positions=moment.positions if moment is not None else (),
        cash_flows=detail.cash_flows[: _before(detail.cash_flows, settled)],
        moment=moment,
    )


def _before(rows: Sequence[Any], step: int) -> int:
    """How many of the rows, which rise in their step, are of earlier steps."""
    return bisect_left(rows, step, key=lambda row: row.step_index)


def _cut(values: NDArray[Any], settled: int) -> NDArray[Any]:
    cut = values[:settled].copy()
    cut.flags.writeable = False
    return cut


def _cut_baseline(
    baseline: tuple[NDArray[np.int64], NDArray[np.float64]], settled: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    steps, equity = baseline
    count = int(steps.searchsorted(settled))
    return _cut(steps, count), _cut(equity, count)


def _figures(moment: Moment) -> dict[str, Any]:
    return dict(moment.figures)


def _known_figures(detail: RunDetail, fills: Sequence[Fill], settled: int) -> dict[str, Any]:
    """What the ledger's own rows say of a moment that cannot be replayed."""
    equity = float(detail.equity[settled - 1]) if settled else None
    initial = detail.record.initial_cash
    peak, lowest = initial, 0.0
    for value in detail.equity[:settled].tolist():
        peak = max(peak, value)
        lowest = min(lowest, value / peak - 1.0)
    return {
        "equity": equity,
        "cash": float(detail.cash[settled - 1]) if settled else None,
        "total_return": None if equity is None else equity / initial - 1.0,
        "max_drawdown": lowest,
        "num_fills": len(fills),
        "num_trades": sum(_closes(fill) for fill in fills),
        "total_costs": sum(fill.commission + fill.fees + fill.slippage for fill in fills),
    }


def _closes(fill: Fill) -> bool:
    """Whether the fill took its holding to zero, or through it."""
    signed = fill.position_after if fill.side == "buy" else -fill.position_after
    return fill.position_after == 0.0 or 0.0 < signed < fill.quantity * (1.0 - 1e-12)


def _orders(
    orders: tuple[OrderRecord, ...],
    fills: Sequence[Fill],
    moment: Moment | None,
    settled: int,
    decided: int,
) -> tuple[OrderRecord, ...]:
    """The orders of the decisions made by then, each as it stood then."""
    cut = list(orders[: _before(orders, decided)])
    if moment is not None:
        for record in moment.alive:
            place = _before(cut, record.step_index)
            while cut[place].order_id != record.order_id:
                place += 1
            cut[place] = record
        return tuple(cut)
    filled: dict[str, float] | None = None
    for place, record in enumerate(cut):
        # What a decision cancels is closed at its own step; all else at a grid point.
        until = decided if record.reason == "cancelled_by_user" else settled
        if record.closed_step is None or record.closed_step >= until:
            if filled is None:
                filled = {}
                for fill in fills:
                    filled[fill.order_id] = filled.get(fill.order_id, 0.0) + fill.quantity
            got = filled.get(record.order_id, 0.0)
            pending = record.order_type == "market" and not got
            cut[place] = record._replace(
                status="pending" if pending else "resting",
                reason=None,
                closed_step=None,
                filled_quantity=got,
            )
    return tuple(cut)
