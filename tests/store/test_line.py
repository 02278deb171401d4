"""Who is next at the writer: of one run in order, what somebody waits for ahead of the rest."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from functools import partial

import pytest

from engine.store.ledger import Ledger
from engine.store.line import MOST_IN_A_ROW, Line, Place


def named(line: Line, served: list[str], name: str, run_id: str | None, *, waited: bool) -> None:
    line.join(Place(lambda: served.append(name), run_id, waited))


def serve(line: Line, count: int) -> None:
    for _ in range(count):
        line.next().work()


def test_what_is_waited_for_brings_what_stands_before_it_of_its_run() -> None:
    """A cancel waits for its own run's batches, in their order, and for no other run's."""
    line, served = Line(), list[str]()
    for n in range(3):
        named(line, served, f"a{n}", "a", waited=False)
        named(line, served, f"b{n}", "b", waited=False)
    named(line, served, "cancel b", "b", waited=True)
    serve(line, 7)
    assert served == ["b0", "b1", "b2", "cancel b", "a0", "a1", "a2"]
    with pytest.raises(LookupError):
        line.next()


def test_what_nobody_waits_for_comes_in_the_order_of_asking() -> None:
    """Runs that only write batches take turns as they come."""
    line, served = Line(), list[str]()
    for name in ("a0", "b0", "a1", "c0", "b1"):
        named(line, served, name, name[0], waited=False)
    serve(line, 5)
    assert served == ["a0", "b0", "a1", "c0", "b1"]


def test_somebody_may_come_to_wait_later() -> None:
    """What stands in the line goes ahead once it is hurried."""
    line, served = Line(), list[str]()
    for name in ("a0", "b0", "c0"):
        named(line, served, name, name[0], waited=False)
    line.hurry("c")
    line.hurry("nobody")
    serve(line, 3)
    assert served == ["c0", "a0", "b0"]


def test_those_who_wait_do_not_starve_the_others() -> None:
    """However many wait, a batch that nobody waits for has its turn now and then."""
    line, served = Line(), list[str]()
    named(line, served, "batch", "a", waited=False)
    for n in range(3 * MOST_IN_A_ROW):
        named(line, served, f"w{n}", None, waited=True)
    serve(line, 3 * MOST_IN_A_ROW + 1)
    assert served.index("batch") == MOST_IN_A_ROW
    assert [name for name in served if name != "batch"] == [f"w{n}" for n in range(48)]


def test_a_write_goes_ahead_of_batches_of_other_runs(ledger: Ledger) -> None:
    """The ledger's own: what was submitted for the run lands first, then the write, then others."""
    held, go_on = threading.Event(), threading.Event()
    landed: list[str] = []

    def hold(_conn: object) -> None:
        held.set()
        assert go_on.wait(60)

    def note(name: str, _conn: object) -> None:
        landed.append(name)

    first = ledger.submit(hold)
    assert held.wait(60)
    batches: list[Future[None]] = [
        ledger.submit(partial(note, name), run_id=name[0]) for name in ("a0", "b0", "a1", "b1")
    ]
    writing = threading.Thread(target=lambda: ledger.write(partial(note, "write b"), run_id="b"))
    writing.start()
    while not any(place.waited for place in ledger._line._runs.get("b", ())):
        assert writing.is_alive()
    go_on.set()
    writing.join(60)
    wait_for([first, *batches], 60)
    assert landed == ["b0", "b1", "write b", "a0", "a1"]
