"""Bad input: one clear line naming what and where, the right status, nothing half-written."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Done, rows
from tui.cli import NOT_YET

HEADER = "symbol,timestamp,open,high,low,close,volume"
GOOD = "AAA,2024-01-{day:02}T00:00:00Z,10,11,9,10.5,1000"


def bars(folder: Path, *more: str) -> Path:
    """A file of twenty good daily bars, and more lines."""
    path = folder / "bars.csv"
    lines = [HEADER, *(GOOD.format(day=day) for day in range(1, 21)), *more]
    path.write_text("\n".join(lines) + "\n")
    return path


def refused(done: Done, status: int, *words: str) -> None:
    """Nothing on stdout, one line on stderr with the words, no traceback, the status."""
    (line,) = done.err.splitlines()
    assert line.startswith("stepdeck: ")
    for word in words:
        assert word in line
    assert (done.status, done.out) == (status, "")


def runs_in(ledger: Path) -> int:
    """How many runs there are, in a ledger that need not be there."""
    return int(rows(ledger, "SELECT count(*) FROM runs")[0][0]) if ledger.exists() else 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "sma_cross", "--symbols", "AAPL,NOPE"), ("NOPE", "AAPL")),
        (("run", "sma_cross", "--cash", "-5"), ("cash is -5", "above 0")),
        (("run", "sma_cross", "--cash", "nan"), ("cash is 'nan'",)),
        (("run", "sma_cross", "--lot", "0"), ("lot is 0",)),
        (("run", "sma_cross", "--slippage-bps", "-1"), ("slippage-bps is -1",)),
        (("run", "sma_cross", "--speed", "0"), ("speed is 0",)),
        (("run", "sma_cross", "--participation", "2"), ("participation is 2",)),
        (("run", "sma_cross", "--fill", "open"), ("fill is 'open'", "next_open | close")),
        (("run", "sma_cross", "--costs", "free"), ("costs is 'free'", "us-equity")),
        (("run", "sma_cross", "--start", "2012-13-01"), ("start is '2012-13-01'",)),
        (("run", "sma_cross", "--start", "2012-02-01", "--end", "2012-01-01"), ("2012-02-01",)),
        (("run", "sma_cross", "--timeframe", "2Day"), ("timeframe is '2Day'", "1Hour")),
        (("run", "sma_cross", "--tz", "Mars/Base"), ("Mars/Base",)),
        (("run", "sma_cross", "-p", "fats=3"), ("fats", "fast")),
        (("run", "sma_cross", "-p", "fast=soon"), ("fast", "soon")),
        (("run", "sma_cross", "-p", "fast"), ("'fast'", "NAME=VALUE")),
        (("run", "sma_cros"), ("sma_cros", "sma_cross")),
        (("run", "missing.py:Mine"), ("missing.py",)),
        (("run", "tape:missing.jsonl"), ("missing.jsonl",)),
        (("run", "sma_cross", "--source", "csv:missing.csv"), ("missing.csv",)),
        (("run", "sma_cross", "--source", "moon"), ("moon", "sample")),
        (("run", "sma_cross", "--universe", "nyse"), ("universe is 'nyse'", "djia30")),
        (("run", "sma_cross", "--universe", "djia30", "--symbols", "A"), ("both",)),
        (("run",), ("STRATEGY", "stepdeck run -h")),
        (("run", "sma_cross", "--csah", "5"), ("--csah", "--cash")),
        (("runs", "--status", "done"), ("'done'", "completed")),
        (("runs", "--limit", "0"), ("0",)),
    ],
)
def test_a_refused_request_leaves_no_ledger(
    stepdeck: Command, ledger: Path, words: tuple[str, ...], said: tuple[str, ...]
) -> None:
    """An option, strategy or source that is wrong is refused before there is anything: status 2."""
    refused(stepdeck(*words), 2, *said)
    assert runs_in(ledger) == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("alpaca-url", "http://localhost"),
        ("environment", "e1"),
        ("config", "@1"),
    ],
)
def test_options_of_a_later_version_are_refused_by_name(
    stepdeck: Command, ledger: Path, option: str, value: str
) -> None:
    """What the contract has and this version has not is refused as such: status 2, no row."""
    refused(stepdeck("run", "sma_cross", f"--{option}", value), 2, "not in this version yet")
    assert not ledger.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--isolate", "--isolate-memory", "1"), "isolate-memory is 1; give megabytes, 64 or more"),
        (("--source", "alpaca"), "not there"),
    ],
)
def test_flags_and_sources_of_a_later_version_are_refused_by_name(
    stepdeck: Command, ledger: Path, words: tuple[str, ...], said: str
) -> None:
    """The same for what takes no value, and for a source."""
    refused(stepdeck("run", "sma_cross", *words), 2, said)
    assert runs_in(ledger) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--symbols", ""), "symbols is empty; leave it out"),
        (("--tag", "a", "--tag", ""), "tag is empty; leave it out"),
        (("--isolate-memory", "500"), "give --isolate too"),
    ],
)
def test_options_that_would_do_nothing_or_too_much_are_refused(
    stepdeck: Command, ledger: Path, words: tuple[str, ...], said: str
) -> None:
    """An unset variable of a shell is no wish for all symbols: status 2, no row."""
    refused(stepdeck("run", "sma_cross", *words), 2, said)
    assert not ledger.exists()


def test_a_group_of_commands_alone_explains_itself(stepdeck: Command) -> None:
    """Its help on stderr, a line a line, and the status of a command line that lacks a word."""
    done = stepdeck("data")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("Usage: stepdeck data [OPTIONS] COMMAND")
    assert len(done.err.splitlines()) > 5


@pytest.mark.parametrize(
    "words",
    [
        *((verb, "@1") for verb in sorted(NOT_YET)),
        ("data", "list"),
        ("data", "fetch"),
    ],
)
def test_verbs_of_a_later_version_are_refused_by_name(
    stepdeck: Command, words: tuple[str, ...]
) -> None:
    """A verb of the contract that is not there yet says so: status 2."""
    refused(stepdeck(*words), 2, "not in this version yet")


def test_json_errors_are_one_object_on_stderr(stepdeck: Command) -> None:
    """With --json the refusal is {"error": {code, message, field}}, also click's own."""
    done = stepdeck("run", "sma_cross", "--cash", "-5", "--json")
    assert (done.status, done.out) == (2, "")
    assert done.error["code"] == "invalid_option"
    assert done.error["field"] == "cash"
    assert "cash is -5" in done.error["message"]
    usage = stepdeck("runs", "--nonsense", "--json")
    assert (usage.status, usage.out, usage.error["code"]) == (2, "", "usage")
    assert usage.error["field"] == "nonsense"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("AAA,2024-01-21T00:00:00Z,10,11,9", ("22",)),
        ("AAA,2024-01-21T00:00:00Z,10,11,9,abc,1000", ("close", "abc")),
        ("AAA,2024-01-21T00:00:00Z,10,11,9,,1000", ("AAA", "2024-01-21", "close")),
        ("AAA,2024-01-21T00:00:00Z,10,11,9,nan,1000", ("AAA", "2024-01-21", "close")),
        ("AAA,2024-01-21T00:00:00Z,10,9,8,9,1000", ("AAA", "2024-01-21", "high")),
        ("AAA,2024-01-20T00:00:00Z,10,11,9,10,1000", ("AAA", "2024-01-20", "twice")),
    ],
)
def test_a_bad_bar_fails_the_run_by_name(
    stepdeck: Command, ledger: Path, tmp_path: Path, line: str, said: tuple[str, ...]
) -> None:
    """A bar that breaks a rule ends the accepted run as `failed`, naming line or symbol and stamp:
    status 1, and the ledger says why."""
    done = stepdeck("run", "buy_and_hold", "--source", f"csv:{bars(tmp_path, line)}")
    (message,) = done.err.splitlines()
    assert done.status == 1
    assert all(word in message for word in said)
    assert rows(ledger, "SELECT status, end_reason, error_code, step_index FROM runs") == [
        ("failed", "market_data_invalid", "market_data_invalid", 0)
    ]
    assert rows(ledger, "SELECT count(*) FROM equity") == [(0,)]
    repaired = stepdeck(
        "run", "buy_and_hold", "--source", f"csv:{tmp_path / 'bars.csv'}", "--repair"
    )
    assert repaired.status == 0


