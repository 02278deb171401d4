"""Conditions over a run, as a person writes them: ``drawdown < -5% and rsi["AAPL"] > 70``.

A language of its own, tokenised, parsed and typed here; no text ever reaches Python's. It has

- numbers (``1.5``, ``5%``, ``100k``, ``2m``), days (``2026-03-02``) and times
  (``2026-03-02T14:30``, UTC), which do not mix;
- the words of ``engine.sim.vocabulary``, indicators and any function of TA-Lib, of a symbol in
  brackets: ``close["AAPL"]``, ``close["AAPL", 1]`` one bar ago, ``sma["AAPL", 30]``,
  ``stoch.slowd["AAPL"]``; a run of one symbol need not name it;
- ``+ - * /``, comparisons (``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=``, also in chains), ``and``,
  ``or``, ``not``, ``abs``, ``min``, ``max``, ``crosses_above`` and ``crosses_below``.

What has no value yet (an indicator that is not warm, a symbol without a bar) and a division by zero
make every comparison false, ``!=`` too. A whole expression must be true or false.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from difflib import get_close_matches
from math import isfinite
from typing import Final, NamedTuple, NoReturn

from engine.errors import InvalidExpression, InvalidParameter
from engine.model import EPOCH
from engine.sim import indicators, vocabulary
from engine.sim.reasons import Reason
from engine.sim.vocabulary import FUNCTIONS, Kind

LONGEST: Final = 500
DEEPEST: Final = 24


# -- the tree -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, a day's ordinal or a stamp in microseconds."""

    value: float
    kind: Kind


@dataclass(frozen=True, slots=True)
class Look:
    """A word of the vocabulary with what it takes; ``source`` is how it was written.

    ``symbol`` is None where a word takes none, or where the run's one symbol is meant.
    """

    source: str
    name: str
    kind: Kind
    symbol: str | None = None
    numbers: tuple[float, ...] = ()
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function of numbers."""

    name: str
    kind: Kind
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Operators between operands, from left to right: sums, products, comparisons."""

    kind: Kind
    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Every:
    """``and`` (``all_of``) or ``or`` of truths."""

    parts: tuple[Node, ...]
    all_of: bool
    kind: Kind = "truth"


@dataclass(frozen=True, slots=True)
class Turned:
    """``not`` of a truth, or a number with the other sign."""

    part: Node
    kind: Kind


Node = Constant | Look | Call | Chain | Every | Turned


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition that was found good; ``engine.sim.conditions`` makes it ready for a run.

    ``looks`` are the words in it that look at something, each once, in order.
    """

    text: str
    root: Node
    looks: tuple[Look, ...] = field(repr=False)

    @property
    def foreseen(self) -> bool:
        """Whether it depends on the bars alone, so that it can be asked of steps ahead."""
        return not any(look.name in vocabulary.OF_THE_RUN for look in self.looks)

    def must_suit(self, symbols: Sequence[str]) -> None:
        """Raise ``InvalidExpression`` where it does not suit a run of these symbols."""
        parse(self.text, symbols)


# -- tokens ---------------------------------------------------------------------------------------


class Token(NamedTuple):
    """A piece of the text; ``at`` counts from 0."""

    kind: str
    text: str
    at: int


_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<time>\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d)?Z?(?![\w.:]))
  | (?P<day>\d{4}-\d\d-\d\d(?![\w.:-]))
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?:%|[kKmM])?(?![\w.]))
  | (?P<word>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)
  | (?P<text>"[^"]*"|'[^']*')
  | (?P<sign><=|>=|==|!=|[-+*/<>()\[\],])
    """,
    re.VERBOSE | re.ASCII,
)
_MISTAKES: Final[Mapping[str, str]] = {
    "=": "compare with ==",
    "&": "write `and`",
    "|": "write `or`",
    "!": "write `not`, or != between two numbers",
    "%": "write a percentage right after its number: 5%",
    '"': "close the text with the same quote",
    "'": "close the text with the same quote",
    "{": 'symbols stand in brackets: close["AAPL"]',
}
_UNITS: Final[Mapping[str, float]] = {"%": 0.01, "k": 1e3, "m": 1e6}
_KEYWORDS: Final = ("and", "or", "not")
_COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(text, at, f"{text[at]!r} means nothing here", _MISTAKES.get(text[at]))
        kind = str(found.lastgroup)
        if kind == "word" and found.group().lower() in _KEYWORDS:
            kind = found.group().lower()
        if kind != "space":
            tokens.append(Token(found.group() if kind == "sign" else kind, found.group(), at))
        at = found.end()
    tokens.append(Token("end", "", len(text)))
    return tokens


