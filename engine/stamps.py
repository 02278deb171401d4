"""Stamps as text, many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def stamp_texts(stamps: Sequence[int] | NDArray[np.int64]) -> list[str]:
    """``model.stamp_text`` of each; one by one it would cost more than the row it stands in."""
    array = np.asarray(stamps, dtype=np.int64).view("datetime64[us]")
    texts: list[str] = np.datetime_as_string(array, unit="s", timezone="UTC").tolist()
    return texts
