"""Whether somebody operates on a run of this process right now: a person, an agent, a command.

What they ask takes little processor time, in many small pieces, between each of which the
interpreter may go to threads that compute. Whoever has such threads is told, to hold them back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Acting:
    """A context for whoever operates; those of several threads may overlap, and count as one.

    ``begun`` is called as the first of them begins, ``over`` when the last has ended.
    """

    def __init__(self) -> None:
        self.begun: Callable[[], None] = lambda: None
        self.over: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._count = 0

    def __enter__(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self.begun()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1
            if not self._count:
                self.over()
