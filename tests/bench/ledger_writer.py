"""How fast the ledger takes steps: ``python -m tests.bench.ledger_writer [--rows N]``.

Three figures, each on a fresh ledger in a temporary folder: a million quiet steps in commits of
5,000; busy steps (six orders, five fills, thirty holdings each) in batches; one step per commit.
"""

from __future__ import annotations

import argparse
import platform
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.model import Fill, OrderRecord
from engine.store import writes
from engine.store.ledger import Ledger
from tests.store.kit import in_columns

MINUTE = 60_000_000
AT = "2026-01-02T14:30:00Z"


def main() -> None:
    """Run the three and print them with the machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(f"{platform.platform()}, Python {platform.python_version()}, ", end="")
    print(f"SQLite {sqlite3.sqlite_version}, journal WAL, synchronous FULL, data synthetic")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        quiet(Path(folder) / "quiet.db", rows)
        busy(Path(folder) / "busy.db", 1_750, 50)
        durable(Path(folder) / "durable.db", 500)


def quiet(path: Path, rows: int, batch: int = 5_000) -> None:
    """Equity rows alone."""
    stamps = np.arange(rows, dtype=np.int64) * MINUTE
    equity = np.random.default_rng(0).random(rows) * 1e5
    with Ledger.open(path) as ledger:
        key = _run(ledger)
        began = time.perf_counter()
        for first in range(0, rows, batch):
            part = slice(first, first + batch)
            append = _append(key, first, stamps[part], equity[part])
            _add(ledger, append)
        spent = time.perf_counter() - began
    print(f"{rows:,} quiet steps in commits of {batch:,}: {spent:.2f} s")


def busy(path: Path, steps: int, batch: int) -> None:
    """Steps that trade: what a portfolio strategy writes."""
    orders = [_order(step, n) for step in range(steps) for n in range(6)]
    fills = [_fill(step, n) for step in range(steps) for n in range(5)]
    holdings = [(f"S{n}", 10.0, 100.0, 101.0) for n in range(30)]
    with Ledger.open(path) as ledger:
        key = _run(ledger)
        began = time.perf_counter()
        for first in range(0, steps, batch):
            count = min(batch, steps - first)
            append = writes.Append(
                run_id="bench",
                run_key=key,
                owner="me",
                epoch=1,
                first=first,
                stamps=np.arange(first, first + count) * MINUTE,
                equity=np.full(count, 1e5),
                cash=np.full(count, 5e4),
                digest="0" * 64,
                at=AT,
                orders=orders[first * 6 : (first + count) * 6],
                fills=in_columns(fills[first * 5 : (first + count) * 5]),
                steps=[_step(step) for step in range(first, first + count)],
                holdings=holdings,
            )
            _add(ledger, append)
        spent = time.perf_counter() - began
    print(
        f"{steps:,} steps of 6 orders and 5 fills in commits of {batch}: {spent:.2f} s, "
        f"{spent / steps * 1e6:.0f} us a step"
    )


def durable(path: Path, steps: int) -> None:
    """One step per commit, as a hand step is."""
    with Ledger.open(path) as ledger:
        key = _run(ledger)
        spent = []
        for step in range(steps):
            append = _append(key, step, np.array([step * MINUTE]), np.array([1e5]))
            began = time.perf_counter()
            _add(ledger, append)
            spent.append(time.perf_counter() - began)
    median, worst = np.percentile(spent, [50, 99])
    print(f"one step per commit: median {median * 1e3:.2f} ms, p99 {worst * 1e3:.2f} ms")


def _run(ledger: Ledger) -> int:
    columns = {
        "run_id": "bench",
        "strategy": "sma_cross",
        "driver": "strategy",
        "status": "running",
        "source": "synthetic",
        "initial_cash": 1e5,
        "owner_instance": "me",
        "lease_epoch": 1,
        "created_at": AT,
        "updated_at": AT,
        "config_hash": "0",
        "engine_version": "0",
    }
    return ledger.write(lambda conn: writes.insert_run(conn, columns))


def _add(ledger: Ledger, append: writes.Append) -> None:
    assert ledger.write(lambda conn: writes.append(conn, append))


def _append(
    key: int,
    first: int,
    stamps: NDArray[np.int64],
    equity: NDArray[np.float64],
) -> writes.Append:
    return writes.Append(
        run_id="bench",
        run_key=key,
        owner="me",
        epoch=1,
        first=first,
        stamps=stamps,
        equity=equity,
        cash=equity,
        digest="0" * 64,
        at=AT,
    )


def _order(step: int, n: int) -> OrderRecord:
    return OrderRecord(
        f"{step}-{n}", step, f"S{n}", "buy", "market", "shares", 10.0, 10.0, None, None,
        "day", None, None, "filled", None, 10.0, step + 1,
    )  # fmt: skip


def _fill(step: int, n: int) -> Fill:
    return Fill(
        step * 5 + n, f"{step}-{n}", step, step * MINUTE, f"S{n}", "buy",
        10.0, 101.0, 100.9, 0.0, 0.02, 1.0, 0.0, 10.0, 100.0,
    )  # fmt: skip


def _step(step: int) -> writes.StepRow:
    decision = '{"targets":{"AAPL":0.2,"MSFT":0.2,"NVDA":0.2,"AMZN":0.2,"GOOG":0.2}}'
    return writes.StepRow(
        step, f"bench.0.{step}", AT, "completed", "strategy", None, decision, "{}", None, AT
    )


if __name__ == "__main__":
    main()
