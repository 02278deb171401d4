"""What the screens' tests share: a real small ledger, the app on it, and waiting for a state."""

from __future__ import annotations

import random
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from engine.model import Decision, Order, RunRecord
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.options import Value, build_request
from tui.settings import Settings, load_settings

SCREENS = ((80, 24), (120, 36), (160, 50))
PATIENCE = 60.0


def create(gateway: Gateway, strategy: str, **options: Value) -> str:
    """Ask for a run; its id."""
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return gateway.create(build_request(strategy, named)).run_id


def reach(gateway: Gateway, run_id: str, *statuses: str) -> RunRecord:
    """Wait until the run is in one of the statuses."""
    until = time.monotonic() + PATIENCE
    while (record := gateway.record(run_id)).status not in statuses:
        if time.monotonic() > until:
            raise AssertionError(f"{record.status}, not {statuses}: {record.error_message}")
        time.sleep(0.005)
    return record


def fill_ledger(path: Path) -> None:
    """Real runs on the sample's bars: done, failed, cancelled, paused and by hand.

    Ids come from a seeded generator, so that pictures of the screens stay the same.
    """
    numbers = random.Random(7)
    original, uuid.uuid4 = uuid.uuid4, lambda: uuid.UUID(int=numbers.getrandbits(128), version=4)
    try:
        gateway = Gateway.open(path)
        _make_runs(gateway, path)
        gateway.close()
    finally:
        uuid.uuid4 = original


def _make_runs(gateway: Gateway, path: Path) -> None:
    window: Mapping[str, Value] = {"start": "2008-01-02", "end": "2010-12-31"}

    def done(strategy: str, **options: Value) -> None:
        reach(gateway, create(gateway, strategy, **{**window, **options}), "completed", "failed")
        gateway.settle(PATIENCE)

    done("sma_cross", symbols="AAPL", name="trend apple")
    done("momentum", name="top five", p=["lookback=30", "top=2"])
    done("rsi_reversion", symbols="IBM,MSFT", name="dip buyer", p="weight=0.4", tag="nightly")
    broken = path.with_name("broken.py")
    broken.write_text(BROKEN, "utf-8")
    done(f"{broken}:Broken", symbols="GOOG", name="has a bug")
    stopped = create(gateway, "buy_and_hold", symbols="GOOG", paused=True, **window)
    reach(gateway, stopped, "paused")
    gateway.step(stopped, 40)
    gateway.cancel(stopped)
    hand = create(gateway, "manual", symbols="AAPL,MSFT", name="by hand", **window)
    reach(gateway, hand, "running")
    gateway.step(hand, 5)
    gateway.submit(hand, 5, Decision((Order.buy("AAPL", 200), Order.sell("MSFT", 10))))
    gateway.step(hand, 14)
    held = create(gateway, "sma_cross", symbols="MSFT", name="on hold", paused=True, **window)
    reach(gateway, held, "paused")
    gateway.step(held, 200)


BROKEN = '''
from engine import Strategy, Target


class Broken(Strategy):
    """Divides by the day of the month minus ten."""

    def decide(self, obs):
        return [Target("GOOG", 0.5 / (obs.ts.day - 10))]
'''


def copy_ledger(source: Path, target: Path) -> None:
    """A ledger as it is, at another place."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def clock_after(gateway: Gateway) -> Callable[[], datetime]:
    """A clock that stands a minute and a half after the newest run was made."""
    newest = max(row.record.created_at for row in gateway.snapshot().rows)
    at = datetime.fromisoformat(newest) + timedelta(seconds=90)
    return lambda: at


def settings(**changes: object) -> Settings:
    """The settings of nobody in particular."""
    return replace(load_settings({}), **changes)  # type: ignore[arg-type]


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Let the app go on until ``holds``; a state that does not come is a failure."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            shown = screen_text(cast("StepdeckApp", pilot.app))
            raise AssertionError(f"never came true: {holds}\n{shown}")
        await pilot.pause(0.01)
    await pilot.pause()


@asynccontextmanager
async def deck(
    gateway: Gateway,
    size: tuple[int, int] = (120, 36),
    *,
    run_id: str | None = None,
    read_only: bool = False,
    **changes: object,
) -> AsyncIterator[tuple[StepdeckApp, Pilot[None]]]:
    """The app on the ledger, in a terminal of ``size``, once it has seen the ledger."""
    app = StepdeckApp(gateway, settings(**changes), run_id=run_id, read_only=read_only)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.tick is not None and app.screen.children)
        yield app, pilot


def screen_text(app: StepdeckApp) -> str:
    """Everything on the screen, as plain lines."""
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in lines)


def at_once(app: StepdeckApp, *keys: str) -> None:
    """Press keys faster than the screen draws."""
    for key in keys:
        app.simulate_key(key)


def text_in(app: StepdeckApp, kind: type[Screen[Any]], field: str) -> str | None:
    """What stands in a field of a dialog of that kind; None before it is there."""
    if not on_top(app, kind) or not app.screen.is_mounted:
        return None
    return app.screen.query_one(field, Input).value


def on_top(app: StepdeckApp, kind: type[Screen[Any]]) -> bool:
    """Whether a screen or dialog of that kind is the one in sight."""
    return isinstance(app.screen, kind)
