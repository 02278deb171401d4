"""Looking back: every moment of a run is what the run was then, and what its ledger holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from engine import codec
from engine.errors import BarsChanged, LedgerCorrupt, LookaheadError, StepNotActive
from engine.model import Costs, Decision, FillRule, Order, OrderRecord, Rules, RunRequest
from engine.runs.past import STRIDE, Past, catch_up, open_past
from engine.runs.session import Progress, Session
from engine.sim.observation import Observation
from tests.runs.conftest import MANUAL, SMA, Deck

WINDOW = replace(SMA, start=date(2007, 6, 1), end=date(2009, 3, 31))
BUSY = Rules(cash=20_000.0, costs=Costs(commission_per_share=0.01), participation=0.0001)
BRACKET = """
if obs.step % 7 == 0:
    price = float(obs.history("close", 1)[-1, 0])
    symbol = obs.symbols[0]
    return [
        Order.buy(symbol, 40),
        Order.sell(symbol, 30, limit=price * 1.03, time_in_force="gtc", oco_group="b", tag="up"),
        Order.sell(symbol, 30, stop=price * 0.97, time_in_force="gtc", oco_group="b", tag="down"),
    ]
return None
"""


def past_of(deck: Deck, session: Session) -> Past:
    bars = session.bars
    assert bars is not None
    with deck.reader() as reader:
        return open_past(reader, session.run_id, session.simulation.panel)


def walked(deck: Deck, request: RunRequest) -> tuple[Session, Past]:
    """A run that has ended, and its past."""
    session = deck.start(request)
    assert session.closed.wait(60)
    return session, past_of(deck, session)


@pytest.mark.parametrize("rules", [Rules(), BUSY, replace(BUSY, fill="close")])
@pytest.mark.parametrize("strategy", ["sma_cross", "bracket"])
def test_every_moment_is_what_the_run_was(
    deck: Deck, strategy_file: Callable[[str], str], strategy: str, rules: Rules
) -> None:
    """State, orders, figures and decision at every step are those of stepping to it."""
    named = strategy_file(BRACKET) if strategy == "bracket" else strategy
    session, past = walked(deck, replace(WINDOW, strategy=named, rules=rules))
    simulation = session.simulation
    with deck.reader() as reader:
        made = {row.step_index: row for row in reader.steps(session.run_id)}
    progress = Progress(simulation)
    state, result = simulation.start(progress.state)
    progress.take(state, result)
    orders: dict[str, OrderRecord] = {}
    assert past.settled == past.total_steps == simulation.total_steps
    while True:
        orders |= {record.order_id: record for _, record in result.orders}
        settled = progress.state.settled
        moment = past.at(settled)
        assert moment.state == progress.state
        assert moment.figures == progress.running_columns()
        assert list(moment.fills) == list(progress.fills)
        assert moment.cash_flows == tuple(progress.cash_flows)
        assert moment.orders == tuple(orders.values())
        assert moment.alive == tuple(o for o in orders.values() if o.closed_step is None)
        assert [row[:4] for row in moment.positions] == sorted(progress.holdings())
        assert (moment.equity, moment.cash) == (progress.equity, progress.state.cash)
        if progress.state.done or settled == past.settled - simulation.lead:
            break
        row = made.get(progress.state.decided)
        decision = Decision() if row is None else codec.decode_decision(codec.loads(row.decision))
        if simulation.lead:
            assert (moment.decision, moment.source) == (decision, "strategy")
            assert moment.observation is not None
            assert moment.observation.step == progress.state.decided == moment.decision_step
        state, result = simulation.step(progress.state, decision)
        progress.take(state, result)


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_every_moment_equals_the_ledger_s_rows(deck: Deck, fill: FillRule) -> None:
    """Equity, cash, fills and flows of the first k rows are those of the k-th moment."""
    rules = replace(BUSY, fill=fill)
    session, past = walked(deck, replace(WINDOW, rules=rules))
    with deck.reader() as reader:
        _, stamps, equity, cash = reader.equity(session.run_id)
        fills = reader.fills(session.run_id)
        made = {row.step_index: row for row in reader.steps(session.run_id)}
        orders = {order.order_id: order for order in reader.orders(session.run_id)}
    for settled in range(1, len(equity) + 1):
        moment = past.at(settled)
        assert (moment.equity, moment.cash) == (equity[settled - 1], cash[settled - 1])
        assert moment.stamp == stamps[settled - 1]
        assert list(moment.fills) == [fill for fill in fills if fill.step_index < settled]
        assert moment.decision is not None
        assert moment.decision.holds == (settled - 1 not in made)
    assert {order.order_id: order for order in past.at(past.settled).orders} == orders


def test_what_the_strategy_saw_is_what_is_seen_again(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """The observation of each step is the strategy's own; a later bar is out of its reach."""
    spec = strategy_file("return None")
    seen: list[tuple[int, float, float]] = []

    def note(observation: Observation) -> None:
        closes = observation.history("close", 5)
        seen.append((observation.step, float(closes[-1, 0]), observation.portfolio.equity))

    session, past = walked(deck, replace(WINDOW, strategy=spec))
    simulation = session.simulation
    state, _ = simulation.start(simulation.initial())
    simulation.advance(state, note, simulation.total_steps)
    again = []
    for settled in range(1, past.settled + 1):
        observation = past.at(settled).observation
        assert observation is not None
        note(observation)
        again.append(seen.pop())
        with pytest.raises(LookaheadError):
            observation.bar("AAPL", settled)
    assert again == seen


