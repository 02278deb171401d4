"""Shared fixtures. No test may read or write a person's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ledger, settings and log folders of a test, and of processes it starts, are its own."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("STEPDECK_DB", str(tmp_path / "runs.db"))
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def shared() -> Path:
    """The folder of real bars and cases beside the checkout; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the folder `shared` is not beside the checkout")
    return SHARED


@pytest.fixture
def hourly_file(shared: Path) -> Path:
    """Real hourly bars of 38 US symbols, 2022 to 2025."""
    return shared / "data" / "agentictrading_us_hourly.csv.gz"
