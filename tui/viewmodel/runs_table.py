"""The runs list as a table: its columns, and the cells of a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tui import format as fmt
from tui.viewmodel.runs import RunView
from tui.widgets.spark import progress_bar, spark
from tui.widgets.table import Cell, Column, Row

BAR_CELLS: Final = 7
SPARK_CELLS: Final = 10

# The higher the number, the sooner a narrow window does without the column; 0 is always there.
COLUMNS: Final[tuple[Column, ...]] = (
    Column("status", "Status", 13),
    Column("name", "Name", 13, flexible=True),
    Column("strategy", "Strategy", 13, priority=4),
    Column("driver", "Driver", 8, priority=10),
    Column("symbols", "Symbols", 12, priority=6),
    Column("progress", "Progress", BAR_CELLS + 10, align="right"),
    Column("rate", "Steps/s", 7, align="right", priority=7),
    Column("eta", "ETA", 6, align="right", priority=8),
    Column("equity", "Equity", 13, align="right", priority=3),
    Column("return", "Return", 10, align="right"),
    Column("drawdown", "Max DD", 8, align="right", priority=5),
    Column("spark", "Curve", SPARK_CELLS, priority=2, sortable=False),
    Column("owner", "Owner", 9, priority=9),
    Column("age", "Age", 4, align="right"),
)

_OWNER_ROLES: Final = {"gone": "attention", "elsewhere": "info"}
_OWNER_WORDS: Final = {"none": ""}


def row(run: RunView, currency: str) -> Row:
    """The run's cells, in the columns' order."""
    record = run.record
    look = fmt.status_look(record.status)
    # A moving run is what the eye should find; one that is over steps back.
    moving = record.status == "running" and record.driver != "manual" and run.rate is not None
    quiet = "text" if record.status in ("running", "paused", "loading", "created") else "muted"
    return Row(
        record.run_id,
        (
            Cell(f"{look.glyph} {look.word}", look.role),
            Cell(run.name, "strong" if record.name else "text"),
            Cell(record.strategy, quiet),
            Cell(record.driver, "muted"),
            Cell(run.symbols, quiet),
            Cell(progress_text(run), quiet),
            Cell(fmt.rate(run.rate) if moving else "", "muted"),
            Cell(fmt.eta(run.eta) if run.eta is not None else "", "muted"),
            Cell(fmt.money(record.equity, currency)),
            Cell(fmt.percent(record.total_return), fmt.gain_role(record.total_return)),
            Cell(fmt.percent(record.max_drawdown), "muted"),
            Cell(spark(run.spark, SPARK_CELLS), fmt.gain_role(record.total_return)),
            Cell(_OWNER_WORDS.get(run.owner, run.owner), _OWNER_ROLES.get(run.owner, "muted")),
            Cell(fmt.age(run.age), "muted"),
        ),
    )


class RowCache:
    """Rows made before: of a thousand runs a tick changes a few, and only those are made anew."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[tuple[object, ...], Row]] = {}

    def rows(self, shown: Iterable[RunView], currency: str) -> list[Row]:
        """The cells of each run, in the order given; what is not shown is forgotten."""
        fresh: dict[str, tuple[tuple[object, ...], Row]] = {}
        for run in shown:
            made_of = _made_of(run)
            known = self._rows.get(run.run_id)
            if known is None or known[0] != made_of:
                known = (made_of, row(run, currency))
            fresh[run.run_id] = known
        self._rows = fresh
        return [made for _, made in fresh.values()]


def _made_of(run: RunView) -> tuple[object, ...]:
    """All that a row's cells depend on and that may change."""
    record = run.record
    return (
        record.status,
        record.step_index,
        record.total_steps,
        record.updated_at,
        record.equity,
        record.name,
        run.owner,
        run.rate,
        run.spark,
        fmt.age(run.age),
    )


def progress_text(run: RunView) -> str:
    """A bar and the step reached: ``━━━━╸··· 1812/3269``; a word while there is no total yet."""
    record = run.record
    if record.total_steps is None:
        return fmt.DASH
    if record.total_steps > 99_999:
        steps = f"{fmt.share(run.progress, 1)}"
    else:
        steps = f"{record.step_index}/{record.total_steps}"
    return f"{progress_bar(run.progress, BAR_CELLS)} {steps:>9}"
