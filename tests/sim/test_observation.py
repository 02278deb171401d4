"""What a decision may see: G2, D2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.errors import InvalidParameter, LookaheadError, StepNotActive, UnknownSymbol
from engine.model import Bar, Decision, Order
from engine.sim.observation import Observation, PreparedPanel
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from tests.sim.builders import MONDAY, flat_bars, panel_of, rules_of, stamp_of

A, B = "AAPL", "MSFT"


def small_panel() -> Panel:
    """Two symbols, six grid points, one gap."""
    return panel_of({A: flat_bars(1, 2, 3, 4, 5, 6), B: flat_bars(10, 20, None, 40, 50, 60)})


def observations(panel: Panel, decisions: dict[int, Decision] | None = None) -> list[Observation]:
    """Every observation of a run, kept, as a strategy with a cache would."""
    kept: list[Observation] = []

    def decide(obs: Observation) -> Any:
        kept.append(obs)
        return (decisions or {}).get(obs.step)

    simulation = Simulation(panel, rules_of(), {"fast": 3})
    state, _ = simulation.start(simulation.initial())
    simulation.advance(state, decide, simulation.total_steps)
    return kept


def test_what_an_observation_tells() -> None:
    """Step, stamp, symbols, bars, history and parameters are those of its step."""
    seen = observations(small_panel())[3]
    assert seen.step == 3
    assert seen.stamp == stamp_of("2026-03-02T17:30:00Z")
    assert seen.ts.isoformat() == "2026-03-02T17:30:00+00:00"
    assert seen.symbols == (A, B)
    assert seen.params["fast"] == 3
    assert seen.bar(A) == Bar(A, seen.stamp, 4, 4, 4, 4, 1e6)
    assert seen.bar(B, 2) is None
    assert seen.bar(B, 0) == Bar(B, MONDAY, 10, 10, 10, 10, 1e6)
    assert seen.history("close", 2)[:, 0].tolist() == [3, 4]
    assert np.isnan(seen.history("open", 2)[0, 1])


def test_history_is_no_longer_than_the_past() -> None:
    """history gives min(n, step + 1) rows, oldest first."""
    kept = observations(small_panel())
    assert [obs.history("close", 4)[:, 0].tolist() for obs in kept[:3]] == [[1], [1, 2], [1, 2, 3]]


def test_history_is_a_copy_that_leads_nowhere() -> None:
    """No view, base or write leads from history or an indicator to the panel (G2)."""
    obs = observations(small_panel())[1]
    for values in (obs.history("close", 5), obs.indicator("momentum", 1)):
        assert values.base is None
        assert not values.flags.writeable


def test_a_kept_observation_does_not_move() -> None:
    """An observation kept in a cache still shows its own step, account included (G2)."""
    kept = observations(small_panel(), {0: Decision((Order.buy(A, 10),))})
    assert [obs.step for obs in kept] == list(range(6))
    assert kept[0].portfolio.positions == {}
    assert kept[0].history("close", 99)[:, 0].tolist() == [1]
    assert kept[2].portfolio.positions[A].last_price == 3
    assert kept[2].portfolio.equity == 1000 - 20 + 30


def test_asking_for_a_later_bar_raises() -> None:
    """A later step is refused by name, never answered (G2)."""
    obs = observations(small_panel())[2]
    with pytest.raises(LookaheadError) as caught:
        obs.bar(A, 3)
    assert caught.value.field == "step"


@pytest.mark.parametrize(
    ("ask", "error", "field"),
    [
        (lambda obs: obs.bar("XXX"), UnknownSymbol, "symbol"),
        (lambda obs: obs.bar(A, -1), InvalidParameter, "step"),
        (lambda obs: obs.history("vwap", 3), InvalidParameter, "field"),
        (lambda obs: obs.history("close", 0), InvalidParameter, "n"),
        (lambda obs: obs.history("close", -5), InvalidParameter, "n"),
        (lambda obs: obs.indicator("astrology"), InvalidParameter, "indicator"),
        (lambda obs: obs.indicator("sma", 0), InvalidParameter, "indicator"),
        (lambda obs: obs.indicator("sma", 2.5), InvalidParameter, "indicator"),
        (lambda obs: obs.indicator("sma", 5, 6), InvalidParameter, "indicator"),
    ],
)
def test_bad_questions_name_the_field(ask: Any, error: type[Exception], field: str) -> None:
    """A question that has no answer raises with the field that was wrong."""
    with pytest.raises(error) as caught:
        ask(observations(small_panel())[3])
    assert getattr(caught.value, "field", None) == field


def test_portfolio_values_at_the_last_close() -> None:
    """Positions are valued at the last close seen, gaps included; equity is the row's (M9)."""
    panel = small_panel()
    kept = observations(panel, {0: Decision((Order.buy(A, 10), Order.buy(B, 2)))})
    portfolio = kept[2].portfolio
    assert list(portfolio.positions) == [A, B]
    held = portfolio.positions[B]
    assert held == (B, 2.0, 20.0, 20.0, 40.0, 0.0)
    assert portfolio.cash == 1000 - 20 - 40
    assert portfolio.equity == portfolio.cash + 30 + 40


def test_rng_depends_on_seed_and_step_alone() -> None:
    """The same (seed, step) gives the same numbers, whenever it is asked (D2)."""
    first, again = observations(small_panel()), observations(small_panel())
    assert first[4].rng.random() == again[4].rng.random()
    assert first[4].rng is first[4].rng
    assert first[3].rng.random() != again[4].rng.random()


def test_prepared_panel_closes() -> None:
    """After prepare returns every way into the lent panel raises (G2)."""
    lent = PreparedPanel(small_panel())
    assert lent.close.shape == (6, 2)
    assert lent.indicator("sma", 2)[1].tolist() == [1.5, 15]
    lent.seal()
    kept_out = {"seal", "indicator"}
    names = [n for n in dir(PreparedPanel) if not n.startswith("_") and n not in kept_out]
    assert len(names) > 8
    for name in names:
        with pytest.raises(LookaheadError):
            getattr(lent, name)
    with pytest.raises(LookaheadError):
        lent.indicator("sma", 2)


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume", "stamps", "mark"])
def test_panels_cannot_be_written(name: str) -> None:
    """Nobody can change the bars that others share."""
    with pytest.raises(ValueError, match="read-only"):
        getattr(small_panel(), name)[0] = 0


def test_steps_out_of_order_are_refused() -> None:
    """A run is started once, stepped after that, and not after its end."""
    simulation = Simulation(small_panel(), rules_of())
    state = simulation.initial()
    with pytest.raises(StepNotActive):
        simulation.step(state, Decision())
    with pytest.raises(StepNotActive):
        simulation.observe(state)
    state, _ = simulation.start(state)
    with pytest.raises(StepNotActive):
        simulation.start(state)
    state, _, _ = simulation.advance(state, lambda obs: None, 99)
    assert state.ended == "end_of_data"
    with pytest.raises(StepNotActive):
        simulation.advance(state, lambda obs: None, 99)
