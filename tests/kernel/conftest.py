"""The kernel, where numba is there, and calls of it that are short enough for small runs."""

from __future__ import annotations

import pytest

from engine.drivers import vector
from engine.sim import compiled
from engine.sim.compiled import Kernel


@pytest.fixture(scope="session")
def kernel() -> Kernel:
    """The compiled kernel."""
    loaded = vector.load_kernel()
    if loaded is None:
        pytest.skip("numba is not installed")
    return loaded


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is called for the shortest stretches, and for a few steps at a time."""
    monkeypatch.setattr(compiled, "FEWEST", 1)
    monkeypatch.setattr(compiled, "_CELLS_AT_ONCE", 10)
