"""The panels of the run screen as rows and facts, worked out from a run's detail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, Final, TypeVar
from zoneinfo import ZoneInfo

from engine.codec import decision_text as encoded
from engine.model import Fill, OrderRecord, Position, RunRecord
from tui import format as fmt
from tui.viewmodel.figures_so_far import FiguresSoFar
from tui.viewmodel.preview import amount_text, curves, decision_text
from tui.viewmodel.runs import ACTIVE
from tui.widgets.curve import Curves
from tui.widgets.facts import Fact, Facts
from tui.widgets.table import Cell, Column, Row

if TYPE_CHECKING:
    from engine.sim.panel import Panel
    from engine.store.records import StepRecord
    from tui.gateway import RunDetail

ItemT = TypeVar("ItemT")

POSITION_COLUMNS: Final = (
    Column("symbol", "Symbol", 8, flexible=True),
    Column("quantity", "Quantity", 10, align="right"),
    Column("avg_cost", "Avg cost", 10, align="right", priority=1),
    Column("last", "Last", 10, align="right", priority=2),
    Column("value", "Value", 13, align="right"),
    Column("weight", "Weight", 7, align="right", priority=3),
    Column("gain", "Unrealized", 12, align="right"),
)
# Why an order came to its end is what people look for: the outcome keeps room for its reason.
ORDER_COLUMNS: Final = (
    Column("step", "Step", 5, align="right"),
    Column("symbol", "Symbol", 6, priority=2),
    Column("side", "Side", 6),
    Column("asked", "Asked", 8, align="right", priority=4),
    Column("filled", "Filled", 7, align="right", priority=1),
    Column("price", "Price", 8, align="right", priority=3, sortable=False),
    Column("status", "Outcome", 28, flexible=True),
)
DECISION_COLUMNS: Final = (
    Column("step", "Step", 6, align="right"),
    Column("at", "Bar", 20, priority=2),
    Column("source", "By", 9, priority=1),
    Column("decision", "Decision", 16, flexible=True),
)


SortKey = float | str | tuple[str, str]
Sort = tuple[str, bool] | None
"""A column's key and whether the list falls; None leaves a list in its own order."""
Sorts = Mapping[str, tuple[str, bool]]
"""The sort of each list that has one, by the list's name."""

_POSITION_KEYS: Final[Mapping[str, Callable[[Position], SortKey]]] = {
    "symbol": lambda held: held.symbol,
    "quantity": lambda held: held.quantity,
    "avg_cost": lambda held: held.avg_cost,
    "last": lambda held: held.last_price,
    "value": lambda held: held.market_value,
    "weight": lambda held: held.market_value,
    "gain": lambda held: held.unrealized_pnl,
}
_ORDER_KEYS: Final[Mapping[str, Callable[[OrderRecord], SortKey]]] = {
    "step": lambda order: order.step_index,
    "symbol": lambda order: order.symbol,
    "side": lambda order: order.side or "",
    "asked": lambda order: order.requested_quantity or 0.0,
    "filled": lambda order: order.filled_quantity,
    "status": lambda order: (order.status, order.reason or ""),
}
_DECISION_KEYS: Final[Mapping[str, Callable[[StepRecord], SortKey]]] = {
    "step": lambda row: row.step_index,
    "at": lambda row: row.step_index,
    "source": lambda row: row.decision_source,
    "decision": lambda row: row.decision,
}


def _ordered(
    items: Iterable[ItemT], keys: Mapping[str, Callable[[ItemT], SortKey]], sort: Sort
) -> list[ItemT]:
    if sort is None or sort[0] not in keys:
        return list(items)
    return sorted(items, key=keys[sort[0]], reverse=sort[1])


def position_rows(detail: RunDetail, currency: str, sort: Sort = None) -> list[Row]:
    """What the run holds, in request order unless sorted."""
    equity = detail.record.equity
    return [
        Row(
            held.symbol,
            (
                Cell(held.symbol, "strong"),
                Cell(fmt.quantity(held.quantity)),
                Cell(fmt.price(held.avg_cost)),
                Cell(fmt.price(held.last_price)),
                Cell(fmt.money(held.market_value, currency)),
                Cell(fmt.share(held.market_value / equity if equity else None, 1), "muted"),
                Cell(
                    fmt.signed_money(held.unrealized_pnl, currency),
                    fmt.gain_role(held.unrealized_pnl),
                ),
            ),
        )
        for held in _ordered(detail.positions, _POSITION_KEYS, sort)
    ]


