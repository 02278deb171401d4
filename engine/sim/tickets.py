"""An order while a step is being made, and the record the ledger gets of it."""

from __future__ import annotations

from typing import Final

from engine.model import OrderRecord
from engine.sim.lots import LotGrid
from engine.sim.reasons import closing_status
from engine.sim.state import OpenOrder

SIDES: Final = {"buy": 1, "sell": -1}
SIDE_NAMES: Final = {1: "buy", -1: "sell", 0: None}


class Ticket:
    """The broker's working copy of an order: ``OpenOrder`` with what changes within a step.

    ``side_text`` is what the decision said, also where that is no side. ``closed_step`` is None
    while alive. ``met_step`` is the last grid point at which it traded, was capped, or became a
    limit: it does not trade there again. ``touched`` asks for a record at the end of the step.
    """

    __slots__ = (
        "closed_step",
        "column",
        "filled_lots",
        "gtc",
        "limit",
        "lots",
        "met_step",
        "notional",
        "oco_group",
        "order_id",
        "order_type",
        "paid",
        "quantity_type",
        "reason",
        "requested",
        "session",
        "side",
        "side_text",
        "step",
        "stop",
        "symbol",
        "tag",
        "time_in_force",
        "touched",
        "triggered",
    )

    def __init__(
        self,
        order_id: str,
        step: int,
        column: int,
        symbol: str,
        side: int,
        side_text: str | None,
        order_type: str,
        quantity_type: str,
        requested: float | None,
        lots: int | None,
        limit: float | None,
        stop: float | None,
        time_in_force: str,
        oco_group: str | None,
        tag: str | None,
    ) -> None:
        self.order_id = order_id
        self.step = step
        self.column = column
        self.symbol = symbol
        self.side = side
        self.side_text = side_text
        self.order_type = order_type
        self.quantity_type = quantity_type
        self.requested = requested
        self.lots = lots
        self.limit = limit
        self.stop = stop
        self.time_in_force = time_in_force
        self.gtc = time_in_force == "gtc"
        self.oco_group = oco_group
        self.tag = tag
        self.filled_lots = 0
        self.session: int | None = None
        self.triggered = False
        self.paid = 0.0
        self.notional = 0.0
        self.reason: str | None = None
        self.closed_step: int | None = None
        self.met_step = -1
        self.touched = True

    @property
    def number(self) -> int:
        """Its place among the intents of its decision."""
        return int(self.order_id.rpartition("-")[2])

    @property
    def alive(self) -> bool:
        """Whether it can still trade."""
        return self.closed_step is None

    @property
    def is_market(self) -> bool:
        """Whether it trades at the next price there is, asking for none of its own."""
        return self.order_type == "market" or (self.triggered and self.order_type == "stop")

    def close(self, reason: str | None, step: int) -> None:
        """End it; with no reason it is filled."""
        self.reason = reason
        self.closed_step = step
        self.touched = True

    def size(self, side: int, lots: int) -> None:
        """Fix what it trades."""
        self.side = side
        self.side_text = SIDE_NAMES[side]
        self.lots = lots

    def record(self, grid: LotGrid) -> OrderRecord:
        """Its record as it stands."""
        if self.closed_step is not None:
            status = closing_status(self.reason, self.filled_lots > 0)
        else:  # a market order that has not met a bar is pending; all else alive rests
            met = self.order_type != "market" or self.filled_lots
            status = "resting" if met else "pending"
        return OrderRecord(
            self.order_id,
            self.step,
            self.symbol,
            self.side_text,
            self.order_type,
            self.quantity_type,
            self.requested,
            None if self.lots is None else grid.quantity(self.lots),
            self.limit,
            self.stop,
            self.time_in_force,
            self.oco_group,
            self.tag,
            status,
            self.reason,
            grid.quantity(self.filled_lots),
            self.closed_step,
        )

    def freeze(self) -> OpenOrder:
        """The immutable order that a state keeps."""
        return OpenOrder(
            self.order_id,
            self.step,
            self.column,
            self.symbol,
            self.side,
            self.order_type,
            self.quantity_type,
            self.requested,
            self.lots,
            self.limit,
            self.stop,
            self.gtc,
            self.oco_group,
            self.tag,
            self.filled_lots,
            self.session,
            self.triggered,
            self.paid,
            self.notional,
        )

    @classmethod
    def thaw(cls, order: OpenOrder) -> Ticket:
        """A working copy of an order that a state kept."""
        ticket = cls(
            order.order_id,
            order.step,
            order.column,
            order.symbol,
            order.side,
            SIDE_NAMES[order.side],
            order.order_type,
            order.quantity_type,
            order.requested,
            order.lots,
            order.limit,
            order.stop,
            "gtc" if order.gtc else "day",
            order.oco_group,
            order.tag,
        )
        ticket.filled_lots = order.filled_lots
        ticket.session = order.session
        ticket.triggered = order.triggered
        ticket.paid = order.paid
        ticket.notional = order.notional
        ticket.touched = False
        return ticket
