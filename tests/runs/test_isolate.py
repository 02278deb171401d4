"""A strategy in a process of its own: the same bits, and its failures are its run's alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from engine.drivers.isolated import Isolated
from engine.errors import InvalidOption, StrategyLoadError
from engine.model import RunRequest
from engine.runs import requests
from engine.runs.config import config_hash
from engine.runs.output import log_path
from engine.strategies import outside, registry
from tests.runs.conftest import SMA, Deck

WINDOW = RunRequest("", symbols=("AAPL", "IBM", "MSFT"), baselines=False, isolate=True)
WINDOW = replace(WINDOW, start=date(2007, 1, 1), end=date(2009, 12, 31))
EVERYTHING = """
symbol = obs.symbols[int(obs.rng.integers(len(obs.symbols)))]
bar, held = obs.bar(symbol), obs.portfolio.positions.get(symbol)
print(obs.step, obs.ts, symbol)
if obs.step % 7 == 0:
    return Target(symbol, 0.3)
if held and obs.step % 5 == 0:
    return Order.sell(symbol, held.quantity // 2 or 1, limit=bar.close * 1.01,
                      time_in_force="gtc", tag=f"t{obs.step}")
if obs.step % 11 == 0 and obs.history("close", 5).mean() > 0:
    return [Order.buy(symbol, 3), Order.buy(symbol, 0.1, quantity_type="weight", stop=bar.high)]
if obs.indicator("rsi", 14)[0] > 70:
    return Order.buy("NOPE", float("nan"))
