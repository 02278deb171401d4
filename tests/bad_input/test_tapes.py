"""Malformed tape lines: each stops the run before it starts, by its line and field."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from engine.errors import InvalidFile, InvalidTape
from engine.strategies import load, read_tape
from tests.sim.builders import HOUR, MONDAY

GRID = np.arange(MONDAY, MONDAY + 4 * HOUR, HOUR)
FIRST = '{"step": 0, "targets": {"AAPL": 0.5}}'


class Row(NamedTuple):
    """A second line of a tape, the words that must be said of it, and its field."""

    line: str
    said: str
    field: str | None = None


def order(body: str) -> str:
    """A line whose one order has these fields."""
    return f'{{"step": 1, "orders": [{{{body}}}]}}'


GOOD = '"symbol": "AAPL", "side": "buy", "quantity": 1'

ROWS = (
    # Not JSON, or not one object.
    Row("buy AAPL", "is not JSON"),
    Row("{", "is not JSON"),
    Row('{"step": 1,}', "is not JSON"),
    Row("{'step': 1}", "is not JSON"),
    Row('{"step": 1} {"step": 2}', "is not JSON"),
    Row('{"step": 01}', "is not JSON"),
    Row('{"step": NaN}', "NaN is not a number in JSON"),
    Row('{"step": 1, "confidence": Infinity}', "Infinity is not a number in JSON"),
    Row('{"step": 1, "targets": {"AAPL": -Infinity}}', "-Infinity is not a number in JSON"),
    Row("\x00", "is not JSON"),
    Row('{"step": 1, "step": 2}', "'step' is given twice"),
    Row('{"step": 1, "targets": {"AAPL": 1, "AAPL": 0}}', "'AAPL' is given twice"),
    Row("[" * 100_000, "nested too deeply"),
    Row("null", "a line is a JSON object", "decision"),
    Row("[]", "a line is a JSON object", "decision"),
    Row('"step"', "a line is a JSON object", "decision"),
    Row("7", "a line is a JSON object", "decision"),
    Row("true", "a line is a JSON object", "decision"),
    # Which step it is of.
    Row("{}", "`at` or `step`, one of them", "at"),
    Row('{"targets": {"AAPL": 1}}', "`at` or `step`, one of them", "at"),
    Row('{"at": null, "step": null}', "`at` or `step`, one of them", "at"),
    Row('{"at": "2026-03-02T15:30:00Z", "step": 1}', "`at` or `step`, one of them", "at"),
    Row('{"step": -1}', "step -1 is no whole number >= 0", "step"),
    Row('{"step": 1.0}', "step 1.0 is no whole number >= 0", "step"),
    Row('{"step": "1"}', "step '1' is no whole number >= 0", "step"),
    Row('{"step": true}', "step True is no whole number >= 0", "step"),
    Row('{"step": [1]}', "step [1] is no whole number >= 0", "step"),
    Row('{"at": "2026-03-02"}', "has no zone", "at"),
    Row('{"at": "2026-03-02T15:30:00"}', "has no zone", "at"),
    Row('{"at": "2026-03-02 25:30:00Z"}', "is no ISO 8601 stamp", "at"),
    Row('{"at": "02/03/2026"}', "is no ISO 8601 stamp", "at"),
    Row('{"at": ""}', "is no ISO 8601 stamp", "at"),
    Row('{"at": 1772465400}', "is no ISO 8601 stamp", "at"),
    Row('{"at": {}}', "is no ISO 8601 stamp", "at"),
    # Fields of a decision.
    Row('{"step": 1, "order": []}', "unknown field 'order'", "order"),
    Row('{"step": 1, "cancels": ["a"]}', "unknown field 'cancels'", "cancels"),
    Row('{"step": 1, "Targets": {}}', "unknown field 'Targets'", "Targets"),
    Row('{"step": 1, "confidence": "high"}', "not a number", "confidence"),
    Row('{"step": 1, "confidence": true}', "not a number", "confidence"),
    Row('{"step": 1, "rationale": 5}', "not text", "rationale"),
    Row('{"step": 1, "rationale": ["a"]}', "not text", "rationale"),
    Row('{"step": 1, "cancel": "a"}', "cancel is a list of order tags", "cancel"),
    Row('{"step": 1, "cancel": [1]}', "cancel is a list of order tags", "cancel"),
    Row('{"step": 1, "cancel": {"a": 1}}', "cancel is a list of order tags", "cancel"),
    # Targets.
    Row('{"step": 1, "targets": "AAPL"}', "targets is an object", "targets"),
    Row('{"step": 1, "targets": 0.5}', "targets is an object", "targets"),
    Row('{"step": 1, "targets": ["AAPL"]}', "targets is an object", "targets"),
    Row('{"step": 1, "targets": {"AAPL": "all"}}', "not a number", "AAPL"),
    Row('{"step": 1, "targets": {"AAPL": [0.5]}}', "not a number", "AAPL"),
    Row('{"step": 1, "targets": {"AAPL": false}}', "not a number", "AAPL"),
    Row('{"step": 1, "targets": {"AAPL": null}}', "the target AAPL has no weight", "AAPL"),
    Row('{"step": 1, "targets": [{"symbol": 5, "weight": 1}]}', "not text", "symbol"),
    Row('{"step": 1, "targets": [{"symbol": "A", "weight": "1"}]}', "not a number", "weight"),
    Row('{"step": 1, "targets": [{"symbol": "A", "shares": {}}]}', "not a number", "shares"),
    Row('{"step": 1, "targets": [{"weight": 0.5}]}', "a target needs symbol", "symbol"),
    Row('{"step": 1, "targets": [{"symbol": "A", "wieght": 0.5}]}', "no field 'wieght'", "wieght"),
    # Orders.
    Row('{"step": 1, "orders": {}}', "orders is a list", "orders"),
    Row('{"step": 1, "orders": "buy"}', "orders is a list", "orders"),
    Row('{"step": 1, "orders": ["buy"]}', "an order is a JSON object", "orders"),
    Row('{"step": 1, "orders": [null]}', "an order is a JSON object", "orders"),
    Row('{"step": 1, "orders": [[]]}', "an order is a JSON object", "orders"),
    Row(order(""), "an order needs symbol", "symbol"),
    Row(order('"side": "buy", "quantity": 1'), "an order needs symbol", "symbol"),
    Row(order('"symbol": "AAPL", "quantity": 1'), "an order needs side", "side"),
    Row(order('"symbol": "AAPL", "side": "buy"'), "an order needs quantity", "quantity"),
    Row(order(GOOD + ', "qty": 1'), "an order has no field 'qty'", "qty"),
    Row(order(GOOD + ', "limit": 99'), "an order has no field 'limit'", "limit"),
    Row(order(GOOD + ', "type": "limit"'), "an order has no field 'type'", "type"),
    Row(order('"symbol": 5, "side": "buy", "quantity": 1'), "not text", "symbol"),
    Row(order('"symbol": "AAPL", "side": true, "quantity": 1'), "not text", "side"),
    Row(
        order('"symbol": "AAPL", "side": "buy", "quantity": "1"'),
        "not a number",
        "quantity",
    ),
    Row(
        order('"symbol": "AAPL", "side": "buy", "quantity": true'),
        "not a number",
        "quantity",
    ),
    Row(
        order('"symbol": "AAPL", "side": "buy", "quantity": [1]'),
        "not a number",
        "quantity",
    ),
    Row(order(GOOD + ', "limit_price": "99"'), "not a number", "limit_price"),
    Row(order(GOOD + ', "stop_price": {}'), "not a number", "stop_price"),
    Row(order(GOOD + ', "order_type": 1'), "not text", "order_type"),
    Row(order(GOOD + ', "quantity_type": []'), "not text", "quantity_type"),
    Row(order(GOOD + ', "time_in_force": 0'), "not text", "time_in_force"),
    Row(order(GOOD + ', "oco_group": 7'), "not text", "oco_group"),
    Row(order(GOOD + ', "tag": 7'), "not text", "tag"),
)

OFF_THE_GRID = (
    Row('{"step": 4}', "step 4 is past the run's last, 3", "step"),
    Row('{"step": 99999999999999999999}', "is past the run's last, 3", "step"),
    Row('{"step": 0}', "step 0 was decided in line 1 already", "step"),
    Row('{"at": "2026-03-02T14:30:00Z"}', "step 0 was decided in line 1 already", "step"),
    Row('{"at": "2026-03-02T15:00:00Z"}', "is no bar of this run", "at"),
    Row('{"at": "2026-03-02T15:30:00.000001Z"}', "is no bar of this run", "at"),
    Row('{"at": "1969-12-31T00:00:00Z"}', "is no bar of this run", "at"),
    Row('{"at": "2026-03-02T14:30:00+00:30"}', "is no bar of this run", "at"),
)


def tape(folder: Path, line: str) -> Path:
    """A tape of a good line and this one."""
    path = folder / "tape.jsonl"
    path.write_text(f"{FIRST}\n{line}\n")
    return path


def refused(error: InvalidTape, row: Row) -> None:
    """The code, the place, what is wrong and what would be right, in one line."""
    said = str(error)
    assert (error.code, error.field) == ("invalid_tape", row.field)
    assert "tape.jsonl line 2" in said
    assert row.said in said
    assert error.remedy
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.line[:80])
def test_a_line_that_is_no_decision_is_refused(row: Row, tmp_path: Path) -> None:
    """While the strategy is looked for: no run exists yet."""
    path = tape(tmp_path, row.line)
    with pytest.raises(InvalidTape) as caught:
        load(f"tape:{path}")
    refused(caught.value, row)


@pytest.mark.parametrize("row", OFF_THE_GRID, ids=lambda row: row.line)
def test_a_decision_off_the_grid_is_refused(row: Row, tmp_path: Path) -> None:
    """Once the run's bars are known, before its first step."""
    read = read_tape(tape(tmp_path, row.line))
    with pytest.raises(InvalidTape) as caught:
        read.resolve(GRID)
    refused(caught.value, row)


def test_a_tape_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file, a folder."""
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(InvalidFile) as caught:
            load(f"tape:{path}")
        assert (caught.value.code, caught.value.field) == ("invalid_file", "strategy")
        assert caught.value.remedy
