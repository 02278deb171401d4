"""The runs that are killed, stopped and raced, and what each comes to when nobody disturbs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from engine import market
from engine.market import Bars
from engine.model import Costs, Decision, Order, Rules, RunRequest, Target
from engine.store.reader import Reader
from tests.runs.conftest import Deck

_SINCE: Final = date(2009, 1, 1)

WORKS: Final[Mapping[str, RunRequest]] = {
    "long": RunRequest("sma_cross", symbols=("AAPL", "IBM"), start=date(2007, 1, 1)),
    "momentum": RunRequest(
        "momentum", symbols=("AAPL", "IBM", "MSFT"), start=_SINCE, baselines=False
    ),
    "costly": RunRequest(
        "rsi_reversion",
        symbols=("MSFT", "GOOG"),
        start=_SINCE,
        rules=Rules(costs=Costs.of("us-equity"), participation=0.1),
        baselines=False,
    ),
    "quick": RunRequest("sma_cross", symbols=("IBM",), start=_SINCE, end=date(2009, 12, 31)),
    "hand": RunRequest(
        "manual", symbols=("AAPL",), start=_SINCE, end=date(2009, 4, 30), baselines=False
    ),
    "hand_at_close": RunRequest(
        "manual",
        symbols=("IBM",),
        start=_SINCE,
        end=date(2009, 2, 28),
        rules=Rules(fill="close"),
        baselines=False,
    ),
}
"""By name; a run in a ledger has the name of its work."""

BY_HAND: Final = frozenset({"hand", "hand_at_close"})


def request(work: str) -> RunRequest:
    """The request of a work, named after it."""
    return replace(WORKS[work], name=work)


@cache
def hold_bars() -> list[Bars]:
    """Keep the bars of all works in memory, where this process's runs then find them."""
    return [market.resolve(request).load() for request in WORKS.values()]


def by_hand(symbol: str, step: int) -> Decision:
    """What a person decides at a step: orders that fill, rest, are cancelled and are refused."""
    if step % 9 == 0:
        return Decision((Order.buy(symbol, 10),), rationale=f"step {step}")
    if step % 9 == 2:
        return Decision((Order.sell(symbol, 3, limit=1_000.0, time_in_force="gtc", tag="far"),))
    if step % 9 == 4:
        return Decision(cancels=("far",))
    if step % 9 == 5:
        return Decision(targets=(Target(symbol, 0.25),))
    if step % 9 == 7:
        return Decision((Order.sell(symbol, 10_000),))
    return Decision()


def key_of(rewinds: int, step: int) -> str:
    """The key of a decision by hand: what a rewind discards takes its keys with it."""
    return f"key-{rewinds}-{step}"


class Result(NamedTuple):
    """Everything a run came to that does not depend on when and by whom."""

    status: str
    end_reason: str | None
    digest: str
    figures: tuple[Any, ...]
    metrics: Mapping[str, Any]
    equity: tuple[bytes, ...]
    fills: tuple[Any, ...]
    orders: tuple[Any, ...]
    flows: tuple[Any, ...]
    steps: tuple[Any, ...]
    positions: tuple[Any, ...]


def result(reader: Reader, run_id: str) -> Result:
    """What the ledger holds of a run, as far as it must be the same for the same work."""
    with reader.moment():
        record = reader.run(run_id)
        return Result(
            record.status,
            record.end_reason,
            reader.commits(run_id)[-1].digest,
            (record.step_index, record.total_steps, record.equity, record.cash, record.num_fills,
             record.num_trades, record.total_costs, record.total_return, record.max_drawdown,
             record.bars_hash, record.config_hash, record.strategy_hash),
            record.metrics,
            tuple(column.tobytes() for column in reader.equity(run_id)),
            tuple(reader.fills(run_id)),
            tuple(reader.orders(run_id)),
            tuple(reader.cash_flows(run_id)),
            tuple(
                (row.step_index, row.ts, row.status, row.decision_source, row.decision, row.result)
                for row in reader.steps(run_id)
            ),
            tuple(reader.positions(run_id)),
        )  # fmt: skip


@cache
def undisturbed(work: str) -> Result:
    """What the work comes to in a process that nobody kills."""
    with TemporaryDirectory() as folder:
        deck = Deck(Path(folder) / "runs.db")
        try:
            if work not in BY_HAND:
                record = deck.run(replace(request(work), baselines=False))
            else:
                session = deck.ready(request(work))
                run_id, (symbol,) = session.run_id, session.prepared.source.symbols
                total = session.simulation.total_steps
                for step in range(total):
                    decision = by_hand(symbol, step)
                    record = deck.service.submit(run_id, step, decision, key=key_of(0, step))
            with deck.reader() as reader:
                return result(reader, record.run_id)
        finally:
            deck.close()
