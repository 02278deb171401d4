"""Breakpoints as rows, changes to them, and what can be written in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.errors import InvalidExpression
from engine.model import Breakpoint
from engine.sim import vocabulary
from engine.sim.expressions import parse
from tui.safe import cells
from tui.widgets.table import Cell, Column, Row

COLUMNS: Final = (
    Column("state", "State", 5, sortable=False),
    Column("condition", "Stops before a decision where", 30, flexible=True, sortable=False),
    Column("kind", "Kind", 7, sortable=False),
    Column("hits", "Hits", 6, align="right", sortable=False),
)
CHOICE_COLUMNS: Final = (
    Column("form", "Condition", 34, sortable=False, most=52),
    Column("meaning", "Holds when, or what it is", 28, flexible=True, sortable=False, most=58),
)

Points = tuple[Breakpoint, ...]


def rows(points: Points, stopped_by: int | None) -> list[Row]:
    """One row a breakpoint; the one that holds the run now stands out."""
    return [
        Row(
            str(point.id),
            (
                Cell("● on" if point.enabled else "○ off", "accent" if point.enabled else "muted"),
                Cell(
                    point.expression,
                    "attention" if point.id == stopped_by else "text" if point.enabled else "muted",
                ),
                Cell("once" if point.once else "lasting", "muted"),
                Cell(f"{point.hits:,}", "text" if point.hits else "muted"),
            ),
        )
        for point in points
    ]


# -- changes --------------------------------------------------------------------------------------


def added(points: Points, text: str) -> Points:
    """The breakpoints and a lasting one more, under the next free number."""
    number = max((point.id for point in points), default=0) + 1
    return (*points, Breakpoint(number, text.strip()))


def reworded(points: Points, number: int, text: str) -> Points:
    """The breakpoints, one with another condition: it begins to count anew, and is on."""
    return tuple(
        Breakpoint(number, text.strip(), once=point.once)
        if point.id == number and point.expression != text.strip()
        else point
        for point in points
    )


def toggled(points: Points, number: int) -> Points:
    """The breakpoints, one turned on or off."""
    return tuple(
        replace(point, enabled=not point.enabled) if point.id == number else point
        for point in points
    )


def once_turned(points: Points, number: int) -> Points:
    """The breakpoints, one made one-shot or lasting."""
    return tuple(
        replace(point, once=not point.once) if point.id == number else point for point in points
    )


def without(points: Points, number: int) -> Points:
    """The breakpoints but one."""
    return tuple(point for point in points if point.id != number)


# -- what is wrong with a text --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the parser says of a text; ``caret`` is the cell under which it goes wrong."""

    said: str
    caret: int | None = None

    @property
    def good(self) -> bool:
        """Whether the text is a condition."""
        return self.caret is None


def judged(text: str, symbols: Sequence[str]) -> Verdict:
    """What the parser says of ``text`` for a run of these symbols."""
    if not text.strip():
        return Verdict("a condition, such as drawdown < -5%; t shows the usual ones", 0)
    try:
        found = parse(text, symbols or None)
    except InvalidExpression as error:
        remedy = f"; {error.remedy}" if error.remedy else ""
        return Verdict(f"{error.problem}{remedy}", cells(text[: error.column - 1]))
    words = dict.fromkeys(look.source for look in found.looks)
    return Verdict(f"good: looks at {', '.join(words)}" if words else "good")


# -- what can be written --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Choice:
    """A line of the list of what can be written: a whole condition, or a word's form."""

    form: str
    meaning: str


def choices(symbols: Sequence[str], symbol: str | None, day: str, step: int) -> tuple[Choice, ...]:
    """The usual conditions about ``symbol``, ``day`` and ``step``; then every word there is."""
    name = symbol or (symbols[0] if symbols else "AAPL")
    of = f'"{name}"' if '"' not in name else f"'{name}'"
    other = symbols[1] if len(symbols) > 1 else name
    beside = f'"{other}"' if '"' not in other else f"'{other}'"
    usual = (
        ("fill", "any order is filled"),
        (f"fill({of})", "an order in the symbol is filled"),
        ("rejection", "any order is rejected"),
        ('rejection("insufficient_cash")', "an order is rejected for want of cash"),
        ("decision", "the strategy decides more than to hold"),
        (f"date >= {day}", "from a day on; make it one-shot"),
        (f"step == {step}", "one decision"),
        ("crosses_below(drawdown, -5%)", "a drawdown grows past 5%"),
        ("realized < -100", "a trade closes at a loss"),
        (f"crosses_above(position[{of}], 0)", "a position is opened"),
        (f"position[{of}] == 0 and sold({of})", "a position is closed"),
        (f"weight[{of}] > 50%", "a holding weighs more than half"),
        (f"abs(change[{of}]) > 5%", "a large move from close to close"),
        (f"crosses_above(rsi[{of}], 70)", "an indicator passes a level"),
        (f"crosses_above(sma[{of}, 10], sma[{of}, 30])", "two averages cross"),
        (f"drawdown < -5% and rsi[{of}] > 70", "conditions joined by and, or, not"),
    )
    words = {**vocabulary.WORDS, **vocabulary.FUNCTIONS}
    named = [
        (word.form.replace('"AAPL"', of).replace('"IBM"', beside), word.help)
        for word in words.values()
    ]
    talib = (f"adx[{of}, 14]", "any function of TA-Lib; stoch.slowd for one output")
    return tuple(Choice(form, meaning) for form, meaning in (*usual, *named, talib))


def choice_rows(known: Sequence[Choice]) -> list[Row]:
    """The list of what can be written, as rows; keys are places in it."""
    return [
        Row(str(place), (Cell(choice.form, "strong"), Cell(choice.meaning, "muted")))
        for place, choice in enumerate(known)
    ]
