"""The ledger's tables, views and triggers, as version 1 made them.

This text is history: a ledger in the world was made from it. Later versions change the schema by a
migration (``migrations.py``), never by an edit here.

Stamps are ISO 8601 text in UTC and runs are named by ``run_id``, except in ``equity_points``: it
has a row per grid point, and text would double it. ``equity`` is the same in the others' words.

No CHECK asks ``json_valid``: a program that sets ``trusted_schema=OFF`` could then not even open
the file. JSON columns are written by ``engine.codec`` alone.
"""

from __future__ import annotations

from engine.model import RunRecord

APPLICATION_ID = 0x53544450
"""``STDP`` in the file's header: what ``file(1)`` and we know a ledger by."""

RUN_COLUMNS: tuple[str, ...] = tuple(RunRecord.__dataclass_fields__)
"""The columns of ``runs`` in the contract's order; the table has ``run_key`` before them."""

JSON_COLUMNS = frozenset({"tags", "symbols", "config", "metrics", "metadata"})

ACTIVE = "('created', 'loading', 'running', 'paused')"
"""SQL: the states of a live run. The state table itself is the business of ``engine.runs``."""

_TERMINAL = "('completed', 'failed', 'cancelled')"


def _one_of(column: str, words: str) -> str:
    """A check that ``column`` is one of ``words``, the most frequent first.

    ``IN`` would build a set of them anew for every row: a third of an order's whole cost.
    """
    return " OR ".join(f"{column} = '{word}'" for word in words.split())


_DECISION_SOURCES = "strategy manual tape llm agent timeout_hold validation_hold"

_STEP_COLUMNS = f"""
    step_index      INTEGER NOT NULL,
    step_id         TEXT NOT NULL,
    ts              TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (
        {_one_of("status", "completed timed_out")}),
    decision_source TEXT NOT NULL CHECK (
        {_one_of("decision_source", _DECISION_SOURCES)}),
    idempotency_key TEXT,
    decision        TEXT NOT NULL,
    result          TEXT,
    deadline_at     TEXT,
    decided_at      TEXT,
    lease_epoch     INTEGER NOT NULL"""

_ORDER_COLUMNS = f"""
    order_id           TEXT NOT NULL,
    step_index         INTEGER NOT NULL,
    symbol             TEXT NOT NULL,
    side               TEXT,
    order_type         TEXT NOT NULL,
    quantity_type      TEXT NOT NULL,
    requested_quantity REAL,
    quantity           REAL,
    limit_price        REAL,
    stop_price         REAL,
    time_in_force      TEXT NOT NULL,
    oco_group          TEXT,
    tag                TEXT,
    status             TEXT NOT NULL CHECK (
        {_one_of("status", "filled cancelled partially_filled pending resting rejected expired")}),
    reason             TEXT,
    filled_quantity    REAL NOT NULL,
    closed_step        INTEGER"""

_FILL_COLUMNS = """
    fill_id         INTEGER NOT NULL,
    order_id        TEXT NOT NULL,
    step_index      INTEGER NOT NULL,
    ts              TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    side            TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity        REAL NOT NULL,
    price           REAL NOT NULL,
    reference_price REAL NOT NULL,
    commission      REAL NOT NULL,
    fees            REAL NOT NULL,
    slippage        REAL NOT NULL,
    realized_pnl    REAL NOT NULL,
    position_after  REAL NOT NULL,
    avg_cost_after  REAL NOT NULL"""

_CASH_FLOW_COLUMNS = """
    step_index   INTEGER NOT NULL,
    ts           TEXT NOT NULL,
    symbol       TEXT,
    kind         TEXT NOT NULL CHECK (kind IN (
        'dividend', 'cash_in_lieu', 'borrow', 'interest')),
    quantity     REAL,
    amount       REAL NOT NULL,
    realized_pnl REAL NOT NULL"""

