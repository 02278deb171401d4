"""Verification of a run: its hashes, its digest chain, its rows against a replay, its money.

The decision log is replayed over the run's bars; nothing is called that decides. What cannot be
had (bars that are gone, a strategy's file) is said to be unchecked; the rest is checked all the
same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine import codec, market
from engine.errors import InputError, LedgerCorrupt, MarketDataError, StepdeckError
from engine.model import (
    HOLD,
    CashFlow,
    Decision,
    Fill,
    OrderRecord,
    Position,
    RunRecord,
    RunRequest,
    stamp_text,
)
from engine.runs.answers import lead_of
from engine.runs.config import decode_request, stored_hash
from engine.runs.lifecycle import TERMINAL, Status
from engine.runs.panels import panel_of
from engine.runs.recount import compare_account, recount_cash, recount_equity
from engine.runs.rewind import REWINDS
from engine.runs.session import FIGURE_COLUMNS, Progress
from engine.runs.verification import (
    WHOLE_ROW,
    Check,
    Difference,
    Rows,
    Verification,
    blame_decision,
    compare_chain,
    compare_curves,
    compare_rows,
    known_links,
)
from engine.sim.observation import Observation
from engine.sim.panel import Panel
from engine.sim.reasons import Reason
from engine.sim.simulation import Simulation
from engine.sim.state import StepResult
from engine.store.reader import EquityRows, Reader
from engine.store.records import StepRecord
from engine.store.seal import LOG, ROW_HASH, row_hash
from engine.strategies import registry

# A larger file takes SQLite longer to look through than a run takes to be replayed.
_SMALL_FILE: Final = 128 * 2**20
_CUT_SHORT: Final = frozenset({Status.CANCELLED, Status.FAILED})


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """Everything that the ledger holds of a run, read at one moment."""

    record: RunRecord
    row: Mapping[str, Any]
    equity: EquityRows
    orders: list[OrderRecord]
    fills: list[Fill]
    cash_flows: list[CashFlow]
    steps: list[StepRecord]
    positions: list[Position]
    commits: Mapping[int, str]
    progress: list[tuple[int, int]]
    log_hash: str | None
    faults: tuple[str, ...] | None
    discarded: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """What the logged decisions lead to over the run's bars; ``digests`` by commits' last steps."""

    decided: int
    stamps: NDArray[np.int64]
    equity: NDArray[np.float64]
    cash: NDArray[np.float64]
    orders: Mapping[str, OrderRecord]
    placed: Mapping[int, list[str]]
    fills: list[Fill]
    cash_flows: list[CashFlow]
    holdings: list[tuple[str, float, float, float]]
    columns: Mapping[str, Any]
    digests: Mapping[int, str]


def verify(reader: Reader, run_id: str) -> Verification:
    """Check everything of a run that can be checked. Raises ``RunNotFound``, ``LedgerError``."""
    recorded = read(reader, run_id)
    record = recorded.record
    checks = [_check_configuration(record)]
    request = _request(record)
    panel, missing = _bars(request, recorded)
    checks.append(_check_bars(record, panel, missing))
    decisions, unreadable = _decisions(recorded.steps)
    if panel is not None and checks[0].outcome != "differs" and checks[1].outcome != "differs":
        assert request is not None
        checks += _against_replay(recorded, request, panel, decisions, unreadable)
    else:
        why = missing or "the run's configuration or bars are not what it began with"
        checks += _without_replay(recorded, unreadable, why)
    if record.rewind_count or recorded.discarded:
        checks.append(_check_rewinds(recorded))
    checks += [_check_row(recorded), _check_log(recorded), _check_strategy(record, request)]
    checks.append(_check_file(recorded))
    return Verification(record.run_id, record.status, record.step_index, tuple(checks))


def read(reader: Reader, run_id: str) -> Recorded:
    """The run's rows, as they were at one moment."""
    try:
        return _read(reader, run_id)
    except (ValueError, TypeError, KeyError) as error:
        raise LedgerCorrupt(
            f"run {run_id} holds a value that cannot be read: {error}",
            field="run",
            remedy="`stepdeck doctor` looks at the whole ledger; restore it from a backup",
        ) from error


