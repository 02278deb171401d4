"""The engine's values: frozen, typed, free of behaviour that needs anything but themselves.

Units: money and prices in the account's currency, quantities in shares, weights and rates as
fractions. A stamp is an ``int``: microseconds since the Unix epoch, UTC (``stamp_text`` gives its
ISO form). A *step* is an index into the run's grid. Values made once or more per step are named
tuples, because they are several times cheaper to make than frozen dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from engine.errors import InvalidOption

Side = Literal["buy", "sell"]
QuantityType = Literal["shares", "notional", "weight"]
OrderType = Literal["market", "limit", "stop", "stop_limit"]
TimeInForce = Literal["day", "gtc"]
FillRule = Literal["next_open", "close"]
Driver = Literal["strategy", "manual", "tape", "llm", "agent"]
DecisionSource = Literal[
    "strategy", "manual", "tape", "llm", "agent", "timeout_hold", "validation_hold"
]
OrderStatus = Literal[
    "pending", "resting", "filled", "partially_filled", "cancelled", "expired", "rejected"
]

TAKEN_OVER: Final = "taken_over"
"""The key in a run's metadata while a person decides in its strategy's place."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def stamp_datetime(stamp: int) -> datetime:
    """The stamp as an aware ``datetime`` in UTC."""
    return EPOCH + timedelta(microseconds=stamp)


def stamp_text(stamp: int) -> str:
    """The stamp as ISO 8601 text with zone, to the second: ``2026-03-02T14:30:00Z``."""
    return stamp_datetime(stamp).strftime("%Y-%m-%dT%H:%M:%SZ")


class Bar(NamedTuple):
    """One bar; ``ts`` is the stamp of its open."""

    symbol: str
    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Order(NamedTuple):
    """What a decision asks for (policy O1). ``Order.buy`` and ``Order.sell`` are the usual makers.

    ``quantity`` is in ``quantity_type``: shares, notional (currency) or weight (fraction of
    equity). A malformed order is not an exception: it becomes a rejected record with its reason.
    """

    symbol: str
    side: str
    quantity: float
    quantity_type: str = "shares"
    order_type: str = "market"
    limit_price: float | None = None
    stop_price: float | None = None
    time_in_force: str = "day"
    oco_group: str | None = None
    tag: str | None = None

    @classmethod
    def buy(
        cls,
        symbol: str,
        quantity: float,
        *,
        quantity_type: str = "shares",
        limit: float | None = None,
        stop: float | None = None,
        time_in_force: str = "day",
        oco_group: str | None = None,
        tag: str | None = None,
    ) -> Order:
        """An order to buy; its type follows from which of ``limit`` and ``stop`` are given."""
        return cls(
            symbol,
            "buy",
            quantity,
            quantity_type,
            order_type_of(limit, stop),
            limit,
            stop,
            time_in_force,
            oco_group,
            tag,
        )

    @classmethod
    def sell(
        cls,
        symbol: str,
        quantity: float,
        *,
        quantity_type: str = "shares",
        limit: float | None = None,
        stop: float | None = None,
        time_in_force: str = "day",
        oco_group: str | None = None,
        tag: str | None = None,
    ) -> Order:
        """An order to sell; its type follows from which of ``limit`` and ``stop`` are given."""
        return cls(
            symbol,
            "sell",
            quantity,
            quantity_type,
            order_type_of(limit, stop),
            limit,
            stop,
            time_in_force,
            oco_group,
            tag,
        )


def order_type_of(limit: float | None, stop: float | None) -> OrderType:
    """The order type that a limit and a stop price, each given or not, amount to."""
    if limit is None:
        return "market" if stop is None else "stop"
    return "limit" if stop is None else "stop_limit"


class Target(NamedTuple):
    """A holding to reach: a weight of equity, or a number of shares. Exactly one is given."""

    symbol: str
    weight: float | None = None
    shares: float | None = None
    tag: str | None = None


