"""`stepdeck compare` on a ledger of finished runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command, rows


def test_figures_stand_side_by_side(stepdeck: Command, finished: Path) -> None:
    """A column a run in the order given, the best marked, the settings that differ, the curves."""
    done = stepdeck("compare", "@2", "@1", "--db", finished)
    assert (done.status, done.err) == (0, "")
    ids = [row[0] for row in rows(finished, "SELECT run_id FROM runs WHERE baseline_of IS NULL")]
    assert done.out.splitlines()[0].split() == ids
    lines = {line.split("  ")[0]: line for line in done.out.splitlines()}
    assert lines["total return"].count("*") == 1
    assert lines["num fills"].count("*") == 0
    assert "buy_and_hold" in done.out
    for title in ("Made differently", "Curves", f"Decisions against {ids[0]}"):
        assert title in done.out
    assert "▁" in done.out


def test_json_has_figures_curves_and_decisions(stepdeck: Command, finished: Path) -> None:
    """What the ledger holds, by run id; whole curves as arrays."""
    done = stepdeck("compare", "@1", "@2", "--json", "--db", finished)
    assert (done.status, done.err) == (0, "")
    document = done.document
    ids = [run["run_id"] for run in document["runs"]]
    kept = dict(rows(finished, "SELECT run_id, total_return FROM runs"))
    by_name = {figure["name"]: figure for figure in document["figures"]}
    returns = by_name["total_return"]
    assert returns["values"] == {run_id: kept[run_id] for run_id in ids}
    assert returns["best"] == [max(ids, key=lambda run_id: kept[run_id])]
    assert by_name["num_fills"]["best"] == []
    for curve in document["curves"]:
        equity = rows(
            finished,
            "SELECT equity / 100000.0 FROM equity WHERE run_id = ? ORDER BY step_index",
            curve["run_id"],
        )
        assert curve["growth"] == [row[0] for row in equity]
        assert len(curve["stamps"]) == len(equity)
    (against,) = document["against_first"]
    assert against["run_id"] == ids[1]
    # Buy and hold acts at step 0, where the averages are not yet warm.
    assert against["first_difference"]["steps"] == dict.fromkeys(ids, 0)
    assert against["first_difference"]["decisions"][ids[0]] == "{}"
    assert {setting["name"] for setting in document["settings"]} >= {"strategy", "p.fast"}


def test_a_run_and_its_tape_decide_the_same(
    stepdeck: Command, finished: Path, ledger: Path, tmp_path: Path
) -> None:
    """No first difference, though one has no strategy."""
    window = ("--symbols", "AAPL", "--end", "2000-12-29", "--no-baselines", "--db", ledger)
    assert stepdeck("run", "sma_cross", *window).status == 0
    tape = tmp_path / "tape.jsonl"
    words = ("export", "@1", "--format", "tape", "-o", tape, "--db", ledger)
    assert stepdeck(*words).status == 0
    assert stepdeck("run", f"tape:{tape}", *window).status == 0
    document = stepdeck("compare", "@2", "@1", "--json", "--db", ledger).document
    (against,) = document["against_first"]
    assert against["first_difference"] is None
    assert against["window"][0].startswith("2000-03-01")
    assert "the same from 2000-03-01" in stepdeck("compare", "@2", "@1", "--db", ledger).out


@pytest.mark.parametrize("runs", [("@1",), (), ("@1", "@1"), ("@1", "nope"), ("@1", "@9")])
def test_fewer_than_two_runs_are_refused(
    stepdeck: Command, finished: Path, runs: tuple[str, ...]
) -> None:
    """Status 2 and one line."""
    done = stepdeck("compare", *runs, "--db", finished)
    assert (done.status, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
