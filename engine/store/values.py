"""Columns of ``runs`` on their way into the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from engine import codec
from engine.errors import LedgerRefused
from engine.store.schema import JSON_COLUMNS, RUN_COLUMNS

_KNOWN = frozenset(RUN_COLUMNS)


def encode_columns(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of ``runs`` as SQLite takes them: JSON columns as text, figures finite.

    Raises ``LedgerRefused`` for a column that ``runs`` does not have, and for a NaN or an infinity:
    SQLite would store NaN as NULL, in STRICT tables too, and what is wrong would read as absent.
    """
    values: dict[str, Any] = {}
    for name, value in columns.items():
        if name not in _KNOWN:
            raise LedgerRefused(f"runs has no column {name!r}", field=name)
        if isinstance(value, float) and not isfinite(value):
            raise LedgerRefused(f"runs.{name} is {value}, which is no figure", field=name)
        values[name] = _json(name, value) if name in JSON_COLUMNS else value
    return values


def _json(name: str, value: object) -> str:
    if isinstance(value, str):
        raise LedgerRefused(f"runs.{name} is given as text, not as the value it is", field=name)
    try:
        return codec.dumps(value)
    except ValueError as error:
        raise LedgerRefused(f"runs.{name} holds a figure that is not finite", field=name) from error


def quoted(name: str) -> str:
    """A column's name in SQL: ``start`` and ``end`` are words of its own."""
    return f'"{name}"'
