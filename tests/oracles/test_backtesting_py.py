"""backtesting.py 0.6.6 beside our engine: the same strategy, the same figures, or a named rule.

Where the two differ, the rule that makes the difference is named, and a test holds both to it: it
is bent on one side, and the figures agree again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import pytest
from backtesting import Backtest
from backtesting import Strategy as TheirStrategy

import engine
from engine.api import Result
from engine.model import Fill, Order
from engine.sim.costs import up_to_cent

if TYPE_CHECKING:
    from engine.strategies.base import Observation

# Its own use of pandas 3.1, and its notice of an open position, which is meant. What its broker
# warns of, an order that finds no margin, would be a difference: that stays an error.
pytestmark = [
    pytest.mark.filterwarnings("ignore:DatetimeIndex.dayofweek is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Some trades remain open at the end:UserWarning"),
]

Commission = float | tuple[float, float] | Callable[[float, float], float]


class Trade(NamedTuple):
    """A round trip; an exit of None is still open."""

    size: float
    entry_bar: int
    exit_bar: int | None
    entry: float
    exit: float | None


def sma_strategy(fast: int, slow: int, *, from_first_warm_bar: bool = True) -> type[TheirStrategy]:
    """All in while the fast average is above the slow one, else flat.

    backtesting.py never asks at the first bar at which all indicators are there. An average that is
    infinite one bar early is there, above everything, and makes it ask a bar sooner.
    """

    class Sma(TheirStrategy):
        def init(self) -> None:
            closes = pd.Series(self.data.Close)
            means = closes.rolling(slow).mean()
            if from_first_warm_bar:
                means[slow - 2] = math.inf
            self.fast = self.I(lambda: closes.rolling(fast).mean().to_numpy())
            self.slow = self.I(lambda: means.to_numpy())

        def next(self) -> None:
            # Two means of the same value may differ in their last bits: that is no cross.
            if self.fast[-1] - self.slow[-1] > 1e-12 * self.slow[-1]:
                if not self.position:
                    self.buy()
            elif self.position:
                self.position.close()

    return Sma


def bars_of(text: str, symbol: str) -> pd.DataFrame:
    """A symbol's bars in the columns that backtesting.py reads, daily stamps as their dates."""
    from engine.market import resolve
    from engine.model import RunRequest

    bars = resolve(RunRequest("manual", source=text, symbols=(symbol,), actions="none")).load()
    if bars.timeframe == "1Day":
        index = pd.DatetimeIndex([bars.session_dates[each] for each in bars.sessions])
    else:
        index = pd.DatetimeIndex(bars.stamps.view("datetime64[us]"))
    fields = ("open", "high", "low", "close", "volume")
    return pd.DataFrame(
        {name.capitalize(): getattr(bars, name)[:, 0] for name in fields}, index=index
    )


def theirs(
    strategy: type[TheirStrategy],
    frame: pd.DataFrame,
    cash: float,
    *,
    commission: Commission = 0.0,
    spread: float = 0.0,
    trade_on_close: bool = False,
    finalize_trades: bool = False,
) -> pd.Series[Any]:
    """Their run over the bars."""
    run = Backtest(
        frame,
        strategy,
        cash=cash,
        commission=commission,
        spread=spread,
        trade_on_close=trade_on_close,
        finalize_trades=finalize_trades,
    ).run()
    assert isinstance(run, pd.Series)
    return run


def ours(source: str, symbol: str, cash: float, fast: int, slow: int, **config: Any) -> Result:
    """Our run over the same bars; no costs unless asked for."""
    config = {"costs": "none", "actions": "none"} | config
    return engine.run(
        "sma_cross",
        source,
        symbols=[symbol],
        cash=cash,
        params={"fast": fast, "slow": slow},
        **config,
    )


def their_trades(stats: pd.Series[Any]) -> list[Trade]:
    """Their closed trades, in order of entry."""
    table = stats["_trades"].sort_values("EntryBar", kind="stable")
    columns = ["Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice"]
    return [Trade(*row) for row in table[columns].itertuples(index=False, name=None)]


