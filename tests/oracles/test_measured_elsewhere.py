"""Figures of engines that want an environment of their own, measured once, held to ever since.

The cross 10/30 on GOOG, 10,000 in cash, free of costs. vectorbt 1.2.0 by
``Portfolio.from_signals`` (next-open fills: signals a bar later and the opens as prices; whole
shares: ``size_granularity=1``), bt 1.4.1 by ``WeighTarget`` and ``Rebalance`` (with and without
``integer_positions``). ``tests/bench/peers.py`` makes those environments.
"""

from __future__ import annotations

from typing import Any

import pytest

import engine

MEASURED: tuple[tuple[str, dict[str, Any], float, float], ...] = (
    ("vectorbt", {}, 79_470.56, -0.29583632037251684),
    ("vectorbt", {"lot": 1e-9}, 80_360.64812145701, -0.29716029259902765),
    ("vectorbt", {"lot": 1e-9, "fill": "close"}, 88_858.11126531482, -0.2806535222074399),
    ("bt", {"fill": "close"}, 88_210.94, -0.27946431878512723),
    ("bt", {"lot": 1e-9, "fill": "close"}, 88_858.11126531483, -0.2806535222074401),
)


@pytest.mark.parametrize(("peer", "rules", "equity", "drawdown"), MEASURED)
def test_equity_and_drawdown_are_those_measured(
    goog: str, peer: str, rules: dict[str, Any], equity: float, drawdown: float
) -> None:
    """To a cent, where fractions are of a billionth of a share and theirs of nothing at all."""
    result = engine.run("sma_cross", goog, cash=10_000.0, costs="none", **rules)
    assert result.equity_values[-1] == pytest.approx(equity, abs=1e-3), peer
    assert result.metrics["max_drawdown"] == pytest.approx(drawdown, abs=1e-9), peer
