"""Runs as text and as JSON documents: what ``--plain`` and ``--json`` print.

Pure: values in, text out. A figure that cannot be computed is a dash, never 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from engine.model import Position, RunRecord
from engine.sim.reasons import REMEDIES
from tui import steps
from tui.format import DASH, count, money, percent, quantity, share
from tui.safe import cells, cut, fit, safe_line
from tui.viewmodel.stopped import stopped_text

_RETURNS: Final = frozenset({"total_return", "max_drawdown", "cagr", "best_day", "worst_day"})
_SHARES: Final = frozenset({"annual_volatility", "win_rate", "exposure"})
_MONEY: Final = frozenset(
    {"total_costs", "total_commission", "total_fees", "total_slippage", "expectancy"}
)
_COUNTS: Final = frozenset({"num_fills", "num_trades", "longest_drawdown_days"})
_RULES_OF_BARS: Final = ("calendar", "actions", "repair")
_COSTS: Final = (
    ("commission", "total_commission"),
    ("fees", "total_fees"),
    ("slippage", "total_slippage"),
    ("in total", "total_costs"),
)


def run_document(record: RunRecord, owner: str = "none") -> dict[str, Any]:
    """The run as plain JSON values: every column of ``runs``, the rules in force, notices."""
    document = asdict(record)
    document["owner"] = owner
    document["rules"] = _all_rules(record)
    document["notices"] = list(notices(record))
    return document


def rows_document(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Named tuples or data classes as JSON objects."""
    return [row._asdict() if isinstance(row, tuple) else asdict(row) for row in rows]  # type: ignore[attr-defined]


