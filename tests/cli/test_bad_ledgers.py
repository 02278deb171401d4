"""Files that are no ledger, or not one of ours to write: named with the remedy, nothing touched."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Command

RUN = ("run", "buy_and_hold", "--symbols", "IBM", "--end", "2000-04-28", "--no-baselines")


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("CREATE TABLE runs (run_id TEXT)")


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA user_version = 99")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def text(path: Path) -> None:
    path.write_text("symbol,timestamp,open\n" * 50)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (foreign, ("of another program", "name another file with --db")),
        (newer, ("schema version 99", "upgrade stepdeck")),
        (truncated, ("is damaged or cut short", "restore it from a backup")),
        (text, ("is not a SQLite database", "name another file with --db")),
        (empty, ("is empty", "restore it from a backup")),
    ],
)
@pytest.mark.parametrize(
    "verb", [RUN, ("runs",), ("delete", "@1", "--yes"), ("backup", "COPY"), ("doctor",)],
    ids=lambda verb: verb[0],
)  # fmt: skip
def test_refused_untouched(
    stepdeck: Command,
    ledger: Path,
    finished: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    words: tuple[str, ...],
    verb: tuple[str, ...],
) -> None:
    """Every command says what it is and what would help, in one line, and leaves it as it is."""
    shutil.copy(finished, ledger)
    spoil(ledger)
    before = ledger.read_bytes()
    copy = tmp_path / "copy.db"
    done = stepdeck(*(copy if word == "COPY" else word for word in verb))
    assert ledger.read_bytes() == before
    assert not [file for file in tmp_path.iterdir() if file.name.startswith("runs.db-")]
    assert not copy.exists()
    if verb == ("doctor",):
        assert done.status == 1
        assert all(word in done.out for word in words)
        return
    assert done.status in (1, 2)
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert all(word in line for word in words)


def test_a_folder_that_may_not_be_written(stepdeck: Command, tmp_path: Path) -> None:
    """A command that writes is refused by name there, and nothing appears in it."""
    folder = tmp_path / "shut"
    folder.mkdir()
    ledger = folder / "runs.db"
    assert stepdeck(*RUN, "--db", ledger).status == 0
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    folder.chmod(0o555)
    try:
        done = stepdeck(*RUN, "--db", ledger, humble=True)
    finally:
        folder.chmod(0o755)
    assert done.status == 2
    assert f"the folder {folder} is not writable" in done.err
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before