def our_trades(result: Result) -> list[Trade]:
    """Our round trips, from the fills of a run that is all in or flat; an open one at the end."""

    def pairs() -> Iterator[tuple[Fill, Fill | None]]:
        fills = iter(result.fill_records)
        for entry in fills:
            yield entry, next(fills, None)

    return [
        Trade(
            entry.quantity,
            entry.step_index,
            None if leaving is None else leaving.step_index,
            entry.price,
            None if leaving is None else leaving.price,
        )
        for entry, leaving in pairs()
    ]


def same_trades(mine: list[Trade], other: list[Trade]) -> None:
    """Every closed trade is the same: shares, bars and prices. One of ours may still be open."""
    if mine and mine[-1].exit_bar is None:
        mine = mine[:-1]
    assert len(mine) == len(other)
    for one, another in zip(mine, other, strict=True):
        assert (one.size, one.entry_bar, one.exit_bar) == (
            another.size,
            another.entry_bar,
            another.exit_bar,
        )
        assert one.entry == pytest.approx(another.entry, rel=1e-12)
        assert one.exit == pytest.approx(another.exit, rel=1e-12)


def same_curve(result: Result, stats: pd.Series[Any]) -> None:
    """Equity is the same at every bar, to a millionth of the currency."""
    curve = stats["_equity_curve"]["Equity"].to_numpy()
    assert result.equity_values == pytest.approx(curve, abs=1e-6)


@pytest.mark.parametrize("cash", [10_000.0, 1_000_000.0])
@pytest.mark.parametrize(("fast", "slow"), [(10, 30), (5, 20), (20, 50), (50, 200)])
def test_goog_has_the_same_trades_and_figures(goog: str, fast: int, slow: int, cash: float) -> None:
    """Free of costs nothing differs: trades, equity at each bar, all figures of one meaning."""
    stats = theirs(sma_strategy(fast, slow), bars_of(goog, "GOOG"), cash)
    result = ours(goog, "GOOG", cash, fast, slow)
    trades = their_trades(stats)
    same_trades(our_trades(result), trades)
    same_curve(result, stats)
    figures = result.metrics
    assert figures["num_trades"] == stats["# Trades"]
    for name, title in (
        ("total_return", "Return [%]"),
        ("max_drawdown", "Max. Drawdown [%]"),
        ("win_rate", "Win Rate [%]"),
        ("cagr", "CAGR [%]"),
    ):
        assert figures[name] == pytest.approx(stats[title] / 100, rel=1e-9), name
    profits = stats["_trades"]["PnL"]
    assert figures["expectancy"] == pytest.approx(profits.mean(), rel=1e-9)
    assert figures["profit_factor"] == pytest.approx(
        profits[profits > 0].sum() / -profits[profits < 0].sum(), rel=1e-9
    )
    longest = stats["Max. Drawdown Duration"]
    assert figures["longest_drawdown_days"] == longest.days


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
def test_the_sample_has_the_same_trades(symbol: str) -> None:
    """Each symbol of the sample, its splits left out on both sides."""
    stats = theirs(sma_strategy(10, 30), bars_of("sample", symbol), 50_001.0)
    result = ours("sample", symbol, 50_001.0, 10, 30)
    same_trades(our_trades(result), their_trades(stats))
    same_curve(result, stats)


def test_hourly_bars_have_the_same_trades(eurusd: str) -> None:
    """Nothing depends on a bar being a day, or on a week having five of them."""
    stats = theirs(sma_strategy(10, 30), bars_of(eurusd, "EURUSD"), 10_000.0)
    result = ours(eurusd, "EURUSD", 10_000.0, 10, 30, calendar="none")
    same_trades(our_trades(result), their_trades(stats))
    same_curve(result, stats)


# -- the rules that differ, one by one ------------------------------------------------------------


def test_rule_first_decision(goog: str) -> None:
    """Warm-up: we decide at the first bar that has both averages, they one bar later."""
    frame = bars_of(goog, "GOOG")
    first = our_trades(ours(goog, "GOOG", 10_000.0, 10, 30))[0]
    late = their_trades(theirs(sma_strategy(10, 30, from_first_warm_bar=False), frame, 10_000.0))[0]
    assert (first.entry_bar, late.entry_bar) == (30, 31)
    assert (first.entry, late.entry) == (frame["Open"].iloc[30], frame["Open"].iloc[31])


