"""Single bits of a ledger flipped at rest: none of them is silently wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.errors import StepdeckError
from engine.runs.verify import verify
from engine.store import checkpoint
from engine.store.reader import Reader
from tests.faults.scale import seeded, times
from tests.faults.works import by_hand, hold_bars, request
from tests.runs.conftest import Deck

FLIPS = 200


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A ledger at rest with ended runs of every kind, one of them with its baseline."""
    path = tmp_path_factory.mktemp("whole") / "runs.db"
    hold_bars()
    deck = Deck(path)
    deck.run(replace(request("quick"), baselines=True))
    hand, left = deck.ready(request("hand")), deck.ready(request("hand_at_close"))
    for session, symbol, steps in ((hand, "AAPL", 1000), (left, "IBM", 12)):
        for step in range(steps):
            if session.closed.is_set():
                break
            deck.service.submit(session.run_id, step, by_hand(symbol, step), key=f"key-{step}")
    deck.service.cancel(left.run_id)
    deck.close()
    assert checkpoint.wal_bytes(path) == 0
    return path.read_bytes()


def told(reader: Reader) -> dict[str, Any]:
    """All that the ledger tells of its runs, by whichever way it is asked."""
    said: dict[str, Any] = {}
    for status in ("completed", "cancelled", "failed", "running", "interrupted"):
        said[status] = [run.run_id for run in reader.runs(status=status, all_runs=True)]
    for run in reader.runs(all_runs=True):
        run_id = run.run_id
        steps = reader.steps(run_id)
        said[run_id] = (
            reader.stored_run(reader.resolve(run_id)),
            [column.tolist() for column in reader.equity(run_id)],
            reader.orders(run_id),
            reader.fills(run_id),
            reader.cash_flows(run_id),
            steps,
            [reader.step_of_key(run_id, s.idempotency_key) for s in steps if s.idempotency_key],
            reader.positions(run_id),
            reader.commits(run_id),
            reader.events_after(0, 100_000, run_id=run_id),
            [twin.run_id for twin in reader.baselines(run_id)],
        )
    return said


def noticed(reader: Reader, run_ids: list[str]) -> str | None:
    """What ``verify`` of every run says is wrong."""
    for run_id in run_ids:
        found = verify(reader, run_id)
        if not found.ok:
            return next(check.name for check in found.checks if check.outcome == "differs")
    return None


def test_bit_flips(whole: bytes, tmp_path: Path, record_counts: Callable[[str], None]) -> None:
    """Whatever bit flips: reading or ``verify`` says so, or nothing that the ledger tells of its
    runs has changed."""
    path = tmp_path / "runs.db"
    path.write_bytes(whole)
    with Reader.open(path) as reader:
        expected = told(reader)
        run_ids = [run.run_id for run in reader.runs(all_runs=True)]
        assert len(run_ids) == 5
        assert noticed(reader, run_ids) is None
    seed, chance = seeded()
    count = times(FLIPS)
    outcomes: Counter[str] = Counter()
    for number in range(count):
        bit = chance.randrange(8 * len(whole))
        print(f"STEPDECK_SEED={seed}: flip {number}, bit {bit}")
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path = tmp_path / f"{number}.db"
        path.write_bytes(damaged)
        try:
            with Reader.open(path) as reader:
                what = noticed(reader, run_ids)
                if what is None:
                    assert told(reader) == expected, f"bit {bit} is silently wrong"
                    what = "nothing told has changed"
        except StepdeckError as error:
            what = error.code
        outcomes[what] += 1
        for file in tmp_path.glob(f"{number}.db*"):
            file.unlink()
    said = ", ".join(f"{count} {what}" for what, count in outcomes.most_common())
    record_counts(f"single-bit flips: {count} in {len(whole):,} bytes, 0 silently wrong ({said})")
