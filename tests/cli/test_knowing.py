"""What tells about the program itself: help, version, strategies, data check, doctor, config."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.version import __version__
from tests.cli.conftest import Command, rows
from tests.cli.test_run import wait_for_steps
from tui.cli import NOT_YET, VERBS

CONTRACT = (
    "demo run runs show watch cancel pause resume fork rewind compare verify export data "
    "strategies audit sweep serve delete prune backup doctor config web"
)


def test_every_verb_of_the_contract_is_known() -> None:
    """A verb is there, or refused as not there yet; none is mistaken for a run."""
    assert set(VERBS) | NOT_YET == set(CONTRACT.split())
    assert not set(VERBS) & NOT_YET


def test_help_names_every_verb(stepdeck: Command) -> None:
    """`stepdeck -h` lists what there is."""
    done = stepdeck("-h")
    assert (done.status, done.err) == (0, "")
    assert all(re.search(rf"^  {verb} ", done.out, re.MULTILINE) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(stepdeck: Command, verb: str) -> None:
    """`-h` of each verb works and begins with its usage; all of them take --db."""
    done = stepdeck(verb, "-h")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"Usage: stepdeck {verb} ")
    assert "--db" in done.out or verb in ("data", "config")


def test_version(stepdeck: Command) -> None:
    """--version is the version."""
    assert stepdeck("--version").out == f"stepdeck {__version__}\n"


def test_strategies_lists_parameters_with_types_and_defaults(stepdeck: Command) -> None:
    """Every built-in with its parameters, as text and as JSON."""
    text = stepdeck("strategies").out
    for words in ("sma_cross", "-p fast=10", "-p lookback=20", "tape:FILE.jsonl", "manual"):
        assert words in text
    listed = {info["name"]: info for info in stepdeck("strategies", "--json").document}
    assert set(listed) == {"buy_and_hold", "sma_cross", "rsi_reversion", "momentum", "manual"}
    fast = listed["sma_cross"]["parameters"][0]
    assert (fast["name"], fast["type"], fast["default"]) == ("fast", "int", 10)


def test_strategies_explains_a_file_of_one_s_own(stepdeck: Command, tmp_path: Path) -> None:
    """A person's class is described like a built-in; a name that is none is refused."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from engine import Strategy\n"
        "class Mine(Strategy):\n"
        '    """Does little."""\n'
        "    patience: int = 7\n"
        "    most: int | None = None\n"
        "    def decide(self, obs):\n"
        "        return None\n"
    )
    done = stepdeck("strategies", f"{path}:Mine")
    assert "Does little." in done.out
    assert "-p patience=7" in done.out
    assert "most is no parameter: it is annotated int | None" in done.out
    assert stepdeck("strategies", "nonesuch").status == 2


def test_data_check_reports_symbols_and_bad_rows(stepdeck: Command, tmp_path: Path) -> None:
    """Good bars by symbol, each bad row named; status 0 if there is none and 1 if there is."""
    path = tmp_path / "bars.csv"
    lines = [f"AAA,2024-01-{day:02}T00:00:00Z,10,11,9,10.5,1000" for day in range(1, 11)]
    path.write_text("\n".join(["symbol,timestamp,open,high,low,close,volume", *lines]) + "\n")
    good = stepdeck("data", "check", path, "--json")
    assert good.status == 0
    assert good.document["ok"] is True
    assert good.document["symbols"][0]["rows"] == 10
    with path.open("a") as file:
        file.write("AAA,2024-01-11T00:00:00Z,10,11,9,-1,1000\n")
    bad = stepdeck("data", "check", path)
    assert bad.status == 1
    assert "2024-01-11" in bad.out
    assert "close" in bad.out
    missing = stepdeck("data", "check", tmp_path / "none.csv")
    assert (missing.status, "none.csv" in missing.err) == (2, True)


def test_doctor_says_where_every_setting_comes_from(
    stepdeck: Command, finished: Path, tmp_path: Path
) -> None:
    """Each value with its origin: variable, config.toml, --db or default; and the log's path."""
    config = Path(stepdeck("config", "path").out.strip())
    assert config.is_relative_to(tmp_path)
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('currency = "€"\nmax_active_runs = 7\n')
    done = stepdeck("doctor", "--json", "--db", finished, env={"STEPDECK_MAX_ACTIVE_RUNS": "9"})
    assert done.status == 0
    found = {row["key"]: (row["value"], row["origin"]) for row in done.document["settings"]}
    assert found["db"] == (str(finished), "--db")
    assert found["max_active_runs"] == (9, "STEPDECK_MAX_ACTIVE_RUNS")
    assert found["currency"] == ("€", "config.toml")
    assert found["costs"] == ("us-equity", "default")
    assert Path(done.document["log"]).is_relative_to(tmp_path)
    assert done.document["ledger"]["journal_mode"] == "wal"
    text = stepdeck("doctor", "--db", finished).out
    for words in (done.document["log"], "SQLite", "WAL", "schema", "€", "numpy", "fast"):
        assert words in text