def _read(reader: Reader, run_id: str) -> Recorded:
    with reader.moment():
        record = reader.run(run_id)
        sealed = record.metadata.get(LOG)
        return Recorded(
            record=record,
            row=reader.stored_run(run_id),
            equity=reader.equity(run_id, since=-(2**62)),
            orders=reader.orders(run_id, since=-(2**62)),
            fills=reader.fills(run_id, since=-(2**62), after=-(2**62)),
            cash_flows=reader.cash_flows(run_id, since=-(2**62)),
            steps=reader.steps(run_id, since=-(2**62)),
            positions=reader.positions(run_id),
            commits={commit.last_step: commit.digest for commit in reader.commits(run_id)},
            progress=reader.progress(run_id),
            log_hash=reader.log_hash(run_id, int(sealed["seq"])) if sealed else None,
            faults=reader.file_faults(most_bytes=_SMALL_FILE),
            discarded=reader.discarded(run_id),
        )


# -- hashes --------------------------------------------------------------------------------------


def _check_configuration(record: RunRecord) -> Check:
    found = stored_hash(record.config)
    if found == record.config_hash:
        return Check("configuration", "passed", "has the hash it began with")
    return _differs(
        "configuration",
        Difference("runs", None, None, "config_hash", record.config_hash, found),
        "is not what the run began with",
    )


def _request(record: RunRecord) -> RunRequest | None:
    """The run's request; None where the column is no request."""
    try:
        return decode_request(record.config)
    except (TypeError, ValueError, KeyError):
        return None


def _bars(request: RunRequest | None, recorded: Recorded) -> tuple[Panel | None, str | None]:
    """The run's bars, or why they cannot be had."""
    if request is None:
        return None, "the run's configuration cannot be read"
    if recorded.record.bars_hash is None:
        return None, "the run ended before its bars were read"
    try:
        return panel_of(market.resolve(request).load()), None
    except (InputError, MarketDataError) as error:
        return None, str(error)


def _check_bars(record: RunRecord, panel: Panel | None, missing: str | None) -> Check:
    if panel is None:
        return Check("bars", "unchecked", missing or "the bars cannot be had")
    if panel.content_hash == record.bars_hash:
        return Check("bars", "passed", "have the hash they had")
    return _differs(
        "bars",
        Difference("runs", None, None, "bars_hash", record.bars_hash, panel.content_hash),
        f"{record.source} has other bars now",
    )


def _check_rewinds(recorded: Recorded) -> Check:
    """What each rewind cut off is kept, from where it says to where the run had come."""
    record, lead = recorded.record, lead_of(recorded.record)
    expected = {
        number: (int(made["to"]) + lead, int(made["from"]) - int(made["to"]))
        for number, made in enumerate(record.metadata.get(REWINDS, ()), 1)
    }
    if len(expected) != record.rewind_count:
        wrong = Difference("runs", None, None, "rewind_count", len(expected), record.rewind_count)
        return _differs("rewinds", wrong, "the run's rewinds are not all on record")
    first, count = compare_rows(
        Rows(
            "discarded_equity",
            ("step_index", "rows"),
            expected,
            recorded.discarded,
            lambda row: int(row[0]),
            lambda number: f"rewind {number}",
        )
    )
    said = f"{len(expected)} with all that they cut off"
    return _check("rewinds", first, count, said)


def _check_strategy(record: RunRecord, request: RunRequest | None) -> Check:
    if record.strategy_hash is None:
        return Check("strategy", "passed", "nothing but a person decided")
    found = registry.source_hash(request.strategy) if request is not None else None
    if found is None:
        return Check("strategy", "unchecked", f"the source of {record.strategy} cannot be had")
    if found == record.strategy_hash:
        return Check("strategy", "passed", "the source has the hash it had")
    return _differs(
        "strategy",
        Difference("runs", None, None, "strategy_hash", record.strategy_hash, found),
        f"the source of {record.strategy} has been changed since",
    )


def _check_row(recorded: Recorded) -> Check:
    record, stored = recorded.record, recorded.record.metadata.get(ROW_HASH)
    if record.status not in TERMINAL:
        return Check("row", "unchecked", f"the run is {record.status}: its row is not final")
    if stored is None:
        wrong = Difference("runs", None, None, ROW_HASH, "a hash", None)
        return _differs("row", wrong, "the run has ended and its row has lost its seal")
    found = row_hash(recorded.row)
    if found == stored:
        return Check("row", "passed", "the run's own row has the hash it ended with")
    return _differs(
        "row",
        Difference("runs", None, None, ROW_HASH, stored, found),
        "the run's own row was changed after its end",
    )


