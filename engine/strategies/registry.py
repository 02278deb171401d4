"""Which strategies there are, and how to get one.

A strategy is named by a *spec*: a built-in's name, ``manual``, ``agent``, ``tape:FILE.jsonl`` or
``FILE.py:Class``.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UnknownStrategy
from engine.model import Driver
from engine.strategies.base import ParameterInfo, ParameterValue, PassedOver, Strategy, parse_values
from engine.strategies.loader import load_class
from engine.strategies.tape import Tape, read_tape

if TYPE_CHECKING:
    from collections.abc import Callable

AGENT = "agent"
AGENT_SUMMARY = "A program outside decides, step by step, each within its deadline."
MANUAL_SUMMARY = "Nobody decides but you: step by step, with an order ticket."
TAPE_PREFIX = "tape:"
BASELINE_INDEX = "index"


@dataclass(frozen=True, slots=True)
class StrategyInfo:
    """What is known of a strategy without running it.

    ``name`` is the spec it was asked for by, ``driver`` who decides (strategy, manual, tape or
    agent), ``path`` the user's own file, if it is one; ``passed_over`` are annotated attributes
    that are no parameters, and why.
    """

    name: str
    summary: str
    parameters: tuple[ParameterInfo, ...] = ()
    driver: Driver = "strategy"
    path: Path | None = None
    passed_over: PassedOver = ()


@dataclass(frozen=True, slots=True)
class LoadedStrategy:
    """A strategy ready to be made.

    ``source_hash`` is the SHA-256 of the file it came from (None for ``manual``, and for a class
    without a file). ``make`` gives a fresh instance for driver ``strategy`` and is None for the
    others; ``tape`` is the tape of driver ``tape``.
    """

    info: StrategyInfo
    source_hash: str | None = None
    make: Callable[[Mapping[str, object]], Strategy] | None = None
    tape: Tape | None = None


def _builtins() -> dict[str, type[Strategy]]:
    from engine.strategies import builtins  # numpy: not for `stepdeck --help`

    return {
        "buy_and_hold": builtins.BuyAndHold,
        "sma_cross": builtins.SmaCross,
        "rsi_reversion": builtins.RsiReversion,
        "momentum": builtins.Momentum,
        # A baseline's own; it needs fractions and no costs to be one, so it is not offered.
        BASELINE_INDEX: builtins.PriceIndex,
    }


def available() -> tuple[StrategyInfo, ...]:
    """The built-in strategies and ``manual``, in the order in which to offer them."""
    infos = [_class_info(name, cls) for name, cls in _builtins().items() if name != BASELINE_INDEX]
    return (*infos, StrategyInfo("manual", MANUAL_SUMMARY, driver="manual"))


def describe(spec: str) -> StrategyInfo:
    """What ``spec`` names; raises what :func:`load` raises."""
    return load(spec).info


def load(spec: str) -> LoadedStrategy:
    """The strategy that ``spec`` names.

    Raises ``UnknownStrategy``, ``StrategyLoadError`` (a file that does not import, a class that is
    no strategy), ``InvalidFile`` or ``InvalidTape`` (a tape).
    """
    if spec == "manual":
        return LoadedStrategy(StrategyInfo("manual", MANUAL_SUMMARY, driver="manual"))
    if spec == AGENT:
        return LoadedStrategy(StrategyInfo(AGENT, AGENT_SUMMARY, driver="agent"))
    if spec.startswith(TAPE_PREFIX):
        path = Path(spec.removeprefix(TAPE_PREFIX)).expanduser()
        tape = read_tape(path)
        summary = f"Replays the {len(tape.lines)} decisions of {path.name}."
        return LoadedStrategy(
            StrategyInfo(spec, summary, driver="tape", path=path), tape.source_hash, tape=tape
        )
    builtins = _builtins()
    if spec in builtins:
        cls = builtins[spec]
        source = Path(inspect.getfile(cls)).read_bytes()
        return LoadedStrategy(
            _class_info(spec, cls), hashlib.sha256(source).hexdigest(), make=cls.make
        )
    file_name, colon, class_name = spec.rpartition(":")
    if colon and file_name.endswith(".py"):
        path = Path(file_name).expanduser()
        cls, source_hash = load_class(path, class_name)
        return LoadedStrategy(_class_info(spec, cls, path), source_hash, make=cls.make)
    raise _unknown(spec, [info.name for info in available()])


def source_hash(spec: str) -> str | None:
    """SHA-256 of the source that ``spec`` names now, found without running any of it.

    None where there is none to be had: a person, a class from a notebook, a file that is gone.
    """
    builtins = _builtins()
    if spec in builtins:
        path = Path(inspect.getfile(builtins[spec]))
    elif spec.startswith(TAPE_PREFIX):
        path = Path(spec.removeprefix(TAPE_PREFIX))
    else:
        path = Path(spec.rpartition(":")[0] or spec)
    try:
        return hashlib.sha256(path.expanduser().read_bytes()).hexdigest()
    except OSError:
        return None


def from_class(cls: type[Strategy]) -> LoadedStrategy:
    """A class at hand, as from a notebook; its hash is its source file's, None if it has none."""
    try:
        source = Path(inspect.getfile(cls)).read_bytes()
    except (TypeError, OSError):
        return LoadedStrategy(_class_info(cls.__name__, cls), None, make=cls.make)
    return LoadedStrategy(
        _class_info(cls.__name__, cls), hashlib.sha256(source).hexdigest(), make=cls.make
    )


def parse_params(info: StrategyInfo, values: Mapping[str, object]) -> dict[str, ParameterValue]:
    """All parameters of the strategy: those given, text converted by type, and the defaults.

    Raises ``UnknownParameter`` naming what there is, ``InvalidParameter`` naming what would do.
    """
    return parse_values(info.parameters, values, info.name, info.passed_over)


def _class_info(name: str, cls: type[Strategy], path: Path | None = None) -> StrategyInfo:
    lines = inspect.cleandoc(cls.__dict__.get("__doc__") or "").splitlines()
    summary = lines[0] if lines else ""
    return StrategyInfo(name, summary, cls.parameters, path=path, passed_over=cls.passed_over)


def _unknown(spec: str, names: list[str]) -> UnknownStrategy:
    if spec.endswith(".py"):
        return UnknownStrategy(
            f"{spec} does not say which class of the file",
            field="strategy",
            remedy=f"name it: {spec}:Class",
        )
    close = difflib.get_close_matches(spec, names, n=1)
    there = f"there are {', '.join(names)}, tape:FILE.jsonl and FILE.py:Class"
    return UnknownStrategy(
        f"no strategy {spec!r}",
        field="strategy",
        remedy=f"did you mean {close[0]}? {there}" if close else there,
    )
