"""Small pictures in one line of text: sparklines and progress bars."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Final

BLOCKS: Final = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS: Final = "_.-=+*#@"
EIGHTHS: Final = " ▏▎▍▌▋▊▉"
TRACK: Final = "·"


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
    span = high - low
    top = len(blocks) - 1
    drawn = "".join(
        " "
        if not isfinite(value)
        # A flat line lies low, but not on the floor: nothing fell.
        else blocks[round((value - low) / span * top) if span > 0 else top // 3]
        for value in shown
    )
    return drawn.rjust(width)


def progress_bar(share: float | None, width: int, *, ascii: bool = False) -> str:  # noqa: A002
    """A bar filled to ``share`` (0 to 1) in exactly ``width`` cells, in eighths of a cell.

    An unknown share is an empty track; only a share of 1 fills the last eighth.
    """
    if width <= 0:
        return ""
    if share is None or not isfinite(share):
        return ("." if ascii else TRACK) * width
    share = min(1.0, max(0.0, share))
    if ascii:
        full = int(share * width)
        return "#" * full + "." * (width - full)
    eighths = int(share * width * 8)
    if share < 1:
        eighths = min(eighths, width * 8 - 1)
    full, rest = divmod(eighths, 8)
    bar = "█" * full + (EIGHTHS[rest] if rest else "")
    return bar + TRACK * (width - len(bar))
