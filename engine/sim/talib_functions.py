"""Any function of TA-Lib as an indicator, by its name in lower case: ``adx``, ``stoch.slowd``.

Inputs are the symbol's own bars, parameters positional in TA-Lib's order with its defaults. A
function with several outputs is named with the one that is meant, after a dot. All of TA-Lib's
functions are causal, and the same whether a series is computed whole or grown bar by bar.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np

from engine.errors import InvalidParameter
from engine.sim.ownbars import Floats, OwnBars

# MAVP wants a period for every bar as well as prices: there is no way to name one.
_WITHOUT = frozenset({"MAVP"})


@lru_cache(maxsize=256)
def talib_function(name: str) -> tuple[tuple[float, ...], Callable[..., Floats]] | None:
    """The defaults and the formula of ``name``; None if TA-Lib has no such function.

    Raises ``InvalidParameter`` for a function of several outputs where none of them is named.
    """
    # It takes a tenth of a second: only for runs that ask for one of its functions.
    talib: Any = import_module("talib")
    abstract: Any = import_module("talib.abstract")
    base, _, output = name.partition(".")
    if base != base.lower() or base.upper() not in set(talib.get_functions()) - _WITHOUT:
        return None
    info = abstract.Function(base.upper()).info
    outputs = list(info["output_names"])
    if (output and output not in outputs) or (not output and len(outputs) > 1):
        raise InvalidParameter(
            f"{base} has the outputs {', '.join(outputs)}",
            field="indicator",
            remedy=f"name one, such as {base}.{outputs[0]}",
        )
    fields = [
        field
        for names in info["input_names"].values()
        for field in ([names] if isinstance(names, str) else names)
    ]
    parameters = dict(info["parameters"])
    function = getattr(talib, base.upper())
    place = outputs.index(output) if output else 0

    def formula(bars: OwnBars, *values: float) -> Floats:
        chosen = {
            parameter: _typed(name, parameter, value, default)
            for (parameter, default), value in zip(parameters.items(), values, strict=True)
        }
        try:
            answer = function(*(getattr(bars, field) for field in fields), **chosen)
        except Exception as error:
            # TA-Lib raises the bare class: its text alone says what it did not like.
            raise InvalidParameter(
                f"{name}: {error}", field="indicator", remedy=f"it takes {', '.join(parameters)}"
            ) from error
        return np.asarray(answer[place] if len(outputs) > 1 else answer, dtype=np.float64)

    return tuple(float(default) for default in parameters.values()), formula


def _typed(name: str, parameter: str, value: float, default: Any) -> float | int:
    if not isinstance(default, int):
        return value
    if value != int(value):
        raise InvalidParameter(
            f"{name} with {parameter}={value:g}", field="indicator", remedy="a whole number"
        )
    return int(value)
