"""Panels whose bars after a step are not what they were: the audit's other futures.

Everything up to and including step ``after`` stays as it is, bit for bit. The same panel and step
give the same other future every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.sim.panel import FIELDS, Panel

Perturb = Callable[[Panel, int], Panel]

_LEAST, _MOST = 0.05, 0.7  # of the logarithm of a price: 5 % to a doubling, up or down


def changed(panel: Panel, after: int) -> Panel:
    """Other prices and volumes: each bar moved as a whole, by a factor of its own."""
    rng = _rng(panel, after, 1)
    shape = (panel.steps - after - 1, len(panel.symbols))
    moves = rng.uniform(_LEAST, _MOST, shape) * rng.choice((-1.0, 1.0), shape)
    traded = np.exp(rng.uniform(-1.0, 1.0, shape))
    factors = {name: np.exp(moves) for name in FIELDS} | {"volume": traded}
    return _with(panel, {name: _tail(panel, name, after) * factors[name] for name in FIELDS}, after)


def truncated(panel: Panel, after: int) -> Panel:
    """No bars at all after the step: the data ends there."""
    stop = after + 1
    arrays: dict[str, Any] = {name: getattr(panel, name)[:stop].copy() for name in FIELDS}
    return replace(
        panel,
        stamps=panel.stamps[:stop].copy(),
        sessions=panel.sessions[:stop].copy(),
        content_hash="",
        **arrays,
    )


def shuffled(panel: Panel, after: int) -> Panel:
    """The same bars in another order, all symbols of a grid point together."""
    order = _rng(panel, after, 2).permutation(panel.steps - after - 1)
    return _with(panel, {name: _tail(panel, name, after)[order] for name in FIELDS}, after)


PERTURBATIONS: Final[Mapping[str, Perturb]] = MappingProxyType(
    {"changed": changed, "truncated": truncated, "shuffled": shuffled}
)


def _rng(panel: Panel, after: int, kind: int) -> np.random.Generator:
    return np.random.default_rng([kind, panel.steps, len(panel.symbols), after])


def _tail(panel: Panel, name: str, after: int) -> NDArray[np.float64]:
    values: NDArray[np.float64] = getattr(panel, name)
    return values[after + 1 :]


def _with(panel: Panel, tails: Mapping[str, NDArray[np.float64]], after: int) -> Panel:
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(panel, name)[: after + 1], tail])
        for name, tail in tails.items()
    }
    return replace(panel, content_hash="", **arrays)