def _check_log(recorded: Recorded) -> Check:
    """What no replay tells: who decided when and why, keys, epochs, the feed, what was rewound."""
    sealed = recorded.record.metadata.get(LOG)
    if recorded.record.status not in TERMINAL:
        return Check("log", "unchecked", "it is sealed when the run ends")
    if sealed is None:
        return Check("log", "unchecked", "the run ended before logs were sealed")
    if sealed["hash"] == recorded.log_hash:
        return Check("log", "passed", "decisions, commits and events are as they were at its end")
    return _differs(
        "log",
        Difference("runs", None, None, "log", sealed["hash"], recorded.log_hash),
        "a row of steps, commits, events or of what was rewound was changed after the run's end",
    )


def _check_file(recorded: Recorded) -> Check:
    faults = recorded.faults
    if faults is None:
        return Check("file", "unchecked", "the ledger is large: `stepdeck doctor` reads all of it")
    if not faults:
        return Check("file", "passed", "its pages, indexes and schema are whole")
    wrong = Difference("file", None, None, "structure", "a whole file", faults[0])
    return Check("file", "differs", "its structure is damaged", wrong, len(faults))


# -- the log -------------------------------------------------------------------------------------


def _decisions(rows: list[StepRecord]) -> tuple[dict[int, Decision], Difference | None]:
    """The logged decisions by step, and the first that is none."""
    decisions: dict[int, Decision] = {}
    unreadable: Difference | None = None
    for row in rows:
        try:
            decisions[row.step_index] = codec.decode_decision(codec.loads(row.decision))
        except (StepdeckError, ValueError) as error:
            if unreadable is None:
                unreadable = Difference(
                    "steps", row.step_index, None, "decision", f"a decision ({error})", row.decision
                )
    return decisions, unreadable


def _without_replay(recorded: Recorded, unreadable: Difference | None, why: str) -> list[Check]:
    """What can be said where there are no bars: the chain's links, and the money."""
    record = recorded.record
    checks = [_unchecked("replay", why)]
    if unreadable is not None:
        checks.append(_differs("decisions", unreadable, "a decision cannot be read"))
    first, count = compare_chain(
        known_links(recorded.record, recorded.commits, recorded.progress), recorded.commits
    )
    checks.append(_check("chain", first, count, "every commit is there; its digest is unchecked"))
    cash = recount_cash(
        record.initial_cash, len(recorded.equity.cash), recorded.fills, recorded.cash_flows
    )
    first, count = compare_account("cash", cash, recorded.equity.cash)
    checks.append(
        _check("money", first, count, "cash is what fills and cash flows leave; equity needs bars")
    )
    return checks


# -- the replay ----------------------------------------------------------------------------------


def _against_replay(
    recorded: Recorded,
    request: RunRequest,
    panel: Panel,
    decisions: Mapping[int, Decision],
    unreadable: Difference | None,
) -> list[Check]:
    record = recorded.record
    if unreadable is not None:
        return [_differs("decisions", unreadable, "a decision cannot be read")]
    simulation = Simulation(panel, request.rules, request.params)
    replayed = replay_log(simulation, decisions, record, [step + 1 for step in recorded.commits])
    links = {
        **known_links(recorded.record, recorded.commits, recorded.progress),
        **replayed.digests,
    }
    chain, broken = compare_chain(links, recorded.commits)
    curve, curve_count = compare_curves(
        replayed.stamps,
        {"equity": replayed.equity, "cash": replayed.cash},
        recorded.equity.steps,
        recorded.equity.stamps,
        {"equity": recorded.equity.equity, "cash": recorded.equity.cash},
    )
    orders, orders_count = compare_rows(_order_rows(recorded, replayed))
    blamed = None
    last = max(replayed.digests, default=None)
    # Each digest is of all before it: where the last agrees, the log is what was settled.
    if last is not None and recorded.commits[last] != replayed.digests[last]:
        blamed = blame_decision(orders, decisions, replayed.orders.values(), recorded.orders)
    steps, steps_count = compare_rows(_step_rows(recorded, replayed, panel))
    fills, fills_count = compare_rows(_fill_rows(recorded, replayed))
    flows, flows_count = compare_rows(_flow_rows(recorded, replayed))
    holdings, holdings_count = compare_rows(_holding_rows(recorded, replayed))
    return [
        _check("decisions", *(blamed, 1) if blamed else (steps, steps_count), "as logged"),
        _check("orders", orders, orders_count, _rows_said(recorded.orders)),
        _check("fills", fills, fills_count, _rows_said(recorded.fills)),
        _check("cash flows", flows, flows_count, _rows_said(recorded.cash_flows)),
        _check("equity", curve, curve_count, _rows_said(recorded.equity.steps)),
        _check_money(recorded, request, panel),
        _check_chain(chain, broken, recorded),
        _check("positions", holdings, holdings_count, _rows_said(recorded.positions)),
        _check_figures(recorded, replayed),
    ]


