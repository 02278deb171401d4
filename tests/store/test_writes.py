"""The writes: conditional on lease and state, whole or not at all, no figure that is none."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import LedgerRefused, RunNotFound
from engine.model import CashFlow
from engine.store import writes
from engine.store.ledger import Ledger
from tests.store.kit import (
    AT,
    HOUR,
    OPEN,
    add,
    batch,
    busy_batch,
    end,
    fill,
    order,
    process,
    said,
    start,
    step,
    tell,
)

LATER = "2026-03-02T15:00:00.000Z"


def everything(ledger: Ledger) -> dict[str, list[Any]]:
    """Every row of every table."""

    def read(conn: sqlite3.Connection) -> dict[str, list[Any]]:
        names = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: conn.execute(f"SELECT * FROM {name}").fetchall() for (name,) in names}

    return ledger.write(read)


def move(ledger: Ledger, to: str, **over: Any) -> bool:
    asked: dict[str, Any] = {
        "sources": ("running",),
        "to": to,
        "owner": "me",
        "epoch": 1,
        "reason": None,
        "at": LATER,
        "columns": {},
        **over,
    }
    return ledger.write(lambda conn: writes.transition(conn, "run-1", **asked))


# -- append -------------------------------------------------------------------------------------


def test_append_reads_back(ledger: Ledger) -> None:
    """Every value of a batch is in its row, and the run's row moves with it."""
    key = start(ledger)
    part = busy_batch(key, 0, columns={"equity": 99.5, "cash": 12.25, "num_fills": 1})
    assert add(ledger, part)
    with ledger.reader() as reader:
        run = reader.run("run-1")
        assert (run.step_index, run.equity, run.cash, run.num_fills) == (1, 99.5, 12.25, 1)
        assert run.updated_at == AT
        steps, stamps, equity, cash = reader.equity("run-1")
        assert [list(column) for column in (steps, stamps, equity, cash)] == [[0], [OPEN], [0], [0]]
        assert reader.orders("run-1") == part.orders
        assert reader.fills("run-1") == [fill(0, 0, 0)]
        assert reader.cash_flows("run-1") == part.cash_flows
        (row,) = reader.steps("run-1")
        assert row == (*step(0), 1)
        (held,) = reader.positions("run-1")
        assert held == ("AAPL", 10.0, 100.0, 110.0, 1100.0, 100.0)
        assert reader.commits("run-1") == [(0, "digest-1", 1)]
        assert reader.events_after(1)[0][1:] == ("run-1", AT, "progress", {"from": 0, "to": 1})


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 149, 5_000])
def test_every_equity_row_lands(ledger: Ledger, count: int) -> None:
    """Rows go many to a statement; none is lost or moved at the seams."""
    key = start(ledger)
    assert add(ledger, batch(key, 0, 3))
    assert add(ledger, batch(key, 3, count))
    with ledger.reader() as reader:
        rows = reader.equity("run-1")
        want = np.arange(3 + count)
        assert (rows.steps == want).all()
        assert (rows.stamps == OPEN + want * HOUR).all()
        assert (rows.equity == want).all()
        assert (rows.cash == want / 2).all()
        assert reader.run("run-1").step_index == 3 + count


def test_figures_keep_every_bit(ledger: Ledger) -> None:
    """Doubles come back bit for bit, stamps to the microsecond."""
    key = start(ledger)
    equity = np.array([0.1 + 0.2, math.pi, 5e-324, 1.7976931348623157e308, 100_000.0])
    stamps = OPEN + np.arange(5) * 1_000_001
    part = batch(key, 0, 5, equity=equity, stamps=stamps)
    assert add(ledger, part)
    with ledger.reader() as reader:
        rows = reader.equity("run-1")
        assert rows.equity.tobytes() == equity.tobytes()
        assert rows.stamps.tolist() == stamps.tolist()


