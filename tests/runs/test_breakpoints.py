"""Breakpoints of real runs: where they stop, what they leave, and what they must not change."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from engine import market
from engine.drivers import commands, vector
from engine.errors import InputError, InvalidExpression, InvalidOption, RunNotActive
from engine.model import Breakpoint, Decision, FillRule, Order, RunRecord, RunRequest
from engine.runs.breakpoints import Breakpoints, decode
from engine.runs.panels import panel_of
from engine.runs.session import Session
from engine.runs.stopping import STEPPED
from engine.sim import compiled, indicators
from engine.sim.panel import Panel
from engine.store import writes
from tests.runs.conftest import MANUAL, SMA, Deck

WINDOW = replace(SMA, symbols=("AAPL",), params={"fast": 5, "slow": 15})


def stopped(deck: Deck, session: Session) -> RunRecord:
    """Wait until the run moves no more."""
    until = time.monotonic() + 60
    while (record := deck.service.record(session.run_id)).status in (
        "created",
        "loading",
        "running",
    ):
        assert time.monotonic() < until, record
        time.sleep(0.005)
    return record


def points_of(record: RunRecord) -> tuple[Breakpoint, ...]:
    return decode(record.metadata.get("breakpoints"))


def warnings(deck: Deck, run_id: str) -> list[dict[str, object]]:
    """The data of the run's warnings, oldest first."""
    with deck.reader() as reader:
        return [
            dict(event.data)
            for event in reader.events_after(0, limit=1_000_000)
            if event.run_id == run_id and event.kind == "warning"
        ]


def all_stops(deck: Deck, request: RunRequest) -> tuple[list[int], RunRecord]:
    """Let a run go on from every stop to its end: the decisions it stopped before."""
    session = deck.start(request)
    stops = []
    while (record := stopped(deck, session)).status == "paused":
        stops.append(record.metadata["stopped_at"]["step"])
        assert record.metadata["stopped_at"]["settled"] == record.step_index
        deck.service.resume(record.run_id)
    assert record.status == "completed", record
    return stops, record


def bars_of(request: RunRequest) -> Panel:
    return panel_of(market.resolve(request).load())


def test_a_run_stops_before_each_decision_that_follows_a_fill(deck: Deck) -> None:
    """The stops are the fills' own grid points; the result is that of a run without."""
    plain = deck.run(WINDOW)
    stops, record = all_stops(deck, replace(WINDOW, breakpoints=("fill",)))
    with deck.reader() as reader:
        fills = reader.fills(plain.run_id)
    assert stops == sorted({fill.step_index for fill in fills})
    assert len(stops) > 10
    assert deck.digest(record.run_id) == deck.digest(plain.run_id)
    assert record.config_hash == plain.config_hash
    assert record.metrics == plain.metrics
    assert points_of(record) == (Breakpoint(1, "fill", hits=len(stops)),)


def test_a_condition_on_prices_and_the_account_stops_where_a_scan_says(deck: Deck) -> None:
    """Drawdown, an indicator and a day together, against the ledger's own curve."""
    text = 'drawdown < -5% and rsi["AAPL"] > 70 and date >= 2001-03-01'
    plain = deck.run(WINDOW)
    stops, _ = all_stops(deck, replace(WINDOW, breakpoints=(text,)))
    panel = bars_of(WINDOW)
    rsi = indicators.compute(panel, "rsi")[:, 0]
    with deck.reader() as reader:
        equity = reader.equity(plain.run_id).equity
    peak, wanted = WINDOW.rules.cash, []
    for step in range(panel.steps):
        peak = max(peak, float(equity[step]))
        day = panel.session_dates[panel.sessions[step]]
        if equity[step] / peak - 1 < -0.05 and rsi[step] > 70 and day >= "2001-03-01":
            wanted.append(step)
    assert stops == [step for step in wanted if step]
    assert stops


