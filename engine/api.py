"""The engine for notebooks and scripts: run a strategy over bars, read a ledger as DataFrames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.closing import Closing
from engine.drivers.strategy import decider_of
from engine.errors import InvalidOption, StepdeckError
from engine.model import (
    CashFlow,
    Costs,
    Fill,
    OrderRecord,
    Rules,
    RunRecord,
    RunRequest,
)
from engine.runs.lifecycle import TERMINAL, Status
from engine.runs.panels import panel_of
from engine.runs.requests import Prepared, prepare
from engine.sim import metrics
from engine.sim.records import present_records
from engine.sim.simulation import Simulation
from engine.sim.state import join
from engine.store.reader import Reader
from engine.strategies import Strategy, registry

if TYPE_CHECKING:
    import pandas as pd

    from engine.market import BarSource

_RULE_NAMES = frozenset(field.name for field in fields(Rules)) - {"costs"}
_COST_NAMES = frozenset(field.name for field in fields(Costs)) - {"profile"}
_REQUEST_NAMES = frozenset(field.name for field in fields(RunRequest)) - {
    "strategy",
    "source",
    "rules",
    "paused",
    "speed",
}


@dataclass(frozen=True, eq=False)
class Result:
    """What a run came to.

    ``metrics`` are the figures of the ledger's ``metrics`` column, None where one cannot be
    computed. The tables have the ledger's columns; stamps are aware, in UTC.
    """

    run_id: str | None
    symbols: tuple[str, ...]
    rules: Rules
    metrics: Mapping[str, Any]
    stamps: np.ndarray[Any, np.dtype[np.int64]]
    equity_values: np.ndarray[Any, np.dtype[np.float64]]
    cash_values: np.ndarray[Any, np.dtype[np.float64]]
    fill_records: Sequence[Fill]
    order_records: Sequence[OrderRecord]
    cash_flow_records: Sequence[CashFlow]
    sessions_per_year: int | None
    """What daily figures are annualised with: 252, or 365 for a 24/7 calendar (policy F3)."""

    def __repr__(self) -> str:
        """A line, as a notebook shows it: the tables say the rest."""
        figures = ", ".join(
            f"{name}={value:.4g}"
            for name in ("total_return", "max_drawdown", "sharpe")
            if (value := self.metrics.get(name)) is not None
        )
        run = "" if self.run_id is None else f"{self.run_id}, "
        return (
            f"<Result {run}{len(self.symbols)} symbols, {len(self.equity_values)} steps, "
            f"{len(self.fill_records)} fills, {figures or 'no figures'}>"
        )

    @cached_property
    def equity(self) -> pd.DataFrame:
        """Equity and cash at every grid point, indexed by its stamp."""
        import pandas as pd

        index = pd.DatetimeIndex(self.stamps.view("datetime64[us]"), name="ts").tz_localize("UTC")
        return pd.DataFrame({"equity": self.equity_values, "cash": self.cash_values}, index=index)

    @cached_property
    def fills(self) -> pd.DataFrame:
        """One row an execution, in the order in which they happened."""
        return _stamped(self.fill_records, Fill._fields)

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row an intent, with how it ended and why."""
        return _table(self.order_records, OrderRecord._fields)

    @cached_property
    def cash_flows(self) -> pd.DataFrame:
        """Dividends, cash in lieu of fractions, interest."""
        return _stamped(self.cash_flow_records, CashFlow._fields)