def test_last_touch_of_an_order_counts(ledger: Ledger) -> None:
    """An order that changes, within a batch or in a later one, has one row: how it is now."""
    key = start(ledger)
    resting = order(0, 0, status="resting", filled_quantity=0.0, closed_step=None)
    partial = resting._replace(filled_quantity=4.0)
    done = resting._replace(status="filled", filled_quantity=10.0, closed_step=1)
    first = batch(key, 0, 1, orders=[resting, order(0, 1), partial])
    assert add(ledger, first)
    with ledger.reader() as reader:
        assert reader.orders("run-1") == [partial, order(0, 1)]
        assert reader.orders("run-1", alive=True) == [partial]
    assert add(ledger, batch(key, 1, 1, orders=[done]))
    with ledger.reader() as reader:
        assert reader.orders("run-1") == [done, order(0, 1)]
        assert reader.orders("run-1", alive=True) == []


def test_last_decision_settles_nothing(ledger: Ledger) -> None:
    """A batch without equity rows closes the same step again, with its own digest."""
    key = start(ledger)
    assert add(ledger, batch(key, 0, 4))
    final = batch(key, 4, 0, orders=[order(3, 0, status="expired", reason="no_next_bar")])
    final = writes.Append(
        **{name: getattr(final, name) for name in final.__slots__ if name != "digest"},
        digest="final",
    )
    assert add(ledger, final)
    with ledger.reader() as reader:
        assert reader.run("run-1").step_index == 4
        assert reader.commits("run-1") == [(3, "final", 1)]
        assert len(reader.orders("run-1")) == 1


def test_holdings_are_replaced(ledger: Ledger) -> None:
    """What was sold is no position any more; a batch that gives no holdings leaves them."""
    key = start(ledger)
    held = [("AAPL", 10.0, 1.0, 2.0), ("MSFT", 5.0, 3.0, 4.0)]
    for first, holdings, want in (
        (0, held, ["AAPL", "MSFT"]),
        (1, None, ["AAPL", "MSFT"]),
        (2, held[1:], ["MSFT"]),
        (3, [], []),
    ):
        part = batch(key, first, 1, holdings=holdings)
        assert add(ledger, part)
        with ledger.reader() as reader:
            assert [position.symbol for position in reader.positions("run-1")] == want


@pytest.mark.parametrize(
    "lease",
    [
        {"epoch": 0},
        {"epoch": 2},
        {"owner": "somebody"},
        {"sources": ("paused",)},
        {"run_key": 99},
        {"run_id": "run-2"},
    ],
    ids=str,
)
def test_stale_lease_writes_nothing(ledger: Ledger, lease: dict[str, Any]) -> None:
    """A batch under another owner, epoch, status or run adds no row to any table."""
    key = start(ledger)
    start(ledger, "run-2", owner_instance="you")
    before = everything(ledger)
    stale = busy_batch(key, 0)
    stale = writes.Append(**{name: getattr(stale, name) for name in stale.__slots__} | lease)
    assert not add(ledger, stale)
    assert everything(ledger) == before


def test_adopted_owner_is_fenced(path: Path, ledger: Ledger) -> None:
    """A process whose run was adopted meanwhile writes nothing more when it goes on."""
    start(ledger)
    with process("fenced", path) as child:
        assert said(child) == "ready"
        assert take(ledger, "run-1", old_owner="me") == 2
        before = everything(ledger)
        tell(child)
        assert said(child) == "fenced"
    assert everything(ledger) == before


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_nothing_follows_the_end(ledger: Ledger, status: str) -> None:
    """No batch, heartbeat, transition, adoption or cancel lands on a finished run."""
    key = start(ledger)
    assert end(ledger, status=status)
    before = everything(ledger)
    assert not add(ledger, busy_batch(key, 0))
    assert not ledger.write(lambda conn: writes.heartbeat(conn, "run-1", "me", 1, 5, LATER))
    assert not ledger.write(lambda conn: writes.request_cancel(conn, "run-1", LATER))
    assert not move(ledger, "cancelled")
    assert take(ledger, "run-1", old_owner="me") is None
    assert everything(ledger) == before


@pytest.mark.parametrize("first", [0, 2, 4])
def test_batch_must_follow_on(ledger: Ledger, first: int) -> None:
    """A batch that repeats or skips a step is refused whole, and the message says where it is."""
    key = start(ledger)
    assert add(ledger, batch(key, 0, 3))
    before = everything(ledger)
    with pytest.raises(LedgerRefused, match=f"3 settled steps and the batch begins at {first}"):
        add(ledger, busy_batch(key, first))
    assert everything(ledger) == before