def average_prices(fills: Sequence[Fill]) -> dict[str, float]:
    """Average fill price by order id."""
    amounts: dict[str, tuple[float, float]] = {}
    for fill in fills:
        notional, shares = amounts.get(fill.order_id, (0.0, 0.0))
        amounts[fill.order_id] = (notional + fill.price * fill.quantity, shares + fill.quantity)
    return {name: notional / shares for name, (notional, shares) in amounts.items() if shares}


def order_row(order: OrderRecord, price: float | None) -> Row:
    """An order with what became of it; ``price`` is the average of its fills."""
    look = fmt.status_look(order.status)
    side = fmt.status_look(order.side)
    return Row(
        order.order_id,
        (
            Cell(str(order.step_index), "muted"),
            Cell(order.symbol),
            Cell(side.text, side.role),
            Cell(amount_text(order.requested_quantity, order.quantity_type), "muted"),
            Cell(fmt.quantity(order.filled_quantity) if order.filled_quantity else fmt.DASH),
            Cell(fmt.price(price)),
            Cell(outcome(order), look.role),
        ),
    )


def outcome(order: OrderRecord) -> str:
    """What became of an order, and why: ``◐ partial: insufficient cash``."""
    look = fmt.status_look(order.status)
    if not order.reason:
        return look.text
    word = "partial" if order.status == "partially_filled" else look.word
    return f"{look.glyph} {word}: {order.reason.replace('_', ' ')}"


def decision_row(row: StepRecord, stamp: int | None, zone: tzinfo) -> Row:
    """A decision of somebody; ``stamp`` is that of the bar it has seen, None if not at hand."""
    said = decision_text(row.decision)
    return Row(
        str(row.step_index),
        (
            Cell(str(row.step_index), "muted"),
            Cell(row.ts if stamp is None else fmt.stamp(stamp, zone), "muted"),
            Cell(row.decision_source.replace("_", " "), "muted"),
            Cell(said, "muted" if said == "hold" else "text"),
        ),
    )


def due_row(detail: RunDetail, zone: tzinfo) -> Row | None:
    """The decision of the moment looked back at, which none of its rows are of yet; None now."""
    moment = detail.moment
    if moment is None or moment.decision is None or moment.decision_step is None:
        return None
    said = decision_text(encoded(moment.decision))
    when = fmt.DASH if moment.stamp is None else fmt.stamp(moment.stamp, zone)
    by = (moment.source or "").replace("_", " ")
    return Row(
        f"due {moment.decision_step}",
        (
            Cell(f"▸{moment.decision_step}", "attention"),
            Cell(when, "attention"),
            Cell(by, "attention"),
            Cell(said, "attention"),
        ),
    )


@dataclass(frozen=True, slots=True)
class PanelRows:
    """The lists, curves and figures of a run, ready to be shown."""

    positions: tuple[Row, ...]
    orders: tuple[Row, ...]
    decisions: tuple[Row, ...]
    curves: Curves | None
    figures: tuple[Facts, ...]