def test_an_empty_window_fails_the_run(stepdeck: Command, ledger: Path) -> None:
    """A window without bars is market data that cannot be had: status 1, named in the ledger."""
    done = stepdeck("run", "sma_cross", "--start", "2030-01-01")
    assert done.status == 1
    assert "2030-01-01" in done.err
    assert rows(ledger, "SELECT status, end_reason FROM runs") == [
        ("failed", "market_data_unavailable")
    ]


def test_a_header_that_is_none_is_refused(stepdeck: Command, ledger: Path, tmp_path: Path) -> None:
    """A file without the columns of bars is refused before a row exists."""
    path = tmp_path / "other.csv"
    path.write_text("name,age\nann,7\n")
    refused(stepdeck("run", "sma_cross", "--source", f"csv:{path}"), 2, "other.csv")
    assert runs_in(ledger) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("raise RuntimeError('no luck')\n", ("mine.py:1", "no luck")),
        ("import os\nthis is not python\n", ("mine.py", "2")),
        ("class Mine:\n    pass\n", ("Mine",)),
        ("x = 1\n", ("Mine",)),
    ],
)
def test_a_strategy_file_that_is_none_is_refused(
    stepdeck: Command, ledger: Path, tmp_path: Path, text: str, said: tuple[str, ...]
) -> None:
    """A file that raises on import, or has no such strategy, is refused with file and line."""
    path = tmp_path / "mine.py"
    path.write_text(text)
    refused(stepdeck("run", f"{path}:Mine"), 2, *said)
    assert runs_in(ledger) == 0


