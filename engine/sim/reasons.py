"""Why an order ended other than by a plain fill: the one enumeration, and where each may stand.

The names are those of the ledger's ``orders.reason`` (policy O2).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Reason(StrEnum):
    """A reason code. Records carry its plain text; None there is a plain fill, or still alive."""

    INSUFFICIENT_CASH = "insufficient_cash"
    CLIPPED_TO_POSITION = "clipped_to_position"
    VOLUME_CAP = "volume_cap"
    MAX_LEVERAGE = "max_leverage"
    NO_BAR = "no_bar"
    OCO_CANCELLED = "oco_cancelled"
    CORPORATE_ACTION = "corporate_action"
    ALREADY_AT_TARGET = "already_at_target"
    CANCELLED_BY_USER = "cancelled_by_user"
    RUN_ENDED = "run_ended"
    RUIN = "ruin"
    NO_NEXT_BAR = "no_next_bar"
    SESSION_END = "session_end"
    END_OF_DATA = "end_of_data"
    NO_POSITION = "no_position"
    INVALID_QUANTITY = "invalid_quantity"
    BELOW_LOT = "below_lot"
    FRACTIONAL_REQUIRES_DAY_TIF = "fractional_requires_day_tif"
    INVALID_SYMBOL = "invalid_symbol"
    INVALID_SIDE = "invalid_side"
    INVALID_PRICE = "invalid_price"
    UNSUPPORTED_ORDER_TYPE = "unsupported_order_type"
    UNSUPPORTED_QUANTITY_TYPE = "unsupported_quantity_type"
    MISSING_PRICE = "missing_price"
    TOO_MANY_ORDERS = "too_many_orders"
    EXCEEDS_MAX_POSITION_WEIGHT = "exceeds_max_position_weight"
    EXCEEDS_MAX_ORDER_SIZE = "exceeds_max_order_size"
    BELOW_MIN_CONFIDENCE = "below_min_confidence"


CUT: Final = "partially_filled"

# The status an order ends in that has no fill. One that has fills ends `partially_filled` with the
# same reason, whatever the table says (policy O2: nothing filled is ever lost from the record).
STATUS_WITHOUT_FILL: Final[Mapping[str, str]] = MappingProxyType(
    {
        reason.value: status
        for status, reasons in {
            "cancelled": (
                Reason.NO_BAR,
                Reason.OCO_CANCELLED,
                Reason.CORPORATE_ACTION,
                Reason.VOLUME_CAP,
                Reason.ALREADY_AT_TARGET,
                Reason.CANCELLED_BY_USER,
                Reason.RUN_ENDED,
                Reason.RUIN,
            ),
            "expired": (Reason.NO_NEXT_BAR, Reason.SESSION_END, Reason.END_OF_DATA),
            "rejected": (
                Reason.NO_POSITION,
                Reason.CLIPPED_TO_POSITION,
                Reason.INVALID_QUANTITY,
                Reason.BELOW_LOT,
                Reason.FRACTIONAL_REQUIRES_DAY_TIF,
                Reason.INSUFFICIENT_CASH,
                Reason.MAX_LEVERAGE,
                Reason.INVALID_SYMBOL,
                Reason.INVALID_SIDE,
                Reason.INVALID_PRICE,
                Reason.UNSUPPORTED_ORDER_TYPE,
                Reason.UNSUPPORTED_QUANTITY_TYPE,
                Reason.MISSING_PRICE,
                Reason.TOO_MANY_ORDERS,
                Reason.EXCEEDS_MAX_POSITION_WEIGHT,
                Reason.EXCEEDS_MAX_ORDER_SIZE,
                Reason.BELOW_MIN_CONFIDENCE,
            ),
        }.items()
        for reason in reasons
    }
)

# What would be right instead, in a line: said beside a reason wherever one is shown.
REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        Reason.INSUFFICIENT_CASH.value: "ask for no more than cash pays, costs included",
        Reason.CLIPPED_TO_POSITION.value: "sell no more than is held, or allow shorting",
        Reason.VOLUME_CAP.value: "ask for less of the bar's volume, or raise participation",
        Reason.MAX_LEVERAGE.value: "keep gross exposure within equity x max-leverage",
        Reason.NO_BAR.value: "make it good till cancelled, to wait for the symbol's next bar",
        Reason.OCO_CANCELLED.value: "its sibling traded: nothing to do",
        Reason.CORPORATE_ACTION.value: "place it again in new shares and at prices after the split",
        Reason.ALREADY_AT_TARGET.value: "the holding is the target already: nothing to do",
        Reason.CANCELLED_BY_USER.value: "place it again if it is wanted after all",
        Reason.RUN_ENDED.value: "the run was ended with it open",
        Reason.RUIN.value: "equity is gone: risk less",
        Reason.NO_NEXT_BAR.value: "decide before the last bar, or fill at the close",
        Reason.SESSION_END.value: "make it good till cancelled, or place it again each session",
        Reason.END_OF_DATA.value: "it rested until the last bar: ask for a price nearer by",
        Reason.NO_POSITION.value: "hold the symbol before selling it, or allow shorting",
        Reason.INVALID_QUANTITY.value: "give a finite number above 0; a target weight or shares",
        Reason.BELOW_LOT.value: "ask for one lot at least, or run with a smaller lot",
        Reason.FRACTIONAL_REQUIRES_DAY_TIF.value: "make it a day order, or ask for whole shares",
        Reason.INVALID_SYMBOL.value: "name a symbol of the run, in its spelling",
        Reason.INVALID_SIDE.value: "buy or sell",
        Reason.INVALID_PRICE.value: "give a finite price above 0, where the order type takes one",
        Reason.UNSUPPORTED_ORDER_TYPE.value: "market, limit, stop or stop_limit; day or gtc",
        Reason.UNSUPPORTED_QUANTITY_TYPE.value: "shares, notional or weight",
        Reason.MISSING_PRICE.value: "a limit needs limit_price, a stop stop_price, stop_limit both",
        Reason.TOO_MANY_ORDERS.value: "place fewer orders in a decision",
        Reason.EXCEEDS_MAX_POSITION_WEIGHT.value: "hold less of one symbol",
        Reason.EXCEEDS_MAX_ORDER_SIZE.value: "split it into smaller orders",
        Reason.BELOW_MIN_CONFIDENCE.value: "decide with the confidence that is asked for, or hold",
    }
)


def closing_status(reason: str | None, filled: bool) -> str:
    """The terminal status that a reason amounts to, given whether anything was filled."""
    if reason is None:
        return "filled"
    return CUT if filled else STATUS_WITHOUT_FILL[reason]
