"""Take the pictures of the README: the real app on real sample data, driven by key presses.

``python screenshots/make.py`` writes an SVG and a PNG of each screen beside this file. The PNG
needs Chromium and the fonts Fira Code and DejaVu (on Debian: chromium fonts-firacode
fonts-dejavu); without Chromium only the SVG are made, and it says so.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

# Pictures are of a terminal of all colours, whatever the one they are taken in has. Textual reads
# this when it is imported.
os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"

from textual.pilot import Pilot

from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.options import build_request
from tui.settings import load_settings

HERE = Path(__file__).resolve().parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LARGE, SMALL = (160, 50), (80, 24)
PATIENCE = 60.0

Scene = Callable[[StepdeckApp, Pilot[None]], Awaitable[None]]


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Let the app go on until ``holds``."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the app did not come to the state of the picture")
        await pilot.pause(0.05)
    await pilot.pause(0.3)


def create(gateway: Gateway, strategy: str, **options: str) -> str:
    """Ask for a run; its id."""
    return gateway.create(build_request(strategy, options)).run_id


def reach(gateway: Gateway, run_id: str, status: str) -> None:
    """Wait until the run has that status."""
    deadline = time.monotonic() + PATIENCE
    while gateway.record(run_id).status != status:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{gateway.record(run_id).status}, not {status}")
        time.sleep(0.01)


def begin_runs(gateway: Gateway) -> None:
    """Two runs that are done, one that moves, one by hand that has traded a little."""
    for strategy, options in (
        ("sma_cross", {"symbols": "AAPL", "name": "apple trend"}),
        ("momentum", {"symbols": "AAPL,GOOG,IBM,MSFT", "name": "strongest"}),
        ("buy_and_hold", {"symbols": "IBM,MSFT"}),
    ):
        gateway.wait(create(gateway, strategy, **options), PATIENCE)
    gateway.settle(PATIENCE)
    trend = gateway.resolve("@3")
    fork = gateway.fork(trend, 1300, params={"slow": 60}, name="slower from 2005", play=True)
    gateway.wait(fork.run_id, PATIENCE)
    stopped = create(
        gateway, "sma_cross", symbols="AAPL", name="stopped",
        **{"break": ('drawdown < -15% and rsi["AAPL", 14] < 40', "rejection", "fill and holdings > 1")},
    )  # fmt: skip
    reach(gateway, stopped, "paused")
    hand = create(gateway, "manual", symbols="MSFT,IBM", start="2008-01-02", name="by hand")
    create(gateway, "rsi_reversion", symbols="IBM,MSFT", name="dip buyer", speed="40")
    reach(gateway, hand, "running")
    from engine.model import Decision, Order

    for steps, order in (
        (15, Order.buy("MSFT", 900)),
        (30, Order.buy("IBM", 200)),
        (25, Order.sell("MSFT", 400)),
        (20, Order.buy("MSFT", 10_000)),
        (35, Order.sell("IBM", 200)),
        (18, Order.sell("AAPL", 10)),
        (1, None),
    ):
        record = gateway.step(hand, steps)
        if order is not None:
            gateway.submit(hand, record.step_index - 1, Decision((order,)))


async def runs(app: StepdeckApp, pilot: Pilot[None]) -> None:
    """The list, with a finished run highlighted."""
    await until(pilot, lambda: app.tick is not None)
    await pilot.press("G", "k")
    await until(pilot, lambda: app.tick is not None and app.tick.glance is not None)


def on_run(name: str, *keys: str) -> Scene:
    """A run of that name, after some keys."""

    async def scene(app: StepdeckApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: app.tick is not None)
        assert app.tick is not None
        app.open_run(
            next(row.record.run_id for row in app.tick.snapshot.rows if row.record.name == name)
        )
        await pilot.pause(1.5)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(0.3)
        await pilot.pause(0.7)

    return scene


async def compare(app: StepdeckApp, pilot: Pilot[None]) -> None:
    """A run, and a fork of it that went its own way."""
    await until(pilot, lambda: app.tick is not None)
    assert app.tick is not None
    from tui.screens.compare import CompareScreen

    named = {row.record.name: row.record.run_id for row in app.tick.snapshot.rows}
    app.push_screen(CompareScreen([named["apple trend"], named["slower from 2005"]]))
    await pilot.pause(2.0)


async def breakpoints(app: StepdeckApp, pilot: Pilot[None]) -> None:
    """The breakpoints of a run, one of which has stopped it."""
    await on_run("stopped", "B")(app, pilot)


async def new_run(app: StepdeckApp, pilot: Pilot[None]) -> None:
    """The form, filled in."""
    await until(pilot, lambda: app.tick is not None)
    await pilot.press("n")
    await pilot.pause(1.0)
    await pilot.press("tab", *"20", "tab", *"50", "tab", "tab", *"AAPL,IBM")
    await pilot.pause(1.0)


async def help_here(app: StepdeckApp, pilot: Pilot[None]) -> None:
    """The keys of the list."""
    await until(pilot, lambda: app.tick is not None)
    await pilot.press("question_mark")


SCENES: dict[str, Scene] = {
    "runs": runs,
    "run": on_run("apple trend"),
    "by-hand": on_run("by hand", "4"),
    "ticket": on_run("by hand", "o", *"250"),
    "looking-back": on_run("apple trend", "left_square_bracket", "left_square_bracket"),
    "why": on_run("by hand", "4", "enter"),
    "breakpoints": breakpoints,
    "compare": compare,
    "new-run": new_run,
    "help": help_here,
}


async def take(gateway: Gateway, name: str, scene: Scene, size: tuple[int, int]) -> Path:
    """One picture; the path of its SVG."""
    app = StepdeckApp(gateway, load_settings({}))
    async with app.run_test(size=size) as pilot:
        await scene(app, pilot)
        await pilot.pause()
        path = HERE / f"{name}-{size[0]}x{size[1]}.svg"
        path.write_text(app.export_screenshot(), "utf-8")
    return path


def rasterise(browser: str, svg: Path) -> None:
    """The PNG beside the SVG, at twice its size for dense screens."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg.read_text("utf-8"))
    assert found is not None
    width, height = (int(float(length)) + 1 for length in found.groups())
    subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--window-size={width},{height}", f"--screenshot={svg.with_suffix('.png')}",
            svg.as_uri(),
        ],
        check=True,
        capture_output=True,
    )


def main() -> int:
    """Make all pictures; 1 where the PNG could not be made."""
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway.open(Path(folder) / "runs.db", app=True)
        try:
            begin_runs(gateway)
            for size in (LARGE, SMALL):
                for name, scene in SCENES.items():
                    pictures.append(asyncio.run(take(gateway, name, scene, size)))
                    print(pictures[-1].name)
        finally:
            gateway.close()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("no Chromium: install chromium, fonts-firacode and fonts-dejavu for the PNG")
        return 1
    for picture in pictures:
        rasterise(browser, picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
