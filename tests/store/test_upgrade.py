"""Upgrades in the world: whom they wait for, what they leave beside the file, who may die."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from engine.errors import LedgerTooOld
from engine.failpoints import VARIABLE
from engine.store.backup import back_up
from engine.store.ledger import Ledger
from engine.store.migrations import SCHEMA_VERSION
from engine.store.reader import Reader
from tests.store.kit import add, busy_batch, process, said, start, tell

NEXT = SCHEMA_VERSION + 2


@pytest.fixture
def old(path: Path) -> Path:
    """A ledger of the present version with a run in it: old, for a stepdeck two versions on."""
    with Ledger.open(path) as ledger:
        key = start(ledger)
        assert add(ledger, busy_batch(key, 0))
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as conn:
        return int(conn.execute("PRAGMA user_version").fetchone()[0])


def whole(path: Path) -> list[str]:
    """The ids of a ledger's runs, which SQLite finds undamaged."""
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in conn.execute("SELECT run_id FROM runs ORDER BY run_key")]


def copies(path: Path) -> list[str]:
    """The names of what an upgrade left beside the ledger."""
    return sorted(
        file.name
        for file in path.parent.iterdir()
        if file.name.startswith((f"{path.name}.", f".{path.name}"))
    )


def test_keeps_a_copy(old: Path) -> None:
    """An upgrade leaves the ledger as it was beside it, and a second start finds nothing to do."""
    for _ in range(2):
        with process("upgrade", old) as child:
            assert said(child) == "ready"
            tell(child)
            assert said(child) == "opened"
    assert version(old) == NEXT
    assert len(whole(old)) == 3
    assert copies(old) == [f"runs.db.v{SCHEMA_VERSION}"]
    copy = old.with_name(f"runs.db.v{SCHEMA_VERSION}")
    assert version(copy) == SCHEMA_VERSION
    assert whole(copy) == ["run-1"]


def test_a_copy_is_never_written_over(old: Path) -> None:
    """Where the copy's name is taken, it gets another."""
    taken = old.with_name(f"runs.db.v{SCHEMA_VERSION}")
    taken.write_text("mine")
    with process("upgrade", old) as child:
        tell(child)
        assert said(child) == "ready"
        assert said(child) == "opened"
    assert taken.read_text() == "mine"
    assert copies(old) == [taken.name, f"{taken.name}-2"]


def test_waits_for_whoever_uses_it(old: Path) -> None:
    """While another instance lives nothing is upgraded; it is named with its process."""
    with process("own", old) as owner:
        _, instance, pid = said(owner).split()
        with process("upgrade", old) as child:
            assert said(child) == "ready"
            tell(child)
            line = said(child)
        assert line.startswith("ledger_busy ")
        assert f"process {pid} (instance {instance})" in line
        assert "; it is upgraded once nobody uses it" in line
        assert version(old) == SCHEMA_VERSION
        assert copies(old) == []
        tell(owner)
        assert said(owner) == "left"
    with process("upgrade", old) as child:
        tell(child)
        assert said(child) == "ready"
        assert said(child) == "opened"
    assert version(old) == NEXT


def test_a_dead_owner_holds_nothing_up(old: Path) -> None:
    """The lock file that a killed process left keeps nobody from upgrading."""
    with process("own", old) as owner:
        assert said(owner).startswith("owned")
        owner.kill()
        owner.wait()
    assert list(old.parent.glob("*.lock"))
    with process("upgrade", old) as child:
        tell(child)
        assert said(child) == "ready"
        assert said(child) == "opened"


def test_once_by_many(old: Path) -> None:
    """Of processes that start together one upgrades and copies; all write afterwards."""
    with ExitStack() as stack:
        children = [stack.enter_context(process("upgrade", old)) for _ in range(4)]
        for child in children:
            assert said(child) == "ready"
        for child in children:
            tell(child)
        for child in children:
            assert said(child) == "opened"
    assert version(old) == NEXT
    assert len(whole(old)) == 5
    assert copies(old) == [f"runs.db.v{SCHEMA_VERSION}"]


SEAMS = (
    "migrate.before", "migrate.begun", "upgrade.unused", "backup.copied", "backup.synced",
    "name.linked", "backup.named", "upgrade.copied", "migrate.version", "migrate.version@2",
    "migrate.written", "migrate.after",
)  # fmt: skip


@pytest.mark.parametrize("seam", SEAMS)
def test_killed_at_every_seam(old: Path, seam: str) -> None:
    """Wherever it is killed the ledger is whole, at one version or the other, and the next start
    finishes the upgrade; what stands under a copy's name is a whole copy."""
    name, at, n = seam.partition("@")
    with process("upgrade", old, env={VARIABLE: f"{name}=kill{at}{n}"}) as child:
        assert said(child) == "ready"
        tell(child)
        assert child.wait() == -signal.SIGKILL
    assert version(old) == (NEXT if seam == "migrate.after" else SCHEMA_VERSION)
    assert whole(old) == ["run-1"]
    with process("upgrade", old) as child:
        assert said(child) == "ready"
        tell(child)
        assert said(child) == "opened"
    assert version(old) == NEXT
    left = copies(old)
    assert 1 <= len(left) <= 2
    for name in left:
        assert not name.startswith("."), "a draft was left"
        assert whole(old.with_name(name)) == ["run-1"]


def test_no_room_for_the_copy(old: Path) -> None:
    """Where the copy cannot be made nothing is upgraded."""
    with process("upgrade", old, env={VARIABLE: "backup.copied=error:ENOSPC"}) as child:
        assert said(child) == "ready"
        tell(child)
        line = said(child)
    assert line.startswith("ledger_write_failed ")
    assert "No space left on device" in line
    assert (version(old), copies(old)) == (SCHEMA_VERSION, [])


def test_reading_an_older_one(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only reads upgrades nothing: it names what does. A backup of it may be made."""
    monkeypatch.setattr("engine.store.connection.SCHEMA_VERSION", NEXT)
    before = old.read_bytes()
    with pytest.raises(LedgerTooOld, match="doctor` upgrades it"):
        Reader.open(old)
    made = back_up(old, old.with_name("kept.db"))
    assert made.runs == 1
    assert old.read_bytes() == before
