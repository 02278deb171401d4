"""Strategies that answer all their weights at once: what a row means, and who runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.api import run
from engine.drivers import vector
from engine.drivers.strategy import decider_of
from engine.drivers.vector import Vector
from engine.errors import LookaheadError, StrategyError
from engine.model import Rules, RunRequest, Target
from engine.runs.lifecycle import Status
from engine.runs.panels import panel_of
from engine.runs.requests import prepare
from engine.runs.service import RunService
from engine.sim.compiled import Kernel
from engine.sim.digest import canonical_bytes
from engine.sim.observation import PreparedPanel
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.strategies import Strategy, registry
from engine.strategies.base import PanelView, is_vector
from tests.runs.conftest import Deck, open_deck  # noqa: F401  # a fixture
from tests.sim.builders import flat_bars
from tests.sim.builders import panel_of as small_panel
from tests.test_architecture import loaded

NAN = float("nan")
SOURCE = '''
import numpy as np
from engine import Strategy

class Trend(Strategy):
    """Hold what has risen."""

    lookback: int = 20

    def weights(self, panel):
        rise = np.full(panel.close.shape, np.nan)
        rise[self.lookback:] = panel.close[self.lookback:] / panel.close[:-self.lookback] - 1
        held = rise > 0
        weights = np.where(held, 1.0 / len(panel.symbols), 0.0)
        weights[np.isnan(rise)] = np.nan
        return weights
'''


class Script(Strategy):
    """Answers what it was given."""

    answer: Any = None

    def weights(self, panel: PanelView) -> Any:
        """The class's answer."""
        return self.answer


def scripted(answer: Any) -> type[Script]:
    """A strategy with an answer of its own."""
    return type("Scripted", (Script,), {"answer": answer, "__module__": __name__})


def decided_by(cls: type[Strategy], panel: Panel) -> dict[int, object]:
    """What the class decides at each step, as a driver prepares it."""
    strategy = cls.make({})
    lent = PreparedPanel(panel)
    strategy.prepare(lent)
    strategy.plan(lent)
    lent.seal()
    simulation = Simulation(panel, Rules())
    state, _ = simulation.start(simulation.initial())
    answers: dict[int, object] = {}

    def decide(obs: Any) -> object:
        answers[obs.step] = strategy.decide(obs)
        return answers[obs.step]

    simulation.advance(state, decide, panel.steps)
    return answers


def two() -> Panel:
    """Four bars of two symbols."""
    return small_panel({"A": flat_bars(10, 10, 10, 10), "B": flat_bars(20, 20, 20, 20)})


def test_a_row_is_a_target_for_each_number_in_it() -> None:
    """Symbols in the run's order; NaN leaves one out, a row of NaN holds, zero is a target."""
    rows = [[NAN, NAN], [0.5, NAN], [0.0, 0.25], [NAN, NAN]]
    assert decided_by(scripted(rows), two()) == {
        0: None,
        1: (Target("A", 0.5),),
        2: (Target("A", 0.0), Target("B", 0.25)),
        3: None,
    }


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([[0.5, 0.5]], r"shape \(1, 2\); answer one of \[steps, symbols\], here \(4, 2\)"),
        (None, r"shape \(\)"),
        ([[NAN, NAN]] * 3 + [[NAN, float("inf")]], "inf for B at step 3"),
    ],
)
def test_an_answer_that_is_no_rows_is_refused(answer: Any, said: str) -> None:
    """Another shape and an infinite weight are the strategy's error, and say where."""
    with pytest.raises(StrategyError, match=said):
        decided_by(scripted(answer), two())


def test_the_strategy_cannot_change_its_rows_afterwards() -> None:
    """The rows are a copy: what the strategy goes on writing to its own array decides nothing."""
    rows = np.full((4, 2), NAN)

    class Sly(Script):
        answer = rows

        def weights(self, panel: PanelView) -> NDArray[np.float64]:
            """The array, which is kept."""
            return rows

    strategy = Sly.make({})
    planned = strategy.plan(PreparedPanel(two()))
    rows[:] = 1.0
    assert planned is not None
    assert planned.targets(0) is None


def test_a_decide_of_its_own_is_asked() -> None:
    """A class with both is no vector strategy, nor is one that overrides decide later on."""

    class Both(Script):
        def decide(self, obs: Any) -> None:
            """Hold."""

    class Heir(scripted([[1.0, 1.0]] * 4)):  # type: ignore[misc]  # a base made at run time
        """One that inherits its weights."""

    assert not is_vector(Both)
    assert is_vector(Heir)
    assert set(decided_by(Both, two()).values()) == {None}


def test_the_panel_is_closed_after_weights() -> None:
    """A vector strategy cannot keep the panel for later."""
    kept: list[Any] = []

    class Keeper(Script):
        def weights(self, panel: PanelView) -> Any:
            """Keep the panel."""
            kept.append(panel)
            return np.full(panel.close.shape, NAN)

    run(Keeper, "sample", symbols=["AAPL"], end="2000-03-01")
    with pytest.raises(LookaheadError):
        _ = kept[0].close


def test_a_failure_names_weights_and_its_line(tmp_path: Path) -> None:
    """What `weights` raises ends the run as the strategy's failure, with file and line."""
    file = tmp_path / "bad.py"
    file.write_text(SOURCE.replace("held = rise > 0", "held = rise > nothing"))
    with pytest.raises(StrategyError, match=r"weights raised NameError: .* in bad\.py:13"):
        run(f"{file}:Trend", "sample")


