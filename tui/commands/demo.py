"""``stepdeck demo``: a throw-away ledger with runs on real bars, in the app."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Final

import click

from engine.model import Rules, RunRequest
from tui.commands.common import Deck, db_option, pass_deck
from tui.commands.open import require_terminal, show_app

# The newest is on top of the list. Fast enough to see them move, slow enough to look meanwhile.
REQUESTS: Final = (
    RunRequest(
        "manual",
        symbols=("AAPL", "GOOG"),
        start=date(2007, 1, 3),
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
@db_option
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
        for request in REQUESTS:
            gateway.create(request)
        return show_app(deck, gateway)
