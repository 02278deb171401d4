"""What an expression means over one run's bars: closures that are asked before each decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import isfinite
from types import MappingProxyType
from typing import Final

from engine.sim import vocabulary
from engine.sim.expressions import Call, Chain, Constant, Every, Expression, Look, Node, Turned
from engine.sim.panel import Panel
from engine.sim.sight import Sight
from engine.sim.vocabulary import Read, Test

Seen = Mapping[str, float | bool | str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """An expression over one run's bars; pure, so that any number of runs of them may share it."""

    expression: Expression
    _test: Test
    _looks: tuple[tuple[Look, Read | Test], ...]

    def holds(self, sight: Sight) -> bool:
        """Whether it is true before the decision that ``sight`` stands at."""
        return self._test(sight)

    def first(self, start: int, stop: int) -> int | None:
        """The first decision from ``start`` to before ``stop`` at which it will hold, if any.

        For an expression that is ``foreseen``; what it looks at ahead is shown to nobody.
        """
        test, place = self._test, Sight.of_bars
        return next((step for step in range(start, stop) if test(place(step))), None)

    def saw(self, sight: Sight) -> Seen:
        """What each word in it was worth, by how it was written; None for what has no value."""
        seen = {look.source: _shown(look, read(sight)) for look, read in self._looks}
        return MappingProxyType(seen)


def over(expression: Expression, panel: Panel) -> Condition:
    """The condition over a run of these bars; its indicators are computed now.

    Raises ``InvalidExpression`` where the expression does not suit the panel's symbols.
    """
    expression.must_suit(panel.symbols)
    compiler = _Compiler(panel)
    looks = tuple((look, compiler.of(look)) for look in expression.looks)
    return Condition(expression, compiler.test(expression.root), looks)


def _shown(look: Look, value: float) -> float | bool | str | None:
    if look.kind == "truth":
        return bool(value)
    if look.kind == "date":
        return date.fromordinal(int(value)).isoformat()
    if look.kind == "time":
        return datetime.fromtimestamp(value / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return float(value) if isfinite(value) else None


class _Compiler:
    """From the tree to closures over one panel."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel

    def of(self, look: Look) -> Read | Test:
        name, panel = look.name, self.panel
        if look.kind == "truth":
            return vocabulary.happening_test(name, look.of, panel)
        if name in vocabulary.CLOCK:
            return vocabulary.clock_read(name, panel)
        if name in vocabulary.ACCOUNT:
            return vocabulary.account_read(name)
        symbol = look.symbol if look.symbol is not None else panel.symbols[0]
        if name in vocabulary.HOLDING:
            return vocabulary.holding_read(name, symbol)
        if name in vocabulary.MARKET:
            ago = int(look.numbers[0]) if look.numbers else 0
            return vocabulary.market_read(name, symbol, ago, panel)
        return vocabulary.indicator_read(name, symbol, look.numbers, panel)

    def number(self, node: Node) -> Read:
        """A closure that gives a number, a day or a stamp."""
        if isinstance(node, Constant):
            value = node.value
            return lambda _sight: value
        if isinstance(node, Look):
            return self.of(node)
        if isinstance(node, Turned):
            inner = self.number(node.part)
            return lambda sight: -inner(sight)
        if isinstance(node, Call):
            return self.function(node)
        assert isinstance(node, Chain)
        return self.arithmetic(node)

    def function(self, node: Call) -> Read:
        arguments = [self.number(argument) for argument in node.arguments]
        if node.name == "abs":
            only = arguments[0]
            return lambda sight: abs(only(sight))
        choose = vocabulary.smallest if node.name == "min" else vocabulary.largest
        return lambda sight: choose([argument(sight) for argument in arguments])

    def arithmetic(self, node: Chain) -> Read:
        first = self.number(node.first)
        rest = [(sign, self.number(part)) for sign, part in node.rest]
        divided = vocabulary.divided

        def value(sight: Sight) -> float:
            total = first(sight)
            for sign, part in rest:
                other = part(sight)
                if sign == "+":
                    total += other
                elif sign == "-":
                    total -= other
                elif sign == "*":
                    total *= other
                else:
                    total = divided(total, other)
            return total

        return value

    def test(self, node: Node) -> Test:
        """A closure that says whether a condition holds."""
        if isinstance(node, Look):
            found = self.of(node)
            return lambda sight: bool(found(sight))
        if isinstance(node, Turned):
            inner = self.test(node.part)
            return lambda sight: not inner(sight)
        if isinstance(node, Every):
            parts = [self.test(part) for part in node.parts]
            if node.all_of:
                return lambda sight: all(part(sight) for part in parts)
            return lambda sight: any(part(sight) for part in parts)
        if isinstance(node, Call):
            return self.crossing(node)
        assert isinstance(node, Chain)
        return self.comparison(node)

    def crossing(self, node: Call) -> Test:
        one, other = (self.number(argument) for argument in node.arguments)
        if node.name == "crosses_below":
            one, other = other, one

        def crosses(sight: Sight) -> bool:
            before = sight.before
            return before is not None and one(before) <= other(before) and one(sight) > other(sight)

        return crosses

    def comparison(self, node: Chain) -> Test:
        first = self.number(node.first)
        if len(node.rest) == 1:
            sign, part = node.rest[0]
            return _compare(sign, first, self.number(part))
        rest = [(_RELATIONS[sign], self.number(part)) for sign, part in node.rest]

        def holds(sight: Sight) -> bool:
            left = first(sight)
            for relation, part in rest:
                right = part(sight)
                if not relation(left, right):
                    return False
                left = right
            return True

        return holds


_RELATIONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "==": lambda one, other: one == other,
    # Not Python's: that is true of what has no value.
    "!=": lambda one, other: one < other or one > other,
}


def _compare(sign: str, one: Read, other: Read) -> Test:
    relation = _RELATIONS[sign]
    return lambda sight: relation(one(sight), other(sight))
