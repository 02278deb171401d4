"""What a victim needs, imported and read before it is born; see ``nursery``.

Importing this takes no lock and starts no thread: what is forked afterwards is as good as new.
"""

from __future__ import annotations

import sqlite_utils  # noqa: F401  # brings pandas, which a first write to a ledger would wait for

import engine.drivers.vector  # noqa: F401
import tests.faults.victims  # noqa: F401
from tests.faults.works import hold_bars

hold_bars()
