"""Every guard of the ledger's truth, and the test that turns red when it is deleted.

A guard is a piece of source text. ``delete_guards`` takes each out of a copy of the tree and runs
its test there; ``test_guards`` holds that each text is still in its file, exactly once.
"""

from __future__ import annotations

from typing import Final

from tests.faults.guard import Guard
from tests.faults.guards_of_runs import OF_RUNS
from tests.faults.guards_of_the_store import OF_THE_STORE

GUARDS: Final[tuple[Guard, ...]] = (*OF_THE_STORE, *OF_RUNS)
