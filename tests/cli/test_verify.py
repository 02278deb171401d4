"""`stepdeck verify` on ledgers that another program has changed: it names exactly what was."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command, rows

CHECKS = [
    "configuration",
    "bars",
    "decisions",
    "orders",
    "fills",
    "cash flows",
    "equity",
    "money",
    "chain",
    "positions",
    "figures",
    "row",
    "log",
    "strategy",
    "file",
]


@pytest.fixture(scope="session")
def momentum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with one finished run of many orders, in several commits."""
    folder = tmp_path_factory.mktemp("verify")
    path = folder / "runs.db"
    command = Command({"XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
    words = ("run", "momentum", "-p", "top=2", "--no-baselines", "--speed", "1000", "--db", path)
    assert command(*words, "--end", "2001-06-29").status == 0
    return path


@pytest.fixture
def copy(momentum: Path, tmp_path: Path) -> Path:
    """That ledger, to be changed."""
    target = tmp_path / "tampered.db"
    shutil.copy(momentum, target)
    return target


def tamper(path: Path, *statements: str) -> None:
    """Change a ledger as any program could."""
    with closing(sqlite3.connect(path)) as conn, conn:
        for statement in statements:
            assert conn.execute(statement).rowcount != 0, statement


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["outcome"] for check in document["checks"]}


def test_a_run_as_it_was_written_agrees(stepdeck: Command, momentum: Path) -> None:
    """Status 0, every check passed, none left out."""
    done = stepdeck("verify", "@1", "--json", "--db", momentum)
    assert (done.status, done.err) == (0, "")
    assert outcomes(done.document) == dict.fromkeys(CHECKS, "passed")
    assert done.document["ok"]
    assert done.document["complete"]
    assert done.document["first_difference"] is None
    assert stepdeck("verify", "@1", "--db", momentum).out.endswith("Everything agrees.\n")


def one(path: Path, sql: str) -> Any:
    return rows(path, sql)[0][0]


def test_an_equity_value_is_named(stepdeck: Command, copy: Path) -> None:
    """Table, step and column of one figure that is a cent off, with both values."""
    before = one(copy, "SELECT equity FROM equity_points WHERE step_index = 200")
    tamper(copy, "UPDATE equity_points SET equity = equity + 0.01 WHERE step_index = 200")
    done = stepdeck("verify", "@1", "--json", "--db", copy)
    assert done.status == 1
    assert done.document["first_difference"] == {
        "table": "equity",
        "step": 200,
        "key": None,
        "column": "equity",
        "expected": before,
        "got": before + 0.01,
    }
    assert {name for name, said in outcomes(done.document).items() if said == "differs"} == {
        "equity",
        "money",
    }


def test_a_fill_s_price_is_named(stepdeck: Command, copy: Path) -> None:
    """The fill by its id, its step and both prices; the money no longer adds up either."""
    step, before = rows(copy, "SELECT step_index, price FROM fills WHERE fill_id = 40")[0]
    tamper(copy, "UPDATE fills SET price = price * 1.01 WHERE fill_id = 40")
    done = stepdeck("verify", "@1", "--json", "--db", copy)
    assert done.status == 1
    first = done.document["first_difference"]
    assert (first["table"], first["step"], first["key"], first["column"]) == (
        "fills",
        step,
        "fill 40",
        "price",
    )
    assert first["expected"] == before
    assert outcomes(done.document)["money"] == "differs"
    assert (
        f"fills, step {step}, fill 40, column price" in stepdeck("verify", "@1", "--db", copy).out
    )


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [("reason", "'volume_cap'", None), ("status", "'expired'", "filled"), ("tag", "'x'", None)],
)
def test_an_order_s_column_is_named(
    stepdeck: Command, copy: Path, column: str, value: str, expected: str | None
) -> None:
    """The order by its id and the step of its decision, also for a column the decision gave."""
    order, step = rows(
        copy,
        "SELECT order_id, step_index FROM orders WHERE status = 'filled' AND reason IS NULL "
        "ORDER BY step_index LIMIT 1 OFFSET 30",
    )[0]
    tamper(copy, f"UPDATE orders SET {column} = {value} WHERE order_id = '{order}'")
    first = stepdeck("verify", "@1", "--json", "--db", copy).document["first_difference"]
    assert first == {
        "table": "orders",
        "step": step,
        "key": order,
        "column": column,
        "expected": expected,
        "got": value.strip("'"),
    }


