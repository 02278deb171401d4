"""`cancel`, `pause`, `resume`: another process's run, one that was left, one that ended."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Command, rows
from tests.cli.test_run import wait_for_steps

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