def test_rule_all_of_the_cash() -> None:
    """O4: cash that pays 1,600 shares exactly buys them; they ask for a hair less than all."""
    price = bars_of("sample", "FB")["Open"].iloc[30]
    assert price * 1600 == 50_000.0
    mine = our_trades(ours("sample", "FB", 50_000.0, 10, 30))[0]
    other = their_trades(theirs(sma_strategy(10, 30), bars_of("sample", "FB"), 50_000.0))[0]
    assert (mine.size, other.size) == (1600, 1599)


def test_rule_trade_on_close(goog: str) -> None:
    """fill=close is their trade_on_close, but for the last bar: only we can trade there."""
    frame = bars_of(goog, "GOOG")
    stats = theirs(sma_strategy(10, 30), frame, 10_000.0, trade_on_close=True)
    result = ours(goog, "GOOG", 10_000.0, 10, 30, fill="close")
    same_trades(our_trades(result), their_trades(stats))
    same_curve(result, stats)
    cut = result.fill_records[-1].step_index + 1  # the bars up to our last entry
    frame = frame.iloc[:cut]
    stats = theirs(sma_strategy(10, 30), frame, 10_000.0, trade_on_close=True)
    result = engine.run(
        "sma_cross", in_our_columns(frame), cash=10_000.0, costs="none", fill="close"
    )
    mine = our_trades(result)
    assert (mine[-1].entry_bar, mine[-1].exit_bar) == (cut - 1, None)
    assert stats["_strategy"].trades == ()
    assert len(their_trades(stats)) == len(mine) - 1


