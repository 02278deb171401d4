"""One copy of the same bars per process, for as long as anybody holds them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from engine.market.bars import FIELDS, Bars

ARRAYS = ("stamps", *FIELDS, "sessions")
REST = tuple(field.name for field in fields(Bars) if field.name not in ARRAYS)


@dataclass(frozen=True, slots=True)
class _Entry:
    """Bars whose arrays are held weakly, one by one."""

    rest: dict[str, Any]
    arrays: dict[str, weakref.ref[Any]]

    def bars(self) -> Bars | None:
        """The bars, None once any of their arrays is gone."""
        arrays: dict[str, Any] = {name: reference() for name, reference in self.arrays.items()}
        if any(array is None for array in arrays.values()):
            return None
        return Bars(**arrays, **self.rest)


_lock = threading.Lock()
_pool: dict[tuple[object, ...], _Entry] = {}


def pooled(key: tuple[object, ...], load: Callable[[], Bars]) -> Bars:
    """The bars of ``key``: those that are still held somewhere, else what ``load`` gives.

    Arrays are held weakly and one by one because whoever turns bars into something of its own
    keeps the arrays and drops the rest. ``load`` runs without the lock: two that ask at the same
    moment both load.
    """
    with _lock:
        found = _pool.get(key)
    held = found.bars() if found is not None else None
    if held is not None:
        return held
    bars = load()
    entry = _Entry(
        {name: getattr(bars, name) for name in REST},
        {name: weakref.ref(getattr(bars, name)) for name in ARRAYS},
    )
    with _lock:
        for stale in [name for name, entry in _pool.items() if entry.bars() is None]:
            del _pool[stale]
        _pool[key] = entry
    return bars
