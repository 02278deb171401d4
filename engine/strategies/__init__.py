"""Strategies: what one is, which there are, and how a user's own is loaded."""

from engine.strategies.base import ParameterInfo, Strategy
from engine.strategies.registry import (
    LoadedStrategy,
    StrategyInfo,
    available,
    describe,
    from_class,
    load,
    parse_params,
)
from engine.strategies.tape import Tape, read_tape, write_tape

__all__ = [
    "LoadedStrategy",
    "ParameterInfo",
    "Strategy",
    "StrategyInfo",
    "Tape",
    "available",
    "describe",
    "from_class",
    "load",
    "parse_params",
    "read_tape",
    "write_tape",
]
