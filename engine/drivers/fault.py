"""A strategy's failure in one line: what it raised or answered, in which line of which file."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path
from types import CodeType

from engine.errors import StrategyError, StrategyFault


def fault_of(
    called: Callable[..., object],
    error: BaseException,
    path: Path | None,
    step: int | None = None,
    *,
    name: str = "decide",
) -> StrategyFault:
    """What ``error`` is to the run: a failure of its strategy that names file and line, and step.

    ``called`` is what was called of the strategy, ``name`` what its author calls that, ``path`` its
    own file. An answer that is none has no line of its own; there the first of ``called`` is named.
    """
    if isinstance(error, StrategyFault) and error.where is not None:
        return error
    place = _place(called, error, path)
    at = "" if place is None else f" in {place}"
    if step is not None:
        at += f" at step {step}"
    if isinstance(error, StrategyFault):
        return type(error)(
            error.message + at, where=place, field=error.field or "strategy", remedy=error.remedy
        )
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return StrategyError(f"{name} raised {said}{at}", where=place, field="strategy")


def _place(called: Callable[..., object], error: BaseException, path: Path | None) -> str | None:
    code = _code_of(called)
    # The file was compiled by its resolved name; a run may have been given it by another.
    file = str(path.resolve()) if path is not None else code and code.co_filename
    frames = [(each.filename, each.lineno) for each in traceback.extract_tb(error.__traceback__)]
    own = [frame for frame in frames if frame[0] == file]
    if not own and isinstance(error, StrategyFault):
        own = [(code.co_filename, code.co_firstlineno)] if code is not None else []
    found = own or frames
    return f"{Path(found[-1][0]).name}:{found[-1][1]}" if found else None


def _code_of(called: Callable[..., object]) -> CodeType | None:
    code = getattr(inspect.unwrap(called), "__code__", None)
    return code if isinstance(code, CodeType) else None