@pytest.fixture
def trend(tmp_path: Path) -> RunRequest:
    """A user's own vector strategy over thousands of real bars."""
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    return RunRequest(f"{file}:Trend", baselines=False)


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which numba cannot be imported, and on which it would pay."""
    monkeypatch.setattr(vector, "_kernels", vector._Kernels())
    monkeypatch.setattr(vector, "WORTH_LOADING", 0.0)
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "engine.sim.kernel", raising=False)


def in_memory(request: RunRequest) -> tuple[Vector, bytes]:
    """The run's decider, and the bytes of what it came to."""
    prepared = prepare(request)
    panel = panel_of(prepared.source.load())
    decide = decider_of(prepared, panel)
    assert isinstance(decide, Vector)
    simulation = Simulation(panel, prepared.request.rules)
    state, first = simulation.start(simulation.initial())
    advanced = decide.advance(simulation, state, simulation.total_steps)
    return decide, canonical_bytes(first) + canonical_bytes(advanced.result)


def test_with_numba_and_without_the_bytes_are_the_same(
    kernel: Kernel, trend: RunRequest, request: pytest.FixtureRequest
) -> None:
    """The extra changes how soon a result is there, never the result; and a run says so."""
    compiled, fast = in_memory(trend)
    assert (compiled.execution, compiled.notice) == ("compiled", None)
    request.getfixturevalue("without_numba")
    stepped, slow = in_memory(trend)
    assert stepped.execution == "stepped"
    assert stepped.notice is not None
    assert "stepdeck[fast]" in stepped.notice
    assert fast == slow


@pytest.mark.parametrize("name", ["sma_cross", "rsi_reversion"])
def test_built_ins_that_are_functions_of_prices_are_compiled(kernel: Kernel, name: str) -> None:
    """Their weights, compiled, are the bytes of their decisions, stepped."""
    request = RunRequest(name, baselines=False)
    decide, compiled = in_memory(request)
    assert decide.execution == "compiled"
    prepared = prepare(request)
    panel = panel_of(prepared.source.load())
    simulation = Simulation(panel, prepared.request.rules)
    state, first = simulation.start(simulation.initial())
    advanced = simulation.advance(state, decide, simulation.total_steps)
    assert len(advanced.result.fills) > 0
    assert canonical_bytes(first) + canonical_bytes(advanced.result) == compiled


def test_no_numba_is_loaded_for_a_short_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is stepped in less time than numba takes to load does not load it."""
    monkeypatch.setattr(vector, "_kernels", vector._Kernels())
    panel = two()
    cls = scripted([[0.1, 0.2]] * 4)
    prepared = replace(
        prepare(RunRequest("x", symbols=("AAPL",)), loaded=registry.load("sma_cross")),
        loaded=registry.from_class(cls),
    )
    prepared = replace(prepared, request=replace(prepared.request, params={}))
    decide = decider_of(prepared, panel)
    assert isinstance(decide, Vector)
    assert (decide.execution, decide.notice) == ("stepped", None)
    assert vector._kernels.loaded is None


def test_numba_is_no_part_of_the_core() -> None:
    """Strategies are loaded, and short runs made, without numba in memory."""
    assert "numba" not in loaded("import engine.drivers.strategy, engine.sim.compiled")


def test_a_numba_that_is_switched_off_is_none_at_all(
    monkeypatch: pytest.MonkeyPatch, trend: RunRequest
) -> None:
    """With compilation disabled a run is stepped, and says why."""
    numba: Any = pytest.importorskip("numba")
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    monkeypatch.setattr(vector, "_kernels", vector._Kernels())
    monkeypatch.setattr(vector, "WORTH_LOADING", 0.0)
    decide, _ = in_memory(trend)
    assert decide.execution == "stepped"
    assert decide.notice is not None
    assert "NUMBA_DISABLE_JIT is set" in decide.notice


def digest_of(deck: Deck, request: RunRequest) -> str:
    """The digest of the run's whole ledger."""
    record = deck.run(request)
    assert record.status == Status.COMPLETED, record.error_message
    return deck.digest(record.run_id)


def test_runs_in_a_ledger_agree_however_they_are_moved(
    open_deck: Callable[..., Deck],  # noqa: F811
    kernel: Kernel,
    trend: RunRequest,
    request: pytest.FixtureRequest,
) -> None:
    """At full speed, stepped by hand for a while, or without numba: one digest, one row."""
    deck = open_deck()
    whole = deck.run(trend)
    assert whole.metadata["execution"] == "compiled"
    session = deck.ready(replace(trend, paused=True))
    service: RunService = deck.service
    for count in (1, 40, 1, 200):
        service.step(session.run_id, count)
    service.resume(session.run_id)
    assert session.closed.wait(60)
    by_hand = service.record(session.run_id)
    request.getfixturevalue("without_numba")
    slow = deck.run(trend)
    assert slow.metadata["execution"] == "stepped"
    assert any("stepdeck[fast]" in notice for notice in slow.metadata["notices"])
    assert deck.digest(whole.run_id) == deck.digest(by_hand.run_id) == deck.digest(slow.run_id)
    assert whole.metrics == by_hand.metrics == slow.metrics


def test_a_compiled_run_is_taken_up_again(
    open_deck: Callable[..., Deck],  # noqa: F811
    kernel: Kernel,
    trend: RunRequest,
) -> None:
    """Interrupted in the middle and resumed, it ends with the digest of an undisturbed run."""
    deck = open_deck()
    expected = digest_of(deck, trend)
    session = deck.ready(replace(trend, paused=True))
    deck.service.step(session.run_id, 700)
    deck.service.interrupt(session)
    again = deck.service.take_up(session.run_id, play=True)
    deck.host.enqueue(again)
    assert again.closed.wait(60)
    assert deck.digest(session.run_id) == expected
