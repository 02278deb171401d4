"""Small pictures in one line of text: sparklines and progress bars."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Final

# Without the full block: lines above one another stay apart.
BLOCKS: Final = "▁▂▃▄▅▆▇"
ASCII_BLOCKS: Final = "_.-=+*#"
BAR: Final = ("━", "╸", "─")
ASCII_BAR: Final = ("=", "-", ".")


def spark(values: Sequence[float], width: int, *, ascii: bool = False) -> str:  # noqa: A002
    """The shape of a series in exactly ``width`` cells, lowest to highest block.

    More values than cells: each cell takes the last value of its part, so that the right end is
    the present. Fewer: they stand at the right, one a cell. Values that are not finite are gaps.
    """
    if width <= 0:
        return ""
    shown = list(values)
    if len(shown) > width:
        shown = [shown[(index + 1) * len(shown) // width - 1] for index in range(width)]
    finite = [value for value in shown if isfinite(value)]
    blocks = ASCII_BLOCKS if ascii else BLOCKS
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    # Halved first: the distance of two doubles may be more than a double holds.
    span = high / 2 - low / 2
    top = len(blocks) - 1
    drawn = "".join(
        " "
        if not isfinite(value)
        # A flat line lies low, but not on the floor: nothing fell.
        else blocks[round((value / 2 - low / 2) / span * top) if span > 0 else top // 3]
        for value in shown
    )
    return drawn.rjust(width)


def progress_bar(share: float | None, width: int, *, ascii: bool = False) -> str:  # noqa: A002
    """A bar filled to ``share`` (0 to 1) in exactly ``width`` cells, in halves of a cell.

    Heavy on a light track rather than blocks: a column of bars stays calm, and the two weights tell
    full from empty without colour. An unknown share is an empty track; only 1 fills the last half.
    """
    if width <= 0:
        return ""
    full, half, track = ASCII_BAR if ascii else BAR
    if share is None or not isfinite(share):
        return track * width
    halves = int(min(1.0, max(0.0, share)) * width * 2)
    if share < 1:
        halves = min(halves, width * 2 - 1)
    bar = full * (halves // 2) + half * (halves % 2)
    return bar + track * (width - len(bar))
