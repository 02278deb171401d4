"""Count what passed and what was skipped; fail on a skip that nobody has given a reason for.

    python .ci/skips.py JUNIT_XML ALLOWED

A line of ALLOWED is a glob over ``module::test`` and, after ``#``, why its skip is right.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from pathlib import Path
from xml.etree import ElementTree as ET


def allowed(path: Path) -> list[str]:
    """The globs of the list; a line without a reason is none."""
    globs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        glob, _, reason = line.partition("#")
        if glob.strip() and reason.strip():
            globs.append(glob.strip())
    return globs


def main(report: str, allow_list: str) -> int:
    """Print the counts and the skips that are not allowed; the exit status."""
    cases = list(ET.parse(report).getroot().iter("testcase"))
    skips = {
        f"{case.get('classname')}::{case.get('name')}": skip.get("message", "")
        for case in cases
        if (skip := case.find("skipped")) is not None
    }
    globs = allowed(Path(allow_list))
    unknown = {
        name: why
        for name, why in skips.items()
        if not any(fnmatchcase(name, glob) for glob in globs)
    }
    print(f"{len(cases) - len(skips)} passed, {len(skips)} skipped")
    for name, why in unknown.items():
        print(f"skipped without leave: {name}: {why}", file=sys.stderr)
    return 1 if unknown or not cases else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
