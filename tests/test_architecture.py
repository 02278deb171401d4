"""What the import contracts of pyproject.toml cannot see: what is loaded when a module is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

HEAVY = frozenset(
    {
        "alpaca", "bokeh_sampledata", "click", "exchange_calendars", "httpx", "numba", "numpy",
        "pandas", "pyarrow", "rich", "sqlite3", "sqlite_utils", "talib", "textual",
    }
)  # fmt: skip
IMPURE = frozenset(
    {
        "alpaca", "exchange_calendars", "httpx", "pandas", "pyarrow", "requests", "rich",
        "sqlite3", "sqlite_utils", "textual", "tui",
    }
)  # fmt: skip


def loaded(statement: str) -> frozenset[str]:
    """The top-level packages that a fresh interpreter has loaded after ``statement``."""
    tell = "import sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{tell}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return frozenset(done.stdout.split())


def test_importing_engine_loads_nothing_heavy() -> None:
    """`import engine` costs next to nothing: what a name needs comes when the name is used."""
    assert not loaded("import engine") & HEAVY


@pytest.mark.parametrize("module", ["simulation", "digest", "metrics", "indicators"])
def test_the_core_loads_no_io(module: str) -> None:
    """The simulation and all it pulls in know no database, network, frame library or screen."""
    assert not loaded(f"import engine.sim.{module}") & IMPURE


def test_help_loads_no_engine_room() -> None:
    """`stepdeck --help` loads the command line and nothing that runs, draws or reads."""
    statement = "import sys; sys.argv = ['stepdeck']; from tui.cli import call; call(['--help'])"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", statement],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    names = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in names
    assert not names & (HEAVY - {"click"})


def test_engine_knows_no_terminal() -> None:
    """Using every public name of the engine loads neither the app nor what it draws with."""
    names = "import engine\nfor name in engine.__all__: getattr(engine, name)"
    assert not loaded(names) & {"click", "rich", "textual", "tui"}


def test_watching_a_ledger_loads_no_engine_threads() -> None:
    """The gateway alone brings no drivers and no simulation: watching needs none."""
    code = "import tui.gateway, sys\nprint(*[name for name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    modules = set(done.stdout.split())
    assert not {"engine.drivers.host", "engine.sim.simulation", "pandas", "textual"} & modules