class RunPanels:
    """Works the panels of one run out, again and again, on the poller's thread.

    A run may have tens of thousands of orders of which a look changes a few: a row is made once
    and kept as long as what it was made of is the same. ``sorts`` (list name -> sort) is replaced
    as a whole by the screen; ``utc`` shows times in UTC and not in the exchange's zone;
    ``currency`` is the sign before money. Rows that another one, of the same run, has made are
    taken from ``like``.
    """

    def __init__(self, currency: str, like: RunPanels | None = None) -> None:
        self.currency = currency
        self.sorts: Sorts = {}
        self.utc = False
        self._in_utc = False
        self._so_far = FiguresSoFar()
        self._orders: dict[str, tuple[OrderRecord, float | None, Row]] = {}
        self._decisions: dict[int, tuple[StepRecord, Row]] = {}
        if like is not None:
            # One call each: the other one goes on being used by its thread meanwhile.
            self._orders, self._decisions = like._orders.copy(), like._decisions.copy()
            self._in_utc = like._in_utc
            self._so_far.panel = like._so_far.panel

    def know(self, panel: Panel) -> None:
        """The run's bars, which some of its figures need until it has ended."""
        self._so_far.panel = panel

    def make(self, detail: RunDetail) -> PanelRows:
        """The panels of what the ledger holds now; lists newest first unless sorted."""
        sorts, utc = self.sorts, self.utc
        if utc != self._in_utc:
            self._in_utc = utc
            self._decisions.clear()
        zone = UTC if utc else zone_of(detail.record)
        return PanelRows(
            tuple(position_rows(detail, self.currency, sorts.get("positions"))),
            self._order_rows(detail, sorts.get("orders")),
            self._decision_rows(detail, sorts.get("decisions"), zone),
            curves(detail, zone),
            figures(detail, self.currency, self._so_far.of(detail)),
        )

    def _order_rows(self, detail: RunDetail, sort: Sort) -> tuple[Row, ...]:
        prices = average_prices(detail.fills)
        rows = []
        for order in _ordered(reversed(detail.orders), _ORDER_KEYS, sort):
            price = prices.get(order.order_id)
            known = self._orders.get(order.order_id)
            if known is None or known[0] != order or known[1] != price:
                known = self._orders[order.order_id] = (order, price, order_row(order, price))
            rows.append(known[2])
        return tuple(rows)

    def _decision_rows(self, detail: RunDetail, sort: Sort, zone: tzinfo) -> tuple[Row, ...]:
        stamps = detail.stamps
        rows = []
        for decided in _ordered(reversed(detail.decisions), _DECISION_KEYS, sort):
            step = decided.step_index
            known = self._decisions.get(step)
            if known is None or known[0] != decided:
                stamp = int(stamps[step]) if step < len(stamps) else None
                known = self._decisions[step] = (decided, decision_row(decided, stamp, zone))
            rows.append(known[1])
        due = due_row(detail, zone)
        return tuple(rows) if due is None else (due, *rows)


def zone_of(record: RunRecord) -> tzinfo:
    """The zone in which the run's exchange keeps time; UTC where there is no exchange."""
    return ZoneInfo("America/New_York") if record.config.get("calendar") == "XNYS" else UTC


def figures(detail: RunDetail, currency: str, known: Mapping[str, Any]) -> tuple[Facts, ...]:
    """The run's figures with the rules they were made under; what is not known is a dash.

    ``known`` are those that the running row does not have, by the engine's names.
    """
    record = detail.record
    return (
        Facts("Result", _result(record, currency, known)),
        Facts("Risk", _risk(record, known)),
        Facts("Trades", _trades(record, currency, known)),
        Facts("Costs", _costs(record, currency, known)),
        Facts("Rules in force", _rules(record, currency)),
        Facts("Bars", _bars(record)),
        Facts("Run", _run(detail)),
    )


def _figure(known: Mapping[str, Any], key: str) -> float | None:
    value = known.get(key)
    return value if isinstance(value, (int, float)) else None


def _result(record: RunRecord, currency: str, known: Mapping[str, Any]) -> tuple[Fact, ...]:
    cagr = _figure(known, "cagr")
    return (
        Fact("equity", fmt.money(record.equity, currency), "strong"),
        Fact("cash", fmt.money(record.cash, currency)),
        Fact("initial cash", fmt.money(record.initial_cash, currency), "muted"),
        Fact("total return", fmt.percent(record.total_return), fmt.gain_role(record.total_return)),
        Fact("CAGR", fmt.percent(cagr), fmt.gain_role(cagr)),
        Fact("best day", fmt.percent(_figure(known, "best_day"))),
        Fact("worst day", fmt.percent(_figure(known, "worst_day"))),
    )


def _risk(record: RunRecord, known: Mapping[str, Any]) -> tuple[Fact, ...]:
    longest = _figure(known, "longest_drawdown_days")
    return (
        Fact("max drawdown", fmt.percent(record.max_drawdown)),
        Fact("longest drawdown", fmt.DASH if longest is None else f"{fmt.count(longest)} days"),
        Fact("volatility", fmt.share(_figure(known, "annual_volatility"), 1)),
        Fact("Sharpe, daily", fmt.ratio(_figure(known, "sharpe"))),
        Fact("Sortino, daily", fmt.ratio(_figure(known, "sortino"))),
        Fact("periods a year", fmt.count(record.sessions_per_year), "muted"),
        Fact("Calmar", fmt.ratio(_figure(known, "calmar"))),
        Fact("exposure", fmt.share(_figure(known, "exposure"), 1)),
    )


