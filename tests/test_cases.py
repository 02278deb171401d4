"""The engine's policy as executable cases, each run through the real command line.

A case is one JSON file: a rule, a few bars, a decision tape and what the ledger must then hold,
worked out on paper. ``tests/cases`` holds ours, ``tests/cases/own`` those that the runner beside
the shared cases cannot check (shorts, ruin, actions on a day without a bar); the cases in the
folder ``shared`` are run where it is present. Beyond what a case states, every case's ledger must
follow from its own fills, bars and actions.
"""

from __future__ import annotations

import csv
import json
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, SHARED
from tui.cli import call

OURS = ROOT / "tests" / "cases"
CASES = [
    *sorted(OURS.glob("*.json")),
    *sorted((OURS / "own").glob("*.json")),
    *sorted((SHARED / "cases").glob("*.json")),
]
MONEY, RATIO, EXACT = 1e-6, 1e-6, 1e-9
FIGURES = {
    "price": EXACT,
    "reference_price": EXACT,
    "avg_cost_after": EXACT,
    "commission": MONEY,
    "fees": MONEY,
    "slippage": MONEY,
    "realized_pnl": MONEY,
}
TERMINAL = {"filled", "partially_filled", "cancelled", "expired", "rejected"}
Row = dict[str, Any]
Ledger = dict[str, list[Row]]


def near(figure: float | None, tolerance: float) -> object:
    """What compares equal to ``figure`` within an absolute tolerance; None to None alone."""
    return None if figure is None else pytest.approx(figure, rel=0, abs=tolerance)


def run_case(case: Row, folder: Path) -> Ledger:
    """Run the case into a ledger of its own; that ledger's rows by table."""
    for name, header, rows in (
        ("bars", "symbol timestamp open high low close volume", case["bars"]),
        ("actions", "symbol ex_date kind value pay_date", case["actions"]),
    ):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header.split(), *rows])
    tape = folder / "tape.jsonl"
    tape.write_text("".join(json.dumps(line) + "\n" for line in case["tape"]))
    words = ["run", f"tape:{tape}", "--source", f"csv:{folder / 'bars.csv'}"]
    words += ["--symbols", ",".join(dict.fromkeys(bar[0] for bar in case["bars"]))]
    words += ["--no-baselines", "--json", "--db", str(folder / "case.db")]
    if case["actions"]:
        words += ["--actions", str(folder / "actions.csv")]
    for name, value in case["config"].items():
        words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    assert call(words) == 0
    uri = f"{(folder / 'case.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5)) as conn:
        conn.row_factory = sqlite3.Row
        return {
            table: [dict(row) for row in conn.execute(f"SELECT * FROM {table} ORDER BY {order}")]
            for table, order in (
                ("runs", "run_id"),
                ("orders", "step_index, length(order_id), order_id"),
                ("fills", "step_index, length(fill_id), fill_id"),
                ("equity", "step_index"),
                ("positions", "symbol"),
            )
        }


