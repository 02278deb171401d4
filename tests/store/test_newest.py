"""The newest runs, read again and again: what has ended is read once, the rest as it is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.store import reader as reading
from engine.store import writes
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.store.kit import AT, add, batch, end, start


def fresh(path: Path, **asked: object) -> list[object]:
    """What a reader says that knows nothing yet."""
    with Reader.open(path) as reader:
        return list(reader.runs(**asked))  # type: ignore[arg-type]


def test_what_a_reader_keeps_is_what_the_ledger_holds(path: Path, ledger: Ledger) -> None:
    """After every change a reader that has read before says what a new one does."""
    keys = {name: start(ledger, name) for name in ("one", "two", "three")}
    start(ledger, "twin", baseline_of="one")
    with Reader.open(path) as reader:
        for change in (
            lambda: add(ledger, batch(keys["two"], 0, 5, "two")),
            lambda: end(ledger, "one"),
            lambda: add(ledger, batch(keys["two"], 5, 5, "two")),
            lambda: end(ledger, "two", "cancelled"),
            lambda: start(ledger, "four"),
            lambda: ledger.write(lambda conn: writes.delete_run(conn, "one", at=AT, by=None)),
        ):
            for asked in ({"limit": 3}, {"limit": 2, "status": "running"}, {"limit": 9}):
                assert reader.runs(**asked) == fresh(path, **asked)
            change()
        for all_runs in (False, True):
            known = reader.runs(limit=9, all_runs=all_runs)
            assert known == fresh(path, all_runs=all_runs)


def test_a_reader_keeps_no_more_than_so_many(
    path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a ledger's history: what is kept has a bound, and the answers are right."""
    monkeypatch.setattr(reading, "_KEPT", 4)
    with Reader.open(path) as reader:
        for n in range(12):
            start(ledger, f"run-{n}")
            end(ledger, f"run-{n}")
            assert reader.runs(limit=3) == fresh(path, limit=3)
            assert len(reader._ended) <= 4
