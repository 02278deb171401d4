"""bt on W2 and W3: the weights precomputed, its tree of Python called for every bar."""

from __future__ import annotations

import sys

import bt
import pandas as pd

from tests.bench._peer import (
    CASH,
    COMMISSION,
    SHORT_REPEATS,
    bars,
    index,
    strongest,
    tell,
    timed,
)


def main() -> None:
    """Measure once, or three times where it is short."""
    held = bars(sys.argv[2])
    stamps = index(held["stamps"])
    names = [f"S{number:02d}" for number in range(held["close"].shape[1])]
    closes = pd.DataFrame(held["close"], index=stamps, columns=names)

    def run() -> bt.Backtest:
        weights = pd.DataFrame(strongest(held["close"]), index=stamps, columns=names).fillna(0.0)
        strategy = bt.Strategy("top", [bt.algos.WeighTarget(weights), bt.algos.Rebalance()])
        test = bt.Backtest(
            strategy,
            closes,
            initial_capital=CASH,
            commissions=lambda quantity, price: abs(quantity) * price * COMMISSION,
            integer_positions=True,
            progress_bar=False,
        )
        test.run()
        return test

    seconds, test = timed(run, SHORT_REPEATS if len(closes) < 10_000 else 1)
    tell(bt.__version__, seconds, test.strategy.value, len(test.strategy.get_transactions()))


if __name__ == "__main__":
    main()