def check_expected(case: Row, ledger: Ledger) -> None:
    """What stands under ``expected``, and only that."""
    expected: Row = case["expected"]
    lot = min(EXACT, case["config"]["lot"] / 2)  # one lot short is a difference
    (run,), curve = ledger["runs"], ledger["equity"]
    if "fills" in expected:
        fills = list(ledger["fills"])
        for want in expected["fills"]:
            key = (want["at"], want["symbol"], want["side"])
            got = next(
                (fill for fill in fills if (fill["ts"], fill["symbol"], fill["side"]) == key), None
            )
            assert got is not None, f"no fill {key}"
            fills.remove(got)
            assert got["quantity"] == near(want["quantity"], lot), key
            for name in want.keys() & FIGURES.keys():
                assert got[name] == near(want[name], FIGURES[name]), (key, name)
        assert fills == []
    records = {row["tag"]: row for row in ledger["orders"]}
    for want in expected.get("orders", []):
        got = records[want["tag"]]
        names = want.keys() & {"symbol", "side", "status", "reason"}
        assert {name: got[name] for name in names} == {name: want[name] for name in names}, want
        if "filled_quantity" in want:
            assert got["filled_quantity"] == near(want["filled_quantity"], lot), want
    recorded = {row["ts"]: row["equity"] for row in curve} | {"final": curve[-1]["equity"]}
    for stamp, equity in dict(expected.get("equity", {})).items():
        assert recorded[stamp] == near(equity, MONEY), stamp
    if "cash" in expected:
        assert curve[-1]["cash"] == near(expected["cash"], MONEY)
    held = {row["symbol"]: row for row in ledger["positions"] if row["quantity"]}
    if "positions" in expected:
        quantities = {symbol: row["quantity"] for symbol, row in held.items()}
        assert quantities == {
            symbol: near(quantity, lot) for symbol, quantity in expected["positions"].items()
        }
    for symbol, cost in expected.get("avg_cost", {}).items():
        assert held[symbol]["avg_cost"] == near(cost, EXACT), symbol
    for name, value in expected.get("metrics", {}).items():
        assert run[name] == near(value, RATIO if name in ("sharpe", "sortino") else EXACT), name


class Book:
    """Cash, holdings and what is due, kept from a ledger's fills and the case's actions alone."""

    def __init__(self, case: Row) -> None:
        self.lot: float = case["config"]["lot"]
        self.cash: float = case["config"]["cash"]
        self.held: dict[str, float] = {}
        self.average: dict[str, float] = {}
        self.close: dict[str, float] = {}
        self.due: list[tuple[str, float]] = []
        self.realized = 0.0
        # Of one day's actions the split comes first, wherever it stands in the file.
        self._actions: list[Sequence[Any]] = sorted(
            case["actions"], key=lambda action: (action[1], action[2] != "split")
        )

    def act(self, day: str, opens: Mapping[str, float]) -> None:
        """The actions whose time has come at a grid point of ``day``, and payments due by then.

        A split waits for its symbol's first bar, so for its open in ``opens``.
        """
        ripe = [one for one in self._actions if one[1] <= day]
        for action in [one for one in ripe if one[2] == "dividend" or one[0] in opens]:
            symbol, ex_date, kind, value, pay_date = action
            self._actions.remove(action)
            total = self.held.get(symbol, 0.0) * value
            if kind == "dividend":
                self.due.append((pay_date or ex_date, total))
            elif total:
                lots = math.floor(abs(total) / self.lot + 1e-6) * self.lot
                self.held[symbol] = math.copysign(lots, total)
                self.average[symbol] /= value
                rest = total - self.held[symbol]
                self.cash += rest * opens[symbol]
                self.realized += rest * (opens[symbol] - self.average[symbol])
        self.cash += sum(amount for pay, amount in self.due if pay <= day)
        self.due = [(pay, amount) for pay, amount in self.due if pay > day]

    def fill(self, fill: Row) -> None:
        """One fill: its cash, the holding and average cost after it, its realised P&L."""
        symbol, price = fill["symbol"], fill["price"]
        before = self.held.get(symbol, 0.0)
        change = fill["quantity"] * (1 if fill["side"] == "buy" else -1)
        costs = fill["commission"] + fill["fees"]
        after = before + change
        closed = 0.0
        if before * change < 0:
            closed = math.copysign(min(abs(before), abs(change)), before)
        realized = closed * (price - self.average.get(symbol, 0.0)) - costs
        if not closed:
            paid = before * self.average.get(symbol, 0.0) + change * price
            self.average[symbol] = paid / after
        elif before * after < 0:
            self.average[symbol] = price
        self.cash -= change * price + costs
        self.held[symbol] = after
        self.realized += realized
        assert fill["realized_pnl"] == near(realized, MONEY), fill
        assert fill["position_after"] == near(after, EXACT), fill
        slipped = fill["reference_price"] + fill["slippage"] / change
        assert price == near(slipped, EXACT), fill

    @property
    def worth(self) -> float:
        """Cash, holdings at the last close seen, receivables."""
        marked = sum(
            quantity * self.close[symbol] for symbol, quantity in self.held.items() if quantity
        )
        return self.cash + marked + sum(amount for _, amount in self.due)