def test_a_stop_is_committed_and_says_what_was_seen(deck: Deck) -> None:
    """Steps, pause, counts and the warning are in the ledger when the run stands."""
    text = 'step >= 40 and close["AAPL"] > 0'
    session = deck.start(replace(WINDOW, breakpoints=(text,)))
    record = stopped(deck, session)
    assert (record.status, record.step_index) == ("paused", 41)
    saw = {"step": 40.0, 'close["AAPL"]': bars_of(WINDOW).close[40, 0]}
    told = {"breakpoint": 1, "expression": text, "step": 40, "saw": saw}
    assert warnings(deck, record.run_id) == [told]
    assert record.metadata["stopped_at"] == {**told, "settled": 41}
    with deck.reader() as reader:
        assert len(reader.equity(record.run_id).steps) == record.step_index
        last = [event for event in reader.events_after(0, limit=10_000) if event.kind == "status"]
    assert dict(last[-1].data) == {"from": "running", "to": "paused", "reason": "breakpoint"}


def test_what_was_seen_is_named_as_it_was_written(deck: Deck) -> None:
    """Each word of the condition has its value; what had none is null."""
    text = 'step == 30 and (sma["AAPL", 200] > 0 or close[AAPL] > 0 or session_start)'
    record = stopped(deck, deck.start(replace(WINDOW, breakpoints=(text,))))
    saw = record.metadata["stopped_at"]["saw"]
    assert saw == {
        "step": 30.0,
        'sma["AAPL", 200]': None,
        "close[AAPL]": bars_of(WINDOW).close[30, 0],
        "session_start": True,
    }


def test_a_one_shot_breakpoint_disables_itself(deck: Deck) -> None:
    """It stops the run once, and is still there to be enabled again."""
    session = deck.start(replace(WINDOW, paused=True))
    assert deck.host.wait_idle(60)
    deck.service.set_breakpoints(session.run_id, (Breakpoint(4, "fill", once=True),))
    deck.service.resume(session.run_id)
    assert stopped(deck, session).status == "paused"
    deck.service.resume(session.run_id)
    record = stopped(deck, session)
    assert record.status == "completed"
    assert points_of(record) == (Breakpoint(4, "fill", enabled=False, once=True, hits=1),)


def test_the_first_decision_of_a_new_run_is_looked_at(deck: Deck) -> None:
    """A condition that holds at once stops the run before it has decided anything."""
    record = stopped(deck, deck.start(replace(WINDOW, breakpoints=("step == 0",))))
    assert (record.status, record.step_index) == ("paused", 1)
    deck.service.resume(record.run_id)


def test_an_interruption_keeps_breakpoints_and_hits_nothing_again(
    open_deck: Callable[..., Deck],
) -> None:
    """Left at a stop and taken up by another process, the run goes on to the next stop."""
    one = open_deck()
    plain = one.run(WINDOW)
    wanted, _ = all_stops(one, replace(WINDOW, breakpoints=("fill",)))
    session = one.start(replace(WINDOW, breakpoints=("fill",)))
    run_id = session.run_id
    assert stopped(one, session).metadata["stopped_at"]["step"] == wanted[0]
    for number, step in enumerate(wanted[1:5], 2):
        one.service.interrupt(session)
        other = open_deck()
        session = other.service.take_up(run_id)
        other.host.enqueue(session)
        assert other.host.wait_idle(60)
        record = other.service.record(run_id)
        assert (record.status, points_of(record)[0].hits) == ("paused", number - 1)
        other.service.resume(run_id)
        record = stopped(other, session)
        assert record.metadata["stopped_at"]["step"] == step
        assert points_of(record)[0].hits == number
        one = other
    one.service.set_breakpoints(run_id, ())
    one.service.resume(run_id)
    assert stopped(one, session).status == "completed"
    assert one.digest(run_id) == one.digest(plain.run_id)


def test_an_interrupted_run_can_be_given_breakpoints(deck: Deck) -> None:
    """They are kept in its row and hold when it is taken up."""
    session = deck.ready(replace(WINDOW, paused=True))
    deck.service.interrupt(session)
    record = deck.service.set_breakpoints(session.run_id, (Breakpoint(1, "step >= 77", once=True),))
    assert record.status == "interrupted"
    session = deck.service.take_up(session.run_id, play=True)
    deck.host.enqueue(session)
    assert stopped(deck, session).metadata["stopped_at"]["step"] == 77


