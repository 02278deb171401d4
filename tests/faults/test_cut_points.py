"""Resume equivalence: wherever a run was cut, it comes to what it would have come to uncut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.runs.lifecycle import Status
from engine.runs.session import Session
from tests.faults.judge import finish, replays, same, whole
from tests.faults.scale import seeded, times
from tests.faults.works import BY_HAND, WORKS, by_hand, key_of, request, result, undisturbed
from tests.runs.conftest import Deck

CUTS = 200


def cut_points(work: str) -> list[int]:
    """How many decisions are made before each cut: none, one, all but one, and evenly between."""
    total = undisturbed(work).figures[1]
    count = times(CUTS) // len(WORKS) + (list(WORKS).index(work) < times(CUTS) % len(WORKS))
    _, chance = seeded()
    between = [chance.randrange(2, total - 1) for _ in range(count - 3)]
    return [0, 1, total - 1, *between]


def bring(deck: Deck, session: Session, decisions: int) -> None:
    """Make so many decisions of a run that waits."""
    service, run_id = deck.service, session.run_id
    if session.request.name not in BY_HAND:
        if decisions:
            service.step(run_id, decisions)
        return
    (symbol,) = session.prepared.source.symbols
    for step in range(decisions):
        service.submit(run_id, step, by_hand(symbol, step), key=key_of(0, step))


def desert(deck: Deck) -> None:
    """Leave the ledger as a process that dies does: nothing is said, the lock is dropped."""
    deck.host.close()
    deck.ledger.close()
    deck.service.instance.release()


@pytest.mark.parametrize("work", WORKS)
def test_cut_points(work: str, tmp_path: Path, record_counts: Callable[[str], None]) -> None:
    """Left or deserted at any step: digest, figures and every row are those of the uncut run."""
    path = tmp_path / "runs.db"
    how: Counter[str] = Counter()
    points = cut_points(work)
    for number, decisions in enumerate(points):
        owner = Deck(path)
        session = owner.ready(replace(request(work), paused=True, baselines=False))
        bring(owner, session, decisions)
        settled = owner.service.record(session.run_id).step_index
        if number % 2:
            how["left"] += 1
            owner.close()
        else:
            how["deserted"] += 1
            desert(owner)
        heir = Deck(path)
        try:
            before = heir.service.record(session.run_id)
            assert before.step_index == settled
            assert before.status == (Status.INTERRUPTED if number % 2 else Status.PAUSED)
            finish(heir)
            with heir.reader() as reader:
                whole(reader, session.run_id)
                replays(reader, session.run_id)
                same(result(reader, session.run_id), undisturbed(work))
        finally:
            heir.close()
    record_counts(
        f"{work} cut at {len(points)} points ({how['left']} left by their owner, "
        f"{how['deserted']} by its death): each resumed to the same digest, figures and rows"
    )