"""


def _child(deck: Deck, run_id: str) -> int:
    decide = deck.service.sessions[run_id].decide
    assert isinstance(decide, Isolated)
    return decide._process.pid


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_isolated_run_has_the_bits_of_any_other(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """Orders of every kind, chance, prints and rejections: the same digest and the same log."""
    request = replace(WINDOW, strategy=strategy_file(EVERYTHING.strip()))
    there = deck.run(request)
    here = deck.run(replace(request, isolate=False))
    assert (there.status, there.error_message) == ("completed", None)
    assert there.num_fills > 50
    assert deck.digest(there.run_id) == deck.digest(here.run_id)
    assert there.metrics == here.metrics
    logs = [log_path(deck.ledger.path, run.run_id).read_text() for run in (there, here)]
    assert logs[0] == logs[1] != ""
    assert there.metadata["isolated"] == {"memory_mb": 2048}
    assert there.config["isolate"] is True
    assert there.config_hash == here.config_hash


@pytest.mark.parametrize("name", ["sma_cross", "momentum", "rsi_reversion"])
def test_built_ins_too(deck: Deck, name: str) -> None:
    """A vector strategy is stepped there and may be compiled here."""
    there = deck.run(replace(WINDOW, strategy=name))
    here = deck.run(replace(WINDOW, strategy=name, isolate=False))
    assert deck.digest(there.run_id) == deck.digest(here.run_id)


def test_a_resumed_isolated_run_is_isolated_again(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """Warmed in a new process; what it comes to is what it would have come to."""
    request = replace(WINDOW, strategy=strategy_file(EVERYTHING.strip()), paused=True)
    whole = deck.run(replace(request, paused=False))
    session = deck.ready(request)
    deck.service.step(session.run_id, 100)
    first = _child(deck, session.run_id)
    deck.service.interrupt(session)
    assert _gone(first)
    again = deck.take_up(session.run_id)
    assert not _gone(_child(deck, session.run_id))
    deck.service.resume(session.run_id)
    assert again.closed.wait(60)
    assert deck.digest(session.run_id) == deck.digest(whole.run_id)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    import os; os._exit(3)", "decide ended its process with status 3 at step 7"),
        (
            "    import ctypes; ctypes.string_at(0)",
            "decide was killed by SIGSEGV in own.py:9 at step 7",
        ),
        (
            "    import os; os.kill(os.getpid(), 9)",
            "decide was killed by SIGKILL at step 7",
        ),
        ("    self.hog = bytearray(10**10)", "decide raised MemoryError in own.py:9 at step 7"),
    ],
)
def test_what_it_does_to_its_process_fails_its_run_alone(
    deck: Deck, strategy_file: Callable[[str], str], body: str, said: str
) -> None:
    """The steps before are kept, the row says how it ended and where, another run goes on."""
    other = deck.start(SMA)
    record = deck.run(replace(WINDOW, strategy=strategy_file(f"if obs.step == 7:\n{body}")))
    assert (record.status, record.end_reason) == ("failed", "strategy_error")
    assert said in (record.error_message or "")
    assert record.step_index == 8
    assert other.closed.wait(60)
    assert deck.service.record(other.run_id).status == "completed"


def test_its_memory_has_the_limit_that_was_asked_for(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """What fits in more does not fit in less."""
    request = replace(WINDOW, strategy=strategy_file("bytearray(300 * 2**20)"))
    window = replace(request, start=date(2009, 12, 30))
    assert deck.run(replace(window, isolate_memory=1000)).status == "completed"
    failed = deck.run(replace(window, isolate_memory=200))
    assert "MemoryError" in (failed.error_message or "")
    with pytest.raises(InvalidOption, match="isolate-memory is 3"):
        deck.service.create(replace(window, isolate_memory=3))


def test_a_fork_of_an_isolated_run_is_isolated(
    deck: Deck, strategy_file: Callable[[str], str]
) -> None:
    """It begins with what its parent decided, and goes on as it did; nothing is printed twice."""
    request = replace(WINDOW, strategy=strategy_file(EVERYTHING.strip()))
    parent = deck.run(request)
    fork = deck.service.fork(parent.run_id, 50)
    deck.host.enqueue(fork)
    assert deck.host.wait_idle(60)
    assert isinstance(fork.decide, Isolated)
    deck.service.resume(fork.run_id)
    assert fork.closed.wait(60)
    assert deck.digest(fork.run_id) == deck.digest(parent.run_id)
    assert deck.service.record(fork.run_id).metadata["isolated"] == {"memory_mb": 2048}
    assert log_path(deck.ledger.path, fork.run_id).read_text().startswith("50 ")


def test_an_endless_loop_is_cancelled_and_its_process_ends(
    deck: Deck, strategy_file: Callable[[str], str], tmp_path: Path
) -> None:
    """The cancel is committed at once, the engine's thread is free, and nothing runs on."""
    inside = tmp_path / "inside"
    body = f"import pathlib\npathlib.Path({str(inside)!r}).touch()\nwhile True:\n    pass"
    session = deck.start(replace(WINDOW, strategy=strategy_file(body)))
    deck.until(inside.exists)
    pid = _child(deck, session.run_id)
    assert deck.service.cancel(session.run_id).status == "cancelled"
    assert deck.host.wait_idle(30)
    deck.until(lambda: _gone(pid))
    assert deck.run(SMA).status == "completed"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import os; os._exit(4)", r"ended its process while it was imported \(status 4\)"),
        ("raise SystemExit(1)", "SystemExit on import"),
        ("import nothing_of_that_name", "ModuleNotFoundError on import"),
    ],
)
def test_a_file_is_not_executed_here_even_to_look_at_it(
    deck: Deck, tmp_path: Path, line: str, said: str
) -> None:
    """An import that would end the program is refused, and there is no row."""
    file = tmp_path / "bad.py"
    file.write_text(f"{line}\nfrom engine import Strategy\n\n\nclass Own(Strategy):\n    pass\n")
    with pytest.raises(StrategyLoadError, match=said):
        deck.service.create(replace(WINDOW, strategy=f"{file}:Own"))
    with deck.reader() as reader:
        assert reader.runs() == []


def test_an_import_that_takes_for_ever_is_given_up(tmp_path: Path) -> None:
    """It is named, and the process is not left behind."""
    file = tmp_path / "slow.py"
    file.write_text("while True:\n    pass\n")
    with pytest.raises(StrategyLoadError, match="is not imported after 3 s"):
        outside.load_outside(f"{file}:Own", timeout=3.0)


def test_what_is_seen_from_outside_is_what_loading_says(
    strategy_file: Callable[[str], str],
) -> None:
    """Name, parameters and hash are the same, only there is nothing to make."""
    spec = strategy_file("return None")
    here, there = registry.load(spec), outside.load_outside(spec)
    assert (there.info, there.source_hash, there.make) == (here.info, here.source_hash, None)


def test_isolation_is_no_part_of_what_a_result_depends_on() -> None:
    """So isolated runs compare as equal ones; a class at hand has no file to isolate."""
    assert config_hash(SMA) == config_hash(replace(SMA, isolate=True, isolate_memory=100))
    with pytest.raises(InvalidOption, match="cannot be isolated"):
        requests.prepare(replace(SMA, isolate=True), loaded=registry.load("sma_cross"))
