"""How often the suites of this folder do what they do.

The counts stated in the proof are run by ``make soak`` (``STEPDECK_SOAK=1``); ``make test`` runs a
fifth of them.
"""

from __future__ import annotations

import os
import random
from typing import Final

SOAK: Final = os.environ.get("STEPDECK_SOAK") == "1"
"""Whether the stated counts are asked for."""


def times(stated: int) -> int:
    """How often to do what is stated to be done ``stated`` times."""
    return stated if SOAK else -(-stated // 5)


def seeded() -> tuple[int, random.Random]:
    """Chance, other on each day; ``STEPDECK_SEED`` gives a failed day back."""
    text = os.environ.get("STEPDECK_SEED")
    seed = int(text) if text else random.SystemRandom().randrange(2**32)
    return seed, random.Random(seed)
