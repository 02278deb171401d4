"""The runs of a ledger as a list follows them: read once, and then only what has changed.

Whatever changes a run that is worth a line in a list leaves an event, so the change feed says which
rows to read. What changes without one (an owner's heartbeat, a program that is not ours) is seen by
reading all rows again, which is the caller's to ask for now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine import codec
from engine.model import TAKEN_OVER
from engine.store.records import RunHead

if TYPE_CHECKING:
    from engine.store.reader import Reader

# Past so many events it is cheaper to read every row than to look for those that they name.
_MOST_EVENTS: Final = 20_000
# A list needs one word of what a row says of itself at length, and of runs that have not ended
# alone. What another program wrote there may be no JSON.
_TAKEN_OVER: Final = (
    "CASE WHEN finished_at IS NULL AND json_valid(metadata)"
    f" THEN json_extract(metadata, '$.{TAKEN_OVER}') END"
)
_COLUMNS: Final = ", ".join(
    _TAKEN_OVER if name == "taken_over" else f'"{name}"' for name in RunHead._fields
)
_HEADS: Final = f"SELECT run_key, {_COLUMNS} FROM runs WHERE baseline_of IS NULL"
_BOOL: Final = RunHead._fields.index("taken_over")
_LISTS: Final = tuple(RunHead._fields.index(name) for name in ("tags", "symbols"))
_WORDS: Final = tuple(
    RunHead._fields.index(name) for name in ("strategy", "driver", "status", "source")
)


class Heads(NamedTuple):
    """Rows by ``run_key``, baselines left out: all of them (``whole``), or those that changed.

    ``gone`` are the ids of deleted runs; ``seq`` is where the next look goes on from.
    """

    seq: int
    whole: bool
    heads: Mapping[int, RunHead]
    gone: frozenset[str]


def read_heads(reader: Reader, since: int | None = None) -> Heads:
    """Every row, or with ``since`` those that an event after that number names.

    Raises ``LedgerError`` kinds where the file cannot be read.
    """
    with reader.moment():
        seq = reader.last_seq()
        if since is None or not since <= seq <= since + _MOST_EVENTS:
            return Heads(seq, True, _heads(reader.query(_HEADS)), frozenset())
        if seq == since:
            return Heads(seq, False, {}, frozenset())
        named = {
            str(row[0])
            for row in reader.query("SELECT DISTINCT run_id FROM events WHERE seq > ?", (since,))
        }
        rows = reader.query(
            f"{_HEADS} AND run_id IN (SELECT value FROM json_each(?))",
            (codec.dumps(sorted(named)),),
        )
    heads = _heads(rows)
    # A baseline is named too, and never was in the list.
    return Heads(seq, False, heads, frozenset(named - {head.run_id for head in heads.values()}))


def _heads(rows: list[tuple[Any, ...]]) -> dict[int, RunHead]:
    return {row[0]: _head(row) for row in rows}


def _head(row: tuple[Any, ...]) -> RunHead:
    values = list(row[1:])
    for place in _LISTS:
        values[place] = _texts(values[place])
    for place in _WORDS:
        # The same few words in every row: held once.
        values[place] = intern(values[place])
    values[_BOOL] = bool(values[_BOOL])
    return RunHead._make(values)


@lru_cache(maxsize=1024)
def _texts(text: str) -> tuple[str, ...]:
    """A JSON list of texts; what another program wrote there instead stands as it is."""
    try:
        found = codec.loads(text)
    except (ValueError, TypeError):
        return (text,)
    return tuple(map(str, found)) if isinstance(found, list) else (text,)
