"""A request checked before it becomes a run: whatever is wrong is refused while no row exists."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from engine import market
from engine.errors import InvalidExpression, InvalidOption
from engine.market import BarSource
from engine.market.actions import COLUMN_SPECS
from engine.model import Driver, Rules, RunRequest
from engine.sim.expressions import parse
from engine.sim.lots import LEAST_LOT
from engine.strategies import outside, registry

FILL_RULES = ("next_open", "close")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that was found good, and what the finding brought to light.

    ``request`` names its symbols, timeframe and typed parameters, and its files by whole paths.
    """

    request: RunRequest
    source: BarSource
    loaded: registry.LoadedStrategy

    @property
    def strategy(self) -> str:
        """The strategy's name for people: a file's own name stands for its path."""
        path = self.loaded.info.path
        spec = self.request.strategy
        return spec if path is None else spec.replace(str(path.absolute()), path.name, 1)

    @property
    def driver(self) -> Driver:
        """Who decides."""
        return self.loaded.info.driver


def prepare(
    request: RunRequest,
    *,
    loaded: registry.LoadedStrategy | None = None,
    source: BarSource | None = None,
) -> Prepared:
    """Check ``request`` against its strategy, its source and the rules' ranges.

    ``loaded`` and ``source`` stand in for what the request names where the caller has them at
    hand, as a notebook does. Raises ``InputError`` of the kind that names the field.
    """
    check_rules(request.rules)
    if request.speed is not None and not 0 < request.speed < math.inf:
        raise InvalidOption(
            f"speed is {request.speed:g} steps a second",
            field="speed",
            remedy="give a number above 0, or leave it out for full speed",
        )
    if request.start and request.end and request.start > request.end:
        raise InvalidOption(
            f"start {request.start} is after end {request.end}",
            field="start",
            remedy="give a start on or before the end",
        )
    _require(
        64 <= request.isolate_memory <= 2**30,
        "isolate-memory",
        request.isolate_memory,
        "megabytes, 64 or more",
    )
    if loaded is not None and request.isolate:
        raise InvalidOption(
            "a class at hand cannot be isolated",
            field="isolate",
            remedy="name its file as FILE.py:Class",
        )
    loaded = loaded or load_strategy(request)
    params = registry.parse_params(loaded.info, request.params)
    source = source or market.resolve(request)
    for text in request.breakpoints:
        _check_breakpoint(text, source.symbols)
    request = replace(
        request,
        strategy=_from_anywhere(request.strategy, loaded.info.path),
        params=params,
        source=source.source,
        actions=_file_from_anywhere(request.actions),
        symbols=source.symbols,
        timeframe=source.timeframe,
    )
    return Prepared(request, source, loaded)


def _check_breakpoint(text: str, symbols: tuple[str, ...]) -> None:
    try:
        parse(text, symbols)
    except InvalidExpression as error:
        error.field = "break"
        raise


def load_strategy(request: RunRequest) -> registry.LoadedStrategy:
    """The strategy that a request names; one to be isolated is not executed in this process.

    Raises what ``registry.load`` raises.
    """
    if request.isolate and outside.is_file(request.strategy):
        return outside.load_outside(request.strategy)
    return registry.load(request.strategy)


def _from_anywhere(spec: str, path: Path | None) -> str:
    """The spec with its file's whole path, so that a run can be taken up from any folder."""
    if path is None:
        return spec
    if spec.startswith("tape:"):
        return f"tape:{path.absolute()}"
    return f"{path.absolute()}:{spec.rpartition(':')[2]}"


def _file_from_anywhere(actions: str | None) -> str | None:
    if actions is None or actions == "none" or actions in COLUMN_SPECS:
        return actions
    return str(Path(actions).expanduser().absolute())


def check_rules(rules: Rules) -> None:
    """Raise ``InvalidOption`` for a rule outside its range."""
    costs = rules.costs
    _require(rules.cash > 0, "cash", rules.cash, "an amount above 0")
    _require(rules.lot > 0, "lot", rules.lot, "a size above 0, such as 1 or 1e-9")
    _require(rules.lot >= LEAST_LOT, "lot", rules.lot, f"a size from {LEAST_LOT:g} on")
    if rules.fill not in FILL_RULES:
        raise InvalidOption(
            f"fill is {rules.fill!r}", field="fill", remedy=f"one of {', '.join(FILL_RULES)}"
        )
    for name, value in (
        ("commission-min", costs.commission_min),
        ("commission-per-share", costs.commission_per_share),
        ("commission-pct", costs.commission_pct),
        ("slippage-bps", costs.slippage_bps),
    ):
        _require(value >= 0, name, value, "0 or more")
    _require(
        costs.commission_pct < 1,
        "commission-pct",
        costs.commission_pct,
        "a fraction of notional below 1: 0.02 is 2 %",
    )
    _require(costs.slippage_bps < 10_000, "slippage-bps", costs.slippage_bps, "less than 10000")
    if rules.participation is not None:
        _require(
            0 < rules.participation <= 1,
            "participation",
            rules.participation,
            "a share of the bar's volume above 0 and up to 1",
        )
    _require(rules.max_leverage >= 1, "max-leverage", rules.max_leverage, "1 or more")
    _require(
        -1 < rules.risk_free < 1,
        "risk-free",
        rules.risk_free,
        "a yearly rate as a fraction: 0.04 is 4 %",
    )
    _require(0 <= rules.seed < 2**63, "seed", rules.seed, "a whole number from 0")


def _require(holds: bool, field: str, value: float, remedy: str) -> None:
    if not holds or not math.isfinite(value):
        raise InvalidOption(f"{field} is {value:g}", field=field, remedy=f"give {remedy}")
