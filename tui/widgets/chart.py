"""What the charts have in common: a sheet drawn once per state, repainted where it changed."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.safe import cells, cut, fit
from tui.widgets.grid import Grid
from tui.widgets.roles import COMPONENTS, Span, Styles, role_css

WHEEL_COLUMNS = 4
WHEEL_ZOOM = 1.25


class Chart(Widget):
    """A chart on the Line API.

    ``cursor`` is the step whose values are read, None for the newest: the mouse carries it.
    ``ascii`` draws with ASCII only. A subclass draws its sheet in ``draw`` and says which step
    stands at a column; the wheel zooms, with shift it pans, and so does dragging, where it can.
    """

    @dataclass
    class Pointed(Message):
        """The mouse points at a step, or at none any more."""

        chart: Chart
        step: int | None

        @property
        def control(self) -> Chart:
            return self.chart

    @dataclass
    class Chosen(Message):
        """A step was clicked."""

        chart: Chart
        step: int

        @property
        def control(self) -> Chart:
            return self.chart

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COMPONENTS)
    DEFAULT_CSS = role_css(
        "Chart",
        """
    width: 1fr;
    height: 1fr;
    background: $background;
    color: $foreground;
""",
    )

    cursor: reactive[int | None] = reactive(None, repaint=False)
    ascii: reactive[bool] = reactive(False, repaint=False)

    def __init__(
        self,
        *,
        empty: str = "",
        ascii: bool = False,  # noqa: A002 - the option's name
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._empty = empty
        self._look = Styles(self)
        self._lines: list[list[Span]] = []
        self._held_at: int | None = None
        self._dragged = False
        self.set_reactive(Chart.ascii, ascii)

    @abstractmethod
    def draw(self, width: int, height: int) -> Grid | None:
        """The sheet for that many cells; None where there is nothing to show."""

    @abstractmethod
    def step_at(self, x: int) -> int | None:
        """The step that stands at a column of the widget, if any."""

    def zoom(self, factor: float) -> None:
        """Show fewer steps (``factor`` above 1) or more."""

    def drag(self, columns: int) -> None:
        """Move the window so that what is shown goes so many columns to the right."""

    def set_empty(self, text: str) -> None:
        """What to say where there is nothing to show."""
        self._empty = text
        self.redraw()

    def redraw(self) -> int:
        """Draw the sheet anew and repaint the lines that came out different; how many did."""
        width, height = self.size
        if not width or not height:
            self._lines = []
            return 0
        sheet = self.draw(width, height)
        lines = self._empty_lines(width, height) if sheet is None else sheet.lines()
        old, self._lines = self._lines, lines
        if len(old) != len(lines):
            self.refresh()
            return len(lines)
        changed = [y for y, (was, now) in enumerate(zip(old, lines, strict=True)) if was != now]
        if changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))
        return len(changed)

    def _empty_lines(self, width: int, height: int) -> list[list[Span]]:
        text = self._empty.split("\n")
        first = max(0, (height - len(text)) // 2)
        lines = []
        for y in range(height):
            said = cut(text[y - first], width) if first <= y < first + len(text) else ""
            left = (width - cells(said)) // 2
            role = "strong" if y == first and len(text) > 1 else "muted"
            lines.append([Span(" " * left), Span(fit(said, width - left), role)])
        return lines

    def watch_cursor(self) -> None:
        """The cursor moved."""
        self.redraw()

    def watch_ascii(self) -> None:
        """The drawing characters changed."""
        self.redraw()

    def on_resize(self) -> None:
        """Fit the new size."""
        self.redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._look.clear()

    def render_line(self, y: int) -> Strip:
        if y >= len(self._lines):
            return Strip.blank(self.size.width, self._look.of("text"))
        look = self._look.of
        return Strip([Segment(text, look(role, ground)) for text, role, ground in self._lines[y]])

    # -- mouse ----------------------------------------------------------------------------------

    def _point(self, step: int | None) -> None:
        if step != self.cursor:
            self.cursor = step
            self.post_message(self.Pointed(self, step))

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Read the values under the mouse; with the button held, pan."""
        if self._held_at is not None and event.button:
            moved = event.x - self._held_at
            if moved:
                self._dragged = True
                self._held_at = event.x
                self.drag(moved)
            return
        at = event.get_content_offset(self)
        self._point(None if at is None else self.step_at(at.x))

    def on_leave(self) -> None:
        """The mouse has gone."""
        self._point(None)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Perhaps the beginning of a drag."""
        if event.button == 1:
            self._held_at, self._dragged = event.x, False
            self.capture_mouse()

    def on_mouse_up(self) -> None:
        """The end of a drag, or a click."""
        self._held_at = None
        self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in; with shift go left."""
        event.stop()
        if event.shift:
            self.drag(WHEEL_COLUMNS)
        else:
            self.zoom(WHEEL_ZOOM)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out; with shift go right."""
        event.stop()
        if event.shift:
            self.drag(-WHEEL_COLUMNS)
        else:
            self.zoom(1 / WHEEL_ZOOM)

    def on_click(self, event: events.Click) -> None:
        """A click chooses the step there; the end of a drag chooses none."""
        at = event.get_content_offset(self)
        if at is None or event.button != 1 or self._dragged:
            return
        event.stop()
        step = self.step_at(at.x)
        if step is not None:
            self.post_message(self.Chosen(self, step))