def test_doctor_makes_no_ledger(stepdeck: Command, ledger: Path) -> None:
    """A ledger that is not there yet is no illness and is not made."""
    done = stepdeck("doctor")
    assert (done.status, "not there yet" in done.out) == (0, True)
    assert not ledger.exists()


def test_doctor_names_what_is_wrong(stepdeck: Command, ledger: Path) -> None:
    """A file that is no ledger is a finding, not a crash: status 1."""
    ledger.write_text("no ledger\n" * 100)
    done = stepdeck("doctor", "--json")
    assert done.status == 1
    (problem,) = done.document["ledger"]["problems"]
    assert "not a SQLite database" in problem


def test_doctor_shows_owners_and_recovers(stepdeck: Command, ledger: Path) -> None:
    """A live owner is named with its pid; the runs of a dead one are made resumable."""
    process = stepdeck.start("run", "sma_cross", "--symbols", "AAPL", "--speed", "5")
    wait_for_steps(process, ledger, 1)
    (owner,) = stepdeck("doctor", "--json").document["ledger"]["owners"]
    assert owner == {"instance": owner["instance"], "alive": True, "pid": process.pid}
    process.kill()
    process.wait()
    assert stepdeck("doctor", "--json").document["ledger"]["owners"] == []
    assert rows(ledger, "SELECT status FROM runs") == [("interrupted",)]


def test_doctor_explains_the_schema(stepdeck: Command, finished: Path) -> None:
    """Every table and view of the file, every column, with its type and meaning."""
    tables = {
        table["name"]: table
        for table in stepdeck("doctor", "--schema", "--json").document["tables"]
    }
    there = rows(finished, "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
                 "AND name NOT LIKE 'sqlite_%'")  # fmt: skip
    assert {name for (name,) in there} == set(tables)
    for name, table in tables.items():
        columns = rows(finished, "SELECT name FROM pragma_table_info(?)", name)
        assert [column["name"] for column in table["columns"]] == [row[0] for row in columns]
        assert all(column["about"] for column in table["columns"])
    text = stepdeck("doctor", "--schema").out
    assert "step_index" in text
    assert "rises in the order of execution" in text


def test_config_init_writes_a_file_that_changes_nothing(stepdeck: Command, tmp_path: Path) -> None:
    """The template is read back as all defaults; it is not written over unasked."""
    made = stepdeck("config", "init")
    path = Path(made.out.strip())
    assert (made.status, path.exists()) == (0, True)
    origins = {row["origin"] for row in stepdeck("config", "show", "--json").document}
    assert origins == {"default", "STEPDECK_DB"}
    again = stepdeck("config", "init")
    assert (again.status, "--force" in again.err) == (2, True)
    assert stepdeck("config", "init", "--force").status == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STEPDECK_MAX_ACTIVE_RUNS", "many"),
        ("STEPDECK_HEARTBEAT_STALE_SECONDS", "-1"),
        ("STEPDECK_RECOVER_ON_START", "maybe"),
    ],
)
def test_a_bad_variable_is_named(stepdeck: Command, ledger: Path, name: str, value: str) -> None:
    """A setting that is none stops every command that needs it, naming the variable: status 2."""
    done = stepdeck("runs", "--json", env={name: value})
    assert (done.status, done.error["field"]) == (2, name)
    assert value in done.error["message"]
    assert stepdeck("-h", env={name: value}).status == 0


def test_the_default_cost_profile_can_be_set(stepdeck: Command) -> None:
    """`costs` of config.toml holds for runs that name none."""
    config = Path(stepdeck("config", "path").out.strip())
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text('costs = "none"\n')
    window = ("--symbols", "AAPL", "--end", "2000-04-28", "--json")
    assert stepdeck("run", "buy_and_hold", *window).document["rules"]["costs"]["slippage_bps"] == 0
    named = stepdeck("run", "buy_and_hold", "--costs", "us-equity", *window).document
    assert named["rules"]["costs"]["slippage_bps"] == 1
