"""Rewind: an earlier step becomes the present, bit for bit as if the run had never gone on."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.errors import (
    BarsChanged,
    InvalidOption,
    LedgerWriteFailed,
    RunNotActive,
    StepdeckError,
    StepRewound,
    StrategyChanged,
    StrategyDiverged,
)
from engine.failpoints import armed
from engine.model import Costs, Decision, FillRule, Order, Rules, RunRequest
from engine.runs.lifecycle import Status
from engine.runs.rewind import refuse_rewound_id
from engine.runs.session import Session
from engine.runs.verify import verify
from engine.store.cut import Cut, cut
from engine.store.schema import RUN_COLUMNS
from tests.runs.conftest import MANUAL, SMA, Deck

WINDOW = replace(SMA, start=date(2007, 6, 1), end=date(2009, 3, 31))
BUSY = Rules(cash=20_000.0, costs=Costs(commission_per_share=0.01), participation=0.0001)
BRACKETS = """
if obs.step % 7 == 0:
    price = float(obs.history("close", 1)[-1, 0])
    symbol = obs.symbols[0]
    return [
        Order.buy(symbol, 40),
        Order.sell(symbol, 30, limit=price * 1.03, time_in_force="gtc", oco_group="b"),
        Order.sell(symbol, 30, stop=price * 0.97, time_in_force="gtc", oco_group="b"),
    ]
