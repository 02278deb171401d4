"""``stepdeck demo``: a throw-away ledger with runs on real bars, in the app."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Final

import click

from engine.errors import StepdeckError
from engine.model import Rules, RunRequest
from tui.commands.common import Deck, ledger_option, pass_deck
from tui.commands.open import require_terminal, show_app
from tui.gateway import Gateway

HELD: Final = 62  # the three months of bars before 2007
STRIDE: Final = 8
PATIENCE_SECONDS: Final = 10.0

# The newest is on top of the list. Fast enough to see them move, slow enough to look meanwhile.
REQUESTS: Final = (
    RunRequest(
        "manual",
        symbols=("AAPL", "GOOG"),
        start=date(2006, 10, 2),
        name="by hand",
        tags=("demo",),
    ),
    RunRequest("momentum", params={"top": 2}, name="strongest two", tags=("demo",), speed=25.0),
    RunRequest(
        "rsi_reversion",
        params={"weight": 0.2},
        symbols=("IBM", "MSFT"),
        start=date(2004, 1, 2),
        name="buy the dips",
        tags=("demo",),
        rules=Rules(cash=50_000.0),
        speed=15.0,
    ),
    RunRequest(
        "sma_cross",
        params={"fast": 20, "slow": 100},
        symbols=("AAPL",),
        name="AAPL trend",
        tags=("demo",),
        speed=40.0,
    ),
)


@click.command("demo")
@ledger_option("A ledger to keep [default: one that is thrown away].")
@pass_deck
def demo(deck: Deck) -> int:
    """Three strategies running on real sample data and one run to step by hand, in the app.

    The ledger is thrown away at the end, unless --db names one to keep.
    """
    require_terminal()
    with ExitStack() as stack:
        if deck.db is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="stepdeck-demo-"))
            deck.db = Path(folder) / "demo.db"
        gateway = deck.open(write=True, create=True, app=True)
        stack.callback(gateway.close, live="interrupt")
        by_hand, *_ = [gateway.create(request).run_id for request in REQUESTS]
        stack.enter_context(held(gateway, by_hand))
        return show_app(deck, gateway)


@contextmanager
def held(gateway: Gateway, run_id: str) -> Iterator[None]:
    """Let the run by hand hold for some bars meanwhile; ended early where this is left early.

    A first decision needs a past to look at, and a run sees no bar from before its first.
    """
    leaving = threading.Event()

    def holding() -> None:
        # Whoever cancels the run meanwhile has taken it out of this hand.
        with suppress(StepdeckError):
            hold()

    def hold() -> None:
        while not leaving.is_set():
            record = gateway.record(run_id)
            if record.status == "running":
                if record.step_index > HELD:
                    return
                gateway.step(run_id, min(STRIDE, HELD + 1 - record.step_index))
            elif record.status not in ("created", "loading"):
                return
            else:
                leaving.wait(0.01)

    thread = threading.Thread(target=holding, name="demo-holding", daemon=True)
    thread.start()
    try:
        yield
    finally:
        leaving.set()
        thread.join(PATIENCE_SECONDS)