_TABLES = f"""
CREATE TABLE runs (
    run_key             INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id              TEXT NOT NULL UNIQUE,
    name                TEXT,
    tags                TEXT NOT NULL DEFAULT '[]',
    agent_id            TEXT,
    strategy            TEXT NOT NULL,
    driver              TEXT NOT NULL CHECK (driver IN (
        'strategy', 'manual', 'tape', 'llm', 'agent')),
    status              TEXT NOT NULL CHECK (status IN (
        'created', 'loading', 'running', 'paused', 'interrupted',
        'completed', 'failed', 'cancelled')),
    end_reason          TEXT,
    error_code          TEXT,
    error_message       TEXT,
    source              TEXT NOT NULL,
    timeframe           TEXT,
    symbols             TEXT NOT NULL DEFAULT '[]',
    "start"             TEXT,
    "end"               TEXT,
    config              TEXT NOT NULL DEFAULT '{{}}',
    initial_cash        REAL NOT NULL,
    step_index          INTEGER NOT NULL DEFAULT 0,
    total_steps         INTEGER,
    equity              REAL,
    cash                REAL,
    total_return        REAL,
    max_drawdown        REAL,
    sharpe              REAL,
    sortino             REAL,
    num_fills           INTEGER NOT NULL DEFAULT 0,
    num_trades          INTEGER NOT NULL DEFAULT 0,
    total_costs         REAL NOT NULL DEFAULT 0,
    timeout_holds       INTEGER NOT NULL DEFAULT 0,
    metrics             TEXT NOT NULL DEFAULT '{{}}',
    metadata            TEXT NOT NULL DEFAULT '{{}}',
    parent_run_id       TEXT,
    forked_at_step      INTEGER,
    baseline_of         TEXT,
    sweep_id            TEXT,
    owner_instance      TEXT,
    lease_epoch         INTEGER NOT NULL DEFAULT 0,
    heartbeat_seq       INTEGER NOT NULL DEFAULT 0,
    heartbeat_at        TEXT,
    rewind_count        INTEGER NOT NULL DEFAULT 0,
    cancel_requested_at TEXT,
    created_at          TEXT NOT NULL,
    started_at          TEXT,
    updated_at          TEXT NOT NULL,
    finished_at         TEXT,
    bars_hash           TEXT,
    config_hash         TEXT NOT NULL,
    strategy_hash       TEXT,
    engine_version      TEXT NOT NULL
) STRICT;

-- For caps and recovery, which must not read through the history. On status alone: rows of one
-- status then stand in the order of run_key, newest last.
CREATE INDEX runs_status ON runs (status);
CREATE INDEX runs_baseline ON runs (baseline_of) WHERE baseline_of IS NOT NULL;
CREATE INDEX runs_parent ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL;

CREATE TABLE equity_points (
    run_key    INTEGER NOT NULL REFERENCES runs (run_key),
    step_index INTEGER NOT NULL,
    ts         INTEGER NOT NULL, -- microseconds since 1970-01-01T00:00:00Z
    equity     REAL NOT NULL,
    cash       REAL NOT NULL,
    PRIMARY KEY (run_key, step_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE steps (
    run_id          TEXT NOT NULL REFERENCES runs (run_id),{_STEP_COLUMNS},
    PRIMARY KEY (run_id, step_index)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX steps_idempotency ON steps (run_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- An order's id derives from its step, so the key is as unique as (run_id, order_id) and grows at
-- its end.
CREATE TABLE orders (
    run_id             TEXT NOT NULL REFERENCES runs (run_id),{_ORDER_COLUMNS},
    PRIMARY KEY (run_id, step_index, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE fills (
    run_id          TEXT NOT NULL REFERENCES runs (run_id),{_FILL_COLUMNS},
    PRIMARY KEY (run_id, fill_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE cash_flows (
    run_id       TEXT NOT NULL REFERENCES runs (run_id),{_CASH_FLOW_COLUMNS}
) STRICT;
CREATE INDEX cash_flows_run ON cash_flows (run_id, step_index);

-- What a run holds after its last commit; the view positions values it.
CREATE TABLE holdings (
    run_id     TEXT NOT NULL REFERENCES runs (run_id),
    symbol     TEXT NOT NULL,
    quantity   REAL NOT NULL,
    avg_cost   REAL NOT NULL,
    last_price REAL NOT NULL,
    PRIMARY KEY (run_id, symbol)
) STRICT, WITHOUT ROWID;

-- The digest chain: each row closes the prefix of the run that ends with last_step.
CREATE TABLE commits (
    run_id      TEXT NOT NULL REFERENCES runs (run_id),
    last_step   INTEGER NOT NULL,
    digest      TEXT NOT NULL,
    lease_epoch INTEGER NOT NULL,
    PRIMARY KEY (run_id, last_step)
) STRICT, WITHOUT ROWID;

-- The change feed. No foreign key: that a run was deleted is news as well.
CREATE TABLE events (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    at     TEXT NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN (
        'status', 'progress', 'command', 'decision', 'deadline', 'recovery', 'warning')),
    data   TEXT NOT NULL
) STRICT;
CREATE INDEX events_run ON events (run_id, seq);

CREATE TABLE commands (
    command_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id       TEXT NOT NULL REFERENCES runs (run_id),
    kind         TEXT NOT NULL,
    data         TEXT NOT NULL DEFAULT '{{}}',
    requested_at TEXT NOT NULL,
    requested_by TEXT,
    applied_at   TEXT,
    result       TEXT,
    error_code   TEXT
) STRICT;
CREATE INDEX commands_run ON commands (run_id, command_id);
CREATE INDEX commands_pending ON commands (run_id) WHERE applied_at IS NULL;

-- A run is deleted through here: its row goes into the archive, then the triggers let it go.
CREATE TABLE tombstones (
    run_id     TEXT PRIMARY KEY NOT NULL,
    deleted_at TEXT NOT NULL,
    deleted_by TEXT,
    archive    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE discarded_steps (
    run_id          TEXT NOT NULL REFERENCES runs (run_id),
    rewind_count    INTEGER NOT NULL,{_STEP_COLUMNS},
    PRIMARY KEY (run_id, rewind_count, step_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE discarded_orders (
    run_id             TEXT NOT NULL REFERENCES runs (run_id),
    rewind_count       INTEGER NOT NULL,{_ORDER_COLUMNS},
    PRIMARY KEY (run_id, rewind_count, step_index, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE discarded_fills (
    run_id          TEXT NOT NULL REFERENCES runs (run_id),
    rewind_count    INTEGER NOT NULL,{_FILL_COLUMNS},
    PRIMARY KEY (run_id, rewind_count, fill_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE discarded_equity (
    run_id       TEXT NOT NULL REFERENCES runs (run_id),
    rewind_count INTEGER NOT NULL,
    step_index   INTEGER NOT NULL,
    ts           TEXT NOT NULL,
    equity       REAL NOT NULL,
    cash         REAL NOT NULL,
    PRIMARY KEY (run_id, rewind_count, step_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE discarded_cash_flows (
    run_id       TEXT NOT NULL REFERENCES runs (run_id),
    rewind_count INTEGER NOT NULL,{_CASH_FLOW_COLUMNS}
) STRICT;
CREATE INDEX discarded_cash_flows_run ON discarded_cash_flows (run_id, rewind_count, step_index);
"""

