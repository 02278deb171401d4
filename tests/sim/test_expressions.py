"""Conditions as a person writes them: what is refused and where, and what the words mean."""

from __future__ import annotations

import pytest

from engine.errors import InvalidExpression
from engine.model import Decision, Order
from engine.sim import conditions, vocabulary
from engine.sim.expressions import LONGEST, parse
from engine.sim.panel import Panel
from engine.sim.sight import Sight
from engine.sim.simulation import Simulation
from engine.sim.state import State
from tests.sim.builders import flat_bars, panel_of, rules_of

SYMBOLS = ("AAPL", "BRK.B")


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "there is no condition"),
        ("cash", 1, "a number stands where a condition should; compare it with something"),
        ("cash < 5 and equity", 14, "a number stands where a condition should"),
        ("drowdown < 5", 1, "there is no 'drowdown'; did you mean drawdown?"),
        ("cash = 5", 6, "compare with =="),
        ("cash < 5 && fill", 10, "'&' means nothing here; write `and`"),
        ("(cash < 5", 10, "the text ends where ')' should close column 1"),
        ("cash < 5 fill", 10, "'fill' does not follow on; join two conditions with `and`"),
        ("cash <", 7, "the end stands where a value should"),
        ("fill > 3", 1, "this is true or false by itself"),
        ("date > 5", 8, "a day is compared with a number"),
        ("date >= 2026-03-02T14:30", 9, "with a time, compare ts"),
        ("date >= 2026-02-30", 9, "there is no day 2026-02-30"),
        ("ts > 2026-02-03T25:00", 6, "there is no time 2026-02-03T25:00"),
        ("close > 3", 1, 'close of which symbol?; write close["AAPL"]'),
        ('close["APL"] > 3', 7, "the run has no 'APL'; did you mean AAPL?"),
        ('close["aapl"] > 3', 7, "did you mean AAPL?"),
        ('close["AAPL", 1.5] > 3', 6, "close of 1.5 bars ago; a whole number from 0"),
        ('price["AAPL", 1] > 3', 6, "price takes a symbol alone"),
        ('close("AAPL") > 3', 6, 'close takes brackets; write close["AAPL"]'),
        ('fill["AAPL"]', 5, 'fill takes no brackets; write fill("AAPL")'),
        ('fill("no_bar")', 6, "the run has no 'no_bar'"),
        ('rejection("no_cash")', 11, "the run has no 'no_cash'"),
        ('rejection("insuficient_cash")', 11, "did you mean insufficient_cash?"),
        ("decision(3)", 9, "decision takes nothing"),
        ("cash[3] > 1", 5, "cash takes nothing"),
        ('sma["AAPL", 1] > 3', 4, "a whole number from 2"),
        ('sma["AAPL", 3, 4] > 3', 4, "sma takes 1 parameter, not 2"),
        ('stoch["AAPL"] > 3', 1, "stoch has the outputs slowk, slowd"),
        ('adx["AAPL", -3] > 3', 4, "adx: "),
        ("abs(1, 2) > 1", 1, "abs takes one number, not 2"),
        ("crosses_above(cash)", 1, "crosses_above takes two numbers, not 1"),
        ("crosses_above(realized, 1)", 15, "realized is of the last step alone"),
        ("cash < 1e999", 8, "too large a number"),
        ('"AAPL" == 3', 1, '"AAPL" stands where a value should; a symbol stands in brackets'),
        ('close["AAPL] > 3', 7, "close the text with the same quote"),
        ("cash.real > 3", 1, "there is no 'cash.real'"),
        ("__import__ > 3", 1, "there is no '__import__'"),
        ("not " * 30 + "fill", 97, "nested more than 24 deep"),
        ("(" * 30 + "fill", 25, "nested more than 24 deep"),
        ("cash < 1" + " " * LONGEST, LONGEST + 1, f"longer than {LONGEST} characters"),
        ("cash < \x1b[31m", 8, "'\\x1b' means nothing here"),
    ],
)
def test_what_is_wrong_is_named_at_its_column(text: str, column: int, said: str) -> None:
    """Unknown names, types that do not fit and signs that do not belong, while parsing."""
    with pytest.raises(InvalidExpression) as refused:
        parse(text, SYMBOLS)
    assert refused.value.column == column
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"at column {column}: ")


@pytest.mark.parametrize("word", list(vocabulary.WORDS) + list(vocabulary.FUNCTIONS))
def test_every_form_in_the_help_is_good(word: str) -> None:
    """What the help shows can be typed; an indicator's form is compared with something."""
    known = {**vocabulary.WORDS, **vocabulary.FUNCTIONS}[word]
    indicator = word in vocabulary.INDICATORS
    parse(f"{known.form} > 0" if indicator else known.form, ("AAPL", "IBM"))


