"""``kill -9`` at every seam there is: nothing acknowledged is lost, all of it is resumable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.failpoints import FAILPOINTS, VARIABLE
from tests.faults import victims
from tests.faults.judge import Judge
from tests.faults.nursery import Died, Nursery, Victim
from tests.faults.scale import seeded, times


def _orphaned(nursery: Nursery, path: Path) -> Judge:
    """A ledger with runs in the middle whose owner is dead."""
    judge = Judge(path)
    with nursery.generation():
        victim = nursery.bear(victims.work, path, ("hand_at_close", "quick", "costly"), 1)
        while True:
            said = victim.hear()
            judge.told([said])
            if said[0] == "step" and said[2] > 2:
                break
        victim.kill()
        judge.told(victim.hear_rest())
    return judge


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """How often a tour passes each failpoint: on a new ledger where it makes one, else on one that
    a dead owner has left."""
    nursery = Nursery()
    folder = tmp_path_factory.mktemp("tour")
    with nursery.generation():
        victim = nursery.bear(victims.counted_tour, folder / "new.db")
        while (said := victim.hear())[0] != "passed":
            pass
        new = {name: times for name, times in said[1].items() if _makes(name)}
        _orphaned(nursery, folder / "left.db")
        victim = nursery.bear(victims.counted_tour, folder / "left.db")
        while (said := victim.hear())[0] != "passed":
            pass
    return Counter({**said[1], **new})


def _hear_all(victim: Victim) -> list[Any]:
    """What it says until its end, whichever that is."""
    said = []
    try:
        while True:
            said.append(victim.hear())
    except Died:
        victim.process.join()
    return said


def _makes(name: str) -> bool:
    return name.startswith(("make.", "migrate.", "name."))


# A tour upgrades nothing: tests/store/test_upgrade.py kills at those seams.
@pytest.mark.parametrize("name", [name for name in FAILPOINTS if not name.startswith("upgrade.")])
def test_every_failpoint(
    name: str,
    nursery: Nursery,
    tmp_path: Path,
    passages: Counter[str],
    record_counts: Callable[[str], None],
) -> None:
    """Killed at this seam, at a passage of its own each time: nothing lost, all resumable."""
    assert passages[name], f"no part of the tour passes {name}: add to victims.tour what does"
    seed, chance = seeded()
    kills = times(3)
    last = passages[name]
    chosen = chance.sample([1, last, *(chance.randint(1, last) for _ in range(kills))], kills)
    print(f"STEPDECK_SEED={seed}: {chosen}")
    died = 0
    for number, passage in enumerate(chosen):
        path = tmp_path / f"{number}.db"
        judge = Judge(path) if _makes(name) else _orphaned(nursery, path)
        with nursery.generation():
            victim = nursery.bear(victims.tour, path, **{VARIABLE: f"{name}=kill@{passage}"})
            said = _hear_all(victim)
            judge.told(said)
            # Passages of a few seams depend on how threads met; then it lived, and is held to that.
            died += victim.process.exitcode == -9
            assert died or passage > 1
        judge.look()
        judge.finish()
    record_counts(f"kill -9 at {name}: {died} of {kills} tours died there, 0 acknowledged lost")
