"""Fork: a new run with the first decisions of another, going its own way from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from engine.errors import (
    BarsChanged,
    InvalidOption,
    LedgerWriteFailed,
    StrategyChanged,
    StrategyDiverged,
    TooManyActiveRuns,
    UnknownParameter,
)
from engine.failpoints import armed
from engine.model import Breakpoint, Decision, FillRule, Order, Rules, RunRequest
from engine.runs.lifecycle import Status
from engine.runs.limits import Limits
from engine.runs.session import Session
from tests.runs.conftest import MANUAL, SMA, Deck
from tests.runs.test_rewind import (
    KINDS,
    WINDOW,
    assert_verified,
    everything,
    finish,
    query,
    requests,
    rows,
    stepped,
)

HEADER = "symbol,timestamp,open,high,low,close,volume"
BARS = [f"X,2024-01-{day:02d}T00:00:00Z,10,11,9,{9 + day % 3},1e6" for day in range(1, 29)]


def counts(deck: Deck) -> list[int]:
    return [len(table) for table in everything(deck)]


def left_and_finished(deck: Deck, session: Session) -> None:
    """Interrupt a run, take it up and let it come to its end."""
    deck.service.interrupt(session)
    again = deck.service.take_up(session.run_id, play=True)
    deck.host.enqueue(again)
    assert again.closed.wait(60)
    record = deck.service.record(session.run_id)
    assert (record.status, record.error_message) == ("completed", None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fork_begins_as_its_parent_was_and_ends_as_it_did(
    deck: Deck, strategy_file: Callable[[str], str], kind: str
) -> None:
    """At 0, on the way and at the end: the parent's rows there, and then its own to the end."""
    request = requests(strategy_file, kind)
    whole = deck.run(request)
    assert whole.total_steps is not None
    for at in (0, 1, 77, whole.total_steps - 1):
        there = stepped(deck, request, at)
        session = deck.service.fork(whole.run_id, at)
        record = deck.service.record(session.run_id)
        assert (record.status, record.parent_run_id, record.forked_at_step) == (
            "paused", whole.run_id, at,
        )  # fmt: skip
        assert rows(deck, session.run_id) == rows(deck, there.run_id)
        assert record.config_hash == whole.config_hash
        assert_verified(deck, session.run_id)
        if at == 77:
            left_and_finished(deck, session)
        else:
            finish(deck, session)
        assert rows(deck, session.run_id) == rows(deck, whole.run_id)
        deck.service.cancel(there.run_id)


@pytest.mark.parametrize("fill", ["next_open", "close"])
def test_a_fork_of_everything_is_complete(deck: Deck, fill: FillRule) -> None:
    """All decisions of a finished run make a finished run, with the same rows and figures."""
    whole = deck.run(replace(WINDOW, rules=Rules(fill=fill)))
    assert whole.total_steps is not None
    session = deck.service.fork(whole.run_id, whole.total_steps)
    assert session.closed.is_set()
    assert deck.host.wait_idle(60)
    assert rows(deck, session.run_id) == rows(deck, whole.run_id)
    assert_verified(deck, session.run_id)


@pytest.mark.parametrize("how", ["running", "paused", "interrupted", "cancelled"])
def test_any_run_is_forked_and_left_as_it_was(deck: Deck, how: str) -> None:
    """Live, left or ended: the parent's rows do not change by a fork."""
    whole = deck.run(WINDOW)
    session = stepped(deck, replace(WINDOW, speed=0.001), 60)
    if how == "running":
        deck.service.resume(session.run_id)
        while deck.service.record(session.run_id).step_index < 62:
            assert session.status is Status.RUNNING
    elif how == "interrupted":
        deck.service.interrupt(session)
    elif how == "cancelled":
        deck.service.cancel(session.run_id)
    before = rows(deck, session.run_id)
    forked = deck.service.fork(session.run_id, 41)
    assert rows(deck, session.run_id) == before
    deck.service.set_speed(forked.run_id, None)
    finish(deck, forked)
    assert rows(deck, forked.run_id) == rows(deck, whole.run_id)
    deck.service.cancel(session.run_id)


