"""`stepdeck run --break`: where the run stops, what it is left as, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command, rows

WORDS = ("run", "sma_cross", "--symbols", "AAPL", "--end", "2004-12-31", "--no-baselines")


def test_a_run_is_left_where_its_breakpoint_held(stepdeck: Command, tmp_path: Path) -> None:
    """It is interrupted there and resumable, exit status 0, and says what it saw."""
    text = 'crosses_below(drawdown, -10%) and close["AAPL"] > 0'
    done = stepdeck(*WORDS, "--break", text, "--json")
    assert (done.status, done.err) == (0, "")
    document = done.document
    assert document["status"] == "interrupted"
    told = document["metadata"]["stopped_at"]
    assert told["expression"] == text
    assert told["settled"] == document["step_index"] == told["step"] + 1
    assert told["saw"]["drawdown"] < -0.1
    with_words = stepdeck("show", document["run_id"])
    assert f"stopped at breakpoint 1: {text}" in with_words.out
    # Taken up, it goes on to the next place at which it holds, or to its end.
    done = stepdeck("resume", document["run_id"], "--json")
    while done.document["status"] == "interrupted":
        assert done.document["step_index"] > document["step_index"]
        document = done.document
        done = stepdeck("resume", document["run_id"], "--json")
    assert (done.status, done.document["status"]) == (0, "completed")
    plain = stepdeck(*WORDS, "--json")
    assert plain.document["metrics"] == done.document["metrics"]
    assert plain.document["config_hash"] == done.document["config_hash"]


def test_the_stop_is_said_in_words(stepdeck: Command) -> None:
    """Without --json the place, what was seen and how to go on are on stderr."""
    done = stepdeck(*WORDS, "--break", "step == 25", "--break", "step == 20")
    assert done.status == 0
    assert "stopped at breakpoint 2: step == 20  (step 20)" in done.err
    assert "`stepdeck resume " in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("drowdown < -5%", "at column 1: there is no 'drowdown'; did you mean drawdown?"),
        ('fill and close["APL"] > 1', "at column 16: the run has no 'APL'; did you mean AAPL?"),
        ("fill or", "at column 8: the end stands where a value should"),
    ],
)
def test_a_malformed_condition_is_refused_with_its_column(
    stepdeck: Command, tmp_path: Path, text: str, said: str
) -> None:
    """Exit status 2, one line, and no row."""
    done = stepdeck(*WORDS, "--break", text)
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    refused = stepdeck(*WORDS, "--break", text, "--json")
    assert (refused.error["code"], refused.error["field"]) == ("invalid_expression", "break")
    assert not (tmp_path / "runs.db").exists() or not rows(
        tmp_path / "runs.db", "SELECT * FROM runs"
    )


def test_an_order_says_why_it_became_what_it_became(stepdeck: Command) -> None:
    """`show --order` tells the chain in words, with --json as lines; an unknown id is named."""
    run = stepdeck(*WORDS, "--json").document["run_id"]
    unknown = stepdeck("show", run, "--order", "nonsense")
    assert (unknown.status, unknown.err.count("\n")) == (2, 1)
    known = unknown.err.rpartition("such as ")[2].split(",")[0].strip()
    words = stepdeck("show", run, "--order", known)
    assert words.status == 0
    titles = ("Seen", "Decided", "Asked", "Met", "Filled", "Ended: ✓ filled")
    assert all(f"{title}\n" in words.out for title in titles)
    document = stepdeck("show", run, "--order", known, "--json").document
    assert document["order"]["order_id"] == known
    assert {chapter["title"] for chapter in document["why"]} >= set(titles)
    assert document["fills"][0]["order_id"] == known
