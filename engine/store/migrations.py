"""From no ledger, or an older one, to the present schema.

Each version is one function over a ``sqlite_utils.Database``. All that are due run in one ``BEGIN
IMMEDIATE`` transaction together with the new ``user_version``: of two processes that start at once
the second waits and then finds nothing to do, and one that dies midway leaves the file as it was.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from engine.failpoints import failpoint
from engine.store.schema import APPLICATION_ID, VERSION_1

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlite_utils import Database

    Migration = Callable[[Database], None]


def _version_1(db: Database) -> None:
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.executescript(VERSION_1)


MIGRATIONS: Sequence[Migration] = (_version_1,)
SCHEMA_VERSION = len(MIGRATIONS)


def schema_version(conn: sqlite3.Connection) -> int:
    """The version of the open file's schema; 0 for a file with none."""
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def migrate(
    conn: sqlite3.Connection,
    migrations: Sequence[Migration] | None = None,
    *,
    ready: Callable[[int], object] | None = None,
) -> bool:
    """Bring the file to the last of ``migrations``; whether there was anything to do.

    ``conn`` is in autocommit (``isolation_level=None``). ``ready`` is called with the version of an
    older ledger, the write lock held, before anything is changed. Raises what it and SQLite raise,
    with the file as it was.
    """
    if migrations is None:
        migrations = MIGRATIONS
    if schema_version(conn) >= len(migrations):
        return False
    # Imported here: it brings pandas along, which a start on an up-to-date ledger does not need.
    from sqlite_utils import Database

    failpoint("migrate.before")
    conn.execute("BEGIN IMMEDIATE")
    try:
        failpoint("migrate.begun")
        version = schema_version(conn)
        if ready is not None and 0 < version < len(migrations):
            ready(version)
        db = Database(conn, execute_plugins=False)
        for migration in migrations[version:]:
            migration(db)
            failpoint("migrate.version")
        conn.execute(f"PRAGMA user_version = {len(migrations)}")
        failpoint("migrate.written")
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise
    failpoint("migrate.after")
    return version < len(migrations)
