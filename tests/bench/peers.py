"""The engine beside its peers: the same bars, the same strategy, measured in one go.

    python -m tests.bench.peers [W1 W2 W3]

Each peer is installed from PyPI into an environment of its own, on first use, under
``.venv/peers``; each measurement runs in a process of its own, so that peak memory is that of one
workload. Times are from bars in memory to the end of the run, with every order recorded and a
commission of a tenth of a basis point on; what a peer precomputes and what it compiles on its first
call is said beside it. Figures end as ratios. Nothing is asserted: times wobble with the machine.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.drivers.host import Host, tune_interpreter
from engine.drivers.strategy import decider_of
from engine.model import Costs, Rules, RunRequest
from engine.runs.instance import Instance
from engine.runs.requests import prepare
from engine.runs.service import RunService
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import Advance
from engine.store.ledger import Ledger
from engine.version import __version__
from tests.bench import _peer

ROOT = Path(__file__).parents[2]
STRATEGIES = Path(__file__).with_name("_strategies.py")
ENVIRONMENTS = ROOT / ".venv" / "peers"
PEERS = {"backtesting": "backtesting==0.6.6", "bt": "bt==1.4.1", "vectorbt": "vectorbt==1.2.0"}
RULES = Rules(
    cash=_peer.CASH,
    costs=replace(Costs.of("none"), profile="commission", commission_pct=_peer.COMMISSION),
)


def _request(strategy: str, source: str, timeframe: str) -> RunRequest:
    return RunRequest(strategy, source=source, timeframe=timeframe, rules=RULES, baselines=False)


WORKLOADS = {
    "W1": _request(f"{STRATEGIES}:AskedCross", "synthetic:seed=1,bars=1000000,symbols=1", "1Min"),
    "W2": _request("momentum", "synthetic:seed=2,bars=1750,symbols=30", "1Hour"),
    "W3": _request("momentum", "synthetic:seed=3,bars=100000,symbols=30", "1Min"),
}
FIELDS = (
    "stamps", "open", "high", "low", "close", "volume", "sessions", "session_dates", "symbols",
)  # fmt: skip
# Ours, its peer, and how many times as fast it has to be.
PAIRS = {
    "W1": (("memory", "backtesting", 4.0), ("ledger", "backtesting", 2.0)),
    "W2": (("ledger", "bt", 5.0),),
    "W3": (("memory", "bt", 15.0),),
}
VECTORS = {"W1": f"{STRATEGIES}:Cross", "W3": f"{STRATEGIES}:Top"}
# Seconds that the kernel may take, warm: vectorbt took 0.22 and 0.75 where these were set.
KERNEL = {"W1": 0.12, "W3": 0.35}


class Measured(NamedTuple):
    """Seconds of each repeat, what it ended with, and the process's peak in MB."""

    seconds: list[float]
    version: str
    equity: float
    orders: int
    peak: float

    @property
    def best(self) -> float:
        return min(self.seconds)


def main(names: list[str]) -> None:
    """Measure and print the workloads of these names, or all."""
    print(
        f"python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores, "
        f"{platform.machine()}, load {os.getloadavg()[0]:.1f}"
    )
    for name in names or WORKLOADS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bars.npz"
            cells = _save(name, path)
            print(f"{name}: {WORKLOADS[name].strategy.rpartition('/')[2]}, {cells:,} symbol-bars")
            found: dict[str, Measured] = {}
            ways = [*dict.fromkeys(pair[0] for pair in PAIRS[name])]
            peers = [*dict.fromkeys(pair[1] for pair in PAIRS[name])]
            if name in KERNEL:
                ways.append("kernel")
                peers.append("vectorbt")
            for way in ways:
                measured = _measure(sys.executable, __file__, way, name, str(path))
                found[way] = _line(f"stepdeck, {way}", measured, cells)
            for peer in peers:
                script = Path(__file__).with_name(f"_peer_{peer}.py")
                measured = _measure(str(_environment(peer)), str(script), name, str(path))
                found[peer] = _line(peer, measured, cells)
        for way, peer, wanted in PAIRS[name]:
            ratio = found[peer].best / found[way].best
            print(f"  {way}: {ratio:.1f} times {peer} {found[peer].version} (wanted {wanted:g})")
        if name in KERNEL:
            ours, vectors = found["kernel"], found["vectorbt"]
            print(
                f"  kernel: {vectors.best / ours.best:.1f} times vectorbt {vectors.version},"
                f" {ours.best:.3f} s warm (wanted {KERNEL[name]}),"
                f" {ours.seconds[0]:.2f} s the first time against {vectors.seconds[0]:.2f} s"
            )


