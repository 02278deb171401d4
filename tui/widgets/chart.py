"""What the charts have in common: a sheet drawn once per state, repainted where it changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.safe import cells, cut, fit
from tui.widgets.axes import Picture
from tui.widgets.roles import COMPONENTS, Span, Styles, role_css
from tui.widgets.window import UNZOOMED, Window, Zoom

WHEEL_COLUMNS = 4
WHEEL_ZOOM = 1.25
KEY_ZOOM = 1.5


class Chart(Widget):
    """A chart over time, on the Line API.

    ``cursor`` is the step whose values are read, None for the newest: the mouse carries it.
    ``ascii`` draws with ASCII only. ``zoom`` is what is shown of the time axis: the wheel zooms
    about the mouse, with shift it pans, and so does dragging; where ``fixed`` they do not.
    ``margin_cells`` is what the value axis takes at least. A subclass draws its picture in ``draw``
    and counts what it has to show in ``count``.
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

    @dataclass
    class Zoomed(Message):
        """Somebody zoomed or panned with the mouse."""

        chart: Chart
        zoom: Zoom

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
    zoom: reactive[Zoom] = reactive(UNZOOMED, repaint=False)
    margin_cells: reactive[int] = reactive(0, repaint=False)

    def __init__(
        self,
        *,
        empty: str = "",
        ascii: bool = False,  # noqa: A002 - the option's name
        fixed: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._empty = empty
        self._look = Styles(self)
        self._lines: list[list[Span]] = []
        self._picture: Picture | None = None
        self._drawn_for = Size(0, 0)
        self._fixed = fixed
        self._held: tuple[int, Window] | None = None
        self._dragged = False
        self.set_reactive(Chart.ascii, ascii)

    @abstractmethod
    def draw(self, width: int, height: int) -> Picture | None:
        """The picture for that many cells; None where there is nothing to show."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many steps there are to show."""

    @property
    def drawn(self) -> bool:
        """Whether there is anything to be seen in it."""
        return self._picture is not None

    @property
    def label(self) -> int:
        """How many cells the value axis asks for; 0 where nothing is drawn."""
        return self._picture.label if self._picture is not None else 0

    def step_at(self, x: int) -> int | None:
        """The step that stands at a column of the widget, if any."""
        return None if self._picture is None else self._picture.step_at(x)

    def zoom_by(self, factor: float, about: int | None = None) -> None:
        """Show fewer steps (``factor`` above 1) or more.

        The step ``about`` stays where it is; without it the newest one in sight does.
        """
        if self._picture is not None and not self._fixed:
            window, columns = self._picture.window, self._picture.columns
            self.zoom = window.zoomed(factor, self.count, columns, about)

    def pan(self, pages: float) -> None:
        """Go so many half windows to the right; below zero to the left."""
        if self._picture is not None and not self._fixed:
            window = self._picture.window
            half = max(1, (window.stop - window.start) // 2)
            self.zoom = window.moved(pages * half, self.count)

    def _drag(self, window: Window, columns: int) -> None:
        """Show ``window`` so many columns further to the right."""
        start, stop = window.edges
        if not self._fixed:
            self.zoom = window.moved(-columns * (stop - start) / window.width, self.count)

    def set_empty(self, text: str) -> None:
        """What to say where there is nothing to show."""
        self._empty = text
        self.redraw()

    def redraw(self) -> int:
        """Draw the sheet anew and repaint the lines that came out different; how many did."""
        old = self._lines
        self._draw()
        lines = self._lines
        if len(old) != len(lines):
            self.refresh()
            return len(lines)
        changed = [y for y, (was, now) in enumerate(zip(old, lines, strict=True)) if was != now]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))
        return len(changed)

    def _draw(self) -> None:
        self._drawn_for = self.size
        width, height = self.size
        if not width or not height:
            self._lines = []
            return
        self._picture = picture = self.draw(width, height)
        self._lines = self._empty_lines(width, height) if picture is None else picture.grid.lines()

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

    def watch_zoom(self) -> None:
        """The window changed."""
        self.redraw()

    def watch_margin_cells(self) -> None:
        """Another chart's value axis takes more, or no longer."""
        self.redraw()

    def on_resize(self) -> None:
        """Fit the new size."""
        self.redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._look.clear()

    def render_line(self, y: int) -> Strip:
        if self._drawn_for != self.size:
            # Painted before it was told of its new size: not a frame of it as it was.
            self._draw()
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
        if self._held is not None and event.button:
            grabbed, window = self._held
            if event.x != grabbed or self._dragged:
                self._dragged = True
                # What was grabbed stays under the mouse.
                self._by_mouse(lambda: self._drag(window, event.x - grabbed))
            return
        at = event.get_content_offset(self)
        self._point(None if at is None else self.step_at(at.x))

    def on_leave(self) -> None:
        """The mouse has gone."""
        self._point(None)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Perhaps the beginning of a drag."""
        if event.button == 1 and self._picture is not None:
            self._held, self._dragged = (event.x, self._picture.window), False
            self.capture_mouse()

    def on_mouse_up(self) -> None:
        """The end of a drag, or a click."""
        self._held = None
        self.release_mouse()

    def _by_mouse(self, move: Callable[[], None]) -> None:
        before = self.zoom
        move()
        if self.zoom != before:
            self.post_message(self.Zoomed(self, self.zoom))

    def _wheel(self, event: events.MouseEvent, factor: float, columns: int) -> None:
        """Zoom about what is under the mouse; with shift, or by columns alone, pan."""
        picture = self._picture
        if self._fixed or picture is None:
            return
        event.stop()
        if event.shift or factor == 1:
            self._by_mouse(lambda: self._drag(picture.window, columns))
        else:
            at = event.get_content_offset(self)
            about = None if at is None else self.step_at(at.x)
            self._by_mouse(lambda: self.zoom_by(factor, about))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Zoom in; with shift go left."""
        self._wheel(event, WHEEL_ZOOM, WHEEL_COLUMNS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Zoom out; with shift go right."""
        self._wheel(event, 1 / WHEEL_ZOOM, -WHEEL_COLUMNS)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """Go left."""
        self._wheel(event, 1, WHEEL_COLUMNS)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """Go right."""
        self._wheel(event, 1, -WHEEL_COLUMNS)

    def on_click(self, event: events.Click) -> None:
        """A click chooses the step there; the end of a drag chooses none."""
        at = event.get_content_offset(self)
        if at is None or event.button != 1 or self._dragged:
            return
        event.stop()
        step = self.step_at(at.x)
        if step is not None:
            self.post_message(self.Chosen(self, step))
