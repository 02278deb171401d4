"""`delete`, `prune`, `backup`: what goes, what stays, who is asked."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, Command, rows
from tests.cli.test_control import SLOW
from tests.cli.test_run import wait_for_steps
from tests.conftest import ROOT

QUICK = ("run", "buy_and_hold", "--symbols", "IBM", "--end", "2000-04-28")
TABLES = (
    "SELECT run_id FROM runs UNION SELECT run_id FROM steps UNION SELECT run_id FROM orders "
    "UNION SELECT run_id FROM fills UNION SELECT run_id FROM commits "
    "UNION SELECT run_id FROM equity"
)


def age(ledger: Path, run_id: str, stamp: str) -> None:
    """Make a run have ended long ago, as no program may: its trigger is away meanwhile."""
    with closing(sqlite3.connect(ledger)) as conn:
        (trigger,) = conn.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'runs_terminal_update'"
        ).fetchone()
        conn.execute("DROP TRIGGER runs_terminal_update")
        conn.execute("UPDATE runs SET finished_at = ? WHERE run_id = ?", (stamp, run_id))
        conn.execute(trigger)
        conn.commit()


def made(stepdeck: Command, *words: str) -> str:
    """The id of a run that went to its end."""
    run_id: str = stepdeck(*QUICK, *words, "--json").document["run_id"]
    return run_id


def test_delete(stepdeck: Command, ledger: Path) -> None:
    """The run and its baselines go, their rows into the archive; other runs stay whole."""
    gone, stays = made(stepdeck), made(stepdeck, "--no-baselines")
    (twin,) = [
        row[0] for row in rows(ledger, "SELECT run_id FROM runs WHERE baseline_of = ?", gone)
    ]
    done = stepdeck("delete", gone, "--yes", "--json")
    assert (done.status, done.document) == (0, {"deleted": [gone, twin]})
    assert rows(ledger, TABLES) == [(stays,)]
    archive = rows(ledger, "SELECT run_id, archive FROM tombstones")
    assert {run_id for run_id, _ in archive} == {gone, twin}
    kept = {run_id: json.loads(text) for run_id, text in archive}
    assert kept[gone]["status"] == "completed"
    assert kept[twin]["baseline_of"] == gone
    assert rows(ledger, "PRAGMA foreign_key_check") == []
    assert stepdeck("show", gone).status == 2
    assert stepdeck("verify", stays).status == 0
    assert stepdeck("doctor").status == 0


def test_delete_refuses_a_run_that_moves(stepdeck: Command, ledger: Path) -> None:
    """A live run keeps all of them: one line with the remedy, and nothing is gone."""
    process = stepdeck.start(*SLOW)
    run_id = wait_for_steps(process, ledger, 1)
    ended = made(stepdeck, "--no-baselines")
    done = stepdeck("delete", ended, run_id, "--yes")
    assert (done.status, done.out) == (1, "")
    assert f"run {run_id} is running; cancel it" in done.err
    assert len(rows(ledger, "SELECT * FROM runs")) == 2
    assert rows(ledger, "SELECT * FROM tombstones") == []
    assert stepdeck("cancel", run_id).status == 0
    assert stepdeck.finish(process).status == 130
    assert stepdeck("delete", ended, run_id, "--yes").status == 0
    assert rows(ledger, "SELECT * FROM runs") == []


def test_delete_takes_an_interrupted_run(stepdeck: Command, ledger: Path) -> None:
    """A run that was left may be deleted, and is then not resumed."""
    run_id = stepdeck("run", "manual").out.strip()
    assert stepdeck("delete", run_id, "--yes").out == f"{run_id}  deleted\n"
    assert stepdeck("resume", run_id).status == 2


def test_delete_asks_nobody_who_is_not_there(stepdeck: Command, ledger: Path) -> None:
    """Without a terminal and without --yes it is refused."""
    run_id = made(stepdeck, "--no-baselines")
    done = stepdeck("delete", run_id)
    assert (done.status, done.out) == (2, "")
    assert "give --yes" in done.err
    assert stepdeck("delete", "nope", "--yes").status == 2
    assert len(rows(ledger, "SELECT * FROM runs")) == 1


@pytest.mark.parametrize(("answer", "status", "left"), [("n\n", 1, 1), ("y\n", 0, 0)])
def test_delete_asks_on_a_terminal(
    stepdeck: Command, ledger: Path, answer: str, status: int, left: int
) -> None:
    """On a terminal it asks with the number of runs; only a yes deletes."""
    run_id = made(stepdeck, "--no-baselines")
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "delete", run_id],
        cwd=ROOT,
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(follower)
        os.write(leader, answer.encode())
        _, err = process.communicate(timeout=60)
        os.close(leader)
    assert process.returncode == status
    assert "Delete 1 run and everything" in err
    assert len(rows(ledger, "SELECT * FROM runs")) == left


def test_prune(stepdeck: Command, ledger: Path) -> None:
    """What ended longer ago goes, with its baselines; newer runs and interrupted ones stay."""
    old, new = made(stepdeck), made(stepdeck, "--no-baselines")
    waits = stepdeck("run", "manual").out.strip()
    age(ledger, old, "2020-01-01T00:00:00.000Z")
    would = stepdeck("prune", "--older-than", "30d", "--dry-run", "--json").document
    assert len(would["would_delete"]) == 2
    assert len(rows(ledger, "SELECT * FROM runs")) == 4
    done = stepdeck("prune", "--older-than", "30d", "--yes", "--json")
    assert (done.status, done.document["deleted"]) == (0, would["would_delete"])
    assert {row[0] for row in rows(ledger, "SELECT run_id FROM runs")} == {new, waits}
    again = stepdeck("prune", "--older-than", "30d")
    assert (again.status, again.out) == (0, "deleted nothing\n")


@pytest.mark.parametrize("word", ["soon", "30", "-3d", "3 days", "1.5h", "", "9999999d"])
def test_prune_refuses_what_is_no_time(stepdeck: Command, ledger: Path, word: str) -> None:
    """A wrong time is named with what would be right, before the ledger is looked at."""
    done = stepdeck("prune", f"--older-than={word}", "--yes")
    assert (done.status, done.out) == (2, "")
    assert "such as 30d" in done.err
    assert not ledger.exists()


def test_prune_takes_a_time_before_all_others(stepdeck: Command, ledger: Path) -> None:
    """A time past the calendar's beginning prunes nothing."""
    made(stepdeck, "--no-baselines")
    assert stepdeck("prune", "--older-than", "999999d", "--yes").out == "deleted nothing\n"