def notices(record: RunRecord) -> tuple[str, ...]:
    """What a reader of the figures ought to know about the run's bars and rules."""
    return tuple(str(notice) for notice in record.metadata.get("notices") or ())


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Iterable[int] = ()) -> str:
    """Aligned columns: those in ``left`` to the left, numbers to the right."""
    lines = [tuple(header), *(tuple(safe_line(cell) for cell in row) for row in rows)]
    widths = [max(cells(line[column]) for line in lines) for column in range(len(header))]
    lefts = frozenset(left)
    return "\n".join(
        "  ".join(
            fit(cell, width, "left" if column in lefts else "right")
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def figure(name: str, value: float | None) -> str:
    """A metric in its own unit."""
    if value is None:
        return DASH
    if name in _RETURNS:
        return percent(value)
    if name in _SHARES:
        return share(value, 2)
    if name in _MONEY:
        return money(value)
    return count(value) if name in _COUNTS else f"{value:,.4f}"


def state(record: RunRecord, owner: str = "none") -> str:
    """The run's state in words: why it ended, and whether its owner is gone."""
    words: str = record.status
    if record.end_reason is not None and record.end_reason != record.status:
        words += f" ({record.end_reason})"
    if owner == "gone":
        words += ", owner gone"
    return words


def runs_table(rows: Iterable[tuple[RunRecord, str]]) -> str:
    """The runs, one a line."""
    header = ("run", "status", "name", "strategy", "symbols", "step", "equity", "return",
              "drawdown", "fills", "created")  # fmt: skip
    return table(
        header,
        (
            (
                record.run_id,
                state(record, owner),
                cut(record.name or DASH, 20),
                cut(record.strategy, 28),
                cut(",".join(record.symbols) or DASH, 24),
                steps.place_of(record),
                money(record.equity),
                percent(record.total_return),
                percent(record.max_drawdown),
                str(record.num_fills),
                record.created_at,
            )
            for record, owner in rows
        ),
        left=(0, 1, 2, 3, 4, 10),
    )


def run_text(record: RunRecord, owner: str, formulas: Mapping[str, str]) -> str:
    """One run in full: state, figures with their formulas, costs by kind, rules, hashes."""
    parts = [_head(record, owner)]
    if record.step_index:
        parts += [_figures(record, formulas), _costs(record)]
    parts.append(_rules(record))
    said = notices(record)
    if said:
        parts.append("Notices\n" + "\n".join(f"  {safe_line(notice)}" for notice in said))
    hashes = (
        ("bars", record.bars_hash),
        ("configuration", record.config_hash),
        ("strategy", record.strategy_hash),
    )
    parts.append(pairs("Hashes", ((name, value or DASH) for name, value in hashes)))
    return "\n\n".join(parts)


def _head(record: RunRecord, owner: str) -> str:
    pairs = [
        ("run", record.run_id),
        ("name", record.name),
        ("tags", ", ".join(record.tags)),
        ("agent", record.agent_id),
        ("strategy", record.strategy),
        ("parameters", _parameters(record)),
        ("state", state(record, owner)),
        ("stopped", stopped_text(record)),
        ("error", _error(record)),
        ("symbols", ", ".join(record.symbols)),
        ("bars", f"{record.source} {record.timeframe or ''}".rstrip()),
        ("window", _window(record)),
        ("step", steps.place_of(record)),
        ("settled", steps.count_of(record)),
        ("equity", money(record.equity)),
        ("cash", money(record.cash)),
        ("created", record.created_at),
        ("finished", record.finished_at),
    ]
    kept = [(name, value) for name, value in pairs if value]
    width = max(len(name) for name, _ in kept)
    return "\n".join(f"{name.ljust(width)}  {safe_line(value)}" for name, value in kept)


def _window(record: RunRecord) -> str:
    bars = record.metadata.get("bars") or {}
    first, last = record.start or bars.get("first"), record.end or bars.get("last")
    return f"{first or 'first bar'} to {last or 'last bar'}"


def _parameters(record: RunRecord) -> str:
    params = record.config.get("params") or {}
    return ", ".join(f"{name}={value}" for name, value in params.items())


def _error(record: RunRecord) -> str | None:
    if record.error_message is None:
        return None
    return f"{record.error_code}: {record.error_message}"


def _figures(record: RunRecord, formulas: Mapping[str, str]) -> str:
    """Every figure but the costs, in the order of the formulas; a live run has the columns only."""
    columns = ("total_return", "max_drawdown", "sharpe", "sortino", "num_fills", "num_trades")
    values = {name: getattr(record, name) for name in columns} | dict(record.metrics)
    costs = {name for _, name in _COSTS}
    rows = [
        (name.replace("_", " "), figure(name, values[name]), formula)
        for name, formula in formulas.items()
        if name in values and name not in costs
    ]
    return "Figures\n" + _indent(table_body(rows, left=(0, 2)))


def _costs(record: RunRecord) -> str:
    values = {**record.metrics, "total_costs": record.total_costs}
    rows = [(kind, money(values[name])) for kind, name in _COSTS if name in values]
    profile = (record.config.get("rules") or {}).get("costs", {}).get("profile", DASH)
    return f"Costs (profile {profile})\n" + _indent(table_body(rows, left=(0,)))


def rules_in_force(record: RunRecord) -> dict[str, Any]:
    """The run's rules by their plain names, those of its costs, calendar and actions among them."""
    rules = _all_rules(record)
    costs = rules.pop("costs", {})
    rules |= {("cost profile" if name == "profile" else name): v for name, v in costs.items()}
    return {name.replace("_", " "): value for name, value in rules.items()}


def _all_rules(record: RunRecord) -> dict[str, Any]:
    rules = dict(record.config.get("rules") or {})
    # These are rules too, though the engine's request keeps them with the bars.
    rules |= {name: record.config.get(name) for name in _RULES_OF_BARS}
    return rules | {"sessions_per_year": record.sessions_per_year}


def _rules(record: RunRecord) -> str:
    rules = rules_in_force(record)
    return pairs("Rules in force", ((name, rule_text(value)) for name, value in rules.items()))


def rule_text(value: object) -> str:
    """A rule's value as a person reads it."""
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 1e5 else f"{value:g}"
    return str(value)


def pairs(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Names and values under a title."""
    return f"{title}\n" + _indent(table_body(list(rows), left=(0, 1)))


def table_body(rows: Sequence[Sequence[str]], left: Iterable[int] = ()) -> str:
    """Aligned columns without a header."""
    if not rows:
        return ""
    return table([""] * len(rows[0]), rows, left).partition("\n")[2]


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def positions_text(positions: Sequence[Position]) -> str:
    """What the run holds."""
    if not positions:
        return "Positions\n  none"
    header = ("symbol", "quantity", "average cost", "last price", "value", "unrealized")
    rows = (
        (
            position.symbol,
            quantity(position.quantity),
            money(position.avg_cost),
            money(position.last_price),
            money(position.market_value),
            money(position.unrealized_pnl),
        )
        for position in positions
    )
    return "Positions\n" + _indent(table(header, rows, left=(0,)))


def step_text(step: Mapping[str, Any]) -> str:
    """One step, from its document: what was seen, decided and filled."""
    head = [
        f"run {step['run_id']}  step {step['step']}  {step['ts']}",
        f"equity {money(step['equity'])}  cash {money(step['cash'])}",
    ]
    prices = ("open", "high", "low", "close")
    bars = [
        (bar["symbol"], *(f"{bar[name]:,.4f}" for name in prices), quantity(bar["volume"]))
        for bar in step["bars"]
    ]
    seen = table(("symbol", *prices, "volume"), bars, left=(0,))
    if step["bars_missing"] is not None:
        seen = f"the bars cannot be had: {safe_line(step['bars_missing'])}"
    decided = json.dumps(step["decision"], ensure_ascii=False) if step["decision"] else "hold"
    return "\n\n".join(
        [
            "\n".join(head),
            "Seen\n" + _indent(seen),
            f"Decided ({step['decision_source']})\n  {safe_line(decided)}",
            "Orders of this decision\n" + _indent(_table_of(step["orders"], _ORDER_COLUMNS)),
            *reasons_given(step["orders"]),
            "Filled at this step\n" + _indent(_table_of(step["fills"], _FILL_COLUMNS)),
            "Cash flows at this step\n" + _indent(_table_of(step["cash_flows"], _FLOW_COLUMNS)),
        ]
    )


def reasons_given(orders: Iterable[Mapping[str, Any]]) -> list[str]:
    """The reasons that some orders have, each with what would be right; nothing without one."""
    reasons = dict.fromkeys(order["reason"] for order in orders if order["reason"] in REMEDIES)
    if not reasons:
        return []
    return [pairs("Reasons", ((reason, REMEDIES[reason]) for reason in reasons))]


_ORDER_COLUMNS: Final = {
    "order_id": "order", "symbol": "symbol", "side": "side", "order_type": "type",
    "requested_quantity": "requested", "quantity_type": "in", "filled_quantity": "filled",
    "status": "status", "reason": "reason",
}  # fmt: skip
_FILL_COLUMNS: Final = {
    "order_id": "order", "symbol": "symbol", "side": "side", "quantity": "quantity",
    "price": "price", "commission": "commission", "fees": "fees", "slippage": "slippage",
    "realized_pnl": "realized",
}  # fmt: skip
_FLOW_COLUMNS: Final = {
    "kind": "kind", "symbol": "symbol", "quantity": "quantity", "amount": "amount",
}  # fmt: skip
_AMOUNTS: Final = frozenset({"commission", "fees", "slippage", "realized_pnl", "amount"})


def _table_of(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    if not rows:
        return "none"
    left = [
        place for place, name in enumerate(columns) if not isinstance(rows[0][name], (int, float))
    ]
    cells = ([_cell(name, row[name]) for name in columns] for row in rows)
    return table(tuple(columns.values()), cells, left)


def _cell(name: str, value: object) -> str:
    if isinstance(value, float):
        if name in _AMOUNTS:
            return money(value)
        return f"{value:,.4f}" if name == "price" else quantity(value)
    return DASH if value is None else str(value)


def change_line(record: RunRecord, owner: str) -> str:
    """A run's state in one line, for ``watch --plain``."""
    words = [
        record.updated_at,
        record.run_id,
        safe_line(record.name or record.strategy, 24),
        state(record, owner),
        f"step {steps.place_of(record)}",
        f"equity {money(record.equity)}",
        f"return {percent(record.total_return)}",
        f"drawdown {percent(record.max_drawdown)}",
        f"fills {record.num_fills}",
    ]
    return "  ".join(words)
