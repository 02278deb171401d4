"""Corporate actions: files of them, and the action columns of bar files (contract, "Files")."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InvalidFile, MarketDataInvalid
from engine.market.calendars import day_text
from engine.model import CorporateAction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.market.rows import Rows

COLUMNS = ("symbol", "ex_date", "kind", "value", "pay_date")
KINDS = ("split", "dividend")
COLUMN_SPECS = {
    "columns": KINDS,
    "columns:dividend": ("dividend",),
    "columns:split": ("split",),
}
"""The ``--actions`` values that read a file's own columns, and the kinds they read."""


def read_actions(path: Path) -> tuple[CorporateAction, ...]:
    """The actions of a CSV file, in its order.

    Raises ``InvalidFile`` naming line and field.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidFile(
            f"cannot read the actions file {path}: {error.strerror}",
            field="actions",
            remedy="give none, columns, or a CSV file",
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidFile(
            f"{path} is not UTF-8 text", field="actions", remedy="save it as UTF-8"
        ) from error
    reader = csv.DictReader(text.splitlines())
    names = {name.strip().lower(): name for name in reader.fieldnames or ()}
    missing = [name for name in COLUMNS[:4] if name not in names]
    if missing:
        raise InvalidFile(
            f"{path.name} line 1: no column {missing[0]!r}",
            field="actions",
            remedy=f"an actions file has {','.join(COLUMNS)}",
        )
    lines: dict[CorporateAction, int] = {}
    splits: dict[tuple[str, str], int] = {}
    for row in reader:
        where = f"{path.name} line {reader.line_num}"
        if None in row:
            width = len(reader.fieldnames or ())
            raise InvalidFile(
                f"{where}: {width + len(row[None])} fields where the header has {width}",
                field="actions",
                remedy="correct the line",
            )
        cells = {name: (row.get(raw) or "").strip() for name, raw in names.items()}
        action = _action(where, cells)
        # A day may have two dividends, one of them special; a second split would count twice.
        earlier = lines.setdefault(action, reader.line_num)
        if action.kind == "split":
            earlier = splits.setdefault((action.symbol, action.ex_date), reader.line_num)
        if earlier != reader.line_num:
            raise InvalidFile(
                f"{where}: this {action.kind} of {action.symbol} is in line {earlier} already",
                field="actions",
                remedy="leave one of the lines",
            )
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class ActionChoice:
    """Which corporate actions apply: those given, the source's own, those in its columns.

    ``silent`` is true where a person has said what to read, so that no notice is due.
    """

    given: tuple[CorporateAction, ...] = ()
    own: bool = False
    columns: tuple[str, ...] = ()
    silent: bool = False

    def of(
        self, rows: Rows, steps: NDArray[np.int64], days: NDArray[np.int64]
    ) -> list[CorporateAction]:
        """The actions that apply to these rows.

        ``steps`` int64 [R] is each row's grid point, ``days`` int64 [T] each grid point's trade
        date. Raises ``MarketDataInvalid`` for a bad value in a column that is read.
        """
        columns = _column_actions(rows, self.columns, steps, days) if self.columns else []
        return [*self.given, *(rows.actions if self.own else ()), *columns]

    def notices(self, rows: Rows) -> list[str]:
        """What to tell of action columns that are not empty and not read."""
        if self.silent or self.columns:
            return []
        found = []
        for kind, values in _columns(rows):
            count = int(np.count_nonzero(_happened(kind, values)))
            if count:
                found.append(
                    f"the {kind} column holds {count} value{'s' if count > 1 else ''} and is not"
                    " applied (--actions): the prices may or may not be adjusted already"
                )
        return found


def _columns(rows: Rows) -> list[tuple[str, NDArray[np.float64]]]:
    columns = (("split", rows.splits), ("dividend", rows.dividends))
    return [(kind, values) for kind, values in columns if values is not None]


def _column_actions(
    rows: Rows, kinds: Sequence[str], steps: NDArray[np.int64], days: NDArray[np.int64]
) -> list[CorporateAction]:
    """The actions of the rows' own columns: their ex-date is the trade date of the row."""
    found = []
    rows_of: dict[tuple[str, str, str], int] = {}
    for kind, values in _columns(rows):
        if kind not in kinds:
            continue
        for row in np.flatnonzero(_happened(kind, values)).tolist():
            symbol, value = rows.symbols[rows.codes[row]], float(values[row])
            if not (math.isfinite(value) and value > 0):
                raise MarketDataInvalid(
                    f"{rows.where(row)}: {symbol}: {kind} {value:g} is not above 0",
                    field=kind,
                    remedy="correct the data, or run with --actions none",
                )
            day = day_text(int(days[steps[row]]))
            # Some vendors write a day's action beside each of its bars: taken so it counts often.
            first = rows_of.setdefault((symbol, day, kind), row)
            if first != row:
                raise MarketDataInvalid(
                    f"{rows.where(row)}: {symbol}: a second {kind} on {day} (before:"
                    f" {rows.where(first)})",
                    field=kind,
                    remedy="leave one of them, or run with --actions none",
                )
            found.append(CorporateAction(symbol, day, kind, value))
    return found


def _happened(kind: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where an action column holds an action: not 0 or nothing, nor, for a split, 1."""
    some: NDArray[np.bool_] = ~np.isnan(values) & (values != 0)
    if kind == "split":
        some &= values != 1
    return some


def _action(where: str, cells: dict[str, str]) -> CorporateAction:
    def refuse(field: str, wanted: str) -> InvalidFile:
        return InvalidFile(
            f"{where}: {field} {cells.get(field, '')!r} is not {wanted}",
            field="actions",
            remedy="correct the line",
        )

    if not cells["symbol"]:
        raise refuse("symbol", "a symbol")
    if cells["kind"] not in KINDS:
        raise refuse("kind", "split or dividend")
    try:
        value = float(cells["value"])
    except ValueError:
        raise refuse("value", "a number") from None
    if not (math.isfinite(value) and value > 0):
        raise refuse("value", "a number above 0")
    for name in ("ex_date", "pay_date"):
        if name == "ex_date" or cells.get(name):
            try:
                date.fromisoformat(cells[name])
            except ValueError:
                raise refuse(name, "an ISO date") from None
    pay_date = date.fromisoformat(cells["pay_date"]).isoformat() if cells.get("pay_date") else None
    ex_date = date.fromisoformat(cells["ex_date"]).isoformat()
    if pay_date is not None and pay_date < ex_date:
        raise refuse("pay_date", f"on or after the ex-date {ex_date}")
    return CorporateAction(cells["symbol"], ex_date, cells["kind"], value, pay_date)