return None
"""
# Of a run, whatever does not name it, its owner or the clock.
ROWS = {
    "steps": "step_index, ts, status, decision_source, decision, result",
    "orders": "order_id, step_index, symbol, side, order_type, quantity_type, requested_quantity, "
    "quantity, limit_price, stop_price, time_in_force, oco_group, tag, status, reason, "
    "filled_quantity, closed_step",
    "fills": "fill_id, order_id, step_index, ts, symbol, side, quantity, price, reference_price, "
    "commission, fees, slippage, realized_pnl, position_after, avg_cost_after",
    "equity": "step_index, ts, equity, cash",
    "cash_flows": "step_index, ts, symbol, kind, quantity, amount, realized_pnl",
    "positions": "symbol, quantity, avg_cost, last_price",
}
COLUMNS = (
    "status, end_reason, step_index, equity, cash, total_return, max_drawdown, sharpe, sortino, "
    "num_fills, num_trades, total_costs, timeout_holds, metrics"
)
TABLES = ("steps", "orders", "fills", "equity", "cash_flows")


def query(deck: Deck, sql: str, *values: object) -> list[Any]:
    with closing(sqlite3.connect(deck.ledger.path)) as conn:
        return conn.execute(sql, values).fetchall()


def rows(deck: Deck, run_id: str) -> dict[str, list[Any]]:
    """Everything the run effectively is."""
    found = {
        table: query(deck, f"SELECT {columns} FROM {table} WHERE run_id = ? ORDER BY 1, 2", run_id)
        for table, columns in ROWS.items()
    }
    found["runs"] = query(deck, f"SELECT {COLUMNS} FROM runs WHERE run_id = ?", run_id)
    with deck.reader() as reader:
        found["digest"] = [reader.commits(run_id)[-1].digest]
    return found


def everything(deck: Deck) -> list[Any]:
    """Every row of every table of the ledger; the heartbeat goes on whatever happens."""
    names = query(
        deck, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    columns = ", ".join(f'"{name}"' for name in RUN_COLUMNS if not name.startswith("heartbeat"))
    return [
        query(deck, f"SELECT {columns if name == 'runs' else '*'} FROM {name}")
        for (name,) in sorted(names)
    ]


def assert_verified(deck: Deck, run_id: str) -> None:
    with deck.reader() as reader:
        found = verify(reader, run_id)
    assert found.ok, str(found.first)
    assert {check.name: check.outcome for check in found.checks}["chain"] == "passed"


def stepped(deck: Deck, request: RunRequest, steps: int) -> Session:
    """A run that has made so many decisions and is paused."""
    session = deck.ready(replace(request, paused=True))
    if steps:
        deck.service.step(session.run_id, steps)
    return session


def finish(deck: Deck, session: Session) -> None:
    deck.service.resume(session.run_id)
    assert session.closed.wait(60)


def requests(strategy_file: Callable[[str], str], name: str) -> RunRequest:
    bracket = replace(WINDOW, strategy=strategy_file(BRACKETS))
    return {
        "sma": WINDOW,
        "sma-close": replace(WINDOW, rules=Rules(fill="close")),
        "brackets": replace(bracket, rules=BUSY),
        "brackets-close": replace(bracket, rules=replace(BUSY, fill="close")),
        "splits": replace(
            bracket,
            symbols=None,
            start=None,
            end=None,
            source="synthetic:bars=300,symbols=3,splits=3,dividends=0.1",
            rules=replace(BUSY, participation=0.05),
        ),
    }[name]


KINDS = ("sma", "sma-close", "brackets", "brackets-close", "splits")


@pytest.mark.parametrize("kind", KINDS)
def test_a_rewound_run_is_what_it_was_there(
    deck: Deck, strategy_file: Callable[[str], str], kind: str
) -> None:
    """All rows, columns and the digest are those of a run that stopped there; verify agrees."""
    request = requests(strategy_file, kind)
    for to in (0, 1, 60, 133):
        there = stepped(deck, request, to)
        session = stepped(deck, request, 190)
        record = deck.service.rewind(session.run_id, to)
        assert (record.status, record.rewind_count, record.lease_epoch) == ("paused", 1, 2)
        assert rows(deck, session.run_id) == rows(deck, there.run_id)
        assert_verified(deck, session.run_id)
        for one in (there, session):
            deck.service.cancel(one.run_id)


@pytest.mark.parametrize("kind", KINDS)
def test_and_goes_on_as_if_it_had_never_been_further(
    deck: Deck, strategy_file: Callable[[str], str], kind: str
) -> None:
    """Rewound twice on the way, and played to its end: bit for bit the run that never was."""
    request = requests(strategy_file, kind)
    whole = deck.run(request)
    assert kind != "splits" or len(rows(deck, whole.run_id)["cash_flows"]) >= 5
    session = stepped(deck, request, 100)
    deck.service.rewind(session.run_id, 37)
    deck.service.step(session.run_id, 90)
    deck.service.rewind(session.run_id, 5)
    finish(deck, session)
    record = deck.service.record(session.run_id)
    assert (record.status, record.rewind_count, record.error_message) == ("completed", 2, None)
    assert rows(deck, session.run_id) == rows(deck, whole.run_id)
    assert_verified(deck, session.run_id)


def test_the_tail_is_kept_and_nothing_else_is_moved(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """What was cut stands under its rewind, row for row; what stays is untouched."""
    session = stepped(deck, requests(strategy_file, "brackets"), 120)
    run_id = session.run_id
    was = {
        table: query(deck, f"SELECT * FROM {table} WHERE run_id = ?", run_id) for table in TABLES
    }
    deck.service.rewind(run_id, 64)
    for table in TABLES:
        now = query(deck, f"SELECT * FROM {table} WHERE run_id = ?", run_id)
        gone = query(deck, f"SELECT * FROM discarded_{table} WHERE run_id = ?", run_id)
        assert gone or table == "cash_flows"
        assert {row[1] for row in gone} <= {1}
        kept = {(row[0], *row[2:]) for row in gone}
        # Every row is where it was, or with the discarded; a reopened order is in both.
        assert set(was[table]) <= kept | set(now), table
        assert kept <= set(was[table]), table
        if table != "orders":
            assert not kept & set(now), table
            assert len(kept) + len(now) == len(was[table]), table
    assert min(query(deck, "SELECT step_index FROM discarded_equity")) == (65,)
    assert min(query(deck, "SELECT step_index FROM discarded_steps"))[0] >= 64
    commits = query(deck, "SELECT last_step FROM commits WHERE run_id = ?", run_id)
    assert max(commits) == (64,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DELETE FROM discarded_equity WHERE step_index = 30", "rewind 1"),
        ("DELETE FROM discarded_equity WHERE rewind_count = 2", "rewind 2"),
        ("UPDATE runs SET rewind_count = 3", "rewind_count"),
    ],
)
def test_verify_looks_at_what_was_cut_off(deck: Deck, change: str, said: str) -> None:
    """A tail that is not whole, or a rewind that is not on record, is named."""
    session = stepped(deck, WINDOW, 60)
    deck.service.rewind(session.run_id, 20)
    deck.service.step(session.run_id, 5)
    deck.service.rewind(session.run_id, 10)
    assert_verified(deck, session.run_id)
    deck.service.interrupt(session)
    deck.ledger.write(lambda conn: conn.execute(change).rowcount)
    with deck.reader() as reader:
        found = verify(reader, session.run_id)
    assert {check.name for check in found.checks if check.outcome == "differs"} == {"rewinds"}
    assert said in str(found.first)


def test_orders_that_were_alive_are_reopened(deck: Deck) -> None:
    """A GTC order that filled later rests again, and fills again when the run goes on."""
    run_id = deck.ready(MANUAL).run_id
    buy = Order.buy("AAPL", 10, limit=1_000.0, time_in_force="gtc", tag="filled")
    rest = Order.buy("AAPL", 10, limit=1.0, time_in_force="gtc", tag="rests")
    drop = Order.sell("AAPL", 5, limit=900.0, time_in_force="gtc", tag="cancelled")
    deck.service.submit(run_id, 0, Decision((rest,)))
    deck.service.submit(run_id, 1, Decision((buy, drop)))
    deck.service.submit(run_id, 2, Decision(cancels=("cancelled",)))
    deck.service.submit(run_id, 3, Decision(cancels=("rests",)))
    deck.service.rewind(run_id, 1)
    with deck.reader() as reader:
        assert [(order.tag, order.status) for order in reader.orders(run_id)] == [
            ("rests", "resting")
        ]
        assert reader.positions(run_id) == []
    gone = query(deck, "SELECT tag, status FROM discarded_orders ORDER BY tag")
    assert gone == [("cancelled", "cancelled"), ("filled", "filled"), ("rests", "cancelled")]
    record = deck.service.submit(run_id, 1, Decision((buy,)))
    with deck.reader() as reader:
        assert [(order.tag, order.status) for order in reader.orders(run_id)] == [
            ("rests", "resting"),
            ("filled", "filled"),
        ]
    assert (record.step_index, record.num_fills) == (3, 1)
    assert_verified(deck, run_id)


def test_a_running_run_is_paused_there(deck: Deck) -> None:
    """A rewind of a run on the move commits, cuts and pauses it: legal transitions only."""
    session = deck.start(replace(WINDOW, speed=300.0))
    with deck.reader() as reader:
        while reader.run(session.run_id).step_index < 30:
            assert not session.closed.is_set()
        record = deck.service.rewind(session.run_id, 10)
        assert (record.status, record.step_index) == ("paused", 11)
        states = [
            (event.data["from"], event.data["to"])
            for event in reader.events_after(0, run_id=session.run_id)
            if event.kind == "status"
        ]
    assert states[-2:] == [("loading", "running"), ("running", "paused")]
    finish(deck, session)
    assert_verified(deck, session.run_id)


def test_an_interrupted_run_is_rewound_and_left(deck: Deck) -> None:
    """It is adopted, cut and left; taken up, it is paused there and comes to the same end."""
    whole = deck.run(WINDOW)
    session = stepped(deck, WINDOW, 90)
    deck.service.interrupt(session)
    record = deck.service.rewind(session.run_id, 40)
    assert (record.status, record.step_index) == ("interrupted", 41)
    assert (record.rewind_count, record.lease_epoch) == (1, 3)
    assert_verified(deck, session.run_id)
    again = deck.service.take_up(session.run_id)
    deck.host.enqueue(again)
    assert deck.host.wait_idle(60)
    assert deck.service.record(session.run_id).status == Status.PAUSED
    finish(deck, again)
    assert rows(deck, session.run_id) == rows(deck, whole.run_id)


def test_a_run_that_ended_is_not_rewound(deck: Deck) -> None:
    """It never changes: the refusal names the fork."""
    done = deck.run(WINDOW)
    before = everything(deck)
    with pytest.raises(RunNotActive, match=f"`stepdeck fork {done.run_id} --at N`"):
        deck.service.rewind(done.run_id, 10)
    assert everything(deck) == before


@pytest.mark.parametrize("left", [False, True])
def test_only_a_step_it_has_come_to(deck: Deck, left: bool) -> None:
    """Below 0 or past the present is refused; the present itself pauses and cuts nothing."""
    session = stepped(deck, WINDOW, 20)
    if left:
        deck.service.interrupt(session)
    before = everything(deck)
    for step in (-1, 21):
        with pytest.raises(InvalidOption, match="give 0 to 20"):
            deck.service.rewind(session.run_id, step)
    assert deck.service.rewind(session.run_id, 20).rewind_count == 0
    assert everything(deck) == before


def test_what_was_seen_before_answers_step_rewound(deck: Deck) -> None:
    """Ids, epochs and keys of the discarded future never land in the new one; kept ones hold."""
    session = deck.ready(MANUAL)
    run_id = session.run_id
    for step in range(6):
        deck.service.submit(run_id, step, Decision((Order.buy("AAPL", 1),)), key=f"k{step}")
    ids = [row.step_id for row in deck.reader().steps(run_id)]
    deck.service.rewind(run_id, 3)
    before = everything(deck)
    buy = Decision((Order.buy("AAPL", 1),))
    for step in (3, 4, 5):
        with pytest.raises(StepRewound, match="rewound to step 3"):
            deck.service.submit(run_id, step, buy, epoch=1)
        with pytest.raises(StepRewound):
            deck.service.submit(run_id, step, buy, key=f"k{step}")
        with pytest.raises(StepRewound):
            refuse_rewound_id(session.metadata, ids[step])
    with pytest.raises(StepRewound):
        deck.service.submit(run_id, 3, Decision(), key="k5")
    with pytest.raises(StepRewound):
        deck.service.rewind(run_id, 3, epoch=1)
    assert deck.service.submit(run_id, 2, buy, key="k2").step_index == 4
    refuse_rewound_id(session.metadata, ids[2])
    assert everything(deck) == before
    deck.service.submit(run_id, 3, buy, key="new", epoch=2)
    (row,) = deck.reader().steps(run_id, since=3)
    assert row.step_id == f"{run_id}.1.3"
    refuse_rewound_id(session.metadata, row.step_id)


def test_a_late_batch_of_the_old_epoch_is_fenced(deck: Deck) -> None:
    """Steps computed before the rewind and written after it land nowhere."""
    session = stepped(deck, WINDOW, 30)
    other = deck.service.record(session.run_id).lease_epoch
    progress = session.progress
    assert progress is not None
    deck.service.rewind(session.run_id, 10)
    state, result = progress.simulation.step(progress.state, Decision())
    session.progress = progress
    progress.take(state, result)
    session.epoch = other
    deck.service.committer.add(session, result, "strategy")
    before = everything(deck)
    with pytest.raises(Exception, match="no longer this process's"):
        deck.service.flush(session, wait=True)
    assert everything(deck) == before


@pytest.mark.parametrize("point", ["rewind.before", "rewind.leased", "rewind.moved",
                                   "rewind.written", "commit.before"])  # fmt: skip
def test_a_rewind_that_dies_has_changed_nothing(deck: Deck, point: str) -> None:
    """Wherever writing fails, every row is as it was, and the run goes on to its result."""
    whole = deck.run(WINDOW)
    session = stepped(deck, WINDOW, 50)
    before = everything(deck)
    with armed(point, "error"), pytest.raises(LedgerWriteFailed):
        deck.service.rewind(session.run_id, 20)
    assert everything(deck) == before
    finish(deck, session)
    assert rows(deck, session.run_id) == rows(deck, whole.run_id)


def test_a_strategy_that_would_decide_otherwise_stays_where_it_is(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """Hidden state is found while the strategy is warmed; so is another source."""
    flag = tmp_path / "flag"
    body = (
        "import pathlib\n"
        f"there = pathlib.Path({str(flag)!r}).exists()\n"
        "return Order.buy(obs.symbols[0], 2 if there and obs.step == 6 else 1)"
    )
    session = stepped(deck, replace(WINDOW, strategy=strategy_file(body)), 20)
    before = everything(deck)
    flag.touch()
    with pytest.raises(StrategyDiverged, match="at step 6"):
        deck.service.rewind(session.run_id, 10)
    assert everything(deck) == before
    flag.unlink()
    strategy_file(body.replace("== 6", "== 7"))
    with pytest.raises(StrategyChanged):
        deck.service.rewind(session.run_id, 10)
    assert everything(deck) == before
    strategy_file(body)
    assert deck.service.rewind(session.run_id, 10).step_index == 11


def test_a_cancelled_run_is_warmed_no_further(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """A cancel in the midst of a rewind's warming ends both at once: the strategy is not called
    for the steps that are left, and nothing was cut."""
    calls, cancelling = tmp_path / "calls", tmp_path / "cancelling"
    body = (
        "import pathlib, time\n"
        f"if pathlib.Path({str(cancelling)!r}).exists():\n"
        f"    with pathlib.Path({str(calls)!r}).open('a') as file:\n"
        "        file.write('.')\n"
        "    time.sleep(0.02)\n"
        "return None"
    )
    session = stepped(deck, replace(WINDOW, strategy=strategy_file(body)), 300)
    cancelling.touch()
    refused: list[StepdeckError] = []

    def rewind() -> None:
        try:
            deck.service.rewind(session.run_id, 290)
        except StepdeckError as error:
            refused.append(error)

    rewinding = threading.Thread(target=rewind)
    rewinding.start()
    while not calls.exists():
        assert rewinding.is_alive()
    record = deck.service.cancel(session.run_id)
    rewinding.join(60)
    assert (record.status, record.step_index, record.rewind_count) == ("cancelled", 301, 0)
    assert len(refused) == 1
    assert len(calls.read_text()) < 290
    assert deck.service.record(session.run_id) == record


def test_a_strategy_s_memory_goes_back_with_it(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """A strategy that counts its own calls decides as one that never saw the discarded future."""
    body = (
        "self.calls = getattr(self, 'calls', 0) + 1\n"
        "return Order.buy(obs.symbols[0], self.calls) if self.calls % 3 == 0 else None"
    )
    request = replace(WINDOW, strategy=strategy_file(body))
    whole = deck.run(request)
    session = stepped(deck, request, 40)
    deck.service.rewind(session.run_id, 11)
    finish(deck, session)
    assert rows(deck, session.run_id) == rows(deck, whole.run_id)


def test_an_interrupted_run_on_other_bars_is_left_as_it_was(deck: Deck, tmp_path: Path) -> None:
    """bars_changed names the difference; not a row is touched."""
    file = tmp_path / "bars.csv"
    lines = [f"X,2024-01-{day:02d}T00:00:00Z,10,11,9,10,100" for day in range(1, 29)]
    header = "symbol,timestamp,open,high,low,close,volume"
    file.write_text("\n".join([header, *lines]))
    request = RunRequest("buy_and_hold", source=f"csv:{file}", baselines=False)
    session = stepped(deck, request, 9)
    deck.service.interrupt(session)
    session.bars = None
    file.write_text("\n".join([header, *lines]).replace(",10,100", ",10.5,100"))
    before = everything(deck)
    with pytest.raises(BarsChanged):
        deck.service.rewind(session.run_id, 3)
    assert everything(deck) == before


def test_a_cut_without_the_lease_or_past_the_run_writes_nothing(deck: Deck) -> None:
    """The store's own guard: another owner, epoch or status lands nowhere."""
    session = stepped(deck, WINDOW, 20)
    good = Cut(
        run_id=session.run_id, run_key=session.run_key, owner=deck.service.instance.id, epoch=1,
        decided=5, settled=6, fills=0, orders=(), holdings=(), digest="d", at="now",
    )  # fmt: skip
    before = everything(deck)
    for wrong in (replace(good, owner="other"), replace(good, epoch=2)):
        assert not deck.ledger.write(partial(cut, cut=wrong))
    with pytest.raises(Exception, match="was to be cut at 99"):
        deck.ledger.write(partial(cut, cut=replace(good, settled=99)))
    deck.service.set_speed(session.run_id, 0.001)
    deck.service.resume(session.run_id)
    assert not deck.ledger.write(partial(cut, cut=good))
    deck.service.pause(session.run_id)
    kept = deck.service.record(session.run_id)
    assert (kept.rewind_count, kept.lease_epoch) == (0, 1)
    assert len(before) == len(everything(deck))


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_a_run_never_begun_has_nothing_to_rewind(deck: Deck, fill: FillRule) -> None:
    """At 0 it stays as it is."""
    session = deck.service.create(replace(WINDOW, rules=Rules(fill=fill)))
    deck.service.interrupt(session)
    before = everything(deck)
    assert deck.service.rewind(session.run_id, 0).rewind_count == 0
    assert everything(deck) == before
