"""Causal indicators over a whole panel, computed once per panel and read a row at a time.

Formulas are TA-Lib's; ``momentum`` and ``volatility`` are our own (see ``INDICATORS``). Any other
name is that of a TA-Lib function (see ``talib_functions``). Each symbol
is computed over its own bars and its values are carried forward over grid points where it has none,
as its last close is. A value is NaN until there are bars enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from engine.errors import InvalidParameter
from engine.sim.ownbars import OwnBars
from engine.sim.panel import Floats, Panel
from engine.sim.talib_functions import talib_function

# One symbol's own bars: (bars, *parameters) -> values, float64[bars].
Formula = Callable[..., Floats]


class Indicator(NamedTuple):
    """An indicator: its parameters with their defaults, and what it is."""

    defaults: tuple[float, ...]
    help: str
    formula: Formula


def _talib() -> Any:
    import talib  # takes a tenth of a second: only for runs that ask for an indicator

    return talib


def _sma(bars: OwnBars, period: float) -> Floats:
    return _values(_talib().SMA(bars.close, timeperiod=_whole(period)))


def _ema(bars: OwnBars, period: float) -> Floats:
    return _values(_talib().EMA(bars.close, timeperiod=_whole(period)))


def _rsi(bars: OwnBars, period: float) -> Floats:
    return _values(_talib().RSI(bars.close, timeperiod=_whole(period)))


def _macd(line: int) -> Formula:
    def formula(bars: OwnBars, fast: float, slow: float, signal: float) -> Floats:
        lines = _talib().MACD(
            bars.close,
            fastperiod=_whole(fast),
            slowperiod=_whole(slow),
            signalperiod=_whole(signal, least=1),
        )
        return _values(lines[line])

    return formula


def _bbands(line: int) -> Formula:
    def formula(bars: OwnBars, period: float, deviations: float) -> Floats:
        lines = _talib().BBANDS(
            bars.close, timeperiod=_whole(period), nbdevup=deviations, nbdevdn=deviations
        )
        return _values(lines[line])

    return formula


def _atr(bars: OwnBars, period: float) -> Floats:
    return _values(
        _talib().ATR(bars.high, bars.low, bars.close, timeperiod=_whole(period, least=1))
    )


def _momentum(bars: OwnBars, period: float) -> Floats:
    back = _whole(period, least=1)
    close = bars.close
    values = np.full(close.shape, np.nan)
    values[back:] = close[back:] / close[:-back] - 1.0
    return values


def _volatility(bars: OwnBars, period: float) -> Floats:
    window = _whole(period)
    close = bars.close
    values = np.full(close.shape, np.nan)
    returns = close[1:] / close[:-1] - 1.0
    if len(returns) >= window:
        windows = np.lib.stride_tricks.sliding_window_view(returns, window)
        values[window:] = windows.std(axis=1, ddof=1)
    return values


INDICATORS: Final[Mapping[str, Indicator]] = {
    "sma": Indicator((20,), "simple moving average of the close", _sma),
    "ema": Indicator((20,), "exponential moving average of the close", _ema),
    "rsi": Indicator((14,), "relative strength index, Wilder's smoothing", _rsi),
    "macd": Indicator((12, 26, 9), "fast EMA less slow EMA", _macd(0)),
    "macd_signal": Indicator((12, 26, 9), "EMA of macd", _macd(1)),
    "macd_histogram": Indicator((12, 26, 9), "macd less its signal", _macd(2)),
    "bb_upper": Indicator((20, 2), "upper Bollinger band", _bbands(0)),
    "bb_middle": Indicator((20, 2), "middle Bollinger band", _bbands(1)),
    "bb_lower": Indicator((20, 2), "lower Bollinger band", _bbands(2)),
    "atr": Indicator((14,), "average true range, Wilder's smoothing", _atr),
    "momentum": Indicator((20,), "close / close of so many bars ago - 1", _momentum),
    "volatility": Indicator((20,), "sample deviation of the last bar returns", _volatility),
}

_ANY_BARS: Final = OwnBars(*(np.array([1.0, 2.0]) for _ in OwnBars._fields))


def compute(panel: Panel, name: str, *parameters: float) -> Floats:
    """The indicator at every grid point: float64[T, N], read-only, kept with the panel.

    Parameters left out take their defaults. Raises ``InvalidParameter`` for an unknown name, too
    many parameters, or one that is out of range.
    """
    defaults, formula = _named(name)
    if len(parameters) > len(defaults):
        raise _too_many(name, defaults, parameters)
    filled = (*parameters, *defaults[len(parameters) :])
    key = (name, filled)
    cached = panel.indicator_cache.get(key)
    if cached is None:
        cached = _over_panel(panel, formula, filled)
        cached.flags.writeable = False
        panel.indicator_cache[key] = cached
    return cached


def check(name: str, *parameters: float) -> None:
    """Raise ``InvalidParameter`` where ``compute`` would, whatever the bars."""
    defaults, formula = _named(name)
    if len(parameters) > len(defaults):
        raise _too_many(name, defaults, parameters)
    formula(_ANY_BARS, *parameters, *defaults[len(parameters) :])


def _too_many(
    name: str, defaults: tuple[float, ...], parameters: tuple[float, ...]
) -> InvalidParameter:
    takes = f"{len(defaults)} parameter{'' if len(defaults) == 1 else 's'}"
    return InvalidParameter(f"{name} takes {takes}, not {len(parameters)}", field="indicator")


def _named(name: str) -> tuple[tuple[float, ...], Formula]:
    """Ours by this name, else TA-Lib's."""
    indicator = INDICATORS.get(name)
    if indicator is not None:
        return indicator.defaults, indicator.formula
    function = talib_function(name)
    if function is None:
        raise InvalidParameter(
            f"there is no indicator {name!r}",
            field="indicator",
            remedy=f"one of {', '.join(INDICATORS)}, or a function of TA-Lib such as adx",
        )
    return function


def _over_panel(panel: Panel, formula: Formula, parameters: tuple[float, ...]) -> Floats:
    out = np.full(panel.close.shape, np.nan)
    for column in range(len(panel.symbols)):
        rows = np.flatnonzero(panel.has_bar[:, column])
        if not len(rows):
            continue
        own = OwnBars(
            *(np.ascontiguousarray(getattr(panel, name)[rows, column]) for name in OwnBars._fields)
        )
        values = formula(own, *parameters)
        if len(rows) == panel.steps:
            out[:, column] = values
        else:
            # The last own bar at or before each grid point from the first own bar on.
            last = np.searchsorted(rows, np.arange(rows[0], panel.steps), side="right") - 1
            out[rows[0] :, column] = values[last]
    return out


def _whole(period: float, least: int = 2) -> int:
    if period != int(period) or not least <= period <= 100_000:
        raise InvalidParameter(
            f"a period of {period} bars",
            field="indicator",
            remedy=f"a whole number from {least} to 100000",
        )
    return int(period)


def _values(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)