def sights(panel: Panel, decisions: dict[int, Decision], **rules: object) -> list[Sight]:
    """Where a run stands before each of its decisions."""
    simulation = Simulation(panel, rules_of(**rules))
    state: State
    state, result = simulation.start(simulation.initial())
    peak = max([simulation.rules.cash, *result.equity.tolist()])
    found = [Sight(simulation, state, peak, result)]
    while True:
        state, result = simulation.step(state, decisions.get(state.decided, Decision()))
        if state.done:
            return found
        peak = max([peak, *result.equity.tolist()])
        found.append(Sight(simulation, state, peak, result, found[-1]))


def where(text: str, found: list[Sight]) -> list[int]:
    """The decisions before which a condition holds."""
    condition = conditions.over(parse(text), found[0].simulation.panel)
    return [sight.step for sight in found if condition.holds(sight)]


PANEL = panel_of(
    {
        "AAPL": flat_bars(10, 11, 12, 9, 10, 14, 15),
        "BRK.B": flat_bars(50, None, 52, 49, None, 54, 60),
    },
    daily=True,
)
HELD = {
    0: Decision((Order.buy("AAPL", 50),)),
    2: Decision((Order.buy("AAPL", 5000), Order.sell("BRK.B", 1))),
    4: Decision((Order.sell("AAPL", 50),)),
}


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("fill", [1, 3, 5]),
        ('fill("AAPL")', [1, 3, 5]),
        ('fill("BRK.B")', []),
        ("bought", [1, 3]),
        ("sold", [5]),
        ("rejection", [3]),
        ('rejection("BRK.B")', [3]),
        ('rejection("no_position")', [3]),
        ('rejection("no_bar")', []),
        ('cut("insufficient_cash")', [3]),
        ("decision", [1, 3, 5]),
        ("realized < 0", []),
        ("realized > 0", [5]),
        ("step == 4", [4]),
        ("1 <= step < 3", [1, 2]),
        ("date >= 2026-03-06", [4, 5, 6]),
        ("ts >= 2026-03-06T14:31", [5, 6]),
        ("not session_start", []),
        ('position["AAPL"] > 0', [1, 2, 3, 4, 5, 6]),
        ('holdings == 1 and weight["AAPL"] > 0.9', [3, 4]),
        ('close["AAPL"] > close["AAPL", 1]', [1, 2, 4, 5, 6]),
        ('change["AAPL"] > 5%', [1, 2, 4, 5, 6]),
        ('crosses_above(price["AAPL"], 11.5)', [2, 5]),
        ('crosses_below(price["AAPL"], 11.5)', [3]),
        ("drawdown < -10%", [3]),
        ("ret > 0", [2, 5, 6]),
        # Where there is no bar, or none yet, every comparison is false.
        ('close["BRK.B"] > 0', [0, 2, 3, 5, 6]),
        ('close["BRK.B"] != 50', [2, 3, 5, 6]),
        ('not close["BRK.B"] > 0', [1, 4]),
        ('price["BRK.B"] == 50', [0, 1]),
        ('sma["AAPL", 6] > 0 or sma["AAPL", 6] <= 0', [5, 6]),
        ("cash / 0 > 0 or cash / 0 <= 0", []),
        ('min(price["AAPL"], close["BRK.B"]) < 10', [3]),
        ('max(1, -price["AAPL"]) == 1', [0, 1, 2, 3, 4, 5, 6]),
        (
            "-(2 - 3) * 4 == 4 and 2 + 3 * 4 == 14 and 8 / 4 / 2 == 1 and 5 - 2 - 1 == 2",
            [*range(7)],
        ),
        ("equity > 1k and equity < 0.01m", [2, 5, 6]),
    ],
)
def test_what_words_mean(text: str, steps: list[int]) -> None:
    """Each word over a small run whose numbers can be followed by hand."""
    found = sights(PANEL, HELD)
    assert where(text, found) == steps


def test_with_close_fills_what_happened_belongs_to_the_bar_before() -> None:
    """The decision sees the bar that has just closed; its fills were made at the last close."""
    found = sights(PANEL, HELD, fill="close")
    assert where("bought", found) == [1, 3]
    assert where("sold", found) == [5]
    assert where('position["AAPL"] > 50', found) == [3, 4]


def test_a_run_of_one_symbol_need_not_name_it() -> None:
    """Its values stand alone, with their numbers."""
    panel = panel_of({"AAPL": flat_bars(10, 11, 12, 9, 10)}, daily=True)
    found = sights(panel, {})
    assert where("close > close[1] and sma[2] > 0", found) == [1, 2, 4]
    assert where("position == 0", found) == [0, 1, 2, 3, 4]


def test_a_condition_for_other_symbols_is_refused_when_it_meets_the_bars() -> None:
    """A symbol that could not be checked while parsing is checked against the panel."""
    with pytest.raises(InvalidExpression, match="no 'MSFT'"):
        conditions.over(parse('close["MSFT"] > 1'), PANEL)
    with pytest.raises(InvalidExpression, match="of which symbol"):
        conditions.over(parse("close > 1"), PANEL)


def test_any_function_of_talib_is_a_word() -> None:
    """Also those with several outputs, by the output's name, in any case."""
    parse('adx["AAPL", 14] > 25 and stoch.slowk[AAPL] < 20 and RSI["AAPL"] < 30', SYMBOLS)
