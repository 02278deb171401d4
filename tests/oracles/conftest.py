"""What other engines are fed: the bars of a run, in the shape that each of them takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import pandas as pd

Frames = Callable[[str], "pd.DataFrame"]


@pytest.fixture
def goog(shared: Path) -> str:
    """Real daily bars of GOOG, 2004 to 2013: the file that comes with backtesting.py."""
    return f"csv:{shared / 'data' / 'backtestingpy_goog.csv.gz'}"


@pytest.fixture
def eurusd(shared: Path) -> str:
    """Real hourly bars of EURUSD, the weekends missing."""
    return f"csv:{shared / 'data' / 'backtestingpy_eurusd.csv.gz'}"
