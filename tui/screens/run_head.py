"""The two lines on top of a run: which run this is and where it stands, and what it is worth."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from tui import format as fmt
from tui.safe import safe_line
from tui.screens.base import style_of
from tui.viewmodel.run_panels import zone_of
from tui.viewmodel.runs import RunView

if TYPE_CHECKING:
    from engine.model import RunRecord
    from tui.gateway import RunDetail

NAME_CELLS, STRATEGY_CELLS = 28, 24


def identity(detail: RunDetail, rate: float | None, now: datetime) -> Content:
    """Status, name, step and date; how fast it goes, or whose decision is due."""
    record = detail.record
    look = fmt.status_look(record.status)
    view = RunView(record, detail.owner, rate, now)
    step = f"{record.step_index}/{record.total_steps}" if record.total_steps else fmt.DASH
    stamp = int(detail.stamps[-1]) if len(detail.stamps) else None
    parts: list[tuple[str, str] | str] = [
        (look.text, f"bold {style_of(look.role)}"),
        "  ",
        (safe_line(view.name, NAME_CELLS), "bold"),
    ]
    if record.name:
        parts += ["  ", (safe_line(record.strategy, STRATEGY_CELLS), "$text-muted")]
    parts += ["  step ", (step, "bold")]
    if stamp is not None:
        parts += ["  ", (fmt.stamp(stamp, zone_of(record)), "$text-accent")]
    if record.status == "running" and record.driver != "manual":
        parts += [(f"  {fmt.rate(rate)}", "$text-muted")]
        if view.eta is not None:
            parts += [(f"  ETA {fmt.eta(view.eta)}", "$text-muted")]
    elif record.driver == "manual" and detail.next_decision is not None:
        parts += [(f"  decision {detail.next_decision} is yours", "$text-warning")]
    if detail.owner in ("elsewhere", "gone"):
        parts += [(f"  owner {detail.owner}", "$text-warning")]
    return Content.assemble(*parts)


def figures(record: RunRecord, currency: str, *, roomy: bool) -> Content:
    """Equity, return, drawdown and cash; ``roomy`` has place for the number of fills."""
    return Content.assemble(
        "equity ",
        (fmt.money(record.equity, currency), "bold"),
        "  ",
        (fmt.percent(record.total_return), style_of(fmt.gain_role(record.total_return))),
        ("  max DD ", "$text-muted"),
        fmt.percent(record.max_drawdown),
        ("  cash ", "$text-muted"),
        fmt.money(record.cash, currency),
        *((("  fills ", "$text-muted"), fmt.count(record.num_fills)) if roomy else ()),
    )
