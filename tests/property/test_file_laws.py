"""Laws of runs from files: the order of rows means nothing, and what is cut off was never seen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.drivers.strategy import decider_of
from engine.market import Bars
from engine.model import CorporateAction, Decision, Rules, RunRequest, stamp_text
from engine.runs.panels import panel_of
from engine.runs.requests import prepare
from engine.sim.digest import canonical_bytes
from engine.sim.observation import Observation
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import join
from tests.property.sim_runs import Run, runs

law = settings(max_examples=25, deadline=None)

STRATEGIES: tuple[tuple[str, dict[str, float]], ...] = (
    ("sma_cross", {"fast": 1, "slow": 2}),
    ("momentum", {"lookback": 1, "top": 1}),
    ("rsi_reversion", {"period": 2, "weight": 0.5}),
    ("buy_and_hold", {}),
)


class Files(NamedTuple):
    """The lines of a bar file and of its actions file, without their headers."""

    bars: list[str]
    actions: list[str]


def lines_of(panel: Panel) -> Files:
    """The panel as the lines that a vendor would have written."""
    bars = []
    for step, stamp in enumerate(panel.stamps.tolist()):
        for column, symbol in enumerate(panel.symbols):
            if panel.has_bar[step, column]:
                fields = (panel.open, panel.high, panel.low, panel.close, panel.volume)
                cells = ",".join(repr(float(field[step, column])) for field in fields)
                bars.append(f"{symbol},{stamp_text(stamp)},{cells}")
    return Files(bars, [line_of(action) for action in _once(panel.actions)])


def _once(actions: Sequence[CorporateAction]) -> Iterator[CorporateAction]:
    """Each split and dividend of a date once, as files must have it; none paid before it is due."""
    seen = set()
    for action in actions:
        key = (action.symbol, action.ex_date, action.kind)
        if key not in seen:
            seen.add(key)
            paid = action.pay_date if action.kind == "dividend" else None
            yield action._replace(pay_date=None if paid and paid < action.ex_date else paid)


def line_of(action: CorporateAction) -> str:
    """An action as a line."""
    return ",".join(("" if cell is None else str(cell)) for cell in action)


@contextmanager
def loaded(files: Files, panel: Panel, strategy: str, params: dict[str, float]) -> Iterator[Loaded]:
    """A strategy and the bars of these files, read as a run reads them."""
    with tempfile.TemporaryDirectory() as folder:
        bars, actions = Path(folder) / "bars.csv", Path(folder) / "actions.csv"
        bars.write_text("\n".join(("symbol,timestamp,open,high,low,close,volume", *files.bars)))
        actions.write_text("\n".join(("symbol,ex_date,kind,value,pay_date", *files.actions)))
        prepared = prepare(
            RunRequest(
                strategy,
                params,
                f"csv:{bars}",
                symbols=panel.symbols,
                timeframe=panel.timeframe,
                calendar="none",
                actions=str(actions),
            )
        )
        read = prepared.source.load()
        decide = decider_of(prepared, panel_of(read))
        assert decide is not None
        yield Loaded(read, panel_of(read), decide)


class Loaded(NamedTuple):
    """What a run has of its files."""

    bars: Bars
    panel: Panel
    decide: object


def played(run: Loaded, rules: Rules, decisions: dict[int, Decision], count: int) -> bytes:
    """The first decisions of a run, the strategy's and those of a tape in turn; their bytes."""
    decide = run.decide
    assert callable(decide)

    def both(observation: Observation) -> object:
        answer = decide(observation)
        return decisions.get(observation.step) if observation.step % 2 else answer

    simulation = Simulation(run.panel, rules)
    state, first = simulation.start(simulation.initial())
    if state.done or not count:
        return canonical_bytes(first)
    _, rest, fault = simulation.advance(state, both, count)
    assert fault is None
    return canonical_bytes(join([first, rest]))


strategies = st.sampled_from(STRATEGIES)


@law
@given(run=runs(), strategy=strategies, seed=st.integers(0, 2**32))
def test_the_order_of_rows_changes_nothing(
    run: Run, strategy: tuple[str, dict[str, float]], seed: int
) -> None:
    """Bars and actions in any order: the same hash of the bars, the same run byte for byte."""
    files = lines_of(run.panel)
    random = Random(seed)
    mixed = Files(random.sample(files.bars, len(files.bars)), list(files.actions))
    random.shuffle(mixed.actions)
    with loaded(files, run.panel, *strategy) as one, loaded(mixed, run.panel, *strategy) as other:
        assert one.bars.content_hash == other.bars.content_hash
        steps = one.panel.steps
        assert played(one, run.rules, run.decisions, steps) == played(
            other, run.rules, run.decisions, steps
        )


@law
@given(run=runs(), strategy=strategies, data=st.data())
def test_cutting_the_file_changes_nothing_before_the_cut(
    run: Run, strategy: tuple[str, dict[str, float]], data: st.DataObject
) -> None:
    """A file that ends after bar t gives the run up to t that the whole file gives (G2).

    Compared is what the decisions up to the last but one settle: the last bar of a file ends its
    orders, which the same bar in the middle does not.
    """
    panel = run.panel
    files = lines_of(panel)
    cut = data.draw(st.integers(2, panel.steps))
    # Whole grid points are cut; the grid may have lost some that no symbol has a bar at.
    stamps = sorted({line.split(",")[1] for line in files.bars})
    known = [line for line in files.bars if line.split(",")[1] in stamps[:cut]]
    cut = min(cut, len(stamps))
    with (
        loaded(files, panel, *strategy) as whole,
        loaded(Files(known, files.actions), panel, *strategy) as short,
    ):
        assert short.panel.steps == cut
        assert np.array_equal(whole.panel.stamps[:cut], short.panel.stamps)
        count = max(cut - 2, 0)
        assert played(short, run.rules, run.decisions, count) == played(
            whole, run.rules, run.decisions, count
        )
