"""Stepping back in a run of 10,000 steps; figures printed, nothing asserted.

    python -m tests.bench.look_back

For a strategy that mostly holds and for one that trades 30 symbols at every step: opening the past
(once a run), a leap to any step, and the walk back step by step; with the detail cut, as a screen
asks for it. Wall time in milliseconds.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from engine.model import RunRequest
from tui.gateway import Gateway

STEPS = 10_000
REQUESTS = {
    "sma_cross, 1 symbol": RunRequest("sma_cross", source=f"synthetic:bars={STEPS}"),
    "momentum every step, 30 symbols": RunRequest(
        "momentum", source=f"synthetic:bars={STEPS},symbols=30"
    ),
}


def timed(act: Callable[[], object]) -> float:
    begin = perf_counter()
    act()
    return (perf_counter() - begin) * 1e3


def said(name: str, times: list[float]) -> None:
    p50, p99 = np.percentile(times, [50, 99])
    print(f"  {name:<34} p50 {p50:7.2f}  p99 {p99:7.2f}  max {max(times):7.2f} ms")


def measure(gateway: Gateway, name: str, request: RunRequest) -> None:
    record = gateway.wait(gateway.create(request).run_id)
    print(f"{name}: {record.status}, {record.step_index:,} steps, {record.num_fills:,} fills")
    detail = gateway.detail(record.run_id)
    said("open the past", [timed(lambda: gateway.past(record.run_id))])
    past = gateway.past(record.run_id)
    rng = random.Random(1)
    leaps = [rng.randint(1, record.step_index) for _ in range(300)]
    said("leap to any step", [timed(lambda: past.at(step)) for step in leaps])  # noqa: B023
    said(
        "leap, with the whole detail",
        [timed(lambda: gateway.detail_at(detail, past, step)) for step in leaps],  # noqa: B023
    )
    walk = range(record.step_index, record.step_index - 1_000, -1)
    said(
        "walk back, with the whole detail",
        [timed(lambda: gateway.detail_at(detail, past, step)) for step in walk],  # noqa: B023
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway.open(Path(folder) / "runs.db")
        try:
            for name, request in REQUESTS.items():
                measure(gateway, name, request)
        finally:
            gateway.close()


if __name__ == "__main__":
    main()
