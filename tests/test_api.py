"""The engine as a library: strategies at hand, DataFrames in and out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine import Decision, Order, Strategy, Target, open_ledger, run
from engine.errors import InvalidOption, LedgerMissing, StrategyError
from engine.store.reader import Reader


class EveryFifth(Strategy):
    """Buy a few shares every fifth bar."""

    shares: int = 3

    def decide(self, obs: Any) -> Order | None:
        return Order.buy(obs.symbols[0], self.shares) if obs.step % 5 == 0 else None


def _frame(closes: list[float]) -> pd.DataFrame:
    days = pd.date_range("2024-01-02", periods=len(closes), freq="D", tz="UTC")
    return pd.DataFrame(
        {
            "symbol": "X",
            "timestamp": days,
            "open": closes,
            "high": [close + 1 for close in closes],
            "low": [close - 1 for close in closes],
            "close": closes,
            "volume": 1000.0,
        }
    )


def test_a_class_runs_over_a_frame() -> None:
    """Two decisions fill at the next opens; equity, orders and fills come as DataFrames."""
    result = run(
        EveryFifth,
        _frame([10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0]),
        cash=1000.0,
        costs="none",
        calendar="none",
    )
    assert list(result.fills["price"]) == [11.0, 16.0]
    assert list(result.fills["quantity"]) == [3.0, 3.0]
    assert result.equity["equity"].iloc[-1] == 1000 + 3 * 5 + 0
    assert str(pd.DatetimeIndex(result.equity.index).tz) == "UTC"
    assert list(result.orders["status"]) == ["filled", "filled"]
    assert result.metrics["num_fills"] == 2
    assert result.run_id is None


@pytest.mark.parametrize("by_symbol", [False, True])
def test_a_run_over_a_frame_has_its_baselines(by_symbol: bool, tmp_path: Path) -> None:
    """Over the same bars at hand, the index over a symbol of theirs that the run does not trade."""
    prices = [10.0, 11.0, 12.0, 13.0, 14.0]
    frames = {"X": _frame(prices), "SPY": _frame([100.0, 110.0, 120.0, 130.0, 150.0])}
    for symbol, frame in frames.items():
        frame["symbol"] = symbol
    bars = frames if by_symbol else pd.concat(frames.values())
    ledger = tmp_path / "runs.db"
    result = run(EveryFifth, bars, symbols=["X"], ledger=ledger, calendar="none")
    assert result.run_id is not None
    with Reader.open(ledger) as reader:
        made = reader.run(result.run_id)
        held, index = reader.baselines(result.run_id)
        assert (held.strategy, held.status, held.bars_hash) == (
            "buy_and_hold", "completed", made.bars_hash,
        )  # fmt: skip
        assert (index.status, index.symbols) == ("completed", ("SPY",))
        assert index.total_return == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(("calendar", "periods"), [("24/7", 365), ("none", 252)])
def test_a_result_says_what_its_figures_are_annualised_with(
    calendar: str, periods: int, tmp_path: Path
) -> None:
    """Sessions a year are the bars' own, in memory and as the ledger tells them."""
    frame, ledger = _frame([10.0, 11.0, 12.0]), tmp_path / "runs.db"
    for place in (None, ledger):
        result = run(EveryFifth, frame, calendar=calendar, ledger=place)
        assert result.sessions_per_year == periods
    with open_ledger(ledger) as view:
        assert view.result("@1").sessions_per_year == periods


def test_a_run_in_memory_equals_the_same_run_in_a_ledger(tmp_path: Path) -> None:
    """With and without a ledger the curve, the fills and the figures are the same bits."""
    options: dict[str, Any] = {"symbols": ["AAPL", "IBM"], "params": {"fast": 5, "slow": 20}}
    memory = run("sma_cross", "sample", **options)
    stored = run("sma_cross", "sample", ledger=tmp_path / "own.db", **options)
    assert stored.run_id is not None
    pd.testing.assert_frame_equal(memory.equity, stored.equity)
    pd.testing.assert_frame_equal(memory.fills, stored.fills)
    pd.testing.assert_frame_equal(memory.orders, stored.orders)
    assert memory.metrics == stored.metrics


def test_a_ledger_opens_as_frames_and_follows_to_the_end(tmp_path: Path) -> None:
    """Runs are rows, a run is a result, and following a finished run yields it once."""
    path = tmp_path / "own.db"
    run("buy_and_hold", "sample", symbols=["IBM"], ledger=path)
    with open_ledger(path) as ledger:
        assert list(ledger.runs["strategy"]) == ["buy_and_hold"]
        result = ledger.result("@1")
        assert len(result.equity) == ledger.run("@1").total_steps
        assert [one.metrics for one in ledger.follow("@1")] == [result.metrics]


def test_a_decision_may_hold_orders_and_targets() -> None:
    """A strategy may answer a whole Decision, with what it was thinking."""

    class Both(Strategy):
        def decide(self, obs: Any) -> Decision | None:
            if obs.step:
                return None
            return Decision((Order.buy("X", 1),), (Target("X", shares=5),), rationale="why not")

    result = run(Both, _frame([10.0, 10.0, 10.0]), cash=1000.0, costs="none", calendar="none")
    assert result.fills["position_after"].iloc[-1] == 5


def test_a_result_shows_itself_in_a_line() -> None:
    """What a notebook prints of it are its figures, not every fill and array."""
    result = run(EveryFifth, _frame([10.0, 11.0, 12.0]), cash=1000)
    assert "3 steps, 1 fills, total_return=" in repr(result)
    assert len(repr(result)) < 120


def test_a_strategy_that_is_made_already_is_refused() -> None:
    """A run makes its own from the class, so that it begins with nothing remembered."""
    with pytest.raises(InvalidOption, match="strategy is a EveryFifth; give a class"):
        run(EveryFifth(), "sample")  # type: ignore[arg-type]


def test_what_is_wrong_is_named() -> None:
    """Unknown options, strategies that raise and missing ledgers are typed errors."""
    with pytest.raises(InvalidOption, match="no option 'money'"):
        run("sma_cross", money=3)
    with pytest.raises(InvalidOption, match="give a date"):
        run("sma_cross", start="yesterday")

    class Broken(Strategy):
        def decide(self, obs: Any) -> None:
            raise ValueError("no idea")

    with pytest.raises(StrategyError, match=r"ValueError: no idea in test_api\.py:\d+ at step 0"):
        run(Broken, _frame([1.5, 2.5]), calendar="none")
    with pytest.raises(LedgerMissing):
        open_ledger("nowhere.db")
