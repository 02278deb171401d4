"""What the ledger's tests let other processes do: ``python -m tests.store.child VERB PATH ...``.

A line on stdout is a fact that the parent may rely on; a line on stdin lets a waiting child go on.
"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import LedgerError, TooManyActiveRuns
from engine.runs.instance import Instance
from engine.store import backup, connection, migrations, writes
from engine.store import ledger as ledger_module
from engine.store.connection import connect
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.store.kit import AT, add, batch, busy_batch, columns, start

NOBODY = 65_534


def say(*words: object) -> None:
    print(*words, flush=True)


def wait() -> None:
    sys.stdin.readline()


def append_for_ever(path: Path) -> None:
    """Append batches of seven until killed; print how many steps have been acknowledged."""
    with Ledger.open(path) as ledger:
        key = start(ledger)
        first = 0
        while True:
            part = batch(key, first, 7)
            assert add(ledger, part)
            first += 7
            say(first)


def hold(path: Path) -> None:
    """Hold the write lock until told to go on."""
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("BEGIN IMMEDIATE")
    say("held")
    wait()
    conn.execute("ROLLBACK")
    conn.close()
    say("free")


def read_on(path: Path) -> None:
    """Be inside a query until told to go on."""
    conn = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    conn.execute("BEGIN")
    conn.execute("SELECT count(*) FROM runs").fetchone()
    say("reading")
    wait()
    conn.close()
    say("read")


def read_in_turns(path: Path) -> None:
    """Read without a gap until killed: each reader begins before the one before it ends."""
    uri = f"{path.as_uri()}?mode=ro"
    turns = [sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5) for _ in range(2)]
    say("reading")
    while True:
        for conn, other in (turns, turns[::-1]):
            conn.execute("BEGIN")
            conn.execute("SELECT count(*) FROM runs").fetchone()
            if other.in_transaction:
                other.execute("ROLLBACK")
            time.sleep(0.01)


def open_and_close(path: Path) -> None:
    """Be a process that comes and goes."""
    Ledger.open(path).close()
    say("closed")


def try_lock(path: Path) -> None:
    """Say whether the write lock is to be had at once."""
    conn = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        conn.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        say("busy")
    else:
        say("free")
    conn.close()


def create(path: Path, tries: str, cap: str) -> None:
    """Try to create so many runs under a cap that is counted in the inserting transaction."""
    made = 0
    with Ledger.open(path) as ledger:
        say("ready")
        wait()
        for n in range(int(tries)):

            def insert(conn: sqlite3.Connection, n: int = n) -> int:
                if writes.count_active(conn) >= int(cap):
                    raise TooManyActiveRuns("full")
                return writes.insert_run(conn, columns(f"{os.getpid()}-{n}"))

            try:
                ledger.write(insert)
            except TooManyActiveRuns:
                continue
            made += 1
    say(made)


def adopt(path: Path, me: str) -> None:
    """Try to adopt every run of a hundred from the owner ``gone``; print those that were got."""
    with Ledger.open(path) as ledger:
        say("ready")
        wait()
        got = []
        for n in range(100):

            def take(conn: sqlite3.Connection, n: int = n) -> int | None:
                return writes.adopt(
                    conn,
                    f"orphan-{n}",
                    new_owner=me,
                    old_owner="gone",
                    old_epoch=1,
                    sources=("running",),
                    to="interrupted",
                    reason="owner_gone",
                    at=AT,
                    columns={},
                )

            if ledger.write(take) is not None:
                got.append(n)
    say(*got)


def make(path: Path) -> None:
    """Open a ledger that many want to make at once; add one run to it."""
    say("ready")
    wait()
    with Ledger.open(path) as ledger:
        start(ledger, f"run-{os.getpid()}")
    say("made")


def as_nobody(path: Path) -> None:
    """Try to open a ledger, for writing and for reading, as a user who owns nothing."""
    # Imported by the first use otherwise, which may then not be allowed any more.
    import sqlite_utils  # noqa: F401

    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    openers: tuple[Callable[[], Ledger | Reader], ...] = (
        lambda: Ledger.open(path),
        lambda: Reader.open(path),
    )
    for opener in openers:
        try:
            opener().close()
            say("opened")
        except LedgerError as error:
            say(error.code, str(error))


def small_disk(path: Path, size: str) -> None:
    """Make or open a ledger where no file may grow past ``size`` bytes, and fill it."""
    import sqlite_utils  # noqa: F401

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), hard))
    try:
        ledger = Ledger.open(path)
    except LedgerError as error:
        say(error.code)
        return
    key = start(ledger)
    first = 0
    try:
        while True:
            part = batch(key, first, 1000)
            assert add(ledger, part)
            first += 1000
    except LedgerError as error:
        say(error.code, first)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert add(ledger, part)
    ledger.close()
    say("went on")


def fenced(path: Path) -> None:
    """Write a batch of a lease that ended while this process was stopped."""
    with Ledger.open(path) as ledger, ledger.reader() as reader:
        key = reader.run_key("run-1")
        say("ready")
        wait()
        landed = add(ledger, busy_batch(key, 0))
    say("landed" if landed else "fenced")


def die_in_migration(path: Path) -> None:
    """Be killed in the middle of an upgrade, after its second version has written."""

    def fatal(db: object) -> None:
        conn.execute("CREATE TABLE half_done (x)")
        os.kill(os.getpid(), signal.SIGKILL)

    conn = connect(path, "rw")
    migrations.migrate(conn, (*migrations.MIGRATIONS, fatal))


def upgrade(path: Path) -> None:
    """Be a stepdeck that is two schema versions on, and open a ledger; wait for a line first."""
    steps = (
        "ALTER TABLE runs ADD COLUMN colour TEXT",
        "CREATE TABLE palette (colour TEXT) STRICT",
        "INSERT INTO palette VALUES ('red')",
    )

    def second(db: Any) -> None:
        for step in steps[:2]:
            db.execute(step)

    def third(db: Any) -> None:
        db.execute(steps[2])

    migrations.MIGRATIONS = (*migrations.MIGRATIONS, second, third)
    for module in (migrations, connection, ledger_module):
        vars(module)["SCHEMA_VERSION"] = len(migrations.MIGRATIONS)
    say("ready")
    wait()
    try:
        with Ledger.open(path) as ledger:
            start(ledger, f"run-{os.getpid()}")
    except LedgerError as error:
        say(error.code, str(error))
    else:
        say("opened")


def back_up(path: Path, target: str, limit: str = "") -> None:
    """Copy a ledger, where no file may grow past ``limit`` bytes if one is given."""
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    try:
        say(*backup.back_up(path, target))
    except LedgerError as error:
        say(error.code, str(error))


def own(path: Path) -> None:
    """Use a ledger: hold it open, and an instance's lock, until told to go on."""
    with Ledger.open(path):
        instance = Instance.take(path)
        say("owned", instance.id, os.getpid())
        wait()
        instance.release()
    say("left")


VERBS: dict[str, Callable[..., None]] = {
    verb.__name__: verb
    for verb in (
        adopt,
        append_for_ever,
        as_nobody,
        back_up,
        create,
        die_in_migration,
        fenced,
        hold,
        make,
        open_and_close,
        own,
        read_in_turns,
        read_on,
        small_disk,
        try_lock,
        upgrade,
    )
}

if __name__ == "__main__":
    VERBS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