def test_a_run_taken_up_meanwhile_is_not_written_over(deck: Deck) -> None:
    """Breakpoints for a run as it was left do not land once it is somebody's again."""
    session = deck.ready(replace(WINDOW, paused=True))
    deck.service.interrupt(session)
    left = deck.service.record(session.run_id)
    deck.service.take_up(session.run_id)

    def write(epoch: int) -> bool:
        return deck.ledger.write(
            lambda conn: writes.update_run(
                conn,
                left.run_id,
                owner=left.owner_instance,
                epoch=epoch,
                at=left.updated_at,
                columns={"metadata": {}},
                status="interrupted",
            )
        )

    assert not write(left.lease_epoch)
    assert not write(left.lease_epoch + 1)
    assert deck.service.record(session.run_id).metadata


def test_a_finished_run_takes_no_breakpoints(deck: Deck) -> None:
    """Its row is closed, and the refusal says what it is."""
    record = deck.run(WINDOW)
    with pytest.raises(RunNotActive, match="is completed"):
        deck.service.set_breakpoints(record.run_id, (Breakpoint(1, "fill"),))


def test_bad_breakpoints_change_nothing(deck: Deck) -> None:
    """A condition that means nothing, a doubled id and too many are refused by name."""
    session = deck.ready(replace(WINDOW, paused=True))
    good = (Breakpoint(1, "fill"),)
    deck.service.set_breakpoints(session.run_id, good)
    with pytest.raises(InvalidExpression, match="column 7"):
        deck.service.set_breakpoints(session.run_id, (Breakpoint(1, 'close["XXX"] > 1'),))
    with pytest.raises(InvalidOption, match="one id"):
        deck.service.set_breakpoints(session.run_id, good + good)
    many = tuple(Breakpoint(number, "fill") for number in range(51))
    with pytest.raises(InvalidOption, match="51 breakpoints"):
        deck.service.set_breakpoints(session.run_id, many)
    assert points_of(deck.service.record(session.run_id)) == good
    with pytest.raises(InvalidExpression) as refused:
        deck.service.create(replace(WINDOW, breakpoints=("drowdown < 0",)))
    assert (refused.value.field, refused.value.column) == ("break", 1)


def test_steps_by_hand_stop_at_a_breakpoint(deck: Deck) -> None:
    """Many steps asked for at once end where a condition holds; the run stays paused."""
    session = deck.ready(replace(WINDOW, paused=True))
    deck.service.set_breakpoints(session.run_id, (Breakpoint(1, "step == 12"),))
    record = deck.service.step(session.run_id, 50)
    assert (record.status, record.step_index) == ("paused", 13)
    assert deck.service.step(session.run_id, 50).step_index == 63


def test_a_run_by_hand_stops_its_holds_at_a_breakpoint(deck: Deck) -> None:
    """Holding many steps ends at the condition; the run goes on waiting for its person."""
    session = deck.ready(MANUAL)
    deck.service.set_breakpoints(session.run_id, (Breakpoint(1, "step == 9"),))
    record = deck.service.step(session.run_id, 50)
    assert (record.status, record.step_index) == ("running", 10)
    assert record.metadata["stopped_at"]["step"] == 9
    assert points_of(record)[0].hits == 1


def test_ones_own_purchase_stops_nobody_but_a_resting_orders_fill_does(deck: Deck) -> None:
    """What a person asked for and got is no news to them; what came of it later, or not, is."""
    session = deck.ready(MANUAL)
    points = (Breakpoint(1, "fill or decision"), Breakpoint(2, "rejection"))
    deck.service.set_breakpoints(session.run_id, points)

    def decided(step: int, *orders: Order) -> object:
        deck.service.submit(session.run_id, step, Decision(orders))
        told = deck.service.record(session.run_id).metadata.get("stopped_at")
        return told and (told["breakpoint"], told["step"])

    assert decided(0, Order.buy("AAPL", 10)) is None
    assert deck.service.record(session.run_id).num_fills == 1
    # Bar 2 does not come up to the limit, bar 3 does: it fills on a hold.
    assert decided(1, Order.sell("AAPL", 1, limit=129.0, time_in_force="gtc")) is None
    assert decided(2) == (1, 3)
    assert deck.service.record(session.run_id).num_fills == 2
    assert decided(3, Order.buy("AAPL", 0.5)) == (2, 4)


