"""`doctor` on a ledger: who has it open, who is gone, what is broken, and what its status says."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.store import holders
from tests.cli.conftest import Command, rows
from tests.cli.test_control import SLOW
from tests.cli.test_run import wait_for_steps
from tests.store.kit import process, said

QUICK = ("run", "sma_cross", "--symbols", "AAPL", "--end", "2000-12-29", "--no-baselines")


def looked(stepdeck: Command, status: int = 0) -> dict[str, Any]:
    """What doctor says of the ledger, with the exit status it should have."""
    done = stepdeck("doctor", "--json")
    assert done.status == status, done.out
    found: dict[str, Any] = done.document["ledger"]
    assert found["sound"] == (status == 0)
    return found


def tamper(ledger: Path, sql: str) -> None:
    """Change the ledger behind everybody's back."""
    with closing(sqlite3.connect(ledger)) as conn:
        conn.execute("DROP TRIGGER IF EXISTS runs_terminal_update")
        conn.execute(sql)
        conn.commit()


def test_a_good_ledger(stepdeck: Command, ledger: Path) -> None:
    """Every chain is looked at and whole; nobody else has it open; the log's path is named."""
    stepdeck(*QUICK)
    stepdeck("run", "manual")
    found = looked(stepdeck)
    assert found["chains"] == {"runs": 2, "broken": []}
    assert (found["problems"], found["owners"], found["orphans"]) == ([], [], [])
    assert found["journal_mode"] == "wal"
    if holders.can_tell():
        assert found["holders"] == []
    text = stepdeck("doctor").out
    assert "2 looked at, whole" in text
    assert "stepdeck.log" in text


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE commits SET digest = 'x' || substr(digest, 2)", "commits, step"),
        ("DELETE FROM commits WHERE last_step = (SELECT max(last_step) FROM commits)", "no digest"),
        ("DELETE FROM equity_points WHERE step_index = 100", "equity has"),
        ("UPDATE runs SET total_return = total_return + 1", "changed after the run's end"),
        ("UPDATE runs SET metadata = '{}'", "its seal is gone"),
        ("UPDATE runs SET metadata = replace(metadata, 'row_hash', 'row_hasi')", "seal is gone"),
        ("UPDATE runs SET metadata = 'x'", "not the JSON"),
        ("UPDATE events SET data = '[]' WHERE kind = 'progress'", "events, kind progress"),
    ],
)
def test_a_broken_chain(stepdeck: Command, ledger: Path, sql: str, words: str) -> None:
    """What was changed behind the ledger's back is named with its run; the status is 1."""
    stepdeck(*QUICK)
    tamper(ledger, sql)
    found = looked(stepdeck, status=1)
    (broken,) = found["chains"]["broken"]
    assert broken["run_id"] == rows(ledger, "SELECT run_id FROM runs")[0][0]
    assert words in broken["what"]
    assert any(words in problem for problem in found["problems"])


@pytest.mark.skipif(not holders.can_tell(), reason="this system does not say who has a file open")
def test_a_reader_that_pins_the_wal_is_named(stepdeck: Command, ledger: Path) -> None:
    """A process that stays inside a query is named with its id and the pages it keeps."""
    stepdeck(*QUICK)
    with process("read_on", ledger) as reader:
        assert said(reader) == "reading"
        stepdeck(*QUICK)
        found = looked(stepdeck)
        (holder,) = found["holders"]
        assert (holder["pid"], holder["reads"], holder["writes"]) == (reader.pid, True, False)
        assert holder["pins"] > 0
        assert "tests.store.child" in holder["command"]
        (notice,) = [text for text in found["notices"] if "pages in the WAL" in text]
        assert f"process {reader.pid} " in notice


def test_an_owner_that_was_killed(stepdeck: Command, ledger: Path) -> None:
    """Its runs are named as orphans and interrupted; the next look finds none."""
    process = stepdeck.start(*SLOW)
    run_id = wait_for_steps(process, ledger, 1)
    alive = looked(stepdeck)
    assert [owner["alive"] for owner in alive["owners"]] == [True]
    assert [lock["held"] for lock in alive["locks"]] == [True]
    process.kill()
    process.wait()
    assert looked(stepdeck)["orphans"] == [run_id]
    assert rows(ledger, "SELECT status FROM runs") == [("interrupted",)]
    after = looked(stepdeck)
    assert (after["orphans"], after["owners"], after["locks"]) == ([], [], [])


def test_a_lock_file_left_behind(stepdeck: Command, ledger: Path) -> None:
    """A lock file whose process is gone, and that no run names, is a notice and no problem."""
    stepdeck(*QUICK)
    left = ledger.with_name(f"runs.db-{uuid.uuid4()}.lock")
    left.write_text('{"pid": 4242}')
    ledger.with_name("runs.db-mine.lock").touch()
    found = looked(stepdeck)
    (lock,) = found["locks"]
    assert (lock["path"], lock["held"], lock["pid"]) == (str(left), False, 4242)
    assert f"{left.name} was left by process 4242; it may be removed" in found["notices"]
