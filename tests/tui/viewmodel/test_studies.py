"""Indicators of the price chart: what is typed, and that no value knows a later bar."""

from __future__ import annotations

import numpy as np
import pytest

from engine.errors import InvalidOption
from engine.sim.panel import Panel
from tests.tui.widgets.kit import HOUR, START, bars, view
from tui.viewmodel.studies import Study, read_studies, studies_of, usual_studies
from tui.widgets.price_sheet import PriceView, draw_price


def panel(count: int = 120) -> Panel:
    """One symbol's random walk."""
    made = bars(count, 5)
    return Panel(
        ("A",),
        START + HOUR * np.arange(count, dtype=np.int64),
        made.open[:, None],
        made.high[:, None],
        made.low[:, None],
        made.close[:, None],
        made.volume[:, None],
        np.zeros(count, np.int32),
        ("2025-01-02",),
    )


@pytest.mark.parametrize(
    ("text", "studies"),
    [
        ("", ()),
        ("sma 20", (Study("sma", (20.0,)),)),
        ("SMA", (Study("sma", (20.0,)),)),
        ("sma 10, ema 50; rsi", (Study("sma", (10.0,)), Study("ema", (50.0,)),
                                 Study("rsi", (14.0,)))),
        ("bb 30", (Study("bollinger", (30.0, 2.0)),)),
        ("bollinger 20 2.5", (Study("bollinger", (20.0, 2.5)),)),
        ("macd, macd", (Study("macd", (12.0, 26.0, 9.0)),)),
    ],
)  # fmt: skip
def test_what_is_typed_is_read(text: str, studies: tuple[Study, ...]) -> None:
    """Names in any case, with their usual parameters where none are given; each once."""
    assert read_studies(text) == studies


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vwap", "there is no 'vwap'"),
        ("sma x", "no number"),
        ("sma 1.5", "no number of bars"),
        ("sma 0", "no number of bars"),
        ("sma -3", "no number of bars"),
        ("rsi 14 3", "takes 1 number"),
        ("bollinger 20 0", "deviations"),
        ("sma 2,sma 3,sma 4,sma 5,sma 6,sma 7,sma 8", "too many"),
    ],
)
def test_what_is_none_is_refused_with_what_would_be(text: str, said: str) -> None:
    """The line under the field says it."""
    with pytest.raises(InvalidOption, match=said):
        read_studies(text)


def test_a_built_in_strategy_brings_its_own() -> None:
    """One sees what it goes by without asking."""
    assert list(map(str, usual_studies("sma_cross", {"fast": 5}))) == ["sma 5", "sma 30"]
    assert list(map(str, usual_studies("rsi_reversion", {}))) == ["rsi 14"]
    assert usual_studies("manual", {}) == ()


def test_values_are_cut_at_the_moment_shown() -> None:
    """The chart of the past has no value of a later bar, and those it has do not change."""
    whole = panel()
    chosen = read_studies("sma 5, bollinger 10, rsi 7, macd 3 6 2, atr 5")
    studies = studies_of(chosen, whole, "A")
    seen = PriceView.of(whole, "A", 60, studies=studies)
    short = panel(120)
    cut = Panel(
        short.symbols, short.stamps[:60], short.open[:60], short.high[:60], short.low[:60],
        short.close[:60], short.volume[:60], short.sessions[:60], short.session_dates,
    )  # fmt: skip
    there = studies_of(chosen, cut, "A")
    lines = [*seen.studies.overlays, *(one for s in seen.studies.strips for one in s.lines)]
    others = [*there.overlays, *(one for strip in there.strips for one in strip.lines)]
    assert len(lines) == len(others) == 7
    for one, other in zip(lines, others, strict=True):
        assert len(one.values) == 60
        np.testing.assert_allclose(one.values, other.values, rtol=1e-12)


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize(("width", "height"), [(80, 18), (78, 22), (160, 50), (250, 70), (30, 8)])
def test_they_are_drawn_and_named(width: int, height: int, ascii_only: bool) -> None:
    """Over the price with their values where there is room, beneath it with name and value."""
    whole = panel()
    studies = studies_of(read_studies("sma 5, rsi 7, atr 5"), whole, "A")
    view_of = PriceView.of(whole, "A", 120, studies=studies)
    picture = draw_price(view_of, width, height, ascii=ascii_only)
    assert picture is not None
    text = picture.grid.text()
    value = studies.overlays[0].at(119)
    assert all(len(line) <= width for line in text.splitlines())
    if width >= 78:
        assert f"SMA 5 {value:.2f}" in text
        assert "RSI 7" in text
    assert not ascii_only or text.replace("–", "-").isascii()
    plain = draw_price(view(), width, height)
    assert plain is not None
    assert "RSI" not in plain.grid.text()