def _trades(record: RunRecord, currency: str, known: Mapping[str, Any]) -> tuple[Fact, ...]:
    hold = _figure(known, "average_hold_bars")
    return (
        Fact("fills", fmt.count(record.num_fills)),
        Fact("round trips", fmt.count(record.num_trades)),
        Fact("win rate", fmt.share(_figure(known, "win_rate"), 1)),
        Fact("profit factor", fmt.ratio(_figure(known, "profit_factor"))),
        Fact("expectancy", fmt.signed_money(_figure(known, "expectancy"), currency)),
        Fact("average hold", fmt.DASH if hold is None else f"{hold:,.1f} bars"),
        Fact("turnover", fmt.ratio(_figure(known, "turnover"))),
    )


def _costs(record: RunRecord, currency: str, known: Mapping[str, Any]) -> tuple[Fact, ...]:
    return (
        Fact("in total", fmt.money(record.total_costs, currency), "strong"),
        Fact("commission", fmt.money(_figure(known, "total_commission"), currency)),
        Fact("fees", fmt.money(_figure(known, "total_fees"), currency)),
        Fact("slippage", fmt.money(_figure(known, "total_slippage"), currency)),
    )


_FILLS: Final = {"next_open": "next bar's open", "close": "same bar's close (optimistic)"}


def _rules(record: RunRecord, currency: str) -> tuple[Fact, ...]:
    rules: Mapping[str, Any] = record.config.get("rules") or {}
    costs: Mapping[str, Any] = rules.get("costs") or {}
    commission = (
        [
            f"{costs['commission_pct'] * 100:g}%" * bool(costs.get("commission_pct")),
            f"{currency}{costs['commission_per_share']:g}/share"
            * bool(costs.get("commission_per_share")),
            f"at least {currency}{costs['commission_min']:g}" * bool(costs.get("commission_min")),
        ]
        if costs
        else []
    )
    fees = [name for key, name in (("sec", "SEC"), ("taf", "TAF")) if costs.get(key)]
    params = record.config.get("params") or {}
    return (
        Fact("strategy", record.strategy),
        *(Fact(str(name), str(value)) for name, value in params.items()),
        Fact("fills at", _FILLS.get(str(rules.get("fill")), fmt.DASH)),
        Fact("lot", f"{rules.get('lot', 1.0):g}"),
        Fact("costs", str(costs.get("profile", fmt.DASH))),
        Fact("commission", ", ".join(filter(None, commission)) or "none"),
        Fact("fees", ", ".join(fees) or "none"),
        Fact("slippage", f"{costs.get('slippage_bps', 0.0):g} bp"),
        Fact("shorting", "allowed" if rules.get("allow_short") else "no"),
        Fact("risk-free", fmt.share(rules.get("risk_free", 0.0), 2)),
        Fact("seed", str(rules.get("seed", 0)), "muted"),
    )


def _bars(record: RunRecord) -> tuple[Fact, ...]:
    notices = record.metadata.get("notices") or ()
    return (
        Fact("source", record.source),
        Fact("timeframe", record.timeframe or fmt.DASH),
        Fact("calendar", str(record.config.get("calendar", fmt.DASH))),
        Fact("from", (record.start or fmt.DASH)[:10]),
        Fact("to", (record.end or fmt.DASH)[:10]),
        Fact("grid points", fmt.count(record.total_steps)),
        Fact("hash", (record.bars_hash or fmt.DASH)[:12], "muted"),
        *(Fact("notice", str(notice), "attention") for notice in notices),
    )


def _run(detail: RunDetail) -> tuple[Fact, ...]:
    record = detail.record
    owner = detail.owner if record.status in ACTIVE else "none"
    return (
        Fact("id", record.run_id, "muted"),
        Fact("driver", record.driver),
        Fact("owner", owner, "attention" if owner == "gone" else "text"),
        Fact("tags", ", ".join(record.tags) or fmt.DASH, "muted"),
        Fact("created", record.created_at[:19].replace("T", " "), "muted"),
        Fact("finished", (record.finished_at or fmt.DASH)[:19].replace("T", " "), "muted"),
        Fact("configuration", record.config_hash[:12], "muted"),
        Fact("strategy source", (record.strategy_hash or fmt.DASH)[:12], "muted"),
        Fact("engine", record.engine_version, "muted"),
    )


def holding(positions: Sequence[Position], symbol: str) -> Position | None:
    """What is held of a symbol, if anything."""
    return next((held for held in positions if held.symbol == symbol), None)
