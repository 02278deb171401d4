"""Market data: from a source's name to a window of bars as aligned arrays."""

from engine.market.bars import Bars
from engine.market.report import CheckReport, check_file
from engine.market.sources import BarSource, from_frames, resolve
from engine.market.universes import DJIA30, universe

__all__ = [
    "DJIA30",
    "BarSource",
    "Bars",
    "CheckReport",
    "check_file",
    "from_frames",
    "resolve",
    "universe",
]
