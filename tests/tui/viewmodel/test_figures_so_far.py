"""Figures of a moment: those of a run that ends there, and nothing of what came later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from engine.model import Costs, Decision, Order, Rules, RunRequest, stamp_datetime
from engine.sim.metrics import FORMULAS
from tui.gateway import Gateway
from tui.viewmodel.figures_so_far import FiguresSoFar
from tui.viewmodel.run_panels import RunPanels

RULES = Rules(
    cash=20_000.0, costs=Costs("us-equity", commission_per_share=0.01, sec=True, slippage_bps=1.0)
)
CROSS = RunRequest(
    "sma_cross",
    symbols=("AAPL", "IBM"),
    start=date(2007, 1, 3),
    end=date(2009, 12, 31),
    rules=RULES,
    baselines=False,
)
BY_FILLS = (
    "num_fills", "num_trades", "total_commission", "total_fees", "total_slippage", "total_costs",
    "win_rate", "expectancy", "average_hold_bars", "profit_factor", "exposure", "turnover",
    "total_return", "max_drawdown",
)  # fmt: skip


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A ledger of its own, open for driving."""
    gateway = Gateway.open(tmp_path / "runs.db")
    yield gateway
    gateway.close()


def completed(gateway: Gateway, request: RunRequest) -> str:
    """A run that has ended; its id."""
    run_id = gateway.create(request).run_id
    assert gateway.wait(run_id, 60).status == "completed"
    return run_id


def test_figures_of_a_moment_are_those_of_a_run_that_ends_there(gateway: Gateway) -> None:
    """Forth, back and forth again: what the engine says of a run over the bars up to then."""
    run_id = completed(gateway, CROSS)
    detail, past = gateway.detail(run_id), gateway.past(run_id)
    figures = FiguresSoFar()
    figures.panel = gateway.bars(run_id)
    for settled in (300, 301, 640, 120, 2, 700):
        last = stamp_datetime(int(detail.stamps[settled - 1])).date()
        ended = gateway.record(completed(gateway, replace(CROSS, end=last)))
        assert ended.step_index == settled
        assert figures.of(gateway.detail_at(detail, past, settled)) == ended.metrics
    assert figures.of(detail) is detail.record.metrics


def test_without_bars_what_the_fills_say_is_said(gateway: Gateway) -> None:
    """Costs by kind and trades need no bars; figures of days are unknown, and none is wrong."""
    run_id = completed(gateway, CROSS)
    detail = gateway.detail(run_id)
    known = FiguresSoFar().of(gateway.detail_at(detail, None, 640))
    figures = FiguresSoFar()
    figures.panel = gateway.bars(run_id)
    whole = figures.of(gateway.detail_at(detail, None, 640))
    assert known.keys() == whole.keys() == FORMULAS.keys()
    assert {name for name in known if known[name] is not None} == set(BY_FILLS)
    assert {name: known[name] for name in BY_FILLS} == {name: whole[name] for name in BY_FILLS}


def test_a_run_by_hand_has_figures_at_each_step(gateway: Gateway) -> None:
    """Live, stepped and rewound: costs by kind, volatility and best day of what was traded."""
    request = replace(CROSS, strategy="manual", symbols=("AAPL",))
    run_id = gateway.create(request).run_id
    assert gateway.settle(60)
    panels = RunPanels("$")
    panels.know(gateway.bars(run_id))

    def shown() -> dict[str, str]:
        groups = panels.make(gateway.detail(run_id)).figures
        return {
            fact.label: fact.value
            for group in groups
            if group.title in ("Result", "Risk", "Trades", "Costs")
            for fact in group.facts
        }

    assert shown()["slippage"] == "$0.00"
    gateway.submit(run_id, 0, Decision((Order.buy("AAPL", 100),)))
    gateway.step(run_id, 20)
    held = shown()
    fill = gateway.detail(run_id).fills[0]
    assert held["commission"] == f"${fill.commission:,.2f}" == "$1.00"
    assert held["slippage"] == f"${fill.slippage:,.2f}" != "$0.00"
    assert held["exposure"] == "95.5%"
    assert "–" not in (held["volatility"], held["Sharpe, daily"], held["best day"])
    gateway.submit(run_id, 21, Decision((Order.sell("AAPL", 100),)))
    sold = shown()
    assert (sold["round trips"], sold["average hold"]) == ("1", "21.0 bars")
    assert sold["commission"] == "$2.00"
    gateway.rewind(run_id, 21)
    assert shown() == held
