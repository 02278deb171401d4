"""A row of ``runs`` as the record that everybody gets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from engine import codec
from engine.errors import LedgerCorrupt
from engine.model import RunRecord
from engine.store.schema import JSON_COLUMNS, RUN_COLUMNS

_LISTS: Final = frozenset({"tags", "symbols"})
_JSON_AT: Final = tuple((RUN_COLUMNS.index(name), name in _LISTS) for name in sorted(JSON_COLUMNS))


def run_record(row: tuple[Any, ...]) -> RunRecord:
    """The run of a row of ``runs``, whose values stand in the order of ``RUN_COLUMNS``.

    Raises ``LedgerCorrupt`` where a column of JSON is none.
    """
    values = list(row)
    for place, is_list in _JSON_AT:
        try:
            values[place] = _json_tuple(row[place]) if is_list else json_mapping(row[place])
        except (ValueError, TypeError) as error:
            raise LedgerCorrupt(
                f"the column {RUN_COLUMNS[place]} of run {row[0]} is not the JSON it should be",
                field=RUN_COLUMNS[place],
                remedy="another program wrote it; restore the ledger from a backup",
            ) from error
    return RunRecord(*values)


# The same text is read again and again while a table of runs is on the screen. What is decoded is
# shared; records are values that nobody changes.
@lru_cache(maxsize=1024)
def json_mapping(text: str) -> Mapping[str, Any]:
    """A column of JSON that is an object. Raises ``ValueError`` and ``TypeError`` for another."""
    return dict(codec.loads(text))


@lru_cache(maxsize=1024)
def _json_tuple(text: str) -> tuple[str, ...]:
    return tuple(codec.loads(text))
