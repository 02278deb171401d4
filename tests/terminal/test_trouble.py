"""What may go wrong while the app is open: it says so, survives, and leaves the terminal whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.terminal.conftest import Books, OpenDeck, Shell

WINDOW = ("--symbols", "IBM", "--end", "2000-03-31")
CRASHING = """
from tui.screens.runs import RunsScreen


def crash(screen):
    raise ZeroDivisionError("planted")


RunsScreen.action_tree = crash
"""


def move(source: Path, target: Path) -> None:
    """A ledger with the files that SQLite keeps beside it."""
    for part in ("", "-wal", "-shm"):
        file = source.with_name(source.name + part)
        if file.exists():
            file.rename(target.with_name(target.name + part))


def test_a_ledger_that_goes_and_comes_back(
    deck: OpenDeck, shell: Shell, books: Books, tmp_path: Path
) -> None:
    """Gone is said on top of what was seen last; back, the list goes on."""
    shell.run("run", "buy_and_hold", *WINDOW, "--name", "first")
    app = deck("watch")
    app.sees("first")
    aside = tmp_path / "aside.db"
    move(books.path, aside)
    app.sees("the ledger has gone from", "first")
    app.press("enter")
    app.sees("first")
    app.press("esc")
    move(aside, books.path)
    app.loses("the ledger has gone")
    shell.run("run", "buy_and_hold", *WINDOW, "--name", "second")
    app.sees("second", "2 completed")
    app.press("q")
    assert app.leaves() == 0
    assert app.restored


def test_a_ledger_that_is_replaced(
    deck: OpenDeck, shell: Shell, books: Books, tmp_path: Path
) -> None:
    """A deck that watches shows the new one; a deck that drives says that it holds the old one."""
    shell.run("run", "buy_and_hold", *WINDOW, "--name", "before")
    other = tmp_path / "other.db"
    shell.run("run", "buy_and_hold", *WINDOW, "--name", "after", "--db", other)
    watching, driving = deck("watch"), deck()
    watching.sees("before")
    driving.sees("before")
    move(books.path, tmp_path / "aside.db")
    move(other, books.path)
    watching.sees("after")
    watching.loses("before")
    driving.sees("another file stands at", "before")
    for app in (watching, driving):
        app.press("q")
        assert app.leaves() == 0
        assert app.restored


def test_a_ledger_that_another_program_has_locked(
    deck: OpenDeck, shell: Shell, books: Books
) -> None:
    """Reading goes on; what has to be written waits, which is said, and is done afterwards."""
    shell.run("run", "manual", *WINDOW, "--name", "mine")
    app = deck()
    app.sees("1 interrupted", "mine")
    with closing(sqlite3.connect(books.path, timeout=10, isolation_level=None)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        app.press("x", "y")
        app.sees("another process holds the write lock", "mine")
        conn.execute("ROLLBACK")
    app.sees("1 cancelled")
    app.loses("write lock")
    app.press("q")
    assert app.leaves() == 0


def test_a_crash_leaves_the_terminal_and_the_runs(
    deck: OpenDeck, shell: Shell, books: Books, tmp_path: Path
) -> None:
    """A bug ends the app with a line and a status; its live run can be taken up again."""
    (tmp_path / "sitecustomize.py").write_text(CRASHING, "utf-8")
    shell.run("run", "manual", *WINDOW, "--name", "mine")
    app = deck(env={"PYTHONPATH": str(tmp_path)})
    app.sees("1 interrupted")
    app.press("R")
    app.sees("1 running")
    app.press("t")
    assert app.leaves() == 1
    assert app.restored
    assert "the app crashed: ZeroDivisionError" in app.afterwards
    assert "Traceback" not in app.afterwards
    assert books.status("mine") == "interrupted"
    app = deck()
    app.sees("1 interrupted")
    app.press("R")
    app.sees("1 running")
    app.press("q")
    app.sees("live here")
    app.press("c")
    assert app.leaves() == 0
    assert books.status("mine") == "cancelled"


def test_a_window_far_too_small_recovers(deck: OpenDeck, shell: Shell) -> None:
    """20 x 5 says what is missing; the screens come back whole."""
    shell.run("run", "buy_and_hold", *WINDOW, "--name", "first")
    app = deck()
    app.sees("first")
    app.resize(20, 5)
    app.finds(r"too small:")
    assert "first" not in app.text
    app.resize(80, 24)
    app.sees("first", "q Quit")
    app.loses("too small")