def in_our_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Their bars in our columns."""
    table = frame.rename(columns=str.lower).reset_index(names="timestamp")
    return table.assign(symbol="GOOG")


def test_rule_rounding_of_commission(goog: str) -> None:
    """M2: a commission is rounded up to the cent, theirs is not; rounded, the figures agree."""
    frame = bars_of(goog, "GOOG")

    def rounded(size: float, price: float) -> float:
        # Asked what one share costs, for sizing, they must not be told a whole cent more.
        exact = 0.002 * abs(size) * price
        return exact if abs(size) <= 1 else up_to_cent(exact)

    result = ours(goog, "GOOG", 10_000.0, 10, 30, commission_pct=0.002)
    stats = theirs(sma_strategy(10, 30), frame, 10_000.0, commission=rounded)
    same_trades(our_trades(result), their_trades(stats))
    same_curve(result, stats)
    exact = theirs(sma_strategy(10, 30), frame, 10_000.0, commission=0.002)
    for fill in result.fill_records:
        over = fill.commission - 0.002 * fill.quantity * fill.price
        assert -1e-8 <= over < 0.01
    final = exact["Equity Final [$]"]
    assert 0 < final - result.equity_values[-1] < 0.005 * final


def test_rule_spread_is_paid_once(goog: str) -> None:
    """M4: our slippage is adverse on both sides, their spread is paid on the way in alone.

    Paid on both sides it is a commission of as much, and with that the curves agree.
    """
    frame = bars_of(goog, "GOOG")
    result = ours(goog, "GOOG", 10_000.0, 10, 30, slippage_bps=10.0)
    both = theirs(sma_strategy(10, 30), frame, 10_000.0, commission=0.001)
    same_curve(result, both)
    once = their_trades(theirs(sma_strategy(10, 30), frame, 10_000.0, spread=0.001))
    mine = our_trades(result)
    assert mine[0].entry == pytest.approx(once[0].entry, rel=1e-12)
    assert once[0].exit is not None
    assert mine[0].exit == pytest.approx(once[0].exit * (1 - 0.001), rel=1e-12)


def test_rule_least_commission(goog: str) -> None:
    """O4: we buy all that cash pays; they take a fixed commission for one of every share."""
    frame = bars_of(goog, "GOOG")
    result = ours(goog, "GOOG", 10_000.0, 10, 30, commission_min=5.0)
    mine = our_trades(result)[0]
    other = their_trades(theirs(sma_strategy(10, 30), frame, 10_000.0, commission=(5.0, 0.0)))[0]
    price = frame["Open"].iloc[30]
    assert mine.size == (10_000 - 5) // price
    assert other.size == 10_000 // (price + 5)


def test_rule_what_is_left_at_the_end(goog: str) -> None:
    """A position still open is left open and valued; finalize_trades sells it, as nobody decided.

    The equity is the same either way: the last close is the price of both.
    """
    frame = bars_of(goog, "GOOG")
    result = ours(goog, "GOOG", 10_000.0, 10, 30)
    closed = their_trades(theirs(sma_strategy(10, 30), frame, 10_000.0, finalize_trades=True))
    mine = our_trades(result)
    assert mine[-1].exit_bar is None
    assert (len(closed), closed[-1].exit_bar) == (len(mine), len(frame) - 1)
    assert result.metrics["num_trades"] == len(closed) - 1


def test_rule_exposure_counts_the_exit_bar(goog: str) -> None:
    """F4: a bar counts as exposed that ends with a holding; they count the bar of the exit too."""
    frame = bars_of(goog, "GOOG")
    result = ours(goog, "GOOG", 10_000.0, 10, 30)
    stats = theirs(sma_strategy(10, 30), frame, 10_000.0, finalize_trades=True)
    exits = sum(trade.exit_bar is not None for trade in our_trades(result))
    theirs_in_bars = stats["Exposure Time [%]"] / 100 * len(frame)
    assert result.metrics["exposure"] * len(frame) == pytest.approx(theirs_in_bars - exits)


def test_rule_annualised_figures(goog: str) -> None:
    """F3: Sharpe and Sortino are of arithmetic means; theirs are of compounded returns.

    Their formulas on our curve give their figures; F3 on their curve gives ours.
    """
    stats = theirs(sma_strategy(10, 30), bars_of(goog, "GOOG"), 10_000.0)
    result = ours(goog, "GOOG", 10_000.0, 10, 30)
    for curve, kind in (
        (pd.Series(result.equity_values), "compounded"),
        (stats["_equity_curve"]["Equity"].reset_index(drop=True), "arithmetic"),
    ):
        returns = curve.pct_change().dropna()
        year = math.sqrt(252)
        downside = math.sqrt((returns.clip(upper=0.0) ** 2).mean())
        if kind == "compounded":
            mean = math.exp(sum(math.log1p(each) for each in returns) / len(returns)) - 1
            annual = (1 + mean) ** 252 - 1
            spread = (returns.var() + (1 + mean) ** 2) ** 252 - (1 + mean) ** 504
            expected = {
                "Return (Ann.) [%]": annual * 100,
                "Sharpe Ratio": annual / math.sqrt(spread),
                "Sortino Ratio": annual / downside / year,
                "Calmar Ratio": annual / -(result.metrics["max_drawdown"]),
            }
            for title, value in expected.items():
                assert stats[title] == pytest.approx(value, rel=1e-9), title
        else:
            # Our first return is against the initial cash: zero, as nothing is bought yet.
            returns = pd.concat([pd.Series([0.0]), returns])
            downside = math.sqrt((returns.clip(upper=0.0) ** 2).mean())
            figures = result.metrics
            assert figures["sharpe"] == pytest.approx(returns.mean() / returns.std() * year)
            assert figures["sortino"] == pytest.approx(returns.mean() / downside * year)
            assert figures["annual_volatility"] == pytest.approx(returns.std() * year)


def test_limit_orders_fill_alike(goog: str) -> None:
    """O8: a resting limit fills at its price, or at the open it was gapped through, on both."""
    frame = bars_of(goog, "GOOG")

    class TheirDip(TheirStrategy):
        def init(self) -> None:
            """Nothing to prepare."""

        def next(self) -> None:
            for order in self.orders:
                order.cancel()
            if self.position:
                self.position.close()
            else:
                self.buy(size=10, limit=self.data.Close[-1] * 0.99)

    class OurDip(engine.Strategy):
        """Buy a fall of one hundredth tomorrow, sell the day after."""

        def decide(self, obs: Observation) -> Order | None:
            if not obs.step:
                return None  # they begin at the second bar
            bar = obs.bar("GOOG")
            assert bar is not None
            if obs.portfolio.positions:
                return Order.sell("GOOG", 10)
            return Order.buy("GOOG", 10, limit=bar.close * 0.99)

    result = engine.run(OurDip, goog, cash=1e6, costs="none")
    mine, other = our_trades(result), their_trades(theirs(TheirDip, frame, 1e6))
    same_trades(mine, other)
    assert len(mine) > 200
