"""The table's rows and columns, and the lines they make. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from tui.safe import Align, cut, fit, safe_line
from tui.widgets.roles import Span

RISING: Final = "▴"
FALLING: Final = "▾"
WIDEST_GAP: Final = 5


class Cell(NamedTuple):
    """What stands in one cell. The text may come from anywhere: it is cleaned when painted."""

    text: str
    role: str = "text"


class Row(NamedTuple):
    """One row: a key that stays with it through every sort, and a cell for each column."""

    key: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of fixed width in cells.

    ``priority`` 0 always stays; where columns do not fit, the highest go first. One column may be
    ``flexible``: ``width`` is then its least, and it takes what the others leave. With ``most`` a
    column grows up to that where there is room, the flexible one first; what is left then parts the
    columns, so that the eye need not leap.
    """

    key: str
    title: str
    width: int
    align: Align = "left"
    priority: int = 0
    flexible: bool = False
    sortable: bool = True
    most: int = 0


class Placed(NamedTuple):
    """A column that fits: which of all columns, its first cell and its width."""

    column: int
    x: int
    width: int


def lay_out(columns: Sequence[Column], width: int, gutter: int) -> tuple[Placed, ...]:
    """Where the columns stand in ``width`` cells, ``gutter`` of them kept free on the left.

    Columns are two cells apart where all fit so, else one. Those that do not fit are dropped from
    the highest priority down (of equals, the rightmost first). If what may not drop is still too
    wide, the last column is cut.
    """
    kept = list(range(len(columns)))

    def needed(gap: int) -> int:
        return gutter + sum(columns[i].width for i in kept) + gap * max(0, len(kept) - 1)

    gap = 2 if needed(2) <= width else 1
    while needed(gap) > width:
        last = max(kept, key=lambda i: (columns[i].priority, i), default=None)
        if last is None or columns[last].priority == 0:
            break
        kept.remove(last)
    if gap == 1 and needed(2) <= width:
        gap = 2
    sizes, gap = _grown([columns[i] for i in kept], width - needed(gap), gap)
    placed: list[Placed] = []
    x = gutter
    for index, wanted in zip(kept, sizes, strict=True):
        size = min(wanted, width - x)
        if size <= 0:
            break
        placed.append(Placed(index, x, size))
        x += size + gap
    return tuple(placed)


def _grown(columns: Sequence[Column], spare: int, gap: int) -> tuple[list[int], int]:
    """The columns' widths with ``spare`` cells shared out among them, and the gap between them."""
    sizes = [column.width for column in columns]
    flexible = next((i for i, column in enumerate(columns) if column.flexible), None)
    if flexible is not None and (spare < 0 or not columns[flexible].most):
        least = min(sizes[flexible], 4)
        sizes[flexible] = max(least, sizes[flexible] + spare)
        return sizes, gap
    for i in sorted(range(len(columns)), key=lambda i: (i != flexible, i)):
        more = max(0, min(spare, columns[i].most - sizes[i]))
        sizes[i] += more
        spare -= more
    if flexible is not None and len(columns) > 1:
        wider = min(WIDEST_GAP - gap, spare // (len(columns) - 1))
        gap += wider
        sizes[flexible] += spare - wider * (len(columns) - 1)
    return sizes, gap


def header_spans(
    columns: Sequence[Column],
    placed: Sequence[Placed],
    width: int,
    sort: tuple[str, bool] | None,
) -> list[Span]:
    """The line of titles; the sorted column carries an arrow: up for rising, down for falling."""
    spans: list[Span] = []
    at = 0
    for index, x, size in placed:
        column = columns[index]
        title = safe_line(column.title)
        role = "muted"
        if sort is not None and sort[0] == column.key:
            title = cut(title, size - 1) + (FALLING if sort[1] else RISING)
            role = "accent"
        spans.append(Span(" " * (x - at) + fit(title, size, column.align), role, "header"))
        at = x + size
    if at < width:
        spans.append(Span(" " * (width - at), "muted", "header"))
    return spans


def row_spans(
    row: Row,
    columns: Sequence[Column],
    placed: Sequence[Placed],
    width: int,
    ground: str,
    sign: str,
) -> list[Span]:
    """One row's line; ``sign`` is what stands in the gutter (cursor, mark), without its padding."""
    gutter = placed[0].x if placed else 0
    spans = [Span(fit(sign, gutter), "accent" if sign else "text", ground)] if gutter else []
    at = gutter
    for index, x, size in placed:
        text, role = row.cells[index]
        text = fit(safe_line(text), size, columns[index].align)
        spans.append(Span(" " * (x - at) + text, role, ground))
        at = x + size
    if at < width:
        spans.append(Span(" " * (width - at), "text", ground))
    return spans