@pytest.mark.parametrize("which", ["first", "middle", "last"])
def test_a_deleted_commit_is_named(stepdeck: Command, copy: Path, which: str) -> None:
    """Wherever in the chain it stood; the rows still agree, and a step is given."""
    commits = [row[0] for row in rows(copy, "SELECT last_step FROM commits ORDER BY last_step")]
    assert len(commits) > 3
    gone = {"first": commits[0], "middle": commits[len(commits) // 2], "last": commits[-1]}[which]
    tamper(copy, f"DELETE FROM commits WHERE last_step = {gone}")
    done = stepdeck("verify", "@1", "--json", "--db", copy)
    assert done.status == 1
    first = done.document["first_difference"]
    assert (first["table"], first["step"], first["column"]) == ("commits", gone, "row")
    assert first["got"] is None
    assert outcomes(done.document)["decisions"] == "passed"


def test_an_altered_digest_is_named(stepdeck: Command, copy: Path) -> None:
    """Where all rows agree with their replay, it is the commit that was changed."""
    last = rows(copy, "SELECT last_step, digest FROM commits ORDER BY last_step")[1]
    tamper(copy, f"UPDATE commits SET digest = '{'0' * 64}' WHERE last_step = {last[0]}")
    first = stepdeck("verify", "@1", "--json", "--db", copy).document["first_difference"]
    assert (first["table"], first["step"], first["column"]) == ("commits", last[0], "digest")
    assert first["expected"] == last[1]


def test_swapped_decisions_are_named(stepdeck: Command, copy: Path) -> None:
    """Not the orders that no longer follow from it: the chain tells that the log was changed."""
    (early, one_decision), (late, other) = [
        (step, decision)
        for step, decision in rows(
            copy, "SELECT step_index, decision FROM steps ORDER BY step_index"
        )
        if step >= 100
    ][:40:39]
    assert one_decision != other
    with closing(sqlite3.connect(copy)) as conn, conn:
        for step, decision in ((early, other), (late, one_decision)):
            conn.execute("UPDATE steps SET decision = ? WHERE step_index = ?", (decision, step))
    done = stepdeck("verify", "@1", "--json", "--db", copy)
    assert done.status == 1
    first = done.document["first_difference"]
    assert (first["table"], first["step"], first["column"]) == ("steps", early, "decision")
    assert first["got"] == other
    assert outcomes(done.document)["chain"] == "differs"


def test_a_deleted_decision_is_named(stepdeck: Command, copy: Path) -> None:
    """The step whose orders nobody asked for."""
    step = one(copy, "SELECT step_index FROM steps ORDER BY step_index LIMIT 1 OFFSET 20")
    tamper(copy, f"DELETE FROM steps WHERE step_index = {step}")
    first = stepdeck("verify", "@1", "--json", "--db", copy).document["first_difference"]
    assert (first["table"], first["step"], first["column"]) == ("steps", step, "row")
    assert first["got"] is None


@pytest.mark.parametrize("text", ["not json", '{"orders": 3}', "[]"])
def test_an_unreadable_decision_is_named(stepdeck: Command, copy: Path, text: str) -> None:
    """What is no decision at all is the difference, and no traceback."""
    step = one(copy, "SELECT step_index FROM steps ORDER BY step_index LIMIT 1 OFFSET 5")
    tamper(copy, f"UPDATE steps SET decision = '{text}' WHERE step_index = {step}")
    done = stepdeck("verify", "@1", "--json", "--db", copy)
    assert (done.status, done.err) == (1, "")
    first = done.document["first_difference"]
    assert (first["table"], first["step"], first["column"]) == ("steps", step, "decision")


@pytest.mark.parametrize(
    ("table", "condition"),
    [
        ("equity_points", "step_index = 100"),
        ("fills", "fill_id = 12"),
        ("orders", "order_id = '{}'"),
    ],
)
def test_a_missing_row_is_named(stepdeck: Command, copy: Path, table: str, condition: str) -> None:
    """A row that was deleted: expected, and nothing there."""
    order = one(copy, "SELECT order_id FROM orders ORDER BY step_index LIMIT 1 OFFSET 9")
    tamper(copy, f"DELETE FROM {table} WHERE {condition.format(order)}")
    first = stepdeck("verify", "@1", "--json", "--db", copy).document["first_difference"]
    assert first["table"] == table.removesuffix("_points")
    assert first["column"] == "row"
    assert first["expected"] is not None
    assert first["got"] is None


def test_a_row_too_many_is_named(stepdeck: Command, copy: Path) -> None:
    """A fill that never happened."""
    columns = [row[1] for row in rows(copy, "PRAGMA table_info(fills)")]
    rest = ", ".join(name for name in columns if name != "fill_id")
    tamper(
        copy,
        f"INSERT INTO fills (fill_id, {rest}) SELECT 999999, {rest} FROM fills WHERE fill_id = 3",
    )
    first = stepdeck("verify", "@1", "--json", "--db", copy).document["first_difference"]
    assert (first["table"], first["key"], first["expected"]) == ("fills", "fill 999999", None)


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ("sharpe = sharpe + 0.5", "sharpe"),
        ("metrics = json_set(metrics, '$.cagr', 9.5)", "metrics.cagr"),
        ("name = 'a better name'", "row_hash"),
        ("finished_at = '2001-01-01T00:00:00Z'", "row_hash"),
        ("config = json_set(config, '$.rules.cash', 1.0)", "config_hash"),
        ("bars_hash = 'ff'", "bars_hash"),
    ],
)
def test_the_run_s_own_row_is_held(stepdeck: Command, copy: Path, change: str, column: str) -> None:
    """Triggers refuse the change; with them dropped, verify names the column or the row's hash."""
    with closing(sqlite3.connect(copy)) as conn, pytest.raises(sqlite3.IntegrityError):
        conn.execute(f"UPDATE runs SET {change}")
    tamper(copy, "DROP TRIGGER runs_terminal_update", f"UPDATE runs SET {change}")
    done = stepdeck("verify", "@1", "--json", "--db", copy)
    assert done.status == 1
    first = done.document["first_difference"]
    assert (first["table"], first["column"]) == ("runs", column)
    assert outcomes(done.document)["row"] == "differs"


