"""Ledgers of old schema versions, as they were left in the world: ``vN.db.gz`` in this folder.

``python -m tests.store.old_ledgers`` makes the one of the present version, before that changes. It
holds an ended run with its baselines, a cancelled one, and one by hand that waits to go on.
"""

from __future__ import annotations

import gzip
import tempfile
from dataclasses import replace
from pathlib import Path

from engine.store.migrations import SCHEMA_VERSION
from tests.faults.works import by_hand, request
from tests.runs.conftest import Deck

FOLDER = Path(__file__).parent


def stored(version: int) -> bytes:
    """The ledger of a version, as it was."""
    return gzip.decompress((FOLDER / f"v{version}.db.gz").read_bytes())


def make(path: Path) -> None:
    """A ledger of the present version with such runs."""
    deck = Deck(path)
    deck.run(replace(request("quick"), baselines=True))
    waits, ends = deck.ready(request("hand")), deck.ready(request("hand_at_close"))
    for session, symbol in ((waits, "AAPL"), (ends, "IBM")):
        for step in range(12):
            deck.service.submit(session.run_id, step, by_hand(symbol, step), key=f"key-{step}")
    deck.service.cancel(ends.run_id)
    deck.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "runs.db"
        make(made)
        packed = gzip.compress(made.read_bytes(), mtime=0)
        (FOLDER / f"v{SCHEMA_VERSION}.db.gz").write_bytes(packed)
