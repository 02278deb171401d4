"""Leaving with live runs: by the question, by signals, by a window that closes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.terminal.conftest import Books, OpenDeck, Shell
from tests.terminal.deck import PATIENCE_SECONDS, Deck


def open_running(deck: OpenDeck, shell: Shell, books: Books, slow: str) -> Deck:
    """A deck with one run that moves and would take a minute more."""
    run_id = shell.run("run", slow, "--symbols", "IBM", "--name", "long", "--paused").strip()
    app = deck(run_id)
    app.sees("↯ interrupted  long")
    app.press("R")
    app.sees("Ⅱ paused  long")
    app.press("space")
    app.sees("▶ running  long")
    app.waiting(lambda _: books.step("long") > 10, "some steps in the ledger")
    return app


def left_resumable(app: Deck, books: Books) -> None:
    """The run stands where it was, whole, and the terminal is as it was."""
    assert books.status("long") == "interrupted"
    step = books.step("long")
    assert step > 10
    rows = books.one("SELECT count(*) FROM equity JOIN runs USING (run_id) WHERE name = 'long'")
    assert rows == (step,)
    assert app.restored
    assert "Traceback" not in app.afterwards


def test_quit_interrupts_and_resume_completes(
    deck: OpenDeck, shell: Shell, books: Books, slow: str, speed_up: Callable[[], object]
) -> None:
    """``q`` asks; enter leaves the run resumable, exit status 0; ``resume`` completes it."""
    app = open_running(deck, shell, books, slow)
    app.press("q")
    app.sees("1 run is live here", "long (slow.py:Slow)  running")
    app.press("n")
    app.loses("live here")
    assert books.status("long") == "running"
    app.press("q")
    app.sees("live here")
    app.press("enter")
    assert app.leaves() == 0
    left_resumable(app, books)
    assert app.afterwards == ""

    curve = (
        "SELECT equity.step_index, equity.equity, equity.cash FROM equity JOIN runs USING (run_id)"
        " WHERE name = 'long' ORDER BY equity.step_index"
    )
    before = books.rows(curve)
    speed_up()
    assert "completed (end_of_data)" in shell.run("resume", "@1")
    assert books.status("long") == "completed"
    after = books.rows(curve)
    assert len(after) == 3270
    assert after[: len(before)] == before


def test_quit_and_cancel(deck: OpenDeck, shell: Shell, books: Books, slow: str) -> None:
    """``q`` and ``c`` cancel the live run before the app is gone."""
    app = open_running(deck, shell, books, slow)
    app.press("q")
    app.sees("live here")
    app.press("c")
    assert app.leaves() == 0
    assert app.restored
    assert books.status("long") == "cancelled"


def test_quit_by_mouse(deck: OpenDeck, books: Books) -> None:
    """The key bar's Quit and the question's Interrupt answer to clicks."""
    app = deck("demo", "--db", books.path)
    app.sees("4 running")
    app.click("q Quit")
    app.sees("4 runs are live here")
    app.click("i Interrupt")
    assert app.leaves() == 0
    assert app.restored
    assert books.rows("SELECT DISTINCT status FROM runs") == [("interrupted",)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_interrupt(
    deck: OpenDeck,
    shell: Shell,
    books: Books,
    slow: str,
    number: signal.Signals,
    record_counts: Callable[[str], None],
) -> None:
    """SIGTERM and SIGHUP leave live runs resumable and the terminal as it was, without a word."""
    app = open_running(deck, shell, books, slow)
    began = time.monotonic()
    app.signal(number)
    app.waiting(lambda _: books.status("long") == "interrupted", "the run to be left")
    record_counts(f"{number.name} with the app open: left in {time.monotonic() - began:.2f} s")
    assert app.leaves() == 0
    left_resumable(app, books)
    assert app.afterwards == ""


def test_window_closes(deck: OpenDeck, shell: Shell, books: Books, slow: str) -> None:
    """A terminal that goes away takes the app with it; the run stays resumable."""
    app = open_running(deck, shell, books, slow)
    app.hang_up()
    app.process.wait(PATIENCE_SECONDS)
    assert books.status("long") == "interrupted"


def test_an_orphan_is_taken_up(
    deck: OpenDeck, shell: Shell, books: Books, slow: str, speed_up: Callable[[], object]
) -> None:
    """After ``kill -9`` the next deck shows the run interrupted; taken up, it goes on as it was."""
    app = open_running(deck, shell, books, slow)
    app.process.kill()
    app.process.wait(PATIENCE_SECONDS)
    assert books.status("long") == "running"
    speed_up()
    app = deck()
    app.finds(r"↯ interrupted +long")
    app.press("R")
    app.finds(r"✓ completed +long")
    assert books.step("long") == 3270


def test_a_ledger_that_is_none(deck: OpenDeck, tmp_path: Path) -> None:
    """What is not a ledger is refused in one line, exit status 2, before the screen is taken."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database", "utf-8")
    app = deck("--db", path)
    assert app.leaves() == 2
    assert b"\x1b[?1049h" not in app.raw
    assert app.settings_restored
    (line,) = app.raw.decode().split("\r\n")[:-1]
    assert line.startswith("stepdeck: ")
    assert str(path) in line
    assert path.read_text("utf-8") == "not a database"


def test_interrupt_signals(
    deck: OpenDeck,
    shell: Shell,
    books: Books,
    slow: str,
    record_counts: Callable[[str], None],
) -> None:
    """SIGINT twice and more is no crash: the run stays resumable, the terminal as it was."""
    app = open_running(deck, shell, books, slow)
    began, sent = time.monotonic(), 0
    while app.process.poll() is None:
        app.signal(signal.SIGINT)
        sent += 1
        time.sleep(0.02)
    gone = time.monotonic() - began
    assert app.leaves() == 0
    assert sent > 1
    left_resumable(app, books)
    assert app.afterwards == ""
    record_counts(f"SIGINT {sent} times with the app open: gone in {gone:.2f} s")


def test_stop_and_go_on(deck: OpenDeck, shell: Shell, books: Books, slow: str) -> None:
    """SIGTSTP gives the terminal back and holds nobody up; after SIGCONT the app and run go on."""
    app = open_running(deck, shell, books, slow)
    app.signal(signal.SIGTSTP)
    app.waiting(lambda _: not app.modes[1049], "the shell's own screen")
    stopped = books.step("long")
    # Another process writes meanwhile: the one that stands still is outside of transactions.
    other = shell.run(
        "run", "buy_and_hold", "--symbols", "IBM", "--name", "quick", "--no-baselines"
    )
    assert "completed" in other
    assert books.status("quick") == "completed"
    assert books.status("long") == "running"
    assert books.step("long") == stopped
    app.signal(signal.SIGCONT)
    app.waiting(lambda _: app.modes[1049], "the app's screen")
    app.waiting(lambda _: books.step("long") > stopped, "the run going on")
    app.press("q")
    app.sees("live here")
    app.press("enter")
    assert app.leaves() == 0
    left_resumable(app, books)
