"""``kill -9`` at any instant: nothing acknowledged is lost, nothing torn, all of it resumable."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.faults import victims
from tests.faults.judge import Judge
from tests.faults.nursery import Nursery
from tests.faults.scale import seeded, times
from tests.faults.works import WORKS

A_LEDGERS_KILLS = 10


def test_random_instants(
    nursery: Nursery, tmp_path: Path, record_counts: Callable[[str], None]
) -> None:
    """Owners that are killed again and again lose nothing; runs come to their undisturbed end."""
    seed, chance = seeded()
    print(f"STEPDECK_SEED={seed}")
    wanted, kills, runs, acknowledged, mid_run, rewinds = times(1000), 0, 0, 0, 0, 0
    instants: Counter[str] = Counter()
    while kills < wanted:
        judge = Judge(tmp_path / f"{kills}.db")
        for _ in range(min(A_LEDGERS_KILLS, wanted - kills)):
            with nursery.generation():
                works = tuple(chance.sample(list(WORKS), k=chance.choice((0, 1, 2, 3))))
                victim = nursery.bear(victims.work, judge.path, works, chance.randrange(2**32))
                if chance.random() < 0.2:
                    instants["while it starts"] += 1
                    time.sleep(chance.uniform(0, 0.05))
                else:
                    # By what it says, so that a slow machine is met as far on as a quick one.
                    instants["while it works"] += 1
                    for _ in range(chance.choice((1, 1, 5, 10, 20, 40))):
                        said = victim.hear()
                        judge.told([said])
                        if said[0] == "idle":
                            break
                    time.sleep(chance.uniform(0, 0.1))
                victim.kill()
                judge.told(victim.hear_rest())
            judge.look()
            kills += 1
        runs += judge.finish()
        acknowledged += judge.acknowledged
        mid_run += judge.mid_run
        rewinds += judge.rewinds
    record_counts(
        f"kill -9 at {kills} random instants ({instants['while it starts']} of a starting process, "
        f"{instants['while it works']} of a working one; {mid_run} runs met in the middle, "
        f"{rewinds} rewinds begun): of {acknowledged} acknowledged operations 0 lost, of {runs} "
        "runs 0 torn, 0 terminal rows changed, every one resumed to its undisturbed result"
    )
