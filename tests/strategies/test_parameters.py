"""Annotated class attributes are parameters."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from engine.errors import InvalidParameter, UnknownParameter
from engine.model import Target
from engine.strategies import ParameterInfo, Strategy
from engine.strategies.base import parse_values


class Base(Strategy):
    """A strategy of every type of parameter.

    count: how many
    """

    bounds: ClassVar[dict[str, tuple[float | None, float | None]]] = {
        "count": (1, 10),
        "share": (0, None),
    }
    count: int = 3
    share: float = 1
    symbol: str = "AAPL"
    eager: bool = False
    later: int
    _own: int = 4
    many: tuple[int, ...] = (1, 2)
    plain = 5

    def decide(self, obs: Any) -> Target:
        """Whatever."""
        return Target(self.symbol, self.share)


class Child(Base):
    """Adds one, and changes another's default."""

    count = 4
    extra: float = 0.5


def test_public_annotated_attributes_with_defaults_are_parameters() -> None:
    """In the order in which they stand; private, bare, unannotated and other types are not."""
    assert Base.parameters == (
        ParameterInfo("count", "int", 3, "how many", 1, 10),
        ParameterInfo("share", "float", 1.0, "", 0, None),
        ParameterInfo("symbol", "str", "AAPL"),
        ParameterInfo("eager", "bool", False),
    )
    assert isinstance(Base.parameters[1].default, float)


def test_what_is_passed_over_says_why() -> None:
    """A type that parameters cannot have, or no default; in `-p`'s refusal too."""

    class Wish(Base):
        later = 3
        most: int | None = None
        names: "list[str]" = []  # noqa: RUF012, UP037  # as a user may write it

    types = "and parameters are int, float, str, bool"
    assert Base.passed_over == (
        ("later", "annotated int and has no default"),
        ("many", f"annotated tuple[int, ...], {types}"),
    )
    assert Wish.passed_over == (
        ("many", f"annotated tuple[int, ...], {types}"),
        ("most", f"annotated int | None, {types}"),
        ("names", f"annotated list[str], {types}"),
    )
    with pytest.raises(UnknownParameter, match=r"no parameter 'most': it is annotated int \| None"):
        parse_values(Wish.parameters, {"most": "5"}, "Wish", Wish.passed_over)
    with pytest.raises(UnknownParameter, match="'many': it is annotated tuple"):
        Wish.make({"many": (1,)})


def test_parameters_are_inherited() -> None:
    """A subclass has its base's parameters, its own defaults and help, and adds to them."""
    assert [(each.name, each.default) for each in Child.parameters] == [
        ("count", 4),
        ("share", 1.0),
        ("symbol", "AAPL"),
        ("eager", False),
        ("extra", 0.5),
    ]
    assert Child.parameters[0].help == "how many"
    assert len(Base.parameters) == 4


def test_annotations_that_are_types_count_as_well() -> None:
    """A file without postponed annotations declares the same parameters."""
    body = {"__annotations__": {"fast": int}, "fast": 2, "decide": lambda self, obs: None}
    made: type[Strategy] = type("Made", (Strategy,), body)
    assert [each.name for each in made.parameters] == ["fast"]


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("count", "7", 7),
        ("count", " 7 ", 7),
        ("count", 7, 7),
        ("share", "0.25", 0.25),
        ("share", 2, 2.0),
        ("share", "1e-3", 0.001),
        ("symbol", "MSFT", "MSFT"),
        ("eager", "yes", True),
        ("eager", "FALSE", False),
        ("eager", True, True),
    ],
)
def test_values_are_converted_by_type(name: str, given: object, value: object) -> None:
    """Text as from a command line, or values as from a notebook."""
    parsed = parse_values(Base.parameters, {name: given}, "base")[name]
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("count", "seven", "a whole number from 1 to 10"),
        ("count", "7.5", "a whole number from 1 to 10"),
        ("count", 7.0, "a whole number from 1 to 10"),
        ("count", True, "a whole number from 1 to 10"),
        ("count", "0", "a whole number from 1 to 10"),
        ("count", 11, "a whole number from 1 to 10"),
        ("share", "-1", "a number >= 0"),
        ("share", "nan", "a number >= 0"),
        ("share", "inf", "a number >= 0"),
        ("share", 10**400, "a number >= 0"),
        ("share", None, "a number >= 0"),
        ("symbol", 5, "text"),
        ("eager", "maybe", "true or false"),
        ("eager", 1, "true or false"),
    ],
)
def test_values_of_another_type_or_range_are_refused(name: str, given: object, wanted: str) -> None:
    """The parameter, the value and what would do are named."""
    with pytest.raises(InvalidParameter) as caught:
        parse_values(Base.parameters, {name: given}, "base")
    assert caught.value.field == name
    assert f"parameter {name}=" in str(caught.value)
    assert f"is not {wanted}; give {wanted}" in str(caught.value)


def test_an_unknown_parameter_is_refused_with_those_there_are() -> None:
    """Or with the news that there are none."""
    with pytest.raises(UnknownParameter, match="it has count, share, symbol, eager"):
        parse_values(Base.parameters, {"cuont": 3}, "base")
    with pytest.raises(UnknownParameter, match="buy_and_hold has no parameter 'x'; it has none"):
        parse_values((), {"x": 3}, "buy_and_hold")


def test_parameters_are_set_before_init_runs() -> None:
    """So that a strategy may derive from them."""

    class Derived(Base):
        def __init__(self) -> None:
            self.double = 2 * self.count

    made = Derived.make({"count": "4"})
    assert isinstance(made, Derived)
    assert (made.count, made.double, made.share) == (4, 8, 1.0)


def test_a_strategy_can_be_made_by_hand() -> None:
    """In a notebook parameters are keyword arguments, checked the same way."""
    assert Base(count=5).count == 5
    assert Base.count == 3
    with pytest.raises(UnknownParameter):
        Base(fast=5)
    with pytest.raises(InvalidParameter):
        Base(count=99)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"fast": 2.5}, "its default 2.5 is not a whole number"),
        ({"fast": "2"}, "is annotated int, its default is '2'"),
        ({"fast": 2, "bounds": {"fast": (3, None)}}, "its default 2 is not a whole number >= 3"),
        ({"fast": 2, "bounds": {"slow": (3, None)}}, "names 'slow', which is no parameter"),
    ],
)
def test_a_bad_declaration_is_a_type_error(body: dict[str, object], message: str) -> None:
    """A default of another type or out of bounds is the author's mistake, told at once."""
    with pytest.raises(TypeError, match=message):
        type("Bad", (Strategy,), {"__annotations__": {"fast": "int"}, **body})
