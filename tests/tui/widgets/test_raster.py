"""Decimation keeps every peak and trough and leaves no gaps."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.widgets.raster import decimate, dots, dotted, filled_from_bottom, filled_from_top
from tui.widgets.scale import span_of

CURVES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300)


@given(CURVES, st.integers(1, 120), st.integers(0, 300))
@settings(max_examples=200)
def test_no_peak_is_lost(values: list[float], columns: int, more: int) -> None:
    """The least and the greatest value are on the sheet at any width, live or ended."""
    series = np.array(values)
    curve = decimate(np.arange(len(series)), series, columns, 0, len(series) + more)
    assert np.nanmin(curve.low) == series.min()
    assert np.nanmax(curve.high) == series.max()


@given(CURVES, st.integers(2, 120), st.integers(0, 300))
@settings(max_examples=200)
def test_neighbouring_columns_meet(values: list[float], columns: int, more: int) -> None:
    """From the first column to the last there is no break between columns."""
    series = np.array(values)
    curve = decimate(np.arange(len(series)), series, columns, 0, len(series) + more)
    known = np.flatnonzero(~np.isnan(curve.low))
    assert (np.diff(known) == 1).all()
    left, right = known[:-1], known[1:]
    assert (curve.low[right] <= curve.high[left]).all()
    assert (curve.high[right] >= curve.low[left]).all()


@given(CURVES, st.integers(2, 60), st.integers(1, 40))
def test_rasters_show_every_column_of_the_curve(
    values: list[float], columns: int, rows: int
) -> None:
    """Each column that has a value has a dot; a dotted curve is never heavier."""
    series = np.array(values)
    curve = decimate(np.arange(len(series)), series, columns, 0, len(series))
    span = span_of(float(series.min()), float(series.max()))
    mask = dots(curve, span, rows)
    assert (mask.any(axis=0) == ~np.isnan(curve.low)).all()
    thin = dotted(curve, span, rows)
    assert thin.sum() <= mask.sum()


def test_a_live_curve_stops_at_the_present() -> None:
    """Steps that are not settled have no dots."""
    curve = decimate(np.arange(50), np.linspace(0, 1, 50), 100, 0, 100)
    known = np.flatnonzero(~np.isnan(curve.low))
    assert known[0] == 0
    assert 48 <= known[-1] <= 50


def test_sparse_points_are_joined_straight() -> None:
    """Two points far apart have a line between them."""
    curve = decimate(np.array([0, 99]), np.array([0.0, 99.0]), 100, 0, 100)
    assert not np.isnan(curve.low).any()
    assert np.allclose((curve.low + curve.high) / 2, np.arange(100), atol=0.5)


def test_nothing_from_nothing() -> None:
    """No points, no columns: no dots."""
    empty = np.empty(0)
    assert np.isnan(decimate(empty.astype(np.int64), empty, 5, 0, 10).low).all()
    assert len(decimate(np.arange(3), np.arange(3.0), 0, 0, 3).low) == 0


def test_bars_hang_and_stand() -> None:
    """Anything above zero shows one dot at least; NaN shows none."""
    sizes = np.array([0.0, 0.2, 2.0, 9.0, np.nan])
    assert filled_from_top(sizes, 3).sum(axis=0).tolist() == [0, 1, 2, 3, 0]
    assert filled_from_top(sizes, 3)[0].tolist() == [False, True, True, True, False]
    assert filled_from_bottom(sizes, 3)[2].tolist() == [False, True, True, True, False]
