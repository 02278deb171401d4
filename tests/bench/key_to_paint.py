"""How the app feels in a real terminal: first paint, a key until its effect is drawn, idle cost.

    python -m tests.bench.key_to_paint

The command runs in a pty of 160 x 50 on a ledger of 1,000 finished runs. A key counts as painted
when the bytes that draw its effect have been read: ``j`` those of the cursor on rows that stand
still, a letter in the filter those of how many runs pass it, ``enter`` those of the run's own
screen, ``.`` those of the step that a run decided by hand stands at then, in the ledger by then.
Measured alone, and with 8 runs whose strategy burns the processor, all in the app's own process.
Nothing is asserted: times wobble with the machine, which is printed too.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import tempfile
import time
from pathlib import Path

from engine.model import RunRequest
from tests.terminal.deck import Deck
from tui.gateway import Gateway

RUNS, BUSY, KEYS, OTHERS, STARTS = 1000, 8, 300, 60, 5
HAND_STEPS = 5_000
IDLE_SECONDS = 10.0
SIZE = (160, 50)
CURSOR = "▌".encode()
BURNING = '''
from engine import Strategy


class Burning(Strategy):
    """A millisecond or so of plain Python a bar; never trades."""

    def decide(self, obs):
        total = 0
        for number in range(30_000):
            total += number * number
        return None
'''


def main() -> None:
    """Measure everything and print a line each."""
    print(
        f"python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}, "
        f"load {os.getloadavg()[0]:.1f}; a terminal of {SIZE[0]} x {SIZE[1]}, {RUNS:,} runs"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        os.environ |= {"HOME": folder, "XDG_CONFIG_HOME": folder, "XDG_STATE_HOME": folder}
        fill(path)
        by_hand(path)
        first_paint(path)
        with Deck("--db", path, size=SIZE) as deck:
            deck.sees("1000 completed")
            measure("nothing else going on", deck)
            idle(deck)
        prepare_busy(path, Path(folder))
        with Deck("--db", path, size=SIZE) as deck:
            deck.sees(f"{BUSY + 1} interrupted")
            take_up(deck)
            measure(f"beside {BUSY} busy runs", deck)


def fill(path: Path) -> None:
    """A thousand real finished runs of fifty bars."""
    gateway = Gateway.open(path)
    for number in range(RUNS):
        record = gateway.create(
            RunRequest(
                "buy_and_hold",
                source=f"synthetic:seed={number % 50},bars=50",
                timeframe="1Day",
                name=f"run {number:04}",
                baselines=False,
            )
        )
        gateway.wait(record.run_id)
    gateway.close()


def by_hand(path: Path) -> None:
    """One more run, for a person to decide."""
    gateway = Gateway.open(path)
    gateway.create(
        RunRequest(
            "manual",
            source=f"synthetic:seed=1,bars={HAND_STEPS}",
            timeframe="1Min",
            name="hand",
            baselines=False,
        )
    )
    gateway.close(live="interrupt")


def first_paint(path: Path) -> None:
    """From starting the process to the newest run's row."""
    times = []
    for _ in range(STARTS):
        began = time.perf_counter()
        with Deck("--db", path, size=SIZE) as deck:
            deck.writes(f"run {RUNS - 1:04}".encode(), 0)
            times.append(time.perf_counter() - began)
    print(
        f"first paint: {min(times):.2f} s best, {statistics.median(times):.2f} middle of {STARTS}"
        "   limit 1.0 s"
    )


def measure(beside: str, deck: Deck) -> None:
    """Each kind of key, with a person's pauses."""
    deck.press(*["j"] * 20)
    time.sleep(1.0)
    pauses = random.Random(5)
    report("j", beside, [paint(deck, "j", CURSOR, pauses) for _ in range(KEYS)])
    report("a letter in the filter", beside, letters(deck, pauses))
    report("enter", beside, opened(deck, pauses))
    report(". in a run by hand", beside, steps(deck, pauses))


def paint(deck: Deck, key: str, effect: bytes, pauses: random.Random) -> float:
    """From the key's byte to the last byte of its effect, in milliseconds."""
    time.sleep(pauses.uniform(0.03, 0.12))
    since = len(deck.raw)
    began = time.perf_counter()
    deck.press(key)
    deck.writes(effect, since)
    return (time.perf_counter() - began) * 1000


