"""From packed rows to rows of the ledger, without a record of them between."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from engine.model import Fill, OrderRecord
from engine.runs.columns import NO_RESULT, fill_columns, market_orders, results
from engine.store.ledger import Ledger
from engine.store.reader import Reader
from tests.sim.builders import busy
from tests.store.kit import add, batch, start


def test_columns_read_back_as_the_records(tmp_path: Path) -> None:
    """Orders and fills that SQL put together are the records that packed rows stand for."""
    result = busy()
    packed, records = market_orders(result.orders)
    fills = fill_columns(result.fills)
    assert packed is not None
    assert len(packed.decided) > 700
    assert records
    assert fills is not None
    path = tmp_path / "runs.db"
    with Ledger.open(path) as ledger:
        part = batch(start(ledger), 0, result.rows, orders=records, market_orders=packed)
        assert add(ledger, replace(part, fills=fills))
    with Reader.open(path) as reader:
        present = {record.order_id: record for _, record in result.orders}
        stored = reader.orders("run-1")
        assert len(stored) == len(present)
        assert {record.order_id: record for record in stored} == present
        assert reader.fills("run-1") == list(result.fills)
    conn = sqlite3.connect(path)
    kinds = {
        row[0]
        for table, columns in (("orders", OrderRecord._fields), ("fills", Fill._fields))
        for name in columns
        for row in conn.execute(f"SELECT DISTINCT typeof({name}) FROM {table}")
    }
    conn.close()
    assert kinds == {"text", "real", "integer", "null"}


def test_results_name_the_orders_of_their_decision() -> None:
    """A decision's row lists the ids of all its orders, packed or not, in their order."""
    orders = busy().orders
    placed: dict[int, list[str]] = {}
    for _, record in orders:
        ids = placed.setdefault(record.step_index, [])
        if record.order_id not in ids:
            ids.append(record.order_id)
    wanted = {
        step: '{"orders":[' + ",".join(f'"{id_}"' for id_ in ids) + "]}"
        for step, ids in placed.items()
    }
    assert dict(results(orders)) == wanted
    assert dict(results(tuple(orders))) == wanted
    assert results(()) == {}
    assert NO_RESULT == '{"orders":[]}'


def test_a_batch_without_orders_has_no_columns() -> None:
    """Quiet steps have nothing to write but their equity."""
    assert market_orders(()) == (None, [])
    assert fill_columns(()) is None
