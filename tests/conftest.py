"""Shared fixtures. No test may read or write a person's own files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
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


COUNTS = "counts"


@pytest.fixture
def record_counts(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a line that says what a suite did and how often; all are printed after the tests.

    Kept with the test itself: pytest's own fixture for this warns wherever a report in the newer
    form is written, and a warning is an error here.
    """
    return lambda line: request.node.user_properties.append((COUNTS, line))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was counted; keep it in the file that ``STEPDECK_COUNTS`` names, if it does."""
    counted = [
        {"test": report.nodeid, "seconds": report.duration, "line": line, "passed": report.passed}
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, line in report.user_properties
        if name == COUNTS
    ]
    if counted:
        terminalreporter.section("counts")
    for entry in counted:
        terminalreporter.line(f"{entry['line']} [{entry['seconds']:.1f} s]")
    file = os.environ.get("STEPDECK_COUNTS")
    if file:
        Path(file).write_text(json.dumps(counted), "utf-8")


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