class Decision(NamedTuple):
    """What is to be done at one step; the empty decision holds.

    Submission order is orders as listed, then targets as listed. ``cancels`` are order tags.
    """

    orders: tuple[Order, ...] = ()
    targets: tuple[Target, ...] = ()
    cancels: tuple[str, ...] = ()
    confidence: float | None = None
    rationale: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the decision asks for nothing."""
        return not (self.orders or self.targets or self.cancels)


HOLD = Decision()


class OrderRecord(NamedTuple):
    """The record of one intent, alive or terminal (policy O2). ``reason`` is null for a plain fill.

    ``quantity`` is in shares once sized (None before). For targets ``quantity_type`` is
    ``target_weight`` or ``target_shares`` and ``side`` is None until sized.
    """

    order_id: str
    step_index: int
    symbol: str
    side: str | None
    order_type: str
    quantity_type: str
    requested_quantity: float | None
    quantity: float | None
    limit_price: float | None
    stop_price: float | None
    time_in_force: str
    oco_group: str | None
    tag: str | None
    status: str
    reason: str | None
    filled_quantity: float
    closed_step: int | None


class Fill(NamedTuple):
    """One execution. ``slippage`` is the total in currency, adverse >= 0."""

    fill_id: int
    order_id: str
    step_index: int
    ts: int
    symbol: str
    side: str
    quantity: float
    price: float
    reference_price: float
    commission: float
    fees: float
    slippage: float
    realized_pnl: float
    position_after: float
    avg_cost_after: float


class CashFlow(NamedTuple):
    """Money that moved without a fill: dividend, cash in lieu of a fractional share, interest."""

    step_index: int
    ts: int
    symbol: str | None
    kind: str
    quantity: float | None
    amount: float
    realized_pnl: float


class Position(NamedTuple):
    """A holding valued at the last close seen."""

    symbol: str
    quantity: float
    avg_cost: float
    last_price: float
    market_value: float
    unrealized_pnl: float


class Portfolio(NamedTuple):
    """Cash, equity and the holdings that are not zero, by symbol in request order."""

    cash: float
    equity: float
    positions: Mapping[str, Position]


class CorporateAction(NamedTuple):
    """``kind`` split (value: new shares per old) or dividend (value: cash per share).

    ``ex_date`` and ``pay_date`` are ISO dates.
    """

    symbol: str
    ex_date: str
    kind: str
    value: float
    pay_date: str | None = None


@dataclass(frozen=True, slots=True)
class Costs:
    """Commission, fees and slippage of a run (policy M2 to M5); rates as fractions of notional.

    ``profile`` is the name printed with the result; ``sec`` and ``taf`` switch the US regulatory
    fees on sells.
    """

    profile: str = "us-equity"
    commission_min: float = 0.0
    commission_per_share: float = 0.0
    commission_pct: float = 0.0
    sec: bool = True
    taf: bool = True
    slippage_bps: float = 1.0

    @classmethod
    def of(cls, profile: str) -> Costs:
        """The named profile (policy M5): ``none``, ``us-equity``, or any of ``sec,taf``.

        Raises ``InvalidOption`` for another name.
        """
        names = [name.strip() for name in profile.split(",")]
        if names == ["us-equity"]:
            return cls()
        if names == ["none"]:
            return cls("none", sec=False, taf=False, slippage_bps=0.0)
        if names and set(names) <= {"sec", "taf"}:
            return cls(profile, sec="sec" in names, taf="taf" in names, slippage_bps=0.0)
        raise InvalidOption(
            f"no cost profile {profile!r}",
            field="costs",
            remedy="one of none, us-equity, sec, taf, or sec,taf",
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in force in a simulation; every result prints them."""

    cash: float = 100_000.0
    lot: float = 1.0
    fill: FillRule = "next_open"
    costs: Costs = field(default_factory=Costs)
    participation: float | None = None
    allow_short: bool = False
    max_leverage: float = 1.0
    risk_free: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Everything that says how a run is to be made; the contract's options of ``run``.

    ``symbols`` None asks for all the source has. ``start`` and ``end`` are inclusive dates.
    ``speed`` is in steps per second, None as fast as it goes; ``paused`` prepares only;
    ``breakpoints`` are conditions at which it pauses (``engine.sim.expressions``). ``isolate`` has
    the strategy decide in a process of its own, which may take ``isolate_memory`` megabytes.
    """

    strategy: str
    params: Mapping[str, Any] = field(default_factory=dict)
    source: str = "sample"
    symbols: tuple[str, ...] | None = None
    start: date | None = None
    end: date | None = None
    timeframe: str | None = None
    calendar: str = "XNYS"
    tz: str = "UTC"
    actions: str | None = None
    repair: bool = False
    rules: Rules = field(default_factory=Rules)
    name: str | None = None
    tags: tuple[str, ...] = ()
    agent_id: str | None = None
    speed: float | None = None
    paused: bool = False
    baselines: bool = True
    breakpoints: tuple[str, ...] = ()
    isolate: bool = False
    isolate_memory: int = 2048


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """A condition at which a run pauses (``engine.runs.breakpoints`` says when it is looked at).

    ``once`` disables it at its first hit; ``hits`` counts them.
    """

    id: int
    expression: str
    enabled: bool = True
    once: bool = False
    hits: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One row of ``runs``, as the ledger holds it; stamps are ISO text, JSON columns decoded."""

    run_id: str
    name: str | None
    tags: tuple[str, ...]
    agent_id: str | None
    strategy: str
    driver: str
    status: str
    end_reason: str | None
    error_code: str | None
    error_message: str | None
    source: str
    timeframe: str | None
    symbols: tuple[str, ...]
    start: str | None
    end: str | None
    config: Mapping[str, Any]
    initial_cash: float
    step_index: int
    total_steps: int | None
    equity: float | None
    cash: float | None
    total_return: float | None
    max_drawdown: float | None
    sharpe: float | None
    sortino: float | None
    num_fills: int
    num_trades: int
    total_costs: float
    timeout_holds: int
    metrics: Mapping[str, Any]
    metadata: Mapping[str, Any]
    parent_run_id: str | None
    forked_at_step: int | None
    baseline_of: str | None
    sweep_id: str | None
    owner_instance: str | None
    lease_epoch: int
    heartbeat_seq: int
    heartbeat_at: str | None
    rewind_count: int
    cancel_requested_at: str | None
    created_at: str
    started_at: str | None
    updated_at: str
    finished_at: str | None
    bars_hash: str | None
    config_hash: str
    strategy_hash: str | None
    engine_version: str

    @property
    def by_hand(self) -> bool:
        """Whether a person decides the run's steps: always, or since it was taken over."""
        return self.driver == "manual" or bool(self.metadata.get(TAKEN_OVER))

    @property
    def sessions_per_year(self) -> int | None:
        """What daily figures are annualised with (policy F3), as the run's bars say; None before
        they are loaded."""
        bars = self.metadata.get("bars") or {}
        # Runs of earlier versions have it among their rules.
        rules = self.config.get("rules") or {}
        found: int | None = bars.get("sessions_per_year", rules.get("sessions_per_year"))
        return found