_VIEWS = f"""
CREATE VIEW equity AS
SELECT runs.run_id,
       point.step_index,
       strftime('%Y-%m-%dT%H:%M:%SZ', point.ts / 1000000, 'unixepoch') AS ts,
       point.equity,
       point.cash
FROM equity_points AS point
JOIN runs ON runs.run_key = point.run_key;

CREATE VIEW active_runs AS
SELECT * FROM runs WHERE status IN {ACTIVE};

CREATE VIEW leaderboard AS
SELECT rank() OVER (ORDER BY total_return DESC) AS rank,
       run_id, name, strategy, agent_id, symbols, timeframe, "start", "end", total_return,
       max_drawdown, sharpe, sortino, num_fills, num_trades, total_costs, finished_at
FROM runs
WHERE status = 'completed' AND baseline_of IS NULL AND total_return IS NOT NULL
ORDER BY total_return DESC;

CREATE VIEW positions AS
SELECT run_id, symbol, quantity, avg_cost, last_price,
       quantity * last_price AS market_value,
       quantity * (last_price - avg_cost) AS unrealized_pnl
FROM holdings
WHERE quantity <> 0;

-- Forks and baselines under the run that all of them come from.
CREATE VIEW run_lineage AS
WITH RECURSIVE lineage (run_id, relation, parent, forked_at_step, root_run_id, depth) AS (
    SELECT run_id, 'root', NULL, NULL, run_id, 0
    FROM runs AS top
    WHERE NOT EXISTS (
        SELECT 1 FROM runs WHERE run_id = coalesce(top.baseline_of, top.parent_run_id))
    UNION ALL
    SELECT child.run_id,
           CASE WHEN child.baseline_of IS NULL THEN 'fork' ELSE 'baseline' END,
           lineage.run_id,
           child.forked_at_step,
           lineage.root_run_id,
           lineage.depth + 1
    FROM lineage
    JOIN runs AS child ON coalesce(child.baseline_of, child.parent_run_id) = lineage.run_id
)
SELECT run_id, relation, parent AS parent_run_id, forked_at_step, root_run_id, depth
FROM lineage;
"""

# A row of runs can be lost or changed by INSERT OR REPLACE (no update, and no delete trigger unless
# recursive_triggers is on), by UPDATE, by DELETE, and by UPDATE OR REPLACE of a live run's id to a
# finished run's (which removes the finished row in silence). Each has its guard, and all hold for
# every program that opens the file.
_TRIGGERS = f"""
CREATE TRIGGER runs_no_replace BEFORE INSERT ON runs
WHEN EXISTS (SELECT 1 FROM runs WHERE run_id = NEW.run_id OR run_key = NEW.run_key)
BEGIN
    SELECT RAISE(ABORT, 'this run is in the ledger already');
END;

CREATE TRIGGER runs_identity BEFORE UPDATE ON runs
WHEN NEW.run_id IS NOT OLD.run_id OR NEW.run_key IS NOT OLD.run_key
BEGIN
    SELECT RAISE(ABORT, 'run_id and run_key of a run never change');
END;

CREATE TRIGGER runs_terminal_update BEFORE UPDATE ON runs
WHEN OLD.status IN {_TERMINAL}
BEGIN
    SELECT RAISE(ABORT, 'a finished run never changes');
END;

CREATE TRIGGER runs_delete BEFORE DELETE ON runs
WHEN NOT EXISTS (SELECT 1 FROM tombstones WHERE run_id = OLD.run_id)
BEGIN
    SELECT RAISE(ABORT, 'a run is deleted by stepdeck delete, which archives it first');
END;
"""

VERSION_1 = _TABLES + _VIEWS + _TRIGGERS