def _wrong(text: str, at: int, message: str, remedy: str | None = None) -> InvalidExpression:
    return InvalidExpression(message, text=text, column=at + 1, field="breakpoint", remedy=remedy)


# -- grammar --------------------------------------------------------------------------------------


def parse(text: str, symbols: Sequence[str] | None = None) -> Expression:
    """The condition that ``text`` writes; ``symbols`` are the run's, where they are known.

    Raises ``InvalidExpression`` with the column for anything else, and nothing but that.
    """
    if len(text) > LONGEST:
        raise _wrong(text, LONGEST, f"longer than {LONGEST} characters", "say it more briefly")
    parser = _Parser(text, symbols)
    root = parser.whole()
    return Expression(text, root, tuple(dict.fromkeys(parser.looks)))


class _Parser:
    """One descent through one text."""

    def __init__(self, text: str, symbols: Sequence[str] | None) -> None:
        self.text = text
        self.symbols = symbols
        self.tokens = _tokens(text)
        self.place = 0
        self.depth = 0
        self.looks: list[Look] = []
        self.crossing = False

    # What is next

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def take(self) -> Token:
        token = self.tokens[self.place]
        self.place += 1
        return token

    def took(self, *kinds: str) -> Token | None:
        return self.take() if self.next.kind in kinds else None

    def expect(self, sign: str, opened: Token) -> Token:
        if self.next.kind != sign:
            said = "the text ends" if self.next.kind == "end" else f"{self.next.text!r} stands"
            self.refuse(self.next, f"{said} where {sign!r} should close column {opened.at + 1}")
        return self.take()

    def refuse(self, token: Token | int, message: str, remedy: str | None = None) -> NoReturn:
        at = token if isinstance(token, int) else token.at
        raise _wrong(self.text, at, message, remedy)

    # Rules, the loosest first

    def whole(self) -> Node:
        if self.next.kind == "end":
            self.refuse(0, "there is no condition", "write one, such as drawdown < -5%")
        root = self.either()
        if self.next.kind != "end":
            self.refuse(
                self.next,
                f"{self.next.text!r} does not follow on",
                "join two conditions with `and` or `or`",
            )
        self.must_be(root, "truth", 0)
        return root

    def either(self) -> Node:
        return self.joined("or", self.both, all_of=False)

    def both(self) -> Node:
        return self.joined("and", self.negation, all_of=True)

    def joined(self, word: str, rule: Callable[[], Node], *, all_of: bool) -> Node:
        at = self.next.at
        first = rule()
        parts = [first]
        while self.took(word) is not None:
            if len(parts) == 1:
                self.must_be(first, "truth", at)
            at = self.next.at
            parts.append(self.must_be(rule(), "truth", at))
        return first if len(parts) == 1 else Every(tuple(parts), all_of)

    def negation(self) -> Node:
        token = self.took("not")
        if token is None:
            return self.comparison()
        self.deeper(token)
        at = self.next.at
        part = self.must_be(self.negation(), "truth", at)
        self.depth -= 1
        return Turned(part, "truth")

    def comparison(self) -> Node:
        at = self.next.at
        first = self.sum()
        rest: list[tuple[str, Node]] = []
        while (sign := self.took(*_COMPARISONS)) is not None:
            if first.kind == "truth":
                self.refuse(at, "this is true or false by itself", "leave the comparison out")
            other_at = self.next.at
            other = self.sum()
            if other.kind != first.kind:
                self.refuse(
                    other_at,
                    f"{_a(first.kind)} is compared with {_a(other.kind)}",
                    _HOW_TO_WRITE.get(first.kind),
                )
            rest.append((sign.text, other))
        return Chain("truth", first, tuple(rest)) if rest else first

    def sum(self) -> Node:
        return self.arithmetic(self.product, "+", "-")

    def product(self) -> Node:
        return self.arithmetic(self.signed, "*", "/")

    def arithmetic(self, rule: Callable[[], Node], *signs: str) -> Node:
        at = self.next.at
        first = rule()
        rest: list[tuple[str, Node]] = []
        while (sign := self.took(*signs)) is not None:
            if not rest:
                self.must_be(first, "number", at)
            at = self.next.at
            rest.append((sign.text, self.must_be(rule(), "number", at)))
        return Chain("number", first, tuple(rest)) if rest else first

    def signed(self) -> Node:
        sign = self.took("-", "+")
        if sign is None:
            return self.atom()
        self.deeper(sign)
        at = self.next.at
        part = self.must_be(self.signed(), "number", at)
        self.depth -= 1
        if sign.text == "+":
            return part
        if isinstance(part, Constant):
            return Constant(-part.value, "number")
        return Turned(part, "number")

    def atom(self) -> Node:
        token = self.take()
        if token.kind == "(":
            self.deeper(token)
            inner = self.either()
            self.depth -= 1
            self.expect(")", token)
            return inner
        if token.kind == "number":
            return Constant(self.number(token), "number")
        if token.kind == "day":
            return Constant(float(self.day(token).toordinal()), "date")
        if token.kind == "time":
            return Constant(self.time(token), "time")
        if token.kind == "word":
            return self.word(token)
        said = _said(token)
        remedy = 'a symbol stands in brackets: close["AAPL"]' if token.kind == "text" else None
        raise _wrong(self.text, token.at, f"{said} stands where a value should", remedy)

    def deeper(self, token: Token) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            self.refuse(token, f"nested more than {DEEPEST} deep", "say it more plainly")

    def must_be(self, node: Node, kind: Kind, at: int) -> Node:
        if node.kind != kind:
            remedy = "compare it with something: drawdown < -5%" if kind == "truth" else None
            self.refuse(at, f"{_a(node.kind)} stands where {_a(kind)} should", remedy)
        return node

    # Constants

    def number(self, token: Token) -> float:
        unit = _UNITS.get(token.text[-1].lower())
        value = float(token.text[:-1] if unit is not None else token.text) * (unit or 1.0)
        if not isfinite(value):
            self.refuse(token, "too large a number")
        return value

    def day(self, token: Token) -> date:
        try:
            return date.fromisoformat(token.text)
        except ValueError:
            self.refuse(token, f"there is no day {token.text}", "a day is written 2026-03-02")

    def time(self, token: Token) -> float:
        try:
            moment = datetime.fromisoformat(token.text.upper().removesuffix("Z"))
        except ValueError:
            self.refuse(token, f"there is no time {token.text}", _HOW_TO_WRITE["time"])
        since = moment.replace(tzinfo=UTC) - EPOCH
        return (since.days * 86_400 + since.seconds) * 1e6

    # Words

    def word(self, token: Token) -> Node:
        name = token.text.lower()
        if name in FUNCTIONS and self.next.kind == "(":
            return self.call(token, name)
        if name in vocabulary.HAPPENINGS:
            return self.happening(token, name)
        if name in vocabulary.VALUES:
            return self.value(token, name)
        if name not in vocabulary.OF_A_SYMBOL:
            self.check_indicator(token, name)
        return self.of_symbol(token, name)

    def value(self, token: Token, name: str) -> Look:
        if self.next.kind in ("[", "("):
            self.refuse(self.next, f"{name} takes nothing")
        if name == "realized" and self.crossing:
            self.refuse(token, "realized is of the last step alone: it crosses nothing")
        return self.look(token, name, vocabulary.VALUES[name].kind)

    def look(
        self,
        token: Token,
        name: str,
        kind: Kind,
        *,
        symbol: str | None = None,
        numbers: tuple[float, ...] = (),
        of: str | None = None,
    ) -> Look:
        end = self.tokens[self.place - 1]
        source = " ".join(self.text[token.at : end.at + len(end.text)].split())
        found = Look(source, name, kind, symbol, numbers, of)
        self.looks.append(found)
        return found

    def happening(self, token: Token, name: str) -> Look:
        of = None
        if (opened := self.took("(", "[")) is not None:
            if opened.kind == "[":
                self.refuse(opened, f"{name} takes no brackets", f'write {name}("AAPL")')
            if name not in vocabulary.TAKES_SYMBOL:
                self.refuse(opened, f"{name} takes nothing")
            of = self.subject(name)
            self.expect(")", opened)
        return self.look(token, name, "truth", of=of)

    def subject(self, name: str) -> str:
        """The symbol or the reason that a happening is narrowed to."""
        token = self.take()
        if token.kind not in ("text", "word"):
            self.refuse(token, f'{name} takes a name: {name}("AAPL")')
        said = _unquoted(token)
        reasons = [reason.value for reason in Reason] if name in vocabulary.TAKES_REASON else []
        if self.symbols is not None and said not in (*reasons, *self.symbols):
            self.unknown(token, said, [*self.symbols, *reasons])
        return said

    def unknown(self, token: Token, said: str, known: Sequence[str]) -> NoReturn:
        close = get_close_matches(said, known, n=1) or [
            one for one in known if one.casefold() == said.casefold()
        ]
        shown = ", ".join(known[:8]) + (" …" if len(known) > 8 else "")
        self.refuse(
            token,
            f"the run has no {said!r}",
            f"did you mean {close[0]}?" if close else f"one of {shown}",
        )

    def of_symbol(self, token: Token, name: str) -> Look:
        """A value of a symbol, with the numbers that it takes."""
        symbol, numbers = None, []
        where = self.next
        if where.kind == "(":
            self.refuse(where, f"{name} takes brackets", f'write {name}["AAPL"]')
        if (opened := self.took("[")) is not None:
            first = self.next
            if first.kind in ("text", "word"):
                symbol = _unquoted(self.take())
                if self.symbols is not None and symbol not in self.symbols:
                    self.unknown(first, symbol, self.symbols)
                comma = self.took(",")
            else:
                comma = first
            while comma is not None:
                numbers.append(self.parameter())
                comma = self.took(",")
            self.expect("]", opened)
        if symbol is None and self.symbols is not None and len(self.symbols) != 1:
            self.refuse(token, f"{name} of which symbol?", f'write {name}["{self.symbols[0]}"]')
        self.check_numbers(where, name, tuple(numbers))
        return self.look(token, name, "number", symbol=symbol, numbers=tuple(numbers))

    def parameter(self) -> float:
        sign = -1.0 if self.took("-") else 1.0
        token = self.take()
        if token.kind != "number":
            self.refuse(
                token, f"{_said(token)} stands where a number should", 'as in sma["AAPL", 30]'
            )
        return sign * self.number(token)

    def check_indicator(self, token: Token, name: str) -> None:
        if name in indicators.INDICATORS:
            return
        try:
            indicators.check(name)
        except InvalidParameter as error:
            if not error.message.startswith("there is no"):
                self.refuse(token, error.message, error.remedy)
            known = (*vocabulary.WORDS, *FUNCTIONS, *_KEYWORDS)
            close = get_close_matches(name, known, n=1)
            self.refuse(
                token,
                f"there is no {token.text!r}",
                f"did you mean {close[0]}?"
                if close
                else f"there are {', '.join((*vocabulary.ACCOUNT, 'close', 'sma', 'fill'))} …",
            )

    def check_numbers(self, where: Token, name: str, numbers: tuple[float, ...]) -> None:
        if name in vocabulary.OF_A_SYMBOL:
            ago = name in vocabulary.TAKES_AGO
            if len(numbers) > ago:
                self.refuse(where, f"{name} takes a symbol{' and bars ago' if ago else ' alone'}")
            if any(number != int(number) or not 0 <= number <= 100_000 for number in numbers):
                self.refuse(where, f"{name} of {numbers[0]:g} bars ago", "a whole number from 0")
            return
        try:
            indicators.check(name, *numbers)
        except InvalidParameter as error:
            self.refuse(where, error.message, error.remedy)

    def call(self, token: Token, name: str) -> Call:
        opened = self.take()
        self.deeper(opened)
        crosses = name.startswith("crosses")
        if crosses:
            self.crossing = True
        arguments = []
        while True:
            at = self.next.at
            arguments.append(self.must_be(self.either(), "number", at))
            if self.took(",") is None:
                break
        self.depth -= 1
        self.expect(")", opened)
        if crosses:
            self.crossing = False
        count = len(arguments)
        if (name == "abs" and count != 1) or (crosses and count != 2) or count > 16:
            wanted = {"abs": "one number"}.get(name, "two numbers" if crosses else "16 at most")
            self.refuse(token, f"{name} takes {wanted}, not {count}")
        return Call(name, FUNCTIONS[name].kind, tuple(arguments))


def _said(token: Token) -> str:
    if token.kind == "end":
        return "the end"
    return token.text if token.text.isprintable() else ascii(token.text)


def _unquoted(token: Token) -> str:
    return token.text[1:-1] if token.kind == "text" else token.text


def _a(kind: Kind) -> str:
    return {
        "number": "a number",
        "truth": "a condition",
        "date": "a day",
        "time": "a time",
    }[kind]


_HOW_TO_WRITE: Final[Mapping[str, str]] = {
    "date": "a day is written 2026-03-02; with a time, compare ts",
    "time": "a time is written 2026-03-02T14:30",
}
