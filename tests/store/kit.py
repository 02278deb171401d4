"""Runs and batches for the ledger's tests, and the other processes they need."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.model import CashFlow, Fill, OrderRecord
from engine.store import writes
from engine.store.columns import FillColumns
from engine.store.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
AT = "2026-03-02T14:30:00.000Z"
OPEN = 1_772_461_800_000_000  # 2026-03-02T14:30:00Z in microseconds
HOUR = 3_600_000_000


def columns(run_id: str, **over: Any) -> dict[str, Any]:
    """The columns a new run has, owned by ``me`` at epoch 1 and running."""
    return {
        "run_id": run_id,
        "tags": ["one", "two"],
        "strategy": "sma_cross",
        "driver": "strategy",
        "status": "running",
        "source": "sample",
        "symbols": ["AAPL", "MSFT"],
        "config": {"fast": 10},
        "initial_cash": 100_000.0,
        "total_steps": 1000,
        "owner_instance": "me",
        "lease_epoch": 1,
        "created_at": AT,
        "updated_at": AT,
        "config_hash": "c0ffee",
        "engine_version": "0.1.0",
        **over,
    }


def start(ledger: Ledger, run_id: str = "run-1", **over: Any) -> int:
    """A new run; its key."""
    return ledger.write(lambda conn: writes.insert_run(conn, columns(run_id, **over)))


def batch(key: int, first: int, count: int, run_id: str = "run-1", **over: Any) -> writes.Append:
    """``count`` quiet steps from ``first`` on; each step's equity is its index."""
    steps = np.arange(first, first + count, dtype=np.int64)
    values: dict[str, Any] = {
        "run_id": run_id,
        "run_key": key,
        "owner": "me",
        "epoch": 1,
        "first": first,
        "stamps": OPEN + steps * HOUR,
        "equity": steps.astype(np.float64),
        "cash": steps.astype(np.float64) / 2,
        "digest": f"digest-{first + count}",
        "at": AT,
        **over,
    }
    if "fills" in over:
        values["fills"] = in_columns(over["fills"])
    return writes.Append(**values)


def in_columns(fills: Sequence[Fill]) -> FillColumns:
    """Fills as the ledger takes them."""
    symbols = sorted({fill.symbol for fill in fills})
    ids = np.array([fill.order_id.split("-") for fill in fills], dtype=np.int64).reshape(-1, 2)

    def column(name: str) -> Any:
        return np.array([getattr(fill, name) for fill in fills])

    figures = (
        "price", "reference_price", "commission", "fees", "slippage", "realized_pnl",
        "position_after", "avg_cost_after",
    )  # fmt: skip
    return FillColumns(
        symbols=symbols,
        fill_id=column("fill_id"),
        decided=ids[:, 0],
        number=ids[:, 1],
        step=column("step_index"),
        stamp=column("ts"),
        symbol=np.array([symbols.index(fill.symbol) for fill in fills]),
        quantity=np.where(column("side") == "sell", -1.0, 1.0) * column("quantity"),
        **{name: column(name) for name in figures},
    )


def add(ledger: Ledger, part: writes.Append) -> bool:
    """Append a batch as a run does; whether it landed."""
    image = writes.laid_out(part)
    before = (
        None
        if image is None
        else partial(writes.WritingConnection.lay_beside, image=image, whose=part)
    )
    return ledger.submit(lambda conn: writes.append(conn, part), before=before).result()


def busy_batch(key: int, first: int, **over: Any) -> writes.Append:
    """One step that writes a row into every table a batch can write to."""
    return batch(
        key,
        first,
        1,
        orders=[order(first, 0), order(first, 1, symbol="MSFT", status="resting")],
        fills=[fill(first, first, 0)],
        cash_flows=[CashFlow(first, OPEN + first * HOUR, "AAPL", "dividend", 10.0, 2.5, 0.0)],
        steps=[step(first)],
        holdings=[("AAPL", 10.0, 100.0, 110.0)],
        **over,
    )


def order(step_index: int, n: int, **over: Any) -> OrderRecord:
    """A filled market order."""
    record = OrderRecord(
        f"{step_index}-{n}", step_index, "AAPL", "buy", "market", "shares", 10.0, 10.0, None, None,
        "day", None, None, "filled", None, 10.0, step_index + 1,
    )  # fmt: skip
    return record._replace(**over)


def fill(step_index: int, fill_id: int, n: int, **over: Any) -> Fill:
    """The fill of ``order(step_index, n)``."""
    made = Fill(
        fill_id, f"{step_index}-{n}", step_index, OPEN + step_index * HOUR, "AAPL", "buy", 10.0,
        100.01, 100.0, 0.0, 0.02, 0.1, -0.02, 10.0, 100.01,
    )  # fmt: skip
    return made._replace(**over)


def step(step_index: int, **over: Any) -> writes.StepRow:
    """The record of a decision."""
    row = writes.StepRow(
        step_index, f"run-1.0.{step_index}", AT, "completed", "strategy", None,
        '{"targets":{"AAPL":0.5}}', '{"orders":[]}', None, AT,
    )  # fmt: skip
    return row._replace(**over)


def end(ledger: Ledger, run_id: str = "run-1", status: str = "completed") -> bool:
    """Move a run to a terminal status."""
    return ledger.write(
        lambda conn: writes.transition(
            conn,
            run_id,
            sources={"created", "loading", "running", "paused", "interrupted"},
            to=status,
            owner=None,
            epoch=None,
            reason="end_of_data",
            at=AT,
            columns={"finished_at": AT, "end_reason": "end_of_data", "total_return": 0.5},
        )
    )


@contextmanager
def process(
    *words: str | Path | int, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Another process at ``tests.store.child``; it is gone afterwards."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.store.child", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def said(child: subprocess.Popen[str]) -> str:
    """The next line the process printed."""
    assert child.stdout is not None
    return child.stdout.readline().strip()


def tell(child: subprocess.Popen[str]) -> None:
    """Let a process that waits for a line go on."""
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()
