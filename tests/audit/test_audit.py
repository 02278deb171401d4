"""The audit finds planted look-ahead and hidden randomness, and finds nothing where there is none.

Strategies are planted in files, as a user's would be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from engine.drivers.audit import HASH_SEEDS, Audit, audit, choose_points, differences
from engine.drivers.perturbations import PERTURBATIONS, Perturb
from engine.errors import InvalidOption, StrategyError
from engine.model import Decision, Order, Rules, RunRequest, Target
from engine.sim.panel import FIELDS, Panel
from engine.strategies import registry

SYMBOLS = ("AAPL", "IBM", "MSFT")
HEAD = (
    "import random, time\nimport numpy as np\nimport pandas as pd\n"
    "from engine import Order, Strategy, Target\n\n\nclass Planted(Strategy):\n"
)
HOLD_WHAT_IS_UP = (
    "    def decide(self, obs):\n"
    "        row = self.up[obs.step]\n"
    "        return [Target(s, 0.3 if row[i] else 0.0) for i, s in enumerate(obs.symbols)]\n"
)


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., Audit]:
    """Audits a class body, which is given without its indent, over half a year of real bars."""

    def run(
        body: str, *, fill: str = "next_open", points: int = 8, hash_seeds: Sequence[int] = ()
    ) -> Audit:
        path = tmp_path / "planted.py"
        path.write_text(HEAD + "\n".join(f"    {line}" for line in body.splitlines()) + "\n")
        asked = request(f"{path}:Planted", fill=fill)
        return audit(asked, points=points, hash_seeds=hash_seeds)

    return run


def request(strategy: str, *, fill: str = "next_open") -> RunRequest:
    rules = Rules(fill="close") if fill == "close" else Rules()
    return RunRequest(strategy, symbols=SYMBOLS, end=date(2000, 9, 29), rules=rules)


def prepared(up: str) -> str:
    """A class body whose prepare finds what to hold by an expression over the DataFrame closes."""
    lines = [
        "def prepare(self, panel):",
        "    closes = pd.DataFrame(panel.close)",
        f"    self.up = ({up}).to_numpy()",
        *(line[4:] for line in HOLD_WHAT_IS_UP.splitlines()),
    ]
    return "\n".join(lines)


PLANTED = {
    "the next close": ("closes.shift(-1) > closes", 0),
    "three bars on": ("closes.shift(-3) > closes", 2),
    "a centred window": ("closes > closes.rolling(5, center=True).mean()", 1),
    "backfilled": ("closes.where(closes.index.to_series() % 4 == 0).bfill() > closes", 2),
    "normalised over all bars": ("(closes - closes.mean()) / closes.std() > 0.1", 10_000),
    "ranked over all bars": ("closes.rank(pct=True) > 0.5", 10_000),
    "the whole run's best symbol": (
        "closes.mul(0).add((closes.iloc[-1] / closes.iloc[0]).rank() == 3, axis=1) > 0",
        10_000,
    ),
}


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize("name", PLANTED)
def test_planted_look_ahead_is_found(found: Callable[..., Audit], name: str, fill: str) -> None:
    """Named as look-ahead, by step and symbol, no farther back than it reaches."""
    expression, reach = PLANTED[name]
    report = found(prepared(expression), fill=fill)
    assert not report.clean
    assert {finding.kind for finding in report.findings} == {"look_ahead"}
    for finding in report.findings:
        assert finding.symbol in SYMBOLS
        assert finding.after is not None
        assert 0 <= finding.after - finding.step <= reach
        assert finding.before != finding.now


CAUSAL = {
    "the last close": "closes.shift(1) < closes",
    "a trailing window": "closes > closes.rolling(5).mean()",
    "an expanding mean": "closes > closes.expanding().mean()",
    "exponential": "closes > closes.ewm(span=10, adjust=False).mean()",
}


@pytest.mark.parametrize("name", CAUSAL)
def test_causal_preparation_is_clean(found: Callable[..., Audit], name: str) -> None:
    """Looking back is no finding, whatever the window."""
    report = found(prepared(CAUSAL[name]))
    assert report.findings == ()
    assert report.notes == ()
    assert report.reruns == 2 + 3 * len(report.points)


RANDOM = {
    "the global generator": (
        "def decide(self, obs):\n    return Target('AAPL', round(random.random(), 3))",
        "again",
    ),
    "numpy's global generator": (
        "def decide(self, obs):\n    return Target('AAPL', round(np.random.rand(), 3))",
        "again",
    ),
    "the clock": (
        "def decide(self, obs):\n    return Order.buy('AAPL', 1 + time.perf_counter_ns() % 997)",
        "again",
    ),
    "the clock's thread": (
        "def decide(self, obs):\n    return Target('AAPL', time.thread_time_ns() % 9973 / 10_000)",
        "again",
    ),
    "the order of a set": (
        "def decide(self, obs):\n    return [Order.buy(symbol, 1) for symbol in set(obs.symbols)]",
        "hash seed",
    ),
    "a hash": (
        "def decide(self, obs):\n    return Target(obs.symbols[hash('which') % 3], 0.5)",
        "hash seed",
    ),
}


@pytest.mark.parametrize("name", RANDOM)
def test_hidden_randomness_is_found(found: Callable[..., Audit], name: str) -> None:
    """By a second run in this process, or by one where texts hash otherwise."""
    body, how = RANDOM[name]
    report = found(body, points=2, hash_seeds=HASH_SEEDS)
    first = report.findings[0]
    assert first.kind == "not_repeatable"
    assert first.step < 10
    assert first.how.startswith(how)
    assert first.symbol in SYMBOLS


def test_randomness_of_the_observation_is_clean(found: Callable[..., Audit]) -> None:
    """`obs.rng` derives from (seed, step) (policy D2)."""
    body = "def decide(self, obs):\n    return Target('AAPL', round(obs.rng.random(), 3))"
    assert found(body, points=3).clean


def test_look_ahead_is_not_claimed_where_nothing_repeats(found: Callable[..., Audit]) -> None:
    """A random decision differs whatever the future is; the audit says what it left out."""
    body = prepared("closes.shift(-1) > closes").replace("0.3 if", "random.random() if")
    report = found(body)
    assert {finding.kind for finding in report.findings} == {"not_repeatable"}
    assert "look-ahead was not tried" in report.notes[0]


def test_a_later_row_by_its_number_is_look_ahead(found: Callable[..., Audit]) -> None:
    """Other bars there change the order; with none there it fails, which is noted."""
    body = (
        "def prepare(self, panel):\n"
        "    self.goal = int(panel.close[120, 0])\n\n"
        "def decide(self, obs):\n"
        "    return Order.buy('AAPL', 1 + self.goal) if obs.step == 3 else None"
    )
    report = found(body)
    assert {(finding.step, finding.symbol) for finding in report.findings} == {(3, "AAPL")}
    assert {finding.kind for finding in report.findings} == {"look_ahead"}
    assert "reads a later one" in report.notes[0]


def test_wanting_more_past_than_there_is_is_no_look_ahead(found: Callable[..., Audit]) -> None:
    """A strategy that refuses fewer than 50 bars fails on short panels, and only on those."""
    body = (
        "def prepare(self, panel):\n"
        "    if panel.steps < 50:\n"
        "        raise ValueError('too few bars')\n\n"
        "def decide(self, obs):\n"
        "    return Target('AAPL', 0.5) if obs.step % 20 == 0 else None"
    )
    report = found(body)
    assert any(after < 49 for after in report.points)
    assert report.clean
    assert "too few bars" in report.notes[0]


def test_asking_for_a_later_bar_is_a_finding(found: Callable[..., Audit]) -> None:
    """What would raise in a run is named with its step."""
    report = found(
        "def decide(self, obs):\n"
        "    return obs.bar('AAPL', obs.step + 1) if obs.step == 7 else None"
    )
    (finding,) = report.findings
    assert (finding.kind, finding.step, finding.how) == ("look_ahead", 7, "asked")


def test_a_strategy_that_fails_is_no_finding(found: Callable[..., Audit]) -> None:
    """It cannot be audited, and its own failure says why."""
    with pytest.raises(StrategyError, match=r"planted\.py:\d+ at step 4"):
        found("def decide(self, obs):\n    return 1 / (obs.step - 4) and None")


def test_what_a_strategy_prints_is_dropped(
    found: Callable[..., Audit], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of it reaches the screen."""
    found("def decide(self, obs):\n    print('here I am')", points=1)
    assert capsys.readouterr() == ("", "")


