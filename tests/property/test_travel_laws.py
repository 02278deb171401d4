"""Laws of time travel: whatever was rewound, left or forked on the way, a run is its decisions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model import HOLD, RunRequest
from engine.runs.lifecycle import TERMINAL
from engine.runs.past import open_past
from engine.runs.session import Progress, Session
from engine.runs.verify import verify
from engine.sim.intake import plain
from tests.property.sim_runs import Run, runs
from tests.property.test_file_laws import lines_of
from tests.runs.conftest import Deck
from tests.runs.test_rewind import rows

law = settings(max_examples=15, deadline=None)


class Act(NamedTuple):
    """So many decisions forward, and then something else; ``at`` is a share of those made."""

    steps: int
    what: str
    at: float


acts = st.lists(
    st.builds(
        Act,
        st.integers(0, 9),
        st.sampled_from(["rewind", "rewind", "rewind left", "leave", "fork"]),
        st.floats(0.0, 1.0),
    ),
    min_size=1,
    max_size=5,
)


class Traveller:
    """Drives one run after another by the decisions of a random run, and travels in between."""

    def __init__(self, deck: Deck, request: RunRequest, run: Run) -> None:
        self.deck = deck
        # As a log keeps them.
        self._decisions = {step: plain(made) for step, made in run.decisions.items()}
        self._request = request
        self.begin()

    def begin(self) -> None:
        """A new run, at its beginning."""
        self.session = self.deck.ready(self._request)

    @property
    def ended(self) -> bool:
        return self.session.closed.is_set()

    @property
    def progress(self) -> Progress:
        assert self.session.progress is not None
        return self.session.progress

    def forward(self, steps: int) -> None:
        """Make so many of the decisions that are due, as far as there are any."""
        for _ in range(steps):
            if not self.ended:
                step = self.progress.state.decided
                decision = self._decisions.get(step, HOLD)
                self.deck.service.submit(self.session.run_id, step, decision)

    def travel(self, act: Act) -> None:
        """Do something else than going on; a run that has ended is forked."""
        service, run_id = self.deck.service, self.session.run_id
        to = round(act.at * self.progress.state.decided)
        if act.what == "fork" or self.ended:
            parent = self.session
            self.session = service.fork(run_id, to)
            if not parent.closed.is_set():
                service.cancel(parent.run_id)
        elif act.what == "rewind":
            service.rewind(run_id, to)
        else:
            service.interrupt(self.session)
            if act.what == "rewind left":
                service.rewind(run_id, to)
            self.session = self._taken_up(service.take_up(run_id))

    def _taken_up(self, session: Session) -> Session:
        self.deck.host.enqueue(session)
        assert self.deck.host.wait_idle(60)
        assert session.error is None, session.error
        return session


@contextmanager
def traveller(run: Run) -> Iterator[Traveller]:
    """Somebody at the wheel of a run on these bars, in a ledger of its own."""
    with tempfile.TemporaryDirectory() as folder:
        files = lines_of(run.panel)
        bars, actions = Path(folder) / "bars.csv", Path(folder) / "actions.csv"
        bars.write_text("\n".join(("symbol,timestamp,open,high,low,close,volume", *files.bars)))
        actions.write_text("\n".join(("symbol,ex_date,kind,value,pay_date", *files.actions)))
        request = RunRequest(
            "manual",
            {},
            f"csv:{bars}",
            symbols=run.panel.symbols,
            timeframe=run.panel.timeframe,
            calendar="none",
            actions=str(actions),
            rules=run.rules,
            baselines=False,
        )
        deck = Deck(Path(folder) / "runs.db")
        try:
            yield Traveller(deck, request, run)
        finally:
            deck.close()


def straight(one: Traveller) -> tuple[str, list[dict[str, Any]]]:
    """The run that never goes back: its id, and all it is after each decision."""
    run_id, snapshots = one.session.run_id, [rows(one.deck, one.session.run_id)]
    while not one.ended:
        one.forward(1)
        snapshots.append(rows(one.deck, run_id))
    return run_id, snapshots


def without_status(found: dict[str, Any]) -> dict[str, Any]:
    """A run stands still as paused or as running: that is no matter of its past."""
    return found | {"runs": [row[2:] for row in found["runs"]]}


@law
@given(run=runs(), plan=acts)
def test_a_run_is_its_decisions_wherever_it_has_been(run: Run, plan: list[Act]) -> None:
    """After every journey all rows are those of the run that never went anywhere; so is the end."""
    with traveller(run) as one:
        _, there = straight(one)
        one.begin()
        for act in plan:
            one.forward(act.steps)
            one.travel(act)
            run_id, decided = one.session.run_id, one.progress.state.decided
            assert without_status(rows(one.deck, run_id)) == without_status(there[decided])
            with one.deck.reader() as reader:
                found = verify(reader, run_id)
                assert found.ok, str(found.first)
        one.forward(len(run.panel.stamps))
        assert one.deck.service.record(one.session.run_id).status in TERMINAL
        assert rows(one.deck, one.session.run_id) == there[-1]


@law
@given(run=runs())
def test_the_past_is_what_was_there(run: Run) -> None:
    """Each moment, and all that is so far at it, equals the rows when the run stood there."""
    with traveller(run) as one:
        run_id, there = straight(one)
        with one.deck.reader() as reader:
            past = open_past(reader, run_id, one.session.simulation.panel)
        lead = one.session.simulation.lead
        moments = {decided + lead: then for decided, then in enumerate(there[:-1])}
        # The last decision of a run may settle nothing: its moment is that of the one before.
        for settled, then in (moments | {past.settled: there[-1]}).items():
            moment = past.at(settled)
            assert [tuple(fill)[:3] for fill in moment.fills] == [
                (row[0], row[1], row[2]) for row in then["fills"]
            ]
            assert sorted(map(tuple, moment.orders)) == sorted(then["orders"])
            assert [row[:4] for row in moment.positions] == then["positions"]
            assert len(moment.cash_flows) == len(then["cash_flows"])
            if settled:
                assert (moment.equity, moment.cash) == then["equity"][-1][2:]
