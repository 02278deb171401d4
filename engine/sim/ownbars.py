"""A symbol's own bars, without the grid points at which it has none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class OwnBars(NamedTuple):
    """One symbol's bars in order, each float64[bars]; none is NaN."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
