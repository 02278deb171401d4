"""A line of text to fill in, whose keys act in the order they were pressed."""

from __future__ import annotations

from textual import events
from textual.geometry import Size
from textual.reactive import Reactive
from textual.widgets import Input


class Line(Input):
    """An ``Input`` that acts on its own keys at once.

    Textual looks for a widget's bindings when a key has bubbled up to the app, several queues
    later, while what can be printed is inserted where it arrives: pressed fast enough, a backspace
    and the letter after it would change places.
    """

    # What is typed changes nobody's place (an ``Input`` as wide as its text says so itself):
    # Textual would have the whole screen laid out with each letter.
    virtual_size = Reactive(Size(0, 0))

    async def _on_key(self, event: events.Key) -> None:
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            event.stop()
            event.prevent_default()
            self._restart_blink()
            await self.run_action(binding.action)
            return
