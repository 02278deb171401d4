"""Looking back through the gateway: a detail cut to a moment is the detail of that moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import StepdeckError, StepNotActive
from engine.model import Costs, Decision, FillRule, Order, Rules, RunRequest
from tui.gateway import Gateway, RunDetail

RULES = Rules(cash=20_000.0, costs=Costs(commission_per_share=0.01), participation=0.0001)
MANUAL = RunRequest("manual", symbols=("AAPL", "IBM"), rules=RULES, baselines=False)
FIGURES = (
    "step_index", "equity", "cash", "total_return", "max_drawdown", "num_fills", "num_trades",
    "total_costs", "timeout_holds",
)  # fmt: skip


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A ledger of its own, open for driving."""
    gateway = Gateway.open(tmp_path / "runs.db")
    yield gateway
    gateway.close()


def script() -> list[Decision]:
    """Decisions that leave orders of every fate behind."""
    far = Order.buy("AAPL", 5, limit=1.0, time_in_force="gtc", tag="far")
    up = Order.sell("AAPL", 5, limit=900.0, time_in_force="gtc", oco_group="b")
    down = Order.sell("AAPL", 5, stop=1.0, time_in_force="gtc", oco_group="b")
    return [
        Decision((far, Order.buy("AAPL", 10))),
        Decision((up, down, Order.buy("IBM", 900_000, limit=5_000.0, time_in_force="gtc"))),
        Decision(),
        Decision((Order.buy("NOPE", 1),)),
        Decision(cancels=("far",)),
        Decision((Order.sell("IBM", 3), far)),
        Decision((Order.sell("AAPL", 10),)),
        Decision(),
    ]


def same(cut: RunDetail, then: RunDetail) -> None:
    """All but what says that it is a look back."""
    for name in ("stamps", "equity", "cash"):
        assert np.array_equal(getattr(cut, name), getattr(then, name)), name
    for name in ("fills", "orders", "decisions", "positions", "cash_flows"):
        assert getattr(cut, name) == getattr(then, name), name
    for name in FIGURES:
        assert getattr(cut.record, name) == getattr(then.record, name), name


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_a_cut_detail_is_the_detail_of_then(gateway: Gateway, fill: FillRule) -> None:
    """What the ledger held after each step is what looking back to it shows, row for row."""
    rules = replace(RULES, fill=fill)
    run_id = gateway.create(replace(MANUAL, rules=rules)).run_id
    assert gateway.settle(60)
    then = [gateway.detail(run_id)]
    for step, decision in enumerate(script()):
        gateway.submit(run_id, step, decision)
        then.append(gateway.detail(run_id))
    gateway.cancel(run_id)
    detail, past = gateway.detail(run_id), gateway.past(run_id)
    for earlier in then[:-1]:
        cut = gateway.detail_at(detail, past, earlier.record.step_index)
        same(cut, earlier)
        assert (cut.next_decision, cut.record.metrics, cut.record.end_reason) == (None, {}, None)
    now = gateway.detail_at(detail, past, detail.record.step_index)
    same(now, detail)
    assert now.moment is not None


def test_without_bars_the_ledger_s_rows_are_shown(gateway: Gateway, tmp_path: Path) -> None:
    """Where the source is gone that is said, and all but positions and moment is as it was."""
    header = "symbol,timestamp,open,high,low,close,volume"
    rows = [f"AAPL,2024-01-{day:02d}T00:00:00Z,10,11,9,{9 + day % 3},1e6" for day in range(1, 29)]
    file = tmp_path / "bars.csv"
    file.write_text("\n".join([header, *rows]))
    request = replace(MANUAL, source=f"csv:{file}", symbols=None)
    run_id = gateway.create(request).run_id
    assert gateway.settle(60)
    then = [gateway.detail(run_id)]
    for step, decision in enumerate(script()):
        gateway.submit(run_id, step, decision)
        then.append(gateway.detail(run_id))
    gateway.cancel(run_id)
    file.unlink()
    watching = Gateway.open(tmp_path / "runs.db", write=False)
    try:
        with pytest.raises(StepdeckError, match=r"bars\.csv"):
            watching.past(run_id)
        detail = watching.detail(run_id)
        for earlier in then[:-1]:
            cut = watching.detail_at(detail, None, earlier.record.step_index)
            same(cut, replace(earlier, positions=()))
            assert cut.moment is None
    finally:
        watching.close()


def test_nothing_of_the_future_is_in_a_cut_detail(gateway: Gateway) -> None:
    """Every row of every field is of the moment or before it; arrays are no windows."""
    request = RunRequest(
        "sma_cross", symbols=("AAPL", "IBM"), start=date(2005, 1, 1), end=date(2009, 12, 31)
    )
    run_id = gateway.create(request).run_id
    gateway.wait(run_id)
    assert gateway.settle(60)
    detail, past = gateway.detail(run_id), gateway.past(run_id)
    assert detail.baseline is not None
    for settled in (1, 100, 640, detail.record.step_index - 1):
        cut = gateway.detail_at(detail, past, settled)
        for field in fields(cut):
            _ends_before(getattr(cut, field.name), settled, field.name)
        assert cut.record.metrics == {}
        assert (cut.record.finished_at, cut.record.sharpe) == (None, None)


def _ends_before(value: Any, settled: int, name: str) -> None:
    if isinstance(value, np.ndarray):
        assert len(value) <= settled, name
        assert value.base is None, name
    elif isinstance(value, tuple) and value and not hasattr(value, "_fields"):
        for item in value:
            _ends_before(item, settled, name)
    else:
        assert getattr(value, "step_index", 0) < settled or name == "record", name
        assert (getattr(value, "closed_step", 0) or 0) < settled, name


def test_a_past_is_kept_up_to_date(gateway: Gateway) -> None:
    """Asked again it is the same one, further on; a moment the run has not come to is refused."""
    run_id = gateway.create(MANUAL).run_id
    assert gateway.settle(60)
    past = gateway.past(run_id)
    gateway.step(run_id, 5)
    assert gateway.past(run_id) is past
    assert past.settled == 6
    with pytest.raises(StepNotActive, match="look at 0 to 6"):
        gateway.detail_at(gateway.detail(run_id), past, 7)