def check_ledger(case: Row, ledger: Ledger) -> None:
    """Cash, equity, positions and P&L follow from the fills, the bars and the actions."""
    bars = {(bar[0], bar[1]): bar[2:6] for bar in case["bars"]}
    grid = sorted({stamp for _, stamp in bars})[: case["expected"].get("rows")]
    (run,), book = ledger["runs"], Book(case)
    reason = case["expected"].get("end_reason", "end_of_data")
    assert (run["status"], run["end_reason"]) == ("completed", reason)
    assert [row["ts"] for row in ledger["equity"]] == grid
    assert run["step_index"] == len(grid)
    for row in ledger["equity"]:
        stamp = row["ts"]
        here = {symbol: bar for (symbol, at), bar in bars.items() if at == stamp}
        book.act(stamp[:10], {symbol: bar[0] for symbol, bar in here.items()})
        for fill in (fill for fill in ledger["fills"] if fill["ts"] == stamp):
            _, high, low, _ = here[fill["symbol"]]
            assert low - EXACT <= fill["reference_price"] <= high + EXACT, fill
            book.fill(fill)
            assert case["config"].get("allow-short") or min(book.cash, *book.held.values()) > -EXACT
        book.close.update({symbol: bar[3] for symbol, bar in here.items()})
        assert row["cash"] == near(book.cash, MONEY), stamp
        assert row["equity"] == near(book.worth, MONEY), stamp
        assert row["cash"] >= 0 or case["config"].get("allow-short"), stamp
    assert run["equity"] == near(book.worth, MONEY)
    assert run["cash"] == near(book.cash, MONEY)
    assert book.realized == near(case["expected"].get("realized_pnl", book.realized), MONEY)
    kept = {row["symbol"]: row for row in ledger["positions"] if row["quantity"]}
    for symbol in book.held.keys() | kept.keys():
        quantity = kept[symbol]["quantity"] if symbol in kept else 0.0
        assert quantity == near(book.held.get(symbol, 0.0), EXACT), symbol
        if quantity:
            assert kept[symbol]["avg_cost"] == near(book.average[symbol], EXACT), symbol


def intents(case: Row) -> Iterator[str | None]:
    """The tag of every order and target of the tape; a target has none."""
    for line in case["tape"]:
        yield from (order["tag"] for order in line.get("orders", []))
        yield from (None for _ in line.get("targets", {}))


def check_orders(case: Row, ledger: Ledger) -> None:
    """Each intent has exactly one record, a terminal one that agrees with its fills."""
    tags = sorted(tag or "" for tag in intents(case))
    assert sorted(row["tag"] or "" for row in ledger["orders"]) == tags
    assert len({row["order_id"] for row in ledger["orders"]}) == len(tags)
    for row in ledger["orders"]:
        quantities = [
            fill["quantity"] for fill in ledger["fills"] if fill["order_id"] == row["order_id"]
        ]
        assert row["status"] in TERMINAL, row
        assert (row["status"] in ("filled", "partially_filled")) == bool(quantities), row
        assert row["filled_quantity"] == near(sum(quantities), EXACT), row
        assert (row["reason"] is None) == (row["status"] == "filled"), row


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, tmp_path: Path) -> None:
    """The ledger that the command leaves holds what the case says and follows from its fills."""
    case = json.loads(path.read_text())
    assert case["id"] == path.stem
    ledger = run_case(case, tmp_path)
    check_expected(case, ledger)
    check_ledger(case, ledger)
    check_orders(case, ledger)
