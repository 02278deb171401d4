"""What it takes to drive another process's run: ``python -m tests.bench.elsewhere [KIND…]``.

For runs of several kinds, all going as fast as they can: a cancel from another process, at any
moment of the run, from asking to the row that says ``cancelled``, and where that time went; then
pause, resume, a step and a speed of a run that goes on, and a decision of one that is stepped by
hand, from asking to the answer. The owner is a process of its own, tuned as the app tunes itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from engine import market
from engine.drivers import commands
from engine.drivers.host import tune_interpreter
from engine.errors import StepdeckError
from engine.failpoints import armed
from engine.model import RunRequest
from engine.runs.session import Session
from tests.runs.conftest import Deck

LIMIT_MS: Final = 250.0

# A strategy whose every step takes processor time, and one that merely waits in it.
SLOW = """
import time
from engine import Strategy

class Slow(Strategy):
    busy: bool = True

    def decide(self, obs):
        if not self.busy:
            time.sleep(0.02)
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until and self.busy:
            pass
"""


class Kind(NamedTuple):
    """A kind of run, how many go at once, and for how many seconds one goes at most."""

    request: RunRequest
    at_once: int
    seconds: float


SMA: Final = RunRequest(
    "sma_cross", source="synthetic:symbols=1,bars=1000000,seed=1", timeframe="1Min", baselines=False
)
STEPPED: Final = replace(SMA, breakpoints=("equity < 0",))
PORTFOLIO: Final = RunRequest(
    "momentum",
    source="synthetic:symbols=30,bars=60000,seed=1",
    timeframe="1Min",
    baselines=False,
)
KINDS: Final = {
    "sma": Kind(SMA, 1, 0.6),
    "stepped": Kind(STEPPED, 1, 6.0),
    "portfolio": Kind(PORTFOLIO, 1, 8.0),
    "four": Kind(PORTFOLIO, 4, 8.0),
    "slow": Kind(replace(SMA, strategy="SLOW"), 1, 2.0),
    "waiting": Kind(replace(SMA, strategy="SLOW", params={"busy": False}), 4, 2.0),
}
"""``sma`` is compiled, ``stepped`` the same a step at a time because a breakpoint looks at each."""

STAMPED: Final = (
    "command.found",
    "move.before",
    "begin.before",
    "begin.after",
    "append.written",
    "end.unsealed",
    "end.sealed",
    "commit.before",
    "commit.after",
    "move.after",
    "command.carried",
)


# -- the owner -------------------------------------------------------------------------------------


def own(path: Path, kind: str) -> None:
    """Keep runs of the kind going; tell which they are, and the stamps of each cancel."""
    tune_interpreter()
    wanted = KINDS[kind]
    request = wanted.request
    if request.strategy == "SLOW":
        request = replace(request, strategy=f"{path.with_name('slow.py')}:Slow")
    held = market.resolve(request).load()
    deck = Deck(path)
    deck.host._slice_seconds = 0.02
    stamps: list[tuple[str, float]] = []

    def stamp(name: str) -> Callable[[], None]:
        return lambda: stamps.append((name, time.monotonic()))

    claim = Session.claim

    @contextmanager
    def stamped(self: Session, *given: Any, **also: Any) -> Iterator[bool]:
        with claim(self, *given, **also) as got:
            stamps.append(("claimed" if got else "over its head", time.monotonic()))
            yield got

    Session.claim = stamped  # type: ignore[method-assign]
    with ExitStack() as stack:
        for name in STAMPED:
            stack.enter_context(armed(name, stamp(name)))
        live = [_begun(deck, request) for _ in range(wanted.at_once)]
        while True:
            print(json.dumps([session.run_id for session in live]), flush=True)
            stamps.clear()
            if not sys.stdin.readline():
                break
            ended = [session for session in live if session.closed.is_set()]
            print(json.dumps(stamps), flush=True)
            for session in ended:
                live.remove(session)
                live.append(_begun(deck, request))
    assert held.stamps.size


def _begun(deck: Deck, request: RunRequest) -> Session:
    session = deck.start(request)
    deck.until(
        lambda: (
            session.closed.is_set()
            or (session.progress is not None and session.progress.state.decided > 0)
        )
    )
    return session


class Owner:
    """The other process."""

    def __init__(self, path: Path, kind: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.elsewhere", "own", str(path), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def said(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


# -- the asker -------------------------------------------------------------------------------------


def cancels(path: Path, kind: str, count: int) -> None:
    """``count`` cancels of runs of a kind, each at a moment of its own."""
    chance = random.Random(kind)
    whole: list[float] = []
    parts: list[dict[str, float]] = []
    with closing(Owner(path, kind)) as owner, closing(Deck(path)) as deck:
        deck.host.close()  # it only asks
        asked = [0.0]

        def requested() -> None:
            asked[0] = time.monotonic()

        while len(whole) < count:
            run_id = chance.choice(owner.said())
            time.sleep(chance.random() * KINDS[kind].seconds)
            with armed("command.requested", requested):
                began = time.monotonic()
                record = commands.ask(deck.service, run_id, "cancel")
                seen = time.monotonic()
            owner.go_on()
            stamps = owner.said()
            if record.end_reason == "cancelled_by_user":
                whole.append((seen - began) * 1e3)
                parts.append(_parts(began, asked[0], stamps, seen))
    _print(f"cancel, {kind}", whole, parts)


def _parts(
    began: float, asked: float, stamps: list[tuple[str, float]], seen: float
) -> dict[str, float]:
    """Where the time went, in ms, by what was waited for."""
    last: dict[str, float] = {}
    found = False
    for name, at in stamps:
        found = found or name == "command.found"
        if found and "move.after" not in last and not (name == "claimed" and name in last):
            last[name] = at
    stations: list[tuple[str, float | None]] = [
        ("ask", asked),
        ("notice", last.get("command.found")),
        ("claim", last.get("claimed")),
        ("over its head", last.get("over its head")),
        ("figures", last.get("move.before")),
        ("queue", last.get("begin.before")),
        ("lock", last.get("begin.after")),
        ("batch", last.get("append.written")),
        ("row", last.get("end.unsealed")),
        ("seal", last.get("end.sealed")),
        ("commit", last.get("commit.after")),
        ("told", last.get("move.after")),
        ("seen", seen),
    ]
    parts, before = {}, began
    for name, passed in stations:
        if passed is not None and (passed >= before or name == "seen"):
            parts[name] = (passed - before) * 1e3
            before = passed
    return parts


def _print(what: str, whole: list[float], parts: list[dict[str, float]] | None = None) -> None:
    p50, p99 = np.percentile(whole, [50, 99])
    print(
        f"{what} ({len(whole)}): p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {max(whole):.0f}"
        f"   limit {LIMIT_MS:g} ms, ratio {p99 / LIMIT_MS:.2f}",
        flush=True,
    )
    if parts is None:
        return
    names = dict.fromkeys(name for part in parts for name in part)
    slow = sorted(range(len(whole)), key=lambda i: whole[i])[-max(1, len(whole) // 20) :]
    for said, some in (("mean", range(len(whole))), ("mean of the slowest twentieth", slow)):
        means = {name: sum(parts[i].get(name, 0.0) for i in some) / len(some) for name in names}
        print(f"    {said}: " + ", ".join(f"{name} {ms:.1f}" for name, ms in means.items()))


def others(path: Path, kind: str, count: int) -> None:
    """Pause, resume, a step and a speed, over and over."""
    times: dict[str, list[float]] = {}
    chance = random.Random(kind)
    with closing(Owner(path, kind)) as owner, closing(Deck(path)) as deck:
        deck.host.close()
        (run_id, *_) = owner.said()
        for _ in range(count):
            for act, data in (
                ("pause", {}),
                ("step", {"count": 1}),
                ("resume", {}),
                ("speed", {"speed": None}),
            ):
                time.sleep(chance.random() * 0.1)
                began = time.monotonic()
                try:
                    commands.ask(deck.service, run_id, act, data)
                except StepdeckError:  # it has ended: the next one
                    owner.go_on()
                    owner.said()
                    (run_id, *_) = owner.said()
                    break
                times.setdefault(act, []).append((time.monotonic() - began) * 1e3)
    for act, found in times.items():
        _print(f"{act}, {kind}", found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--asks", type=int, default=100)
    parser.add_argument("--acts", action="store_true", help="pause, step, resume, speed as well")
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND")
    given = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, ")
    print(f"SQLite {sqlite3.sqlite_version}, journal WAL, synchronous FULL")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        Path(folder, "slow.py").write_text(SLOW)
        for kind in given.kinds:
            cancels(Path(folder, f"{kind}.db"), kind, given.asks)
            if given.acts:
                others(Path(folder, f"{kind}-acts.db"), kind, given.asks)


if __name__ == "__main__":
    if sys.argv[1:2] == ["own"]:
        own(Path(sys.argv[2]), sys.argv[3])
    else:
        main()
