"""backtesting.py on W1: the averages precomputed, ``next`` called for every bar."""

from __future__ import annotations

import sys
import warnings

import backtesting
import pandas as pd
from backtesting import Backtest, Strategy

from tests.bench._peer import CASH, COMMISSION, bars, index, tell, timed


class Sma(Strategy):
    """All in while the fast average is above the slow one, else flat."""

    def init(self) -> None:
        closes = pd.Series(self.data.Close)
        self.fast = self.I(lambda: closes.rolling(10).mean().to_numpy())
        self.slow = self.I(lambda: closes.rolling(30).mean().to_numpy())

    def next(self) -> None:
        if self.fast[-1] > self.slow[-1]:
            if not self.position:
                self.buy()
        elif self.position:
            self.position.close()


def main() -> None:
    """Measure one run: it takes long enough."""
    held = bars(sys.argv[2])
    fields = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame(
        {name.capitalize(): held[name][:, 0] for name in fields}, index=index(held["stamps"])
    )
    warnings.simplefilter("ignore")
    seconds, stats = timed(lambda: Backtest(frame, Sma, cash=CASH, commission=COMMISSION).run(), 1)
    orders = 2 * stats["# Trades"]
    tell(backtesting.__version__, seconds, stats["Equity Final [$]"], orders)


if __name__ == "__main__":
    main()
