"""A run in the foreground: followed to its end with a progress line, cancelled by Ctrl-C.

Signals only set a flag that the following loop looks at, so that a run is never left between two
states: Ctrl-C cancels it in the ledger, SIGTERM and SIGHUP leave it interrupted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from engine.errors import LedgerError
from engine.model import RunRecord
from tui.commands.common import Deck, print_json, report
from tui.commands.streams import stdout_kept
from tui.plain import run_document, run_text
from tui.safe import safe_line
from tui.viewmodel.stalled import stalled_text
from tui.viewmodel.stopped import stopped_text

if TYPE_CHECKING:
    from tui.gateway import Gateway

LOOK_SECONDS: Final = 0.1
DONE, FAILED, CANCELLED = 0, 1, 130
_BECAME: Final = {
    "failed": "failed",
    "cancelled": "was cancelled",
    "interrupted": "was interrupted",
}
_MOVING: Final = frozenset({"created", "loading", "running", "paused"})
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})

Show = Callable[[RunRecord], None]


class Signals:
    """What the process has been asked for since ``caught`` began."""

    def __init__(self) -> None:
        self.cancel = False
        self.leave = False
        self.still: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTSTP:
            # Never inside a transaction: a process that is stopped in one stops everybody.
            with self.still():
                os.kill(os.getpid(), signal.SIGSTOP)
        elif number == signal.SIGINT:
            self.cancel = True
            # The second Ctrl-C is for a program that does not answer the first.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        else:
            self.leave = True

    @contextlib.contextmanager
    def caught(self) -> Iterator[Signals]:
        """Catch SIGINT, SIGTERM, SIGHUP and SIGTSTP for the while."""
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP)
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def drive(
    deck: Deck, begin: Callable[[Gateway], RunRecord], show: Show, *, create: bool = False
) -> RunRecord:
    """Follow the run that ``begin`` makes or takes up to its end; ``show`` gets it as it ended.

    Its baseline comes after that and is waited for. A run that a signal made this process leave is
    ``interrupted`` in the answer.
    """
    gateway = deck.open(write=True, create=create)
    with stdout_kept(), Signals().caught() as signals:
        signals.still = gateway.still
        try:
            record = _follow(gateway, begin(gateway).run_id, signals)
            if record.status in _ENDED:
                show(record)
                if record.status == "completed":
                    _wait_for_baselines(gateway, signals)
                # No other has any; and a call that a cancelled run left behind may never return.
                return record
        finally:
            gateway.close(live="interrupt")
            for said in gateway.unsaid.values():
                click.echo(safe_line(said), err=True)
    # Only now does the ledger say what became of a run that was left.
    gateway = deck.open(write=False)
    try:
        record = gateway.record(record.run_id)
    finally:
        gateway.close()
    show(record)
    return record


def _follow(gateway: Gateway, run_id: str, signals: Signals) -> RunRecord:
    """Wait for the run's end, showing its progress where stderr is a terminal."""
    record = gateway.record(run_id)
    told, wanted = False, set[str]()
    with _progress() as show:
        while record.status in _MOVING and not signals.leave:
            record = gateway.wait(run_id, timeout=LOOK_SECONDS)
            show(record)
            stall = gateway.stall(run_id)
            if stall is not None and not told:
                told = True
                click.echo(safe_line(f"run {run_id} {stalled_text(stall)}"), err=True)
            if signals.cancel:
                record = _cancel(gateway, record, wanted)
            elif stopped_text(record) is not None:
                break  # there is nobody here who could let it go on
    return record


def _cancel(gateway: Gateway, record: RunRecord, wanted: set[str]) -> RunRecord:
    """Cancel the run, or say once that the ledger does not take it: it will be as soon as it can.

    A second Ctrl-C does not wait for that.
    """
    try:
        return gateway.cancel(record.run_id)
    except LedgerError as error:
        if not wanted:
            wanted.add(record.run_id)
            click.echo(safe_line(f"{error}; Ctrl-C again leaves it"), err=True)
        return gateway.record(record.run_id)


def _progress() -> AbstractContextManager[Show]:
    return _bar() if sys.stderr.isatty() else contextlib.nullcontext(lambda _record: None)


@contextlib.contextmanager
def _bar() -> Iterator[Show]:
    """A bar with step, rate, time left and equity on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TextColumn("{task.completed:,.0f} of {task.fields[steps]} steps", markup=False),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[equity]}", markup=False),
        # The stream as it is now, and no stand-ins put in its place: a strategy's prints are caught
        # by one of our own, and two of them would write into each other.
        console=Console(file=sys.stderr),
        redirect_stdout=False,
        redirect_stderr=False,
        transient=True,
        auto_refresh=False,
    ) as progress:
        task = progress.add_task("loading", total=None, steps="?", rate="", equity="")
        first: tuple[float, int] | None = None

        def show(record: RunRecord) -> None:
            nonlocal first
            now = time.monotonic()
            if first is None and record.step_index:
                first = now, record.step_index
            rate = ""
            if first is not None and now > first[0]:
                rate = f"{(record.step_index - first[1]) / (now - first[0]):,.0f} steps/s"
            progress.update(
                task,
                description=record.status,
                completed=record.step_index,
                total=record.total_steps,
                steps="?" if record.total_steps is None else f"{record.total_steps:,}",
                rate=rate,
                equity="" if record.equity is None else f"equity {record.equity:,.2f}",
            )
            progress.refresh()

        yield show


def print_run(record: RunRecord, *, as_json: bool) -> None:
    """A run as it ended, on stdout at once: whoever reads a pipe does not wait for the baseline."""
    if as_json:
        print_json(run_document(record))
    else:
        from engine.sim.metrics import FORMULAS

        click.echo(run_text(record, "none", FORMULAS))
    sys.stdout.flush()


def _wait_for_baselines(gateway: Gateway, signals: Signals) -> None:
    """Baselines come after the result has been published; a signal leaves them be."""
    while not (signals.cancel or signals.leave or gateway.settle(LOOK_SECONDS)):
        pass


def exit_status(record: RunRecord, *, as_json: bool) -> int:
    """The exit status of a run that ended so; what did not go well is said on stderr.

    A run that a breakpoint stopped did what it was asked to.
    """
    if record.status == "completed":
        return DONE
    stopped = stopped_text(record)
    if stopped is not None:
        if not as_json:
            click.echo(safe_line(f"run {record.run_id} {stopped}"), err=True)
            click.echo(
                f"`stepdeck {record.run_id}` opens it there; "
                f"`stepdeck resume {record.run_id}` goes on with it",
                err=True,
            )
        return DONE
    message = f"run {record.run_id} {_BECAME.get(record.status, record.status)}"
    if record.error_message:
        message += f": {record.error_message}"
    if record.status == "interrupted":
        message += f"; `stepdeck resume {record.run_id}` goes on with it"
    report({"code": record.error_code or record.status, "message": message}, as_json=as_json)
    return CANCELLED if record.status == "cancelled" else FAILED
