"""Simulated power loss: whatever the disk had not been told to keep may be gone, in any part."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.runs.lifecycle import MOVING
from engine.store.ledger import Ledger
from tests.faults.disk import (
    Disk,
    Image,
    Op,
    Said,
    Sync,
    Write,
    after_power_loss,
    library,
    watched,
)
from tests.faults.judge import Judge
from tests.faults.scale import seeded, times
from tests.faults.works import by_hand, request
from tests.runs.conftest import Deck

IMAGES = 300
FINISHED = 15
DB, WAL = "runs.db", "runs.db-wal"

pytestmark = pytest.mark.skipif(library() is None, reason="this sqlite3 lets no VFS in")


def live(path: Path, disk: Disk) -> None:
    """An owner's life: two strategies, two runs by hand, a cancel, checkpoints in between.

    What it acknowledges it says, in the words that ``Judge`` takes down.
    """
    deck = Deck(path)
    service = deck.service
    sessions = {}
    for work in ("quick", "hand", "hand_at_close", "costly"):
        session = sessions[work] = deck.start(request(work))
        disk.said("run", session.run_id, work)
    for number in range(60):
        for work in ("hand", "hand_at_close"):
            session = sessions[work]
            while not session.closed.is_set() and (
                session.status not in MOVING or session.progress is None
            ):
                time.sleep(0.001)
            if not session.closed.is_set():
                assert session.progress is not None
                step = session.progress.state.decided
                (symbol,) = session.prepared.source.symbols
                service.submit(session.run_id, step, by_hand(symbol, step), key=f"key-{step}")
                disk.said("step", session.run_id, step, f"key-{step}")
        if number % 12 == 5:
            deck.ledger.checkpoint()
    for session in sessions.values():
        if session.request.name != "hand":
            session.closed.wait(60)
            disk.said("ended", session.run_id, service.record(session.run_id).status)
    deck.close()


class Life(NamedTuple):
    """A ledger as it was made, everything that was then done to its files, and what they became."""

    made: bytes
    ops: list[Op]
    end: dict[str, bytes]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """One owner's life, recorded."""
    path = tmp_path_factory.mktemp("life") / DB
    Ledger.open(path).close()
    made = path.read_bytes()
    with watched(path.parent) as disk:
        live(path, disk)
    end = {name: (path.parent / name) for name in (DB, WAL)}
    return Life(made, disk.ops, {n: file.read_bytes() for n, file in end.items() if file.exists()})


def put(folder: Path, image: Image) -> Path:
    """The image as files of their own."""
    folder.mkdir()
    for name, data in image.files.items():
        (folder / name).write_bytes(data)
    return folder / DB


def test_what_was_recorded_is_what_was_written(life: Life, tmp_path: Path) -> None:
    """The model is right where nothing is lost: the images of the end are the files of the end."""
    made, ops, end = life
    kinds = Counter((type(op).__name__, getattr(op, "name", "")) for op in ops)
    assert kinds["Sync", WAL] > 100
    assert kinds["Sync", DB] >= 5, "no checkpoint was in it"
    assert kinds["Said", ""] > 80
    image = after_power_loss({DB: made}, ops, len(ops), "cut", random.Random(0))
    assert image.lost == 0
    assert image.files == end
    judge = Judge(put(tmp_path / "end", image))
    judge.told(image.said)
    judge.look()
    judge.finish()


def test_power_loss(life: Life, tmp_path: Path, record_counts: Callable[[str], None]) -> None:
    """At any instant, with any part of what was not synced: acknowledged steps are all there, no
    run is torn, what had ended has ended so, and what was left comes to its undisturbed result."""
    made, ops, _ = life
    seed, chance = seeded()
    print(f"STEPDECK_SEED={seed}")
    count = times(IMAGES)
    # Half of them anywhere, half between a write and its sync, where there is something to lose.
    loose = [at for at, op in enumerate(ops, 1) if isinstance(op, Write)]
    instants = [chance.randrange(len(ops) + 1) for _ in range(count // 2)]
    instants += [chance.choice(loose) for _ in range(count - len(instants))]
    told = lost = finished = 0
    how: Counter[str] = Counter()
    for number, at in enumerate(instants):
        kind = ("cut", "torn", "synced")[number % 3]
        image = after_power_loss({DB: made}, ops, at, kind, chance)
        path = put(tmp_path / f"image-{number}", image)
        judge = Judge(path)
        judge.told(image.said)
        judge.look()
        told += judge.acknowledged
        lost += image.lost
        how[kind] += 1
        if number % (count // times(FINISHED)) == 0:
            judge.finish()
            finished += 1
    assert told > 0
    record_counts(
        f"power loss: {count} images of {len(ops):,} recorded writes and syncs ({how['cut']} cut "
        f"at any byte, {how['torn']} with any sectors, {how['synced']} as of the last sync; "
        f"{lost:,} bytes unsynced), {told:,} acknowledged steps looked for, 0 lost; "
        f"{finished} finished to the undisturbed result"
    )


def test_a_promise_without_a_sync_is_found_out(life: Life, tmp_path: Path) -> None:
    """The proof can fail: were the WAL never synced, acknowledged steps would be missed."""
    made, ops, _ = life
    unsynced = [op for op in ops if not isinstance(op, Sync)]
    at = next(n for n, op in enumerate(unsynced) if isinstance(op, Said) and op.words[0] == "step")
    image = after_power_loss({DB: made}, unsynced, at + 1, "synced", random.Random(0))
    judge = Judge(put(tmp_path / "image", image))
    judge.told(image.said)
    with pytest.raises(AssertionError):
        judge.look()
