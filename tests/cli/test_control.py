"""`cancel`, `pause`, `resume`: another process's run, one that was left, one that ended."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import LeaseLost
from tests.cli.conftest import Command, rows
from tests.cli.test_run import wait_for_steps
from tests.runs.conftest import AGENT, MANUAL, Deck

SLOW = ("run", "sma_cross", "--symbols", "AAPL", "--speed", "100", "--no-baselines")


def test_another_process_s_run_is_driven(stepdeck: Command, ledger: Path) -> None:
    """pause holds it, resume lets it go on, cancel ends it; each says the state it led to."""
    process = stepdeck.start(*SLOW)
    run_id = wait_for_steps(process, ledger, 1)
    paused = stepdeck("pause", run_id, "--json").document
    assert [run["status"] for run in paused] == ["paused"]
    held = rows(ledger, "SELECT step_index FROM runs")
    assert stepdeck("pause", run_id).status == 0
    assert rows(ledger, "SELECT step_index FROM runs") == held
    resumed = stepdeck("resume", run_id)
    assert (resumed.status, "running" in resumed.out) == (0, True)
    cancelled = stepdeck("cancel", run_id)
    assert (cancelled.status, "cancelled" in cancelled.out) == (0, True)
    assert stepdeck.finish(process).status == 130
    answered = "SELECT kind FROM commands WHERE applied_at IS NOT NULL ORDER BY command_id"
    assert [row[0] for row in rows(ledger, answered)] == ["pause", "pause", "resume", "cancel"]


def test_a_strategy_that_never_returns_holds_up_no_exit(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """A run cancelled from elsewhere while its strategy hangs ends its command: status 130."""
    source = tmp_path / "endless.py"
    source.write_text(
        "import time\n"
        "from engine import Strategy\n\n\n"
        "class Endless(Strategy):\n"
        "    def decide(self, obs):\n"
        "        while obs.step == 2:\n"
        "            time.sleep(0.01)\n"
    )
    process = stepdeck.start("run", f"{source}:Endless", "--symbols", "AAPL", "--speed", "20")
    run_id = wait_for_steps(process, ledger, 3)
    assert stepdeck("cancel", run_id).status == 0
    assert stepdeck.finish(process).status == 130


def test_a_finished_run_keeps_its_state(stepdeck: Command, ledger: Path) -> None:
    """cancel of a finished run is 0 and says its true state; pause and resume are 1."""
    assert stepdeck("run", "sma_cross", "--symbols", "AAPL", "--end", "2000-04-28").status == 0
    before = rows(ledger, "SELECT * FROM runs")
    cancelled = stepdeck("cancel", "@1")
    assert (cancelled.status, "completed" in cancelled.out) == (0, True)
    for verb in ("pause", "resume"):
        done = stepdeck(verb, "@1")
        assert (done.status, done.out) == (1, "")
        assert "is completed" in done.err
    assert rows(ledger, "SELECT * FROM runs") == before


def test_several_runs_are_cancelled_or_none(stepdeck: Command, ledger: Path) -> None:
    """A name that fits no run keeps cancel from touching the others."""
    ids = [stepdeck("run", "manual").out.strip() for _ in range(2)]
    assert stepdeck("cancel", *ids, "nope").status == 2
    assert rows(ledger, "SELECT DISTINCT status FROM runs") == [("interrupted",)]
    done = stepdeck("cancel", *ids, "--json")
    assert [run["status"] for run in done.document] == ["cancelled", "cancelled"]
    assert rows(ledger, "SELECT DISTINCT status, end_reason FROM runs") == [
        ("cancelled", "cancelled_by_user")
    ]


def test_resume_runs_a_prepared_run_to_its_end(stepdeck: Command, ledger: Path) -> None:
    """An interrupted run is taken up in the foreground and ends like one that never stopped."""
    window = ("--symbols", "IBM", "--end", "2000-12-29", "--no-baselines")
    run_id = stepdeck("run", "sma_cross", *window, "--paused").out.strip()
    stays = stepdeck("resume", run_id, "--paused")
    assert (stays.status, "interrupted" in stays.out) == (0, True)
    done = stepdeck("resume", run_id, "--json")
    assert done.status == 0
    whole = stepdeck("run", "sma_cross", *window, "--json").document
    assert done.document["metrics"] == whole["metrics"]


def test_a_manual_run_is_not_resumed_in_the_foreground(stepdeck: Command, ledger: Path) -> None:
    """Nobody decides there: status 1, naming the app, and the run is left as it was."""
    run_id = stepdeck("run", "manual").out.strip()
    done = stepdeck("resume", run_id, "--json")
    assert (done.status, done.error["code"]) == (1, "run_not_resumable")
    assert f"`stepdeck {run_id}`" in done.error["message"]
    assert rows(ledger, "SELECT status FROM runs") == [("interrupted",)]


def test_a_dead_owner_s_run_can_be_taken_up(stepdeck: Command, ledger: Path) -> None:
    """After kill -9 a later command recovers the run, and resume ends it."""
    process = stepdeck.start(*SLOW, "--end", "2000-12-29")
    run_id = wait_for_steps(process, ledger, 5)
    process.kill()
    process.wait()
    done = stepdeck("resume", run_id, "--json")
    assert (done.status, done.document["status"]) == (0, "completed")
    assert rows(ledger, "SELECT count(*) FROM equity WHERE run_id = ?", run_id) == [
        (done.document["total_steps"],)
    ]


def test_several_runs_are_resumed_one_after_the_other(stepdeck: Command, ledger: Path) -> None:
    """Each is taken up and run to its end; with --json the answer is one list."""
    window = ("--symbols", "IBM", "--end", "2000-06-30", "--no-baselines", "--paused")
    ids = [stepdeck("run", "sma_cross", *window).out.strip() for _ in range(2)]
    done = stepdeck("resume", *ids, "--json")
    assert done.status == 0
    assert [(run["run_id"], run["status"]) for run in done.document] == [
        (run_id, "completed") for run_id in ids
    ]


def test_one_run_that_cannot_be_resumed_keeps_the_others(stepdeck: Command, ledger: Path) -> None:
    """All are looked at before the first is taken up."""
    window = ("--symbols", "IBM", "--end", "2000-06-30", "--paused")
    ids = [stepdeck("run", strategy, *window).out.strip() for strategy in ("sma_cross", "manual")]
    done = stepdeck("resume", *ids)
    assert (done.status, ids[1] in done.err) == (1, True)
    assert rows(ledger, "SELECT DISTINCT status FROM runs") == [("interrupted",)]


def test_a_run_is_taken_from_a_stopped_process(stepdeck: Command, ledger: Path) -> None:
    """--take ends the run here; its former owner, continued, adds no row and says why it stops."""
    process = stepdeck.start(*SLOW, "--end", "2000-12-29")
    run_id = wait_for_steps(process, ledger, 5)
    process.send_signal(signal.SIGSTOP)
    done = stepdeck("resume", "--take", run_id, "--json")
    assert (done.status, done.document["status"]) == (0, "completed")
    tables = ("runs", "equity", "steps", "orders", "fills", "commits")
    before = [rows(ledger, f"SELECT * FROM {table} WHERE run_id = ?", run_id) for table in tables]
    process.send_signal(signal.SIGCONT)
    former = stepdeck.finish(process)
    assert former.status == 1
    assert f"run {run_id} was taken over by another process" in former.err
    after = [rows(ledger, f"SELECT * FROM {table} WHERE run_id = ?", run_id) for table in tables]
    assert after == before


def test_a_manual_run_is_taken_and_left(stepdeck: Command, ledger: Path) -> None:
    """In the foreground nobody decides: --take alone names the way, with --paused it is taken."""
    with closing(Deck(ledger)) as deck:
        session = deck.ready(MANUAL)
        refused = stepdeck("resume", "--take", session.run_id)
        assert refused.status == 1
        assert f"`stepdeck resume --take --paused {session.run_id}`" in refused.err
        assert deck.service.record(session.run_id).status == "running"
        taken = stepdeck("resume", "--take", "--paused", session.run_id, "--json")
        assert (taken.status, taken.document["status"]) == (0, "interrupted")
        with pytest.raises(LeaseLost):
            deck.service.step(session.run_id)


def test_an_agent_s_run_is_not_resumed_in_the_foreground(stepdeck: Command, ledger: Path) -> None:
    """Its decisions come from elsewhere: status 1, and the run is left as it was."""
    with closing(Deck(ledger)) as deck:
        run_id = deck.ready(AGENT).run_id
    done = stepdeck("resume", run_id, "--json")
    assert (done.status, done.error["code"]) == (1, "run_not_resumable")
    assert f"`stepdeck {run_id}`" in done.error["message"]
    refused = stepdeck("run", "agent", "--json")
    assert (refused.status, refused.error["code"]) == (2, "not_available")
    assert rows(ledger, "SELECT status FROM runs") == [("interrupted",)]


def test_a_suspended_process_holds_nobody_up(stepdeck: Command, ledger: Path) -> None:
    """Ctrl-Z stops it between two writes; it is not taken for dead, and goes on as it was."""
    process = stepdeck.start("run", "sma_cross", "--end", "2005-12-30", "--no-baselines")
    run_id = wait_for_steps(process, ledger, 1)
    process.send_signal(signal.SIGTSTP)
    assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    with closing(sqlite3.connect(ledger, timeout=0, isolation_level=None)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        conn.execute("ROLLBACK")
    assert stepdeck("doctor").status == 0
    assert rows(ledger, "SELECT status FROM runs") == [("running",)]
    process.send_signal(signal.SIGCONT)
    assert stepdeck.finish(process).status == 0
    assert rows(ledger, "SELECT run_id, status, lease_epoch FROM runs") == [
        (run_id, "completed", 1)
    ]
