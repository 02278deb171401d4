"""The run screen's panels and the preview as values."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from engine.model import Fill, OrderRecord
from engine.store.records import StepRecord
from tests.tui.viewmodel.test_runs import RECORD
from tui.gateway import RunDetail
from tui.viewmodel import preview, run_panels
from tui.viewmodel.preview import amount_text, decision_text
from tui.viewmodel.run_panels import RunPanels, average_prices, outcome, zone_of

if TYPE_CHECKING:
    from engine.model import RunRecord

DAY = 86_400_000_000


def order(step: int, status: str = "filled", reason: str | None = None) -> OrderRecord:
    return OrderRecord(
        f"o{step}", step, "AAPL", "buy", "market", "shares", 10.0, 10.0, None, None, "day", None,
        None, status, reason, 10.0, step + 1,
    )  # fmt: skip


def fill(step: int, quantity: float, price: float) -> Fill:
    return Fill(
        step, f"o{step}", step + 1, 0, "AAPL", "buy", quantity, price, price, 0.0, 0.0, 0.0, 0.0,
        quantity, price,
    )  # fmt: skip


def step(index: int, decision: str = "{}") -> StepRecord:
    return StepRecord(
        index, f"s{index}", "2020-01-01T00:00:00Z", "completed", "strategy", None, decision, None,
        None, None, 1,
    )  # fmt: skip


def detail(settled: int = 5, **changes: object) -> RunDetail:
    """What the ledger holds of a run with two orders; ``changes`` are fields of its record."""
    record: RunRecord = replace(RECORD, step_index=settled, **changes)  # type: ignore[arg-type]
    return RunDetail(
        record,
        "here",
        settled - 1,
        np.arange(settled, dtype=np.int64) * DAY,
        np.linspace(100.0, 110.0, settled),
        np.zeros(settled),
        (np.arange(9, dtype=np.int64), np.linspace(100.0, 90.0, 9)),
        (fill(1, 6.0, 10.0), fill(1, 4.0, 20.0)),
        (order(1), order(3, "partially_filled", "insufficient_cash")),
        (step(1, '{"targets":{"AAPL":0.5}}'), step(3)),
        (),
        (),
    )


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ("{}", "hold"),
        ('{"orders":[{"symbol":"AAPL","side":"buy","quantity":100}]}', "buy 100 AAPL"),
        (
            '{"orders":[{"symbol":"A","side":"sell","quantity":0.5,"quantity_type":"weight"}]}',
            "sell 50.0% A",
        ),
        ('{"targets":{"AAPL":0.25,"IBM":0}}', "AAPL → 25%; IBM → 0%"),
        ('{"targets":[{"symbol":"AAPL","shares":0}]}', "AAPL → 0 shares"),
        ('{"cancel":["stop"]}', "cancel stop"),
        ("not json", "not json"),
        ("[1, 2]", "hold"),
        ('{"orders":[3],"targets":7}', "hold"),
    ],
)
def test_decisions_are_said_in_words_whatever_the_ledger_holds(decision: str, words: str) -> None:
    """Rows that another program wrote never break the screen."""
    assert decision_text(decision) == words


@pytest.mark.parametrize(
    ("amount", "kind", "text"),
    [
        (None, "shares", "–"),
        (1500.0, "shares", "1,500"),
        (5000.0, "notional", "$5,000.00"),
        (0.25, "weight", "25.0%"),
        (0.25, "target_weight", "→ 25.0%"),
        (10.0, "target_shares", "→ 10"),
    ],
)
def test_sizes_are_shown_as_they_were_asked_for(amount: float | None, kind: str, text: str) -> None:
    """Shares, money, weights and targets are told apart."""
    assert amount_text(amount, kind) == text


def test_an_outcome_carries_its_reason() -> None:
    """Glyph, word and why; a plain fill needs no reason."""
    assert outcome(order(1)) == "✓ filled"
    assert outcome(order(1, "rejected", "no_position")) == "✗ rejected: no position"
    assert outcome(order(1, "partially_filled", "volume_cap")) == "◐ partial: volume cap"


def test_the_price_of_an_order_is_the_average_of_its_fills() -> None:
    """Weighted by quantity."""
    assert average_prices([fill(1, 6.0, 10.0), fill(1, 4.0, 20.0)]) == {"o1": 14.0}


def test_lists_stand_newest_first_unless_sorted() -> None:
    """By step rising when asked for."""
    panels = RunPanels("$")
    assert [row.key for row in panels.make(detail()).orders] == ["o3", "o1"]
    panels.sorts = {"orders": ("step", False), "decisions": ("decision", True)}
    made = panels.make(detail())
    assert [row.key for row in made.orders] == ["o1", "o3"]
    assert [row.key for row in made.decisions] == ["3", "1"]


def test_a_row_is_made_once_and_anew_when_its_order_changes() -> None:
    """Rows are kept from look to look; a record that moved on is not shown as it was."""
    panels = RunPanels("$")
    before = panels.make(detail()).orders
    assert all(a is b for a, b in zip(before, panels.make(detail()).orders, strict=True))
    later = detail()
    later = replace(later, orders=(later.orders[0], order(3, "cancelled", "no_bar")))
    after = panels.make(later).orders
    assert after[1] is before[1]
    assert after[0].cells[-1].text == "■ cancelled: no bar"


def test_the_baseline_ends_where_the_run_stands() -> None:
    """Nothing after the present is drawn."""
    curves = preview.curves(detail(settled=4))
    assert curves is not None
    assert [len(series.values) for series in curves.series] == [4, 4]


def test_a_run_that_has_not_begun_has_no_curve() -> None:
    """Absence is not a value."""
    assert preview.curves(detail(settled=0)) is None


def test_figures_that_cannot_be_computed_are_dashes() -> None:
    """Null in the ledger is a dash on the screen, never 0."""
    groups = {group.title: group.facts for group in run_panels.figures(detail(), "$", {})}
    values = {fact.label: fact.value for fact in groups["Risk"]}
    assert values["Sharpe, daily"] == "–"
    assert values["longest drawdown"] == "–"
    assert {fact.label: fact.value for fact in groups["Result"]}["CAGR"] == "–"


def test_the_rules_in_force_are_printed_with_the_figures() -> None:
    """Fill rule, costs and parameters, as the configuration has them."""
    config = {
        "calendar": "XNYS",
        "params": {"fast": 10},
        "rules": {
            "fill": "close",
            "lot": 1.0,
            "costs": {
                "profile": "us-equity", "commission_min": 1.0, "commission_per_share": 0.0,
                "commission_pct": 0.001, "sec": True, "taf": False, "slippage_bps": 2.0,
            },
        },
    }  # fmt: skip
    made = run_panels.figures(detail(config=config), "$", {})
    rules = {
        fact.label: fact.value
        for group in made
        if group.title == "Rules in force"
        for fact in group.facts
    }
    assert rules["fast"] == "10"
    assert rules["fills at"] == "same bar's close (optimistic)"
    assert rules["commission"] == "0.1%, at least $1"
    assert rules["fees"] == "SEC"
    assert rules["slippage"] == "2 bp"


def test_times_are_the_exchanges_where_there_is_one() -> None:
    """UTC without an exchange."""
    zone = zone_of(cast("RunRecord", SimpleNamespace(config={"calendar": "24/7"})))
    assert str(zone) == "UTC"
    zone = zone_of(cast("RunRecord", SimpleNamespace(config={"calendar": "XNYS"})))
    assert str(zone) == "America/New_York"
