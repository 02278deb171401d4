"""`fork` and `rewind`: another future for a run, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command, rows
from tests.cli.test_run import wait_for_steps

WINDOW = ("--symbols", "IBM", "--end", "2000-12-29", "--no-baselines")


def test_a_fork_runs_to_its_parents_end(stepdeck: Command, ledger: Path) -> None:
    """In the foreground, printed as `run` prints; the lineage is in the ledger."""
    whole = stepdeck("run", "sma_cross", *WINDOW, "--json").document
    done = stepdeck("fork", "@1", "--at", 40, "--json")
    assert (done.status, done.document["status"]) == (0, "completed")
    assert done.document["metrics"] == whole["metrics"]
    assert done.document["parent_run_id"] == whole["run_id"]
    assert done.document["forked_at_step"] == 40
    assert stepdeck("verify", "@1").status == 0
    tapes = [ledger.with_name(f"{number}.jsonl") for number in (1, 2)]
    for run, tape in zip((whole["run_id"], done.document["run_id"]), tapes, strict=True):
        assert stepdeck("export", run, "--format", "tape", "-o", tape).status == 0
    assert tapes[0].read_text() == tapes[1].read_text()


def test_a_fork_with_another_strategy_or_parameters(stepdeck: Command, ledger: Path) -> None:
    """Named, told otherwise, called something; the beginning stays the parent's."""
    run_id = stepdeck("run", "sma_cross", *WINDOW, "--name", "base", "--json").document["run_id"]
    done = stepdeck("fork", run_id, "--at", 40, "-p", "fast=3", "--json").document
    assert done["config"]["params"] == {"fast": 3, "slow": 30}
    assert done["name"] == "base, fork at 40"
    done = stepdeck("fork", run_id, "--at", 40, "--strategy", "buy_and_hold", "--name", "hold",
                    "--json").document  # fmt: skip
    assert (done["strategy"], done["name"], done["status"]) == ("buy_and_hold", "hold", "completed")


@pytest.mark.parametrize("words", [("--paused",), ("--strategy", "manual")])
def test_a_prepared_fork_is_left_for_the_app(
    stepdeck: Command, ledger: Path, words: tuple[str, ...]
) -> None:
    """Its id alone is printed, and it is interrupted; --json prints the run."""
    whole = stepdeck("run", "sma_cross", *WINDOW, "--json").document
    done = stepdeck("fork", whole["run_id"], "--at", 40, *words)
    run_id = done.out.strip()
    assert (done.status, done.err) == (0, "")
    assert rows(ledger, "SELECT status, step_index FROM runs WHERE run_id = ?", run_id) == [
        ("interrupted", 41)
    ]
    assert stepdeck("fork", run_id, "--at", 3, *words, "--json").document["forked_at_step"] == 3
    if words == ("--paused",):
        resumed = stepdeck("resume", run_id, "--json").document
        assert resumed["metrics"] == whole["metrics"]


def test_what_a_fork_is_refused_for(stepdeck: Command, ledger: Path, tmp_path: Path) -> None:
    """One line and the contract's status; not a row is left."""
    file = tmp_path / "own.py"
    body = (
        "from engine import Strategy, Order\n\nclass Own(Strategy):\n    def decide(self, obs):\n"
        "        return Order.buy(obs.symbols[0], 1) if obs.step % 5 == 0 else None\n"
    )
    file.write_text(body)
    run_id = stepdeck("run", f"{file}:Own", *WINDOW, "--json").document["run_id"]
    file.write_text(body.replace("% 5", "% 7"))
    before = rows(ledger, "SELECT * FROM runs")
    for words, status, code in (
        (("--at", 9999), 2, "invalid_option"),
        (("--at", -1), 2, "invalid_option"),
        (("--at", "x"), 2, "usage"),
        ((), 2, "usage"),
        (("--at", 3, "-p", "nonsense"), 2, "invalid_parameter"),
        (("--at", 3, "-p", "pace=3"), 2, "unknown_parameter"),
        (("--at", 3, "--strategy", "nope"), 2, "unknown_strategy"),
        (("--at", 3), 1, "strategy_changed"),
    ):
        done = stepdeck("fork", run_id, *words, "--json")
        assert (done.status, done.out, done.error["code"]) == (status, "", code), words
    assert stepdeck("fork", "nope", "--at", 3).status == 2
    assert rows(ledger, "SELECT * FROM runs") == before
    assert stepdeck("fork", run_id, "--at", 3, "--strategy", f"{file}:Own").status == 0


