"""The figures of a run that goes on, or of a moment of one, from what had happened by then.

The ledger holds those of a whole run. Until there are any, each is worked out as the engine will,
from the rows so far and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from engine.model import Fill
    from engine.sim.activity import Activity
    from engine.sim.panel import Panel
    from tui.gateway import RunDetail


class _Known(NamedTuple):
    """What has been counted: how many fills and flows, the last of the fills, of which future."""

    fills: int = 0
    cash_flows: int = 0
    last: Fill | None = None
    rewinds: int = 0


class FiguresSoFar:
    """Works them out again and again; of fills that were counted before, only what is new is.

    For one run and one thread. ``panel`` is set once the run's bars are known: before that, and
    where they cannot be had, what needs to know where a session ends is None.
    """

    def __init__(self) -> None:
        self.panel: Panel | None = None
        self._activity: Activity | None = None
        self._known = _Known()

    def of(self, detail: RunDetail) -> Mapping[str, Any]:
        """The figures by the engine's names, of as many steps as the detail has settled."""
        if detail.record.metrics:
            return detail.record.metrics
        if not len(detail.equity):
            return {}
        # Loaded here, so that a list of runs needs no engine.
        from engine.model import Rules
        from engine.sim.metrics import figures_of

        panel, record = self.panel, detail.record
        if panel is not None and panel.steps < len(detail.equity):
            panel = None
        given = record.config.get("rules") or {}
        rules = Rules(cash=record.initial_cash, risk_free=given.get("risk_free", 0.0))
        return figures_of(panel, rules, detail.equity, self._counted(detail))

    def _counted(self, detail: RunDetail) -> Activity:
        from engine.sim.activity import Activity

        fills, flows, rewinds = detail.fills, detail.cash_flows, detail.record.rewind_count
        activity = self._activity if self._goes_on(detail) else None
        if activity is None:
            activity, self._known = Activity(), _Known()
        self._activity, known = activity, self._known
        activity.take(fills[known.fills :], flows[known.cash_flows :])
        self._known = _Known(len(fills), len(flows), fills[-1] if fills else None, rewinds)
        return activity

    def _goes_on(self, detail: RunDetail) -> bool:
        """Whether what was counted is the beginning of what there is: not after a look back."""
        known, fills = self._known, detail.fills
        return (
            known.rewinds == detail.record.rewind_count
            and known.fills <= len(fills)
            and known.cash_flows <= len(detail.cash_flows)
            and (known.last is None or fills[known.fills - 1] == known.last)
        )
