"""Verification of runs however they ended and however they were driven."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.model import Costs, Decision, Order, OrderRecord, Rules, RunRequest
from engine.runs.lifecycle import Status
from engine.runs.recount import compare_account, recount_cash
from engine.runs.verification import (
    Difference,
    Rows,
    Verification,
    asked,
    blame_decision,
    compare_chain,
    compare_curves,
    compare_rows,
    expected_commits,
)
from engine.runs.verify import verify
from tests.runs.conftest import MANUAL, SMA, Deck

AAPL = ("AAPL",)


def verified(deck: Deck, run_id: str) -> Verification:
    with deck.reader() as reader:
        return verify(reader, run_id)


def outcomes(found: Verification) -> dict[str, str]:
    return {check.name: check.outcome for check in found.checks}


def assert_agrees(found: Verification) -> None:
    """Nothing differs and the replay was made."""
    assert found.ok, str(found.first)
    assert outcomes(found)["money"] == "passed"


@pytest.mark.parametrize(
    "rules",
    [
        Rules(),
        Rules(fill="close"),
        Rules(lot=1e-9, costs=Costs(commission_min=1.0, commission_per_share=0.005)),
        Rules(cash=2_000.0, participation=0.0001, allow_short=True),
    ],
    ids=["default", "close", "fractions", "short"],
)
@pytest.mark.parametrize("strategy", ["buy_and_hold", "sma_cross", "rsi_reversion", "momentum"])
def test_every_completed_run_agrees(deck: Deck, strategy: str, rules: Rules) -> None:
    """Whatever the rules: complete, nothing unchecked, nothing different."""
    record = deck.run(replace(SMA, strategy=strategy, rules=rules))
    found = verified(deck, record.run_id)
    assert_agrees(found)
    assert found.complete
    assert found.settled == record.total_steps


def test_orders_cut_short_by_a_cancel_are_known(deck: Deck) -> None:
    """What a cancel found alive ended `run_ended`; the replay expects just that."""
    session = deck.ready(MANUAL)
    resting = Order.buy("AAPL", 10, limit=1.0, time_in_force="gtc")
    deck.service.submit(session.run_id, 0, Decision((resting,)))
    deck.service.step(session.run_id, 3)
    deck.service.cancel(session.run_id)
    with deck.reader() as reader:
        (order,) = reader.orders(session.run_id)
    assert (order.status, order.reason, order.closed_step) == ("cancelled", "run_ended", 4)
    found = verified(deck, session.run_id)
    assert_agrees(found)
    assert outcomes(found)["row"] == "passed"


def test_a_failed_run_agrees_as_far_as_it_came(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """A strategy that raises at step 30 leaves orders that end with the run."""
    spec = strategy_file(
        "if obs.step == 30:\n    raise RuntimeError('enough')\n"
        "return Order.buy('AAPL', 1, limit=0.5, time_in_force='gtc')"
    )
    record = deck.run(RunRequest(spec, symbols=AAPL, baselines=False))
    assert record.status == Status.FAILED
    found = verified(deck, record.run_id)
    assert_agrees(found)
    assert found.settled == 31


def test_a_run_cancelled_over_a_strategy_s_head_agrees(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """A cancel that did not wait for a strategy leaves running figures, and they follow."""
    spec = strategy_file(
        "import pathlib, time\n"
        f"gate = pathlib.Path({str(tmp_path / 'gate')!r})\n"
        "if obs.step == 20:\n"
        "    (gate.parent / 'there').touch()\n"
        "    while not gate.exists():\n"
        "        time.sleep(0.01)\n"
        "return Target('AAPL', 0.5) if obs.step == 2 else None"
    )
    session = deck.start(RunRequest(spec, symbols=AAPL, baselines=False, speed=90.0))
    waiting = threading.Event()
    while not (tmp_path / "there").exists():
        waiting.wait(0.01)
    deck.service.cancel(session.run_id)
    (tmp_path / "gate").touch()
    found = verified(deck, session.run_id)
    assert found.status == Status.CANCELLED
    assert_agrees(found)


def test_a_live_run_agrees_up_to_its_last_commit(deck: Deck) -> None:
    """A person's run in the middle: everything but the row's own hash, which comes at its end."""
    session = deck.ready(MANUAL)
    deck.service.submit(session.run_id, 0, Decision((Order.buy("AAPL", 10),)))
    deck.service.step(session.run_id, 5)
    found = verified(deck, session.run_id)
    assert_agrees(found)
    assert outcomes(found)["row"] == "unchecked"
    assert found.settled == 7


def test_a_run_that_has_settled_nothing_agrees(deck: Deck) -> None:
    """Prepared and cancelled before a bar was read: nothing to replay, nothing wrong."""
    session = deck.service.create(SMA)
    deck.service.cancel(session.run_id)
    found = verified(deck, session.run_id)
    assert found.ok
    assert outcomes(found)["bars"] == "unchecked"
    assert outcomes(found)["row"] == "passed"


def test_an_interrupted_and_resumed_run_agrees(open_deck: Callable[..., Deck]) -> None:
    """Commits of two owners make one chain."""
    first = open_deck()
    session = first.ready(replace(SMA, paused=True))
    first.service.step(session.run_id, 700)
    first.close()
    second = open_deck()
    taken = second.service.take_up(session.run_id, play=True)
    second.host.enqueue(taken)
    assert taken.closed.wait(60)
    found = verified(second, session.run_id)
    assert_agrees(found)
    assert found.complete


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_splits_and_dividends_are_counted_again(deck: Deck, tmp_path: Path, fill: str) -> None:
    """Cash in lieu, a dividend paid later, one unpaid at the end: money follows from fills."""
    days = range(1, 29)
    bars = tmp_path / "bars.csv"
    lines = [f"AAA,2024-01-{day:02d},10,11,9,10.{day},1000" for day in days]
    lines += [f"BBB,2024-01-{day:02d},20,22,19,20.{day},1000" for day in days]
    bars.write_text("\n".join(["symbol,timestamp,open,high,low,close,volume", *lines]) + "\n")
    actions = tmp_path / "actions.csv"
    actions.write_text(
        "symbol,ex_date,kind,value,pay_date\n"
        "AAA,2024-01-10,split,1.5,\n"
        "AAA,2024-01-15,dividend,0.25,2024-01-20\n"
        "BBB,2024-01-15,split,0.3,\n"
        "BBB,2024-01-15,dividend,0.5,\n"
        "BBB,2024-01-26,dividend,0.5,2024-03-01\n"
    )
    request = RunRequest(
        "buy_and_hold",
        source=f"csv:{bars}",
        actions=str(actions),
        calendar="none",
        baselines=False,
        rules=replace(Rules(fill="close" if fill == "close" else "next_open"), cash=1_001.0),
    )
    record = deck.run(request)
    assert record.status == Status.COMPLETED, record.error_message
    with deck.reader() as reader:
        kinds = [flow.kind for flow in reader.cash_flows(record.run_id)]
    assert kinds.count("dividend") == 2
    assert "cash_in_lieu" in kinds
    found = verified(deck, record.run_id)
    assert_agrees(found)
    assert found.complete


def test_a_ruined_run_agrees(deck: Deck, tmp_path: Path) -> None:
    """A short that a rise ruins ends the run before its data does."""
    prices = [10, 10, 10, 30, 60, 90, 90, 90]
    bars = tmp_path / "bars.csv"
    lines = [
        f"AAA,2024-01-{day:02d},{price},{price},{price},{price},100000"
        for day, price in enumerate(prices, start=1)
    ]
    bars.write_text("\n".join(["symbol,timestamp,open,high,low,close,volume", *lines]) + "\n")
    tape = tmp_path / "tape.jsonl"
    tape.write_text('{"step": 0, "orders": [{"symbol":"AAA","side":"sell","quantity":90}]}\n')
    record = deck.run(
        RunRequest(
            f"tape:{tape}",
            source=f"csv:{bars}",
            calendar="none",
            baselines=False,
            rules=Rules(cash=1_000.0, allow_short=True),
        )
    )
    assert (record.status, record.end_reason) == (Status.COMPLETED, "ruin")
    assert record.total_steps is not None
    assert record.step_index < record.total_steps
    found = verified(deck, record.run_id)
    assert_agrees(found)
    assert found.complete


# -- the comparisons, by themselves ---------------------------------------------------------------


def order(order_id: str, step: int, quantity: float = 10.0, status: str = "filled") -> OrderRecord:
    return OrderRecord(
        order_id, step, "AAA", "buy", "market", "shares", quantity, quantity, None, None, "day",
        None, None, status, None, quantity, step + 1,
    )  # fmt: skip


def rows_of(expected: list[OrderRecord], got: list[OrderRecord]) -> Rows:
    return Rows(
        "orders",
        OrderRecord._fields,
        {row.order_id: row for row in expected},
        {row.order_id: row for row in got},
        lambda row: int(row[1]),
    )


def test_the_first_of_many_differences_is_the_earliest_step() -> None:
    """Not the first row that was listed."""
    expected = [order("9-0", 9), order("2-0", 2), order("5-0", 5)]
    got = [order("9-0", 9, status="expired"), order("2-0", 2), order("5-0", 5, quantity=11.0)]
    first, count = compare_rows(rows_of(expected, got))
    assert first == Difference("orders", 5, "5-0", "requested_quantity", 10.0, 11.0)
    assert count == 2


def test_equal_rows_have_no_difference() -> None:
    """Order of listing does not matter."""
    rows = [order("1-0", 1), order("2-0", 2)]
    assert compare_rows(rows_of(rows, rows[::-1])) == (None, 0)


def test_an_order_s_own_outcome_is_not_the_decision_s_fault() -> None:
    """A decision is blamed only where its orders ask for something else."""
    decisions = {3: Decision((Order.buy("AAA", 10.0),))}
    difference = Difference("orders", 3, "3-0", "status", "filled", "expired")
    same = [order("3-0", 3)], [order("3-0", 3, status="expired")]
    assert blame_decision(difference, decisions, *same) is None
    other = [order("3-0", 3)], [order("3-0", 3, quantity=7.0)]
    blamed = blame_decision(difference, decisions, *other)
    assert blamed is not None
    assert (blamed.table, blamed.step, blamed.column) == ("steps", 3, "decision")


def test_a_target_s_side_is_no_part_of_what_was_asked() -> None:
    """It is found when the target is sized."""
    sized = order("1-0", 1)._replace(quantity_type="target_weight")
    assert asked([sized]) == asked([sized._replace(side=None)])


@pytest.mark.parametrize(
    ("steps", "values", "expected"),
    [
        ([0, 1, 2], [1.0, 2.0, 3.0], None),
        ([0, 2], [1.0, 3.0], ("equity", 1, "row")),
        ([0, 1, 2, 3], [1.0, 2.0, 3.0, 4.0], ("equity", 3, "row")),
        ([0, 1, 2], [1.0, 2.5, 3.5], ("equity", 1, "equity")),
    ],
)
def test_a_curve_s_first_difference(
    steps: list[int], values: list[float], expected: tuple[str, int, str] | None
) -> None:
    """A row missing, one too many, a value that is off."""
    stamps = np.array([10, 20, 30, 40])
    should = np.array([1.0, 2.0, 3.0])
    first, _ = compare_curves(
        stamps[:3],
        {"equity": should},
        np.array(steps),
        stamps[np.array(steps)],
        {"equity": np.array(values)},
    )
    assert (None if first is None else (first.table, first.step, first.column)) == expected


def test_progress_tells_which_commits_there_must_be() -> None:
    """The last decision closes the same step again; a rewind takes back what it cut."""
    assert expected_commits([(0, 1), (1, 5), (5, 9), (9, 9)]) == [0, 4, 8]
    assert expected_commits([(0, 1), (1, 5), (5, 9), (5, 7)]) == [0, 4, 6]
    assert expected_commits([(0, 0), (0, 4)]) == [-1, 3]


def test_a_chain_s_first_broken_link() -> None:
    """Missing, too many, or another digest; an unknown digest is not compared."""
    assert compare_chain({1: "a", 3: None}, {1: "a", 3: "x"}) == (None, 0)
    first, count = compare_chain({1: "a", 3: "b"}, {1: "a", 5: "c"})
    assert (first and first.step, first and first.column, count) == (3, "row", 2)
    first, _ = compare_chain({1: "a"}, {1: "z"})
    assert first == Difference("commits", 1, None, "digest", "a", "z")


def test_rounding_is_no_difference_and_a_cent_is() -> None:
    """Money agrees within 1e-6 (policy M1)."""
    cash = recount_cash(100.0, 3, [], [])
    assert compare_account("cash", cash, cash + 1e-9) == (None, 0)
    first, count = compare_account("cash", cash, cash + np.array([0.0, 0.01, 0.0]))
    assert first == Difference("equity", 1, None, "cash", 100.0, 100.01)
    assert count == 1
