"""Backups: of one instant, whole, while others write; never over anything."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import InvalidOption, LedgerCorrupt, LedgerMissing, LedgerWriteFailed, NotALedger
from engine.failpoints import VARIABLE, armed
from engine.store import health
from engine.store.backup import back_up
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.store.kit import add, batch, busy_batch, process, said, start


def test_while_it_is_written(path: Path) -> None:
    """A copy taken beside a full-speed writer of another process holds all that was acknowledged
    before, ends at a batch, and is a ledger that can be written."""
    Ledger.open(path).close()
    with process("append_for_ever", path) as child:
        for n in range(10):
            for _ in range(5):
                acknowledged = int(said(child))
            target = path.with_name(f"copy-{n}.db")
            made = back_up(path, target)
            assert (made.path, made.runs) == (target, 1)
            assert made.bytes == target.stat().st_size
            with Reader.open(target) as reader:
                steps = len(reader.equity("run-1").steps)
                assert reader.run("run-1").step_index == steps >= acknowledged
                assert reader.commits("run-1")[-1].last_step == steps - 1
                assert steps % 7 == 0
            assert health.inspect(target).sound
        child.kill()
    with Ledger.open(target) as ledger:
        start(ledger, "run-2")
    assert not [file for file in path.parent.iterdir() if file.name.endswith(".new")]


def test_holds_what_is_only_in_the_wal(path: Path, ledger: Ledger) -> None:
    """What has not been checkpointed is in the copy."""
    key = start(ledger)
    assert add(ledger, busy_batch(key, 0))
    assert path.with_name("runs.db-wal").stat().st_size > 0
    back_up(path, path.with_name("copy.db"))
    with Reader.open(path.with_name("copy.db")) as reader:
        assert len(reader.fills("run-1")) == 1


@pytest.mark.parametrize("kind", ["file", "folder", "itself"])
def test_overwrites_nothing(path: Path, ledger: Ledger, kind: str) -> None:
    """Whatever has the name stays as it is."""
    target = path.with_name("copy.db")
    if kind == "file":
        target.write_text("mine")
    elif kind == "folder":
        target.mkdir()
    else:
        target = path
    before = {file: file.stat() for file in path.parent.iterdir()}
    with pytest.raises(InvalidOption, match=r"is there already.*; name a file"):
        back_up(path, target)
    assert {file: file.stat() for file in path.parent.iterdir()} == before


def test_a_name_taken_meanwhile(path: Path, ledger: Ledger) -> None:
    """A file that gets the name while the copy is made keeps it."""
    target = path.with_name("copy.db")
    with (
        armed("backup.synced", lambda: target.write_text("mine")),
        pytest.raises(InvalidOption, match="is there already"),
    ):
        back_up(path, target)
    assert target.read_text() == "mine"
    assert not path.with_name(".copy.db.new").exists()


@pytest.mark.parametrize("seam", ["backup.copied", "backup.synced", "name.linked", "backup.named"])
def test_killed(path: Path, seam: str) -> None:
    """A backup that is killed leaves no half copy under the name, and the next one succeeds."""
    with Ledger.open(path) as ledger:
        start(ledger)
    target = path.with_name("copy.db")
    with process("back_up", path, target, env={VARIABLE: f"{seam}=kill"}) as child:
        assert child.wait() == -signal.SIGKILL
    if target.exists():
        with Reader.open(target) as reader:
            assert len(reader.runs()) == 1
        target.unlink()
    back_up(path, target)
    assert not path.with_name(".copy.db.new").exists()


def test_disk_full(path: Path) -> None:
    """A disk that fills up leaves no copy, and the ledger is as it was."""
    with Ledger.open(path) as ledger:
        key = start(ledger)
        assert add(ledger, batch(key, 0, 20_000))
    before = path.read_bytes()
    with process("back_up", path, path.with_name("copy.db"), 100_000) as child:
        assert said(child).startswith("ledger_write_failed the disk refused the copy")
    assert path.read_bytes() == before
    assert not [file for file in path.parent.iterdir() if "copy" in file.name]


def test_where_it_cannot_go(path: Path, ledger: Ledger) -> None:
    """A folder that is not there is named."""
    with pytest.raises(InvalidOption, match=r"the folder .* is not there; make it"):
        back_up(path, path.parent / "no" / "copy.db")


def test_what_is_no_ledger(path: Path) -> None:
    """Nothing, or something else, is not backed up."""
    target = path.with_name("copy.db")
    with pytest.raises(LedgerMissing):
        back_up(path, target)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE runs (run_id TEXT)")
    with pytest.raises(NotALedger):
        back_up(path, target)
    assert not target.exists()


def test_a_damaged_ledger(path: Path) -> None:
    """Damage is named, not copied in silence."""
    with Ledger.open(path) as ledger:
        key = start(ledger)
        assert add(ledger, batch(key, 0, 20_000))
    rubbish = bytearray(path.read_bytes())
    middle = len(rubbish) // 2 // 4096 * 4096
    rubbish[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(rubbish)
    with pytest.raises(LedgerCorrupt, match="is damaged"):
        back_up(path, path.with_name("copy.db"))
    assert not path.with_name("copy.db").exists()


def test_refused_by_the_disk(path: Path, ledger: Ledger) -> None:
    """An error while it is named or synced leaves nothing."""
    with armed("backup.synced", "error:EIO"), pytest.raises(LedgerWriteFailed):
        back_up(path, path.with_name("copy.db"))
    assert not [file for file in path.parent.iterdir() if "copy" in file.name]
