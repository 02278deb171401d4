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


def closing_status(reason: str | None, filled: bool) -> str:
    """The terminal status that a reason amounts to, given whether anything was filled."""
    if reason is None:
        return "filled"
    return CUT if filled else STATUS_WITHOUT_FILL[reason]
