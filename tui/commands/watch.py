"""``stepdeck watch``: a ledger that others write, followed read-only, in the app or as lines."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

import click

from tui.commands.common import Deck, db_option, json_option, pass_deck
from tui.commands.open import open_app

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.gateway import Gateway
    from tui.run_book import RunBook, RunRow

LOOK_SECONDS: Final = 0.1
_ENDED: Final = frozenset({"completed", "failed", "cancelled"})


@click.command("watch")
@click.argument("run", required=False)
@click.option("--plain", is_flag=True, help="One line for every change, instead of the app.")
@json_option
@db_option
@pass_deck
def watch(deck: Deck, run: str | None, plain: bool, as_json: bool) -> int:
    """Follow RUN, or the whole ledger, without being able to change it.

    --plain prints a line when a run's state or progress changes, until RUN has ended; without RUN
    until Ctrl-C. With --json every line is a JSON object (JSON Lines) with the keys of `show`.
    """
    if not (plain or as_json):
        return open_app(deck, run, read_only=True)
    gateway = deck.open(write=False)
    try:
        _print_changes(gateway, gateway.resolve(run) if run is not None else None, as_json=as_json)
    except KeyboardInterrupt:
        # That is how watching ends; the runs watched go on.
        return 0
    finally:
        gateway.close()
    return 0


def _print_changes(gateway: Gateway, run_id: str | None, *, as_json: bool) -> None:
    from tui.plain import change_line, run_document

    seen: dict[str, tuple[object, ...]] = {}
    version: object = None
    book = gateway.book()
    while True:
        if (now := gateway.data_version()) != version:
            version = now
            for row in _rows(book, run_id):
                key = (row.record.status, row.record.step_index, row.owner)
                if seen.get(row.record.run_id) == key:
                    continue
                seen[row.record.run_id] = key
                record, owner = gateway.record(row.record.run_id), row.owner
                if as_json:
                    click.echo(json.dumps(run_document(record, owner), allow_nan=False))
                else:
                    click.echo(change_line(record, owner))
                if record.run_id == run_id and record.status in _ENDED:
                    return
        time.sleep(LOOK_SECONDS)


def _rows(book: RunBook, run_id: str | None) -> Iterable[RunRow]:
    """The run, or all of them, oldest first."""
    rows = reversed(book.look())
    return (row for row in rows if run_id is None or row.record.run_id == run_id)
