"""What ``doctor`` is told about a ledger."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from engine.errors import LedgerMissing, NotALedger
from engine.store import health
from engine.store.ledger import Ledger
from tests.store.kit import add, batch, start


def test_sound_ledger(path: Path, ledger: Ledger) -> None:
    """A good ledger is sound, and the figures are the file's."""
    key = start(ledger)
    assert add(ledger, batch(key, 0, 100))
    found = health.inspect(path)
    assert found.sound
    assert found.path == path
    assert found.sqlite_version == sqlite3.sqlite_version
    assert found.wal_reset_bug == (sqlite3.sqlite_version_info < (3, 51, 3))
    assert (found.schema_version, found.known_schema_version) == (1, 1)
    assert found.journal_mode == "wal"
    assert found.wal_bytes == path.with_name("runs.db-wal").stat().st_size
    assert (found.runs, found.events) == (1, 2)
    assert found.pages * found.page_size > 0


def test_rows_of_no_run(path: Path, ledger: Ledger) -> None:
    """Rows that another program left without their run are counted."""
    start(ledger)
    other = sqlite3.connect(path)
    other.execute("INSERT INTO commits VALUES ('nobody', 0, 'digest', 1)")
    other.commit()
    other.close()
    found = health.inspect(path)
    assert found.dangling == 1
    assert not found.sound


def test_damaged_page(path: Path) -> None:
    """A page overwritten with rubbish is found."""
    with Ledger.open(path) as ledger:
        key = start(ledger)
        assert add(ledger, batch(key, 0, 20_000))
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2 // 4096 * 4096
    whole[middle : middle + 4096] = b"\xa5" * 4096
    path.write_bytes(whole)
    found = health.inspect(path)
    assert found.damage
    assert not found.sound
    assert (found.runs, found.dangling) == (None, None)


def test_what_cannot_be_inspected(path: Path) -> None:
    """No ledger, or another file, is refused by name."""
    with pytest.raises(LedgerMissing):
        health.inspect(path)
    path.write_text("hello")
    with pytest.raises(NotALedger):
        health.inspect(path)