def test_a_run_without_its_bars_verifies_what_it_can(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """Chain and cash are checked, the rest is said to be unchecked; a wrong fill is still found."""
    bars = tmp_path / "bars.csv"
    lines = [
        f"AAA,2024-01-{day:02d},{day},{day + 1},{day - 0.5},{day},1000" for day in range(1, 29)
    ]
    bars.write_text("\n".join(["symbol,timestamp,open,high,low,close,volume", *lines]) + "\n")
    source = ("--source", f"csv:{bars}", "--calendar", "none", "--no-baselines", "--db", ledger)
    assert stepdeck("run", "buy_and_hold", *source).status == 0
    bars.unlink()
    done = stepdeck("verify", "@1", "--json", "--db", ledger)
    assert done.status == 0
    document = done.document
    assert document["ok"]
    assert not document["complete"]
    said = outcomes(document)
    assert (said["bars"], said["replay"]) == ("unchecked", "unchecked")
    assert (said["chain"], said["money"], said["row"]) == ("passed", "passed", "passed")
    text = stepdeck("verify", "@1", "--db", ledger).out
    assert "not checked" in text
    assert text.endswith("What could be checked agrees.\n")
    tamper(ledger, "UPDATE fills SET price = price + 1")
    first = stepdeck("verify", "@1", "--json", "--db", ledger).document["first_difference"]
    assert (first["table"], first["column"]) == ("equity", "cash")


def test_other_bars_are_named_before_what_they_change(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """A file with one close altered: the bars' hash, and no replay over wrong bars."""
    bars = tmp_path / "bars.csv"
    lines = [
        f"AAA,2024-01-{day:02d},{day},{day + 1},{day - 0.5},{day},1000" for day in range(1, 29)
    ]
    text = "\n".join(["symbol,timestamp,open,high,low,close,volume", *lines]) + "\n"
    bars.write_text(text)
    source = ("--source", f"csv:{bars}", "--calendar", "none", "--no-baselines", "--db", ledger)
    assert stepdeck("run", "buy_and_hold", *source).status == 0
    bars.write_text(text.replace("9.5,10,1000", "9.5,10.25,1000"))
    done = stepdeck("verify", "@1", "--json", "--db", ledger)
    assert done.status == 1
    first = done.document["first_difference"]
    assert (first["table"], first["column"]) == ("runs", "bars_hash")


def test_an_edited_strategy_is_named_and_a_missing_one_is_not_checked(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """The source's hash differs, the rows do not; a file that is gone is no difference."""
    own = tmp_path / "own.py"
    code = (
        "from engine import Order, Strategy\n\n\nclass Own(Strategy):\n    def decide(self, obs):\n"
        "        return Order.buy('AAPL', 5) if obs.step == 3 else None\n"
    )
    own.write_text(code)
    window = ("--symbols", "AAPL", "--end", "2000-06-30", "--no-baselines", "--db", ledger)
    assert stepdeck("run", f"{own}:Own", *window).status == 0
    assert stepdeck("verify", "@1", "--db", ledger).status == 0
    own.write_text(code + "# edited; importing this would raise\nraise SystemExit(9)\n")
    done = stepdeck("verify", "@1", "--json", "--db", ledger)
    assert done.status == 1
    assert done.document["first_difference"]["column"] == "strategy_hash"
    assert {name for name, said in outcomes(done.document).items() if said == "differs"} == {
        "strategy"
    }
    own.unlink()
    done = stepdeck("verify", "@1", "--json", "--db", ledger)
    assert done.status == 0
    assert outcomes(done.document)["strategy"] == "unchecked"


def test_a_run_that_is_not_there_is_refused(stepdeck: Command, momentum: Path) -> None:
    """Status 2, and no table."""
    done = stepdeck("verify", "nothing", "--db", momentum)
    assert (done.status, done.out) == (2, "")
