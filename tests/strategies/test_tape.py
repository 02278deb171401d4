"""Decision tapes: read, checked, resolved on a grid, written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.errors import InvalidTape
from engine.model import HOLD, Decision, Order, Target
from engine.strategies import load, read_tape, write_tape

START = 1_772_461_800_000_000  # 2026-03-02T14:30:00Z
HOUR = 3_600_000_000
BUY = '{"symbol": "AAPL", "side": "buy", "quantity": 5, "tag": "a"}'
GRID = np.arange(START, START + 4 * HOUR, HOUR)


def tape(folder: Path, *lines: str) -> Path:
    """A tape file of these lines."""
    path = folder / "tape.jsonl"
    path.write_text("".join(line + "\n" for line in lines))
    return path


def test_lines_are_decisions_at_grid_points(tmp_path: Path) -> None:
    """By stamp or by step, in any zone and any order, blank lines skipped."""
    path = tape(
        tmp_path,
        '{"step": 3, "targets": {"AAPL": 0.25}, "rationale": "why not"}',
        "",
        '{"at": "2026-03-02T14:30:00Z", "orders": [' + BUY + "]}",
        '{"at": "2026-03-02T10:30:00-05:00", "cancel": ["a"]}',
    )
    assert read_tape(path).resolve(GRID) == {
        3: Decision((), (Target("AAPL", 0.25),), rationale="why not"),
        0: Decision((Order("AAPL", "buy", 5, tag="a"),)),
        1: Decision(cancels=("a",)),
    }


def test_what_the_policy_refuses_is_a_good_line(tmp_path: Path) -> None:
    """A quantity of -1 becomes a recorded rejection, not a bad tape."""
    path = tape(
        tmp_path, '{"step": 0, "orders": [{"symbol": "A", "side": "hold", "quantity": -1}]}'
    )
    assert read_tape(path).resolve(GRID)[0].orders[0].quantity == -1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "line 2 is not JSON"),
        ('{"step": 0, "orders": [{"quantity": NaN}]}', "line 2 is not JSON: NaN"),
        ("[1]", "line 2: a line is a JSON object"),
        ("{}", "line 2: a line has `at` or `step`, one of them"),
        ('{"at": "2026-03-02T14:30:00Z", "step": 0}', "line 2: a line has `at` or `step`"),
        ('{"at": "2026-03-02T14:30:00"}', "has no zone"),
        ('{"at": "yesterday"}', "line 2: at 'yesterday' is no ISO 8601 stamp"),
        ('{"at": 5}', "line 2: at 5 is no ISO 8601 stamp"),
        ('{"step": -1}', "line 2: step -1 is no whole number"),
        ('{"step": 1.5}', "line 2: step 1.5 is no whole number"),
        ('{"step": true}', "line 2: step True is no whole number"),
        ('{"step": 1, "order": []}', "line 2: unknown field 'order'"),
        ('{"step": 1, "orders": [{"symbol": "A", "side": "buy"}]}', "line 2: an order needs"),
        (
            '{"step": 1, "targets": {"A": "all"}}',
            "line 2: the target of A is str 'all', not a number",
        ),
    ],
)
def test_a_line_that_is_no_decision_is_named(line: str, message: str, tmp_path: Path) -> None:
    """With its number and field, before anything runs."""
    with pytest.raises(InvalidTape) as caught:
        read_tape(tape(tmp_path, '{"step": 0}', line))
    assert message in str(caught.value)
    assert "tape.jsonl line 2" in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """Not a traceback of a decoder."""
    path = tmp_path / "tape.jsonl"
    path.write_bytes(b'{"step": 0}\n\xff\xfe{}\n')
    with pytest.raises(InvalidTape, match=r"tape.jsonl line 2 is not JSON"):
        read_tape(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '{"at": "2026-03-02T15:00:00Z"}',
            "no bar of this run; the nearest are 2026-03-02T14:30:00Z and 2026-03-02T15:30:00Z",
        ),
        ('{"at": "2025-03-02T15:00:00Z"}', "the nearest is 2026-03-02T14:30:00Z"),
        ('{"step": 4}', "line 1: step 4 is past the run's last, 3"),
    ],
)
def test_a_line_off_the_grid_is_named(line: str, message: str, tmp_path: Path) -> None:
    """A decision that no step can take stops the run before it starts."""
    with pytest.raises(InvalidTape) as caught:
        read_tape(tape(tmp_path, line)).resolve(GRID)
    assert message in str(caught.value)


def test_a_step_is_decided_once(tmp_path: Path) -> None:
    """Also where one line says the step and the other its stamp."""
    path = tape(tmp_path, '{"step": 1}', '{"at": "2026-03-02T15:30:00Z"}')
    with pytest.raises(InvalidTape, match=r"line 2: step 1 was decided in line 1 already"):
        read_tape(path).resolve(GRID)


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    """Every decision comes back as it was; holds need no line."""
    decisions = {
        0: Decision((Order.buy("AAPL", 10, limit=187.5, time_in_force="gtc", tag="x"),)),
        1: HOLD,
        2: Decision((), (Target("MSFT", 0.5), Target("AAPL", 0.25))),
        3: Decision((), (Target("AAPL", shares=3),), ("x",), 0.75, "because"),
    }
    path = tmp_path / "out.jsonl"
    written = write_tape(((int(GRID[step]), each) for step, each in decisions.items()), path)
    assert written == 3
    assert read_tape(path).resolve(GRID) == {
        step: each for step, each in decisions.items() if each is not HOLD
    }
    loaded = load(f"tape:{path}")
    assert (loaded.info.driver, loaded.make) == ("tape", None)
    assert loaded.tape is not None
    assert loaded.source_hash == loaded.tape.source_hash
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["out.jsonl"]
