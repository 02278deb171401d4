"""What a decision could see at a moment, as a person reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.codec import decision_text
from engine.errors import InvalidParameter
from tui import format as fmt
from tui.viewmodel import preview
from tui.widgets.facts import Fact, Facts

if TYPE_CHECKING:
    from engine.sim.observation import Observation
    from tui.gateway import Moment, RunDetail

TAIL: Final = 8
MOST_SYMBOLS: Final = 12
Asked = tuple[str, tuple[float, ...]]


def seen(
    detail: RunDetail,
    symbol: str | None,
    asked: Iterable[Asked],
    currency: str,
    zone: tzinfo,
) -> tuple[Facts, ...]:
    """The groups of the panel for a detail that carries its moment, its fault first if it had one.

    ``asked`` are indicators by name and parameters: those the strategy has asked for in this
    process and those that are drawn.
    """
    moment, record = detail.moment, detail.record
    groups: list[Facts] = []
    if record.status == "failed" and record.error_message:
        groups.append(Facts("It failed on this", _fault(record.error_message)))
    if moment is None:
        return (*groups, Facts("Seen", (Fact("nothing", "its bars are gone"),)))
    groups.append(_decided(moment))
    observation = moment.observation
    if observation is None:
        return (*groups, Facts("Seen", (Fact("nothing", "the run was over: no decision was due"),)))
    groups.append(_bars(observation))
    if symbol is not None and symbol in observation.symbols:
        groups.append(_history(observation, symbol, zone))
    values = _indicators(observation, asked)
    if values:
        groups.append(Facts("Indicators", values))
    groups.append(_portfolio(observation, currency))
    if observation.params:
        groups.append(Facts("Parameters", _params(observation.params)))
    return tuple(groups)


# As the engine words it: what was raised, where in the person's file, at which step.
_FAULT: Final = re.compile(
    r"(?:(?P<call>\w+) raised )?(?P<what>.*) in (?P<where>\S+:\d+) at step \d+"
)


def _fault(message: str) -> tuple[Fact, ...]:
    found = _FAULT.fullmatch(message)
    if found is None:
        return (Fact("error", message, "loss"),)
    return (
        Fact("raised", found["what"], "loss"),
        Fact("in", f"{found['where']}, {found['call'] or 'decide'}", "strong"),
    )


def _decided(moment: Moment) -> Facts:
    if moment.decision is None:
        return Facts("Decided", (Fact("said", "nothing yet", "muted"),))
    said = preview.decision_text(decision_text(moment.decision))
    by = (moment.source or "").replace("_", " ")
    facts = [Fact("said", said, "strong"), Fact("by", by)]
    if moment.decision.confidence is not None:
        facts.append(Fact("confidence", fmt.share(moment.decision.confidence)))
    if moment.decision.rationale:
        facts.append(Fact("because", moment.decision.rationale))
    return Facts(f"Decided at step {moment.decision_step}", tuple(facts))


def _bars(observation: Observation) -> Facts:
    facts = []
    for symbol in observation.symbols[:MOST_SYMBOLS]:
        bar = observation.bar(symbol)
        if bar is None:
            facts.append(Fact(symbol, "no bar", "muted"))
            continue
        prices = "  ".join(
            f"{name} {fmt.price(value)}"
            for name, value in (
                ("O", bar.open),
                ("H", bar.high),
                ("L", bar.low),
                ("C", bar.close),
            )
        )
        facts.append(Fact(symbol, f"{prices}  V {fmt.short_money(bar.volume)}"))
    more = len(observation.symbols) - MOST_SYMBOLS
    if more > 0:
        facts.append(Fact(f"and {more} more", "", "muted"))
    return Facts("Bars", tuple(facts))


def _history(observation: Observation, symbol: str, zone: tzinfo) -> Facts:
    column = observation.symbols.index(symbol)
    closes = observation.history("close", TAIL + 1)[:, column]
    facts = []
    for back in range(min(TAIL, len(closes))):
        bar = observation.bar(symbol, observation.step - back)
        close = closes[-1 - back]
        before = closes[-2 - back] if back + 1 < len(closes) else np.nan
        change = close / before - 1 if np.isfinite(close) and np.isfinite(before) else None
        when = fmt.stamp(bar.ts, zone) if bar is not None else fmt.DASH
        facts.append(
            Fact(when, fmt.price(float(close)), "text", fmt.percent(change) if change else "")
        )
    return Facts(f"History of {symbol}, newest first", tuple(facts))


def _indicators(observation: Observation, asked: Iterable[Asked]) -> tuple[Fact, ...]:
    facts = []
    for name, parameters in asked:
        try:
            values = observation.indicator(name, *parameters).tolist()
        except InvalidParameter:
            continue
        label = f"{name}({', '.join(f'{one:g}' for one in parameters)})"
        shown = list(zip(observation.symbols, values, strict=True))[:MOST_SYMBOLS]
        facts.append(
            Fact(label, "  ".join(f"{symbol} {fmt.ratio(value)}" for symbol, value in shown))
        )
    return tuple(facts)


def _portfolio(observation: Observation, currency: str) -> Facts:
    book = observation.portfolio
    facts = [
        Fact("cash", fmt.money(book.cash, currency)),
        Fact("equity", fmt.money(book.equity, currency), "strong"),
    ]
    facts += [
        Fact(
            f"{held.symbol}  {fmt.quantity(held.quantity)}",
            fmt.money(held.market_value, currency),
            "text",
            f"at {fmt.price(held.avg_cost)}",
        )
        for held in book.positions.values()
    ]
    if not book.positions:
        facts.append(Fact("nothing held", "", "muted"))
    return Facts("Portfolio", tuple(facts))


def _params(params: Mapping[str, Any]) -> tuple[Fact, ...]:
    return tuple(Fact(str(name), str(value)) for name, value in params.items())
