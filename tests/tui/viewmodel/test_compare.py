"""Runs side by side as values: the best of a figure, what differs, where decisions part."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.codec import decision_text
from engine.model import Decision, Order, Target, stamp_text
from engine.sim.metrics import FORMULAS
from engine.store.records import StepRecord
from tests.tui.viewmodel.test_runs import RECORD
from tui.gateway import RunDetail
from tui.viewmodel.compare import BETTER, best, compare

DAY = 86_400_000_000
CONFIG: dict[str, Any] = {
    "params": {"fast": 10},
    "rules": {"cash": 100.0, "costs": {"slippage_bps": 1.0}},
    "name": "x",
    "calendar": "XNYS",
}


def detail(
    run_id: str,
    decisions: dict[int, Decision],
    *,
    days: range = range(10),
    config: dict[str, Any] | None = None,
    **columns: Any,
) -> RunDetail:
    """A run over whole days, deciding ``decisions`` by day."""
    stamps = np.array([day * DAY for day in days], dtype=np.int64)
    rows = tuple(
        StepRecord(
            days.index(day), "", stamp_text(day * DAY), "completed", "strategy", None,
            decision_text(decision), None, None, None, 1,
        )
        for day, decision in decisions.items()
    )  # fmt: skip
    record = replace(RECORD, run_id=run_id, config=config or CONFIG, initial_cash=100.0, **columns)
    equity = np.linspace(100.0, 120.0, len(stamps))
    return RunDetail(record, "none", None, stamps, equity, equity, None, (), (), rows, (), ())


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("total_return", (0.1, 0.3, 0.2), {1}),
        ("max_drawdown", (-0.1, -0.3, None), {0}),
        ("annual_volatility", (0.2, 0.1, 0.3), {1}),
        ("total_costs", (5.0, 1.0, 1.0), {1, 2}),
        ("sharpe", (None, 1.0), set()),
        ("sharpe", (1.0, 1.0), set()),
        ("num_fills", (1.0, 5.0), set()),
        ("profit_factor", (float("inf"), 2.0, 1.0), {1}),
    ],
)
def test_the_best_of_a_figure(
    name: str, values: tuple[float | None, ...], expected: set[int]
) -> None:
    """More or less, as the figure is; none where nothing is better; ties share it."""
    assert best(name, values) == expected


def test_only_known_figures_are_rated() -> None:
    """Every name in the table of what is better is a figure that runs have."""
    assert set(BETTER) <= set(FORMULAS)


def test_figures_stand_in_the_order_of_their_formulas() -> None:
    """Columns and metrics alike, a figure that one run lacks being None there."""
    one = detail("a", {}, metrics={"cagr": 0.2})
    other = detail("b", {}, total_return=0.5)
    figures = compare([one, other]).figures
    names = [figure.name for figure in figures]
    assert names == [name for name in FORMULAS if name in names]
    by_name = {figure.name: figure for figure in figures}
    assert by_name["cagr"].values == (0.2, None)
    assert by_name["total_return"].best == {1}
    assert "turnover" not in by_name


def test_settings_that_differ_go_by_their_own_names() -> None:
    """Parameters, rules and costs flat; what a run is called is no setting."""
    other: dict[str, Any] = {
        "params": {"fast": 20, "slow": 30},
        "rules": {"cash": 100.0, "costs": {"slippage_bps": 0.0}},
        "name": "y",
        "calendar": "XNYS",
    }
    settings = compare([detail("a", {}), detail("b", {}, config=other)]).settings
    assert {setting.name: setting.values for setting in settings} == {
        "p.fast": (10, 20),
        "p.slow": (None, 30),
        "costs.slippage_bps": (1.0, 0.0),
    }
    assert compare([detail("a", {}), detail("b", {})]).settings == ()


def test_curves_are_growth_of_each_run_s_own_cash() -> None:
    """So that runs of other sizes compare."""
    (curve,) = compare([detail("a", {})]).curves
    assert curve.growth[[0, -1]].tolist() == pytest.approx([1.0, 1.2])


BUY = Decision((Order.buy("AAPL", 10),))
SELL = Decision((Order.sell("AAPL", 10),))


def test_the_first_differing_decision_is_found() -> None:
    """At its stamp, by each run's own step; a hold is a decision too."""
    one, other = detail("a", {2: BUY, 5: SELL}), detail("b", {2: BUY, 7: SELL}, days=range(1, 12))
    (against,) = compare([one, other]).against
    assert against.window == (stamp_text(DAY), stamp_text(9 * DAY))
    assert against.first is not None
    assert against.first.ts == stamp_text(5 * DAY)
    assert against.first.steps == (5, 4)
    assert against.first.decisions == (decision_text(SELL), "{}")


def test_what_lies_outside_the_common_window_does_not_count() -> None:
    """A run that began later is not held against decisions it could not make."""
    one = detail("a", {0: BUY, 5: SELL})
    other = detail("b", {5: SELL, 14: BUY}, days=range(3, 15))
    (against,) = compare([one, other]).against
    assert against.first is None
    assert against.window == (stamp_text(3 * DAY), stamp_text(9 * DAY))


def test_runs_of_other_times_have_no_window() -> None:
    """Nothing in common is said, not called the same."""
    one, other = detail("a", {2: BUY}), detail("b", {22: BUY}, days=range(20, 30))
    nothing = detail("c", {}, days=range(0))
    for against in compare([one, other, nothing]).against:
        assert against.window is None
        assert against.first is None


def test_why_it_was_decided_is_not_compared() -> None:
    """A rationale or a confidence makes no other decision; a weight does."""
    one = detail("a", {1: Decision((), (Target("AAPL", 0.5),), rationale="because")})
    same = detail("b", {1: Decision((), (Target("AAPL", 0.5),), confidence=0.9)})
    other = detail("c", {1: Decision((), (Target("AAPL", 0.6),))})
    first, second = compare([one, same, other]).against
    assert first.first is None
    assert second.first is not None
