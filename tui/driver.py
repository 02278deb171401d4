"""The app's end of the line to the terminal: who types is heard before anybody else's turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual import events
from textual.driver import Driver
from textual.message import Message

_AWAITED: Final = (events.Key, events.MouseDown, events.MouseScrollDown, events.MouseScrollUp)
"""What a person waits to see the answer of. A mouse that is only moved is not among it."""


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
