"""The built-in strategies, on real simulations."""

from __future__ import annotations

import numpy as np
import pytest

from engine.model import Decision, Target
from engine.sim.observation import PreparedPanel
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import State, StepResult, join
from engine.strategies import Strategy, load
from engine.strategies.averages import moving_average, relative_strength
from tests.sim.builders import Bars, flat_bars, panel_of, rules_of

Prices = list[float | None]


def prepared(name: str, panel: Panel, **params: object) -> Strategy:
    """The strategy, ready to decide on the panel."""
    make = load(name).make
    assert make is not None
    strategy = make(params)
    lent = PreparedPanel(panel)
    strategy.prepare(lent)
    strategy.plan(lent)
    lent.seal()
    return strategy


def run(
    name: str, panel: Panel, params: dict[str, object], **rules: object
) -> tuple[State, StepResult]:
    """The whole run, step by step."""
    strategy = prepared(name, panel, **params)
    simulation = Simulation(panel, rules_of(**rules))
    state, result = simulation.start(simulation.initial())
    advance = simulation.advance(state, strategy.decide, panel.steps)
    assert advance.fault is None
    return advance.state, join([result, advance.result])


def decisions(result: StepResult) -> dict[int, Decision]:
    """What was decided, by step."""
    return dict(result.decisions)


def rising(steps: int, *, growth: float = 1.0) -> Prices:
    """A price that rises by ``growth`` a step from 100."""
    return [100.0 + growth * step for step in range(steps)]


def noise(steps: int, symbols: int, seed: int = 5) -> dict[str, Bars]:
    """Random walks."""
    draw = np.random.default_rng(seed)
    walks = 100 * np.exp(np.cumsum(0.01 * draw.standard_normal((steps, symbols)), axis=0))
    return {f"S{column}": flat_bars(*walks[:, column].tolist()) for column in range(symbols)}


def test_buy_and_hold_buys_equal_slices_of_the_initial_cash_once() -> None:
    """B1: notional, good till cancelled, decided at step 0; the remainder stays in cash."""
    panel = panel_of({"A": flat_bars(10, 30, 50), "B": flat_bars(7, 7, 7)})
    state, result = run("buy_and_hold", panel, {}, cash=100)
    assert list(decisions(result)) == [0]
    assert [(fill.symbol, fill.quantity, fill.price) for fill in result.fills] == [
        ("A", 1, 30),
        ("B", 7, 7),
    ]
    assert state.cash == 100 - 30 - 49


def test_buy_and_hold_waits_for_a_symbol_that_is_listed_later() -> None:
    """Each symbol is bought at its own first fillable open."""
    panel = panel_of({"A": flat_bars(10, 10, 10, 10), "B": flat_bars(None, None, None, 20)})
    _, result = run("buy_and_hold", panel, {}, cash=100)
    assert [(fill.symbol, fill.step_index, fill.quantity) for fill in result.fills] == [
        ("A", 1, 5),
        ("B", 3, 2),
    ]


def test_sma_cross_is_all_in_above_and_flat_below() -> None:
    """It buys after the fast average has crossed above the slow one, and sells after the fall."""
    prices = [10.0, 10, 10, 12, 14, 16, 14, 10, 8, 8]
    panel = panel_of({"A": flat_bars(*prices)})
    _, result = run("sma_cross", panel, {"fast": 2, "slow": 3}, cash=1000)
    assert decisions(result) == {
        3: Decision((), (Target("A", 1.0),)),
        7: Decision((), (Target("A", 0.0),)),
    }
    assert [(fill.side, fill.step_index, fill.price) for fill in result.fills] == [
        ("buy", 4, 14),
        ("sell", 8, 8),
    ]


def test_sma_cross_divides_equity_among_the_symbols() -> None:
    """All in is an equal share each."""
    panel = panel_of({"A": flat_bars(*rising(8)), "B": flat_bars(*rising(8))})
    _, result = run("sma_cross", panel, {"fast": 2, "slow": 3})
    assert decisions(result) == {2: Decision((), (Target("A", 0.5), Target("B", 0.5)))}


def test_a_constant_price_never_crosses() -> None:
    """Whatever its digits: rounding is no signal."""
    panel = panel_of({"A": flat_bars(*[100.1] * 60)})
    _, result = run("sma_cross", panel, {})
    assert result.decisions == ()


def test_sma_cross_averages_a_symbols_own_bars() -> None:
    """Gaps count for nothing: the same bars with gaps between them cross at the same bars."""
    prices: Prices = [10.0, 10, 10, 12, 14, 16, 14, 10, 8, 8]
    gaps: Prices = [each for price in prices for each in (price, None)]
    plain = decisions(
        run("sma_cross", panel_of({"A": flat_bars(*prices)}), {"fast": 2, "slow": 3})[1]
    )
    panel = panel_of({"A": flat_bars(*gaps), "B": flat_bars(*[1.0] * 20)})
    spread = decisions(run("sma_cross", panel, {"fast": 2, "slow": 3})[1])
    assert min(spread) == 2 * min(plain)


def test_an_order_cancelled_for_want_of_a_bar_is_given_again() -> None:
    """At the symbol's next bar, not while it has none."""
    prices: Prices = [10.0, 10, 10, 12, None, 14, 16, 18]
    panel = panel_of({"A": flat_bars(*prices), "B": flat_bars(*[1.0] * 8)})
    _, result = run("sma_cross", panel, {"fast": 2, "slow": 3})
    target = Decision((), (Target("A", 0.5),))
    assert decisions(result) == {3: target, 5: target}
    records = {order.order_id: order for _, order in result.orders}
    assert [(order.status, order.reason) for order in records.values()] == [
        ("cancelled", "no_bar"),
        ("filled", None),
    ]


