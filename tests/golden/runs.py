"""The golden runs: what they are, and how their statistics are drawn.

    python -m tests.golden.runs

writes ``declared.json`` anew. Do that only when a rule was meant to change, and read the difference
line by line: each is a promise to whoever compares a run of today with one of last year.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from engine.drivers.strategy import decider_of
from engine.model import Costs, Rules, RunRequest, stamp_text
from engine.runs.panels import panel_of
from engine.runs.requests import prepare
from engine.sim import metrics
from engine.sim.digest import canonical_bytes
from engine.sim.simulation import Simulation
from engine.sim.state import join

DECLARED = Path(__file__).with_name("declared.json")
HOURLY = Path(__file__).parents[3] / "shared" / "data" / "agentictrading_us_hourly.csv.gz"
FIGURES = (
    "total_return", "max_drawdown", "sharpe", "sortino", "cagr", "annual_volatility", "win_rate",
    "profit_factor", "expectancy", "average_hold_bars", "exposure", "turnover", "num_trades",
    "num_fills", "total_commission", "total_fees", "total_slippage", "longest_drawdown_days",
)  # fmt: skip


PLAIN = Rules()
FREE = Costs.of("none")


class Golden(NamedTuple):
    """A run of a built-in strategy, on ``sample`` or ``hourly``; ``name`` says what is special.

    The digest is over every order, fill, cash flow, equity and decision, as IEEE doubles. It is
    the same on every platform where the run takes sums, products and quotients alone, in their
    fixed order (policy M1), of prices that are read exactly from a file. That is so of all but the
    RSI, which compiled C computes, free to fuse a product and a sum where the machine can: those
    runs are not ``exact``, and no digest is declared for them.
    """

    name: str
    strategy: str
    bars: str
    rules: Rules = PLAIN
    params: Mapping[str, Any] = {}
    actions: str | None = None
    exact: bool = True


GOLDEN = (
    Golden("buy_and_hold, sample", "buy_and_hold", "sample"),
    Golden("sma_cross, sample", "sma_cross", "sample"),
    Golden("rsi_reversion, sample", "rsi_reversion", "sample", exact=False),
    Golden("momentum, sample", "momentum", "sample"),
    Golden("momentum of two, weekly", "momentum", "sample", params={"top": 2, "every": 5}),
    Golden("momentum at the close", "momentum", "sample", Rules(fill="close"), {"top": 2}),
    Golden("sma_cross at the close", "sma_cross", "sample", Rules(fill="close", costs=FREE)),
    Golden("sma_cross in fractions", "sma_cross", "sample", Rules(cash=1000.0, lot=1e-9)),
    Golden("sma_cross without splits", "sma_cross", "sample", actions="none"),
    Golden(
        "sma_cross with commission",
        "sma_cross",
        "sample",
        Rules(costs=replace(Costs(), commission_min=1.0, commission_per_share=0.005)),
    ),
    Golden("buy_and_hold, hourly", "buy_and_hold", "hourly"),
    Golden("sma_cross, hourly", "sma_cross", "hourly"),
    Golden("rsi_reversion, hourly", "rsi_reversion", "hourly", exact=False),
    Golden("momentum, hourly", "momentum", "hourly"),
    Golden(
        "momentum with dividends",
        "momentum",
        "hourly",
        params={"every": 35},
        actions="columns:dividend",
    ),
    Golden(
        "momentum of much money",
        "momentum",
        "hourly",
        Rules(cash=1e7, participation=0.0001),
        {"every": 7},
    ),
    Golden(
        "momentum with commission",
        "momentum",
        "hourly",
        Rules(costs=replace(Costs(), commission_pct=0.0005)),
    ),
)


def statistics(golden: Golden) -> dict[str, Any]:
    """The run's figures, how its orders ended, its first and last fill, and its digest."""
    prepared = prepare(
        RunRequest(
            golden.strategy,
            golden.params,
            "sample" if golden.bars == "sample" else f"csv:{HOURLY}",
            actions=golden.actions,
            rules=golden.rules,
        )
    )
    panel = panel_of(prepared.source.load())
    rules = golden.rules
    simulation = Simulation(panel, rules, prepared.request.params)
    decide = decider_of(prepared, panel)
    assert decide is not None
    state, first = simulation.start(simulation.initial())
    advanced = simulation.advance(state, decide, simulation.total_steps)
    assert advanced.fault is None
    result = join([first, advanced.result])
    figures = metrics.compute(panel, rules, result.equity, result.fills, result.cash_flows)
    records = {record.order_id: record for _, record in result.orders}.values()
    ends = Counter(f"{record.status}/{record.reason or 'plain'}" for record in records)
    return {
        "steps": result.rows,
        "final_equity": float(result.equity[-1]),
        "final_cash": float(result.cash[-1]),
        **{name: figures[name] for name in FIGURES},
        "orders": len(records),
        "ends": dict(sorted(ends.items())),
        "cash_flows": len(result.cash_flows),
        "paid_in": sum(flow.amount for flow in result.cash_flows),
        "first_fill": _told(result.fills[0]),
        "last_fill": _told(result.fills[-1]),
        "digest": hashlib.sha256(canonical_bytes(result)).hexdigest() if golden.exact else None,
    }


def _told(fill: Any) -> list[Any]:
    return [stamp_text(fill.ts), fill.symbol, fill.side, fill.quantity, fill.price]


def main() -> None:
    """Declare the runs as they are now."""
    table = {golden.name: statistics(golden) for golden in GOLDEN}
    DECLARED.write_text(json.dumps(table, indent=1) + "\n")
    print(f"{len(table)} runs in {DECLARED.name}")


if __name__ == "__main__":
    main()
