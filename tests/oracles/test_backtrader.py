"""backtrader 1.9.78 beside our engine, with cash to spare: every order of every type fills alike.

Cash to spare, because backtrader refuses an order whole where we buy what cash pays (O4), and
judges that by the last close. Its rules of prices are the ones of O8, three apart, which the last
tests name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import backtrader
import pandas as pd
import pytest

from engine.market import Bars, resolve
from engine.model import Costs, Decision, Order, RunRequest
from engine.runs.panels import panel_of as panel_of_bars
from engine.sim.panel import Panel
from tests.sim.builders import flat_bars, panel_of, rules_of, run_steps

CASH = 1e9
TYPES = {
    "market": backtrader.Order.Market,
    "limit": backtrader.Order.Limit,
    "stop": backtrader.Order.Stop,
    "stop_limit": backtrader.Order.StopLimit,
}
FIRST_DAY = datetime(2000, 1, 3)  # noqa: DTZ001  # backtrader's days carry no zone


class Traded(NamedTuple):
    """A fill as both engines tell it."""

    step: int
    symbol: str
    quantity: float
    price: float


class Player(backtrader.Strategy):
    """Places the orders of a tape, and writes down what comes of them."""

    params: tuple[tuple[str, Any], ...] = (("tape", {}),)

    def __init__(self) -> None:
        self.traded: list[Traded] = []
        self.values: list[float] = []

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            done = order.executed
            self.traded.append(Traded(len(self) - 1, order.data._name, done.size, done.price))
        assert order.status not in (order.Margin, order.Rejected, order.Partial)

    def next(self) -> None:
        self.values.append(self.broker.getvalue())
        groups: dict[str, Any] = {}
        for order in self.p.tape.get(len(self) - 1, ()):
            place = self.buy if order.side == "buy" else self.sell
            first = groups.get(order.oco_group) if order.oco_group else None
            placed = place(
                data=self.getdatabyname(order.symbol),
                size=order.quantity,
                exectype=TYPES[order.order_type],
                price=order.limit_price if order.order_type == "limit" else order.stop_price,
                plimit=order.limit_price if order.order_type == "stop_limit" else None,
                oco=first,
            )
            if order.oco_group and first is None:
                groups[order.oco_group] = placed


Tape = Mapping[int, Sequence[Order]]


def theirs(panel: Panel, tape: Tape, slippage: float = 0.0) -> Player:
    """Their run over the panel's bars, one a day; slippage in full on markets and stops."""
    cerebro = backtrader.Cerebro(stdstats=False)
    index = pd.DatetimeIndex([FIRST_DAY + timedelta(days=step) for step in range(panel.steps)])
    for column, symbol in enumerate(panel.symbols):
        fields = ("open", "high", "low", "close", "volume")
        frame = pd.DataFrame(
            {name: getattr(panel, name)[:, column] for name in fields}, index=index
        )
        cerebro.adddata(backtrader.feeds.PandasData(dataname=frame), name=symbol)
    cerebro.addstrategy(Player, tape=tape)
    cerebro.broker.setcash(CASH)
    if slippage:
        cerebro.broker.set_slippage_perc(slippage, slip_match=True, slip_out=True)
    (player,) = cerebro.run()
    return player  # type: ignore[no-any-return]


def ours(panel: Panel, tape: Tape, slippage_bps: float = 0.0) -> tuple[list[Traded], list[float]]:
    """Our run: shorting allowed as with them, leverage and cash to spare; fills and equity."""
    rules = rules_of(
        cash=CASH,
        allow_short=True,
        max_leverage=100.0,
        costs=Costs("none", sec=False, taf=False, slippage_bps=slippage_bps),
    )
    decisions = {step: Decision(tuple(orders)) for step, orders in tape.items()}
    _, result = run_steps(panel, rules, decisions)
    fills = [
        Traded(
            fill.step_index,
            fill.symbol,
            fill.quantity if fill.side == "buy" else -fill.quantity,
            fill.price,
        )
        for fill in result.fills
    ]
    return fills, result.equity.tolist()


