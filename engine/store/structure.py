"""Whether a ledger's file is built as it should be: SQLite's own check, and the schema's text."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import lru_cache

from engine.store.migrations import MIGRATIONS, migrate, schema_version


def file_faults(conn: sqlite3.Connection) -> tuple[str, ...]:
    """What is wrong with the open file: pages, rows, indexes, and the schema. Reads every page.

    Objects that somebody has added to the schema are no fault. A figure or a text that is another
    than was written is none either: SQLite keeps no sums of them.
    """
    try:
        found = [str(row[0]) for row in conn.execute("PRAGMA integrity_check").fetchall()]
        there = _schema(conn)
    except sqlite3.DatabaseError as error:
        return (str(error),)
    faults = [] if found == ["ok"] else found
    for name, sql in _expected(schema_version(conn)).items():
        if name not in there:
            faults.append(f"the schema's {name} is gone")
        elif there[name] != sql:
            faults.append(f"the schema's {name} is not what it should be")
    return tuple(faults)


def _schema(conn: sqlite3.Connection) -> dict[str, str | None]:
    rows = conn.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    return {
        f"{kind} {name}" + (f" of {table}" if table != name else ""): sql
        for kind, name, table, sql in rows
    }


@lru_cache(maxsize=4)
def _expected(version: int) -> dict[str, str | None]:
    """The schema that the first ``version`` migrations make."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as conn:
        migrate(conn, MIGRATIONS[:version])
        return _schema(conn)
