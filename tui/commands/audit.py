"""``stepdeck audit``: does a strategy look ahead, and does it decide the same every time?"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json
from tui.commands.run import declare, request_of
from tui.options import Value

if TYPE_CHECKING:
    from tui.gateway import Audit, Finding

SHOWN: Final = 12
_DID: Final = {
    "changed": "the bars after step {after} were changed",
    "truncated": "the bars after step {after} were cut off",
    "shuffled": "the bars after step {after} were shuffled",
    "again": "the same bars were run a second time",
    "asked": "it asked for a later bar",
}


@click.command("audit")
@click.argument("strategy")
@declare
@click.option(
    "--points",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="How many steps the future is altered after.",
)
@json_option
@db_option
@pass_deck
def audit(deck: Deck, /, strategy: str, points: int, as_json: bool, **given: Value) -> int:
    """Look for look-ahead and hidden randomness in STRATEGY; the status is 1 if there is any.

    It takes the options of `run` and runs in memory; no ledger is touched. After each of many steps
    the bars are changed, cut off and shuffled and the strategy is run again: a decision at or
    before that step that is another one has seen the future. It is also run again over the same
    bars, here and in processes with other hash seeds.
    """
    from tui.gateway import audit as find

    request = request_of(deck, strategy, given)
    with _progress() as progress:
        found = find(request, points=points, progress=progress)
    if as_json:
        print_json(_document(found))
    else:
        click.echo(_text(found))
    return 0 if found.clean else 1


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar where stderr is a terminal; Ctrl-C ends the audit at the next chance."""
    from tui.commands.foreground import Signals

    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(Signals().caught())
        bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            bar = Progress(console=Console(stderr=True), transient=True, auto_refresh=False)
            stack.enter_context(bar)
            task = bar.add_task("auditing", total=None)

        def look(done: int, total: int) -> None:
            if signals.cancel or signals.leave:
                raise click.Abort
            if bar is not None:
                bar.update(task, completed=done, total=total, refresh=True)

        yield look


def _document(found: Audit) -> dict[str, Any]:
    return {
        "strategy": found.strategy,
        "symbols": list(found.symbols),
        "clean": found.clean,
        "steps": found.steps,
        "decisions": found.decisions,
        "points": list(found.points),
        "reruns": found.reruns,
        "findings": [finding._asdict() for finding in found.findings],
        "notes": list(found.notes),
    }


def _text(found: Audit) -> str:
    from tui.safe import safe_line

    made = f"{found.decisions:,} decisions, {found.reruns} reruns"
    over = f"{found.steps:,} steps of {len(found.symbols)} symbols"
    lines = [f"{safe_line(found.strategy)} over {over}: {made}"]
    # One line a decision, however many ways it was changed in.
    first = {(finding.step, finding.symbol): finding for finding in reversed(found.findings)}
    shown = sorted(first.values(), key=lambda finding: finding.step)
    lines += [_line(finding) for finding in shown[:SHOWN]]
    if len(shown) > SHOWN:
        lines.append(f"  … and {len(shown) - SHOWN} more decisions; --json lists them all")
    lines += [f"  note: {safe_line(note)}" for note in found.notes]
    if found.clean:
        lines.append("No decision depends on later bars, and a second run decides the same.")
    else:
        kinds = {finding.kind for finding in found.findings}
        said = {"look_ahead": "it looks ahead", "not_repeatable": "it does not repeat itself"}
        lines.append(f"Not clean: {' and '.join(said[kind] for kind in said if kind in kinds)}.")
    return "\n".join(lines)


def _line(finding: Finding) -> str:
    from tui.safe import safe_line

    did = _DID.get(finding.how, f"run in a process with {finding.how}").format(after=finding.after)
    symbol = "" if finding.symbol is None else f" {finding.symbol}"
    kind = finding.kind.replace("_", "-")
    what = f"{finding.before} became {finding.now}"
    line = f"  {kind}: step {finding.step} ({finding.ts}){symbol}: {what} when {did}"
    return safe_line(line)