NOT_FINITE: dict[str, Callable[[float], dict[str, Any]]] = {
    "equity": lambda bad: {"equity": [bad]},
    "cash": lambda bad: {"cash": [bad]},
    "price": lambda bad: {"fills": [fill(0, 0, 0, price=bad)]},
    "realized_pnl": lambda bad: {"fills": [fill(0, 0, 0, realized_pnl=bad)]},
    "limit_price": lambda bad: {"orders": [order(0, 0, limit_price=bad)]},
    "quantity": lambda bad: {"orders": [order(0, 0, quantity=bad)]},
    "amount": lambda bad: {
        "cash_flows": [CashFlow(0, OPEN, "AAPL", "dividend", 1.0, bad, 0.0)],
    },
    "last_price": lambda bad: {"holdings": [("AAPL", 1.0, 1.0, bad)]},
    "total_return": lambda bad: {"columns": {"total_return": bad}},
    "metrics": lambda bad: {"columns": {"metrics": {"cagr": bad}}},
}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", NOT_FINITE)
def test_no_figure_that_is_none(ledger: Ledger, field: str, bad: float) -> None:
    """NaN and infinities are refused by name: SQLite would store NaN as NULL without a word."""
    key = start(ledger)
    before = everything(ledger)
    part = batch(key, 0, 1, **NOT_FINITE[field](bad))
    with pytest.raises(LedgerRefused, match=field) as caught:
        add(ledger, part)
    assert caught.value.field == field
    assert everything(ledger) == before


def test_columns_of_one_length(ledger: Ledger) -> None:
    """Stamps, equity and cash that do not go together are refused whole."""
    key = start(ledger)
    before = everything(ledger)
    part = batch(key, 0, 3, cash=[1.0, 2.0])
    with pytest.raises(LedgerRefused, match="3 stamps, 3 equity and 2 cash"):
        add(ledger, part)
    assert everything(ledger) == before


def test_one_decision_a_step(ledger: Ledger) -> None:
    """A second decision for a step, or one with a used idempotency key, is refused by the file."""
    key = start(ledger)
    keyed = batch(key, 0, 1, steps=[step(0, idempotency_key="k")])
    assert add(ledger, keyed)
    for again in (step(0), step(1, idempotency_key="k")):
        part = batch(key, 1, 1, steps=[again])
        with pytest.raises(LedgerRefused, match="UNIQUE"):
            add(ledger, part)
    with ledger.reader() as reader:
        assert reader.run("run-1").step_index == 1
        found = reader.step_of_key("run-1", "k")
        assert found is not None
        assert found.step_index == 0
        assert reader.step_of_key("run-1", "other") is None


def test_batch_and_end_in_one_transaction(ledger: Ledger) -> None:
    """A last batch and the end of its run land together or not at all."""
    key = start(ledger)

    def finish(conn: sqlite3.Connection) -> None:
        assert writes.append(conn, batch(key, 0, 5))
        assert writes.transition(
            conn,
            "run-1",
            sources=("running",),
            to="completed",
            owner="me",
            epoch=1,
            reason="end_of_data",
            at=LATER,
            columns={"finished_at": LATER, "metrics": {"cagr": 0.1}},
        )
        raise InterruptedError

    before = everything(ledger)
    with pytest.raises(InterruptedError):
        ledger.write(finish)
    assert everything(ledger) == before


def test_json_columns_take_values(ledger: Ledger) -> None:
    """A JSON column given as text would be read as something else: it is refused."""
    with pytest.raises(LedgerRefused, match="symbols is given as text"):
        start(ledger, symbols="AAPL")


# -- status ---------------------------------------------------------------------------------------


def test_transition_writes_its_event(ledger: Ledger) -> None:
    """A transition that lands sets its columns and leaves one event with from, to and reason."""
    start(ledger)
    assert move(ledger, "paused", reason="by hand", columns={"name": "mine"})
    with ledger.reader() as reader:
        run = reader.run("run-1")
        assert (run.status, run.name, run.updated_at) == ("paused", "mine", LATER)
        event = reader.events_after(1)[0]
        assert event[1:4] == ("run-1", LATER, "status")
        assert event.data == {"from": "running", "to": "paused", "reason": "by hand"}
        assert reader.moved_as("run-1") == "paused"