def same(panel: Panel, tape: Tape, slippage_bps: float = 0.0) -> int:
    """Both trade the same, whatever the order within a bar, and are worth the same; how often."""
    player = theirs(panel, tape, slippage_bps / 1e4)
    fills, equity = ours(panel, tape, slippage_bps)
    assert len(fills) == len(player.traded)
    for mine, other in zip(sorted(fills), sorted(player.traded), strict=True):
        assert mine[:3] == other[:3]
        assert mine.price == pytest.approx(other.price, rel=1e-12)
    assert equity == pytest.approx(player.values, rel=1e-12)
    return len(fills)


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Real daily bars of three symbols, some three thousand of them, without their splits."""
    bars: Bars = resolve(
        RunRequest("manual", source="sample", symbols=("AAPL", "IBM", "MSFT"), actions="none")
    ).load()
    return panel_of_bars(bars)


def random_orders(panel: Panel, seed: int, kinds: Sequence[str]) -> Tape:
    """Orders that rest for good, of random side and size, at prices around each close.

    A stop-limit's limit is so far beyond its trigger that no gap passes it: that is a rule apart.
    """
    random = Random(seed)
    tape: dict[int, list[Order]] = {}
    for step in range(panel.steps - 1):
        for column, symbol in enumerate(panel.symbols):
            if random.random() > 0.4:
                continue
            close = float(panel.close[step, column])
            kind = random.choice(kinds)
            sign = random.choice((1, -1))
            near = round(close * (1 - sign * random.choice((-0.002, 0.0, 0.004, 0.01, 0.03))), 2)
            far = round(close * (1 + sign * random.choice((-0.002, 0.0, 0.004, 0.01, 0.03))), 2)
            make = Order.buy if sign > 0 else Order.sell
            tape.setdefault(step, []).append(
                make(
                    symbol,
                    random.randint(1, 500),
                    limit=near
                    if kind == "limit"
                    else round(far * (1 + sign * 0.7), 2)
                    if kind == "stop_limit"
                    else None,
                    stop=far if kind in ("stop", "stop_limit") else None,
                    time_in_force="gtc",
                )
            )
    return tape


@pytest.mark.parametrize("seed", range(2))
def test_random_orders_of_every_type_fill_alike(panel: Panel, seed: int) -> None:
    """Market, limit, stop and stop-limit orders, resting for years: each fill, bar and price."""
    assert same(panel, random_orders(panel, seed, tuple(TYPES))) > 3000


def test_slippage_is_alike(panel: Panel) -> None:
    """M4: in full on market orders and triggered stops, also beyond the bar's range."""
    assert same(panel, random_orders(panel, 7, ("market", "stop")), slippage_bps=10.0) > 3000


def test_pairs_of_orders_fill_alike(panel: Panel) -> None:
    """O8: a stop and a limit around the price: one fills, the stop first, the other is dropped."""
    random = Random(11)
    tape: dict[int, list[Order]] = {}
    for step in range(0, panel.steps - 1, 3):
        for column, symbol in enumerate(panel.symbols):
            close = float(panel.close[step, column])
            up, down = round(close * 1.04, 2), round(close * 0.96, 2)
            group, size = f"{symbol}{step}", random.randint(1, 500)
            if random.random() < 0.5:
                stop = Order.sell(symbol, size, stop=down, time_in_force="gtc", oco_group=group)
                limit = Order.sell(symbol, size, limit=up, time_in_force="gtc", oco_group=group)
            else:
                stop = Order.buy(symbol, size, stop=up, time_in_force="gtc", oco_group=group)
                limit = Order.buy(symbol, size, limit=down, time_in_force="gtc", oco_group=group)
            tape.setdefault(step, []).extend((stop, limit))
    assert same(panel, tape) > 3000


# -- the rules that differ, one by one ------------------------------------------------------------


def one_bar(opening: float, high: float, low: float, close: float) -> Panel:
    """A quiet bar at 100, the bar that matters, and another quiet one at its close."""
    rows = [*flat_bars(100.0), (opening, high, low, close, 1e6), *flat_bars(close)]
    return panel_of({"AAPL": rows}, daily=True)


def first_fills(panel: Panel, *orders: Order) -> tuple[Traded | None, Traded | None]:
    """Our first fill and theirs, of orders placed at the first bar."""
    tape = {0: orders}
    mine, other = ours(panel, tape)[0], theirs(panel, tape).traded
    return (mine[0] if mine else None, other[0] if other else None)


def test_rule_a_stop_limit_below_its_trigger() -> None:
    """O8: once triggered above its limit it rests from the next bar; they may fill it in the bar.

    A close below the limit is their proof that the price came back after the trigger.
    """
    order = Order.buy("AAPL", 10, stop=105.0, limit=104.0, time_in_force="gtc")
    mine, other = first_fills(one_bar(103.0, 106.0, 102.0, 102.5), order)
    assert mine == Traded(2, "AAPL", 10, 102.5)
    assert other == Traded(1, "AAPL", 10, 104.0)
    mine, other = first_fills(one_bar(103.0, 106.0, 102.0, 103.5), order)
    assert mine == other == Traded(2, "AAPL", 10, 103.5)


def test_rule_a_stop_limit_gapped_over() -> None:
    """O8: an open beyond stop and limit makes it a limit of the next bar, with them of this one."""
    order = Order.buy("AAPL", 10, stop=105.0, limit=106.0, time_in_force="gtc")
    mine, other = first_fills(one_bar(108.0, 109.0, 104.0, 105.5), order)
    assert mine == Traded(2, "AAPL", 10, 105.5)
    assert other == Traded(1, "AAPL", 10, 106.0)


def test_rule_of_a_pair_the_stop_goes_first() -> None:
    """O8: both within the bar, we take the stop, whatever came first; they take what came first."""
    stop = Order.buy("AAPL", 10, stop=105.0, time_in_force="gtc", oco_group="pair")
    limit = Order.buy("AAPL", 10, limit=95.0, time_in_force="gtc", oco_group="pair")
    panel = one_bar(100.0, 106.0, 94.0, 100.0)
    assert first_fills(panel, stop, limit) == (
        Traded(1, "AAPL", 10, 105.0),
        Traded(1, "AAPL", 10, 105.0),
    )
    assert first_fills(panel, limit, stop) == (
        Traded(1, "AAPL", 10, 105.0),
        Traded(1, "AAPL", 10, 95.0),
    )