def test_the_past_of_a_run_that_goes_on_goes_on(deck: Deck) -> None:
    """New decisions of the log are taken up; those that nobody has made yet are none."""
    run_id = (session := deck.ready(MANUAL)).run_id
    past = past_of(deck, session)
    far = Order.sell("AAPL", 5, limit=900.0, time_in_force="gtc")
    for step, decision in enumerate([Decision((Order.buy("AAPL", 9), far)), Decision()]):
        deck.service.submit(run_id, step, decision)
        with deck.reader() as reader:
            assert catch_up(past, reader)
        assert past.settled == step + 2
        here, before = past.at(step + 2), past.at(step + 1)
        assert (here.decision, here.source) == (None, None)
        assert (before.decision, before.source) == (decision, "manual")
        assert here.observation is not None
        assert here.observation.step == step + 1
        assert [order.status for order in here.alive] == ["resting"]
        assert [row.quantity for row in here.positions] == [9]
    assert not past.at(1).alive
    assert not past.at(1).positions
    with pytest.raises(StepNotActive, match="look at 0 to 3"):
        past.at(4)


def test_looking_about_in_any_order_gives_the_same(deck: Deck) -> None:
    """Backwards, by leaps and across what is kept: as forwards, whatever was looked at before."""
    _, past = walked(deck, replace(SMA, rules=BUSY))
    forwards = [past.at(settled).state for settled in range(past.settled + 1)]
    assert past.settled > 3 * STRIDE
    for settled in (*range(past.settled, 0, -37), 0, STRIDE, STRIDE + 1, 2 * STRIDE - 1):
        assert past.at(settled).state == forwards[settled]


def test_a_past_grown_in_pieces_equals_one_made_at_once(deck: Deck) -> None:
    """Wherever it is extended, also within what is kept and looked at."""
    session = deck.ready(replace(SMA, rules=BUSY, paused=True))
    past = past_of(deck, session)
    for count in (1, STRIDE - 3, 1, 5, 333, 2 * STRIDE):
        deck.service.step(session.run_id, count)
        with deck.reader() as reader:
            assert catch_up(past, reader)
        whole = past_of(deck, session)
        for settled in (past.settled, past.settled - 1, past.settled // 2, 1):
            assert past.at(settled).state == whole.at(settled).state
            assert past.at(settled).figures == whole.at(settled).figures


def test_other_bars_and_changed_rows_are_named(deck: Deck, tmp_path: Path) -> None:
    """A past over bars that are not the run's, or that leads elsewhere, is not shown."""
    header = "symbol,timestamp,open,high,low,close,volume"
    rows = [f"X,2024-01-{day:02d}T00:00:00Z,10,11,9,{9 + day % 3},100" for day in range(1, 29)]
    file = tmp_path / "bars.csv"
    file.write_text("\n".join([header, *rows]))
    session = deck.start(RunRequest("buy_and_hold", source=f"csv:{file}", baselines=False))
    assert session.closed.wait(60)
    other = deck.start(replace(WINDOW))
    assert other.closed.wait(60)
    with deck.reader() as reader, pytest.raises(BarsChanged, match="not those the run began with"):
        open_past(reader, session.run_id, other.simulation.panel)
    key = session.run_key
    deck.ledger.write(
        lambda conn: conn.execute(
            "UPDATE equity_points SET equity = equity + 1 WHERE run_key = ? AND step_index = 7",
            (key,),
        )
    )
    with deck.reader() as reader, pytest.raises(LedgerCorrupt, match="at step 7"):
        open_past(reader, session.run_id, session.simulation.panel)


def test_no_array_of_a_moment_leads_to_the_future(deck: Deck) -> None:
    """Whatever a moment hands out ends with its bar, and is no window on something longer."""
    _, past = walked(deck, replace(WINDOW, rules=BUSY))
    moment = past.at(200)
    observation = moment.observation
    assert observation is not None
    arrays = [observation.history("close", 10_000), observation.indicator("rsi", 14)]
    arrays.append(moment.fills.rows)  # type: ignore[attr-defined]
    for array in arrays:
        assert array.base is None or array.base.nbytes <= array.nbytes
    assert len(arrays[0]) == 200
    assert max(fill.step_index for fill in moment.fills) < 200
    assert all((order.closed_step or 0) < 200 for order in moment.orders)
    assert isinstance(np.asarray(arrays[0]), np.ndarray)