@pytest.mark.parametrize(
    "over",
    [{"sources": ("paused",)}, {"owner": "you"}, {"epoch": 2}, {"sources": ()}],
    ids=str,
)
def test_transition_is_conditional(ledger: Ledger, over: dict[str, Any]) -> None:
    """From another state or under another lease nothing happens and no event is left."""
    start(ledger)
    before = everything(ledger)
    assert not move(ledger, "paused", **over)
    assert everything(ledger) == before
    assert not ledger.write(
        lambda conn: writes.transition(
            conn,
            "none",
            sources=("running",),
            to="paused",
            owner=None,
            epoch=None,
            reason=None,
            at=LATER,
            columns={},
        )
    )


def test_transition_without_a_lease(ledger: Ledger) -> None:
    """Where no owner and epoch are asked for, the state alone decides."""
    start(ledger)
    assert move(ledger, "paused", owner=None, epoch=None)


def take(
    ledger: Ledger, run_id: str, *, old_owner: str | None, to: str = "interrupted"
) -> int | None:
    return ledger.write(
        lambda conn: writes.adopt(
            conn,
            run_id,
            new_owner="heir",
            old_owner=old_owner,
            old_epoch=1,
            sources=("created", "running", "interrupted"),
            to=to,
            reason="owner_gone",
            at=LATER,
            columns={"error_code": "x"},
        )
    )


def test_adopt(ledger: Ledger) -> None:
    """An adoption changes owner and epoch together with the status, once."""
    start(ledger)
    assert take(ledger, "run-1", old_owner="somebody") is None
    assert take(ledger, "run-1", old_owner="me") == 2
    assert take(ledger, "run-1", old_owner="me") is None
    with ledger.reader() as reader:
        run = reader.run("run-1")
        assert (run.status, run.owner_instance, run.lease_epoch) == ("interrupted", "heir", 2)
        assert run.error_code == "x"
        kinds = [event.data["to"] for event in reader.events_after(0)]
        assert kinds == ["running", "interrupted"]


def test_adopt_knows_the_epoch(ledger: Ledger) -> None:
    """An owner that was seen at an older epoch has been adopted and back since: too late."""
    start(ledger, lease_epoch=3)
    assert take(ledger, "run-1", old_owner="me") is None


def test_adopt_of_nobodys_run(ledger: Ledger) -> None:
    """A run without an owner can be adopted too: NULL is an owner to be matched."""
    start(ledger, owner_instance=None)
    assert take(ledger, "run-1", old_owner="me") is None
    assert take(ledger, "run-1", old_owner=None) == 2


def test_each_orphan_is_adopted_once(path: Path, ledger: Ledger) -> None:
    """Four processes that try to adopt the same hundred orphans get each of them once."""
    for n in range(100):
        start(ledger, f"orphan-{n}", owner_instance="gone")
    with (
        process("adopt", path, "a") as a,
        process("adopt", path, "b") as b,
        process("adopt", path, "c") as c,
        process("adopt", path, "d") as d,
    ):
        children = {"a": a, "b": b, "c": c, "d": d}
        for child in children.values():
            assert said(child) == "ready"
        for child in children.values():
            tell(child)
        got = {name: set(said(child).split()) for name, child in children.items()}
    assert sorted(n for one in got.values() for n in one) == sorted(str(n) for n in range(100))
    with ledger.reader() as reader:
        for run in reader.runs():
            assert run.run_id.removeprefix("orphan-") in got[run.owner_instance or ""]
            assert run.lease_epoch == 2
        statuses = [event for event in reader.events_after(0) if event.data["to"] == "interrupted"]
        assert len(statuses) == 100


def test_heartbeat(ledger: Ledger) -> None:
    """A heartbeat needs the lease and an active run."""
    start(ledger)

    def beat(owner: str, epoch: int) -> bool:
        return ledger.write(lambda conn: writes.heartbeat(conn, "run-1", owner, epoch, 7, LATER))

    assert beat("me", 1)
    assert not beat("you", 1)
    assert not beat("me", 2)
    with ledger.reader() as reader:
        run = reader.run("run-1")
        assert (run.heartbeat_seq, run.heartbeat_at) == (7, LATER)


# -- caps ---------------------------------------------------------------------------------------


