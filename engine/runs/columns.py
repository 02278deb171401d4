"""What a batch settled, as the ledger takes it: packed rows in columns, without records of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from engine.model import Fill, OrderRecord
from engine.sim.records import Endings, Fills, Orders, Packed, Touch, shares
from engine.store.columns import FillColumns, MarketOrders

NO_RESULT: Final = '{"orders":[]}'


def results(orders: Sequence[Touch]) -> Mapping[int, str]:
    """The orders of each decision as the JSON of its row's ``result``, by step."""
    texts: dict[int, str] = {}
    placed: dict[int, dict[str, None]] = {}
    shapes: dict[int, str] = {}
    for part in orders.parts if isinstance(orders, Orders) else (tuple(orders),):
        if not isinstance(part, Packed):
            for _, record in part:
                placed.setdefault(record.step_index, {})[record.order_id] = None
            continue
        # All of a decision's, whose intents are numbered from 0.
        found = np.unique(part.rows["decided"], return_counts=True)
        for step, count in zip(*(column.tolist() for column in found), strict=True):
            shape = shapes.get(count)
            if shape is None:
                shape = shapes[count] = _result(f"#-{number}" for number in range(count))
            texts[step] = shape.replace("#", str(step))
    return texts | {step: _result(ids) for step, ids in placed.items()}


def _result(order_ids: Iterable[str]) -> str:
    ids = ",".join([f'"{order_id}"' for order_id in order_ids])  # ours: nothing to escape
    return f'{{"orders":[{ids}]}}'


def market_orders(orders: Sequence[Touch]) -> tuple[MarketOrders | None, list[OrderRecord]]:
    """The packed orders in columns, and the records of all others in the order they were touched.

    An order with a tag goes by its record: each has a text of its own.
    """
    if not isinstance(orders, Orders):
        return None, [record for _, record in orders]
    plain = [part.rows for part in orders.parts if isinstance(part, Packed) and not part.tags]
    others = Orders(
        orders.legend,
        [part for part in orders.parts if not isinstance(part, Packed) or part.tags],
    )
    records = [record for _, record in others]
    if not plain:
        return None, records
    rows, legend = np.concatenate(plain), orders.legend
    endings = Endings.of(rows)
    lots = rows["lots"]
    columns = MarketOrders(
        symbols=legend.symbols,
        endings=endings.endings,
        decided=rows["decided"],
        number=rows["number"],
        symbol=rows["column"],
        ending=endings.place,
        requested=rows["requested"],
        quantity=np.where(lots != 0.0, shares(lots, legend), np.nan),
        filled=shares(rows["filled"], legend),
        closed=rows["step"],
    )
    return columns, records


def fill_columns(fills: Sequence[Fill]) -> FillColumns | None:
    """Fills in columns; None where there are none."""
    if not fills:
        return None
    assert isinstance(fills, Fills), "a simulation packs its fills"
    rows, legend = fills.rows, fills.legend
    return FillColumns(
        symbols=legend.symbols,
        fill_id=np.arange(fills.first, fills.first + len(rows)),
        decided=rows["decided"],
        number=rows["number"],
        step=rows["step"],
        stamp=legend.stamps[rows["step"]],
        symbol=rows["column"],
        quantity=shares(rows["lots"], legend),
        price=rows["price"],
        reference_price=rows["reference"],
        commission=rows["commission"],
        fees=rows["fees"],
        slippage=fills.slippages(),
        realized_pnl=rows["realized"],
        position_after=fills.positions(),
        avg_cost_after=rows["avg_cost"],
    )