def _line(what: str, measured: Measured, cells: int) -> Measured:
    times = " ".join(f"{seconds:.3f}" for seconds in measured.seconds)
    print(
        f"  {what:18} {times} s, {cells / measured.best:>12,.0f} symbol-bars/s, "
        f"{measured.orders:,} orders, equity {measured.equity:,.0f}, {measured.peak:,.0f} MB",
        flush=True,
    )
    return measured


def _save(name: str, path: Path) -> int:
    """Write the bars as the peers read them; how many there are."""
    bars = prepare(WORKLOADS[name]).source.load()
    arrays: dict[str, Any] = {field: np.asarray(getattr(bars, field)) for field in FIELDS}
    np.savez(path, **arrays)
    return bars.close.size


def _measure(python: str, script: str, *arguments: str) -> Measured:
    done = subprocess.run(
        [python, script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if done.returncode:
        raise SystemExit(f"{Path(script).name} failed:\n{done.stderr[-2000:]}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def _environment(peer: str) -> Path:
    """The interpreter of the peer's environment, made when it is not there yet."""
    folder = ENVIRONMENTS / PEERS[peer]
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        print(f"  installing {PEERS[peer]} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", PEERS[peer]],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        ready.touch()
    return python


def _panel(name: str, path: str) -> Panel:
    with np.load(path) as held:
        arrays: dict[str, Any] = {field: held[field] for field in FIELDS}
    for field in ("session_dates", "symbols"):
        arrays[field] = tuple(arrays[field].tolist())
    return Panel(**arrays, timeframe=WORKLOADS[name].timeframe or "1Day")


def compiled(name: str, path: str) -> dict[str, Any]:
    """The workload as a vector strategy: what it answers is drawn and run, each time anew."""
    return in_memory(name, path, VECTORS[name])


def in_memory(name: str, path: str, strategy: str | None = None) -> dict[str, Any]:
    """The workload on bars from a file, nothing stored."""
    panel = _panel(name, path)
    request = WORKLOADS[name]
    prepared = prepare(request if strategy is None else replace(request, strategy=strategy))

    def run() -> Advance:
        simulation = Simulation(panel, prepared.request.rules, prepared.request.params)
        decider = decider_of(prepared, panel)
        assert decider is not None
        state, _ = simulation.start(simulation.initial())
        return decider.advance(simulation, state, simulation.total_steps)

    seconds, made = _peer.timed(run, 3)
    return {
        "seconds": seconds,
        "equity": made.result.equity[-1],
        "orders": len(made.result.orders),
    }


def in_ledger(name: str, _path: str) -> dict[str, Any]:
    """The workload with every step in a ledger, from its bars in memory to the completed row."""
    source = prepare(WORKLOADS[name]).source
    held = source.load()
    seconds: list[float] = []
    for _ in range(_peer.SHORT_REPEATS if held.close.shape[0] < 10_000 else 3):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "runs.db"
            ledger = Ledger.open(path)
            service = RunService(ledger, Instance.take(path))
            host = Host(service)
            session = service.create(WORKLOADS[name], source=source)
            began = time.perf_counter()
            host.enqueue(session)
            session.closed.wait()
            seconds.append(time.perf_counter() - began)
            record = service.record(session.run_id)
            assert record.status == "completed", record.error_message
            with ledger.reader() as reader:
                orders = len(reader.orders(session.run_id))
            host.close()
            service.instance.release()
            ledger.close()
    del held
    return {"seconds": seconds, "equity": record.equity, "orders": orders}


OURS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "memory": in_memory,
    "ledger": in_ledger,
    "kernel": compiled,
}


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in OURS:
        tune_interpreter()
        _peer.tell(__version__, **OURS[sys.argv[1]](*sys.argv[2:]))
    else:
        main(sys.argv[1:])
