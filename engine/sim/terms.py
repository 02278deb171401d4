"""A run's rules as plain numbers, which is how the compiled kernel gets them."""

from __future__ import annotations

from typing import NamedTuple

from engine.model import Rules
from engine.sim.costs import charges_commission
from engine.sim.fills import SLACK, SLACK_OF_CASH, FillModel
from engine.sim.lots import FORGIVEN, FORGIVEN_OF_ALL, MOST_LOTS
from engine.sim.reasons import Reason
from engine.sim.records import REASON_CODES


class Terms(NamedTuple):
    """What a field means is said where ``FillModel`` has it.

    ``participation`` is NaN where there is none; the last fields are places in ``REASONS``.
    """

    factor: float
    divisor: float
    lot: float
    up: float
    down: float
    participation: float
    short: bool
    max_leverage: float
    commission: bool
    commission_min: float
    commission_per_share: float
    commission_pct: float
    forgiven: float
    forgiven_of_all: float
    most_lots: int
    slack: float
    slack_of_cash: float
    initial_cash: float
    no_bar: int
    already_at_target: int
    no_position: int
    clipped: int
    volume_cap: int
    over_leverage: int
    insufficient_cash: int


def terms_of(rules: Rules, fill_model: FillModel) -> Terms:
    """The terms of a run that ``fill_model`` executes orders for."""
    grid, costs = fill_model.grid, rules.costs
    return Terms(
        factor=grid.factor,
        divisor=grid.divisor,
        lot=grid.lot,
        up=fill_model.up,
        down=fill_model.down,
        participation=float("nan") if rules.participation is None else float(rules.participation),
        short=rules.allow_short,
        max_leverage=float(rules.max_leverage),
        commission=charges_commission(costs),
        commission_min=float(costs.commission_min),
        commission_per_share=float(costs.commission_per_share),
        commission_pct=float(costs.commission_pct),
        forgiven=FORGIVEN,
        forgiven_of_all=FORGIVEN_OF_ALL,
        most_lots=MOST_LOTS,
        slack=SLACK,
        slack_of_cash=SLACK_OF_CASH,
        initial_cash=float(rules.cash),
        no_bar=REASON_CODES[Reason.NO_BAR.value],
        already_at_target=REASON_CODES[Reason.ALREADY_AT_TARGET.value],
        no_position=REASON_CODES[Reason.NO_POSITION.value],
        clipped=REASON_CODES[Reason.CLIPPED_TO_POSITION.value],
        volume_cap=REASON_CODES[Reason.VOLUME_CAP.value],
        over_leverage=REASON_CODES[Reason.MAX_LEVERAGE.value],
        insufficient_cash=REASON_CODES[Reason.INSUFFICIENT_CASH.value],
    )