def test_a_tape_line_that_is_none_is_refused(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """A line that is no decision stops the run before it starts, naming the line."""
    tape = tmp_path / "tape.jsonl"
    tape.write_text('{"step": 1, "targets": {"AAPL": 0.5}}\n{"step": 2, "ordres": []}\n')
    refused(stepdeck("run", f"tape:{tape}"), 2, "2", "ordres")
    assert runs_in(ledger) == 0


READING: tuple[tuple[str, ...], ...] = (("runs",), ("show", "@1"), ("watch", "--plain", "@1"))
WRITING: tuple[tuple[str, ...], ...] = (("run", "sma_cross"), ("cancel", "@1"), ("resume", "@1"))


@pytest.mark.parametrize("words", [*READING, *WRITING, ("export", "@1", "-o", "out")])
def test_a_file_that_is_no_ledger_is_refused_untouched(
    stepdeck: Command, ledger: Path, words: tuple[str, ...]
) -> None:
    """Any verb on a text file says that it is no ledger, and leaves it as it was."""
    ledger.write_text("dear diary\n" * 100)
    refused(stepdeck(*words), 2, str(ledger), "not a SQLite database")
    assert ledger.read_text() == "dear diary\n" * 100


@pytest.mark.parametrize("words", [("runs",), ("run", "sma_cross")])
def test_a_newer_ledger_is_refused_untouched(
    stepdeck: Command, finished: Path, ledger: Path, words: tuple[str, ...]
) -> None:
    """A ledger of a newer program is refused with both versions."""
    shutil.copy(finished, ledger)
    with closing(sqlite3.connect(ledger)) as conn:
        conn.execute("PRAGMA user_version = 99")
    refused(stepdeck(*words), 2, "99", "upgrade stepdeck")
    assert rows(ledger, "PRAGMA user_version") == [(99,)]


def test_another_program_s_database_is_refused(stepdeck: Command, ledger: Path) -> None:
    """A SQLite file that is not a ledger is refused without a table being added."""
    with closing(sqlite3.connect(ledger)) as conn:
        conn.execute("CREATE TABLE notes (text)")
    refused(stepdeck("run", "sma_cross"), 2, "another program")
    assert rows(ledger, "SELECT name FROM sqlite_master") == [("notes",)]


@pytest.fixture
def shut(tmp_path: Path) -> Iterator[Path]:
    """A folder that a test may shut; opened again for the clearing up."""
    folder = tmp_path / "shut"
    folder.mkdir()
    yield folder
    folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_is_named(stepdeck: Command, shut: Path) -> None:
    """No ledger can be made in a read-only folder: status 2, nothing left there."""
    shut.chmod(0o555)
    done = stepdeck("run", "sma_cross", "--db", shut / "runs.db", humble=True)
    refused(done, 2, str(shut), "--db")
    assert not list(shut.iterdir())


def test_a_ledger_in_a_read_only_folder_is_named(
    stepdeck: Command, shut: Path, finished: Path
) -> None:
    """A ledger that may not be written beside is refused and stays as it was."""
    path = shut / "runs.db"
    shutil.copy(finished, path)
    before = path.read_bytes()
    shut.chmod(0o555)
    refused(stepdeck("run", "sma_cross", "--db", path, humble=True), 2, str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("words", [*READING, ("cancel", "@1"), ("pause", "@1"), ("resume", "@1")])
def test_a_ledger_that_is_not_there_is_not_made(
    stepdeck: Command, ledger: Path, words: tuple[str, ...]
) -> None:
    """Only what makes runs makes a ledger."""
    refused(stepdeck(*words), 2, f"no ledger at {ledger}", "stepdeck run")
    assert not ledger.exists()


@pytest.mark.parametrize("words", [("show", "zzz"), ("cancel", "@9"), ("export", "@0", "-o", "x")])
def test_a_run_that_is_not_there_is_refused(
    stepdeck: Command, finished: Path, words: tuple[str, ...]
) -> None:
    """RUN that names none is input refused: status 2."""
    done = stepdeck(*words, "--db", finished)
    refused(done, 2, words[1] if len(words) > 1 else "zzz")


def test_a_misspelt_verb_is_guessed(stepdeck: Command, finished: Path) -> None:
    """The first word is a run if it is no verb; close to a verb, that is said too."""
    refused(stepdeck("rnus", "--db", finished), 2, "rnus", "the command runs")


def test_what_nobody_foresaw_goes_to_the_log(stepdeck: Command, tmp_path: Path) -> None:
    """A fault of the program is one line naming the log; the traceback is there: status 1."""
    broken = tmp_path / "sitecustomize.py"
    broken.write_text(
        "import tui.options\n"
        "def broken(*words):\n"
        "    raise ZeroDivisionError('by nothing')\n"
        "tui.options.build_request = broken\n"
    )
    done = stepdeck("run", "sma_cross", env={"PYTHONPATH": str(tmp_path)})
    (line,) = done.err.splitlines()
    assert done.status == 1
    assert "ZeroDivisionError" in line
    log = Path(line.rpartition("see ")[2])
    assert log.is_relative_to(tmp_path)
    assert "by nothing" in log.read_text()
    assert "Traceback" in log.read_text()


def test_a_reader_that_leaves_is_no_fault(stepdeck: Command, finished: Path) -> None:
    """`stepdeck runs | head` ends quietly when nobody reads on."""
    process = stepdeck.start("show", "@1", "--json", "--db", finished)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert "unexpected" not in err


@pytest.mark.parametrize("words", [(), ("demo",)])
def test_the_app_needs_a_terminal(stepdeck: Command, ledger: Path, words: tuple[str, ...]) -> None:
    """Without a terminal the app is refused, naming what prints text, before a ledger is made."""
    refused(stepdeck(*words), 2, "terminal", "watch --plain")
    assert not ledger.exists()
