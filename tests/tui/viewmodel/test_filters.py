"""The filter language of the runs list."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidOption
from tui.viewmodel.filters import NUMBER_FIELDS, TEXT_FIELDS, parse


@dataclass
class Run:
    """A run as the filter sees it."""

    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float | None] = field(default_factory=dict)

    def text(self, field: str, /) -> str:
        return self.texts[field]

    def number(self, field: str, /) -> float | None:
        return self.numbers[field]


def run(**values: str | float | None) -> Run:
    texts = dict.fromkeys(TEXT_FIELDS, "")
    numbers: dict[str, float | None] = dict.fromkeys(NUMBER_FIELDS)
    for name, value in values.items():
        if name in texts:
            texts[name] = str(value)
        else:
            assert not isinstance(value, str)
            numbers[name] = value
    return Run(texts, numbers)


GAIN = run(
    id="7f3a", name="Trend", status="running", strategy="sma_cross", symbol="AAPL MSFT",
    ret=0.12, dd=-0.2, equity=112_000, age=7200, agent="",
)  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "7f3",
        "trend",
        "SMA",
        "msft",
        "status:running",
        "status:run",
        "status:active",
        "status:completed,running",
        "strategy:sma",
        "ret>0.1",
        "ret>10%",
        "ret>=12%",
        "return=0.12",
        "ret!=0.2",
        "dd<-10%",
        "equity>100k",
        "age<3h",
        "age>=2h",
        "age>60m",
        "-agent:bot",
        "agent:",
        "status:running strategy:sma ret>0.1 -agent:bot",
        '"aapl msft"',
        'symbol:"AAPL MSFT"',
        "-completed",
    ],
)
def test_terms_that_hold(text: str) -> None:
    """Each of these passes the run."""
    assert parse(text).matches(GAIN)


@pytest.mark.parametrize(
    "text",
    [
        "8f",
        "status:completed",
        "status:done",
        "strategy:rsi",
        "ret<0.1",
        "ret>12%",
        "sharpe>0",
        "sharpe<0",
        "-sma",
        "-ret>5%",
        "-status:active",
        "status:running ret>50%",
        "agent:bot",
        "status:",
    ],
)
def test_terms_that_do_not_hold(text: str) -> None:
    """Each of these keeps the run out; what has no value never matches a comparison."""
    assert not parse(text).matches(GAIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stats:running", "did you mean status"),
        ("ret>much", "write it like ret>5%"),
        ("ret>5q", "write it like ret>5%"),
        ("age<soon", "write it like age<2h"),
        ("name>a", "write name:a"),
        ("zzz:1", "fields are id"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_remedy(text: str, said: str) -> None:
    """A wrong term is named with what would be right."""
    with pytest.raises(InvalidOption, match=said) as refused:
        parse(text)
    assert refused.value.field == "filter"


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_a_refusal(text: str) -> None:
    """Typing can never break the list."""
    with suppress(InvalidOption):
        parse(text).matches(GAIN)
