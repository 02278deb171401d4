"""`stepdeck run`: to the end in the foreground, cancelled, left, failed, prepared."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, Command, rows

# A strategy that stands still at a step until a file appears, so that a test can act meanwhile.
HELD = """
import pathlib, time
from engine import Order, Strategy

class Held(Strategy):
    '''Waits at step 20 until it is let go.'''

    gate: str = ""

    def decide(self, obs):
        if obs.step == 3:
            return Order.buy(obs.symbols[0], 10)
        if obs.step == 20:
            pathlib.Path(self.gate + ".reached").touch()
            while not pathlib.Path(self.gate).exists():
                time.sleep(0.01)

class Slow(Strategy):
    '''A moment a step.'''

    def decide(self, obs):
        print("to nobody's screen")
        time.sleep(0.005)

class Loud(Strategy):
    '''Writes as a library in C does, and starts a program that writes.'''

    def decide(self, obs):
        import os, subprocess
        if obs.step == 5:
            os.write(1, b"past python")
            subprocess.run(["echo", "another program"])

class Broken(Strategy):
    '''Raises at step 5.'''

    def decide(self, obs):
        if obs.step == 5:
            raise ValueError("no such luck")

class Rubbish(Strategy):
    '''Answers what is no decision.'''

    def decide(self, obs):
        return "buy"