def replay_log(
    simulation: Simulation,
    decisions: Mapping[int, Decision],
    record: RunRecord,
    boundaries: Collection[int],
) -> Replayed:
    """Replay ``decisions`` to where ``record`` stands, nobody being asked.

    ``boundaries`` are numbers of settled grid points; the replay's digest at each of them is kept.
    """
    progress = Progress(simulation)
    results: list[StepResult] = []
    settled = min(record.step_index, simulation.total_steps)
    lead = 1 if simulation.rules.fill == "next_open" else 0
    # With next-open fills the last decision settles nothing, so that rows do not tell of it.
    closing = 1 if lead and record.status == Status.COMPLETED else 0

    def answer(observation: Observation) -> Decision:
        return decisions.get(observation.step, HOLD)

    def advance(decided: int) -> None:
        if progress.state.done or decided <= progress.state.decided:
            return
        advanced = simulation.advance(progress.state, answer, decided)
        results.append(advanced.result)
        progress.take(advanced.state, advanced.result)
        if advanced.fault is not None:  # a decoded decision holds orders and nothing else
            raise advanced.fault

    if settled or not lead:
        state, result = simulation.start(progress.state)
        results.append(result)
        progress.take(state, result)
    digests: dict[int, str] = {}
    for boundary in sorted(boundaries):
        if 0 <= boundary < settled:
            advance(boundary - lead)
            digests[boundary - 1] = progress.digest
    advance(settled - lead + closing)
    if settled in boundaries:
        digests[settled - 1] = progress.digest
    orders: dict[str, OrderRecord] = {}
    placed: dict[int, list[str]] = {}
    for result in results:
        for _, order in result.orders:
            if order.order_id not in orders:
                placed.setdefault(order.step_index, []).append(order.order_id)
            orders[order.order_id] = order
    if record.status in _CUT_SHORT:
        # What a cancel or a failure found alive ended with the run, and is in no digest.
        for _, order in simulation.close(progress.state, Reason.RUN_ENDED).orders:
            orders[order.order_id] = order
    rows = progress.state.settled
    final = record.status == Status.COMPLETED or (record.metrics and rows)
    return Replayed(
        decided=progress.state.decided,
        stamps=simulation.panel.stamps[:rows],
        equity=_joined([result.equity for result in results]),
        cash=_joined([result.cash for result in results]),
        orders=orders,
        placed=placed,
        fills=list(progress.fills),
        cash_flows=progress.cash_flows,
        holdings=progress.holdings(),
        columns=(progress.running_columns() | (progress.final_columns() if final else {}))
        if rows
        else {},
        digests=digests,
    )


def _joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.empty(0)


def _order_rows(recorded: Recorded, replayed: Replayed) -> Rows:
    return Rows(
        "orders",
        OrderRecord._fields,
        replayed.orders,
        {order.order_id: order for order in recorded.orders},
        lambda row: int(row[1]),
    )


def _fill_rows(recorded: Recorded, replayed: Replayed) -> Rows:
    return Rows(
        "fills",
        Fill._fields,
        # The ledger's stamps are text to the second.
        {fill.fill_id: fill._replace(ts=_whole(fill.ts)) for fill in replayed.fills},
        {fill.fill_id: fill for fill in recorded.fills},
        lambda row: int(row[2]),
        lambda key: f"fill {key}",
    )


