"""`stepdeck export --format html`: our figures and rules first, nothing from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest

from engine.sim.metrics import FORMULAS
from engine.sim.panel import Panel
from engine.sim.reasons import REMEDIES
from tests.cli.conftest import Command, rows
from tui.gateway import Gateway
from tui.plain import figure, rules_in_force
from tui.tear_sheet import daily_returns

# What a browser would fetch by itself; the addresses of XML vocabularies and links are not.
FETCHED = re.compile(
    r"""<(?:link|script|img|iframe|image)\b[^>]*?(?:src|href)\s*=\s*["']?(?:https?:)?//"""
    r"""|@import|url\(\s*["']?(?:https?:)?//""",
    re.IGNORECASE,
)


def test_the_page_has_our_figures_and_rules_first(
    stepdeck: Command, finished: Path, tmp_path: Path
) -> None:
    """Every figure with its formula, every rule by its name, then the charts; all in one file."""
    page = tmp_path / "made" / "page.html"
    done = stepdeck("export", "@1", "--format", "html", "-o", page, "--json", "--db", finished)
    assert (done.status, done.err) == (0, "")
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]
    text = page.read_text(encoding="utf-8")
    assert done.document["rows"] == {"days": len(rows(finished, OF_RUN))}
    ours, _, charts = text.partition("quantstats.io")
    gateway = Gateway.open(finished, write=False)
    try:
        record = gateway.record(gateway.resolve("@1"))
    finally:
        gateway.close()
    for name, formula in FORMULAS.items():
        row = f"<td>{name.replace('_', ' ')}</td><td>{figure(name, record.metrics[name])}</td>"
        assert row in ours
        assert escape(formula) in ours
    for name in rules_in_force(record):
        assert f"<td>{name}</td>" in ours
    assert record.bars_hash is not None
    assert record.bars_hash in ours
    assert charts.count("<svg") >= 10
    assert "Worst 10 Drawdowns" in charts
    assert "BUY AND HOLD" in ours + charts
    assert FETCHED.search(text) is None
    assert "<script" not in text
    assert "onload" not in text


def test_reasons_stand_with_what_would_be_right(stepdeck: Command, tmp_path: Path) -> None:
    """An order that was refused is told with its reason and remedy, in the page and by `show`."""
    tape, ledger, page = tmp_path / "two.jsonl", tmp_path / "runs.db", tmp_path / "page.html"
    order = '{"symbol": "AAPL", "side": "sell", "quantity": 1}'
    tape.write_text(f'{{"step": 3, "orders": [{order}]}}\n{{"step": 5, "orders": [{order}]}}\n')
    window = ("--symbols", "AAPL", "--end", "2000-12-29", "--no-baselines")
    assert stepdeck("run", f"tape:{tape}", *window, "--db", ledger).status == 0
    shown = stepdeck("show", "@1", "--step", "3", "--db", ledger).out
    assert f"no_position  {REMEDIES['no_position']}" in shown
    assert "Reasons" not in stepdeck("show", "@1", "--step", "4", "--db", ledger).out
    assert stepdeck("export", "@1", "--format", "html", "-o", page, "--db", ledger).status == 0
    cells = "<td>no_position</td><td>2</td>"
    assert f'{cells}<td class="formula">{escape(REMEDIES["no_position"])}</td>' in page.read_text(
        encoding="utf-8"
    )


OF_RUN = (
    "SELECT 1 FROM equity JOIN runs USING (run_id) WHERE runs.name = 'second' "
    "GROUP BY substr(ts, 1, 10)"
)


def test_a_name_is_text_and_a_flat_run_has_a_page(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """Markup in a run's name stays text; a run that never traded is drawn all the same."""
    own = tmp_path / "own.py"
    own.write_text(
        "from engine import Strategy\n\n\nclass Own(Strategy):\n    def decide(self, obs):\n"
        "        return None\n"
    )
    name = "<script>alert(1)</script> & $x$ {{title}}"
    words = ("run", f"{own}:Own", "--symbols", "AAPL", "--end", "2000-04-28", "--name", name)
    assert stepdeck(*words, "--db", ledger).status == 0
    page = tmp_path / "page.html"
    done = stepdeck("export", "@1", "--format", "html", "-o", page, "--db", ledger)
    assert (done.status, done.err) == (0, "")
    text = page.read_text(encoding="utf-8")
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_without_the_extra_it_says_how_to_get_it(
    stepdeck: Command, finished: Path, tmp_path: Path
) -> None:
    """Status 2, one line, no file."""
    missing = tmp_path / "site" / "quantstats"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text("raise ModuleNotFoundError('No module named quantstats')")
    page = tmp_path / "page.html"
    words = ("export", "@1", "--format", "html", "-o", page, "--db", finished)
    done = stepdeck(*words, env={"PYTHONPATH": str(missing.parent)})
    assert (done.status, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert "pip install 'stepdeck[report]'" in done.err
    assert not page.exists()


def test_a_run_that_settled_nothing_is_refused(
    stepdeck: Command, ledger: Path, tmp_path: Path
) -> None:
    """A prepared run has no curve to draw."""
    assert stepdeck("run", "manual", "--db", ledger).status == 0
    page = tmp_path / "page.html"
    done = stepdeck("export", "@1", "--format", "html", "-o", page, "--db", ledger)
    assert done.status == 2
    assert "settled nothing" in done.err
    assert not page.exists()


HOUR = 3_600_000_000


@pytest.fixture
def gateway(finished: Path) -> Gateway:
    return Gateway.open(finished, write=False)


def test_a_day_is_a_session_where_the_bars_are_known(gateway: Gateway) -> None:
    """Six hourly bars of two sessions that cross midnight UTC; without the bars, UTC dates."""
    detail = gateway.detail(gateway.resolve("@1"))
    stamps = np.array([22, 23, 24, 46, 47, 48], dtype=np.int64) * HOUR
    equity = np.array([100.0, 101.0, 102.0, 103.0, 104.0, 105.0])
    small = replace(
        detail,
        record=replace(detail.record, initial_cash=100.0),
        stamps=stamps,
        equity=equity,
        baseline=(np.arange(6), equity * 2),
    )
    prices = np.ones((6, 1))
    panel = Panel(
        ("A",), stamps, prices, prices, prices, prices, prices,
        np.array([0, 0, 0, 1, 1, 1], dtype=np.int32), ("1970-01-01", "1970-01-02"),
    )  # fmt: skip
    returns, baseline = daily_returns(small, panel)
    assert returns.to_list() == pytest.approx([0.02, 105 / 102 - 1])
    assert baseline is not None
    assert baseline.to_list() == pytest.approx([1.04, 105 / 102 - 1])
    assert [str(day.date()) for day in returns.index] == ["1970-01-01", "1970-01-02"]
    by_date, _ = daily_returns(small, None)
    assert by_date.to_list() == pytest.approx([0.01, 104 / 101 - 1, 105 / 104 - 1])
    gateway.close()
