"""A run as files: CSV and Parquet (a folder, one file a table), one JSON document, a page, a tape.

CSV and JSON hold the ledger's own columns, stamps as ISO 8601 text; Parquet holds stamps as
timestamps in UTC. The JSON that the ledger keeps as text is part of the JSON document. Text of the
ledger is written as it is: files are for programs.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from engine.codec import decode_decision, loads
from engine.errors import InvalidOption
from engine.model import CashFlow, Fill, OrderRecord, Position, RunRecord, stamp_text
from engine.store.records import StepRecord, stamp_of
from tui.files import refusals, refuse_to_replace, write_atomically, write_folder_atomically
from tui.gateway import Gateway, RunDetail
from tui.plain import run_document

Format = Literal["csv", "parquet", "json", "html", "tape"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
OF_THE_WHOLE: Final[frozenset[Format]] = frozenset({"html"})
"""What is never of a moment in between."""
TABLES: Final = ("equity", "orders", "fills", "steps", "cash_flows")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a run: its columns and its rows, stamps as microseconds in ``ts``."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def export_run(
    gateway: Gateway,
    run_id: str,
    form: Format,
    target: Path,
    *,
    force: bool = False,
    settled: int | None = None,
) -> Mapping[str, int]:
    """Write the run to ``target``; rows by table, the lines of the tape, or the days of the page.

    CSV and Parquet make the folder ``target``, the others the file. With ``settled`` the run is
    written as it was when so many grid points were settled. Raises ``InvalidOption`` if something
    is there and ``force`` is not given, if the place refuses, or for a page of a moment, and
    ``NotAvailable`` for a page without the package that draws it.
    """
    refuse_to_replace(target, folder=form in ("csv", "parquet"), force=force)
    if form == "tape":
        return {"decisions": _write_tape(gateway, run_id, target, settled)}
    if form in OF_THE_WHOLE and settled is not None:
        raise InvalidOption(
            f"{form} is of the whole run", field="format", remedy="choose the whole run"
        )
    if form == "html":
        from tui.tear_sheet import tear_sheet

        page, days = tear_sheet(gateway, run_id)
        write_atomically(target, lambda part: part.write_text(page, encoding="utf-8"))
        return {"days": days}
    record, tables = read_tables(gateway, run_id, settled)
    if form == "json":
        moment = {} if settled is None else {"moment": {"step_index": settled - 1}}
        document = (
            {"run": run_document(record)}
            | moment
            | {
                name: [_object(table.columns, row) for row in _with_text(table)]
                for name, table in tables.items()
            }
        )
        text = json.dumps(document, allow_nan=False, ensure_ascii=False)
        write_atomically(target, lambda part: part.write_text(text + "\n", encoding="utf-8"))
    elif form == "csv":
        write_folder_atomically(target, lambda part: _write_csv(part, tables))
    else:
        write_folder_atomically(target, lambda part: _write_parquet(part, tables))
    return {name: len(table.rows) for name, table in tables.items()}


def export_rows(detail: RunDetail, name: str, keys: Collection[str], target: Path) -> int:
    """Write some rows of the ``positions``, ``orders`` or ``decisions`` as one CSV file; how many.

    ``keys`` are symbols, order ids or numbers of steps; what the run has no row of is left out.
    Raises ``InvalidOption`` if something is there, or if the place refuses.
    """
    refuse_to_replace(target, folder=False, force=False)
    if name == "orders":
        table = _of([row for row in detail.orders if row.order_id in keys], OrderRecord)
    elif name == "decisions":
        table = _steps([row for row in detail.decisions if str(row.step_index) in keys])
    else:
        table = _of([row for row in detail.positions if row.symbol in keys], Position)
    write_atomically(target, lambda part: _write_table(part, table))
    return len(table.rows)


def read_tables(
    gateway: Gateway, run_id: str, settled: int | None = None
) -> tuple[RunRecord, dict[str, Table]]:
    """The run's row and its tables as they are at one look, or were when ``settled``."""
    detail = _detail(gateway, run_id, settled)
    equity = zip(
        range(len(detail.stamps)),
        detail.stamps.tolist(),
        detail.equity.tolist(),
        detail.cash.tolist(),
        strict=True,
    )
    tables = {
        "equity": Table(("step_index", "ts", "equity", "cash"), list(equity)),
        "orders": _of(detail.orders, OrderRecord),
        "fills": _of(detail.fills, Fill),
        "steps": _steps(detail.decisions),
        "cash_flows": _of(detail.cash_flows, CashFlow),
    }
    return detail.record, tables


def _detail(gateway: Gateway, run_id: str, settled: int | None) -> RunDetail:
    detail = gateway.detail(run_id)
    return detail if settled is None else gateway.look(detail, settled)


def _of(rows: Sequence[Any], kind: type[Any]) -> Table:
    return Table(tuple(kind._fields), rows)


def _steps(rows: Sequence[StepRecord]) -> Table:
    at = StepRecord._fields.index("ts")
    return Table(
        StepRecord._fields, [(*row[:at], stamp_of(row.ts), *row[at + 1 :]) for row in rows]
    )


def _object(columns: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {
        name: loads(value) if name in _JSON and value is not None else value
        for name, value in zip(columns, row, strict=True)
    }


def _with_text(table: Table) -> Iterable[Sequence[Any]]:
    """The rows with their stamps as the ledger shows them."""
    if "ts" not in table.columns:
        return table.rows
    at = table.columns.index("ts")
    return ((*row[:at], stamp_text(row[at]), *row[at + 1 :]) for row in table.rows)


def _write_csv(folder: Path, tables: Mapping[str, Table]) -> None:
    for name, table in tables.items():
        _write_table(folder / f"{name}.csv", table)


def _write_table(path: Path, table: Table) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(_with_text(table))


def _write_parquet(folder: Path, tables: Mapping[str, Table]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for name, table in tables.items():
        columns = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
        arrays = [
            pa.array(column, type=_parquet_type(pa, column_name))
            for column_name, column in zip(table.columns, columns, strict=True)
        ]
        pq.write_table(pa.table(arrays, names=list(table.columns)), folder / f"{name}.parquet")


_JSON: Final = frozenset({"decision", "result"})
_INTEGERS: Final = frozenset({"step_index", "fill_id", "closed_step", "lease_epoch"})
_TEXTS: Final = frozenset(
    {*OrderRecord._fields, *StepRecord._fields, "kind"}
    - {"requested_quantity", "quantity", "limit_price", "stop_price", "filled_quantity"}
)


def _parquet_type(pa: Any, column: str) -> Any:
    """The column's type, from its name: a column that is empty or all null has one too."""
    if column == "ts":
        return pa.timestamp("us", tz="UTC")
    if column in _INTEGERS:
        return pa.int64()
    return pa.string() if column in _TEXTS else pa.float64()


def _write_tape(gateway: Gateway, run_id: str, target: Path, settled: int | None) -> int:
    """The run's effective decisions, at the stamps whose bars they had seen."""
    from engine.strategies.tape import write_tape

    decisions = [
        (stamp_of(row.ts), decode_decision(loads(row.decision)))
        for row in _detail(gateway, run_id, settled).decisions
    ]
    with refusals(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        return write_tape(decisions, target)
