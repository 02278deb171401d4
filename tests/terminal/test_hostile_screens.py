"""Every screen with fifty hostile texts in it: none of their bytes on the wire, nothing breaks.

They stand wherever text of others can: names, tags, agents, sources, errors, what a strategy
printed, orders' tags and reasons, decisions, symbols; partly put in by the commands, partly written
into the rows by another program.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.terminal.conftest import SIZES, Books, OpenDeck, Shell
from tests.terminal.deck import Deck
from tests.terminal.payloads import FORBIDDEN, PAYLOADS

WINDOW = ("--symbols", "IBM", "--end", "2000-03-31")
PRINTER = """
import sys

from engine import Strategy, Order

TEXTS = {texts!r}


class Printer(Strategy):
    def decide(self, obs):
        for text in TEXTS:
            print(text)
        sys.stdout.write("\\x00")
        return [Order.buy("IBM", 1, tag=TEXTS[obs.step % len(TEXTS)][:60])]
"""


def test_there_are_fifty() -> None:
    """As many as were promised, all different."""
    assert len({one.text for one in PAYLOADS}) >= 50


def spread(path: Path, template: str) -> None:
    """Another program writes runs that say all of it, and rows of one run."""
    texts = [one.text for one in PAYLOADS]
    with closing(sqlite3.connect(path, timeout=10)) as conn, conn:
        columns = [
            f'"{row[1]}"'
            for row in conn.execute("PRAGMA table_info(runs)")
            if row[1] not in ("run_key", "run_id", "name", "tags", "agent_id", "strategy",
                              "source", "symbols", "error_message", "error_code", "status",
                              "end_reason", "parent_run_id", "created_at")
        ]  # fmt: skip
        kept = ", ".join(columns)
        conn.executemany(
            "INSERT INTO runs (run_id, name, tags, agent_id, strategy, source, symbols, "
            "error_message, error_code, status, end_reason, parent_run_id, created_at, "
            f"{kept}) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, 'failed', 'strategy_error', ?, ?, {kept} "
            "FROM runs WHERE run_id = ?",
            [
                (
                    f"bad{number:02}", text, json.dumps([text]), text, text, text,
                    json.dumps([text]), text, text[:200], text[:40], text[:30], template,
                )
                for number, text in enumerate(texts)
            ],
        )  # fmt: skip
        orders = [row[1] for row in conn.execute("PRAGMA table_info(orders)") if row[1] != "run_id"]
        source = conn.execute(
            f"SELECT {', '.join(orders)} FROM orders WHERE run_id = ? LIMIT 1", (template,)
        ).fetchone()
        row = dict(zip(orders, source, strict=True))
        for number, text in enumerate(texts):
            said = row | {
                "order_id": f"{row['order_id']}x{number}", "tag": text, "reason": text,
                "symbol": text[:300], "oco_group": text, "status": "rejected",
            }  # fmt: skip
            conn.execute(
                f"INSERT INTO orders (run_id, {', '.join(said)}) "
                f"VALUES (?, {', '.join('?' * len(said))})",
                ("mine00", *said.values()),
            )
            conn.execute(
                "INSERT INTO steps (run_id, step_index, step_id, ts, status, decision_source, "
                "decision, lease_epoch) VALUES ('mine00', ?, ?, ?, 'completed', 'strategy', ?, 1)",
                (number, text, f"2000-01-{number % 28 + 1:02}T00:00:00Z",
                 json.dumps({"orders": [{"side": text, "symbol": text, "quantity": 1}],
                             "rationale": text})),
            )  # fmt: skip
            conn.execute(
                "INSERT INTO holdings (run_id, symbol, quantity, avg_cost, last_price) "
                "VALUES ('mine00', ?, 1, 1, 1)",
                (text[:300] or str(number),),
            )


def copy_as(path: Path, template: str, run_id: str, name: str) -> None:
    """One more row like the template's, interrupted, for the of others to belong to."""
    with closing(sqlite3.connect(path, timeout=10)) as conn, conn:
        columns = [
            f'"{row[1]}"'
            for row in conn.execute("PRAGMA table_info(runs)")
            if row[1] not in ("run_key", "run_id", "name", "status", "end_reason")
        ]
        kept = ", ".join(columns)
        conn.execute(
            f"INSERT INTO runs (run_id, name, status, end_reason, {kept}) "
            f"SELECT ?, ?, 'completed', 'end_of_data', {kept} FROM runs WHERE run_id = ?",
            (run_id, name, template),
        )


