"""Every function of TA-Lib as an indicator: by name, and blind to what comes later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import talib

from engine.errors import InvalidParameter
from engine.sim.indicators import INDICATORS, compute
from engine.sim.panel import Panel
from engine.sim.talib_functions import talib_function

functions: Any = talib
NAMES = sorted({name.lower() for name in functions.get_functions()} - {"mavp"})


def _panel(steps: int = 260) -> Panel:
    """Two symbols of a random walk, the second with gaps."""
    rng = np.random.default_rng(11)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (steps, 2)), axis=0))
    open_ = close * (1 + rng.normal(0, 0.003, close.shape))
    high = np.maximum(open_, close) * (1 + rng.uniform(0, 0.01, close.shape))
    low = np.minimum(open_, close) * (1 - rng.uniform(0, 0.01, close.shape))
    volume = rng.uniform(1e5, 1e6, close.shape)
    for values in (open_, high, low, close, volume):
        values[rng.integers(0, steps, 20), 1] = np.nan
    gaps = np.isnan(open_) | np.isnan(close) | np.isnan(high) | np.isnan(low) | np.isnan(volume)
    for values in (open_, high, low, close, volume):
        values[gaps] = np.nan
    return Panel(
        ("A", "B"),
        np.arange(steps, dtype=np.int64) * 60_000_000,
        open_,
        high,
        low,
        close,
        volume,
        np.zeros(steps, dtype=np.int32),
        ("1970-01-01",),
        timeframe="1Min",
    )


def _cut(panel: Panel, steps: int) -> Panel:
    fields = ("stamps", "open", "high", "low", "close", "volume", "sessions")
    return replace(panel, **{name: getattr(panel, name)[:steps] for name in fields})


PANEL = _panel()
CUTS = [_cut(PANEL, steps) for steps in (1, 2, 40, 131, 259)]


def _spellings(name: str) -> list[str]:
    try:
        talib_function(name)
    except InvalidParameter as error:
        outputs = str(error).split("outputs ")[1].split(";")[0].split(", ")
        return [f"{name}.{output}" for output in outputs]
    return [name]


@pytest.mark.parametrize("name", [*sorted(INDICATORS), *NAMES])
def test_a_value_does_not_depend_on_later_bars(name: str) -> None:
    """Computed over the whole panel or over any beginning of it, the bits are the same."""
    for spelling in [name] if name in INDICATORS else _spellings(name):
        whole = compute(PANEL, spelling)
        assert whole.shape == PANEL.close.shape
        for part in CUTS:
            assert compute(part, spelling).tobytes() == whole[: part.steps].tobytes(), spelling


def test_parameters_are_talibs_in_its_order() -> None:
    """What is left out takes TA-Lib's default; the values are those of its own call."""
    bars = [np.ascontiguousarray(getattr(PANEL, name)[:, 0]) for name in ("high", "low", "close")]
    _, slowd = functions.STOCH(*bars, fastk_period=7, slowk_period=4)
    assert compute(PANEL, "stoch.slowd", 7, 4)[:, 0].tobytes() == slowd.tobytes()
    adx = functions.ADX(*bars, timeperiod=14)
    assert compute(PANEL, "adx")[:, 0].tobytes() == adx.tobytes()


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("stoch", (), "stoch has the outputs slowk, slowd; name one, such as stoch.slowk"),
        ("stoch.fast", (), "stoch has the outputs slowk, slowd"),
        ("adx", (0,), "adx: .*; it takes timeperiod"),
        ("adx", (2.5,), r"adx with timeperiod=2\.5; a whole number"),
        ("adx", (1, 2), "adx takes 1 parameter, not 2"),
        ("mavp", (), "there is no indicator 'mavp'"),
        ("ADX", (), "there is no indicator 'ADX'"),
        ("nonsense", (), "a function of TA-Lib such as adx"),
    ],
)
def test_what_is_wrong_is_named(name: str, parameters: tuple[float, ...], said: str) -> None:
    """Unknown names, outputs and parameters are refused in one line with what would be right."""
    with pytest.raises(InvalidParameter, match=said) as caught:
        compute(PANEL, name, *parameters)
    assert "\n" not in str(caught.value)
