"""What the ledger's tables and views mean, column by column, for whoever reads the file.

Types come from the schema itself; a test holds that every column there has its words here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

from engine.store.schema import VERSION_1

CONVENTIONS: Final = (
    "Stamps are UTC, ISO 8601 text. Money and prices are REAL, in the account's currency; rates "
    "and returns are fractions. JSON is text. A figure that cannot be computed is null, never 0. "
    "Open the file with mode=ro and a busy timeout."
)

TABLES: Final[Mapping[str, str]] = {
    "runs": "One row a run, from before its first bar until long after its end; final once ended.",
    "steps": "Decisions on record; a strategy's step without a row held and placed nothing.",
    "orders": "Every order and target, each with what became of it.",
    "fills": "Every execution.",
    "equity": "The equity curve: one row a settled grid point.",
    "cash_flows": "Money that moved without a fill.",
    "commits": "The digest chain: what the steps of a run hash to, at each commit.",
    "events": "The change feed, over all runs.",
    "commands": "What was asked of a run's owner, by whom, and the answer.",
    "active_runs": "The runs that are created, loading, running or paused; columns of runs.",
    "leaderboard": "Completed runs by total return, baselines left out; columns of runs, and rank.",
    "positions": "What each run holds now.",
    "run_lineage": "Forks and baselines under the run that all of them come from.",
    "holdings": "What positions is made of.",
    "equity_points": "What equity is made of, as it is stored.",
    "tombstones": "Deleted runs, archived.",
    "discarded_steps": "Steps that a rewind cut off.",
    "discarded_orders": "Orders that a rewind cut off.",
    "discarded_fills": "Fills that a rewind cut off.",
    "discarded_equity": "Equity that a rewind cut off.",
    "discarded_cash_flows": "Cash flows that a rewind cut off.",
}

_RUN: Final[Mapping[str, str]] = {
    "run_key": "the run's number inside this file",
    "run_id": "the run",
    "name": "what a person called it",
    "tags": "JSON list of texts",
    "agent_id": "the agent it belongs to; null for a local run",
    "strategy": "built-in, manual, tape:FILE or FILE.py:Class",
    "driver": "who decides: strategy, manual, tape, llm, agent",
    "status": "created, loading, running, paused, interrupted, completed, failed, cancelled",
    "end_reason": "why it ended: end_of_data, cancelled_by_user, ruin, strategy_error, …",
    "error_code": "stable code of what failed it",
    "error_message": "the same for a person",
    "source": "where its bars come from",
    "timeframe": "length of a bar",
    "symbols": "JSON list, in request order",
    "start": "first date asked for; null: all there is",
    "end": "last date asked for, inclusive",
    "config": "JSON: the whole request, the rules in force among it",
    "initial_cash": "cash before the first step",
    "step_index": "grid points settled; equals the number of its equity rows",
    "total_steps": "grid points there are; null until its bars are loaded",
    "equity": "cash + holdings at the last close + receivables, after step_index - 1",
    "cash": "cash after step_index - 1",
    "total_return": "final equity / initial cash - 1",
    "max_drawdown": "largest fall from a peak, <= 0; the initial cash counts as a peak",
    "sharpe": "mean over deviation of daily excess returns, per year",
    "sortino": "the same over downside deviation",
    "num_fills": "executions",
    "num_trades": "closed round trips",
    "total_costs": "commission + fees + slippage",
    "timeout_holds": "steps held because a decision came too late",
    "metrics": "JSON: these figures and the further ones, by name",
    "metadata": "JSON: provenance of the bars, versions",
    "parent_run_id": "the run it was forked from",
    "forked_at_step": "how many of its decisions were kept",
    "baseline_of": "the run it is the baseline of",
    "sweep_id": "the sweep it belongs to",
    "owner_instance": "the process that moves it",
    "lease_epoch": "rises with every adoption and rewind; fences stale owners",
    "heartbeat_seq": "the owner's counter",
    "heartbeat_at": "for display",
    "rewind_count": "rewinds so far",
    "cancel_requested_at": "when another process asked for its end",
    "created_at": "when the row was made",
    "started_at": "when its first step began, loading over",
    "updated_at": "when the row last changed",
    "finished_at": "when it ended",
    "bars_hash": "SHA-256 of its bars",
    "config_hash": "SHA-256 of what its result depends on in config",
    "strategy_hash": "SHA-256 of the strategy's source",
    "engine_version": "the stepdeck that made it",
}

_STEP: Final[Mapping[str, str]] = {
    "step_index": "the grid point whose bars the decision has seen",
    "step_id": "derives from run, rewind count and step",
    "ts": "the grid point's open stamp",
    "status": "completed or timed_out",
    "decision_source": "strategy, manual, tape, llm, agent, timeout_hold, validation_hold",
    "idempotency_key": "the caller's key",
    "decision": "JSON in the form of a tape's line",
    "result": "JSON: what was answered",
    "deadline_at": "when it was due",
    "decided_at": "when it was made",
    "lease_epoch": "the lease it was written under",
}

_ORDER: Final[Mapping[str, str]] = {
    "order_id": "derives from step and place",
    "step_index": "the step of its decision",
    "symbol": "what to trade",
    "side": "buy or sell; null for a target that was never sized",
    "order_type": "market, limit, stop, stop_limit",
    "quantity_type": "shares, notional, weight, target_weight, target_shares",
    "requested_quantity": "as asked for, in quantity_type",
    "quantity": "in shares, once sized",
    "limit_price": "limit",
    "stop_price": "trigger",
    "time_in_force": "day or gtc",
    "oco_group": "one cancels the others of its group",
    "tag": "the strategy's own name for it",
    "status": "pending, resting, filled, partially_filled, cancelled, expired, rejected",
    "reason": "why it is not a plain fill; null for one",
    "filled_quantity": "shares executed",
    "closed_step": "the grid point of its terminal record",
}

_FILL: Final[Mapping[str, str]] = {
    "fill_id": "rises in the order of execution",
    "order_id": "the order",
    "step_index": "the grid point of the fill",
    "ts": "that grid point's open stamp",
    "symbol": "what was traded",
    "side": "buy or sell",
    "quantity": "shares",
    "price": "paid or received a share, slippage included",
    "reference_price": "before slippage",
    "commission": "of this fill",
    "fees": "regulatory fees of this fill",
    "slippage": "in currency, total, adverse >= 0",
    "realized_pnl": "gain or loss it realised, fees included",
    "position_after": "shares held afterwards",
    "avg_cost_after": "average cost a share afterwards, without fees",
}

_EQUITY: Final[Mapping[str, str]] = {
    "step_index": "the grid point",
    "ts": "its open stamp",
    "equity": "cash + holdings at the last close + receivables",
    "cash": "cash",
}

_CASH_FLOW: Final[Mapping[str, str]] = {
    "step_index": "the grid point",
    "ts": "its open stamp",
    "symbol": "whose",
    "kind": "dividend, cash_in_lieu, borrow, interest",
    "quantity": "the shares it is for",
    "amount": "received, or paid if negative",
    "realized_pnl": "gain or loss it realised",
}

_HOLDING: Final[Mapping[str, str]] = {
    "symbol": "what is held",
    "quantity": "shares, negative when short",
    "avg_cost": "average cost a share, without fees",
    "last_price": "the last close seen",
}

_RUN_ID: Final = {"run_id": "the run"}
_REWIND: Final = {"run_id": "the run", "rewind_count": "the rewind that cut it off"}

COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "runs": _RUN,
    "active_runs": _RUN,
    "leaderboard": {"rank": "1 is the highest return", **_RUN},
    "steps": _RUN_ID | dict(_STEP),
    "orders": _RUN_ID | dict(_ORDER),
    "fills": _RUN_ID | dict(_FILL),
    "equity": _RUN_ID | dict(_EQUITY),
    "cash_flows": _RUN_ID | dict(_CASH_FLOW),
    "commits": _RUN_ID
    | {
        "last_step": "the last step of the prefix",
        "digest": "SHA-256 over everything up to it",
        "lease_epoch": "the lease it was written under",
    },
    "events": _RUN_ID
    | {
        "seq": "rises; read on from the last one seen",
        "at": "when",
        "kind": "status, progress, command, decision, deadline, recovery, warning",
        "data": "JSON: {from, to, reason} of a status, {from, to} of a progress",
    },
    "commands": _RUN_ID
    | {
        "command_id": "rises",
        "kind": "cancel, pause, resume, speed, step, decide",
        "data": "JSON: its arguments",
        "requested_at": "when",
        "requested_by": "the asking process",
        "applied_at": "when it was answered; null until then",
        "result": "JSON: the answer",
        "error_code": "why it was refused",
    },
    "holdings": _RUN_ID | dict(_HOLDING),
    "positions": _RUN_ID
    | dict(_HOLDING)
    | {
        "market_value": "quantity x last_price",
        "unrealized_pnl": "quantity x (last_price - avg_cost)",
    },
    "run_lineage": _RUN_ID
    | {
        "relation": "root, fork or baseline",
        "parent_run_id": "the run it comes from",
        "forked_at_step": "how many decisions were kept",
        "root_run_id": "the run at the top",
        "depth": "generations below it",
    },
    "equity_points": {**_EQUITY, "run_key": "runs.run_key", "ts": "microseconds since 1970, UTC"},
    "tombstones": _RUN_ID
    | {
        "deleted_at": "when",
        "deleted_by": "by what",
        "archive": "JSON: its row in runs",
    },
    "discarded_steps": _REWIND | dict(_STEP),
    "discarded_orders": _REWIND | dict(_ORDER),
    "discarded_fills": _REWIND | dict(_FILL),
    "discarded_equity": _REWIND | dict(_EQUITY),
    "discarded_cash_flows": _REWIND | dict(_CASH_FLOW),
}


def columns_of(table: str) -> list[tuple[str, str]]:
    """Name and type of a table's or view's columns, from the schema; a view's may have no type."""
    with closing(sqlite3.connect(":memory:")) as conn:
        conn.executescript(VERSION_1)
        rows = conn.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
    return [(str(name), str(kind)) for name, kind in rows]


def document() -> dict[str, Any]:
    """The tables and views with their columns, as plain JSON values."""
    return {
        "conventions": CONVENTIONS,
        "tables": [
            {
                "name": table,
                "about": about,
                "columns": [
                    {"name": name, "type": kind, "about": COLUMNS[table][name]}
                    for name, kind in columns_of(table)
                ],
            }
            for table, about in TABLES.items()
        ],
    }


def text() -> str:
    """The same for a person."""
    described = document()
    parts = [described["conventions"]]
    for table in described["tables"]:
        width = max(len(column["name"]) for column in table["columns"])
        parts.append(
            "\n".join(
                [
                    f"{table['name']}: {table['about']}",
                    *(
                        f"  {column['name'].ljust(width)}  {column['type'].ljust(7)}  "
                        f"{column['about']}"
                        for column in table["columns"]
                    ),
                ]
            )
        )
    return "\n\n".join(parts)