def _flow_rows(recorded: Recorded, replayed: Replayed) -> Rows:
    return Rows(
        "cash_flows",
        CashFlow._fields,
        {at: flow._replace(ts=_whole(flow.ts)) for at, flow in enumerate(replayed.cash_flows)},
        dict(enumerate(recorded.cash_flows)),
        lambda row: int(row[0]),
        lambda key: f"flow {key}",
    )


def _step_rows(recorded: Recorded, replayed: Replayed, panel: Panel) -> Rows:
    """A logged step's stamp, and the orders it says that it placed."""
    expected: dict[int, tuple[int, str, str]] = {}
    for row in recorded.steps:
        step = row.step_index
        if 0 <= step < replayed.decided:
            placed = codec.dumps({"orders": replayed.placed.get(step, [])})
            expected[step] = (step, stamp_text(int(panel.stamps[step])), placed)
    got = {row.step_index: (row.step_index, row.ts, row.result) for row in recorded.steps}
    return Rows(
        "steps",
        ("step_index", "ts", "result"),
        expected,
        got,
        lambda row: int(row[0]),
        lambda _: None,
    )


def _holding_rows(recorded: Recorded, replayed: Replayed) -> Rows:
    return Rows(
        "positions",
        ("symbol", "quantity", "avg_cost", "last_price"),
        {row[0]: row for row in replayed.holdings},
        {row.symbol: tuple(row[:4]) for row in recorded.positions},
        lambda _: max(recorded.record.step_index - 1, 0),
    )


def _whole(stamp: int) -> int:
    return stamp - stamp % 1_000_000


def _check_chain(first: Difference | None, count: int, recorded: Recorded) -> Check:
    if first is None or first.column == WHOLE_ROW:
        said = f"{len(recorded.commits):,} digests, each as replayed"
        return _check("chain", first, count, said)
    assert first.step is not None
    before = max((end for end in recorded.commits if end < first.step), default=-1)
    said = f"what was settled after step {before} up to step {first.step} is not what is logged"
    return Check("chain", "differs", said, first, count)


def _check_money(recorded: Recorded, request: RunRequest, panel: Panel) -> Check:
    """Cash and equity counted again from the ledger's own fills."""
    steps, _, equity, cash = recorded.equity
    if not np.array_equal(steps, np.arange(len(steps))) or len(steps) > panel.steps:
        return _unchecked("money", "the equity curve has rows missing or too many")
    fills = recorded.fills
    counted = recount_cash(recorded.record.initial_cash, len(steps), fills, recorded.cash_flows)
    first, count = compare_account("cash", counted, cash)
    if first is None:
        worth = recount_equity(panel, request.rules.lot, cash, fills)
        first, count = compare_account("equity", worth, equity)
    return _check("money", first, count, "cash and equity follow from fills and closes")


def _check_figures(recorded: Recorded, replayed: Replayed) -> Check:
    """The columns of the run's row that follow from its steps."""
    row = recorded.row
    columns = dict(replayed.columns)
    metrics = columns.pop("metrics", None)
    for name in ("equity", "cash", *FIGURE_COLUMNS):
        if name in columns and row[name] != columns[name]:
            wrong = Difference("runs", None, None, name, columns[name], row[name])
            return _differs("figures", wrong, "a figure does not follow from the steps")
    if metrics is not None:
        said = recorded.record.metrics
        for name in sorted({*metrics, *said}):
            if metrics.get(name) != said.get(name):
                wrong = Difference(
                    "runs", None, None, f"metrics.{name}", metrics.get(name), said.get(name)
                )
                return _differs("figures", wrong, "a figure does not follow from the steps")
    return Check("figures", "passed", "as computed from the replay")


# -- how checks are said -------------------------------------------------------------------------


def _check(name: str, first: Difference | None, count: int, detail: str) -> Check:
    if first is None:
        return Check(name, "passed", detail)
    said = "1 row differs" if count == 1 else f"{count:,} rows differ"
    return Check(name, "differs", said, first, count)


def _differs(name: str, first: Difference, detail: str) -> Check:
    return Check(name, "differs", detail, first, 1)


def _unchecked(name: str, why: str) -> Check:
    return Check(name, "unchecked", why)


def _rows_said(rows: Collection[object] | NDArray[Any]) -> str:
    count = len(rows)
    return f"{count:,} {'row' if count == 1 else 'rows'}, each as replayed"
