"""Commission, US regulatory fees and slippage (policy M2 to M5).

Sources of the dated tables:

- SEC section 31: fee rate advisories, https://www.sec.gov/rules-regulations/fee-rate-advisories
  (27.80 USD per million from 2024-05-22; 0.00 from 2025-05-14; 20.60 from 2026-04-04).
- FINRA Trading Activity Fee: FINRA by-laws, schedule A, section 1, as amended
  (0.000166 USD a share, at most 8.30 a trade; from 2026 0.000195 and 9.79; from 2027 0.000232
  and 11.61), https://www.finra.org/rules-guidance/guidance/trading-activity-fee.

A date before a table uses its first row, and ``notices`` says so; a date after the last row uses
the last. To extend a table, add a row in order of dates.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from math import ceil
from typing import Final, NamedTuple

from engine.model import Costs


class SecRate(NamedTuple):
    """SEC section 31: currency per million of the notional sold, from a trade date on."""

    since: str
    per_million: float


class TafRate(NamedTuple):
    """FINRA TAF: currency per share sold and the cap per trade, from a trade date on."""

    since: str
    per_share: float
    cap: float


class FeeRates(NamedTuple):
    """The fees in force on one trade date; a fee that is switched off has rates of zero."""

    sec_per_million: float
    taf_per_share: float
    taf_cap: float


SEC_RATES: Final = (
    SecRate("2024-05-22", 27.80),
    SecRate("2025-05-14", 0.00),
    SecRate("2026-04-04", 20.60),
)
TAF_RATES: Final = (
    TafRate("2025-01-01", 0.000166, 8.30),
    TafRate("2026-01-01", 0.000195, 9.79),
    TafRate("2027-01-01", 0.000232, 11.61),
)


def up_to_cent(amount: float) -> float:
    """The amount rounded up to the cent, less than a ten-thousandth of a cent forgiven (M2)."""
    return ceil(100.0 * amount - 1e-6) / 100.0


def fee_rates(costs: Costs, trade_date: str) -> FeeRates:
    """The rates in force on an ISO date, those switched off as zero."""
    sec = SEC_RATES[max(0, bisect_right(SEC_RATES, trade_date, key=lambda row: row.since) - 1)]
    taf = TAF_RATES[max(0, bisect_right(TAF_RATES, trade_date, key=lambda row: row.since) - 1)]
    return FeeRates(
        sec.per_million if costs.sec else 0.0,
        taf.per_share if costs.taf else 0.0,
        taf.cap if costs.taf else 0.0,
    )


def sale_fees(rates: FeeRates, quantity: float, notional: float) -> float:
    """Regulatory fees of one sale of ``quantity`` shares for ``notional``, each up to the cent."""
    sec = up_to_cent(rates.sec_per_million * notional / 1e6) if rates.sec_per_million else 0.0
    taf = (
        min(up_to_cent(rates.taf_per_share * quantity), rates.taf_cap)
        if rates.taf_per_share
        else 0.0
    )
    return sec + taf


def charges_commission(costs: Costs) -> bool:
    """Whether any order can cost commission at all."""
    return bool(costs.commission_min or costs.commission_per_share or costs.commission_pct)


def commission_of(costs: Costs) -> Callable[[float, float], float]:
    """The commission of an order that has filled so much in all, by quantity and notional (M2)."""
    least, per_share, pct = (
        costs.commission_min,
        costs.commission_per_share,
        costs.commission_pct,
    )

    def due(quantity: float, notional: float) -> float:
        linear = per_share * quantity + pct * notional
        # As `up_to_cent`, without the call: this is asked for every fill.
        return ceil(100.0 * max(least, linear) - 1e-6) / 100.0

    return due


def notices(costs: Costs, first_date: str) -> tuple[str, ...]:
    """What a report must say of the fee tables for a run whose first trade date is given."""
    said = []
    if costs.sec and first_date < SEC_RATES[0].since:
        said.append(
            f"SEC fees before {SEC_RATES[0].since} use that day's rate,"
            f" {SEC_RATES[0].per_million:.2f} per million"
        )
    if costs.taf and first_date < TAF_RATES[0].since:
        said.append(
            f"FINRA TAF before {TAF_RATES[0].since} uses that day's rate,"
            f" {TAF_RATES[0].per_share} a share"
        )
    return tuple(said)