def _table(records: Sequence[tuple[Any, ...]], names: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame.from_records(list(records), columns=list(names))


def _stamped(records: Sequence[tuple[Any, ...]], names: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    table = _table(records, names)
    table["ts"] = pd.to_datetime(table["ts"], unit="us", utc=True)
    return table


def run(
    strategy: str | type[Strategy],
    bars: str | Path | pd.DataFrame | Mapping[str, pd.DataFrame] = "sample",
    *,
    ledger: str | Path | None = None,
    params: Mapping[str, Any] | None = None,
    costs: str | Costs = "us-equity",
    **config: Any,
) -> Result:
    """Run ``strategy`` over ``bars`` to the end.

    ``strategy`` is a class or what the command line takes. ``bars`` is a source string, a path, a
    DataFrame in the columns of a bar file, or one by symbol. ``config`` holds the command line's
    options with underscores: ``symbols``, ``start``, ``end``, ``cash``, ``lot``, ``fill``,
    ``slippage_bps``, ``calendar``, ``seed`` and so on. Without ``ledger`` nothing is stored.

    Raises ``InputError`` of a kind for what is refused, ``MarketDataError`` and ``StrategyError``
    for a run that failed.
    """
    given: object = strategy
    if not isinstance(given, (str, Path, type)):
        made = type(given).__name__
        raise InvalidOption(
            f"strategy is a {made}",
            field="strategy",
            remedy="give a class, which is made afresh for the run, or a name such as sma_cross",
        )
    loaded = registry.from_class(strategy) if isinstance(strategy, type) else None
    name = loaded.info.name if loaded is not None else str(strategy)
    open_source, text = _source_of(bars)
    request = _request(name, text, params or {}, costs, config)
    source = open_source(request) if open_source is not None else None
    if ledger is not None:
        return _run_in_ledger(Path(ledger), request, loaded, source)
    return _run_in_memory(prepare(request, loaded=loaded, source=source))


def _source_of(
    bars: str | Path | pd.DataFrame | Mapping[str, pd.DataFrame],
) -> tuple[Callable[[RunRequest], BarSource] | None, str]:
    from engine import market

    if isinstance(bars, str) and not Path(bars).exists():
        return None, bars
    if isinstance(bars, (str, Path)):
        kind = "parquet" if str(bars).endswith((".parquet", ".pq")) else "csv"
        return None, f"{kind}:{bars}"
    return lambda request: market.from_frames(bars, request), "frame"


def _request(
    strategy: str,
    source: str,
    params: Mapping[str, Any],
    costs: str | Costs,
    config: dict[str, Any],
) -> RunRequest:
    unknown = sorted(set(config) - _RULE_NAMES - _COST_NAMES - _REQUEST_NAMES)
    if unknown:
        known = sorted(_RULE_NAMES | _COST_NAMES | _REQUEST_NAMES)
        raise InvalidOption(
            f"run has no option {unknown[0]!r}",
            field=unknown[0],
            remedy=f"it has {', '.join(known)}",
        )
    profile = costs if isinstance(costs, Costs) else Costs.of(costs)
    chosen = {name: config[name] for name in _COST_NAMES & config.keys()}
    rules = Rules(
        costs=replace(profile, **chosen),
        **{name: config[name] for name in _RULE_NAMES & config.keys()},
    )
    wanted = {name: config[name] for name in _REQUEST_NAMES & config.keys()}
    for name in ("start", "end"):
        if isinstance(wanted.get(name), str):
            wanted[name] = _date(name, wanted[name])
    for name in ("symbols", "tags"):
        if wanted.get(name) is not None:
            wanted[name] = tuple(wanted[name])
    wanted["params"] = dict(params)
    return RunRequest(strategy=strategy, source=source, rules=rules, **wanted)


def _date(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidOption(
            f"{name} is {text!r}", field=name, remedy="give a date such as 2024-03-01"
        ) from None


def _run_in_memory(prepared: Prepared) -> Result:
    panel = panel_of(prepared.source.load())
    request = prepared.request
    simulation = Simulation(panel, request.rules, request.params)
    decide = decider_of(prepared, panel)
    if decide is None:
        raise InvalidOption(
            "a manual run needs a person", field="strategy", remedy="open it with `stepdeck`"
        )
    state, first = simulation.start(simulation.initial())
    advanced = decide.advance(simulation, state, simulation.total_steps)
    if advanced.fault is not None:
        raise advanced.fault
    result = join([first, advanced.result])
    figures = metrics.compute(panel, request.rules, result.equity, result.fills, result.cash_flows)
    return Result(
        None,
        panel.symbols,
        request.rules,
        figures,
        panel.stamps,
        result.equity,
        result.cash,
        result.fills,
        present_records(result.orders),
        result.cash_flows,
        panel.sessions_per_year,
    )


def _run_in_ledger(
    path: Path,
    request: RunRequest,
    loaded: registry.LoadedStrategy | None,
    source: BarSource | None,
) -> Result:
    from engine.drivers.host import Host
    from engine.runs.instance import Instance
    from engine.runs.service import RunService
    from engine.store.ledger import Ledger

    ledger = Ledger.open(path)
    try:
        service = RunService(ledger, Instance.take(path), surface="python")
        host = Host(service, threads=1)
        session = service.create(request, loaded=loaded, source=source)
        host.enqueue(session)
        session.closed.wait()
        host.wait_idle(timeout=3600)
        host.close()
        service.instance.release()
    finally:
        ledger.close()
    with LedgerView(path) as view:
        record = view.run(session.run_id)
        if record.status != Status.COMPLETED:
            raise session.error or StepdeckError(f"run {record.run_id} ended {record.status}")
        return view.result(record.run_id)


class LedgerView(Closing):
    """A ledger opened read-only, its runs as DataFrames. A context manager."""

    def __init__(self, path: str | Path) -> None:
        """Raises ``LedgerMissing`` or ``NotALedger`` for a path that is none."""
        self._reader = Reader.open(Path(path))

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    @property
    def runs(self) -> pd.DataFrame:
        """One row a run, newest first, in the ledger's columns."""
        import pandas as pd

        names = [field.name for field in fields(RunRecord)]
        rows = [[getattr(record, name) for name in names] for record in self._reader.runs()]
        return pd.DataFrame(rows, columns=names)

    def run(self, run: str = "@1") -> RunRecord:
        """The row of ``run``: an id, a unique prefix, or ``@n`` for the newest."""
        return self._reader.run(self._reader.resolve(run))

    def result(self, run: str = "@1") -> Result:
        """Everything the ledger holds of ``run`` now, finished or not."""
        from engine.runs.config import decode_request

        with self._reader.moment():
            record = self.run(run)
            _, stamps, equity, cash = self._reader.equity(record.run_id)
            fills = self._reader.fills(record.run_id)
            orders = self._reader.orders(record.run_id)
            flows = self._reader.cash_flows(record.run_id)
        return Result(
            record.run_id,
            record.symbols,
            decode_request(record.config).rules,
            record.metrics,
            stamps,
            equity,
            cash,
            fills,
            orders,
            flows,
            record.sessions_per_year,
        )

    def follow(self, run: str = "@1", *, interval: float = 0.1) -> Iterator[Result]:
        """The run's result whenever it has changed, until it has ended."""
        run_id = self._reader.resolve(run)
        seen = -1
        while True:
            version = self._reader.data_version()
            if version != seen:
                seen = version
                yield self.result(run_id)
                if self._reader.run(run_id).status in TERMINAL:
                    return
            time.sleep(interval)


def open_ledger(path: str | Path) -> LedgerView:
    """Open a ledger for reading, also while other processes write it."""
    return LedgerView(path)