def test_other_bars_are_accepted_with_rebase(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """Status 1 and the way out named; with it both hashes stand in the metadata."""
    file = tmp_path / "bars.csv"
    header = "symbol,timestamp,open,high,low,close,volume\n"
    bars = [f"X,2024-01-{day:02d}T00:00:00Z,10,11,9,{9 + day % 3},100\n" for day in range(1, 29)]
    file.write_text(header + "".join(bars))
    run_id = stepdeck("run", "buy_and_hold", "--source", f"csv:{file}", "--calendar", "24/7",
                      "--no-baselines", "--json").document["run_id"]  # fmt: skip
    file.write_text(header + "".join(bars).replace(",100\n", ",90\n"))
    done = stepdeck("fork", run_id, "--at", 5, "--json")
    assert (done.status, done.error["code"]) == (1, "bars_changed")
    assert "--rebase" in done.error["message"]
    done = stepdeck("fork", run_id, "--at", 5, "--rebase", "--json")
    assert (done.status, done.document["metadata"]["rebased"]["to"]) == (
        0, done.document["bars_hash"],
    )  # fmt: skip


def test_an_interrupted_run_is_rewound_and_resumed(stepdeck: Command, ledger: Path) -> None:
    """It stays interrupted; its resume comes to the undisturbed end, its tape holds no tail."""
    whole = stepdeck("run", "sma_cross", *WINDOW, "--json").document
    run_id = stepdeck("fork", "@1", "--at", 200, "--paused").out.strip()
    done = stepdeck("rewind", run_id, "--to", 90, "--json")
    assert done.status == 0
    assert [done.document[name] for name in ("status", "step_index", "rewind_count")] == [
        "interrupted", 91, 1,
    ]  # fmt: skip
    assert rows(ledger, "SELECT min(step_index), max(step_index) FROM discarded_equity") == [
        (91, 200)
    ]
    tape = ledger.with_name("tape.jsonl")
    assert stepdeck("export", run_id, "--format", "tape", "-o", tape).status == 0
    last = rows(ledger, "SELECT max(ts) FROM steps WHERE run_id = ?", run_id)[0][0]
    assert last in tape.read_text().splitlines()[-1]
    assert stepdeck("verify", run_id).status == 0
    assert stepdeck("resume", run_id, "--json").document["metrics"] == whole["metrics"]


def test_a_run_of_another_process_is_rewound(stepdeck: Command, ledger: Path) -> None:
    """It is paused where it was then, and goes on when it is let."""
    process = stepdeck.start("run", "sma_cross", *WINDOW, "--speed", "50")
    run_id = wait_for_steps(process, ledger, 20)
    done = stepdeck("rewind", run_id, "--to", 4)
    assert (done.status, done.out.split()[:2]) == (0, [run_id, "paused"])
    assert rows(ledger, "SELECT step_index, rewind_count FROM runs") == [(5, 1)]
    assert stepdeck("cancel", run_id).status == 0
    assert stepdeck.finish(process).status == 130


def test_what_a_rewind_is_refused_for(stepdeck: Command, ledger: Path) -> None:
    """An ended run names the fork; a step it has not come to names those it has."""
    run_id = stepdeck("run", "sma_cross", *WINDOW, "--json").document["run_id"]
    left = stepdeck("fork", run_id, "--at", 20, "--paused").out.strip()
    before = rows(ledger, "SELECT * FROM runs")
    done = stepdeck("rewind", run_id, "--to", 4)
    assert (done.status, f"`stepdeck fork {run_id} --at N`" in done.err) == (1, True)
    done = stepdeck("rewind", left, "--to", 21, "--json")
    assert (done.status, done.error["field"]) == (2, "to")
    assert "give 0 to 20" in done.error["message"]
    assert stepdeck("rewind", left).status == 2
    assert rows(ledger, "SELECT * FROM runs") == before
    beyond = stepdeck("fork", left, "--at", 21, "--json")
    assert (beyond.status, beyond.error["field"]) == (2, "at")
    same = stepdeck("rewind", left, "--to", 20, "--json")
    assert (same.status, same.document["rewind_count"]) == (0, 0)
