"""Golden runs: each built-in strategy on real bars gives the statistics declared for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.golden.runs import DECLARED, GOLDEN, Golden, statistics

TABLE: dict[str, dict[str, Any]] = json.loads(DECLARED.read_text())


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_a_run_is_as_declared(golden: Golden, request: pytest.FixtureRequest) -> None:
    """Equity, fills, figures, how orders ended, and every byte of it where that is exact."""
    if golden.bars == "hourly":
        request.getfixturevalue("hourly_file")
    declared = TABLE[golden.name]
    found = json.loads(json.dumps(statistics(golden)))
    assert found.keys() == declared.keys()
    for name, value in declared.items():
        if isinstance(value, float):
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name
        else:
            assert found[name] == value, name


def test_what_is_declared_is_run() -> None:
    """No declaration outlives its run."""
    assert list(TABLE) == [golden.name for golden in GOLDEN]


def test_the_file_is_where_the_declaration_looks(hourly_file: Path) -> None:
    """Both name the same file of hourly bars."""
    from tests.golden.runs import HOURLY

    assert hourly_file.samefile(HOURLY)
