"""Who has the ledger open, and who keeps its WAL: asked without harm to anybody's locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.store import checkpoint
from engine.store.holders import can_tell, holders, wal_is_read
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.store.kit import add, batch, process, said, start, tell

pytestmark = pytest.mark.skipif(not can_tell(), reason="no /proc here")


def test_names_every_process(path: Path, ledger: Ledger) -> None:
    """This process and another that only has it open; the other one while it writes, too."""
    start(ledger)
    with process("own", path) as other:
        assert said(other).startswith("owned")
        found = {holder.pid: holder for holder in holders(path)}
        assert set(found) == {os.getpid(), other.pid}
        assert "tests.store.child" in found[other.pid].command
        assert not any(holder.reads or holder.writes or holder.pins for holder in found.values())
        tell(other)
        assert said(other) == "left"
    with process("hold", path) as other:
        assert said(other) == "held"
        assert [holder.pid for holder in holders(path) if holder.writes] == [other.pid]


def test_counts_what_a_reader_pins(path: Path, ledger: Ledger) -> None:
    """A reader of the newest moment pins nothing; once there are newer ones, their pages."""
    key = start(ledger)
    with process("read_on", path) as other:
        assert said(other) == "reading"

        def pins() -> list[tuple[bool, int]]:
            return [(h.reads, h.pins) for h in holders(path) if h.pid == other.pid]

        assert pins() == [(True, 0)]
        assert wal_is_read(path)
        assert add(ledger, batch(key, 0, 5000))
        ((reads, kept),) = pins()
        assert reads
        assert kept > 10
    assert not wal_is_read(path)


def test_asking_keeps_the_locks(path: Path, ledger: Ledger) -> None:
    """Asking opens nothing: the writer's lock is still held after it."""
    start(ledger)

    def look(_conn: object) -> str:
        holders(path)
        wal_is_read(path)
        with process("try_lock", path) as child:
            return said(child)

    assert ledger.write(look) == "busy"
    assert holders(path.with_name("nothing.db")) == ()


def test_a_pinned_reader_is_noticed_and_named(path: Path, ledger: Ledger) -> None:
    """While one stays inside its query the WAL grows, and the ledger says who; then no more."""
    key = start(ledger)
    first = 0

    def grow(to_bytes: int) -> None:
        nonlocal first
        while checkpoint.wal_bytes(path) < to_bytes:
            assert add(ledger, batch(key, first, 20_000))
            first += 20_000
        ledger.write(lambda _: None)  # what it queued behind the last write is done now

    with process("read_on", path) as other:
        assert said(other) == "reading"
        grow(checkpoint.CHECKPOINT_BYTES + 2 * checkpoint.RETRY_BYTES)
        (notice,) = ledger.notices
        assert "a reader keeps" in notice
        assert f"process {other.pid} " in notice
    ledger.checkpoint()
    ledger.write(lambda _: None)
    assert ledger.notices == ()


def test_one_of_our_own_readers_is_named_too(path: Path, ledger: Ledger) -> None:
    """A reader of this very process that stays in its query is this process."""
    key = start(ledger)
    with Reader.open(path) as reader, reader.moment():
        assert len(reader.runs()) == 1
        for first in range(0, 900_000, 20_000):
            assert add(ledger, batch(key, first, 20_000))
        ledger.write(lambda _: None)
        (notice,) = ledger.notices
        assert notice.endswith(": this process")


def test_readers_that_come_and_go(path: Path, ledger: Ledger) -> None:
    """Readers that overlap without a gap, so that no commit finds none, let the WAL be cut too."""
    key = start(ledger)
    largest = 0
    with process("read_in_turns", path) as readers:
        assert said(readers) == "reading"
        for first in range(0, 3_000_000, 20_000):
            assert add(ledger, batch(key, first, 20_000))
            largest = max(largest, checkpoint.wal_bytes(path))
        readers.kill()
    written = path.stat().st_size
    print(f"{written / 2**20:.0f} MB written, the WAL at most {largest / 2**20:.0f} MB")
    assert written > 64 * 2**20
    assert checkpoint.CHECKPOINT_BYTES < largest < 64 * 2**20
    assert ledger.notices == ()
