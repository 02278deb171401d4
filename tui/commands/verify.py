"""``stepdeck verify``: a run held against its replay, its hashes and its own fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json

if TYPE_CHECKING:
    from tui.gateway import Verification


@click.command("verify")
@click.argument("run")
@json_option
@db_option
@pass_deck
def verify(deck: Deck, run: str, as_json: bool) -> int:
    """Check everything the ledger holds of RUN; the status is 1 if anything differs.

    Its hashes, the digest of every commit, every row against a replay of the logged decisions (the
    strategy is not called), cash and equity counted again from the fills. The first difference is
    named. What cannot be checked, because bars or files are gone, is said and is no failure.
    """
    gateway = deck.open(write=False)
    try:
        found = gateway.verify(gateway.reader().resolve(run))
    finally:
        gateway.close()
    if as_json:
        print_json(_document(found))
    else:
        click.echo(_text(found))
    return 0 if found.ok else 1


def _document(found: Verification) -> dict[str, Any]:
    return {
        "run_id": found.run_id,
        "status": found.status,
        "step_index": found.settled,
        "ok": found.ok,
        "complete": found.complete,
        "first_difference": None if found.first is None else found.first._asdict(),
        "checks": [
            {
                "name": check.name,
                "outcome": check.outcome,
                "detail": check.detail,
                "count": check.count,
                "first_difference": None if check.first is None else check.first._asdict(),
            }
            for check in found.checks
        ],
    }


def _text(found: Verification) -> str:
    from tui.plain import table_body
    from tui.safe import safe_line

    said = {"passed": "ok", "differs": "DIFFERS", "unchecked": "not checked"}
    rows = [(f"  {check.name}", said[check.outcome], check.detail) for check in found.checks]
    if not found.ok:
        last = f"First difference: {safe_line(str(found.first))}"
    elif found.complete:
        last = "Everything agrees."
    else:
        last = "What could be checked agrees."
    head = f"run {found.run_id}  {found.status}  {found.settled:,} steps settled"
    return f"{head}\n{table_body(rows, left=(0, 1, 2))}\n{last}"
