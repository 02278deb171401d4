"""A real ledger with runs in every state, made once and copied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.screens.kit import copy_ledger, fill_ledger
from tui.gateway import Gateway


@pytest.fixture(scope="session")
def filled_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger that tests copy."""
    path = tmp_path_factory.mktemp("filled") / "runs.db"
    fill_ledger(path)
    return path


@pytest.fixture
def gateway(filled_ledger: Path, tmp_path: Path) -> Iterator[Gateway]:
    """A copy of the filled ledger, open for driving."""
    path = tmp_path / "runs.db"
    copy_ledger(filled_ledger, path)
    opened = Gateway.open(path, app=True)
    yield opened
    opened.close()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Gateway]:
    """A ledger without runs."""
    opened = Gateway.open(tmp_path / "empty.db", app=True)
    yield opened
    opened.close()