def test_baselines_have_no_breakpoints(deck: Deck) -> None:
    """The twin of a watched run goes to its end."""
    session = deck.start(replace(WINDOW, baselines=True, breakpoints=("step == 5",)))
    stopped(deck, session)
    deck.service.resume(session.run_id)
    assert deck.host.wait_idle(60)
    with deck.reader() as reader:
        twins = reader.baselines(session.run_id)
    assert [twin.status for twin in twins] == ["completed"] * len(twins)
    assert all("breakpoints" not in twin.metadata for twin in twins)


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize(
    ("text", "execution"),
    [("step >= 400", "compiled"), ("step >= 400 and equity > 0", "stepped")],
)
def test_a_compiled_run_is_stepped_where_a_breakpoint_needs_it(
    deck: Deck, monkeypatch: pytest.MonkeyPatch, fill: FillRule, text: str, execution: str
) -> None:
    """It says so, stops where it should, compiles again afterwards, and gives the same bits."""
    if vector.load_kernel() is None:
        pytest.skip("numba is not installed")
    monkeypatch.setattr(compiled, "FEWEST", 1)
    request = replace(WINDOW, rules=replace(WINDOW.rules, fill=fill))
    plain = deck.run(request)
    assert plain.metadata["execution"] == "compiled"
    session = deck.start(replace(request, breakpoints=(text,)))
    record = stopped(deck, session)
    assert record.metadata["stopped_at"]["step"] == 400
    assert record.metadata["execution"] == execution
    assert (STEPPED in record.metadata["notices"]) is (execution == "stepped")
    record = deck.service.set_breakpoints(session.run_id, (Breakpoint(1, "fill", enabled=False),))
    assert record.metadata["execution"] == "compiled"
    assert STEPPED not in record.metadata["notices"]
    deck.service.resume(session.run_id)
    assert stopped(deck, session).status == "completed"
    assert deck.digest(session.run_id) == deck.digest(plain.run_id)


def test_a_rewind_and_a_hand_back_hit_nothing_that_is_replayed(deck: Deck) -> None:
    """Only steps made anew are looked at; the stop that was rewound is forgotten."""
    session = deck.start(replace(WINDOW, breakpoints=("fill",)))
    run_id = session.run_id
    first = stopped(deck, session).metadata["stopped_at"]["step"]
    deck.service.resume(run_id)
    second = stopped(deck, session).metadata["stopped_at"]["step"]
    record = deck.service.rewind(run_id, first + 1)
    assert (points_of(record)[0].hits, record.status) == (2, "paused")
    assert "stopped_at" not in record.metadata
    deck.service.take_over(run_id)
    record = deck.service.hand_back(run_id)
    assert points_of(record)[0].hits == 2
    deck.service.resume(run_id)
    record = stopped(deck, session)
    assert record.metadata["stopped_at"]["step"] == second
    assert points_of(record)[0].hits == 3


# -- running to a place ---------------------------------------------------------------------------


def test_a_run_goes_to_a_place_and_pauses_there(deck: Deck) -> None:
    """To a fill, a decision, a day, a step: each the first after where it stands."""
    plain = deck.run(WINDOW)
    with deck.reader() as reader:
        fills = [fill.step_index for fill in reader.fills(plain.run_id)]
        decided = [row.step_index for row in reader.steps(plain.run_id)]
    session = deck.ready(replace(WINDOW, paused=True))
    run_id = session.run_id

    def go(condition: str) -> int:
        deck.service.run_to(run_id, condition)
        record = stopped(deck, session)
        assert record.status == "paused"
        assert "run_to" not in record.metadata
        assert record.metadata["stopped_at"]["breakpoint"] is None
        return int(record.metadata["stopped_at"]["step"])

    assert go("fill") == fills[0]
    assert go("fill") == fills[1]
    assert go("decision") == next(step for step in decided if step >= fills[1]) + 1
    here = go("session_start")
    assert go("session_start") == here + 1
    assert go("step >= 300") == 300
    assert go("date >= 2002-01-01") > 300
    assert points_of(deck.service.record(run_id)) == ()
    deck.service.resume(run_id)
    assert stopped(deck, session).status == "completed"
    assert deck.digest(run_id) == deck.digest(plain.run_id)


