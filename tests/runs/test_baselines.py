"""What a run is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.model import RunRequest
from tests.runs.conftest import SMA, Deck

HEADER = "symbol,timestamp,open,high,low,close,volume"


@pytest.fixture
def bars(tmp_path: Path) -> Callable[..., str]:
    """Writes daily closes by symbol into a file; gives the source that names it."""

    def write(**closes: list[float]) -> str:
        rows = [
            f"{symbol},2024-03-{day + 1:02d}T00:00:00Z,{close},{close},{close},{close},100"
            for symbol, prices in closes.items()
            for day, close in enumerate(prices)
        ]
        path = tmp_path / "bars.csv"
        path.write_text("\n".join([HEADER, *rows]))
        return f"csv:{path}"

    return write


def _index(deck: Deck, request: RunRequest) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    run_id = deck.run(request).run_id
    with deck.reader() as reader:
        twin = reader.baselines(run_id)[-1]
        assert (twin.strategy, twin.status) == ("index", "completed")
        assert twin.total_costs == 0
        curve: np.ndarray[tuple[int], np.dtype[np.float64]] = reader.equity(twin.run_id).equity
        return curve


def test_the_index_is_the_average_of_prices(deck: Deck, bars: Callable[..., str]) -> None:
    """The same number of shares of each symbol, so that the dear ones weigh more (policy B2)."""
    source = bars(A=[10.0, 12.0, 9.0], B=[100.0, 90.0, 120.0])
    request = RunRequest("sma_cross", source=source, calendar="none", params={"fast": 1, "slow": 2})
    curve = _index(deck, request)
    assert curve == pytest.approx(100_000 * np.array([110.0, 102.0, 129.0]) / 110, abs=1e-4)


def test_the_index_is_spy_where_the_source_has_it(deck: Deck, bars: Callable[..., str]) -> None:
    """Also for a run that does not trade it."""
    source = bars(A=[10.0, 12.0], SPY=[50.0, 55.0])
    request = RunRequest("buy_and_hold", source=source, symbols=("A",), calendar="none")
    assert _index(deck, request) == pytest.approx([100_000.0, 110_000.0], abs=1e-4)


def test_a_baseline_has_no_baselines_and_buy_and_hold_not_itself(deck: Deck) -> None:
    """A buy-and-hold run is held against the index alone."""
    run_id = deck.run(replace(SMA, strategy="buy_and_hold", baselines=True)).run_id
    with deck.reader() as reader:
        assert [twin.strategy for twin in reader.baselines(run_id)] == ["index"]
        assert len(reader.runs(all_runs=True)) == 2
