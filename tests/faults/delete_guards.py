"""``make guards``: delete each guard in a copy of the tree and see its test turn red.

``python -m tests.faults.delete_guards [WORDS…]`` takes those whose names hold one of the words. A
guard whose deletion leaves its test green is a missing test; the exit status counts them. With all
of them, the report goes to ``GUARDS.md``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.faults.guard import Guard
from tests.faults.guards import GUARDS

ROOT: Final = Path(__file__).resolve().parents[2]
REPORT: Final = Path(__file__).with_name("GUARDS.md")
LIMIT_SECONDS: Final = 120
HEAD: Final = """# The guards, deleted one by one

Written by `make guards`: each guard of `guards.py` is deleted in a copy of the tree, and its test
run there. Red is what it must be.
"""


def main(words: Sequence[str]) -> int:
    """Delete those guards; how many deletions went unnoticed."""
    chosen = [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        for part in ("engine", "tui", "tests"):
            ignored = shutil.ignore_patterns("__pycache__", "*.md", "__snapshots__")
            shutil.copytree(ROOT / part, tree / part, ignore=ignored)
        shutil.copy(ROOT / "pyproject.toml", tree)
        if (ROOT.parent / "shared").exists():
            (Path(folder) / "shared").symlink_to(ROOT.parent / "shared")
        whole = run(tree, sorted({guard.test for guard in chosen}), LIMIT_SECONDS * 5)
        print(f"with every guard in its place: {whole}", flush=True)
        if whole != "green":
            return len(chosen)
        lines, missed = [], 0
        for guard in chosen:
            began = time.monotonic()
            outcome = without(tree, guard)
            missed += outcome == "green"
            seconds = time.monotonic() - began
            print(f"{outcome:5} {guard.name} [{seconds:.1f} s]", flush=True)
            lines.append(f"| {guard.name} | `{guard.file}` | `{guard.test}` | {outcome} |")
    said = (
        f"{datetime.now(UTC):%Y-%m-%d}: {len(chosen)} guards, {len(chosen) - missed} deletions "
        f"seen, {missed} not."
    )
    print(said)
    if not words:
        table = ["| guard | file | test | without it |", "| --- | --- | --- | --- |", *lines]
        REPORT.write_text("\n".join([HEAD, said, "", *table, ""]), "utf-8")
    return missed


def without(tree: Path, guard: Guard) -> str:
    """What its test is where the guard is deleted."""
    file = tree / guard.file
    text = file.read_text("utf-8")
    assert text.count(guard.text) == 1, f"{guard.file} has {guard.name!r} not once"
    file.write_text(text.replace(guard.text, guard.instead), "utf-8")
    try:
        return run(tree, [guard.test], LIMIT_SECONDS)
    finally:
        file.write_text(text, "utf-8")


def run(tree: Path, tests: Sequence[str], seconds: float) -> str:
    """``green``, ``red``, or ``hung``, which is as good as red."""
    env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("STEPDECK_SOAK", None)
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    process = subprocess.Popen(
        words,
        cwd=tree,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # The whole group: what the test has started is stuck with it.
        os.killpg(process.pid, 9)
        process.communicate()
        return "hung"
    if process.returncode not in (0, 1):
        raise SystemExit(f"pytest could not run {tests}:\n{said}")
    if process.returncode == 1 and len(tests) > 1:
        print(said)
    return "red" if process.returncode else "green"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
