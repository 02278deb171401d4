"""The README under test: what it tells a person to type works as it stands."""

from __future__ import annotations

import gzip
import re
import shlex
import sqlite3
import subprocess
import sys
import sysconfig
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tui.cli import VERBS

README = (ROOT / "README.md").read_text(encoding="utf-8")
STEPDECK = Path(sysconfig.get_path("scripts")) / "stepdeck"


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    """Every line of the shell blocks as words, comments left out."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader would type: the strategy file and the bars that the README speaks of."""
    (tmp_path / "dip.py").write_text(blocks("python")[0])
    days = [f"2024-01-{day:02}" for day in range(1, 31)]
    rows = [f"AAA,{day}T00:00:00Z,10,11,9,{9.5 + i % 2},1000" for i, day in enumerate(days)]
    with gzip.open(tmp_path / "bars.csv.gz", "wt") as file:
        file.write("\n".join(["symbol,timestamp,open,high,low,close,volume", *rows]) + "\n")
    return tmp_path


def run(words: list[str | Path], folder: Path) -> str:
    """Run a command there; what it printed. It has to succeed and to complain of nothing."""
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), words
    return done.stdout


def test_the_commands_work_in_their_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command of the shell blocks succeeds, in one folder, one after the other."""
    monkeypatch.chdir(folder)
    typed = 0
    for program, *words in commands():
        if program == "stepdeck":
            assert run([STEPDECK, *words], folder)
        elif program == "sqlite3":
            uri, sql = words
            with closing(sqlite3.connect(uri, uri=True)) as conn:
                assert conn.execute(sql).fetchall()
        else:
            assert program == "make"
            assert run(["make", "--dry-run", "-C", ROOT, *words], folder)
        typed += 1
    assert typed > 5


def test_the_notebook_code_works(folder: Path) -> None:
    """The Python block that is no strategy file runs as it stands."""
    codes = [block for block in blocks("python") if "import" in block and "run(" in block]
    assert len(codes) == 2
    for code in codes:
        assert run([sys.executable, "-W", "error", "-c", code], folder)


def test_only_verbs_that_are_there_are_promised() -> None:
    """Every `stepdeck verb` in the text is a verb of this version."""
    said = re.findall(r"`stepdeck ([a-z]+)\b", README)
    assert said
    assert set(said) <= set(VERBS)


def test_every_picture_is_there() -> None:
    """What the README shows is in the repository."""
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert pictures
    assert [name for name in pictures if not (ROOT / name).is_file()] == []
