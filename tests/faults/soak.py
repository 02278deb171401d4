"""``make soak``: the suites of faults and properties at their stated counts, and what they counted.

``python -m tests.faults.soak [FILE…]`` runs all test files of the two folders, or those that are
named, one after another, and writes each one's part of ``SOAK.md``; the parts of the others stay.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
REPORT: Final = HERE / "SOAK.md"
FOLDERS: Final = (HERE, HERE.parent / "property")
HEAD: Final = """# The soak: what was done to runs, how often, and what became of them

Written by `make soak` (`python -m tests.faults.soak FILE…` for a part of it). `make test` does a
fifth of each count. A part that failed says so.
"""


def main(names: list[str]) -> int:
    """Run the files, write the report; how many of them failed."""
    every = [file for folder in FOLDERS for file in sorted(folder.glob("test_*.py"))]
    files = [file for file in every if not names or _name(file) in names or file.name in names]
    failed = 0
    for file in files:
        print(f"== {_name(file)}", flush=True)
        passed, part = _run(file)
        failed += not passed
        # Read now: another part may have been written meanwhile.
        parts = _parts() | {_name(file): part}
        kept = [parts[_name(file)] for file in every if _name(file) in parts]
        REPORT.write_text("\n".join([HEAD, *kept]), "utf-8")
        print(part, flush=True)
    return failed


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def _parts() -> dict[str, str]:
    """The parts of the report as it stands, by file."""
    text = REPORT.read_text("utf-8") if REPORT.exists() else ""
    found = re.findall(r"(?ms)^## (\S+)\n.*?(?=^## |\Z)", text)
    bodies = re.findall(r"(?ms)^## \S+\n.*?(?=^## |\Z)", text)
    return dict(zip(found, (body.rstrip() + "\n" for body in bodies), strict=True))


def _run(file: Path) -> tuple[bool, str]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.json"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", str(file)],
            cwd=ROOT,
            env={**os.environ, "STEPDECK_SOAK": "1", "STEPDECK_COUNTS": str(counts)},
            check=False,
        )
        counted = json.loads(counts.read_text("utf-8")) if counts.exists() else []
    seconds = time.monotonic() - began
    passed = done.returncode == 0
    lines = [
        f"## {_name(file)}",
        "",
        (
            f"{'passed' if passed else 'FAILED'} on {datetime.now(UTC):%Y-%m-%d} in {seconds:.0f} s"
            f"; {_machine()}"
        ),
        "",
        *(
            f"- {entry['line']} ({entry['seconds']:.0f} s)"
            + ("" if entry["passed"] else " **then failed**")
            for entry in counted
        ),
    ]
    return passed, "\n".join(lines).rstrip() + "\n"


def _machine() -> str:
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
