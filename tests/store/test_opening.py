"""Opening a ledger: made whole or not at all, and what is not one is refused untouched."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import (
    LedgerCorrupt,
    LedgerError,
    LedgerMissing,
    LedgerTooNew,
    NotALedger,
)
from engine.store.ledger import Ledger
from engine.store.migrations import SCHEMA_VERSION
from engine.store.reader import Reader
from engine.store.schema import APPLICATION_ID
from tests.store.kit import add, batch, process, said, start, tell


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, byte for byte."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def refused(path: Path, kind: type[LedgerError], *words: str) -> None:
    """Writer and reader refuse ``path`` with ``kind`` in one line and leave its folder as it is."""
    before = contents(path.parent)
    for opener in (Ledger.open, Reader.open):
        with pytest.raises(kind) as caught:
            opener(path)
        line = str(caught.value)
        assert "\n" not in line
        assert str(path) in line
        assert ";" in line, "a remedy is named"
        for word in words:
            assert word in line
        assert caught.value.field == "db"
    assert contents(path.parent) == before


def test_new_ledger_is_whole(path: Path) -> None:
    """A new ledger has our id, the present version, WAL, and nothing half-made beside it."""
    Ledger.open(path).close()
    conn = sqlite3.connect(path)
    assert conn.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert conn.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    conn.close()
    left = {file.name for file in path.parent.iterdir()} - {"home"}
    assert left == {"runs.db", "runs.db-lock", "runs.db-turn"}


def test_made_once_by_many(path: Path) -> None:
    """Of processes that start on no ledger at once, one makes it and all write into it."""
    with process("make", path) as one, process("make", path) as two, process("make", path) as three:
        children = (one, two, three)
        for child in children:
            assert said(child) == "ready"
        for child in children:
            tell(child)
        for child in children:
            assert said(child) == "made"
    with Reader.open(path) as reader:
        assert len(reader.runs()) == 3


@pytest.mark.parametrize("name", ["a b.db", "100%25.db", "who?.db", "#1.db", "é&vfs=x.db", "-.db"])
def test_any_name(tmp_path: Path, name: str) -> None:
    """A file's name may hold what means something in a URI."""
    path = tmp_path / name
    with Ledger.open(path) as ledger:
        start(ledger)
        assert path.stat().st_size > 0
    with Reader.open(path) as reader:
        assert len(reader.runs()) == 1


def test_through_a_link(tmp_path: Path, path: Path) -> None:
    """A symbolic link leads to the ledger, whose locks and WAL stand beside the ledger itself."""
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    with Ledger.open(link) as ledger:
        start(ledger)
        assert ledger.path == path
    assert list(link.parent.iterdir()) == [link]


def test_missing(path: Path) -> None:
    """A reader, and a writer told not to make one, name what is missing."""
    with pytest.raises(LedgerMissing, match="no ledger at"):
        Reader.open(path)
    with pytest.raises(LedgerMissing, match="no ledger at"):
        Ledger.open(path, create=False)
    with pytest.raises(LedgerMissing, match="folder"):
        Ledger.open(path.parent / "no" / "runs.db")
    assert not path.exists()


def test_not_a_database(path: Path) -> None:
    """A file that is no database is refused untouched."""
    path.write_text("symbol,timestamp,open\n" * 100)
    refused(path, NotALedger, "not a SQLite database")


def test_empty_file(path: Path) -> None:
    """An empty file is not taken for a new ledger: it may be one that lost everything."""
    path.touch()
    refused(path, NotALedger, "runs.db is empty, which a ledger never is")


def test_folder(path: Path) -> None:
    """A folder is refused."""
    path.mkdir()
    refused(path, NotALedger, "folder")


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_foreign_database(path: Path, journal: str) -> None:
    """Another program's database is refused, and not even a journal is put beside it."""
    conn = sqlite3.connect(path)
    conn.execute(f"PRAGMA journal_mode = {journal}")
    conn.execute("CREATE TABLE runs (run_id TEXT)")
    conn.commit()
    conn.close()
    refused(path, NotALedger, "another program")


def test_newer_schema(path: Path) -> None:
    """A ledger of a newer program is refused with both versions named."""
    Ledger.open(path).close()
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA user_version = 99")
    conn.close()
    refused(path, LedgerTooNew, "version 99", "up to 1; upgrade stepdeck")


