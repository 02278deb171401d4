"""What a condition may look at when a run stands before a decision.

That is what the decision is *about to see*: the bars up to ``step``, complete, its indicators, and
the account as it stands then; and what has *just happened*: the decision before it, and the orders,
fills and payments that were settled since.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.model import CashFlow, Decision, Fill, OrderRecord, Portfolio
from engine.sim.observation import Observation
from engine.sim.simulation import Simulation
from engine.sim.state import State, StepResult


class Sight:
    """A run before the decision at ``step``; ``before`` is the same one decision earlier.

    ``state`` is one that has a decision to make, ``peak`` the highest equity settled so far,
    ``result`` what the last decision led to (None before the first). ``own`` says that who is to be
    told made that decision: then neither it nor the fills that it asked for have happened to them.
    """

    __slots__ = ("_observation", "before", "own", "peak", "result", "simulation", "state", "step")

    _observation: Observation

    def __init__(
        self,
        simulation: Simulation,
        state: State,
        peak: float,
        result: StepResult | None = None,
        before: Sight | None = None,
        *,
        own: bool = False,
    ) -> None:
        self.simulation = simulation
        self.state = state
        self.step = state.decided
        self.peak = peak
        self.result = result
        self.before = before
        self.own = own

    @classmethod
    def of_bars(cls, step: int, *, alone: bool = False) -> Sight:
        """Only the place: enough for what depends on the bars alone. ``alone``: none before it."""
        sight = cls.__new__(cls)
        sight.step = step
        sight.result = None
        sight.own = False
        sight.before = None if alone or not step else cls.of_bars(step - 1, alone=True)
        return sight

    @property
    def observation(self) -> Observation:
        """What the decision is about to see."""
        try:
            return self._observation
        except AttributeError:
            self._observation = self.simulation.observe(self.state)
            return self._observation

    @property
    def portfolio(self) -> Portfolio:
        """Cash, equity and holdings as the decision is about to see them."""
        return self.observation.portfolio

    @property
    def drawdown(self) -> float:
        """Equity under its highest so far, as a fraction <= 0; the initial cash counts."""
        equity = self.portfolio.equity
        return equity / max(self.peak, equity) - 1.0

    @property
    def decision(self) -> Decision | None:
        """The decision just made, None if it held."""
        decisions = self.result.decisions if self.result is not None and not self.own else ()
        return decisions[-1][1] if decisions else None

    @property
    def orders(self) -> Sequence[OrderRecord]:
        """The records that the last decision made or changed, as they are now."""
        return [record for _, record in self.result.orders] if self.result is not None else ()

    @property
    def fills(self) -> Sequence[Fill]:
        """The fills since the decision before; of one's ``own``, those of orders that rested."""
        if self.result is None:
            return ()
        if not self.own:
            return self.result.fills
        asked = f"{self.step - 1}-"
        return [fill for fill in self.result.fills if not fill.order_id.startswith(asked)]

    @property
    def cash_flows(self) -> Sequence[CashFlow]:
        """Dividends and the like since the decision before."""
        return self.result.cash_flows if self.result is not None else ()