def letters(deck: Deck, pauses: random.Random) -> list[float]:
    """``run 0``, ``1`` … by turns: how many pass is another number with each."""
    times = []
    deck.press("/")
    deck.type("name:0")
    deck.sees(" shown")
    for number in range(OTHERS):
        digit = str(number % 10)
        times.append(paint(deck, digit, b" shown", pauses))
        deck.press("backspace")
        time.sleep(0.2)
    deck.press("esc")
    deck.loses(" shown")
    return times


def opened(deck: Deck, pauses: random.Random) -> list[float]:
    """A run's screen, by the first word that only it has."""
    times = []
    for _ in range(OTHERS // 2):
        times.append(paint(deck, "enter", b"Decisions", pauses))
        deck.sees("Decisions")
        deck.press("esc")
        deck.loses("Decisions")
        time.sleep(0.2)
    return times


def steps(deck: Deck, pauses: random.Random) -> list[float]:
    """A step by hand: decided, settled, in the ledger, read again and drawn."""
    deck.press("/")
    deck.type("name:hand")
    deck.sees("1 of ")
    deck.press("enter")
    time.sleep(0.5)
    if "1 interrupted" in deck.text:
        deck.press("R")
        deck.loses("1 interrupted")
    deck.press("enter")
    deck.sees("Decisions")
    at = int(deck.finds(rf"(\d+)/{HAND_STEPS - 1}")[1])
    times = [
        paint(deck, ".", f"{number}/{HAND_STEPS - 1}".encode(), pauses)
        for number in range(at + 1, at + 1 + OTHERS)
    ]
    deck.press("esc")
    deck.sees(" shown")
    deck.press("esc")
    deck.loses(" shown")
    return times


def report(key: str, beside: str, times: list[float]) -> None:
    """The distribution of a kind of key."""
    cuts = statistics.quantiles(times, n=100)
    print(
        f"{key:<22} {beside:<22} p50 {cuts[49]:5.1f} ms, p90 {cuts[89]:5.1f} ms, "
        f"p99 {cuts[98]:5.1f} ms, worst {max(times):5.1f} ms of {len(times)}"
    )


def idle(deck: Deck) -> None:
    """The processor's share while nothing happens."""
    stat = Path(f"/proc/{deck.process.pid}/stat")
    if not stat.exists():
        print("idle: not measured here, there is no /proc")
        return

    def ticks() -> int:
        user, system = stat.read_text("utf-8").rpartition(")")[2].split()[11:13]
        return int(user) + int(system)

    before = ticks()
    time.sleep(IDLE_SECONDS)
    used = (ticks() - before) / os.sysconf("SC_CLK_TCK")
    print(f"idle for {IDLE_SECONDS:.0f} s: {100 * used / IDLE_SECONDS:.1f} % of a core")


def prepare_busy(path: Path, folder: Path) -> None:
    """Runs that would take minutes, left for the app."""
    strategy = folder / "burning.py"
    strategy.write_text(BURNING, "utf-8")
    gateway = Gateway.open(path)
    for number in range(BUSY):
        gateway.create(
            RunRequest(
                f"{strategy}:Burning",
                source=f"synthetic:seed={number},bars=200000",
                timeframe="1Min",
                name=f"busy {number}",
                baselines=False,
                paused=True,
            )
        )
    gateway.close(live="interrupt")


def take_up(deck: Deck) -> None:
    """Let the busy runs go in the app's process, by its keys."""
    deck.press("/")
    deck.type("name:busy")
    deck.sees(f"{BUSY} of ")
    deck.press("enter")
    # The field hands the focus on by a message; nothing on the screen tells.
    time.sleep(0.5)
    deck.press("a")
    deck.sees(f"{BUSY} marked")
    deck.press("R")
    deck.sees(f"{BUSY} paused")
    deck.press("p")
    deck.sees(f"{BUSY} running")
    deck.press("esc")
    deck.loses(f"{BUSY} of")
    deck.press("esc")
    deck.loses("marked")


if __name__ == "__main__":
    main()
