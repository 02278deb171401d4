"""Several runs side by side: figures with the best marked, what differs in how they were made,
their curves on one scale, and where each first decided otherwise than the first run.

Pure: details of runs in, values out.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from engine.codec import decision_text, decode_decision, loads
from engine.model import Decision, RunRecord, stamp_text
from engine.sim.metrics import FORMULAS

if TYPE_CHECKING:
    from engine.store.records import StepRecord
    from tui.gateway import RunDetail

Better = Literal["higher", "lower"]

# A drawdown is <= 0, so the higher is the better. Counts, exposure and turnover are neither.
BETTER: Final[Mapping[str, Better]] = {
    "total_return": "higher",
    "max_drawdown": "higher",
    "sharpe": "higher",
    "sortino": "higher",
    "cagr": "higher",
    "annual_volatility": "lower",
    "calmar": "higher",
    "win_rate": "higher",
    "profit_factor": "higher",
    "expectancy": "higher",
    "best_day": "higher",
    "worst_day": "higher",
    "longest_drawdown_days": "lower",
    "total_commission": "lower",
    "total_fees": "lower",
    "total_slippage": "lower",
    "total_costs": "lower",
}
_COLUMNS: Final = (
    "total_return",
    "max_drawdown",
    "sharpe",
    "sortino",
    "num_fills",
    "num_trades",
    "total_costs",
)
_NOT_SETTINGS: Final = frozenset({"name", "tags", "agent_id", "speed", "paused", "baselines"})


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of every run, None where one has none; ``best`` are the places of the best.

    Nothing is best where no value is better than another, or where neither more nor less is better.
    """

    name: str
    values: tuple[float | None, ...]
    best: frozenset[int]


@dataclass(frozen=True, slots=True)
class Setting:
    """Something in how the runs were made that is not the same in all of them."""

    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A run's equity over its initial cash at each settled grid point; stamps in microseconds."""

    stamps: NDArray[np.int64]
    growth: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where a run first decided otherwise than the first one, over the stamps that both have.

    ``steps`` are the step's numbers in the first run and in this one; ``decisions`` what each
    decided, as JSON, ``{}`` for a hold.
    """

    ts: str
    steps: tuple[int, int]
    decisions: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Against:
    """A run held against the first one; ``window`` is the stamps both have, None if there are none.

    ``first`` is None where their decisions are the same throughout.
    """

    window: tuple[str, str] | None
    first: Divergence | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs side by side; every tuple has one entry a run, but ``against``, which leaves out the
    first.
    """

    runs: tuple[RunRecord, ...]
    figures: tuple[Figure, ...]
    settings: tuple[Setting, ...]
    curves: tuple[Curve, ...]
    against: tuple[Against, ...]


def compare(details: Sequence[RunDetail]) -> Comparison:
    """The runs of ``details`` side by side, held against the first of them."""
    records = tuple(detail.record for detail in details)
    return Comparison(
        records,
        _figures(records),
        _settings(records),
        tuple(
            Curve(detail.stamps, detail.equity / detail.record.initial_cash) for detail in details
        ),
        tuple(_against(details[0], other) for other in details[1:]),
    )


def _figures(records: Sequence[RunRecord]) -> tuple[Figure, ...]:
    """Every figure that any of the runs has, in the order of the formulas."""
    known = [
        {name: getattr(record, name) for name in _COLUMNS} | dict(record.metrics)
        for record in records
    ]
    figures = []
    for name in FORMULAS:
        values = tuple(figures_of.get(name) for figures_of in known)
        if any(name in figures_of for figures_of in known):
            figures.append(Figure(name, values, best(name, values)))
    return tuple(figures)


def best(name: str, values: Sequence[float | None]) -> frozenset[int]:
    """The places of the best values of a figure."""
    better = BETTER.get(name)
    there = [value for value in values if value is not None and isfinite(value)]
    if better is None or len(there) < 2 or min(there) == max(there):
        return frozenset()
    wanted = max(there) if better == "higher" else min(there)
    return frozenset(place for place, value in enumerate(values) if value == wanted)


def _settings(records: Sequence[RunRecord]) -> tuple[Setting, ...]:
    """What differs of strategy, parameters, bars, rules and costs, each by its own name."""
    flat = [_flat(record.config) for record in records]
    for values, record in zip(flat, records, strict=True):
        values["strategy"] = record.strategy  # a file's own name, not its whole path
        values["bars_hash"] = record.bars_hash
        values["strategy_hash"] = record.strategy_hash
        values["engine_version"] = record.engine_version
    names = dict.fromkeys(name for values in flat for name in values)
    settings = (Setting(name, tuple(values.get(name) for values in flat)) for name in names)
    return tuple(
        setting
        for setting in settings
        if any(value != setting.values[0] for value in setting.values[1:])
    )


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with one name for each value: ``cash``, ``costs.slippage_bps``, ``p.fast``.

    Rules go by their own names; a parameter by ``p.`` and its.
    """
    flat: dict[str, Any] = {}
    for name, value in config.items():
        if name in _NOT_SETTINGS:
            continue
        if name == "params":
            flat |= {f"p.{key}": given for key, given in value.items()}
        elif name == "rules":
            rules = dict(value)
            costs = rules.pop("costs", None) or {}
            flat |= rules | {f"costs.{key}": cost for key, cost in costs.items()}
        else:
            flat[name] = value
    return flat


def _against(one: RunDetail, other: RunDetail) -> Against:
    if not (len(one.stamps) and len(other.stamps)):
        return Against(None, None)
    begin = max(int(one.stamps[0]), int(other.stamps[0]))
    end = min(int(one.stamps[-1]), int(other.stamps[-1]))
    if begin > end:
        return Against(None, None)
    window = stamp_text(begin), stamp_text(end)
    ours, theirs = _decided(one.decisions, window), _decided(other.decisions, window)
    for ts in sorted({*ours, *theirs}):
        first, second = ours.get(ts, Decision()), theirs.get(ts, Decision())
        if first != second:
            steps = _step(one, ts), _step(other, ts)
            return Against(
                window, Divergence(ts, steps, (decision_text(first), decision_text(second)))
            )
    return Against(window, None)


def _decided(steps: Sequence[StepRecord], window: tuple[str, str]) -> dict[str, Decision]:
    """What was decided at the stamps of a window, by stamp; why it was is not compared."""
    # Stamps of the ledger are texts of one form, so they sort as they are.
    begin = bisect_left(steps, window[0], key=lambda row: row.ts)
    end = bisect_right(steps, window[1], key=lambda row: row.ts)
    return {
        row.ts: decode_decision(loads(row.decision))._replace(rationale=None, confidence=None)
        for row in steps[begin:end]
    }


def _step(detail: RunDetail, ts: str) -> int:
    """The number of the grid point that has a stamp, or of the one before it."""
    texts = [row.step_index for row in detail.decisions if row.ts == ts]
    if texts:
        return texts[0]
    stamp = np.datetime64(ts.removesuffix("Z"), "us").astype(np.int64)
    # A stamp may have fractions of a second, which its text has not.
    return max(int(np.searchsorted(detail.stamps, stamp + 1_000_000)) - 1, 0)
