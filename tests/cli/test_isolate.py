"""`--isolate` on the command line: a strategy that takes its process down, and one that hangs."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.cli.conftest import Command, rows

HEAD = "import os, time\nfrom engine import Order, Strategy\n\n\nclass Own(Strategy):\n"
WINDOW = ("--symbols", "IBM", "--end", "2000-12-29", "--no-baselines", "--isolate")


def _spec(folder: Path, *lines: str) -> str:
    file = folder / "own.py"
    body = "".join(f"        {line}\n" for line in lines)
    file.write_text(f"{HEAD}    def decide(self, obs):\n{body}")
    return f"{file}:Own"


def test_a_process_that_ends_fails_its_run(stepdeck: Command, ledger: Path, tmp_path: Path) -> None:
    """Status 1 and the reason in one line; without --isolate it would have been ours that ended."""
    spec = _spec(tmp_path, "if obs.step == 9:", "    os._exit(7)")
    done = stepdeck("run", spec, *WINDOW, "--json")
    assert (done.status, done.document["status"]) == (1, "failed")
    assert "decide ended its process with status 7 at step 9" in done.error["message"]
    assert rows(ledger, "SELECT step_index, end_reason FROM runs") == [(10, "strategy_error")]


def test_ctrl_c_ends_a_strategy_that_hangs(stepdeck: Command, ledger: Path, tmp_path: Path) -> None:
    """The run is cancelled and the command is over, whatever the strategy does."""
    hangs = tmp_path / "hangs"
    spec = _spec(tmp_path, "while obs.step >= 30:", f"    open({str(hangs)!r}, 'w').close()")
    process = stepdeck.start("run", spec, *WINDOW, "--speed", "200")
    while not hangs.exists():
        assert process.poll() is None, "the command ended by itself"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert stepdeck.finish(process).status == 130
    assert rows(ledger, "SELECT status FROM runs") == [("cancelled",)]


def test_the_audit_isolates_too(stepdeck: Command, tmp_path: Path) -> None:
    """What looks ahead is found, and what ends its process is told."""
    honest = _spec(tmp_path, "return Order.buy(obs.symbols[0], 1) if obs.step == 3 else None")
    words = ("--symbols", "IBM", "--end", "2000-03-31", "--isolate", "--points", "2")
    assert stepdeck("audit", honest, *words).status == 0
    crash = _spec(tmp_path, "os._exit(7)")
    done = stepdeck("audit", crash, *words)
    assert done.status == 1
    assert "status 7" in done.out + done.err
