"""Axes: round ticks that differ, labels that have room."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.scale import (
    Span,
    nice_step,
    span_of,
    step_labels,
    tick_text,
    time_labels,
    value_ticks,
)

DAY = 86_400_000_000
NEW_YORK = ZoneInfo("America/New_York")
FINITE = st.floats(-1e12, 1e12)


def us(text: str) -> int:
    """Microseconds since the epoch of an ISO stamp in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@given(FINITE, FINITE, st.integers(1, 40))
def test_ticks_lie_within_and_differ(one: float, other: float, most: int) -> None:
    """Ticks are inside the span, rise by one step, and read differently."""
    span = span_of(min(one, other), max(one, other))
    ticks, step = value_ticks(span, most)
    assert len(ticks) <= most + 1
    largest = max(abs(span.low), abs(span.high))
    slack = step * 1e-6
    assert all(span.low - slack <= tick <= span.high + slack for tick in ticks)
    texts = [tick_text(tick, step, largest) for tick in ticks]
    assert len(set(texts)) == len(texts)


@given(FINITE, FINITE, st.integers(1, 300))
def test_values_of_a_span_have_a_row(one: float, other: float, rows: int) -> None:
    """The highest is in the first half, the lowest in the second, all on the sheet."""
    low, high = min(one, other), max(one, other)
    span = span_of(low, high)
    assert 0 <= span.row(high, rows) <= span.row(low, rows) <= rows - 1


def test_span_ends_are_the_first_and_the_last_row() -> None:
    """Row 0 is the top."""
    span = Span(0.0, 10.0)
    assert [span.row(value, 11) for value in (10.0, 5.0, 0.0)] == [0, 5, 10]
    assert span.row(99.0, 11) == 0
    assert span.holds(10.0)
    assert not span.holds(10.1)


def test_a_flat_series_has_room_around_it() -> None:
    """A span is never empty, whatever the value."""
    for value in (0.0, 100_000.0, -3.0):
        span = span_of(value, value)
        assert span.low < value < span.high
    assert span_of(float("nan"), 1.0) == Span(0.0, 1.0)


def test_nice_steps() -> None:
    """Steps are 1, 2, 2.5 or 5 times a power of ten."""
    assert nice_step(100, 10) == 10
    assert nice_step(100, 4) == 25
    assert nice_step(0.9, 5) == pytest.approx(0.2)
    assert nice_step(13, 3) == 5


@pytest.mark.parametrize(
    ("value", "step", "largest", "text"),
    [
        (100_000, 1_000, 102_000, "100k"),
        (100_500, 500, 102_000, "100.5k"),
        (1_250_000, 250_000, 2e6, "1.25M"),
        (9_500, 500, 9_900, "9,500"),
        (187.5, 2.5, 190, "187.5"),
        (0.25, 0.05, 0.3, "0.25"),
        (-0.0, 1, 3, "0"),
        (0.0, 1e6, 2e6, "0"),
        (-5_000, 5_000, 20_000, "-5k"),
    ],
)
def test_tick_texts(value: float, step: float, largest: float, text: str) -> None:
    """Just the decimals that tell neighbours apart, one unit along the axis."""
    assert tick_text(value, step, largest) == text


def spread(start: int, step: int, count: int, columns: int) -> list[str]:
    """The labels under ``columns`` that spread ``count`` regular stamps."""
    stamps = start + step * (np.arange(columns) * count // columns)
    return [label.text for label in time_labels(stamps.astype(np.int64))]


def test_years_months_days_and_times() -> None:
    """The unit follows the span; a larger unit is named where it turns."""
    start = us("2024-11-04T00:00:00")
    assert spread(start, DAY, 200, 100) == ["Nov", "Dec", "2025", "Feb", "Mar", "Apr", "May"]
    assert spread(us("2015-01-01T00:00:00"), DAY, 3650, 80)[1:4] == ["2016", "2017", "2018"]
    days = spread(us("2025-03-03T00:00:00"), DAY, 8, 80)
    assert days[:3] == ["3 Mar", "4 Mar", "5 Mar"]
    times = spread(us("2025-03-03T14:30:00"), 60_000_000, 120, 60)
    assert times[0] == "3 Mar"
    assert "15:30" in times


@given(
    st.integers(0, us("2050-01-01T00:00:00")),
    st.sampled_from([1_000_000, 60_000_000, 3_600_000_000, DAY, 30 * DAY]),
    st.integers(1, 200),
    st.integers(0, 200),
)
def test_labels_never_touch(start: int, step: int, columns: int, unknown: int) -> None:
    """Labels rise, keep apart and stand under columns that have a time."""
    stamps = np.full(columns + unknown, -1, np.int64)
    stamps[:columns] = start + step * np.arange(columns)
    labels = time_labels(stamps, NEW_YORK)
    assert labels
    end = -2
    for label in labels:
        assert label.column >= end + 2
        assert 0 <= label.column < columns
        end = label.column + len(label.text)


def test_labels_are_regular() -> None:
    """Turns that wobble by a column all keep their labels."""
    texts = spread(us("2000-01-03T00:00:00"), DAY, 4800, 87)
    years = [int(text) for text in texts]
    assert len(years) > 4
    assert {later - earlier for earlier, later in pairwise(years)} == {1}


def test_times_are_the_zones() -> None:
    """Hours stand in the zone asked for; midnight stamps keep their date."""
    stamps = us("2025-07-01T13:30:00") + 1_800_000_000 * np.arange(14, dtype=np.int64)
    texts = [label.text for label in time_labels(np.repeat(stamps, 10), NEW_YORK)]
    assert "10:00" in texts or "10:30" in texts
    daily = us("2025-07-01T00:00:00") + DAY * np.arange(5, dtype=np.int64)
    assert time_labels(np.repeat(daily, 10), NEW_YORK)[0].text == "1 Jul"


def test_no_times_no_labels() -> None:
    """Columns without a time have no labels."""
    assert time_labels(np.full(10, -1, np.int64)) == []
    assert time_labels(np.empty(0, np.int64)) == []


@given(st.integers(0, 250), st.integers(0, 2_000_000))
def test_step_labels_fit(columns: int, steps: int) -> None:
    """Step numbers begin at 0, rise and keep apart."""
    labels = step_labels(columns, 0, steps)
    assert bool(labels) == (columns > 0 and steps > 0)
    end = -1
    for label in labels:
        assert label.column > end
        end = label.column + len(label.text)
