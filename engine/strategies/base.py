"""What a strategy is, and what it may look at.

A strategy is a class with ``decide``; its annotated class attributes are its parameters::

    class Momentum(Strategy):
        \"\"\"Hold the strongest few.\"\"\"

        lookback: int = 20
        top: int = 5

        def decide(self, obs):
            ...
            return [Target(symbol, weight), Order.buy("AAPL", 10)]

Nothing heavy is imported here: listing strategies must cost nothing.
"""

from __future__ import annotations

import inspect
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from inspect import formatannotation
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from engine.errors import InvalidParameter, UnknownParameter
from engine.model import Bar, Portfolio

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engine.strategies.rows import TargetRows

ParameterValue = int | float | str | bool

_TYPES: Mapping[str, type] = MappingProxyType(
    {"int": int, "float": float, "str": str, "bool": bool}
)
_WORDS: Mapping[str, bool] = MappingProxyType(
    {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
)
_NOUNS: Mapping[str, str] = MappingProxyType(
    {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}
)


class Observation(Protocol):
    """What ``decide`` sees at a step: bars 0 to ``step``, each complete, and nothing after.

    ``stamp`` is ``ts`` in microseconds since the epoch. Asking for a later bar raises
    ``LookaheadError``.
    """

    @property
    def step(self) -> int: ...
    @property
    def ts(self) -> datetime: ...
    @property
    def stamp(self) -> int: ...
    @property
    def symbols(self) -> tuple[str, ...]: ...
    @property
    def portfolio(self) -> Portfolio: ...
    @property
    def rng(self) -> np.random.Generator: ...
    @property
    def params(self) -> Mapping[str, Any]: ...

    def bar(self, symbol: str) -> Bar | None:
        """The symbol's bar at this step, None where it has none."""

    def history(self, field: str, n: int) -> NDArray[np.float64]:
        """The last min(n, step + 1) values, oldest first: array [rows, symbols], NaN for no bar."""

    def indicator(self, name: str, *parameters: float) -> NDArray[np.float64]:
        """An indicator's present value for each symbol: array [symbols], NaN until it is warm."""


class PanelView(Protocol):
    """What ``prepare`` and ``weights`` may read: the run's bars, arrays [steps, symbols], NaN where
    no bar is.

    ``stamps`` are the grid's open stamps, int64 [steps], microseconds since the epoch; ``mark`` is
    the last close seen, ``has_bar`` whether there is a bar. What is derived from them must be
    causal: its value at a step follows from bars up to that step.
    """

    @property
    def symbols(self) -> tuple[str, ...]: ...
    @property
    def steps(self) -> int: ...
    @property
    def stamps(self) -> NDArray[np.int64]: ...
    @property
    def open(self) -> NDArray[np.float64]: ...
    @property
    def high(self) -> NDArray[np.float64]: ...
    @property
    def low(self) -> NDArray[np.float64]: ...
    @property
    def close(self) -> NDArray[np.float64]: ...
    @property
    def volume(self) -> NDArray[np.float64]: ...
    @property
    def mark(self) -> NDArray[np.float64]: ...
    @property
    def has_bar(self) -> NDArray[np.bool_]: ...

    def indicator(self, name: str, *parameters: float) -> NDArray[np.float64]:
        """An indicator at every step: array [steps, symbols], NaN until it is warm; causal."""


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """One parameter of a strategy: ``type`` is int, float, str or bool; bounds are inclusive."""

    name: str
    type: str
    default: ParameterValue
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None

    @property
    def wanted(self) -> str:
        """What a value must be, in words: ``a whole number >= 1``."""
        noun = _NOUNS[self.type]
        if self.minimum is not None and self.maximum is not None:
            return f"{noun} from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"{noun} >= {self.minimum:g}"
        return f"{noun} <= {self.maximum:g}" if self.maximum is not None else noun

    def parse(self, value: object) -> ParameterValue:
        """The value in the parameter's type; text, as from a command line, is converted.

        Raises ``InvalidParameter`` for a value of another type, not finite, or out of bounds.
        """
        parsed = self._convert(value)
        if (
            parsed is None
            or (isinstance(parsed, float) and not math.isfinite(parsed))
            or (
                not isinstance(parsed, str)
                and (
                    (self.minimum is not None and parsed < self.minimum)
                    or (self.maximum is not None and parsed > self.maximum)
                )
            )
        ):
            raise InvalidParameter(
                f"parameter {self.name}={value!s} is not {self.wanted}",
                field=self.name,
                remedy=f"give {self.wanted} (default {self.default})",
            )
        return parsed

    def _convert(self, value: object) -> ParameterValue | None:
        if isinstance(value, str):
            return self._convert_text(value)
        if self.type == "bool" or isinstance(value, bool):
            return value if self.type == "bool" and isinstance(value, bool) else None
        if self.type == "int":
            return value if isinstance(value, int) else None
        if self.type == "float" and isinstance(value, (int, float)):
            try:
                return float(value)
            except OverflowError:
                return None
        return None

    def _convert_text(self, text: str) -> ParameterValue | None:
        if self.type == "str":
            return text
        if self.type == "bool":
            return _WORDS.get(text.strip().lower())
        try:
            return int(text) if self.type == "int" else float(text)
        except ValueError:
            return None


PassedOver = tuple[tuple[str, str], ...]
"""Public annotated attributes that are no parameters: the name of each, and why."""


def parse_values(
    parameters: tuple[ParameterInfo, ...],
    values: Mapping[str, object],
    owner: str,
    passed_over: PassedOver = (),
) -> dict[str, ParameterValue]:
    """Every parameter's value: those given, converted and checked, and the defaults of the rest.

    Raises ``UnknownParameter`` naming what there is, ``InvalidParameter`` naming what would do.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in values:
        if name not in known:
            why = dict(passed_over).get(name)
            raise UnknownParameter(
                f"{owner} has no parameter {name!r}" + ("" if why is None else f": it is {why}"),
                field=name,
                remedy=f"it has {', '.join(known)}" if known else "it has none",
            )
    return {
        name: parameter.parse(values[name]) if name in values else parameter.default
        for name, parameter in known.items()
    }


class Strategy(ABC):
    """Base of every strategy.

    A public class attribute annotated ``int``, ``float``, ``str`` or ``bool`` *with a default* is a
    parameter: it shows up in forms, ``-p`` and sweeps, and is set on the instance before
    ``__init__`` runs. Parameters are inherited; a docstring line ``name: text`` is their help, and
    ``bounds`` may limit numbers: ``{"top": (1, None)}``. Annotations of other types, without a
    default, or private are the strategy's own affair; ``passed_over`` says why each public one is
    no parameter.

    A pure function of prices may be a *vector strategy*: instead of ``decide`` it has
    ``weights(panel)``, which answers every decision at once, an array [steps, symbols] of target
    weights. Row k is the decision at step k, and follows from bars up to k. A number is a target
    weight for its symbol, NaN leaves the symbol as it is, a row of NaN holds: the row decides
    ``Target(symbol, weight)`` for each number in it, in the order of ``panel.symbols``. Such a
    strategy runs compiled where numba is installed, and to the same bits without. A class that has
    a ``decide`` of its own is asked at every step, and its ``weights`` is not called.

    One instance serves one run. It may keep what it has seen in attributes; randomness comes from
    ``obs.rng`` alone, so that a repeat gives the same decisions.
    """

    bounds: ClassVar[Mapping[str, tuple[float | None, float | None]]] = {}
    parameters: ClassVar[tuple[ParameterInfo, ...]] = ()
    passed_over: ClassVar[PassedOver] = ()
    _rows: TargetRows

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.parameters, cls.passed_over = _collect(cls)
        has_weights = callable(getattr(cls, "weights", None))
        if has_weights and getattr(cls.decide, "__isabstractmethod__", False):
            cls.decide = _decide_by_row  # type: ignore[method-assign]  # not abstract any more

    def __init__(self, **params: object) -> None:
        """Set parameters by name, checked; those not given keep what they are.

        Raises ``UnknownParameter`` or ``InvalidParameter``.
        """
        if params:
            known = parse_values(self.parameters, params, type(self).__name__, self.passed_over)
            for name in params:
                setattr(self, name, known[name])

    @classmethod
    def make(cls, params: Mapping[str, object]) -> Strategy:
        """A fresh instance; all parameters are set before its ``__init__`` runs, without arguments.

        Raises ``UnknownParameter`` or ``InvalidParameter``, and whatever the class's own
        ``__init__`` raises.
        """
        strategy = cls.__new__(cls)
        known = parse_values(cls.parameters, params, cls.__name__, cls.passed_over)
        for name, value in known.items():
            setattr(strategy, name, value)
        strategy.__init__()  # type: ignore[misc]  # so that __init__ can derive from parameters
        return strategy

    def prepare(self, panel: PanelView) -> None:  # noqa: B027  # optional, hence not abstract
        """Called once before the first step; ``panel`` is sealed afterwards.

        A vector strategy's ``weights`` is called after it, with the same panel.
        """

    def plan(self, panel: PanelView) -> TargetRows | None:
        """Have a vector strategy answer its ``weights`` and keep them; None for any other.

        Called once, after ``prepare``. Raises ``StrategyError`` for an answer that is no array of
        weights, and whatever ``weights`` raises.
        """
        if not is_vector(type(self)):
            return None
        from engine.strategies.rows import TargetRows  # numpy: not for `stepdeck --help`

        weights: Any = getattr(self, "weights")  # noqa: B009  # no strategy must have it
        rows = self._rows = TargetRows(weights(panel), panel.symbols, panel.steps)
        return rows

    @abstractmethod
    def decide(self, obs: Any) -> Any:
        """Orders and targets for this step, or None to hold.

        ``obs`` is an :class:`Observation`. The answer is None, one ``Order`` or ``Target``, an
        iterable of both, or a ``Decision``; orders come before targets, each in the order given.
        """


def is_vector(cls: type[Strategy]) -> bool:
    """Whether the class decides by its ``weights``, all steps at once."""
    return cls.decide is _decide_by_row


def _decide_by_row(self: Strategy, obs: Any) -> Any:
    """The targets of the step's row of ``weights``, None where it holds."""
    return self._rows.targets(obs.step)


def _collect(cls: type[Strategy]) -> tuple[tuple[ParameterInfo, ...], PassedOver]:
    """The class's parameters, inherited ones first, and what else is annotated in public.

    Raises ``TypeError`` for a default of another type than its annotation, or bounds for what is no
    parameter."""
    found: dict[str, str] = {}
    others: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base is Strategy or not issubclass(base, Strategy):
            continue
        for name, annotation in inspect.get_annotations(base).items():
            text = annotation if isinstance(annotation, str) else formatannotation(annotation)
            kind = text.strip("'\"")
            if name.startswith("_") or "ClassVar" in kind:
                continue
            if kind in _TYPES and hasattr(cls, name):
                found[name] = kind
            elif kind in _TYPES:
                others[name] = f"annotated {kind} and has no default"
            else:
                others[name] = f"annotated {kind}, and parameters are {', '.join(_TYPES)}"
    unbounded = sorted(set(cls.bounds) - set(found))
    if unbounded:
        raise TypeError(f"{cls.__name__}.bounds names {unbounded[0]!r}, which is no parameter")
    parameters = tuple(_parameter(cls, name, kind) for name, kind in found.items())
    return parameters, tuple((name, why) for name, why in others.items() if name not in found)


def _help(cls: type[Strategy], name: str) -> str:
    """What the docstring says of the parameter, in a line ``name: what it means``."""
    for base in cls.__mro__:
        found = re.search(rf"^[ \t]*{name}:[ \t]*(.+)$", base.__doc__ or "", re.MULTILINE)
        if found and issubclass(base, Strategy):
            return found[1].strip()
    return ""


def _parameter(cls: type[Strategy], name: str, kind: str) -> ParameterInfo:
    default: object = getattr(cls, name)
    minimum, maximum = cls.bounds.get(name, (None, None))
    help_text = _help(cls, name)
    declared = ParameterInfo(name, kind, "", help_text, minimum, maximum)
    if isinstance(default, str) and kind != "str":
        raise TypeError(f"{cls.__name__}.{name} is annotated {kind}, its default is {default!r}")
    try:
        value = declared.parse(default)
    except InvalidParameter:
        raise TypeError(
            f"{cls.__name__}.{name}: its default {default!r} is not {declared.wanted}"
        ) from None
    return ParameterInfo(name, kind, value, help_text, minimum, maximum)
