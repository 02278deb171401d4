"""Failpoints: one table of them, each passed at one place, armed by name, nothing when off."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import failpoints
from engine.errors import InvalidOption, LedgerWriteFailed
from engine.failpoints import FAILPOINTS, VARIABLE, arm, armed, failpoint
from engine.store import writes
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.conftest import ROOT
from tests.store.kit import columns, start


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the test's ledger is."""
    return tmp_path / "runs.db"


def passages(file: Path) -> Iterator[ast.expr]:
    """What each call of ``failpoint`` in a file is given."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and (
            getattr(node.func, "id", None) == "failpoint"
            or getattr(node.func, "attr", None) == "failpoint"
        ):
            yield node.args[0]


def test_table_and_code_agree() -> None:
    """Every name in the table is passed at exactly one place, and every place is in the table."""
    found: Counter[str] = Counter()
    for package in ("engine", "tui"):
        for file in (ROOT / package).rglob("*.py"):
            for name in passages(file):
                assert isinstance(name, ast.Constant), f"{file}: a name is computed"
                assert isinstance(name.value, str)
                found[name.value] += 1
    assert found == Counter(dict.fromkeys(FAILPOINTS, 1))


def test_off() -> None:
    """Nothing is armed unless asked for, and a passage is then a look at an empty dict."""
    assert failpoints._armed == {}
    code = failpoint.__code__
    assert code.co_names[0] == "_armed"
    before = time.perf_counter()
    for _ in range(100_000):
        failpoint("commit.before")
    print(f"a passage of a failpoint that is off: {(time.perf_counter() - before) * 1e4:.0f} ns")


def test_armed_for_a_while() -> None:
    """What is armed acts at its passages, counts them, and is off again afterwards."""
    seen: list[int] = []
    with armed("commit.before", lambda: seen.append(1)) as point:
        failpoint("commit.before")
        failpoint("commit.after")
        failpoint("commit.before")
        assert point.passed == 2
    failpoint("commit.before")
    assert seen == [1, 1]


def test_one_passage() -> None:
    """With ``at`` only that passage acts."""
    with armed("commit.before", KeyError("now"), at=2):
        failpoint("commit.before")
        with pytest.raises(KeyError, match="now"):
            failpoint("commit.before")
        failpoint("commit.before")


def test_errors() -> None:
    """An error may be a class, an exception, the ledger's own, or an errno."""
    with armed("begin.after", ZeroDivisionError), pytest.raises(ZeroDivisionError):
        failpoint("begin.after")
    with armed("begin.after", "error"), pytest.raises(LedgerWriteFailed):
        failpoint("begin.after")
    with (
        armed("begin.after", "error:ENOSPC"),
        pytest.raises(OSError, match="No space left on device"),
    ):
        failpoint("begin.after")


@pytest.mark.parametrize(
    "words",
    ["nowhere=kill", "commit.before", "commit.before=vanish", "commit.before=kill@0",
     "commit.before=kill@x", "commit.before=error:NOSUCH", "commit.before=sleep:long",
     "commit.before=sleep:-1", "commit.before=kill:9", "begin.before=sleep:0, nowhere=kill"],
)  # fmt: skip
def test_refused(words: str) -> None:
    """Unknown names and actions are refused with the variable's name, and nothing is armed."""
    with pytest.raises(InvalidOption, match=VARIABLE):
        arm(words)
    assert failpoints._armed == {}


def test_refused_on_the_command_line(path: Path) -> None:
    """A wrong variable is one line, status 2, and no ledger."""
    done = subprocess.run(
        [sys.executable, "-m", "tui.cli", "run", "buy_and_hold", "--db", str(path)],
        env=os.environ | {VARIABLE: "nowhere=kill"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nowhere" in done.stderr
    assert not path.exists()


def child(path: Path, words: str) -> subprocess.Popen[str]:
    """A process that adds one run to the ledger, armed with ``words``."""
    code = (
        "import sys; from pathlib import Path; from engine.store.ledger import Ledger; "
        "from tests.store.kit import start\n"
        "with Ledger.open(Path(sys.argv[1])) as ledger: start(ledger, 'from-child')"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        env=os.environ | {VARIABLE: words},
        cwd=ROOT,
        text=True,
    )


@pytest.mark.parametrize(("name", "there"), [("commit.before", 0), ("commit.after", 1)])
def test_killed(path: Path, name: str, there: int) -> None:
    """A process told by its environment to die at a seam does, before or after the commit."""
    Ledger.open(path).close()
    with child(path, f"{name}=kill") as process:
        assert process.wait() == -signal.SIGKILL
    with Reader.open(path) as reader:
        assert len(reader.runs()) == there


def test_stopped(path: Path) -> None:
    """One told to stop inside its transaction stops there, and goes on when it is continued."""
    Ledger.open(path).close()
    with child(path, "commit.before=stop") as process:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        with Reader.open(path) as reader:
            assert reader.runs() == []
        process.send_signal(signal.SIGCONT)
        assert process.wait() == 0
    with Reader.open(path) as reader:
        assert [run.run_id for run in reader.runs()] == ["from-child"]


def test_refused_write_undoes_its_transaction(path: Path) -> None:
    """An error at a seam before the commit leaves nothing of the write and blocks nobody."""
    with Ledger.open(path) as ledger:
        with armed("commit.before", "error"), pytest.raises(LedgerWriteFailed):
            ledger.write(lambda conn: writes.insert_run(conn, columns("never")))
        start(ledger, "next")
        with ledger.reader() as reader:
            assert [run.run_id for run in reader.runs()] == ["next"]
