"""The lines on top of a run: which run this is and where it stands, what it is worth, the past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Final

from textual.content import Content

from tui import format as fmt
from tui import keys, steps
from tui.safe import cells, safe_line
from tui.screens.base import style_of
from tui.viewmodel.runs import RunView

if TYPE_CHECKING:
    from engine.model import RunRecord
    from tui.gateway import RunDetail

NAME_CELLS: Final = 28
LEAST_NAME: Final = 8
STRATEGY_CELLS: Final = 24
PAST: Final = "◀ past  "
Part = tuple[str, str]


def identity(
    detail: RunDetail,
    rate: float | None,
    now: datetime,
    zone: tzinfo,
    width: int,
) -> Content:
    """Status, name, step and date; how fast it goes, or whose decision is due.

    Where ``width`` cells are too few a long name is cut, then the strategy goes, then what it is a
    fork of: whose turn it is stays in sight.
    """
    record = detail.record
    look = fmt.status_look(record.status)
    view = RunView(record, detail.owner, rate, now, stalled=detail.stall is not None)
    step = steps.place_of(record)
    stamp = int(detail.stamps[-1]) if len(detail.stamps) else None
    head: list[Part] = [(f"{look.text}  ", f"bold {style_of(look.role)}")]
    tail: list[Part] = [("  step ", ""), (step, "bold")]
    if stamp is not None:
        tail.append((f"  {fmt.stamp(stamp, zone)}", "$text-accent"))
    tail += _turn(detail, view, rate)
    strategy = f"  {safe_line(record.strategy, STRATEGY_CELLS)}" if record.name else ""
    origin = ""
    # A fork of a run with a name is called after it; another one looks just as its parent does.
    if record.parent_run_id is not None and not record.name:
        origin = f"  fork of {record.parent_run_id[:6]} from {record.forked_at_step}"
    room = width - _cells(head) - _cells(tail)
    wanted = min(cells(safe_line(view.name)), NAME_CELLS)
    about = next(
        (words for words in (strategy + origin, origin) if wanted + cells(words) <= room), ""
    )
    name = safe_line(view.name, max(LEAST_NAME, room - cells(about)))
    return Content.assemble(*head, (name, "bold"), (about, "$text-muted"), *tail)


def _turn(detail: RunDetail, view: RunView, rate: float | None) -> list[Part]:
    record, parts = detail.record, list[Part]()
    hand = record.by_hand
    if view.stalled:
        parts.append(("  stalled", "$text-warning"))
    elif record.status == "running" and not hand:
        parts.append((f"  {fmt.rate(rate)}", "$text-muted"))
        if view.eta is not None:
            parts.append((f"  ETA {fmt.eta(view.eta)}", "$text-muted"))
    elif hand and detail.next_decision is not None:
        parts.append((f"  decision {detail.next_decision} is yours", "$text-warning"))
    if detail.owner in ("elsewhere", "gone"):
        parts.append((f"  owner {detail.owner}", "$text-warning"))
    return parts


def _cells(parts: list[Part]) -> int:
    return sum(cells(text) for text, _ in parts)


def figures(record: RunRecord, currency: str, *, roomy: bool) -> Content:
    """Equity, return, drawdown and cash; ``roomy`` has place for the number of fills."""
    was_hand = record.driver == "manual"
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
        *([("  taken over", "$text-warning")] if record.by_hand and not was_hand else []),
    )


def past(
    at: int,
    wanted: int,
    record: RunRecord,
    when: str,
    shown: keys.Keys,
    width: int,
    works: Mapping[str, bool],
) -> Content:
    """The first line while one looks back: which moment of which run, and the keys that lead out
    of it or act there, as many as ``width`` cells have room for.

    ``at`` is the moment that the panels show, ``wanted`` the one that is being worked out, both in
    settled grid points; ``when`` is the time of the first. What became of the run came later: no
    status.
    """
    place = f"  step {steps.place(at, record.total_steps)}"
    if wanted != at:
        place += f" → {steps.number_of(wanted)}"
    if record.step_index != record.total_steps:
        place += f" (now: {steps.number_of(record.step_index)})"
    place += f"  {when}"
    name = safe_line(record.name or record.strategy, NAME_CELLS)
    room = width - cells(PAST) - cells(place)
    ways = _ways(shown, works, room - min(cells(name), LEAST_NAME))
    name = safe_line(name, max(LEAST_NAME, room - cells(ways)))
    gap = " " * max(0, room - cells(name) - cells(ways))
    return Content.assemble((PAST, "bold"), (name, "bold"), place, gap, ways)


def _ways(shown: keys.Keys, works: Mapping[str, bool], room: int) -> str:
    """The keys out of the past; the way back to now, which the key bar has too, goes first."""
    ways = [("now", "now"), ("rewind", "rewind here"), ("fork", "fork here")]
    long = [
        (shown.shown(keys.BY_ID[f"run.{name}"]), words)
        for name, words in ways
        if works.get(name, True)
    ]
    short = [(key, words.partition(" ")[0]) for key, words in long]
    for some in (long, *(short[first:] for first in range(len(short)))):
        text = "".join(f"  {key}: {words}" for key, words in some)
        if cells(text) <= room:
            return text
    return ""
