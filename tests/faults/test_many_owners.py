"""Several processes at one ledger: orphans are taken once, and caps hold at every moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from engine.runs.lifecycle import ACTIVE, Status
from engine.store.reader import Reader
from tests.faults import victims
from tests.faults.nursery import Nursery
from tests.faults.scale import seeded, times

ORPHANS, REAPERS, CAP, TRIES = 100, 8, 5, 200


def test_reapers(nursery: Nursery, tmp_path: Path, record_counts: Callable[[str], None]) -> None:
    """Eight processes that recover at once take each orphan once between them."""
    rounds, shares = times(5), []
    for number in range(rounds):
        path = tmp_path / f"{number}.db"
        with nursery.generation():
            owner = nursery.bear(victims.create, path, ORPHANS)
            assert owner.hear() == "made"
            reapers = [nursery.bear(victims.reap, path) for _ in range(REAPERS)]
            assert {reaper.hear() for reaper in reapers} == {"ready"}
            owner.kill()
            for reaper in reapers:
                reaper.tell()
            taken = [reaper.hear() for reaper in reapers]
            for reaper in reapers:
                reaper.join()
        every = [run_id for some in taken for run_id in some]
        assert len(every) == len(set(every)) == ORPHANS
        with Reader.open(path) as reader:
            for run in reader.runs():
                assert (run.status, run.lease_epoch) == (Status.INTERRUPTED, 2)
                events = reader.events_after(0, run_id=run.run_id)
                assert [event.data["to"] for event in events] == ["created", "interrupted"]
        shares.append(sum(map(bool, taken)))
    record_counts(
        f"{REAPERS} reapers on {ORPHANS} orphans, {rounds} times: each adopted once "
        f"(reapers that took some: {', '.join(map(str, shares))})"
    )


def test_caps(nursery: Nursery, tmp_path: Path, record_counts: Callable[[str], None]) -> None:
    """Two processes that race for places never have more than there are, counted after each row."""
    rounds, met, most = times(5), Counter[str](), 0
    seed, chance = seeded()
    print(f"STEPDECK_SEED={seed}")
    for number in range(rounds):
        path = tmp_path / f"{number}.db"
        with nursery.generation():
            racers = [
                nursery.bear(victims.crowd, path, TRIES // 2, CAP, chance.randrange(2**32))
                for _ in range(2)
            ]
            assert {racer.hear() for racer in racers} == {"ready"}
            for racer in racers:
                racer.tell()
            for racer in racers:
                met.update(racer.hear())
                racer.join()
        most = max(most, _most_at_once(path))
    assert met["refused"]
    assert most == CAP
    record_counts(
        f"two processes racing {TRIES} creates at a cap of {CAP}, {rounds} times: never more than "
        f"{most} active ({met['made']} made, {met['taken up']} taken up, {met['refused']} refused)"
    )


def _most_at_once(path: Path) -> int:
    """How many runs were active at most, after any transaction that the ledger has seen."""
    active: set[str] = set()
    most = 0
    with Reader.open(path) as reader:
        for event in reader.events_after(0, 1_000_000):
            if event.kind == "status":
                if event.data["to"] in ACTIVE:
                    active.add(event.run_id)
                else:
                    active.discard(event.run_id)
                most = max(most, len(active))
    return most
