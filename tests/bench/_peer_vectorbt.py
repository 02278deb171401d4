"""vectorbt on W1 and W3: compiled, without Python per bar; its first call compiles."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import vectorbt

from tests.bench._peer import CASH, COMMISSION, bars, strongest, tell, timed


def average(values: Any, n: int) -> Any:
    """A moving average by pandas."""
    return pd.Series(values).rolling(n).mean().to_numpy()


def later(values: Any, first: Any) -> Any:
    """Decided at a bar, done at the next."""
    return np.concatenate([np.full_like(values[:1], first), values[:-1]])


def main() -> None:
    """Measure one cold and two warm calls."""
    name, held = sys.argv[1], bars(sys.argv[2])
    warnings.simplefilter("ignore")
    common = {"fees": COMMISSION, "init_cash": CASH, "freq": "1min"}

    def cross() -> Any:
        close = held["close"][:, 0]
        above = average(close, 10) > average(close, 30)
        made = vectorbt.Portfolio.from_signals(
            close, later(above, False), later(~above, False), price=held["open"][:, 0], **common
        )
        return made, len(made.orders.records_arr)

    def top() -> Any:
        made = vectorbt.Portfolio.from_orders(
            held["close"],
            later(strongest(held["close"]), np.nan),
            size_type="targetpercent",
            price=held["open"],
            cash_sharing=True,
            group_by=True,
            call_seq="auto",
            **common,
        )
        return made, len(made.orders.records_arr)

    seconds, (made, orders) = timed(cross if name == "W1" else top, 3)
    tell(vectorbt.__version__, seconds, made.final_value(), orders)


if __name__ == "__main__":
    main()
