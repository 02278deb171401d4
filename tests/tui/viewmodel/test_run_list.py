"""The list of runs in the order shown: filter, sort and tree, kept up by what changed."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store.records import RunHead
from tui.run_book import RunRow
from tui.viewmodel import filters, runs
from tui.viewmodel.run_list import RunList
from tui.viewmodel.runs import Sorting

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HEAD = RunHead(
    run_id="a1", name=None, tags=(), agent_id=None, strategy="sma_cross", driver="strategy",
    status="running", end_reason=None, error_code=None, source="sample", timeframe="1Day",
    symbols=("AAPL", "IBM"), step_index=250, total_steps=1000, equity=101_000.0,
    total_return=0.01, max_drawdown=-0.02, sharpe=None, num_fills=3, num_trades=1,
    total_costs=2.5, parent_run_id=None, forked_at_step=None, owner_instance="i", rewind_count=0,
    created_at="2026-03-02T11:58:00.000Z", updated_at="2026-03-02T11:59:00.000Z",
)  # fmt: skip


def row(run_id: str, **changes: object) -> RunRow:
    return RunRow(HEAD._replace(run_id=run_id, **changes), "here")  # type: ignore[arg-type]


def listed(*rows: RunRow, sort: Sorting | None = None, text: str = "") -> RunList:
    shown = RunList()
    shown.update(rows, {}, NOW)
    shown.set_sorting(sort or Sorting(), NOW)
    shown.set_filter(filters.parse(text), NOW)
    return shown


def test_what_has_no_value_comes_last_in_both_directions() -> None:
    """A run without a figure is neither the best nor the worst."""
    many = (
        row("none", total_return=None), row("low", total_return=-0.5),
        row("high", total_return=0.5),
    )  # fmt: skip
    assert listed(*many, sort=Sorting("return")).keys == ["low", "high", "none"]
    assert listed(*many, sort=Sorting("return", True)).keys == ["high", "low", "none"]


def test_ties_keep_the_ledgers_order_in_both_directions() -> None:
    """Equal runs do not jump about when the sort is turned."""
    many = [row(name) for name in "abc"]
    for falling in (False, True):
        assert listed(*many, sort=Sorting("status", falling)).keys == ["a", "b", "c"]


def test_age_is_the_ledgers_own_order() -> None:
    """Newest first, or turned around."""
    many = [row(name) for name in "cab"]
    assert listed(*many).keys == ["c", "a", "b"]
    assert listed(*many, sort=Sorting("age", True)).keys == ["b", "a", "c"]


def test_live_runs_stand_above_what_is_over() -> None:
    """Sorted by status, what moves or waits for somebody comes first."""
    many = [row(status, status=status) for status in ("completed", "paused", "running")]
    assert listed(*many, sort=Sorting("status")).keys == ["running", "paused", "completed"]


@pytest.mark.parametrize("column", sorted(runs.SORTABLE))
def test_every_column_sorts_every_run(column: str) -> None:
    """No column breaks on a run that has just been created."""
    bare = row(
        "b", status="created", total_steps=None, equity=None, total_return=None,
        max_drawdown=None, step_index=0,
    )  # fmt: skip
    assert len(listed(row("a"), bare, sort=Sorting(column)).keys) == 2


def test_filter_and_sort_work_together() -> None:
    """What the filter keeps out is not sorted in."""
    many = [row("a", strategy="momentum"), row("b")]
    assert listed(*many, sort=Sorting("name"), text="strategy:momentum").keys == ["a"]


def test_counts_stand_live_first_and_follow() -> None:
    """The tally starts with what moves, and a run that ends changes places in it."""
    shown = listed(row("a", status="completed"), row("b"), row("c", status="completed"))
    assert list(shown.counts.items()) == [("running", 1), ("completed", 2)]
    shown.update(
        (row("a", status="completed"), row("b", status="failed"), row("c", status="completed")),
        {}, NOW,
    )  # fmt: skip
    assert shown.counts == {"failed": 1, "completed": 2}


def test_the_order_is_the_same_object_while_it_is_the_same() -> None:
    """What tells a table that it need not look at ten thousand rows."""
    many = [row(name) for name in "abc"]
    shown = listed(*many)
    keys = shown.keys
    assert shown.update((many[0], row("b", step_index=251), many[2]), {}, NOW) == {"b"}
    assert shown.keys is keys
    found = shown.get("b")
    assert found is not None
    assert found.record.step_index == 251
    assert shown.update((row("d"), *many), {}, NOW) >= {"d"}
    assert shown.keys == ["d", "a", "b", "c"]


def test_a_tree_puts_forks_under_what_they_come_from() -> None:
    """Depth by depth; a fork whose parent is filtered away stands by itself, a ring is no trap."""
    many = [
        row("f2", parent_run_id="f1"), row("f1", parent_run_id="top"), row("other"), row("top"),
        row("x", parent_run_id="y"), row("y", parent_run_id="x"), row("self", parent_run_id="self"),
    ]  # fmt: skip
    shown = listed(*many)
    shown.set_tree(True, NOW)
    assert shown.keys == ["other", "top", "f1", "f2", "self", "x", "y"]
    assert [shown.depths[key] for key in shown.keys] == [0, 0, 1, 2, 0, 0, 1]
    shown.set_filter(filters.parse("-id:f1"), NOW)
    assert shown.depths["f2"] == 0


def test_ages_in_a_filter_move_with_the_clock() -> None:
    """A run grows out of ``age<3m`` without any change of its own."""
    shown = listed(row("a"), text="age<3m")
    assert shown.keys == ["a"]
    assert not shown.grow_older(NOW)
    assert shown.grow_older(datetime(2026, 3, 2, 12, 2, tzinfo=UTC))
    assert shown.keys == []


@settings(deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.sampled_from(sorted(runs.SORTABLE)),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["", "status:running", "ret>0", "-name:b"]),
)
def test_kept_up_is_the_same_as_made_anew(
    dice: random.Random, column: str, falling: bool, tree: bool, text: str
) -> None:
    """After any changes the list is what it would be had it been made of them at once."""

    def some(run_id: str) -> RunRow:
        return row(
            run_id, name=dice.choice(["a", "b", None]), step_index=dice.randrange(9),
            status=dice.choice(["running", "completed"]), equity=dice.choice([None, 1.0, 2.0]),
            total_return=dice.choice([None, -1.0, 1.0]),
            parent_run_id="abcd"[len(run_id) % 4] if run_id > "b" else None,
        )  # fmt: skip

    sort = Sorting(column, falling)
    held = [some(name) for name in "abcd"]
    kept = listed(*held, sort=sort, text=text)
    kept.set_tree(tree, NOW)
    for _ in range(6):
        what = dice.random()
        if what < 0.6 and held:
            place = dice.randrange(len(held))
            held[place] = some(held[place].record.run_id)
        elif what < 0.8 and held:
            del held[dice.randrange(len(held))]
        else:
            held.insert(0, some(f"n{dice.randrange(10**9)}"))
        rates = {one.record.run_id: dice.random() for one in held if dice.random() < 0.5}
        kept.update(tuple(held), rates, NOW)
        anew = RunList()
        anew.set_sorting(sort, NOW)
        anew.set_filter(filters.parse(text), NOW)
        anew.set_tree(tree, NOW)
        anew.update(tuple(held), rates, NOW)
        assert list(kept.keys) == list(anew.keys)
        assert dict(kept.depths) == dict(anew.depths)
        assert dict(kept.counts) == dict(anew.counts)
