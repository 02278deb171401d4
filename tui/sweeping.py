"""Collecting garbage at moments when nobody waits for the screen.

The interpreter collects when so many objects are new, whatever goes on: every fourth second of
typing a key had to wait for it, 15 to 20 ms. What is new behind each key's frame is little and soon
looked at; then that number is never reached.
"""

from __future__ import annotations

import gc
from typing import Final

FEW: Final = 3_000
"""So many new objects are left alone: a look at them costs about a millisecond."""
_YOUNG_ROUNDS: Final = 2
_ROUNDS: Final = 50
"""After so many looks at new objects, and at those that stayed, the next older ones are looked at
too, in a pause: a screen that was closed is two of them, and takes 25 ms."""


def set_apart() -> None:
    """What the app was made of stays as long as it: no look at it ever finds anything."""
    gc.freeze()


def after_frame() -> None:
    """A key's frame is out: the next key is some thousandths of a second away at least."""
    if gc.get_count()[0] > FEW:
        gc.collect(0)


def in_pause() -> None:
    """Nobody has pressed a key for a moment."""
    _, middling, old = gc.get_count()
    if old > _ROUNDS:
        gc.collect()
    elif middling >= _YOUNG_ROUNDS:
        gc.collect(1)