def test_another_strategy_decides_from_there(deck: Deck) -> None:
    """The beginning is the parent's, with its source; what follows the new one's, left or not."""
    whole = deck.run(WINDOW)
    for leave in (False, True):
        session = deck.service.fork(whole.run_id, 100, strategy="momentum", params={"top": 1})
        record = deck.service.record(session.run_id)
        assert (record.strategy, record.config["params"]["top"]) == ("momentum", 1)
        assert record.metadata["own_from"] == 100
        if leave:
            deck.service.step(session.run_id, 50)
            left_and_finished(deck, session)
        else:
            finish(deck, session)
            first = rows(deck, session.run_id)
        assert_verified(deck, session.run_id)
    assert rows(deck, session.run_id) == first
    assert first["steps"] != rows(deck, whole.run_id)["steps"]
    before = [row for row in first["steps"] if row[0] < 100]
    assert before == [row for row in rows(deck, whole.run_id)["steps"] if row[0] < 100]


def test_other_parameters_are_the_same_strategy_told_otherwise(deck: Deck) -> None:
    """Those that are not given stay; a word it does not know is refused, without a row."""
    whole = deck.run(replace(WINDOW, params={"fast": 7}))
    before = everything(deck)
    with pytest.raises(UnknownParameter):
        deck.service.fork(whole.run_id, 50, params={"pace": 3})
    assert everything(deck) == before
    session = deck.service.fork(whole.run_id, 50, params={"slow": 40})
    assert session.request.params == {"fast": 7, "slow": 40}
    finish(deck, session)
    assert_verified(deck, session.run_id)


def test_a_person_goes_on_from_there(deck: Deck) -> None:
    """Forked as manual, the rest is traded by hand; and a run by hand is given a strategy."""
    whole = deck.run(WINDOW)
    session = deck.service.fork(whole.run_id, 30, strategy="manual")
    record = deck.service.submit(session.run_id, 30, Decision((Order.buy("AAPL", 7),)))
    assert (record.driver, record.step_index) == ("manual", 32)
    again = deck.service.fork(session.run_id, 31, strategy="sma_cross")
    finish(deck, again)
    sources = {
        row[2]: row[3] for row in query(deck, "SELECT * FROM steps WHERE run_id = ?", again.run_id)
    }
    assert sources
    with deck.reader() as reader:
        made = {row.step_index: row.decision_source for row in reader.steps(again.run_id)}
    assert made[30] == "manual"
    assert {source for step, source in made.items() if step != 30} == {"strategy"}
    assert_verified(deck, again.run_id)


def test_a_bug_is_mended_in_a_fork(deck: Deck, strategy_file: Callable[[str], str]) -> None:
    """An edited file is refused as the strategy it was, and taken where it is named."""
    body = "return Order.buy(obs.symbols[0], 1) if obs.step % 5 == 0 else None"
    spec = strategy_file(body)
    whole = deck.run(replace(WINDOW, strategy=spec))
    strategy_file(body.replace("5", "7"))
    before = everything(deck)
    with pytest.raises(StrategyChanged, match="name it with --strategy"):
        deck.service.fork(whole.run_id, 20)
    assert everything(deck) == before
    session = deck.service.fork(whole.run_id, 20, strategy=spec)
    deck.service.step(session.run_id, 30)
    left_and_finished(deck, session)
    with deck.reader() as reader:
        steps = [row.step_index for row in reader.steps(session.run_id)]
    assert steps[:6] == [0, 5, 10, 15, 21, 28]
    # A fork of the fork is of the mended strategy, and compared from where it took over.
    finish(deck, deck.service.fork(session.run_id, 60))


