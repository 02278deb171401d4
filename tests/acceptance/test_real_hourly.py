"""Real hourly bars through the command line, and the ledger recomputed by another hand."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from engine.model import Fill

SYMBOLS = (
    "AAPL", "AMZN", "COST", "CVX", "GOOGL", "JPM", "KO", "MCD", "META", "MSFT", "NVDA", "XOM",
)  # fmt: skip


def _stepdeck(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui.cli", *arguments], capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def ledger(hourly_file: Path, tmp_path: Path) -> Path:
    """The ledger of twelve real symbols run through momentum."""
    path = tmp_path / "real.db"
    done = _stepdeck(
        "run", "momentum", "--source", f"csv:{hourly_file}", "--symbols", ",".join(SYMBOLS),
        "--db", str(path), "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    return path


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)


def test_equity_follows_from_the_fills_and_the_file(ledger: Path, hourly_file: Path) -> None:
    """At every row, cash and equity recomputed from fills and the file's closes are the ledger's.

    Neither the engine nor its readers take part: sqlite3 reads the ledger, pandas the bars.
    """
    bars = pd.read_csv(hourly_file)
    bars = bars[bars["symbol"].isin(SYMBOLS)]
    bars["timestamp"] = pd.to_datetime(bars["timestamp"], utc=True)
    closes = bars.pivot_table(index="timestamp", columns="symbol", values="close").ffill()
    with closing(_open(ledger)) as db:
        (run_id, cash), = db.execute(
            "SELECT run_id, initial_cash FROM runs WHERE baseline_of IS NULL"
        ).fetchall()  # fmt: skip
        names = ", ".join(Fill._fields)
        fills = defaultdict(list)
        for row in db.execute(f"SELECT {names} FROM fills WHERE run_id = ?", (run_id,)):
            fill = Fill(*row)
            fills[pd.Timestamp(fill.ts)].append(fill)
        curve = db.execute(
            "SELECT ts, equity, cash FROM equity WHERE run_id = ? ORDER BY step_index", (run_id,)
        ).fetchall()
    assert len(curve) == len(closes)
    assert sum(map(len, fills.values())) > 10_000
    held = dict.fromkeys(SYMBOLS, 0.0)
    for ts, equity, in_cash in curve:
        for fill in fills[pd.Timestamp(ts)]:
            signed = fill.quantity if fill.side == "buy" else -fill.quantity
            held[fill.symbol] += signed
            cash -= signed * fill.price + fill.commission + fill.fees
            assert held[fill.symbol] == fill.position_after
        row = closes.loc[pd.Timestamp(ts)]
        worth = cash + sum(quantity * row[symbol] for symbol, quantity in held.items() if quantity)
        assert in_cash == pytest.approx(cash, abs=1e-6)
        assert equity == pytest.approx(worth, abs=1e-6)


def test_pandas_and_sqlite_read_the_same_while_another_run_writes(
    ledger: Path, hourly_file: Path
) -> None:
    """Two readers that know nothing of us see a finished run unchanged beside a running one."""
    writer = subprocess.Popen(
        [
            sys.executable, "-m", "tui.cli", "run", "momentum", "--source", f"csv:{hourly_file}",
            "--speed", "300", "--db", str(ledger),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        seen: set[int] = set()
        while len(seen) < 5:
            assert writer.poll() is None, writer.communicate()[1]
            with closing(_open(ledger)) as db:
                db.execute("BEGIN")
                runs = pd.read_sql("SELECT * FROM runs WHERE baseline_of IS NULL", db)
                counts = dict(
                    db.execute("SELECT run_id, count(*) FROM equity GROUP BY run_id").fetchall()
                )
                last = db.execute(
                    "SELECT equity FROM equity WHERE run_id = ? ORDER BY step_index DESC LIMIT 1",
                    (runs["run_id"][0],),
                ).fetchone()
            finished = runs.iloc[0]
            assert (finished["status"], finished["equity"]) == ("completed", last[0])
            for run in runs.itertuples():
                assert run.step_index == counts.get(run.run_id, 0)
            running = runs[runs["status"] == "running"]
            seen |= {int(step) for step in running["step_index"].tolist()}
    finally:
        writer.terminate()
        writer.communicate()
    with closing(_open(ledger)) as db:
        states = [row[0] for row in db.execute("SELECT status FROM runs ORDER BY run_key")]
    assert states[0] == "completed"
    assert states[-1] == "interrupted"