def test_state_kept_in_a_module_does_not_hide_look_ahead(found: Callable[..., Audit]) -> None:
    """A cache filled by the first run would answer for all others; each run begins afresh."""
    body = (
        "cache = {}\n\n"
        "def prepare(self, panel):\n"
        "    if not self.cache:\n"
        "        closes = pd.DataFrame(panel.close)\n"
        "        self.cache['up'] = (closes.shift(-1) > closes).to_numpy()\n"
        "    self.up = self.cache['up']\n\n" + "\n".join(
            line[4:] for line in HOLD_WHAT_IS_UP.splitlines()
        )
    )  # fmt: skip
    assert not found(body).clean


@pytest.mark.parametrize("fill", ["next_open", "close"])
@pytest.mark.parametrize(
    "name", [info.name for info in registry.available() if info.driver == "strategy"]
)
def test_every_built_in_is_clean(name: str, fill: str) -> None:
    """No look-ahead, no randomness."""
    report = audit(request(name, fill=fill), points=6, hash_seeds=HASH_SEEDS[:1])
    assert report.findings == ()
    assert report.decisions > 0


@pytest.mark.parametrize("strategy", ["manual", "tape:{}"])
def test_only_a_strategy_can_be_audited(strategy: str, tmp_path: Path) -> None:
    """A person and a tape decide nothing from bars."""
    tape = tmp_path / "tape.jsonl"
    tape.write_text('{"step": 1, "targets": {"AAPL": 0.5}}\n')
    with pytest.raises(InvalidOption, match="no strategy to audit"):
        audit(request(strategy.format(tape)))


