"""What came from outside is shown as text: no byte of it moves the terminal."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.terminal.conftest import SIZES, Books, OpenDeck, Shell

COPY = "\x1b]52;c;b3duZWQ=\x07"
HOSTILE = (
    f"evil{COPY}\x1b]0;title\x07\x1b[6;5;31;45m\x1b[8;8H\x9b6;5;32m\x1bP1$r0m\x1b\\"
    "\u202eabc\u2066\u200f\n\r\t[/bold][@click=app.quit]x[/] end"
)
LONG = HOSTILE + "n" * 10_000
BROKEN = """
from engine import Strategy


class Broken(Strategy):
    def decide(self, obs):
        raise ValueError({text!r})
"""
# None of these is ever written by the app itself.
FORBIDDEN = (
    b"]52;", b"]0;", b"\x1bP", b"\xc2\x9b", b"\x9b6", b";5;31;45m", b"[8;8H",
    "\u202e".encode(), "\u2066".encode(), "\u200f".encode(),
)  # fmt: skip


def write(path: Path, name: str, text: str) -> None:
    """Another program writes into the run's row what no command line would."""
    with closing(sqlite3.connect(path, timeout=10)) as conn, conn:
        conn.execute(
            "UPDATE runs SET strategy = ?, source = ?, agent_id = ? WHERE name = ?",
            (text, text, text, name),
        )


@pytest.mark.parametrize("size", SIZES)
def test_no_byte_of_a_name_reaches_the_terminal(
    deck: OpenDeck, shell: Shell, books: Books, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Names, tags, errors and rows with escapes, bidi, markup and 10,000 letters are only text."""
    broken = tmp_path / "broken.py"
    broken.write_text(BROKEN.format(text=LONG), "utf-8")
    window = ("--symbols", "IBM", "--end", "2000-06-30")
    shell.run("run", "buy_and_hold", *window, "--name", LONG, "--tag", HOSTILE, "--agent", "evil")
    with pytest.raises(AssertionError):
        shell.run("run", f"{broken}:Broken", *window, "--name", "thrower")
    shell.run("run", "manual", *window, "--name", HOSTILE + " by hand", "--tag", LONG)
    shell.run("run", "manual", *window, "--name", "written")
    write(books.path, "written", HOSTILE)

    app = deck(size=size)
    app.sees("2 interrupted", "1 failed", "1 completed")
    app.press("j")
    app.finds(r"▌.*evil")
    app.press("R")
    app.finds(r"▶ running +evil")
    # Its screen, the question about it, the ticket for it and the question on leaving it.
    app.press("enter")
    app.sees("step 0/", "evil")
    for panel in "123456":
        app.press(panel)
    app.press(".")
    app.sees("step 1/")
    app.press("x")
    app.sees("Cancel this run?", "evil")
    app.press("n")
    app.loses("Cancel this run?")
    app.press("q")
    app.sees("live here", "evil")
    app.press("n")
    app.loses("live here")
    app.press("esc")
    app.finds(r"▌.*evil")
    # The run whose strategy raised it, in the list and by itself.
    app.press("j", "enter")
    app.finds(r"✗ failed +thrower")
    app.sees("evil")
    app.press("esc")
    app.finds(r"▌.*thrower")
    app.press("/")
    app.type("tag:evil")
    app.sees("2 of 4")
    app.press("esc")
    app.loses("of 4")
    app.press("q")
    app.sees("live here")
    app.press("enter")
    assert app.leaves() == 0
    assert app.restored
    assert [some for some in FORBIDDEN if some in app.raw] == []
    # Textual's own shapes of the mouse pointer are the only commands to the system.
    assert set(re.findall(rb"\x1b\]([0-9]*)", app.raw)) == {b"22"}
    assert app.afterwards == ""


LOUD = """
import os
import subprocess

from engine import Strategy


class Loud(Strategy):
    def decide(self, obs):
        if obs.step == 5:
            os.write(1, b"past python")
            subprocess.run(["echo", "another program"])
"""


def test_what_goes_past_python_stays_out_of_the_screen(
    deck: OpenDeck, shell: Shell, tmp_path: Path
) -> None:
    """What a library in C and a started program write to stdout stands in the log of the app."""
    loud = tmp_path / "loud.py"
    loud.write_text(LOUD, "utf-8")
    run_id = shell.run(
        "run", f"{loud}:Loud", "--symbols", "IBM", "--end", "2000-06-30", "--paused"
    ).strip()
    app = deck(run_id)
    app.sees("interrupted")
    app.press("R")
    app.sees("paused")
    app.press("space")
    app.sees("completed")
    app.press("q")
    assert app.leaves() == 0
    assert b"past python" not in app.raw
    assert b"another program" not in app.raw
    (log,) = Path(os.environ["XDG_STATE_HOME"]).rglob("stepdeck.log")
    said = log.read_text("utf-8")
    assert "past python" in said
    assert "another program" in said
