"""`runs`, `show` and `watch --plain`: what the ledger holds, as text and as JSON."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import Command, rows
from tests.cli.test_run import wait_for_steps

COLUMNS = (
    "run_id name tags agent_id strategy driver status end_reason error_code error_message source "
    "timeframe symbols start end config initial_cash step_index total_steps equity cash "
    "total_return max_drawdown sharpe sortino num_fills num_trades total_costs timeout_holds "
    "metrics metadata parent_run_id forked_at_step baseline_of sweep_id owner_instance lease_epoch "
    "heartbeat_seq heartbeat_at rewind_count cancel_requested_at created_at started_at updated_at "
    "finished_at bars_hash config_hash strategy_hash engine_version"
)


def test_runs_lists_newest_first_without_baselines(stepdeck: Command, finished: Path) -> None:
    """Two runs, the newer one first; --all adds their baselines, --limit cuts."""
    listed = stepdeck("runs", "--json", "--db", finished).document
    assert [run["name"] for run in listed] == ["second", "first"]
    assert len(stepdeck("runs", "--json", "--all", "--db", finished).document) == 5
    assert len(stepdeck("runs", "--json", "--limit", "1", "--db", finished).document) == 1


def test_a_run_as_json_has_every_column(stepdeck: Command, finished: Path) -> None:
    """The document has every column of `runs` by its name, and agrees with the row."""
    run = stepdeck("show", "@1", "--json", "--db", finished).document
    assert set(COLUMNS.split()) <= set(run)
    names = "status, equity, total_return, max_drawdown, sharpe, num_fills, bars_hash, created_at"
    (row,) = rows(finished, f"SELECT {names} FROM runs WHERE run_id = ?", run["run_id"])
    assert row == tuple(run[name] for name in names.split(", "))
    assert run["tags"] == ["t"]
    assert run["symbols"] == ["AAPL"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--status", "completed"), ["second", "first"]),
        (("--status", "failed"), []),
        (("--agent", "bot"), ["first"]),
    ],
)
def test_runs_filters(
    stepdeck: Command, finished: Path, words: tuple[str, ...], names: list[str]
) -> None:
    """By state and by agent; nothing found is an empty list, and a sentence as text."""
    listed = stepdeck("runs", *words, "--json", "--db", finished).document
    assert [run["name"] for run in listed] == names
    text = stepdeck("runs", *words, "--plain", "--db", finished)
    assert text.status == 0
    assert text.out.strip() == "no runs match" if not names else names[0] in text.out


def test_runs_as_text_is_aligned(stepdeck: Command, finished: Path) -> None:
    """One line a run, columns under their heads."""
    head, *lines = stepdeck("runs", "--db", finished).out.splitlines()
    assert len(lines) == 2
    at = head.index("strategy")
    assert [line[at:].split()[0] for line in lines] == ["sma_cross", "buy_and_hold"]


@pytest.mark.parametrize("how", ["@2", "prefix", "id"])
def test_a_run_is_named_three_ways(stepdeck: Command, finished: Path, how: str) -> None:
    """@n, a unique prefix and the whole id mean the same run."""
    (run_id,) = rows(finished, "SELECT run_id FROM runs WHERE name = 'first'")[0]
    word = {"@2": "@2", "prefix": run_id[:11], "id": run_id}[how]
    assert stepdeck("show", word, "--json", "--db", finished).document["run_id"] == run_id


def test_show_has_figures_and_positions(stepdeck: Command, finished: Path) -> None:
    """Figures, costs, rules, hashes, and what is held; a dash where there is no figure."""
    done = stepdeck("show", "@2", "--plain", "--db", finished)
    assert (done.status, done.err) == (0, "")
    assert "first" in done.out
    assert "Positions" in done.out
    assert "IBM" in done.out
    assert "profit factor" in done.out
    held = stepdeck("show", "@2", "--json", "--db", finished).document["positions"]
    assert [position["symbol"] for position in held] == ["IBM", "MSFT"]


def test_show_step_says_what_was_seen_decided_and_filled(stepdeck: Command, finished: Path) -> None:
    """The bars of the step, its decision, that decision's orders, the fills at the grid point."""
    (step,) = rows(finished, "SELECT min(orders.step_index) FROM orders JOIN runs USING (run_id) "
                   "WHERE name = 'second'")[0]  # fmt: skip
    decided = stepdeck("show", "@1", "--step", step, "--json", "--db", finished).document
    assert decided["decision"]["targets"] == {"AAPL": 1.0}
    assert [order["status"] for order in decided["orders"]] == ["filled"]
    assert [bar["symbol"] for bar in decided["bars"]] == ["AAPL"]
    after = stepdeck("show", "@1", "--step", step + 1, "--json", "--db", finished).document
    (fill,) = after["fills"]
    assert fill["reference_price"] == after["bars"][0]["open"]
    text = stepdeck("show", "@1", "--step", step, "--db", finished).out
    assert '{"targets": {"AAPL": 1.0}}' in text
    assert "target_weight" in text


def test_a_step_that_is_not_there_is_refused(stepdeck: Command, finished: Path) -> None:
    """A step past the end names the last one: status 2."""
    (last,) = rows(finished, "SELECT step_index - 1 FROM runs WHERE name = 'second'")[0]
    for step in (last + 1, -1):
        done = stepdeck("show", "@1", f"--step={step}", "--db", finished)
        assert done.status == 2
        assert f"it has 0 to {last}" in done.err