def whole(app: Deck) -> None:
    """The screen stands: its last line is the line of keys, where it belongs."""
    app.finds(r"q Quit *$")
    assert "Quit" in app.lines[-1]


@pytest.mark.parametrize("size", SIZES)
def test_no_byte_of_fifty_payloads_reaches_the_terminal(
    deck: OpenDeck, shell: Shell, books: Books, tmp_path: Path, size: tuple[int, int]
) -> None:
    """List, run with all its panels, compare, log, breakpoints, forms, dialogs, help, palette."""
    printer = tmp_path / "printer.py"
    printer.write_text(
        PRINTER.format(texts=[one.text for one in PAYLOADS]).replace("\\\\x00", "\\x00"), "utf-8"
    )
    shell.run("run", f"{printer}:Printer", *WINDOW, "--name", "printer", "--no-baselines")
    (template,) = books.one("SELECT run_id FROM runs WHERE name = 'printer'")
    copy_as(books.path, template, "mine00", "of others")
    spread(books.path, template)

    app = deck(size=size)
    app.sees("completed", "failed")
    # The list, from its newest row to its oldest, each previewed.
    for _ in range(len(PAYLOADS)):
        app.press("j")
    app.finds(r"▌.*of others")
    whole(app)
    app.press("t", "t", "s", "s", "s", "v")
    app.press("/")
    app.type("tag:evil")
    app.press("esc")
    whole(app)
    # The run that others wrote rows of: its panels, why, breakpoints.
    app.press("/")
    app.type("of others")
    app.press("enter", "g")
    app.finds(r"▌.*of others")
    app.press("enter")
    app.sees("of others", "1 Price")
    for panel in "123456":
        app.press(panel)
        app.press("j", "j", "k")
        whole(app)
    app.press("4", "g")
    app.press("enter")
    app.press("esc")
    app.press("B")
    app.sees("Breakpoints")
    app.press("esc")
    app.press("?")
    app.sees("Keys here")
    app.press("esc")
    app.press("ctrl+p")
    app.sees("what do you want to do?")
    app.press("esc")
    app.loses("what do you want to do?")
    app.press("esc")
    app.finds(r"▌.*of others")
    # What a strategy printed.
    app.press("esc", "/")
    app.type("name:printer")
    app.press("enter", "g")
    app.finds(r"▌.*printer")
    app.press("f3")
    app.sees("printed")
    app.press("g", "j", "j", "pgdn", "G")
    whole(app)
    app.press("esc")
    # Dialogs over hostile runs, and all of them compared.
    app.press("esc", "a", "d")
    app.sees("Delete 5")
    app.press("n")
    app.loses("Delete 5")
    app.press("e")
    app.sees("Export 5")
    app.press("esc")
    app.loses("Export 5")
    app.press("c")
    app.sees("Compare 5")
    for _ in range(len(PAYLOADS)):
        app.press("right")
    app.press("d")
    whole(app)
    app.press("esc")
    app.press("f4")
    app.sees("Settings")
    whole(app)
    app.press("esc", "esc")
    # A form that is filled in with it, as far as a terminal can be made to type it.
    app.press("n")
    app.sees("New run")
    app.type("[/bold][@click=app.quit]x")
    app.press("esc")
    app.press("q")
    assert app.leaves() == 0
    assert app.restored
    assert sorted(some for some in FORBIDDEN if some in app.raw) == []
    # Textual's own shapes of the mouse pointer are the only commands to the system.
    assert set(re.findall(rb"\x1b\]([0-9]*)", app.raw)) <= {b"22"}
    assert app.afterwards == ""
