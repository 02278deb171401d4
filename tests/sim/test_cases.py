"""The shared acceptance cases, run in process: the policy's rules with hand-checked figures."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.codec import decode_decision
from engine.model import CorporateAction, Costs, Rules, stamp_text
from engine.sim import metrics
from engine.sim.panel import Panel
from tests.conftest import SHARED
from tests.sim.builders import panel_of, run_batch, run_steps, stamp_of

CASES = sorted((SHARED / "cases").glob("*.json"))


def case_runner(shared: Path) -> ModuleType:
    """The runner that stands beside the cases, for its comparisons."""
    spec = importlib.util.spec_from_file_location("run_cases", shared / "cases" / "run_cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def case_panel(case: dict[str, Any]) -> Panel:
    """The case's bars; a session is a UTC date, as every case has it."""
    stamps = sorted({stamp_of(bar[1]) for bar in case["bars"]})
    symbols = list(dict.fromkeys(bar[0] for bar in case["bars"]))
    bars: dict[str, list[Any]] = {symbol: [None] * len(stamps) for symbol in symbols}
    for symbol, stamp, *figures in case["bars"]:
        bars[symbol][stamps.index(stamp_of(stamp))] = tuple(figures)
    return panel_of(
        bars,
        stamps=stamps,
        daily=case["config"].get("timeframe") == "1Day",
        actions=[CorporateAction(*action) for action in case["actions"]],
        sessions_per_year=365 if case["config"].get("calendar") == "24/7" else 252,
    )


def case_rules(config: dict[str, Any]) -> Rules:
    """The rules that the options of a case's run amount to."""
    profile = config.get("costs", "us-equity")
    fees = ("sec", "taf") if profile == "us-equity" else profile.split(",")
    return Rules(
        cash=float(config["cash"]),
        lot=float(config["lot"]),
        fill=config.get("fill", "next_open"),
        costs=Costs(
            profile,
            config.get("commission-min", 0.0),
            config.get("commission-per-share", 0.0),
            config.get("commission-pct", 0.0),
            "sec" in fees,
            "taf" in fees,
            config.get("slippage-bps", 1.0 if profile == "us-equity" else 0.0),
        ),
        participation=config.get("participation"),
        allow_short=config.get("allow-short", False),
        max_leverage=config.get("max-leverage", 1.0),
        risk_free=config.get("risk-free", 0.0),
    )


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("run", [run_steps, run_batch])
def test_case(shared: Path, path: Path, run: Any) -> None:
    """A case's ledger holds what the case expects, and follows from its own fills."""
    case, runner = json.loads(path.read_text()), case_runner(shared)
    panel, rules = case_panel(case), case_rules(case["config"])
    steps = {int(stamp): step for step, stamp in enumerate(panel.stamps)}
    decisions = {
        steps[stamp_of(line["at"])]: decode_decision(
            {name: value for name, value in line.items() if name != "at"}
        )
        for line in case["tape"]
    }
    state, result = run(panel, rules, decisions)
    assert state.ended is not None
    stamps = [stamp_text(int(stamp)) for stamp in panel.stamps]
    records = {record.order_id: record for _, record in result.orders}
    ledger: dict[str, list[dict[str, Any]]] = {
        "equity": [
            {"step_index": step, "ts": stamps[step], "equity": equity, "cash": cash}
            for step, (equity, cash) in enumerate(
                zip(result.equity.tolist(), result.cash.tolist(), strict=True)
            )
        ],
        "fills": [fill._asdict() | {"ts": stamps[fill.step_index]} for fill in result.fills],
        "orders": [record._asdict() for record in records.values()],
        "positions": [
            {"symbol": symbol, "quantity": quantity, "avg_cost": average}
            for symbol, quantity, average in zip(
                panel.symbols, state.quantities, state.avg_costs, strict=True
            )
            if quantity
        ],
    }
    figures = metrics.compute(panel, rules, result.equity, result.fills, result.cash_flows)
    ledger["runs"] = [
        figures
        | {
            "status": "completed",
            "end_reason": state.ended,
            "initial_cash": rules.cash,
            "equity": ledger["equity"][-1]["equity"],
            "cash": state.cash,
        }
    ]
    differences = runner.Differences()
    for part in (runner.compare, runner.check_ledger, runner.check_orders):
        part(case, ledger, differences)
    assert not differences
