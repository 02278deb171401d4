"""A vector strategy at the wheel: compiled where numba is there and it pays, stepped where not.

Both ways give the same bits, so that a run may change between them at any step: a few decisions at
a time, as a pause, a speed limit or a step by hand asks for them, are stepped.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sized
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import platformdirs

from engine.drivers.stepping import Stepping
from engine.model import Rules
from engine.sim import compiled
from engine.sim.compiled import FEWEST, Kernel, advance_rows
from engine.sim.observation import Observation
from engine.sim.panel import Panel
from engine.sim.simulation import Simulation
from engine.sim.state import Advance, State
from engine.strategies.rows import TargetRows

_SOURCES: Final = ("kernel.py", "terms.py", "records.py")

Execution = Literal["compiled", "stepped"]

# What stepping costs, roughly, in seconds: a step, and a target weight in it.
_A_STEP: Final = 0.4e-6
_A_WEIGHT: Final = 2.5e-6
WORTH_LOADING: Final = 0.3
"""Seconds of stepping from which numba is loaded, which takes about as long, once a process."""


class Vector(Stepping):
    """The decisions of a strategy's ``weights``, many at a call of the kernel."""

    def __init__(
        self, decide: Callable[[Observation], object], rows: TargetRows, path: Path | None = None
    ) -> None:
        """``decide`` steps through ``rows``; ``path`` is the strategy's own file."""
        super().__init__(decide, path)
        self._rows = rows
        pays = _stepping_seconds(rows) >= WORTH_LOADING
        self._kernel = _kernels.load() if pays else _kernels.loaded
        self.notice: str | None = None
        """What a reader of the run should know of how its decisions are made."""
        if pays and self._kernel is None:
            self.notice = (
                f"stepped, not compiled: {_kernels.missing}; pip install 'stepdeck[fast]' brings"
                " numba, and the same result sooner"
            )

    @property
    def execution(self) -> Execution:
        """How decisions are made, where there are enough of them at a time."""
        return "stepped" if self._kernel is None else "compiled"

    def advance(self, simulation: Simulation, state: State, stop: int, halt: Sized = ()) -> Advance:
        """As ``Simulation.advance``; ``halt`` is looked at between calls of the kernel."""
        if self._kernel is None or stop - state.decided < FEWEST:
            return super().advance(simulation, state, stop, halt)
        return advance_rows(simulation, state, self._rows, stop, self._kernel, halt)


def _stepping_seconds(rows: TargetRows) -> float:
    weights = np.count_nonzero(~np.isnan(rows.weights))
    return float(_A_STEP * len(rows.weights) + _A_WEIGHT * weights)


def load_kernel() -> Kernel | None:
    """The kernel, ready to run; None where numba is not installed.

    The first time on a machine it is compiled, which takes some seconds, and kept in the user's
    cache folder (or in ``NUMBA_CACHE_DIR``).
    """
    return _kernels.load()


class _Kernels:
    """The one kernel of this process, or why there is none."""

    def __init__(self) -> None:
        self.loaded: Kernel | None = None
        self.missing: str | None = None
        self._lock = threading.Lock()

    def load(self) -> Kernel | None:
        with self._lock:
            if self.loaded is None and self.missing is None:
                try:
                    self.loaded = _import_kernel()
                except ImportError as error:
                    self.missing = str(error)
            return self.loaded


def _import_kernel() -> Kernel:
    """Raises ``ImportError`` where numba is missing, switched off, or of a version that cannot."""
    import numba

    config: Any = numba.config
    if config.DISABLE_JIT:
        raise ImportError("NUMBA_DISABLE_JIT is set")
    elsewhere = config.CACHE_DIR
    try:
        # Asked for while functions are declared; a user's own may go wherever they did.
        config.CACHE_DIR = str(_cache_folder(elsewhere))
        from engine.sim.kernel import run_rows
    finally:
        config.CACHE_DIR = elsewhere
    try:
        _run_once(run_rows)
    except numba.errors.NumbaError as error:
        said = str(error).strip().splitlines()[0]
        raise ImportError(f"numba {numba.__version__} cannot compile the kernel: {said}") from error
    return run_rows


def _cache_folder(chosen: str) -> Path:
    """Where compiled code is kept: a folder for each version of what it was compiled from.

    numba looks at the kernel's own file alone; the layout of what it is given is in others.
    """
    base = Path(chosen) if chosen else platformdirs.user_cache_path("stepdeck")
    sources = [Path(compiled.__file__).with_name(name) for name in _SOURCES]
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    return base / f"kernel-{version[:12]}"


def _run_once(kernel: Kernel) -> None:
    """Have the kernel compiled, or read from its cache, before a run waits for it."""
    steps = FEWEST + 2
    prices = np.ones((steps, 1))
    stamps, sessions = np.arange(steps, dtype=np.int64), np.zeros(steps, dtype=np.int32)
    panel = Panel(("-",), stamps, prices, prices, prices, prices, prices, sessions, ("2000-01-03",))
    simulation = Simulation(panel, Rules())
    state, _ = simulation.start(simulation.initial())
    rows = TargetRows(np.full((steps, 1), np.nan), panel.symbols, steps)
    advance_rows(simulation, state, rows, steps, kernel)


_kernels: Final = _Kernels()
