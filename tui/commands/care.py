"""``stepdeck delete | prune | backup``: care of the ledger."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from engine.errors import InvalidOption
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.gateway import Gateway

_AGE: Final = re.compile(r"([0-9]{1,6})(m|h|d|w)")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DECLINED: Final = 1

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


@click.command("delete")
@click.argument("runs", nargs=-1, required=True)
@yes_option
@json_option
@db_option
@pass_deck
def delete(deck: Deck, runs: tuple[str, ...], yes: bool, as_json: bool) -> int:
    """Delete RUNS that have ended or were left, with their baselines and everything they did.

    Each run's row is archived in the ledger first; its steps, orders, fills and equity are not.
    Forks of a run stay. A run that moves is refused, and then none is deleted.
    """
    gateway = deck.open(write=True)
    try:
        run_ids = list(dict.fromkeys(gateway.resolve(run) for run in runs))
        return _delete(gateway, run_ids, yes=yes, as_json=as_json)
    finally:
        gateway.close()


@click.command("prune")
@click.option(
    "--older-than", "age", required=True, metavar="D", help="A time as 30d, 12h, 2w or 45m."
)
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@yes_option
@json_option
@db_option
@pass_deck
def prune(deck: Deck, age: str, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Delete the runs that ended longer ago than D, as `delete` would. Interrupted runs stay."""
    stamp = _before(age)
    gateway = deck.open(write=not dry_run)
    try:
        run_ids = gateway.ended_before(stamp)
        if dry_run:
            ids = [each for run_id in run_ids for each in gateway.removable(run_id)]
            _say(ids, as_json=as_json, key="would_delete", said="would delete")
            return 0
        return _delete(gateway, run_ids, yes=yes, as_json=as_json)
    finally:
        gateway.close()


@click.command("backup")
@click.argument("path", type=click.Path(path_type=Path))
@json_option
@db_option
@pass_deck
def backup(deck: Deck, path: Path, as_json: bool) -> None:
    """Copy the ledger to PATH, which must not be there, also while runs are written.

    The copy is of one moment, whole and checked when it gets its name, and a ledger of its own:
    `--db PATH` opens it. Copying the file by other means can lose what is still in its -wal.
    """
    gateway = deck.open(write=False)
    try:
        made = gateway.back_up(path.expanduser())
    finally:
        gateway.close()
    if as_json:
        print_json({"path": str(made.path), "bytes": made.bytes, "runs": made.runs})
    else:
        click.echo(f"{made.path}  {made.bytes:,} bytes  {_runs(made.runs)}")


def _before(age: str) -> str:
    """The moment that lies ``age`` back, as the ledger writes stamps."""
    found = _AGE.fullmatch(age.strip())
    if found is None:
        raise InvalidOption(
            f"--older-than is {age!r}, which is no time",
            field="older-than",
            remedy="give a number and m, h, d or w, such as 30d",
        )
    number, unit = found.groups()
    try:
        moment = datetime.now(UTC) - timedelta(**{_UNITS[unit]: int(number)})
    except OverflowError:
        return ""  # before every stamp there is
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _delete(gateway: Gateway, run_ids: Sequence[str], *, yes: bool, as_json: bool) -> int:
    """Check all, ask, and delete one after the other."""
    going = [each for run_id in run_ids for each in gateway.removable(run_id)]
    if going and not yes and not _agreed(len(set(going))):
        click.echo("nothing deleted", err=True)
        return DECLINED
    gone: list[str] = []
    for run_id in run_ids:
        if run_id not in gone:  # a baseline that was named beside its run went with it
            gone += gateway.delete(run_id)
    _say(gone, as_json=as_json, key="deleted", said="deleted")
    return 0


def _agreed(count: int) -> bool:
    if not sys.stdin.isatty():
        raise InvalidOption(
            f"{_runs(count)} would be deleted and nobody can be asked",
            field="yes",
            remedy="give --yes",
        )
    return click.confirm(f"Delete {_runs(count)} and everything they did?", err=True)


def _say(run_ids: Sequence[str], *, as_json: bool, key: str, said: str) -> None:
    if as_json:
        print_json({key: list(run_ids)})
        return
    for run_id in run_ids:
        click.echo(f"{run_id}  {said}")
    if not run_ids:
        click.echo(f"{said} nothing")


def _runs(count: int) -> str:
    return f"{count:,} {'run' if count == 1 else 'runs'}"
