"""``stepdeck doctor``: what is in force and what is wrong."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib import metadata, util
from typing import TYPE_CHECKING, Any, Final

import click

from engine.errors import LedgerError
from tui.commands.common import Deck, db_option, json_option, pass_deck, print_json
from tui.commands.config import settings_rows, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.store.health import Health

OPTIONAL: Final = {
    "fast": ("numba",),
    "report": ("quantstats",),
    "web": ("textual_serve",),
}
PACKAGES: Final = ("numpy", "pandas", "pyarrow", "TA-Lib", "exchange_calendars", "textual")


@click.command("doctor")
@click.option("--schema", is_flag=True, help="Print the ledger's tables, views and columns.")
@json_option
@db_option
@pass_deck
def doctor(deck: Deck, schema: bool, as_json: bool) -> int:
    """Ledger, settings and versions: what is in force, what is wrong.

    An older ledger is upgraded by it, and runs whose owner is gone become interrupted. The status
    is 1 if the ledger cannot be used, or something in it is damaged or not what was written; what
    is merely worth knowing (a notice) leaves it 0.
    """
    if schema:
        from engine.store import docs

        if as_json:
            print_json(docs.document())
        else:
            click.echo(docs.text())
        return 0
    ledger = _ledger(deck)
    document = {
        "versions": _versions(),
        "ledger": ledger,
        "log": str(deck.settings.log_path),
        "config": str(deck.settings.config_path),
        "settings": settings_rows(deck),
        "extras": {
            name: all(util.find_spec(module) is not None for module in modules)
            for name, modules in OPTIONAL.items()
        },
    }
    if as_json:
        print_json(document)
    else:
        click.echo(_text(document))
    return 0 if ledger["sound"] else 1


def _versions() -> dict[str, str]:
    found = {"stepdeck": "stepdeck", **{name: name for name in PACKAGES}}
    versions = {name: metadata.version(distribution) for name, distribution in found.items()}
    return versions | {"python": platform.python_version(), "system": platform.platform()}


def _ledger(deck: Deck) -> dict[str, Any]:
    """How the ledger is kept, who owns what in it, and what is wrong with it.

    ``problems`` are what makes it unsound; ``notices`` are what a person should know besides.
    """
    from engine.store.health import inspect

    path = deck.settings.db
    problems: list[str] = []
    notices: list[str] = []
    found: dict[str, Any] = {
        "path": str(path),
        "exists": path.exists(),
        "sound": not path.exists(),
        "problems": problems,
        "notices": notices,
    }
    if not path.exists():
        return found
    orphans = _orphans(deck)
    usable = True
    try:
        # An older schema is upgraded by this, and the runs of dead owners are interrupted.
        gateway = deck.open(write=True)
        try:
            found["owners"] = [asdict(owner) for owner in gateway.owners()]
            found["orphans"] = orphans or list(gateway.orphans())
            notices += gateway.notices
            chains = gateway.chains()
        finally:
            gateway.close()
    except LedgerError as error:
        usable = False
        problems.append(str(error))
    else:
        found["chains"] = {
            "runs": chains.runs,
            "broken": [broken._asdict() for broken in chains.broken],
        }
        problems += [f"run {broken.run_id}: {broken.what}" for broken in chains.broken]
    try:
        health = inspect(path)
    except LedgerError as error:
        # Opening it for writing has said the same already, most times.
        return found | {"problems": list(dict.fromkeys([*problems, str(error)]))}
    problems += health.damage
    if health.dangling:
        problems.append(f"{health.dangling} rows belong to no run")
    notices += _notices(health)
    details = asdict(health) | {
        "path": str(path),
        "locks": [lock._asdict() | {"path": str(lock.path)} for lock in health.locks],
    }
    return found | details | {"sound": usable and not problems}


def _orphans(deck: Deck) -> list[str]:
    """Runs whose owner is gone, before opening the ledger for writing interrupts them."""
    try:
        gateway = deck.open(write=False)
    except LedgerError:
        return []  # what is wrong is said when it is opened for writing
    try:
        return list(gateway.orphans())
    except LedgerError:
        return []
    finally:
        gateway.close()


def _notices(health: Health) -> Iterator[str]:
    if health.wal_reset_bug:
        yield (
            f"SQLite {health.sqlite_version} has the WAL-reset race that 3.51.3 mends; "
            "stepdeck checkpoints around it, other programs that write this file may not"
        )
    for holder in health.holders or ():
        if holder.pins:
            yield (
                f"{holder} reads an older moment and keeps {holder.pins:,} pages in the WAL "
                f"({health.wal_bytes:,} bytes) until it ends its query"
            )
    for lock in health.locks:
        if not lock.held:
            yield f"{lock.path.name} was left by process {lock.pid or '?'}; it may be removed"


def _text(document: dict[str, Any]) -> str:
    from tui.plain import pairs, table

    ledger = document["ledger"]
    owners = [
        f"{owner['instance']} {'alive' if owner['alive'] else 'gone'}, pid {owner['pid'] or '?'}"
        for owner in ledger.get("owners", ())
    ]
    chains = []
    if "chains" in ledger:
        broken = len(ledger["chains"]["broken"])
        said = f"{broken:,} broken" if broken else "whole"
        chains = [("chains", f"{ledger['chains']['runs']:,} looked at, {said}")]
    kept: list[tuple[str, str]] = [("path", ledger["path"])]
    if not ledger["exists"]:
        kept.append(("state", "not there yet; the first run makes it"))
    if "schema_version" in ledger:
        kept += [
            (
                "schema",
                f"{ledger['schema_version']} (this stepdeck: {ledger['known_schema_version']})",
            ),
            ("journal", ledger["journal_mode"]),
            (
                "size",
                f"{ledger['pages'] * ledger['page_size']:,} bytes, WAL {ledger['wal_bytes']:,}",
            ),
            ("runs", f"{ledger['runs']:,}"),
            ("SQLite", ledger["sqlite_version"]),
        ]
    kept += chains
    kept += [("open by", _holder(holder)) for holder in ledger.get("holders") or ()]
    kept += [("owner", owner) for owner in owners]
    kept += [("orphan", f"{run_id}: its owner is gone") for run_id in ledger.get("orphans", ())]
    kept += [("notice", notice) for notice in ledger["notices"]]
    kept += [("problem", problem) for problem in ledger["problems"]]
    settings = [
        (row["key"], value_text(row["value"]), row["origin"]) for row in document["settings"]
    ]
    extras = [
        (name, "installed" if there else "not installed")
        for name, there in document["extras"].items()
    ]
    return "\n\n".join(
        [
            pairs("Ledger", kept),
            pairs("Files", [("log", document["log"]), ("settings", document["config"])]),
            "Settings\n"
            + table(
                ("  setting", "value", "from"),
                [(f"  {key}", value, origin) for key, value, origin in settings],
                left=(0, 1, 2),
            ),
            pairs("Versions", document["versions"].items()),
            pairs("Extras", extras),
        ]
    )


def _holder(holder: Mapping[str, Any]) -> str:
    does = "writes" if holder["writes"] else "reads" if holder["reads"] else "idle"
    return f"process {holder['pid']} ({holder['command']}), {does} now"