def test_hidden_state_is_found_before_there_is_a_row(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """The strategy's own answers are compared; the first that differs is named."""
    flag = tmp_path / "flag"
    spec = strategy_file(
        "import pathlib\n"
        f"there = pathlib.Path({str(flag)!r}).exists()\n"
        "return Order.buy(obs.symbols[0], 2 if there and obs.step == 6 else 1)"
    )
    whole = deck.run(replace(WINDOW, strategy=spec))
    flag.touch()
    before = everything(deck)
    with pytest.raises(StrategyDiverged, match="at step 6"):
        deck.service.fork(whole.run_id, 20)
    assert everything(deck) == before
    deck.service.fork(whole.run_id, 20, strategy=spec)


def test_other_bars_are_named_and_may_be_accepted(deck: Deck, tmp_path: Path) -> None:
    """--rebase keeps the decisions and says both hashes; a finished run goes on into new bars."""
    file = tmp_path / "bars.csv"
    file.write_text("\n".join([HEADER, *BARS]))
    request = RunRequest("sma_cross", params={"fast": 2, "slow": 5}, source=f"csv:{file}",
                         baselines=False)  # fmt: skip
    whole = deck.run(request)
    more = [row.replace("2024-01", "2024-02") for row in BARS[:20]]
    file.write_text("\n".join([HEADER, *BARS, *more]))
    before = everything(deck)
    with pytest.raises(BarsChanged, match="accept these with --rebase"):
        deck.service.fork(whole.run_id, 10)
    assert everything(deck) == before
    session = deck.service.fork(whole.run_id, 28, rebase=True)
    record = deck.service.record(session.run_id)
    assert record.total_steps == 48
    assert record.metadata["rebased"] == {"from": whole.bars_hash, "to": record.bars_hash}
    left_and_finished(deck, session)
    assert deck.service.record(session.run_id).step_index == 48
    assert_verified(deck, session.run_id)


def test_bars_on_another_grid_are_refused_even_so(deck: Deck, tmp_path: Path) -> None:
    """A decision must stay at its bar; and there must be as many bars as decisions."""
    file = tmp_path / "bars.csv"
    file.write_text("\n".join([HEADER, *BARS]))
    run_id = deck.ready(replace(MANUAL, source=f"csv:{file}", symbols=None)).run_id
    for step in range(12):
        deck.service.submit(run_id, step, Decision((Order.buy("X", 1),)))
    deck.service.cancel(run_id)
    for lines, said in ((BARS[1:], "step 0 was at"), (BARS[:9], "have 9 grid points")):
        file.write_text("\n".join([HEADER, *lines]))
        before = everything(deck)
        with pytest.raises(BarsChanged, match=said):
            deck.service.fork(run_id, 12, rebase=True)
        assert everything(deck) == before


def test_a_fork_counts_against_the_cap(open_deck: Callable[..., Deck]) -> None:
    """At the cap it is refused and leaves no row; also one of a baseline."""
    deck = open_deck(Limits(max_active_runs=1))
    whole = deck.run(replace(WINDOW, baselines=True))
    assert deck.host.wait_idle(60)
    with deck.reader() as reader:
        twin = reader.baselines(whole.run_id)[0]
    first = deck.service.fork(twin.run_id, 5)
    record = deck.service.record(first.run_id)
    assert (record.baseline_of, record.parent_run_id, record.tags) == (None, twin.run_id, ())
    before = counts(deck)
    with pytest.raises(TooManyActiveRuns):
        deck.service.fork(whole.run_id, 5)
    assert counts(deck) == before
    finish(deck, first)
    assert rows(deck, first.run_id) == rows(deck, twin.run_id)
    deck.service.fork(whole.run_id, 5)


def test_nobody_races_past_the_cap_by_a_fork(open_deck: Callable[..., Deck]) -> None:
    """A place that is gone by the time the strategy is warmed: asked again in the transaction."""
    deck = open_deck(Limits(max_active_runs=1))
    whole = deck.run(WINDOW)
    with (
        armed("fork.before", lambda: deck.service.create(WINDOW)),
        pytest.raises(TooManyActiveRuns),
    ):
        deck.service.fork(whole.run_id, 5)
    with deck.reader() as reader:
        assert len(reader.runs()) == 2


def test_a_fork_of_a_fork_of_a_rewound_run(deck: Deck) -> None:
    """Lineage is kept, and the end is the undisturbed one."""
    whole = deck.run(WINDOW)
    session = stepped(deck, WINDOW, 90)
    deck.service.rewind(session.run_id, 50)
    deck.service.step(session.run_id, 10)
    first = deck.service.fork(session.run_id, 55)
    deck.service.step(first.run_id, 5)
    second = deck.service.fork(first.run_id, 58)
    finish(deck, second)
    assert rows(deck, second.run_id) == rows(deck, whole.run_id)
    lineage = query(deck, "SELECT run_id, parent_run_id, depth FROM run_lineage WHERE depth > 0")
    assert sorted(lineage, key=lambda row: row[2]) == [
        (first.run_id, session.run_id, 1),
        (second.run_id, first.run_id, 2),
    ]


def test_only_decisions_that_were_made(deck: Deck) -> None:
    """Below 0 and past the parent's last are refused, without a row."""
    session = stepped(deck, WINDOW, 20)
    before = everything(deck)
    for at in (-1, 21):
        with pytest.raises(InvalidOption, match="give 0 to 20"):
            deck.service.fork(session.run_id, at)
    assert everything(deck) == before


@pytest.mark.parametrize("point", ["fork.before", "append.equity", "fork.written", "commit.before"])
def test_a_fork_that_dies_leaves_nothing(deck: Deck, point: str) -> None:
    """Wherever writing fails there is no row of it anywhere, and the next one succeeds."""
    whole = deck.run(WINDOW)
    before = everything(deck)
    with armed(point, "error"), pytest.raises(LedgerWriteFailed):
        deck.service.fork(whole.run_id, 20)
    assert everything(deck) == before
    assert deck.service.sessions == {}
    finish(deck, deck.service.fork(whole.run_id, 20))


def test_breakpoints_are_taken_along(deck: Deck) -> None:
    """As if none had been hit, unless that is not wanted."""
    session = stepped(deck, WINDOW, 20)
    deck.service.set_breakpoints(session.run_id, [Breakpoint(1, "step == 60", hits=3)])
    forked = deck.service.fork(session.run_id, 10)
    assert forked.breaks.points == (Breakpoint(1, "step == 60"),)
    assert deck.service.fork(session.run_id, 10, breakpoints=False).breaks.points == ()


def test_a_strategy_that_was_taken_over_is_at_the_wheel_of_a_fork(deck: Deck) -> None:
    """What a person decided before stays manual; the fork itself is the strategy's again."""
    session = stepped(deck, WINDOW, 20)
    deck.service.submit(session.run_id, 20, Decision((Order.buy("AAPL", 1),)))
    forked = deck.service.fork(session.run_id, 21)
    assert not forked.taken_over
    finish(deck, forked)
    with deck.reader() as reader:
        made = {row.step_index: row.decision_source for row in reader.steps(forked.run_id)}
    assert made.pop(20) == "manual"
    assert set(made.values()) == {"strategy"}


def test_names_tell_where_it_was_forked(deck: Deck) -> None:
    """The parent's name and the step, or the name that is given."""
    session = stepped(deck, replace(WINDOW, name="mine"), 20)
    assert (
        deck.service.record(deck.service.fork(session.run_id, 3).run_id).name == "mine, fork at 3"
    )
    named = deck.service.fork(session.run_id, 3, name="other")
    assert deck.service.record(named.run_id).name == "other"


def test_the_window_is_not_today(deck: Deck) -> None:
    """A run that has never begun is forked at 0, and nowhere else."""
    left = deck.service.create(replace(SMA, start=date(2007, 6, 1), end=date(2009, 3, 31)))
    deck.service.interrupt(left)
    whole = deck.run(WINDOW)
    session = deck.service.fork(left.run_id, 0)
    finish(deck, session)
    assert rows(deck, session.run_id) == rows(deck, whole.run_id)
    with pytest.raises(InvalidOption, match="give 0 to 0"):
        deck.service.fork(left.run_id, 1)
