"""How long the command takes to answer, and what it spends the time on.

    python -m tests.bench.startup

Each command runs in a fresh process, a few times; the best and the middle are printed beside the
limit. Nothing is asserted: times wobble with the machine, which is printed too.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TIMES = 7
FIGURES: tuple[tuple[str, tuple[str, ...], float | None], ...] = (
    ("an interpreter that does nothing", ("-c", "pass"), None),
    ("import engine", ("-c", "import engine"), None),
    ("stepdeck --help", ("-m", "tui.cli", "--help"), 0.3),
    ("stepdeck run -h", ("-m", "tui.cli", "run", "-h"), None),
    ("stepdeck strategies", ("-m", "tui.cli", "strategies"), None),
    ("stepdeck runs", ("-m", "tui.cli", "runs"), None),
    ("stepdeck show @1", ("-m", "tui.cli", "show", "@1"), None),
)
IMPORT_LIMIT = 0.15


def main() -> None:
    """Measure every command and print a line each."""
    print(f"python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "STEPDECK_DB": str(Path(folder) / "runs.db"), "HOME": folder}
        run = ("-m", "tui.cli", "run", "sma_cross", "--symbols", "AAPL", "--end", "2000-12-29")
        _time(run, env)
        for name, words, limit in FIGURES:
            taken = [_time(words, env) for _ in range(TIMES)]
            wanted = f"  (<= {limit:.2f} s)" if limit is not None else ""
            print(
                f"{name:34} {min(taken):.3f} s best, {statistics.median(taken):.3f} middle{wanted}"
            )
        idle = min(_time(("-c", "pass"), env) for _ in range(TIMES))
        engine = min(_time(("-c", "import engine"), env) for _ in range(TIMES))
        print(f"{'import engine, by itself':34} {engine - idle:.3f} s  (<= {IMPORT_LIMIT:.2f} s)")


def _time(words: tuple[str, ...], env: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
