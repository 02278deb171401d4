"""The hash of a run's log: every byte of it, as the ledgers of before have it."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from engine.store import seal
from engine.store.ledger import Ledger
from tests.store import kit

AWKWARD = (
    "plain",
    "it's",
    "''",
    "",
    "a\nb\tc",
    "50 % of %Q and %s",
    "é 漢 🙂",
    'a "word"',
    "back\\slash",
)


def quoted(value: Any) -> str:
    """A value as SQL writes it."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def test_the_text_of_a_step(ledger: Ledger, path: Path) -> None:
    """Of each step its columns by name, those that are there, as SQL would quote them."""
    key = kit.start(ledger)
    steps = [
        kit.step(number, decision=text, idempotency_key=text if number % 2 else None)
        for number, text in enumerate(AWKWARD)
    ]
    assert kit.add(ledger, kit.batch(key, 0, len(steps), steps=steps))
    with closing(sqlite3.connect(path)) as conn:
        conn.row_factory = sqlite3.Row
        rows = conn.execute("SELECT * FROM steps ORDER BY step_index").fetchall()
        texts = [
            f"{name}={quoted(row[name])};"
            for row in rows
            for name in sorted(row.keys())
            if row[name] is not None
        ]
        found: Any = hashlib.sha256(b"steps\n")
        query = seal._steps_query(conn)
        assert seal._add_steps(found, conn, rows[0]["run_id"], 0, query) == len(AWKWARD)
    assert len(rows) == len(AWKWARD)
    assert found.hexdigest() == hashlib.sha256(("steps\n" + "".join(texts)).encode()).hexdigest()
