"""The app's end of the line to the terminal: who types is heard before anybody else's turn.

And a terminal that is gone is nobody to wait for.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from typing import IO, Any, Final

from textual import events
from textual.driver import Driver
from textual.message import Message

_AWAITED: Final = (events.Key, events.MouseDown, events.MouseScrollDown, events.MouseScrollUp)
"""What a person waits to see the answer of. A mouse that is only moved is not among it."""
_GONE: Final = frozenset({errno.EIO, errno.ENXIO, errno.EPIPE})
"""What writing to a terminal says whose other end has been closed."""


def attentive(base: type[Driver], came: Callable[[], object]) -> type[Driver]:
    """The driver ``base`` that calls ``came``, on the thread that reads, for each key and click.

    It is called before the app hears of the key: the app's thread has yet to win the interpreter's
    lock from whoever computes.
    """

    class Attentive(base):  # type: ignore[valid-type, misc]
        def process_message(self, message: Message) -> None:
            if isinstance(message, _AWAITED):
                came()
            super().process_message(message)

    return Attentive


class Outlet:
    """A terminal as a file that takes what is written to it also when it is there no longer.

    Textual's writer would end with the first write that fails, and the app would then wait for ever
    for room in its queue: a window that closes is told in two signals, and the second of them, the
    kernel's SIGCONT, has the screen begun anew.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write ``text`` where there is somebody to read it."""
        with _somebody_or_nobody():
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what has been written, where there is somebody to read it."""
        with _somebody_or_nobody():
            self._file.flush()

    def fileno(self) -> int:
        """The terminal's descriptor."""
        return self._file.fileno()


@contextlib.contextmanager
def _somebody_or_nobody() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _GONE:
            raise


def enduring(base: type[Driver]) -> type[Driver]:
    """The terminal driver ``base`` over an ``Outlet``: the app can end whatever became of it."""

    class Enduring(base):  # type: ignore[valid-type, misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            terminal: Any = self._file
            self._file: Any = Outlet(terminal)

    return Enduring
