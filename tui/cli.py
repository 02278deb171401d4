"""The command line: composition root and error boundary.

A verb's module is imported when the verb is called, so that ``--help`` stays quick. Every error
ends here: one line on stderr, or with ``--json`` one object there, and the exit status of the
contract: 0 done, 1 failed, 2 refused, 130 cancelled. What nobody foresaw goes to the log with its
traceback, and the line names the log.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from types import TracebackType
from typing import Any, Final

import click

from engine.errors import (
    AmbiguousRun,
    InputError,
    LedgerMissing,
    LedgerReadOnly,
    LedgerTooNew,
    LedgerTooOld,
    NotALedger,
    NotAvailable,
    RunNotFound,
    StepdeckError,
    TooManyActiveRuns,
)
from tui.commands.common import db_option, report
from tui.commands.streams import stand_in_for_closed

VERBS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo", "A throw-away ledger with runs on real sample data, in the app."),
    "run": ("run", "Run a strategy to its end, or prepare it with --paused."),
    "runs": ("runs", "The ledger's runs, newest first."),
    "show": ("show", "One run: state, figures, costs, hashes; or one of its steps."),
    "watch": ("watch", "Follow a ledger that others write, read-only."),
    "cancel": ("control", "Cancel runs, also those of another process."),
    "pause": ("control", "Hold runs where they are."),
    "resume": ("control", "Let paused runs go on; take up interrupted ones."),
    "fork": ("travel", "A new run with the first N decisions of another."),
    "rewind": ("travel", "Take a live or interrupted run back to step N."),
    "compare": ("compare", "Figures, curves and first differing decisions of several runs."),
    "verify": ("verify", "Replay a run and check every row, hash and digest of it."),
    "audit": ("audit", "Look for look-ahead and hidden randomness in a strategy."),
    "export": ("export", "Equity, orders, fills and steps as files, or a decision tape."),
    "strategies": ("strategies", "The strategies there are, with their parameters."),
    "data": ("data", "Check a file of bars."),
    "delete": ("care", "Delete runs; their rows are archived first."),
    "prune": ("care", "Delete the runs that ended longer ago than a time."),
    "backup": ("care", "Copy the ledger, also while it is written."),
    "web": ("web", "The app in a browser, on this machine's own address."),
    "doctor": ("doctor", "Ledger, settings and versions: what is in force, what is wrong."),
    "config": ("config", "Where the settings are, what they are, a file to start from."),
}
NOT_YET: Final = frozenset(
    (
        "sweep",
        "serve",
    )
)
REFUSED: Final = (
    InputError,
    RunNotFound,
    AmbiguousRun,
    TooManyActiveRuns,
    NotALedger,
    LedgerTooNew,
    LedgerTooOld,
    LedgerMissing,
    LedgerReadOnly,
)
FAILED, USAGE, CANCELLED = 1, 2, 130


class Verbs(click.Group):
    """A group that imports a verb when it is called, and takes any other first word for a run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module = import_module(f"tui.commands.{VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word in VERBS:
            return word, self.get_command(ctx, word), args[1:]
        if word in NOT_YET:
            raise NotAvailable(f"{word} is not in this version yet", field="command")
        return "open", import_module("tui.commands.open").command, args

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from engine.version import __version__

        click.echo(f"stepdeck {__version__}")
        ctx.exit()


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    subcommand_metavar="[RUN | COMMAND …]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@db_option
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version.",
)
@click.pass_context
def stepdeck(ctx: click.Context) -> int | None:
    """Run, watch, step and cancel trading backtests; every step in one SQLite ledger.

    Alone it opens the terminal app, on RUN if one is named: an id, a unique prefix of one, or @1,
    @2 … for the newest. `stepdeck COMMAND -h` explains a command.
    """
    if ctx.invoked_subcommand is not None:
        return None
    status: int = ctx.invoke(import_module("tui.commands.open").command)
    return status


def status_of(error: StepdeckError) -> int:
    """The exit status that an error means: refused before anything was accepted, or failed."""
    return USAGE if isinstance(error, REFUSED) else FAILED


def describe(error: StepdeckError | click.ClickException, argv: Sequence[str]) -> dict[str, str]:
    """``code``, ``message`` and, where one was wrong, ``field`` of an error."""
    if isinstance(error, StepdeckError):
        said = {"code": error.code, "message": str(error)}
        if error.field is not None:
            said["field"] = error.field
        if isinstance(error, RunNotFound | LedgerMissing) and argv and argv[0][0:1] != "-":
            # The first word was taken for a run; it may have been meant as a verb.
            close = get_close_matches(argv[0], VERBS, n=1)
            if close and argv[0] not in VERBS:
                said["message"] += f" (or did you mean the command {close[0]}?)"
        return said
    said = {"code": "usage", "message": " ".join(error.format_message().split())}
    parameter: Any = getattr(error, "param", None)
    name = getattr(error, "option_name", None) or (parameter.name if parameter else None)
    if name:
        said["field"] = name.lstrip("-")
    ctx = getattr(error, "ctx", None)
    if ctx is not None:
        said["message"] += f" See `{ctx.command_path} -h`."
    return said


def call(argv: Sequence[str]) -> int:
    """Run one command line; the exit status. Errors that a person can act on are reported."""
    as_json = "--json" in argv
    try:
        with stepdeck.make_context("stepdeck", list(argv)) as ctx:
            return int(stepdeck.invoke(ctx) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.format_message(), err=True)
        return bare.exit_code
    except click.ClickException as error:
        report(describe(error, argv), as_json=as_json)
        return error.exit_code
    except StepdeckError as error:
        report(describe(error, argv), as_json=as_json)
        return status_of(error)
    except (KeyboardInterrupt, click.Abort):
        report({"code": "interrupted", "message": "interrupted"}, as_json=as_json)
        return CANCELLED


def _unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """``sys.excepthook``: the traceback to the log, one line to the person; the status is 1."""
    from tui.log import log_unexpected
    from tui.settings import log_file

    path = log_file()
    told = (
        f"see {path}" if log_unexpected(path, kind, error, trace) else f"{error} (no log: {path})"
    )
    said = {"code": "internal_error", "message": f"unexpected {kind.__name__}; {told}"}
    report(said, as_json="--json" in sys.argv)


def main() -> None:
    """The entry point: run ``sys.argv``, exit with its status."""
    stand_in_for_closed()
    sys.excepthook = _unexpected
    if os.name == "nt":
        message = "stepdeck needs the file locks of Linux or macOS; on Windows run it under WSL"
        report({"code": "not_available", "message": message}, as_json="--json" in sys.argv)
        sys.exit(USAGE)
    if "_STEPDECK_COMPLETE" in os.environ:
        stepdeck.main(prog_name="stepdeck")
    try:
        status = call(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read stdout has gone (`| head`); nothing more can be written, not at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = FAILED
    sys.exit(status)


if __name__ == "__main__":
    main()
