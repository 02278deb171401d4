"""`stepdeck audit` as a shell starts it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Command

WINDOW = ("--symbols", "AAPL,IBM", "--end", "2000-06-30")
PEEK = """\
from engine import Strategy, Target


class Peek(Strategy):
    def prepare(self, panel):
        self.close = panel.close.copy()

    def decide(self, obs):
        print("noise")
        ahead = min(obs.step + 1, len(self.close) - 1)
        return Target("IBM", 0.5 if self.close[ahead, 1] > self.close[obs.step, 1] else 0.0)
"""


def test_a_clean_strategy_is_status_0(stepdeck: Command, ledger: Path) -> None:
    """Said in words, and no ledger is made."""
    done = stepdeck("audit", "momentum", "-p", "top=1", *WINDOW, "--points", "3", "--db", ledger)
    assert (done.status, done.err) == (0, "")
    assert "No decision depends on later bars" in done.out
    assert not ledger.exists()


def test_look_ahead_is_status_1_and_named(stepdeck: Command, tmp_path: Path) -> None:
    """Step, symbol and what was done, as JSON and as text; the strategy's prints stay away."""
    own = tmp_path / "own.py"
    own.write_text(PEEK)
    words = ("audit", f"{own}:Peek", *WINDOW, "--points", "5")
    done = stepdeck(*words, "--json")
    assert (done.status, done.err) == (1, "")
    document = done.document
    assert not document["clean"]
    assert document["symbols"] == ["AAPL", "IBM"]
    for finding in document["findings"]:
        assert finding["kind"] == "look_ahead"
        assert finding["symbol"] == "IBM"
        assert finding["step"] == finding["after"]
        assert finding["step"] in document["points"]
        assert finding["how"] in ("changed", "truncated", "shuffled")
    said = stepdeck(*words)
    assert said.status == 1
    assert "look-ahead: step 0" in said.out
    assert "noise" not in said.out
    assert said.out.endswith("Not clean: it looks ahead.\n")


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("manual",), "strategy"),
        (("no_such",), "strategy"),
        (("sma_cross", "--symbols", "NOPE"), "symbols"),
        (("sma_cross", "-p", "slow=no"), "slow"),
        (("sma_cross", "--points", "0"), "points"),
        (("sma_cross", "--cash", "x"), "cash"),
    ],
)
def test_what_is_wrong_is_refused(stepdeck: Command, words: tuple[str, ...], field: str) -> None:
    """Status 2 and the field, as `run` would."""
    done = stepdeck("audit", *words, "--json")
    assert (done.status, done.out) == (2, "")
    assert done.error["field"] == field


def test_a_strategy_that_fails_is_status_1(stepdeck: Command, tmp_path: Path) -> None:
    """Its own failure, by file and line; it is no finding."""
    own = tmp_path / "own.py"
    own.write_text(PEEK.replace('print("noise")', "raise KeyError(obs.step)"))
    done = stepdeck("audit", f"{own}:Peek", *WINDOW, "--json")
    assert (done.status, done.out) == (1, "")
    assert done.error["code"] == "strategy_error"
    assert "own.py:9" in done.error["message"]


def test_ctrl_c_ends_it_with_130(stepdeck: Command, tmp_path: Path) -> None:
    """Also while the strategy is deciding."""
    own, there = tmp_path / "own.py", tmp_path / "there"
    slow = f"import pathlib, time; pathlib.Path({str(there)!r}).touch(); time.sleep(0.002)"
    own.write_text(PEEK.replace('print("noise")', slow))
    process = stepdeck.start("audit", f"{own}:Peek", "--symbols", "AAPL,IBM")
    while not there.exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    done = stepdeck.finish(process)
    assert done.status == 130
    assert "Traceback" not in done.err