def test_rsi_reversion_buys_the_fall_and_sells_the_rise() -> None:
    """Below low it enters at its weight, above high it leaves; in between it keeps what it has."""
    prices = [100.0, 99, 98, 97, 96, 95, 97, 99, 101, 103, 105, 107]
    panel = panel_of({"A": flat_bars(*prices)})
    _, result = run("rsi_reversion", panel, {"period": 3, "weight": "0.5"})
    strength = relative_strength(np.array(prices), 3)
    enter = int(np.flatnonzero(strength < 30)[0])
    leave = int(np.flatnonzero(strength > 70)[0])
    assert decisions(result) == {
        enter: Decision((), (Target("A", 0.5),)),
        leave: Decision((), (Target("A", 0.0),)),
    }


def test_a_price_that_never_moved_is_not_oversold() -> None:
    """Its RSI is unknown, not 0."""
    panel = panel_of({"A": flat_bars(*[50.0] * 40)})
    assert run("rsi_reversion", panel, {})[1].decisions == ()
    assert np.isnan(relative_strength(np.array([50.0] * 40), 14)).all()


def test_momentum_holds_the_strongest_in_equal_weights() -> None:
    """Ties go by symbol order; what has dropped out is sold in the same decision."""
    panel = panel_of(
        {
            "A": flat_bars(100, 100, 100, 100, 100),
            "B": flat_bars(100, 110, 121, 121, 121),
            "C": flat_bars(100, 105, 110, 150, 150),
            "D": flat_bars(100, 110, 121, 121, 121),
        }
    )
    _, result = run("momentum", panel, {"lookback": 2, "top": 2})
    assert decisions(result)[2] == Decision((), (Target("B", 0.5), Target("D", 0.5)))
    assert decisions(result)[3] == Decision(
        (), (Target("D", 0.0), Target("C", 0.5), Target("B", 0.5))
    )
    assert min(decisions(result)) == 2


def test_momentum_rebalances_every_so_many_steps() -> None:
    """At multiples of ``every`` once the lookback is full, and holds in between."""
    panel = panel_of(noise(30, 4))
    _, result = run("momentum", panel, {"lookback": 5, "top": 2, "every": 7})
    assert list(decisions(result)) == [7, 14, 21, 28]


def test_momentum_with_fewer_symbols_than_top_holds_them_all() -> None:
    """In equal weights of what there is."""
    panel = panel_of({"A": flat_bars(*rising(4)), "B": flat_bars(*rising(4))})
    _, result = run("momentum", panel, {"lookback": 1, "top": 5})
    assert decisions(result)[1] == Decision((), (Target("A", 0.5), Target("B", 0.5)))


def test_momentum_leaves_out_what_is_not_there() -> None:
    """A symbol listed late counts once its lookback is full; one delisted drops out and is sold
    when it trades again, without an order at every step until then."""
    steps = 12
    gone: Prices = [*rising(4, growth=9.0), *[None] * 6, 150.0, 160.0]
    late: Prices = [*[None] * 6, *rising(steps - 6, growth=50.0)]
    panel = panel_of({"A": flat_bars(*rising(steps)), "B": flat_bars(*gone), "C": flat_bars(*late)})
    _, result = run("momentum", panel, {"lookback": 2, "top": 1}, cash=10_000)
    made = decisions(result)
    chosen = {step: each.targets[-1].symbol for step, each in made.items()}
    assert [chosen[step] for step in range(2, 12)] == ["B"] * 3 + ["A"] * 3 + ["C"] * 4
    sales = [step for step, each in made.items() if Target("B", 0.0) in each.targets]
    assert sales == [5, 10]
    assert [(fill.step_index, fill.side) for fill in result.fills if fill.symbol == "B"][-1] == (
        11,
        "sell",
    )


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("sma_cross", {"fast": 3, "slow": 8}),
        ("rsi_reversion", {"period": 5}),
        ("momentum", {"lookback": 5, "top": 2, "every": 2}),
    ],
)
def test_no_built_in_looks_ahead(name: str, params: dict[str, object]) -> None:
    """Cutting off or changing the future leaves every earlier decision as it was."""
    bars = noise(120, 4)
    for symbol in ("S1", "S3"):
        bars[symbol] = [None if step % 11 == 3 else bar for step, bar in enumerate(bars[symbol])]
    whole = decisions(run(name, panel_of(bars), params)[1])
    assert len(whole) > 3
    for cut in range(20, 120, 9):
        early = {step: each for step, each in whole.items() if step < cut}
        short = panel_of({symbol: rows[:cut] for symbol, rows in bars.items()})
        assert decisions(run(name, short, params)[1]) == early
        other = noise(120, 4, seed=6)
        changed = panel_of(
            {symbol: [*rows[:cut], *other[symbol][cut:]] for symbol, rows in bars.items()}
        )
        made = decisions(run(name, changed, params)[1])
        assert {step: each for step, each in made.items() if step < cut} == early


@pytest.mark.parametrize("name", ["sma_cross", "rsi_reversion", "momentum", "buy_and_hold"])
def test_any_number_of_bars_will_do(name: str) -> None:
    """One bar, or fewer than the averages need, is a run without a trade at worst."""
    for steps in (1, 2, 14, 15):
        run(name, panel_of(noise(steps, 3)), {})


def test_averages_are_exact_means_of_their_windows() -> None:
    """NaN before the window is full."""
    values = np.random.default_rng(1).random(50)
    means = moving_average(values, 7)
    assert np.isnan(means[:6]).all()
    np.testing.assert_allclose(means[6:], [values[k : k + 7].mean() for k in range(44)], rtol=1e-14)
    assert np.isnan(moving_average(values, 51)).all()
    np.testing.assert_array_equal(moving_average(values, 1), values)