def test_a_pause_drops_the_place_a_run_goes_to(deck: Deck) -> None:
    """Played on after it, the run goes to its end."""
    session = deck.ready(replace(WINDOW, paused=True))
    with session.claim():
        deck.service.run_to(session.run_id, "step >= 2500")
        assert "run_to" in deck.service.record(session.run_id).metadata
        deck.service.pause(session.run_id)
    record = stopped(deck, session)
    assert record.step_index < 2500
    assert "run_to" not in record.metadata
    deck.service.resume(session.run_id)
    assert stopped(deck, session).status == "completed"


def test_the_place_survives_an_interruption(deck: Deck) -> None:
    """A run left on its way goes on to the same place when it is taken up."""
    session = deck.ready(replace(WINDOW, paused=True))
    with session.claim():
        deck.service.run_to(session.run_id, "step >= 1000")
        deck.service.interrupt(session)
    record = deck.service.record(session.run_id)
    assert record.metadata["run_to"] == "step >= 1000"
    session = deck.service.take_up(session.run_id)
    deck.host.enqueue(session)
    record = stopped(deck, session)
    assert (record.status, record.step_index) == ("paused", 1001)


def test_a_run_by_hand_holds_until_it_is_there(deck: Deck) -> None:
    """Every step on the way is a hold of the person's; it stands when the call returns."""
    session = deck.ready(MANUAL)
    record = deck.service.run_to(session.run_id, "step >= 25")
    assert (record.status, record.step_index) == ("running", 26)
    with deck.reader() as reader:
        assert {row.decision_source for row in reader.steps(session.run_id)} == {"manual"}


def test_a_run_by_hand_is_not_ended_on_the_way(deck: Deck) -> None:
    """Where the place never comes it stands before its last decision."""
    session = deck.ready(replace(MANUAL, end=date(2000, 3, 31)))
    record = deck.service.run_to(session.run_id, "fill")
    assert (record.status, record.step_index) == ("running", record.total_steps)
    assert session.breaks.goal is None
    record = deck.service.step(session.run_id)
    assert record.status == "completed"


def test_a_speed_limit_does_not_slow_the_way_to_a_place(deck: Deck) -> None:
    """A run held to a step in a hundred seconds gets there all the same."""
    session = deck.ready(replace(WINDOW, paused=True, speed=0.01))
    deck.service.run_to(session.run_id, "step >= 500")
    assert stopped(deck, session).step_index == 501


def test_breakpoints_and_places_travel_to_the_owner(open_deck: Callable[..., Deck]) -> None:
    """Another process sets them and sends the run on; bad ones come back with their column."""
    owner, asker = open_deck(), open_deck()
    session = owner.ready(replace(WINDOW, paused=True))
    run_id = session.run_id
    data = {"breakpoints": [{"id": 3, "expression": "step == 60", "once": True}]}
    record = commands.ask(asker.service, run_id, "breakpoints", data)
    assert points_of(record) == (Breakpoint(3, "step == 60", once=True),)
    commands.ask(asker.service, run_id, "run_to", {"condition": "step == 30"})
    assert stopped(asker, session).step_index == 31
    commands.ask(asker.service, run_id, "resume")
    record = stopped(asker, session)
    assert record.step_index == 61
    assert points_of(record)[0] == Breakpoint(3, "step == 60", enabled=False, once=True, hits=1)
    with pytest.raises(InputError, match="at column 1"):
        commands.ask(asker.service, run_id, "run_to", {"condition": "nonsense"})


def test_rubbish_in_the_ledger_stops_nobody(deck: Deck) -> None:
    """What another program wrote into the metadata is left out, or disabled if it means nothing."""
    rubbish = [7, {"id": "x"}, {"id": 1, "expression": "cash <"}, {"id": 2, "expression": "fill"}]
    assert decode("rubbish") == ()
    breaks = Breakpoints.stored({"breakpoints": rubbish, "run_to": "cash <"}, ("AAPL",))
    assert breaks.points == (Breakpoint(1, "cash <", enabled=False), Breakpoint(2, "fill"))
    assert breaks.goal is None