@pytest.mark.parametrize("keep", [100, 4096, 40_000])
def test_truncated(path: Path, keep: int) -> None:
    """A ledger that was cut short is named as damaged; it and its folder stay as they are."""
    with Ledger.open(path) as ledger:
        key = start(ledger)
        add(ledger, batch(key, 0, 10_000))
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    refused(path, LedgerCorrupt)


@pytest.fixture
def shut_folder() -> Iterator[Path]:
    """A folder, reachable by everybody, for a test to shut."""
    folder = Path(tempfile.mkdtemp()).resolve()
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_new_ledger_in_read_only_folder(shut_folder: Path) -> None:
    """Where nothing may be made, one line says so and nothing is left behind."""
    shut_folder.chmod(0o555)
    with process("as_nobody", shut_folder / "runs.db") as child:
        line = said(child)
    assert line.startswith("ledger_read_only cannot write the ledger")
    assert f"the folder {shut_folder} is not writable; " in line
    assert list(shut_folder.iterdir()) == []


def test_ledger_in_read_only_folder(shut_folder: Path) -> None:
    """A ledger in a folder that may not be written is refused by name, and stays as it was."""
    path = shut_folder / "runs.db"
    Ledger.open(path).close()
    path.chmod(0o666)
    before = contents(shut_folder)
    shut_folder.chmod(0o555)
    with process("as_nobody", path) as child:
        for _ in range(2):
            line = said(child)
            assert line.startswith("ledger_read_only ")
            assert f"the folder {shut_folder} is not writable; " in line
    assert contents(shut_folder) == before


def test_folder_nobody_may_enter(shut_folder: Path) -> None:
    """A folder that may not be entered is refused by name."""
    shut_folder.chmod(0o000)
    with process("as_nobody", shut_folder / "runs.db") as child:
        for _ in range(2):
            assert said(child).startswith("ledger_read_only cannot reach the ledger")


def test_read_only_file(shut_folder: Path) -> None:
    """A write-protected ledger is refused when it is opened, not at the first write; it reads."""
    path = shut_folder / "runs.db"
    Ledger.open(path).close()
    shut_folder.chmod(0o777)
    path.chmod(0o444)
    before = path.read_bytes()
    with process("as_nobody", path) as child:
        assert said(child).startswith(f"ledger_read_only cannot write the ledger {path}: ")
        assert said(child) == "opened"
    assert path.read_bytes() == before


def test_disk_full_while_making(path: Path) -> None:
    """A disk that is full while a ledger is made leaves none, whole or half."""
    with process("small_disk", path, 50_000) as child:
        assert said(child) == "ledger_write_failed"
    assert {file.name for file in path.parent.iterdir()} - {"home"} == {"runs.db-lock"}


def test_no_wal(path: Path) -> None:
    """Where WAL cannot be, a rollback journal serves, and a notice says so."""
    with Ledger.open(path, vfs="unix-dotfile") as ledger:
        assert len(ledger.notices) == 1
        assert "cannot do WAL: journal mode is delete" in ledger.notices[0]
        key = start(ledger)
        assert add(ledger, batch(key, 0, 60))
        with ledger.reader() as reader:
            assert len(reader.equity("run-1").equity) == 60


def test_checking_a_file_keeps_its_locks(path: Path, ledger: Ledger) -> None:
    """Opening readers must not drop the locks that this process's writer holds on the file.

    A descriptor that is closed takes all POSIX locks of its process with it, and a process that
    then comes and goes would believe itself the last one and remove the WAL.
    """
    start(ledger)

    def look(_conn: sqlite3.Connection) -> str:
        Reader.open(path).close()
        with process("try_lock", path) as child:
            return said(child)

    assert ledger.write(look) == "busy"
    wal = path.with_name("runs.db-wal")
    inode = wal.stat().st_ino
    with process("open_and_close", path) as child:
        assert said(child) == "closed"
    assert wal.stat().st_ino == inode
    start(ledger, "run-2")
    with Reader.open(path) as reader:
        assert {run.run_id for run in reader.runs()} == {"run-1", "run-2"}
