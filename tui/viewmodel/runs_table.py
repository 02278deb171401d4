"""The runs list as a table: its columns, and the cells of a run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from tui import format as fmt
from tui.steps import place_of
from tui.viewmodel.run_list import RunList
from tui.viewmodel.runs import RunView
from tui.widgets.spark import progress_bar, spark
from tui.widgets.table import Cell, Column, Row

BAR_CELLS: Final = 7
SPARK_CELLS: Final = 10

# The higher the number, the sooner a narrow window does without the column; 0 is always there.
COLUMNS: Final[tuple[Column, ...]] = (
    Column("status", "Status", 13),
    Column("name", "Name", 13, flexible=True, most=30),
    Column("strategy", "Strategy", 13, priority=4, most=24),
    Column("driver", "Driver", 8, priority=10),
    Column("symbols", "Symbols", 12, priority=6, most=32),
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

MOST_KEPT: Final = 500
DEEPEST: Final = 4

_OWNER_ROLES: Final = {"gone": "attention", "elsewhere": "info"}
_OWNER_WORDS: Final = {"none": ""}


def row(
    run: RunView,
    currency: str,
    depth: int = 0,
    *,
    ascii: bool = False,  # noqa: A002 - the setting's name
) -> Row:
    """The run's cells, in the columns' order; ``depth`` is that of a fork under its parent."""
    record = run.record
    look = fmt.status_look(record.status)
    glyph, word, role = look.glyph, look.word, look.role
    owner, owner_role = (
        _OWNER_WORDS.get(run.owner, run.owner),
        _OWNER_ROLES.get(run.owner, "muted"),
    )
    if run.stalled:
        glyph, role, owner, owner_role = "!", "attention", "stalled", "attention"
    elif run.call is not None:
        word, role = f"in {run.call.what}", "attention"
    # A moving run is what the eye should find; one that is over steps back.
    moving = (
        record.status == "running"
        and not record.by_hand
        and run.rate is not None
        and not run.stalled
    )
    quiet = "text" if record.status in ("running", "paused", "loading", "created") else "muted"
    return Row(
        record.run_id,
        (
            Cell(f"{glyph} {word}", role),
            Cell(_branch(depth) + run.name, "strong" if record.name else "text"),
            Cell(record.strategy, quiet),
            Cell(record.driver, "muted"),
            Cell(run.symbols, quiet),
            Cell(progress_text(run, ascii=ascii), quiet),
            Cell(fmt.rate(run.rate) if moving else "", "muted"),
            Cell(fmt.eta(run.eta) if moving and run.eta is not None else "", "muted"),
            Cell(fmt.money(record.equity, currency)),
            Cell(fmt.percent(record.total_return), fmt.gain_role(record.total_return)),
            Cell(fmt.percent(record.max_drawdown), "muted"),
            Cell(spark(run.spark, SPARK_CELLS, ascii=ascii), fmt.gain_role(record.total_return)),
            Cell(owner, owner_role),
            Cell(fmt.age(run.age), "muted"),
        ),
    )


def _branch(depth: int) -> str:
    """What a fork's name stands behind: its place under the run that it comes from."""
    return "  " * (min(depth, DEEPEST) - 1) + "└ " if depth else ""


class RowMaker:
    """The rows of runs as a table asks for them; one made before is given again while it holds.

    ``now``, ``rates`` and ``sparks`` are what the last look at the ledger knew.
    """

    def __init__(
        self,
        shown: RunList,
        currency: str,
        *,
        ascii: bool = False,  # noqa: A002 - the setting's name
    ) -> None:
        self._shown = shown
        self.currency = currency
        self.ascii = ascii
        self._made: dict[str, tuple[tuple[object, ...], Row]] = {}
        self.now: datetime = datetime.min.replace(tzinfo=UTC)
        self.rates: Mapping[str, float] = {}
        self.sparks: Mapping[str, tuple[float, ...]] = {}

    def row(self, run_id: str) -> Row:
        """The run's cells."""
        held = self._shown.get(run_id)
        if held is None:
            # It has gone since the table was told its keys; the next tick takes the row away.
            return Row(run_id, (Cell(""),) * len(COLUMNS))
        rate, curve = self.rates.get(run_id), self.sparks.get(run_id, ())
        stalled = held.stall is not None
        run = RunView(held.record, held.owner, rate, self.now, curve, stalled, held.call)
        depth = self._shown.depths.get(run_id, 0)
        made_of = (held, rate, curve, fmt.age(run.age), depth, self.currency, self.ascii)
        known = self._made.get(run_id)
        if known is None or known[0] != made_of:
            if len(self._made) > MOST_KEPT:
                self._made.clear()
            known = self._made[run_id] = (made_of, row(run, self.currency, depth, ascii=self.ascii))
        return known[1]


def progress_text(run: RunView, *, ascii: bool = False) -> str:  # noqa: A002
    """A bar and where the run stands: ``━━━━╸··· 1812/3269``; a word while there is no total."""
    record = run.record
    if record.total_steps is None:
        return fmt.DASH
    steps = fmt.share(run.progress, 1) if record.total_steps > 99_999 else place_of(record)
    return f"{progress_bar(run.progress, BAR_CELLS, ascii=ascii)} {steps:>9}"
