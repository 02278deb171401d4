"""Figures and rules as aligned lines: label, value, and what the value is by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.safe import cells, cut, fit, safe_line
from tui.widgets.roles import COMPONENTS, Span, Styles, role_css

WIDEST_VALUE: Final = 16  # longer ones are words: they run on to the right instead
WIDEST_NOTE: Final = 48
GAP: Final = 2


class Fact(NamedTuple):
    """One line. ``note`` stands beside the value, such as the formula it comes from."""

    label: str
    value: str
    role: str = "text"
    note: str = ""


class Facts(NamedTuple):
    """Lines that belong together, under a title."""

    title: str
    facts: tuple[Fact, ...]


class _Widths(NamedTuple):
    label: int
    value: int
    note: int

    @property
    def whole(self) -> int:
        return self.label + GAP + self.value + (GAP + self.note if self.note else 0)


def _clean(groups: Sequence[Facts]) -> list[Facts]:
    return [
        Facts(
            safe_line(group.title),
            tuple(
                Fact(safe_line(label), safe_line(value), role, safe_line(note))
                for label, value, role, note in group.facts
            ),
        )
        for group in groups
    ]


def lay_out_facts(groups: Sequence[Facts], width: int) -> list[list[Span]]:
    """The lines of all groups in ``width`` cells: side by side where they fit, else below.

    Labels and values are aligned through the whole panel; values end at one edge, long words
    begin there. A group is never torn apart. In one column, notes take what is left of the line.
    """
    clean = [group for group in _clean(groups) if group.facts]
    if not clean or width <= 0:
        return []
    facts = [fact for group in clean for fact in group.facts]
    label = max(cells(fact.label) for fact in facts)
    sizes = [cells(fact.value) for fact in facts]
    value = max((size for size in sizes if size <= WIDEST_VALUE), default=WIDEST_VALUE)
    note = min(WIDEST_NOTE, max(cells(fact.note) for fact in facts))
    widths = _Widths(label, value, note)
    columns = max(1, min(len(clean), (width + 4) // (widths.whole + 4)))
    if columns == 1:
        # Labels give way before values do.
        label = min(label, max(6, width - GAP - value))
        note = max(0, width - label - value - 2 * GAP) if note else 0
        widths = _Widths(label, value, note)
    blocks = [_block(group, widths, width if columns == 1 else widths.whole) for group in clean]
    return _side_by_side(blocks, columns, widths.whole if columns > 1 else width, width)


def _block(group: Facts, widths: _Widths, width: int) -> list[list[Span]]:
    lines = [[Span(fit(group.title, width), "accent")]]
    for label, value, role, note in group.facts:
        spans = [Span(fit(label, widths.label) + " " * GAP, "muted")]
        room = width - widths.label - GAP
        if cells(value) > widths.value and not note:
            # A long word with nothing beside it may have the whole line.
            spans.append(Span(fit(value, room), role))
        else:
            spans.append(Span(fit(value, min(widths.value, room), "right"), role))
            rest = room - widths.value
            if rest > 0:
                spans.append(Span(fit(" " * GAP + note, rest), "muted"))
        lines.append(_crop(spans, width))
    return lines


def _crop(spans: Sequence[Span], width: int) -> list[Span]:
    """The spans in at most ``width`` cells."""
    kept = []
    for span in spans:
        text = cut(span.text, width)
        width -= cells(text)
        kept.append(span._replace(text=text))
    return kept


def _side_by_side(
    blocks: Sequence[list[list[Span]]], columns: int, block_width: int, width: int
) -> list[list[Span]]:
    """Deal the blocks out in order, each to the shortest column so far."""
    stacks: list[list[list[Span]]] = [[] for _ in range(columns)]
    for block in blocks:
        stack = min(stacks, key=len)
        if stack:
            stack.append([Span(" " * block_width)])
        stack.extend(block)
    gap = (width - block_width * columns) // max(1, columns - 1) if columns > 1 else 0
    gap = min(gap, 6)
    lines = []
    for y in range(max(len(stack) for stack in stacks)):
        line: list[Span] = []
        for index, stack in enumerate(stacks):
            if index:
                line.append(Span(" " * gap))
            line.extend(stack[y] if y < len(stack) else [Span(" " * block_width)])
        used = block_width * columns + gap * (columns - 1)
        if used < width:
            line.append(Span(" " * (width - used)))
        lines.append(line)
    return lines


class FactsPanel(ScrollView, can_focus=True):
    """A scrolling panel of figures."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = set(COMPONENTS)
    DEFAULT_CSS = role_css(
        "FactsPanel",
        """
    height: 1fr;
    background: $background;
    color: $foreground;
    overflow-x: hidden;
    overflow-y: auto;
    scrollbar-gutter: stable;
    scrollbar-size-vertical: 1;
""",
    )

    def __init__(
        self,
        *,
        empty: str = "",
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._empty = empty
        self._groups: tuple[Facts, ...] = ()
        self._lines: list[list[Span]] = []
        self._look = Styles(self)

    def show(self, groups: Sequence[Facts]) -> int:
        """Show these groups; how many lines were painted anew for it."""
        self._groups = tuple(groups)
        return self._redraw()

    def _redraw(self) -> int:
        old, width = self._lines, self.scrollable_content_region.width
        self._lines = lay_out_facts(self._groups, width)
        if len(old) != len(self._lines):
            self.virtual_size = Size(0, len(self._lines))
            self.refresh()
            return len(self._lines)
        changed = [y for y, line in enumerate(self._lines) if line != old[y]]
        for y in changed:
            self.refresh_line(y)
        return len(changed)

    def on_resize(self) -> None:
        """Lay the groups out for the new width."""
        self._redraw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._look.clear()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        line = y + self.scroll_offset.y
        look = self._look.of
        if not self._lines and y == 0:
            return Strip([Segment(fit(cut(self._empty, width), width), look("muted"))])
        if line >= len(self._lines):
            return Strip.blank(width, look("text"))
        return Strip(
            [Segment(text, look(role, ground)) for text, role, ground in self._lines[line]]
        )