def test_what_counts_as_active(ledger: Ledger) -> None:
    """Caps count created, loading, running and paused runs, of one agent if asked; no baselines."""
    for status in ("created", "loading", "running", "paused"):
        start(ledger, status, status=status, agent_id="a" if status == "paused" else None)
    for status in ("interrupted", "completed", "failed", "cancelled"):
        start(ledger, status, status=status, agent_id="a")
    start(ledger, "baseline", baseline_of="running")
    assert ledger.write(writes.count_active) == 4
    assert ledger.write(lambda conn: writes.count_active(conn, "a")) == 1


def test_cap_holds_between_processes(path: Path, ledger: Ledger) -> None:
    """Two processes that create as fast as they can never have more than the cap between them."""
    with process("create", path, 200, 5) as one, process("create", path, 200, 5) as two:
        assert said(one) == said(two) == "ready"
        tell(one)
        tell(two)
        made = int(said(one)) + int(said(two))
    assert made == 5
    assert ledger.write(writes.count_active) == 5


# -- commands and deletion ----------------------------------------------------------------------


def test_commands(ledger: Ledger) -> None:
    """A command waits for its run's owner, is answered once, and stays on record."""
    start(ledger)
    start(ledger, "run-2", owner_instance="you")

    def ask(run_id: str, kind: str) -> int:
        return ledger.write(
            lambda conn: writes.request_command(conn, run_id, kind, {"step": 3}, AT, "cli")
        )

    first, second = ask("run-1", "pause"), ask("run-1", "resume")
    ask("run-2", "pause")
    with ledger.reader() as reader:
        waiting = reader.pending_commands("me")
        assert [(command.command_id, command.kind) for command in waiting] == [
            (first, "pause"),
            (second, "resume"),
        ]
        assert waiting[0].data == {"step": 3}
        assert reader.events_after(2)[0].data == {"command_id": first, "kind": "pause"}

    def answer(error_code: str | None) -> bool:
        return ledger.write(
            lambda conn: writes.answer_command(
                conn, first, at=LATER, result={"status": "paused"}, error_code=error_code
            )
        )

    assert answer(None)
    assert not answer("too late")
    assert ledger.write(lambda conn: writes.refuse_commands(conn, "run-1", LATER)) == 1
    with ledger.reader() as reader:
        assert reader.pending_commands("me") == []
        codes = [command.error_code for command in reader.commands("run-1")]
        assert codes == [None, "run_not_active"]
        assert reader.command(first).result == {"status": "paused"}
    with pytest.raises(RunNotFound, match="no run nobody"):
        ask("nobody", "pause")


def test_cancel_request_keeps_its_first_time(ledger: Ledger) -> None:
    """Asking twice is asking once."""
    start(ledger)
    assert ledger.write(lambda conn: writes.request_cancel(conn, "run-1", AT))
    assert ledger.write(lambda conn: writes.request_cancel(conn, "run-1", LATER))
    with ledger.reader() as reader:
        assert reader.run("run-1").cancel_requested_at == AT


def test_delete(ledger: Ledger) -> None:
    """A deleted run leaves its row in the archive, its end in the feed, and nothing else."""
    key = start(ledger)
    start(ledger, "other")
    assert add(ledger, busy_batch(key, 0))
    ledger.write(lambda conn: writes.request_command(conn, "run-1", "pause", {}, AT, None))

    def delete() -> tuple[str, ...]:
        return ledger.write(lambda conn: writes.delete_run(conn, "run-1", at=LATER, by="me"))

    before = everything(ledger)
    assert not delete()
    assert everything(ledger) == before
    assert end(ledger)
    assert delete() == ("run-1",)
    left = everything(ledger)
    assert [row[1] for row in left["runs"]] == ["other"]
    assert {name for name, rows in left.items() if rows} == {
        "runs",
        "events",
        "tombstones",
        "sqlite_sequence",
    }
    (tombstone,) = left["tombstones"]
    assert tombstone[:3] == ("run-1", LATER, "me")
    assert '"status":"completed"' in tombstone[3]
    with ledger.reader() as reader:
        last = reader.events_after(reader.last_seq() - 1)[0]
        assert last.data == {"from": "completed", "to": None, "reason": "deleted"}
    with pytest.raises(RunNotFound):
        delete()
