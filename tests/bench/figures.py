"""The figures that the engine must reach, measured in one process and printed with their limits.

    python -m tests.bench.figures

Bars are synthetic with a fixed seed, or the real hourly file where the folder of shared data lies
beside the checkout. Nothing is asserted: times wobble with the machine, which is printed too.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.drivers.host import Host, tune_interpreter
from engine.drivers.strategy import decider_of
from engine.model import Decision, Order, RunRequest
from engine.runs.instance import Instance
from engine.runs.panels import panel_of
from engine.runs.requests import prepare
from engine.runs.service import RunService
from engine.sim.simulation import Simulation
from engine.store.ledger import Ledger

HOURLY = Path(__file__).parents[3] / "shared" / "data" / "agentictrading_us_hourly.csv.gz"
STRATEGIES = Path(__file__).with_name("_strategies.py")
ONE_SYMBOL = RunRequest(
    f"{STRATEGIES}:AskedCross",
    source="synthetic:seed=1,bars=1000000",
    symbols=("AAA",),
    timeframe="1Min",
    baselines=False,
)
THIRTY = RunRequest(
    "momentum",
    source="synthetic:seed=2,bars=1750,symbols=30",
    timeframe="1Hour",
    baselines=False,
)


def main() -> None:
    """Measure everything and print a line each."""
    tune_interpreter()
    print(
        f"python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores, "
        f"{platform.machine()}"
    )
    _line("1,000,000 x 1 sma_cross per bar, no ledger", _in_memory(ONE_SYMBOL), 1.5)
    _line("1,000,000 x 1 sma_cross per bar, in the ledger", _in_ledger(ONE_SYMBOL), 3.5)
    compiled = replace(ONE_SYMBOL, strategy="sma_cross")
    _line("1,000,000 x 1 sma_cross compiled, no ledger", _in_memory(compiled), None)
    _line("1,000,000 x 1 sma_cross compiled, in the ledger", _in_ledger(compiled), None)
    _line("1,750 x 30 momentum, no ledger", _in_memory(THIRTY), None)
    _line("1,750 x 30 momentum, every step in the ledger", _in_ledger(THIRTY), 0.25)
    if HOURLY.exists():
        real = replace(THIRTY, source=f"csv:{HOURLY}", symbols=None)
        _line("5,000 x 38 real hourly momentum, in the ledger", _in_ledger(real), None)
    _hand_step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process, all of the above in it: {peak:.0f} MB")


def _line(what: str, seconds: list[float], limit: float | None) -> None:
    against = "" if limit is None else f"   limit {limit:g} s, ratio {min(seconds) / limit:.2f}"
    runs = " ".join(f"{value:.3f}" for value in seconds)
    print(f"{what}: {runs} s{against}")


def _in_memory(request: RunRequest, repeats: int = 3) -> list[float]:
    """Seconds from prepared bars to the last step, the strategy's preparation included."""
    prepared = prepare(request)
    bars = prepared.source.load()
    panel = panel_of(bars)
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        simulation = Simulation(panel, prepared.request.rules, prepared.request.params)
        decide = decider_of(prepared, panel)
        assert decide is not None
        state, _ = simulation.start(simulation.initial())
        decide.advance(simulation, state, simulation.total_steps)
        times.append(time.perf_counter() - began)
    return times


@contextmanager
def _service() -> Iterator[tuple[RunService, Host]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        ledger = Ledger.open(path)
        service = RunService(ledger, Instance.take(path))
        host = Host(service)
        yield service, host
        host.close()
        service.instance.release()
        ledger.close()


def _in_ledger(request: RunRequest, repeats: int = 3) -> list[float]:
    """Seconds from loaded bars to the durable completed row."""
    source = prepare(request).source
    bars = source.load()
    times = []
    with _service() as (service, host):
        for _ in range(repeats):
            session = service.create(request, source=source)
            began = time.perf_counter()
            host.enqueue(session)
            session.closed.wait()
            times.append(time.perf_counter() - began)
            record = service.record(session.run_id)
            assert record.status == "completed", record.error_message
    del bars
    return times


def _hand_step(steps: int = 200) -> None:
    """Milliseconds from submit to durable, a step by hand at a time, every tenth with an order."""
    request = RunRequest("manual", symbols=("AAPL",), baselines=False)
    times = []
    with _service() as (service, host):
        session = service.create(request)
        host.enqueue(session)
        host.wait_idle(60)
        for step in range(steps):
            order = (Order.buy("AAPL", 1),) if step % 10 == 0 else ()
            began = time.perf_counter()
            service.submit(session.run_id, step, Decision(order))
            times.append((time.perf_counter() - began) * 1000)
        service.interrupt(session)
    quantiles = statistics.quantiles(times, n=100)
    print(
        f"one hand step, submit to durable: p50 {statistics.median(times):.2f} ms, "
        f"p99 {quantiles[98]:.2f} ms   limit 5 ms, ratio {quantiles[98] / 5:.2f}"
    )


if __name__ == "__main__":
    main()
