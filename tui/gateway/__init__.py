"""The one place of the terminal side that talks to the run service and the ledger.

Everything here may be called from any thread. Reading goes through one reader a thread; doing
blocks until the ledger says that it is done, so the app calls it from workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.gateway.driving import Gateway, Leave, audit
from tui.gateway.views import BARS_GONE, Glance, OwnerInfo, RunDetail, decided_elsewhere, rules_of

if TYPE_CHECKING:
    from engine.drivers.audit import Audit, Finding
    from engine.runs.calls import LongCall
    from engine.runs.chains import Chains
    from engine.runs.past import Moment, Past
    from engine.runs.verification import Verification
    from engine.store.backup import Copy

__all__ = [
    "BARS_GONE",
    "Audit",
    "Chains",
    "Copy",
    "Finding",
    "Gateway",
    "Glance",
    "Leave",
    "LongCall",
    "Moment",
    "OwnerInfo",
    "Past",
    "RunDetail",
    "Verification",
    "audit",
    "decided_elsewhere",
    "rules_of",
]
