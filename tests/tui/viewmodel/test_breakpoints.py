"""Breakpoints as rows and changes; what is said of a text; where a run says it stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.model import Breakpoint, RunRecord
from engine.sim.expressions import parse
from tests.tui.viewmodel.test_runs import RECORD
from tui.viewmodel import breakpoints as view
from tui.viewmodel.stopped import saw_text, stopped_text

POINTS = (Breakpoint(1, "fill", hits=3), Breakpoint(4, "cash < 5", enabled=False, once=True))


def test_rows_say_state_kind_and_hits() -> None:
    """On and off by sign and word; the one that holds the run stands out."""
    first, second = view.rows(POINTS, 1)
    assert [cell.text for cell in first.cells] == ["● on", "fill", "lasting", "3"]
    assert [cell.text for cell in second.cells] == ["○ off", "cash < 5", "once", "0"]
    assert first.cells[1].role == "attention"


def test_changes_touch_one_breakpoint_alone() -> None:
    """Adding numbers on, rewording counts anew, the same words change nothing."""
    assert view.added(POINTS, " step == 3 ")[-1] == Breakpoint(5, "step == 3")
    assert view.added((), "fill") == (Breakpoint(1, "fill"),)
    assert view.reworded(POINTS, 1, "sold") == (Breakpoint(1, "sold"), POINTS[1])
    assert view.reworded(POINTS, 1, "fill") == POINTS
    assert view.reworded(POINTS, 4, "cash < 6")[1] == Breakpoint(4, "cash < 6", once=True)
    assert view.toggled(POINTS, 4)[1].enabled
    assert not view.once_turned(POINTS, 4)[1].once
    assert view.without(POINTS, 1) == POINTS[1:]


@pytest.mark.parametrize(
    ("text", "caret", "said"),
    [
        ("fill", None, "good: looks at fill"),
        ('drawdown < -5% and rsi["AAPL"] > 70', None, 'good: looks at drawdown, rsi["AAPL"]'),
        ("1 < 2", None, "good"),
        ("", 0, "a condition, such as"),
        ("cash < 5 and drowdown < 0", 13, "did you mean drawdown?"),
        ('close["中文"] > 1', 6, "the run has no '中文'"),
        ('close["中文"] = 1', 14, "compare with =="),
    ],
)
def test_what_is_wrong_is_said_with_the_cell_to_point_at(
    text: str, caret: int | None, said: str
) -> None:
    """The caret counts cells, so that it stands right under wide characters too."""
    verdict = view.judged(text, ("AAPL",))
    assert verdict.caret == caret
    assert verdict.good is (caret is None)
    assert said in verdict.said


@pytest.mark.parametrize("symbols", [("AAPL",), ("MSFT", "IBM"), ('odd"name', "X")])
def test_everything_offered_can_be_taken(symbols: tuple[str, ...]) -> None:
    """Each usual condition is good for the run it is offered to, each word begins one."""
    offered = view.choices(symbols, None, "2009-03-02", 120)
    assert len({choice.form for choice in offered}) > 40
    for choice in offered:
        text = choice.form
        if not view.judged(text, symbols).good:
            text += " > 0"
        parse(text, symbols)


def stopped(status: str, step_index: int = 41, **told: object) -> RunRecord:
    said = {
        "breakpoint": 2,
        "expression": "drawdown < -5%",
        "step": 40,
        "settled": 41,
        "saw": {"drawdown": -0.0531},
    }
    metadata = {"stopped_at": said | told}
    return replace(RECORD, status=status, step_index=step_index, metadata=metadata)


def test_a_run_says_where_it_stopped_while_it_stands_there() -> None:
    """Paused or left there, not once it has moved on or ended."""
    said = "stopped at breakpoint 2: drawdown < -5%  (drawdown -5.31%)"
    assert stopped_text(stopped("paused")) == said
    assert stopped_text(stopped("interrupted")) == said
    assert stopped_text(stopped("running")) is None
    assert stopped_text(stopped("paused", step_index=42)) is None
    assert stopped_text(stopped("completed")) is None
    sent = stopped("paused", breakpoint=None, expression="fill", saw={"fill": True})
    assert stopped_text(sent) == "stopped where it was sent: fill"


@pytest.mark.parametrize("told", ["rubbish", 7, {"settled": 41}, {"settled": 41, "saw": "x"}])
def test_rubbish_in_the_ledger_is_no_reason_to_fall(told: object) -> None:
    """What another program wrote there is shown or left out."""
    record = replace(stopped("paused"), metadata={"stopped_at": told})
    said = stopped_text(record)
    assert said is None or said.startswith("stopped at")


def test_what_was_seen_is_said_word_by_word() -> None:
    """Fractions as percentages, what happened as it is, what had no value as a dash."""
    saw = {"drawdown": -0.0531, 'sma["AAPL", 30]': None, "fill": True, "sold": False,
           "step": 120.0, 'close["AAPL"]': 12.3456789, "date": "2009-03-02"}  # fmt: skip
    assert saw_text(saw) == (
        'drawdown -5.31%, sma["AAPL", 30] -, fill, sold no, step 120, close["AAPL"] 12.3457, '
        "date 2009-03-02"
    )
