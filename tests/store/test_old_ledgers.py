"""Ledgers of every schema version there has been, with real runs, are opened, checked, gone on."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runs.verify import verify
from engine.store import health
from engine.store.ledger import Ledger
from engine.store.migrations import SCHEMA_VERSION
from tests.faults.judge import finish, same
from tests.faults.works import result, undisturbed
from tests.runs.conftest import Deck
from tests.store.old_ledgers import stored


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_every_old_version(version: int, path: Path) -> None:
    """It is upgraded, every row of it is what it was, and the run that waits comes to its end."""
    path.write_bytes(stored(version))
    with Ledger.open(path) as ledger, ledger.reader() as reader:
        runs = {run.run_id: run for run in reader.runs(all_runs=True)}
        assert sorted(run.status for run in runs.values()) == [
            "cancelled", "completed", "completed", "completed", "interrupted",
        ]  # fmt: skip
        for run_id in runs:
            # A built-in strategy may have been changed since, as its check says then.
            checks = [check for check in verify(reader, run_id).checks if check.name != "strategy"]
            assert not [check for check in checks if check.outcome == "differs"]
    assert health.inspect(path).sound
    copy = path.with_name(f"{path.name}.v{version}")
    assert copy.exists() == (version < SCHEMA_VERSION)
    deck = Deck(path)
    finish(deck)
    with deck.reader() as reader:
        (hand,) = (run for run in reader.runs() if run.name == "hand")
        same(result(reader, hand.run_id), undisturbed("hand"))
    deck.close()


def test_the_present_version_is_kept() -> None:
    """Whoever changes the schema keeps a ledger of it for those who come later."""
    assert stored(SCHEMA_VERSION)[60:64] == SCHEMA_VERSION.to_bytes(4, "big")
