"""The lot grid: quantities are counted in whole lots, so that holdings close to exactly zero."""

from __future__ import annotations

from math import floor
from typing import Final

from engine.errors import InvalidOption

LEAST_LOT: Final = 1e-12
MOST_LOTS: Final = 10**18  # more than any cash can pay; keeps the arithmetic finite
# A millionth of a lot is forgiven (O6); beyond some 10^10 lots a double cannot tell that much, and
# two units in its last place are: 250 / 1e-9 comes out below 250 * 10^9.
FORGIVEN: Final = 1e-6
FORGIVEN_OF_ALL: Final = 1.0 + 4e-16


class LotGrid:
    """Shares to whole lots and back, by policy O6: n = floor(q / lot + 1e-6).

    A lot that is one part in a whole number (1, 0.01, 1e-9) converts by that number, which a double
    holds exactly as it does not hold the lot. Raises ``InvalidOption`` for a lot that is no number
    from ``LEAST_LOT`` on.
    """

    __slots__ = ("divisor", "factor", "lot")

    def __init__(self, lot: float) -> None:
        if not LEAST_LOT <= lot < float("inf"):
            raise InvalidOption(
                f"lot {lot} is no size of a lot",
                field="lot",
                remedy=f"give a number of shares from {LEAST_LOT:g} on",
            )
        self.lot = float(lot)
        parts = round(1.0 / lot) if lot <= 1.0 else 0
        even = parts > 0 and abs(parts * lot - 1.0) < 1e-12
        # quantity = lots * factor / divisor: one of the two is 1, so one rounding happens.
        self.factor = 1.0 if even else self.lot
        self.divisor = float(parts) if even else 1.0

    def count(self, quantity: float) -> int:
        """Whole lots in a quantity of shares >= 0, toward zero."""
        lots = quantity * self.divisor / self.factor * FORGIVEN_OF_ALL + FORGIVEN
        return floor(lots) if lots < MOST_LOTS else MOST_LOTS

    def toward_zero(self, quantity: float) -> int:
        """Whole lots in a quantity of either sign, toward zero."""
        return self.count(quantity) if quantity >= 0.0 else -self.count(-quantity)

    def quantity(self, lots: int) -> float:
        """Shares in so many lots."""
        return lots * self.factor / self.divisor
