"""`stepdeck export`: files that hold what the ledger holds, whole or not at all."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Command, rows

TABLES = ("equity", "orders", "fills", "steps", "cash_flows")
OF_RUN = "WHERE run_id = (SELECT run_id FROM runs WHERE name = 'second')"


def counts(ledger: Path) -> dict[str, int]:
    """Rows of the exported run by table."""
    return {
        table: int(rows(ledger, f"SELECT count(*) FROM {table} {OF_RUN}")[0][0]) for table in TABLES
    }


def test_csv_is_a_folder_with_the_ledger_s_columns(
    stepdeck: Command, finished: Path, tmp_path: Path
) -> None:
    """A file a table, all its rows, the values and stamps that the ledger has."""
    out = tmp_path / "made" / "out"
    done = stepdeck("export", "@1", "-o", out, "--json", "--db", finished)
    assert done.status == 0
    assert done.document["rows"] == counts(finished)
    assert {path.name for path in out.iterdir()} == {f"{table}.csv" for table in TABLES}
    with (out / "equity.csv").open() as file:
        read = [tuple(row.values()) for row in csv.DictReader(file)]
    kept = rows(finished, f"SELECT step_index, ts, equity, cash FROM equity {OF_RUN}")
    assert [(int(a), b, float(c), float(d)) for a, b, c, d in read] == kept
    with (out / "fills.csv").open() as file:
        first = next(iter(csv.DictReader(file)))
    assert first["fill_id"] == "0"
    assert first["symbol"] == "AAPL"


def test_parquet_has_types(stepdeck: Command, finished: Path, tmp_path: Path) -> None:
    """Stamps are timestamps in UTC; a column that is all null has its type all the same."""
    out = tmp_path / "out"
    assert stepdeck("export", "@1", "--format", "parquet", "-o", out, "--db", finished).status == 0
    tables = {table: pq.read_table(out / f"{table}.parquet") for table in TABLES}
    assert {table: read.num_rows for table, read in tables.items()} == counts(finished)
    assert str(tables["equity"].schema.field("ts").type) == "timestamp[us, tz=UTC]"
    assert str(tables["orders"].schema.field("limit_price").type) == "double"
    assert str(tables["orders"].schema.field("reason").type) == "string"
    assert str(tables["cash_flows"].schema.field("amount").type) == "double"
    equity = rows(finished, f"SELECT equity FROM equity {OF_RUN} ORDER BY step_index")
    assert tables["equity"]["equity"].to_pylist() == [row[0] for row in equity]


def test_json_is_one_document(stepdeck: Command, finished: Path, tmp_path: Path) -> None:
    """The run's row and every table in one object."""
    out = tmp_path / "out.json"
    done = stepdeck("export", "@1", "--format", "json", "-o", out, "--db", finished)
    assert done.status == 0
    document = json.loads(out.read_text())
    assert document["run"]["name"] == "second"
    assert {table: len(document[table]) for table in TABLES} == counts(finished)
    assert document["equity"][0]["ts"] == "2000-03-01T00:00:00Z"
    kept = rows(finished, f"SELECT decision, result FROM steps {OF_RUN} ORDER BY step_index")
    assert [(step["decision"], step["result"]) for step in document["steps"]] == [
        (json.loads(decision), result and json.loads(result)) for decision, result in kept
    ]
    assert all(step["decision"]["targets"] for step in document["steps"])


def test_a_tape_replays_to_the_same_digests(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """The tape of a run, over the same bars, gives the same digest without the strategy."""
    window = ("--end", "2000-12-29", "--no-baselines")
    first = stepdeck("run", "momentum", "-p", "top=2", *window, "--json").document
    tape = tmp_path / "tape.jsonl"
    assert stepdeck("export", "@1", "--format", "tape", "-o", tape).status == 0
    lines = [json.loads(line) for line in tape.read_text().splitlines()]
    assert all(set(line) <= {"at", "targets", "orders", "cancel"} for line in lines)
    second = stepdeck("run", f"tape:{tape}", *window, "--json").document
    assert second["metrics"] == first["metrics"]
    last = "SELECT digest FROM commits WHERE run_id = ? ORDER BY last_step DESC LIMIT 1"
    assert rows(ledger, last, first["run_id"]) == rows(ledger, last, second["run_id"])


@pytest.mark.parametrize("form", ["csv", "parquet", "json", "tape"])
def test_nothing_is_written_over_unasked(
    stepdeck: Command, finished: Path, tmp_path: Path, form: str
) -> None:
    """What is there stays, status 2; --force replaces it whole and leaves nothing beside it."""
    out = tmp_path / "out"
    words = ("export", "@1", "--format", form, "-o", out, "--db", finished)
    if form in ("csv", "parquet"):
        out.mkdir()
        (out / "mine.txt").write_text("precious")
    else:
        out.write_text("precious")
    done = stepdeck(*words)
    assert done.status == 2
    assert "--force" in done.err
    assert "precious" in ((out / "mine.txt") if out.is_dir() else out).read_text()
    assert stepdeck(*words, "--force").status == 0
    assert not (out / "mine.txt").exists() if out.is_dir() else "precious" not in out.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"home", "out"}


def test_a_folder_is_not_replaced_by_a_file(
    stepdeck: Command, finished: Path, tmp_path: Path
) -> None:
    """--force does not turn a folder into a file, nor a file into a folder."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    for form, name in (("json", "folder"), ("csv", "file")):
        done = stepdeck(
            "export", "@1", "--format", form, "-o", tmp_path / name, "--force", "--db", finished
        )
        assert done.status == 2
        assert name in done.err
    assert (tmp_path / "file").read_text() == "x"


def test_a_place_that_may_not_be_written_is_named(
    stepdeck: Command, finished: Path, tmp_path: Path
) -> None:
    """Where the folder refuses, one line names the target: status 2, nothing left."""
    (tmp_path / "file").write_text("x")
    done = stepdeck("export", "@1", "-o", tmp_path / "file" / "out", "--db", finished)
    (line,) = done.err.splitlines()
    assert done.status == 2
    assert "cannot write" in line
