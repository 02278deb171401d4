"""The filter language of the runs list.

Terms stand side by side and must all hold: ``status:running strategy:sma ret>5% -agent:bot``.

- a bare word is looked for in id, name, strategy and symbols;
- ``field:text`` looks for the text in a field, ``field:a,b`` for either, ``field:`` for nothing in
  it; ``status:`` also takes ``active`` and ``done``;
- ``field>number`` (also ``<``, ``>=``, ``<=``, ``=``, ``!=``) compares; numbers take ``%``, ``k``,
  ``m``, ages take ``s``, ``m``, ``h``, ``d``; what has no value never matches;
- ``-`` before a term turns it around; quotes keep spaces together. Case does not matter.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Protocol

from engine.errors import InvalidOption


class Filterable(Protocol):
    """What a filter looks at: texts and numbers of one run, by field name.

    Asked one at a time: of ten thousand runs a filter wants one or two fields.
    """

    def text(self, field: str, /) -> str: ...

    def number(self, field: str, /) -> float | None: ...


TEXT_FIELDS: Final = (
    "id",
    "name",
    "status",
    "strategy",
    "driver",
    "symbol",
    "source",
    "agent",
    "owner",
    "tag",
    "reason",
    "timeframe",
    "parent",
)
NUMBER_FIELDS: Final = (
    "ret",
    "dd",
    "sharpe",
    "equity",
    "step",
    "steps",
    "progress",
    "fills",
    "trades",
    "costs",
    "age",
)
ALIASES: Final = {
    "symbols": "symbol",
    "return": "ret",
    "drawdown": "dd",
    "tags": "tag",
    "run": "id",
    "end": "reason",
}
BARE_FIELDS: Final = ("id", "name", "strategy", "symbol")
STATUS_GROUPS: Final = {
    "active": ("created", "loading", "running", "paused"),
    "done": ("completed", "failed", "cancelled"),
}

_TERM: Final = re.compile(r'-?(?:[^\s"]|"[^"]*(?:"|$))+')
_FIELD: Final = re.compile(r"([A-Za-z_]+)(:|>=|<=|!=|=|>|<)(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(%|[A-Za-z]?)")
_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
}
_UNITS: Final = {"": 1.0, "%": 0.01, "k": 1e3, "m": 1e6}
_AGE_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

Test = Callable[[Filterable], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter; ``matches`` says whether a run passes it."""

    text: str = ""
    tests: tuple[Test, ...] = ()
    by_age: bool = False
    """Whether what passes may change without any run changing."""

    def matches(self, run: Filterable) -> bool:
        """Whether every term holds for the run."""
        # Not `all` of a generator: this is asked ten thousand times while one types.
        for test in self.tests:  # noqa: SIM110
            if not test(run):
                return False
        return True


def parse(text: str) -> Filter:
    """The filter that ``text`` spells; empty text passes everything.

    Raises ``InvalidOption`` with ``field`` ``filter``, naming the term and what would be right.
    """
    terms = [match.group() for match in _TERM.finditer(text)]
    by_age = any(term.lower().lstrip("-").startswith("age") for term in terms)
    return Filter(text, tuple(map(_parse_term, terms)), by_age)


def _parse_term(term: str) -> Test:
    if term.startswith("-") and len(term) > 1:
        inner = _parse_term(term[1:])
        return lambda run: not inner(run)
    found = None if term.startswith('"') else _FIELD.fullmatch(term)
    if found is None:
        return _bare(_unquote(term))
    name, sign, value = found.groups()
    field = ALIASES.get(name.lower(), name.lower())
    value = _unquote(value)
    if field in TEXT_FIELDS:
        if sign in (":", "="):
            return _text(field, value)
        if sign == "!=":
            inner = _text(field, value)
            return lambda run: not inner(run)
        raise _refused(f"{name} is text and cannot be compared by {sign}", f"write {name}:{value}")
    if field in NUMBER_FIELDS:
        return _number(field, "=" if sign == ":" else sign, value)
    known = (*TEXT_FIELDS, *NUMBER_FIELDS)
    close = get_close_matches(field, (*known, *ALIASES), n=1)
    raise _refused(
        f"there is no field {name!r}",
        f"did you mean {close[0]}?" if close else f"fields are {', '.join(known)}",
    )


def _bare(word: str) -> Test:
    needle = word.casefold()
    first, second, third, fourth = BARE_FIELDS

    def test(run: Filterable) -> bool:
        text = run.text
        # One search through all four: no word that is typed has a line end in it.
        return needle in f"{text(first)}\n{text(second)}\n{text(third)}\n{text(fourth)}".casefold()

    return test


def _text(field: str, value: str) -> Test:
    needles = [part.casefold() for part in value.split(",")] if value else []
    if field == "status":
        words = {
            word for needle in needles for word in STATUS_GROUPS.get(needle, (needle,)) if word
        }
        starts = tuple(words)
        return lambda run: run.text("status").startswith(starts)
    if not any(needles):
        return lambda run: not run.text(field)
    wanted = [needle for needle in needles if needle]
    if len(wanted) == 1:
        return lambda run: wanted[0] in run.text(field).casefold()
    return lambda run: any(needle in run.text(field).casefold() for needle in wanted)


def _number(field: str, sign: str, value: str) -> Test:
    units = _AGE_UNITS if field == "age" else _UNITS
    found = _NUMBER.fullmatch(value)
    if found is None or found[2].lower() not in units:
        example = "2h" if field == "age" else "5%" if field in ("ret", "dd", "progress") else "1000"
        raise _refused(
            f"{value!r} after {field}{sign} is not a number",
            f"write it like {field}{sign}{example}",
        )
    wanted = float(found[1]) * units[found[2].lower()]
    compare = _COMPARE[sign]

    def test(run: Filterable) -> bool:
        have = run.number(field)
        return have is not None and compare(have, wanted)

    return test


def _unquote(text: str) -> str:
    return text.replace('"', "")


def _refused(message: str, remedy: str) -> InvalidOption:
    return InvalidOption(message, field="filter", remedy=remedy)
