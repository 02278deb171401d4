"""An advance that somebody ends: after the decision in progress, as if it had been that long."""

from __future__ import annotations

from typing import Any

import pytest

from engine.model import Order, Target
from engine.sim.digest import canonical_bytes
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import join
from tests.sim.builders import flat_bars, panel_of, rules_of

A = "AAPL"


def panel() -> Panel:
    return panel_of({A: flat_bars(*range(10, 40))})


def resting(step: int) -> Any:
    return Order.buy(A, 1, limit=1.0, time_in_force="gtc")


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize(
    "answer",
    [lambda step: None, lambda step: Target(A, 0.1 * (step % 5)), resting],
    ids=["holds", "trades", "rests"],
)
@pytest.mark.parametrize("at", [0, 1, 7, 28])
def test_it_ends_after_the_decision_in_progress(answer: Any, at: int, fill: str) -> None:
    """The flag goes up during decision ``at``: that is the last one made; and going on from there
    gives what was to be."""
    simulation = Simulation(panel(), rules_of(fill=fill))
    start, first = simulation.start(simulation.initial())
    _, whole, _ = simulation.advance(start, lambda obs: answer(obs.step), 30)
    halt: list[object] = []

    def decide(obs: Any) -> Any:
        if obs.step == at:
            halt.append(None)
        return answer(obs.step)

    state, one, _ = simulation.advance(start, decide, 30, halt=halt)
    assert state.decided == at + 1
    state, two, _ = simulation.advance(state, decide, 30)
    assert state.done
    assert canonical_bytes(join([first, one, two])) == canonical_bytes(join([first, whole]))


def test_a_decision_is_made_though_the_flag_is_up() -> None:
    """Whoever asks for a step gets one."""
    simulation = Simulation(panel(), rules_of())
    state, _ = simulation.start(simulation.initial())
    state, _, _ = simulation.advance(state, lambda obs: None, 30, halt=[None])
    assert state.decided == 1