"""


@pytest.fixture
def strategies(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(HELD)
    return path


def wait_for_steps(process: subprocess.Popen[str], ledger: Path, steps: int) -> str:
    """The id of the first run once it has settled so many steps."""
    while process.poll() is None:
        if ledger.exists():
            found = rows(ledger, "SELECT run_id FROM runs WHERE step_index >= ?", steps)
            if found:
                return str(found[0][0])
    raise AssertionError(f"the command ended early: {process.communicate()}")


def test_a_run_prints_its_result(stepdeck: Command, ledger: Path) -> None:
    """Figures with their formulas, costs by kind, the rules in force and the hashes."""
    done = stepdeck("run", "sma_cross", "--symbols", "AAPL", "--end", "2000-12-29")
    assert (done.status, done.err) == (0, "")
    for words in (
        "completed (end_of_data)",
        "sharpe",
        "sample deviation",
        "Costs (profile us-equity)",
        "slippage bps",
        "Hashes",
    ):
        assert words in done.out
    (run,) = rows(ledger, "SELECT run_id, status, bars_hash FROM runs WHERE baseline_of IS NULL")
    assert run[0] in done.out
    assert run[1] == "completed"
    assert run[2] in done.out


def test_baselines_are_finished_before_the_command_is(stepdeck: Command, ledger: Path) -> None:
    """Both twins end before the process does, and --no-baselines leaves them out."""
    stepdeck("run", "sma_cross", "--symbols", "AAPL", "--end", "2000-06-30")
    twins = rows(ledger, "SELECT strategy, status FROM runs WHERE baseline_of IS NOT NULL")
    assert twins == [("buy_and_hold", "completed"), ("index", "completed")]
    stepdeck("run", "sma_cross", "--symbols", "AAPL", "--end", "2000-06-30", "--no-baselines")
    assert rows(ledger, "SELECT count(*) FROM runs") == [(4,)]


def test_json_is_one_document_that_agrees_with_the_ledger(stepdeck: Command, ledger: Path) -> None:
    """stdout is one JSON document: the row, its metrics, the rules in force, notices."""
    done = stepdeck("run", "momentum", "-p", "top=2", "--end", "2000-12-29", "--json")
    assert (done.status, done.err) == (0, "")
    document = done.document
    (row,) = rows(
        ledger, "SELECT equity, sharpe, config_hash FROM runs WHERE run_id = ?", document["run_id"]
    )
    assert row == (document["equity"], document["sharpe"], document["config_hash"])
    assert document["config"]["params"] == {"lookback": 20, "top": 2, "every": 1}
    assert document["rules"]["costs"]["profile"] == "us-equity"
    assert document["metrics"]["num_fills"] == document["num_fills"]
    assert "FB has no bars in the window" in document["notices"]


def test_prints_of_a_strategy_stay_out_of_the_document(stepdeck: Command, strategies: Path) -> None:
    """What a strategy prints reaches neither stdout nor stderr."""
    done = stepdeck("run", f"{strategies}:Slow", "--end", "2000-03-31", "--json")
    assert done.document["status"] == "completed"
    assert "to nobody's screen" not in done.out + done.err


def test_what_goes_past_python_stays_out_of_the_document(
    stepdeck: Command, strategies: Path
) -> None:
    """A library in C and a program that a strategy starts write to stderr: stdout is the result."""
    done = stepdeck("run", f"{strategies}:Loud", "--end", "2000-03-31", "--json")
    assert done.document["status"] == "completed"
    assert "past python" in done.err
    assert "another program" in done.err


def test_a_closed_stdout_is_nobody_to_tell(ledger: Path) -> None:
    """`>&-` closes it: the run is made all the same, and no file of the ledger gets its number."""
    words = ("run", "buy_and_hold", "--symbols", "AAPL", "--end", "2000-03-31", "--db", str(ledger))
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, *words],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(ledger, "SELECT DISTINCT status FROM runs") == [("completed",)]


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_ctrl_c_cancels_in_the_ledger_first(
    stepdeck: Command, ledger: Path, strategies: Path, flag: tuple[str, ...]
) -> None:
    """After Ctrl-C the run is `cancelled` in the ledger with what it had, and the status is 130."""
    process = stepdeck.start("run", f"{strategies}:Slow", "--symbols", "IBM", *flag)
    run_id = wait_for_steps(process, ledger, 5)
    process.send_signal(signal.SIGINT)
    done = stepdeck.finish(process)
    assert done.status == 130
    status, reason, steps, end = rows(
        ledger, "SELECT status, end_reason, step_index, finished_at FROM runs"
    )[0]
    assert (status, reason) == ("cancelled", "cancelled_by_user")
    assert end is not None
    assert rows(ledger, "SELECT count(*) FROM equity WHERE run_id = ?", run_id) == [(steps,)]
    if flag:
        assert done.document["status"] == "cancelled"
        assert done.error["code"] == "cancelled"
    else:
        assert done.err == f"stepdeck: run {run_id} was cancelled\n"


def test_a_cancel_from_outside_is_130_too(
    stepdeck: Command, ledger: Path, strategies: Path
) -> None:
    """Whoever cancels: the run's own command ends with 130."""
    process = stepdeck.start("run", f"{strategies}:Slow", "--symbols", "IBM")
    run_id = wait_for_steps(process, ledger, 2)
    assert stepdeck("cancel", run_id[:5]).status == 0
    assert stepdeck.finish(process).status == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminated_run_can_be_taken_up_again(
    stepdeck: Command, ledger: Path, strategies: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """SIGTERM and SIGHUP leave the run interrupted; `resume` ends it as if nothing had been."""
    gate = tmp_path / "gate"
    words = (f"{strategies}:Held", "-p", f"gate={gate}", "--symbols", "IBM", "--end", "2000-06-30")
    process = stepdeck.start("run", *words)
    while not Path(f"{gate}.reached").exists():
        assert process.poll() is None
    process.send_signal(number)
    done = stepdeck.finish(process)
    gate.touch()
    run_id, status = rows(ledger, "SELECT run_id, status FROM runs")[0]
    assert (done.status, status) == (1, "interrupted")
    assert f"`stepdeck resume {run_id}`" in done.err
    resumed = stepdeck("resume", run_id, "--json").document
    whole = stepdeck("run", *words, "--json").document
    assert resumed["status"] == "completed"
    digests = "SELECT digest FROM commits WHERE run_id = ? ORDER BY last_step DESC LIMIT 1"
    assert rows(ledger, digests, run_id) == rows(ledger, digests, whole["run_id"])


@pytest.mark.parametrize(
    ("name", "words"), [("Broken", ("no such luck", "mine.py:")), ("Rubbish", ("str 'buy'",))]
)
def test_a_strategy_that_fails_fails_its_run(
    stepdeck: Command, ledger: Path, strategies: Path, name: str, words: tuple[str, ...]
) -> None:
    """Status 1, one line that says what and where; what came before is in the ledger."""
    done = stepdeck("run", f"{strategies}:{name}", "--end", "2000-03-31")
    assert done.status == 1
    (line,) = done.err.splitlines()
    assert all(word in line for word in words)
    assert "Traceback" not in done.out + done.err
    assert rows(ledger, "SELECT status, end_reason, error_code FROM runs") == [
        ("failed", "strategy_error", "strategy_error")
    ]


@pytest.mark.parametrize("words", [("manual",), ("sma_cross", "--paused")])
def test_a_prepared_run_waits_for_the_app(
    stepdeck: Command, ledger: Path, words: tuple[str, ...]
) -> None:
    """`run manual` and --paused print the id alone and leave the run interrupted."""
    done = stepdeck("run", *words, "--symbols", "AAPL")
    assert (done.status, done.err) == (0, "")
    assert rows(ledger, "SELECT run_id, status FROM runs") == [(done.out.strip(), "interrupted")]


def test_progress_is_drawn_on_a_terminal_and_nowhere_else(
    stepdeck: Command, strategies: Path
) -> None:
    """Where stderr is a terminal it shows step, rate and equity; stdout is the document alone."""
    ours, theirs = pty.openpty()
    process = stepdeck.start(
        "run", f"{strategies}:Slow", "--symbols", "IBM", "--end", "2000-09-29", "--json",
        stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    with contextlib.suppress(OSError):  # what reading a terminal that was closed raises on Linux
        while part := os.read(ours, 65536):
            drawn += part
    os.close(ours)
    done = stepdeck.finish(process)
    assert (done.status, done.document["status"]) == (0, "completed")
    for words in (b"running", b" of 149 steps", b"steps/s", b"equity 100,000.00"):
        assert words in drawn
    assert b"to nobody's screen" not in drawn


def test_speed_limits_a_run(stepdeck: Command, ledger: Path) -> None:
    """At one step a second a run is still near its beginning when it is looked at."""
    process = stepdeck.start("run", "sma_cross", "--symbols", "AAPL", "--speed", "1")
    wait_for_steps(process, ledger, 1)
    assert rows(ledger, "SELECT status FROM runs") == [("running",)]
    process.send_signal(signal.SIGINT)
    stepdeck.finish(process)
    assert rows(ledger, "SELECT step_index < 60 FROM runs") == [(1,)]


def test_real_hourly_bars_run_end_to_end(
    stepdeck: Command, ledger: Path, hourly_file: Path
) -> None:
    """Twelve symbols of a real file run to the end with an equity row a grid point."""
    symbols = "AAPL,ABBV,ADBE,AMZN,AVGO,BAC,COST,CVX,GOOGL,HD,JPM,KO"
    done = stepdeck(
        "run", "momentum", "--source", f"csv:{hourly_file}", "--symbols", symbols, "--json"
    )
    assert (done.status, done.err) == (0, "")
    document = done.document
    assert document["timeframe"] == "1Hour"
    assert document["total_steps"] == document["step_index"] > 5000
    assert rows(ledger, "SELECT count(*) FROM equity WHERE run_id = ?", document["run_id"]) == [
        (document["step_index"],)
    ]


def test_a_fault_names_the_line_of_the_strategys_own_file(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """A mistake that the engine finds is told where one made it, however the file is named."""
    (tmp_path / "mine.py").write_text(
        "from engine import Strategy\n\n\n"
        "class Two(Strategy):\n"
        "    def decide(self, obs):\n"
        "        obs.indicator('rsi', 14, 3)\n"
    )
    other = tmp_path / ".." / tmp_path.name / "mine.py"
    done = stepdeck("run", f"{other}:Two", "--symbols", "AAPL", "--db", ledger)
    assert done.status == 1
    assert "rsi takes 1 parameter, not 2 in mine.py:6 at step 0" in done.err
