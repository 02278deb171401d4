"""The list of guards is about the source as it is; ``make guards`` deletes them one by one."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tests.faults.guard import Guard
from tests.faults.guards import GUARDS


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_guard_is_there(guard: Guard) -> None:
    """Its text stands in its file exactly once, and its test is where the list says."""
    text = (ROOT / guard.file).read_text("utf-8")
    assert text.count(guard.text) == 1, f"{guard.file} has it {text.count(guard.text)} times"
    assert guard.instead != guard.text
    file, _, name = guard.test.partition("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text("utf-8")


def test_names_are_unique() -> None:
    """A report names each guard once."""
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