def test_backup(stepdeck: Command, ledger: Path, tmp_path: Path) -> None:
    """The copy is a ledger of its own, with everything; a second time it is refused."""
    run_id = made(stepdeck)
    target = tmp_path / "copy.db"
    done = stepdeck("backup", target, "--json")
    size = target.stat().st_size
    assert (done.status, done.document) == (0, {"path": str(target), "bytes": size, "runs": 2})
    assert stepdeck("verify", run_id, "--db", target).status == 0
    whole = target.read_bytes()
    again = stepdeck("backup", target)
    assert again.status == 2
    assert "overwrites nothing" in again.err
    assert target.read_bytes() == whole


def test_backup_beside_a_live_run(stepdeck: Command, ledger: Path, tmp_path: Path) -> None:
    """A run that is being written is in the copy as far as it has come."""
    process = stepdeck.start(*SLOW)
    run_id = wait_for_steps(process, ledger, 5)
    target = tmp_path / "copy.db"
    assert stepdeck("backup", target).status == 0
    assert rows(target, "SELECT step_index >= 5 FROM runs WHERE run_id = ?", run_id) == [(1,)]
    assert stepdeck("verify", run_id, "--db", target).status == 0
    assert stepdeck("cancel", run_id).status == 0
    assert stepdeck.finish(process).status == 130
