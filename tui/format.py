"""Values as people read them: one way for each kind of figure, everywhere on the screen.

What cannot be computed (None, or NaN) is a dash and never 0 (policy F5). Money and prices are in
the account's currency, shares and returns fractions, durations seconds, stamps microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from math import isfinite
from typing import Final, NamedTuple

from engine.model import stamp_datetime

DASH: Final = "–"
MINUS: Final = "-"  # the keyboard's: pasted into a spreadsheet it stays a number
_SCALES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def money(value: float | None, symbol: str = "") -> str:
    """An amount to the cent: ``1,234.50``, ``-$12.00``."""
    if value is None or not isfinite(value):
        return DASH
    amount = f"{abs(value):,.2f}"
    # An amount that rounds to nothing has no sign.
    sign = MINUS if value < 0 and amount != "0.00" else ""
    return f"{sign}{symbol}{amount}"


def signed_money(value: float | None, symbol: str = "") -> str:
    """An amount to the cent with its sign: ``+1,234.50``."""
    text = money(value, symbol)
    return text if text[0] in (DASH, MINUS) or text.endswith(f"{symbol}0.00") else f"+{text}"


def short_money(value: float | None) -> str:
    """An amount in few characters, for axes: ``950``, ``12.3k``, ``1.25M``."""
    if value is None or not isfinite(value):
        return DASH
    size = abs(value)
    for scale, letter in _SCALES:
        # 999,999 rounds to 1M, not to 1000k.
        if size >= scale * 0.9995:
            return f"{value / scale:.4g}{letter}"
    return f"{value:.4g}" if size >= 1 or size == 0 else f"{value:.2g}"


def percent(value: float | None, places: int = 2) -> str:
    """A fraction as a percentage with its sign: 0.0123 is ``+1.23%``."""
    if value is None or not isfinite(value):
        return DASH
    text = f"{value * 100:+,.{places}f}%"
    return text if any(digit in text for digit in "123456789") else text[1:]


def share(value: float | None, places: int = 0) -> str:
    """A part of a whole, without sign: 0.5 is ``50%``."""
    return DASH if value is None or not isfinite(value) else f"{value * 100:,.{places}f}%"


def price(value: float | None) -> str:
    """A price: two decimals, more where they matter (below 1, four)."""
    if value is None or not isfinite(value):
        return DASH
    return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:,.4f}"


def quantity(value: float | None) -> str:
    """A number of shares: fractions only where there are some."""
    if value is None or not isfinite(value):
        return DASH
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.9f}".rstrip("0")


def signed_quantity(value: float | None) -> str:
    """A number of shares with its sign."""
    text = quantity(value)
    return f"+{text}" if value is not None and isfinite(value) and value > 0 else text


def count(value: float | None) -> str:
    """A whole number with thousands separated."""
    return DASH if value is None or not isfinite(value) else f"{value:,.0f}"


def ratio(value: float | None) -> str:
    """A figure without a unit, such as a Sharpe ratio: two decimals."""
    return DASH if value is None or not isfinite(value) else f"{value:,.2f}"


def rate(value: float | None) -> str:
    """Steps a second: ``0.5/s``, ``42/s``, ``12.3k/s``."""
    if value is None or not isfinite(value):
        return DASH
    if value < 10:
        return f"{value:.1f}/s"
    if value < 999.5:
        return f"{value:.0f}/s"
    for scale, letter in _SCALES:
        if value >= scale * 0.9995:
            return f"{value / scale:.3g}{letter}/s"
    return f"{value:.0f}/s"


def duration(seconds: float | None) -> str:
    """A span of time in its two largest units: ``8.4s``, ``3m 05s``, ``1h 04m``, ``2d 03h``."""
    if seconds is None or not isfinite(seconds):
        return DASH
    if seconds < 0:
        return f"{MINUS}{duration(-seconds)}"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600:02d}h"


def eta(seconds: float | None) -> str:
    """Time still to go, in whole seconds: ``<1s``, ``8s``, ``3m 05s``."""
    if seconds is None or not isfinite(seconds):
        return DASH
    if seconds < 1:
        return "<1s"
    return duration(seconds) if seconds >= 9.95 else f"{seconds:.0f}s"


def age(seconds: float | None) -> str:
    """How long ago, in its largest unit: ``now``, ``42s``, ``3m``, ``5h``, ``2d``, ``7w``."""
    if seconds is None or not isfinite(seconds):
        return DASH
    if seconds < 1:
        return "now"
    for unit, letter in ((604_800, "w"), (86_400, "d"), (3600, "h"), (60, "m")):
        # A fortnight of days reads better than two weeks; hours and minutes turn at once.
        if seconds >= unit * (2 if letter == "w" else 1):
            return f"{int(seconds // unit)}{letter}"
    return f"{int(seconds)}s"


def stamp(microseconds: int | None, zone: tzinfo = UTC) -> str:
    """A moment to the minute with its zone: ``2025-03-03 09:30 EST``; a midnight is a bare date.

    Daily bars are stamped midnight UTC: for them the date says it all, in any zone.
    """
    if microseconds is None:
        return DASH
    if microseconds % 86_400_000_000 == 0:
        return day(microseconds)
    return f"{stamp_datetime(microseconds).astimezone(zone):%Y-%m-%d %H:%M %Z}"


def day(microseconds: int | None, zone: tzinfo = UTC) -> str:
    """The date of a moment: ``2025-03-03``; that of a midnight UTC is the UTC date in any zone."""
    if microseconds is None:
        return DASH
    where = UTC if microseconds % 86_400_000_000 == 0 else zone
    return f"{stamp_datetime(microseconds).astimezone(where):%Y-%m-%d}"


def clock(microseconds: int | None, zone: tzinfo = UTC) -> str:
    """The time of day of a moment: ``09:30``."""
    if microseconds is None:
        return DASH
    return f"{stamp_datetime(microseconds).astimezone(zone):%H:%M}"


def gain_role(value: float | None) -> str:
    """The role a signed figure is shown in."""
    if value is None or not isfinite(value) or value == 0:
        return "text"
    return "gain" if value > 0 else "loss"


class Look(NamedTuple):
    """How a state is shown: glyph and word carry it, the role's colour only helps."""

    glyph: str
    word: str
    role: str

    @property
    def text(self) -> str:
        """Glyph and word."""
        return f"{self.glyph} {self.word}"


LOOKS: Final[Mapping[str, Look]] = {
    look.word: look
    for look in (
        Look("○", "created", "muted"),
        Look("◌", "loading", "info"),
        Look("▶", "running", "accent"),
        Look("Ⅱ", "paused", "attention"),
        Look("✓", "completed", "gain"),
        Look("✗", "failed", "loss"),
        Look("■", "cancelled", "muted"),
        Look("↯", "interrupted", "attention"),
        Look("…", "pending", "info"),
        Look("◇", "resting", "info"),
        Look("✓", "filled", "gain"),
        Look("◐", "partially filled", "attention"),
        Look("⊘", "expired", "muted"),
        Look("✗", "rejected", "loss"),
        Look("▲", "buy", "gain"),
        Look("▼", "sell", "loss"),
        Look("!", "timed out", "attention"),
    )
}


def status_look(status: str | None) -> Look:
    """The look of a run's, an order's or a step's status, or of a side; unknown ones are plain."""
    if status is None:
        return Look(" ", DASH, "muted")
    word = status.replace("_", " ")
    return LOOKS.get(word) or Look("?", word, "text")
