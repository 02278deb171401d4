"""Laws of the decision log: what was decided, written down and read again, is the same run."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codec import decision_text, decode_decision, loads_input
from engine.model import Decision, Order, Target
from engine.sim.digest import canonical_bytes
from engine.sim.intake import plain
from engine.sim.reasons import Reason
from engine.sim.simulation import Simulation
from engine.sim.state import StepResult, join
from engine.strategies import read_tape, write_tape
from tests.property.sim_runs import Run, runs
from tests.sim.builders import run_batch

law = settings(max_examples=40, deadline=None)

# What a strategy may put into an order without knowing better.
texts = st.one_of(
    st.sampled_from(["AAPL", "MSFT", "buy", "sell", "market", "limit", "gtc", "shares", ""]),
    st.text(st.characters(exclude_categories=()), max_size=4),
)
numbers: st.SearchStrategy[Any] = st.one_of(
    st.floats(),
    st.integers(-(10**30), 10**400),
    st.booleans(),
    st.floats(0.1, 50).map(np.float64),
    st.integers(1, 50).map(np.int64),
    st.floats(0.125, 50, width=32).map(np.float32),
    st.sampled_from([None, "5", b"5", (5,)]),
)
wild_orders = st.builds(
    Order,
    texts,
    texts,
    numbers,
    texts,
    texts,
    numbers,
    numbers,
    texts,
    st.none() | texts,
    st.none() | texts,
)
wild_targets = st.builds(Target, texts, numbers, numbers, st.none() | texts)
wild_decisions = st.builds(
    Decision,
    st.lists(wild_orders, max_size=3).map(tuple),
    st.lists(wild_targets, max_size=3).map(tuple),
    st.lists(texts, max_size=2).map(tuple),
    st.none() | st.floats(),
    st.none() | texts,
)


@st.composite
def wild_runs(draw: st.DrawFn) -> Run:
    """A random run into some of whose decisions anything may have got."""
    run = draw(runs())
    wild = st.dictionaries(st.integers(0, run.panel.steps - 1), wild_decisions, max_size=4)
    return run._replace(decisions=run.decisions | draw(wild))


def replayed(run: Run, live: StepResult) -> StepResult:
    """The run of a tape that the live run's decisions were written to and read from."""
    stamps = run.panel.stamps
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tape.jsonl"
        write_tape(((int(stamps[step]), made) for step, made in live.decisions), path)
        decisions = read_tape(path).resolve(stamps)
    simulation = Simulation(run.panel, run.rules)
    state, first = simulation.start(simulation.initial())
    results = [first]
    while not state.done:
        state, result, fault = simulation.advance(
            state, lambda obs: decisions.get(obs.step), simulation.total_steps
        )
        assert fault is None
        results.append(result)
    return join(results)


@law
@given(run=runs())
def test_a_tape_is_the_run_it_was_taken_from(run: Run) -> None:
    """Effective decisions replayed without their strategy give the same digest (D3)."""
    _, live = run_batch(*run)
    assert canonical_bytes(replayed(run, live)) == canonical_bytes(live)


@law
@given(run=wild_runs())
def test_so_is_the_tape_of_a_strategy_gone_wild(run: Run) -> None:
    """Whatever was rejected live is rejected again, for the same reason, to the same digest."""
    _, live = run_batch(*run)
    again = replayed(run, live)
    assert canonical_bytes(again) == canonical_bytes(live)
    assert repr(tuple(again.orders)) == repr(tuple(live.orders))


@law
@given(run=wild_runs())
def test_whatever_is_asked_ends_in_one_record(run: Run) -> None:
    """One terminal record an intent, with costs, splits, dividends and nonsense among it (O2)."""
    _, live = run_batch(*run)
    asked = {
        f"{step}-{number}"
        for step, made in live.decisions
        for number in range(len(made.orders) + len(made.targets))
    }
    ended = Counter(record.order_id for _, record in live.orders if record.closed_step is not None)
    assert ended == dict.fromkeys(asked, 1)
    for _, record in live.orders:
        assert (record.reason is None) == (record.status in {"filled", "pending", "resting"})
        assert record.reason is None or Reason(record.reason)


@law
@given(decision=wild_decisions)
def test_a_decision_survives_its_wire_form(decision: Decision) -> None:
    """As JSON and back it is, bit for bit, what the simulation takes it for."""
    taken = plain(decision)
    text = decision_text(taken)
    text.encode("utf-8")
    assert repr(plain(decode_decision(loads_input(text)))) == repr(taken)
    assert json.loads(text) == loads_input(text)
