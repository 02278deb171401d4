"""One copy of the same bars per process, however many runs trade them."""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary

from engine.market import Bars
from engine.sim.panel import Panel

_lock = threading.Lock()
_panels: WeakValueDictionary[str, Panel] = WeakValueDictionary()


def panel_of(bars: Bars) -> Panel:
    """The panel of ``bars``, shared with every run on bars of the same hash.

    It is dropped when its last run lets go of it. Its arrays are those of ``bars``, not copies.
    """
    with _lock:
        panel = _panels.get(bars.content_hash)
        if panel is None:
            panel = Panel(
                symbols=bars.symbols,
                stamps=bars.stamps,
                open=bars.open,
                high=bars.high,
                low=bars.low,
                close=bars.close,
                volume=bars.volume,
                sessions=bars.sessions,
                session_dates=bars.session_dates,
                timeframe=bars.timeframe,
                calendar=bars.calendar,
                sessions_per_year=bars.sessions_per_year,
                actions=bars.actions,
                content_hash=bars.content_hash,
                provenance=bars.provenance,
            )
            _panels[bars.content_hash] = panel
        return panel