# -- the parts -----------------------------------------------------------------------------------


def panel_with_gaps() -> Panel:
    rng = np.random.default_rng(5)
    closes = rng.uniform(10, 20, (12, 2))
    closes[3, 0] = closes[9, 1] = np.nan
    return Panel(
        ("A", "B"),
        np.arange(12, dtype=np.int64) * 86_400_000_000,
        open=closes,
        high=closes + 1,
        low=closes - 1,
        close=closes,
        volume=np.where(np.isnan(closes), np.nan, 1000.0),
        sessions=np.arange(12, dtype=np.int32),
        session_dates=tuple(f"1970-01-{day:02d}" for day in range(1, 13)),
    )


@pytest.mark.parametrize("after", [0, 5, 10])
@pytest.mark.parametrize("perturb", PERTURBATIONS.values(), ids=PERTURBATIONS)
def test_a_perturbed_panel_keeps_its_past(perturb: Perturb, after: int) -> None:
    """Bit for bit up to the step; the same other future every time."""
    panel = panel_with_gaps()
    other, again = perturb(panel, after), perturb(panel, after)
    for name in FIELDS:
        past = getattr(other, name)[: after + 1]
        assert np.array_equal(past, getattr(panel, name)[: after + 1], equal_nan=True)
        assert np.array_equal(getattr(other, name), getattr(again, name), equal_nan=True)


def test_perturbed_bars_are_bars() -> None:
    """Highs above lows, prices above zero: a strategy meets nothing that a market could not do."""
    changed = PERTURBATIONS["changed"](panel_with_gaps(), 2)
    here = changed.has_bar
    assert (changed.high[here] >= changed.close[here]).all()
    assert (changed.low[here] > 0).all()
    assert not np.array_equal(changed.close[3:], panel_with_gaps().close[3:], equal_nan=True)
    shuffled = PERTURBATIONS["shuffled"](panel_with_gaps(), 2)
    assert np.array_equal(
        np.sort(shuffled.close, axis=0), np.sort(panel_with_gaps().close, axis=0), equal_nan=True
    )
    assert PERTURBATIONS["truncated"](panel_with_gaps(), 2).steps == 3


def test_points_are_spread_and_stand_at_decisions() -> None:
    """Half and half, none without a later bar, no more than asked for."""
    points = choose_points(1000, [501, 502, 503, 999], 10)
    assert {501, 502, 503} <= set(points)
    assert points[0] == 0
    assert 998 in points
    assert len(points) <= 10
    assert choose_points(1, [0], 10) == ()
    assert choose_points(3, [], 10) == (0, 1)


def test_rounding_is_no_difference_and_order_is_one() -> None:
    """A last bit is not look-ahead; which order comes first decides who gets the cash."""
    one = Decision((), (Target("A", 0.1 + 0.2),))
    assert list(differences(one, Decision((), (Target("A", 0.3),)))) == []
    orders = Order.buy("A", 1), Order.buy("B", 1)
    assert [found[0] for found in differences(Decision(orders), Decision(orders[::-1]))] == ["A"]
    assert [found[0] for found in differences(None, Decision(orders[:1]))] == ["A"]
    assert [found[0] for found in differences(Decision((), (), ("t",)), None)] == [None]
