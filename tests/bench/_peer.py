"""What the measuring processes share: bars from a file, and the line that says what came of it.

Runs in each peer's own environment: nothing of ours but this file, numpy and pandas.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMISSION = 1e-5
CASH = 1_000_000.0


def bars(path: str) -> dict[str, Any]:
    """The arrays of a workload: stamps int64 [T], and fields float64 [T, N]."""
    import numpy as np

    with np.load(path) as held:
        return {name: held[name] for name in held.files}


def index(stamps: Any) -> Any:
    """The stamps as pandas has them."""
    import pandas as pd

    return pd.DatetimeIndex(stamps.view("datetime64[us]"))


SHORT_REPEATS = 9
"""How often a workload of less than a second is run: its best wobbles more than that of a long one,
with the machine and with the disk."""


def timed(run: Callable[[], Any], repeats: int) -> tuple[list[float], Any]:
    """The seconds of each run, and what the last of them gave."""
    import time

    seconds, result = [], None
    for _ in range(repeats):
        began = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - began)
    return seconds, result


def strongest(close: Any, lookback: int = 20, top: int = 5) -> Any:
    """Target weights of the momentum strategy, float64 [T, N]; NaN before there is a rise."""
    import numpy as np

    rise = np.full_like(close, np.nan)
    rise[lookback:] = close[lookback:] / close[:-lookback] - 1.0
    weights = np.zeros_like(close)
    ranked = np.argsort(-rise, axis=1, kind="stable")[:, :top]
    np.put_along_axis(weights, ranked, 1.0 / top, axis=1)
    weights[:lookback] = np.nan
    return weights


def peak_megabytes() -> float:
    """The most memory this process has held; what its parent held before it began is not in it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # not Linux: there the usage of a process is its own
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def tell(version: str, seconds: list[float], equity: float, orders: int) -> None:
    """Print the measurement as the one line that is read."""
    print(
        json.dumps(
            {
                "seconds": seconds,
                "version": version,
                "equity": float(equity),
                "orders": int(orders),
                "peak": peak_megabytes(),
            }
        )
    )