def test_a_step_without_its_bars_still_shows(stepdeck: Command, tmp_path: Path) -> None:
    """Where the source is gone the ledger's part is shown, and why there is no more."""
    bars = tmp_path / "bars.csv"
    lines = [f"AAA,2024-01-{day:02}T00:00:00Z,10,11,9,10.5,1000" for day in range(1, 21)]
    bars.write_text("symbol,timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    assert stepdeck("run", "buy_and_hold", "--source", f"csv:{bars}").status == 0
    bars.unlink()
    step = stepdeck("show", "@1", "--step", "0", "--json")
    assert step.status == 0
    assert step.document["orders"]
    assert "bars.csv" in step.document["bars_missing"]


def test_other_bars_than_the_runs_are_never_shown(stepdeck: Command, tmp_path: Path) -> None:
    """A source that has other bars by now says so: none of them is shown as what was seen."""
    bars = tmp_path / "bars.csv"
    lines = [f"AAA,2024-01-{day:02}T00:00:00Z,10,11,9,10.5,1000" for day in range(1, 21)]
    head = "symbol,timestamp,open,high,low,close,volume\n"
    bars.write_text(head + "\n".join(lines) + "\n")
    assert stepdeck("run", "buy_and_hold", "--source", f"csv:{bars}").status == 0
    bars.write_text(head + "\n".join(lines[:10]).replace("10.5", "10.9") + "\n")
    for number in ("0", "19"):
        step = stepdeck("show", "@1", "--step", number, "--json").document
        assert step["bars"] == []
        assert "not those the run began with" in step["bars_missing"]
    order = stepdeck("show", "@1", "--order", "0-0")
    assert order.status == 0
    assert "10.9" not in order.out


def test_reading_never_writes(stepdeck: Command, finished: Path) -> None:
    """What only reads leaves the ledger's bytes as they are."""
    before = finished.read_bytes()
    for words in (
        ("runs",),
        ("show", "@1"),
        ("show", "@1", "--step", "3"),
        ("watch", "--plain", "@1"),
    ):
        assert stepdeck(*words, "--db", finished).status == 0
    assert finished.read_bytes() == before


def test_watch_follows_a_run_to_its_end(stepdeck: Command, ledger: Path) -> None:
    """A line whenever the run has moved, the last one when it has ended; then status 0."""
    run = stepdeck.start("run", "sma_cross", "--symbols", "AAPL", "--speed", "60", "--json",
                         "--end", "2001-12-31", "--no-baselines")  # fmt: skip
    run_id = wait_for_steps(run, ledger, 1)
    # Held until it is watched, which on a busy machine takes longer than the run.
    assert stepdeck("pause", run_id).status == 0
    watching = stepdeck.start("watch", run_id, "--plain")
    assert watching.stdout is not None
    lines = [watching.stdout.readline().rstrip("\n")]
    assert "paused" in lines[0]
    assert stepdeck("resume", run_id).status == 0
    watched = stepdeck.finish(watching)
    assert watched.status == 0
    lines += watched.out.splitlines()
    assert len(lines) > 1
    assert all(run_id in line for line in lines)
    assert "completed (end_of_data)" in lines[-1]
    result = stepdeck.finish(run).document
    last = result["total_steps"] - 1
    assert result["step_index"] == result["total_steps"]
    assert f"  step {last}/{last}  " in lines[-1]


def test_watch_as_json_is_an_object_a_line(stepdeck: Command, finished: Path) -> None:
    """With --json every line is a document with the columns of `runs`."""
    done = stepdeck("watch", "@1", "--json", "--db", finished)
    (line,) = done.out.splitlines()
    assert set(COLUMNS.split()) <= set(json.loads(line))


def test_ctrl_c_ends_watching(stepdeck: Command, finished: Path) -> None:
    """Watching a whole ledger ends with Ctrl-C, which is no failure."""
    process = stepdeck.start("watch", "--plain", "--db", finished)
    assert process.stdout is not None
    assert "first" in process.stdout.readline()
    assert "second" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert stepdeck.finish(process).status == 0


def test_an_owner_that_died_is_shown(stepdeck: Command, ledger: Path) -> None:
    """A killed owner's run is still `running` in the ledger, and the list says that it is gone."""
    process = stepdeck.start("run", "sma_cross", "--symbols", "AAPL", "--speed", "2")
    wait_for_steps(process, ledger, 1)
    process.kill()
    process.wait()
    (run,) = stepdeck("runs", "--json").document
    assert (run["status"], run["owner"]) == ("running", "gone")
    assert "running, owner gone" in stepdeck("runs").out


def test_hostile_names_reach_no_terminal(stepdeck: Command) -> None:
    """Escapes, bidi overrides and newlines in a name are dropped from text, escaped in JSON."""
    name = "a\x1b]52;c;ZXZpbA==\x07b\u202ec\nd"
    assert stepdeck("run", "manual", "--name", name).status == 0
    for words in (("runs",), ("show", "@1"), ("runs", "--json"), ("show", "@1", "--json")):
        done = stepdeck(*words)
        assert done.status == 0
        assert not {"\x1b", "\x07", "\u202e"} & set(done.out)
    assert stepdeck("show", "@1", "--json").document["name"] == name
