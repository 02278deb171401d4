"""A strategy that hangs: seen, told what waits for it, cancelled at once; other runs go on."""

from __future__ import annotations

from pathlib import Path

from tests.terminal.conftest import Books, OpenDeck, Shell
from tests.terminal.deck import Deck

HANGS = '''
import time
from pathlib import Path

from engine import Strategy


class Hangs(Strategy):
    """Does not come back from step 50 until the file ``go`` lies beside this one."""

    def decide(self, obs):
        while obs.step == 50 and not Path(__file__).with_name("go").exists():
            time.sleep(0.01)
'''
WINDOW = ("--symbols", "AAPL", "--start", "2008-01-02", "--end", "2008-12-31", "--no-baselines")


def open_hanging(tmp_path: Path, deck: OpenDeck, shell: Shell) -> Deck:
    """A deck in whose run the strategy hangs."""
    file = tmp_path / "hangs.py"
    file.write_text(HANGS, "utf-8")
    run_id = shell.run("run", f"{file}:Hangs", *WINDOW, "--name", "stuck", "--paused").strip()
    app = deck(run_id, size=(120, 36))
    app.sees("interrupted  stuck")
    app.press("R")
    app.sees("paused  stuck")
    app.press("space")
    app.finds(r"decide of step 50 has taken \d+ s in hangs\.py:\d+; x cancels at once")
    return app


def test_a_hanging_strategy_is_named_and_cancelled(
    tmp_path: Path, deck: OpenDeck, shell: Shell, books: Books
) -> None:
    """Its call, step and line are said; a pause waits and says so; ``x`` does not wait for it."""
    shell.run("run", "manual", *WINDOW, "--name", "hand")
    app = open_hanging(tmp_path, deck, shell)
    app.press("space")
    app.sees("it is waited for to pause the run")
    app.press("esc")
    app.sees("in decide", "hand")
    # What waits there keeps no other run waiting.
    app.press("/")
    app.type("name:hand")
    app.press("enter", "R")
    app.waiting(lambda _: books.status("hand") == "running", "the other run going on")
    assert books.status("stuck") == "running"
    app.press("/")
    app.press("ctrl+u")
    app.type("name:stuck")
    app.press("enter", "enter")
    app.sees("decide of step 50")
    app.press("x")
    app.sees("Cancel this run?")
    app.press("y")
    app.sees("cancelled  stuck")
    assert books.status("stuck") == "cancelled"
    app.loses("has taken", "Could not")


def test_what_waits_for_a_slow_call_is_done_when_it_returns(
    tmp_path: Path, deck: OpenDeck, shell: Shell, books: Books
) -> None:
    """``t`` waits for the decision in progress, says so, and then the run is a person's."""
    app = open_hanging(tmp_path, deck, shell)
    app.press("t")
    app.sees("it is waited for to take the run over")
    (tmp_path / "go").touch()
    app.sees("paused  stuck", "taken over")
    app.loses("has taken")
    assert books.step("stuck") >= 51
