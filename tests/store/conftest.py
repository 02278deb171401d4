"""A ledger of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.ledger import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the test's ledger is."""
    return tmp_path / "runs.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """A fresh ledger."""
    with Ledger.open(path) as ledger:
        yield ledger
