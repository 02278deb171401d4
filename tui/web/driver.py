"""The app's end of the line to the browser."""

from __future__ import annotations

from textual import messages
from textual.drivers.web_driver import WebDriver


class PageDriver(WebDriver):
    """Textual's driver for a page, which also leaves when its server is gone.

    A server that is killed says no goodbye: the line just ends. Textual's own driver then stops
    reading, and its app would go on without anybody to see it or to end it.
    """

    def write(self, data: str) -> None:
        """Send to the page; with nobody at the other end there is nothing left to show."""
        try:
            super().write(data)
        except BrokenPipeError:
            self._leave()

    def write_meta(self, data: dict[str, object]) -> None:
        """Tell the server; it may be gone."""
        try:
            super().write_meta(data)
        except BrokenPipeError:
            self._leave()

    def run_input_thread(self) -> None:
        """Read until the line ends, then leave."""
        super().run_input_thread()
        self._leave()

    def _leave(self) -> None:
        if not self.exit_event.is_set():
            self.exit_event.set()
            self._app.post_message(messages.ExitApp())
