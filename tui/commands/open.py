"""``stepdeck [RUN]``: the terminal app."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from contextlib import AbstractContextManager
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from engine.errors import InvalidOption
from tui.commands.common import Deck, db_option, pass_deck
from tui.commands.streams import stdout_kept
from tui.safe import safe_line

if TYPE_CHECKING:
    from tui.gateway import Gateway

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks the app to end. Ctrl-C is a key there; a SIGINT comes from elsewhere."""
FRAMES_A_SECOND: Final = 250


@click.command("open")
@click.argument("run", required=False)
@db_option
@pass_deck
def command(deck: Deck, run: str | None) -> int:
    """The terminal app, on RUN if one is named."""
    return open_app(deck, run)


def open_app(deck: Deck, run: str | None, *, read_only: bool = False) -> int:
    """Open the app on the deck's ledger; its return code. A run that is not there is refused."""
    # A word that names no run, most often a misspelt verb, makes no ledger.
    run_id = _resolve(deck, run) if run is not None else None
    require_terminal()
    gateway = deck.open(write=not read_only, create=not read_only, app=True)
    try:
        return show_app(deck, gateway, run_id, read_only=read_only)
    finally:
        # What the person chose on quitting has been done by the app; the rest is left resumable.
        gateway.close(live="interrupt")


def _resolve(deck: Deck, run: str) -> str:
    gateway = deck.open(write=False)
    try:
        return gateway.resolve(run)
    finally:
        gateway.close()


def require_terminal() -> None:
    """Raise ``InvalidOption`` where there is nothing for the app to draw on."""
    # TEXTUAL_DRIVER names another place than a terminal, as a browser's server does.
    if "TEXTUAL_DRIVER" in os.environ or (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    raise InvalidOption(
        "the app needs a terminal", remedy="`stepdeck runs` and `watch --plain` print text"
    )


def show_app(
    deck: Deck, gateway: Gateway, run_id: str | None = None, *, read_only: bool = False
) -> int:
    """Run the app over an open gateway, and close that; its return code.

    Afterwards the process is about to end: signals that would end it are not heeded any more.
    """
    if deck.settings.no_color:
        # Textual looks for the variable when it is imported, and so do the children it starts.
        os.environ["NO_COLOR"] = "1"
    # Read then, too: a frame that follows another waits for its turn, at Textual's own 60 a second
    # for longer than all the rest of a key's way to the screen takes.
    os.environ.setdefault("TEXTUAL_FPS", str(FRAMES_A_SECOND))
    from tui.app import StepdeckApp
    from tui.driver import attentive, enduring

    app = StepdeckApp(gateway, deck.settings, run_id=run_id, read_only=read_only)
    # The terminal is drawn on through stderr; a page is sent on stdout, by the driver's own writes.
    stdout: AbstractContextManager[None] = contextlib.nullcontext()
    if os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver"):
        from tui.web.driver import PageDriver

        app.driver_class = PageDriver
    else:
        app.driver_class = enduring(app.driver_class)
        stdout = stdout_kept(deck.settings.log_path)
    app.driver_class = attentive(app.driver_class, gateway.key_came)

    def leave(_number: int, _frame: FrameType | None) -> None:
        # As after `q` and "interrupt": what is left is closed below, and clears up behind itself.
        app.exit()

    for number in _ENDING:
        signal.signal(number, leave)
    try:
        with stdout:
            app.run()
    finally:
        # The first has been heeded. What leaves the ledger in order is not to be cut short by the
        # next, up to the process's own end.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
        gateway.close(live="interrupt")
        for said in gateway.unsaid.values():
            click.echo(safe_line(said), err=True)
    return app.return_code or 0
