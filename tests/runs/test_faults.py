"""What a strategy's failure says: the same in this process and in one of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import (
    InvalidExpression,
    LookaheadError,
    StepdeckError,
    StrategyDiverged,
    StrategyError,
    error_of,
)
from engine.model import RunRecord, RunRequest
from tests.runs.conftest import Deck

WINDOW = RunRequest("", symbols=("AAPL",), baselines=False)
REMEDY = "; answer Order and Target values, or None"

# The body of a `decide` whose first line is line 8 of own.py, what is said, and its code.
DECISIONS = (
    ("raise ValueError('no')", "decide raised ValueError: no in own.py:9 at step 7"),
    ("raise SystemExit(3)", "decide raised SystemExit: 3 in own.py:9 at step 7"),
    ("return 'buy'", f"decide answered str 'buy' in own.py:7 at step 7{REMEDY}"),
    (
        "return [42]",
        f"decide answered a list that holds int 42 in own.py:7 at step 7{REMEDY}",
    ),
    (
        "return (1 / 0 for _ in obs.symbols)",
        "decide raised ZeroDivisionError: division by zero in own.py:9 at step 7",
    ),
    (
        "from engine.model import Decision; return Decision((7,))",
        "a decision's orders hold int 7 in own.py:7 at step 7; give Order values",
    ),
    (
        "obs.indicator('nope')",
        "decide raised InvalidParameter: there is no indicator 'nope'",
    ),
)
LOOK = (
    "obs.bar('AAPL', 8)",
    "step 8 was asked for before it has happened in own.py:9 at step 7; a decision sees",
)

# The members of a class whose first line is line 5 of own.py.
MEMBERS = (
    ("def __init__(self):\n    raise ValueError('boo')", "__init__ raised ValueError: boo in"),
    ("def prepare(self, panel):\n    raise ValueError('boo')", "prepare raised ValueError: boo in"),
    (
        "def prepare(self, panel):\n    panel.indicator('nope')",
        "prepare raised InvalidParameter: there is no indicator 'nope'",
    ),
)
ROWS = (
    ("return 'buy'", "weights answered str 'buy' in own.py:5; answer numbers, an array [steps,"),
    ("return {'AAPL': 1}", "weights answered dict {'AAPL': 1} in own.py:5; answer numbers"),
    ("return [0.5]", "weights answered an array of shape (1,) in own.py:5; answer one of [steps,"),
    ("return panel.close * float('inf')", "weights answered inf for AAPL at step 0 in own.py:5;"),
    ("return panel.closes", "weights raised AttributeError: 'PreparedPanel' object has no attr"),
)


def _failed(deck: Deck, spec: str, *, isolate: bool) -> RunRecord:
    record = deck.run(replace(WINDOW, strategy=spec, isolate=isolate))
    assert (record.status, record.end_reason) == ("failed", "strategy_error")
    return record


def _written(folder: Path, members: str) -> str:
    lines = "\n".join(f"    {line}" for line in members.splitlines())
    text = f"from engine import Strategy\n\n\nclass Own(Strategy):\n{lines}\n"
    (folder / "own.py").write_text(text)
    return f"{folder / 'own.py'}:Own"


@pytest.mark.parametrize("isolate", [False, True], ids=["here", "isolated"])
@pytest.mark.parametrize(("line", "said"), [*DECISIONS, LOOK], ids=lambda text: text[:30])
def test_a_decision_that_fails_names_file_line_and_step(
    deck: Deck, strategy_file: Callable[[str], str], line: str, said: str, isolate: bool
) -> None:
    """Raised or answered, here or isolated: one line, and one code for the same failure."""
    record = _failed(deck, strategy_file(f"if obs.step == 7:\n    {line}"), isolate=isolate)
    message = record.error_message or ""
    assert message.startswith(said)
    assert "own.py:" in message
    assert " at step 7" in message
    code = LookaheadError.code if line == LOOK[0] else StrategyError.code
    assert (record.error_code, record.step_index) == (code, 8)


@pytest.mark.parametrize("isolate", [False, True], ids=["here", "isolated"])
@pytest.mark.parametrize(
    ("members", "said"),
    [
        *((f"{members}\ndef decide(self, obs):\n    pass", said) for members, said in MEMBERS),
        *((f"def weights(self, panel):\n    {line}", said) for line, said in ROWS),
    ],
    ids=lambda text: text[:30],
)
def test_what_fails_before_the_first_step_names_what_was_called(
    deck: Deck, tmp_path: Path, members: str, said: str, isolate: bool
) -> None:
    """`__init__`, `prepare` or `weights`, with file and line."""
    record = _failed(deck, _written(tmp_path, members), isolate=isolate)
    assert (record.error_message or "").startswith(said)
    assert "own.py:" in (record.error_message or "")
    assert (record.error_code, record.step_index) == (StrategyError.code, 0)


@pytest.mark.parametrize("kind", [StrategyError, LookaheadError, StrategyDiverged])
def test_a_code_leads_back_to_its_error(kind: type[StepdeckError]) -> None:
    """An error that has come through another process is of the kind that it was there."""
    assert error_of(kind.code) is kind


def test_every_code_leads_to_an_error_that_takes_a_message() -> None:
    """Whatever stands in a command's answer can be raised."""
    kinds = [StepdeckError]
    for kind in kinds:
        kinds += kind.__subclasses__()
        assert error_of(kind.code)("it went wrong", field="x", remedy="do y").message
    assert not issubclass(error_of(InvalidExpression.code), InvalidExpression)
