"""What looking back costs: from a moment asked for to everything the run screen shows of it.

    python -m tests.bench.look_back

A run of 10,000 steps with thousands of orders. The limit is 100 ms for any of them; the work is
done beside the screen. Nothing is asserted: times wobble with the machine, which is printed too.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from engine.model import RunRequest
from tui.gateway import Gateway, RunDetail
from tui.viewmodel.run_panels import RunPanels

STEPS, LOOKS = 10_000, 200


def main() -> None:
    """Print the machine, then a line for each way of walking about."""
    print(
        f"python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway.open(Path(folder) / "runs.db")
        record = gateway.create(
            RunRequest(
                "sma_cross",
                params={"fast": 3, "slow": 7},
                source=f"synthetic:seed=3,bars={STEPS}",
                timeframe="1Hour",
                baselines=False,
            )
        )
        gateway.wait(record.run_id)
        detail = gateway.detail(record.run_id)
        print(
            f"{STEPS:,} steps, {len(detail.orders):,} orders, {len(detail.decisions):,} decisions"
        )
        began = time.perf_counter()
        gateway.past(record.run_id)
        print(f"the first look of all: {(time.perf_counter() - began) * 1000:.0f} ms more")
        live = RunPanels("$")
        live.make(detail)
        anywhere = random.Random(1).sample(range(1, STEPS), LOOKS)
        measure("anywhere", gateway, detail, live, anywhere)
        measure("step by step back", gateway, detail, live, range(9_000, 9_000 - LOOKS, -1))
        gateway.close()


def measure(
    name: str, gateway: Gateway, detail: RunDetail, live: RunPanels, moments: Sequence[int]
) -> None:
    """Look at each of the moments."""
    panels = RunPanels("$", live)
    times = []
    for settled in moments:
        began = time.perf_counter()
        panels.make(gateway.look(detail, settled))
        times.append((time.perf_counter() - began) * 1000)
    cuts = statistics.quantiles(times, n=100)
    print(
        f"{name}: p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, worst {max(times):.1f} ms"
        "   limit 100 ms"
    )


if __name__ == "__main__":
    main()
