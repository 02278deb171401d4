"""Figures as text: units, signs and absence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import inf, nan
from zoneinfo import ZoneInfo

import pytest

from tui import format as show

NEW_YORK = ZoneInfo("America/New_York")


def us(text: str) -> int:
    """Microseconds since the epoch of an ISO stamp."""
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "function",
    [
        show.money,
        show.signed_money,
        show.short_money,
        show.percent,
        show.share,
        show.price,
        show.quantity,
        show.signed_quantity,
        show.count,
        show.ratio,
        show.rate,
        show.duration,
        show.eta,
        show.age,
    ],
)
@pytest.mark.parametrize("value", [None, nan, inf])
def test_absence_is_a_dash(function: Callable[[float | None], str], value: float | None) -> None:
    """What cannot be computed is a dash, never 0 (policy F5)."""
    assert function(value) == show.DASH


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (show.money, 0.0, "0.00"),
        (show.money, 1234.5, "1,234.50"),
        (show.money, -0.004, "0.00"),
        (show.money, -12.0, "-12.00"),
        (show.signed_money, 12.0, "+12.00"),
        (show.signed_money, -12.0, "-12.00"),
        (show.signed_money, 0.0, "0.00"),
        (show.short_money, 0.0, "0"),
        (show.short_money, 950.0, "950"),
        (show.short_money, 0.25, "0.25"),
        (show.short_money, 12_345.0, "12.35k"),
        (show.short_money, 999_999.0, "1M"),
        (show.short_money, -1.25e6, "-1.25M"),
        (show.percent, 0.0123, "+1.23%"),
        (show.percent, -0.5, "-50.00%"),
        (show.percent, 0.0, "0.00%"),
        (show.percent, -0.00001, "0.00%"),
        (show.percent, 12.0, "+1,200.00%"),
        (show.share, 0.5, "50%"),
        (show.price, 187.5, "187.50"),
        (show.price, 0.1234, "0.1234"),
        (show.price, 0.0, "0.00"),
        (show.quantity, 1200.0, "1,200"),
        (show.quantity, 0.5, "0.5"),
        (show.quantity, 1e-9, "0.000000001"),
        (show.signed_quantity, 10.0, "+10"),
        (show.signed_quantity, -10.0, "-10"),
        (show.signed_quantity, 0.0, "0"),
        (show.count, 1750.0, "1,750"),
        (show.ratio, -1.239, "-1.24"),
        (show.rate, 0.0, "0.0/s"),
        (show.rate, 0.5, "0.5/s"),
        (show.rate, 42.3, "42/s"),
        (show.rate, 999.7, "1k/s"),
        (show.rate, 12_345.0, "12.3k/s"),
        (show.rate, 1_250_000.0, "1.25M/s"),
        (show.duration, 0.04, "0.0s"),
        (show.duration, 8.44, "8.4s"),
        (show.duration, 9.96, "10s"),
        (show.duration, 59.6, "1m 00s"),
        (show.duration, 185.0, "3m 05s"),
        (show.duration, 3840.0, "1h 04m"),
        (show.duration, 183_600.0, "2d 03h"),
        (show.duration, -5.0, "-5.0s"),
        (show.eta, 0.2, "<1s"),
        (show.eta, 8.0, "8s"),
        (show.eta, 185.0, "3m 05s"),
        (show.age, 0.3, "now"),
        (show.age, 42.0, "42s"),
        (show.age, 60.0, "1m"),
        (show.age, 7300.0, "2h"),
        (show.age, 90_000.0, "1d"),
        (show.age, 86_400.0 * 10, "10d"),
        (show.age, 86_400.0 * 21, "3w"),
    ],
)
def test_figures(function: Callable[[float | None], str], value: float, text: str) -> None:
    """Each figure has its one spelling."""
    assert function(value) == text


def test_currency_symbol_stands_after_the_sign() -> None:
    """A symbol belongs to the amount, the sign to both."""
    assert show.money(-12.0, "$") == "-$12.00"
    assert show.signed_money(12.0, "$") == "+$12.00"
    assert show.signed_money(0.0, "$") == "$0.00"


def test_stamps_in_a_zone() -> None:
    """Moments carry their zone's abbreviation; summer and winter differ."""
    assert show.stamp(us("2025-03-03T14:30:00+00:00"), NEW_YORK) == "2025-03-03 09:30 EST"
    assert show.stamp(us("2025-07-03T13:30:00+00:00"), NEW_YORK) == "2025-07-03 09:30 EDT"
    assert show.stamp(us("2025-07-03T13:30:00+00:00"), UTC) == "2025-07-03 13:30 UTC"
    assert show.clock(us("2025-07-03T13:30:00+00:00"), NEW_YORK) == "09:30"
    assert show.day(us("2025-07-03T01:30:00+00:00"), NEW_YORK) == "2025-07-02"
    assert show.stamp(None) == show.day(None) == show.clock(None) == show.DASH


def test_a_daily_bar_keeps_its_date_in_every_zone() -> None:
    """Midnight UTC stamps a session by its date; a zone west of it must not move it a day back."""
    midnight = us("2025-03-03T00:00:00+00:00")
    assert show.stamp(midnight, NEW_YORK) == "2025-03-03"
    assert show.day(midnight, NEW_YORK) == "2025-03-03"


def test_gain_and_loss_have_roles() -> None:
    """A sign becomes a role; nothing gained or lost is plain."""
    assert show.gain_role(1.0) == "gain"
    assert show.gain_role(-1.0) == "loss"
    assert show.gain_role(0.0) == show.gain_role(None) == show.gain_role(nan) == "text"


def test_every_status_has_glyph_and_word() -> None:
    """Runs' and orders' states are told by glyph and word, whatever colours there are."""
    runs = "created loading running paused completed failed cancelled interrupted"
    orders = "pending resting filled partially_filled cancelled expired rejected"
    for status in (*runs.split(), *orders.split(), "buy", "sell"):
        look = show.status_look(status)
        assert look.glyph.strip()
        assert look.glyph != "?"
        assert look.word == status.replace("_", " ")
        assert look.text == f"{look.glyph} {look.word}"
    for group in (runs.split(), orders.split()):
        assert len({show.status_look(status).glyph for status in group}) == len(group)


def test_an_unknown_status_is_shown_as_it_is() -> None:
    """A word from a newer ledger is not lost."""
    assert show.status_look("hibernating").text == "? hibernating"
    assert show.status_look(None).word == show.DASH
