"""What a run is held against: ordinary runs on its bars, made after its result is published."""

from __future__ import annotations

from dataclasses import replace

from engine import market
from engine.market import BarSource
from engine.model import Costs, RunRequest
from engine.runs.requests import Prepared

INDEX_SYMBOL = "SPY"
FRACTION = 1e-9


def baselines_of(run: Prepared) -> list[tuple[RunRequest, BarSource | None]]:
    """The requests of a run's baselines (policy B1 and B2), the more telling one first.

    Each comes with the source of its bars where its request does not name one.

    Buy and hold has the run's own rules. The index is ``SPY`` where the source has it, else the
    price average of the run's symbols; it pays no costs and holds fractions, and its name says so.
    """
    request, again = run.request, run.source.again
    bare = replace(
        request,
        params={},
        tags=("baseline",),
        agent_id=None,
        speed=None,
        paused=False,
        baselines=False,
        breakpoints=(),
        isolate=False,
    )
    baselines = []
    if request.strategy != "buy_and_hold":
        baselines.append(replace(bare, strategy="buy_and_hold", name="buy and hold"))
    frictionless = replace(request.rules, fill="close", lot=FRACTION, costs=Costs.of("none"))
    has_index = INDEX_SYMBOL in (again or market.resolve)(replace(request, symbols=None)).symbols
    baselines.append(
        replace(
            bare,
            strategy="index",
            symbols=(INDEX_SYMBOL,) if has_index else request.symbols,
            rules=replace(frictionless, participation=None, allow_short=False, max_leverage=1.0),
            name=f"index: {INDEX_SYMBOL if has_index else 'price average'}, frictionless",
        )
    )
    return [(each, None if again is None else again(each)) for each in baselines]
