"""Laws of conditions: no text breaks the parser, and what they say is what a plain scan finds."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.drivers.stepping import Stepping
from engine.errors import InvalidExpression
from engine.model import HOLD, Breakpoint
from engine.runs.breakpoints import Breakpoints
from engine.runs.session import Progress
from engine.sim.expressions import LONGEST, parse
from engine.sim.simulation import Simulation
from tests.property.expression_trees import Seat, Tree, conditions, text_of, true_of
from tests.property.sim_runs import Run, runs

# fmt: off
PIECES = (
    "and", "or", "not", "(", ")", "[", "]", ",", "+", "-", "*", "/", "<", "<=", ">", ">=", "==",
    "!=", "=", "!", "&", "%", ".", '"', "'", "{", "}", "#", "@", "\\", "\n", "\t", "fill",
    "rejection", "decision", "session_start", "crosses_above", "crosses_below", "abs", "min", "max",
    "date", "ts", "step", "cash", "equity", "drawdown", "close", "sma", "rsi", "stoch.slowd", "adx",
    "position", '"AAPL"', "AAPL", '"IBM"', '"no_bar"', "0", "1", "30", "1.5", ".5", "5%", "100k",
    "1e400", "1e-3", "2026-03-02", "2026-13-40", "2026-03-02T14:30", "nan", "inf", "__class__",
    "cash.real", "lambda", "import", "0x10", "1__0", "\x1b[31m", "\u202e", "é", "中", "😀",
)
# fmt: on

law = settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))


def try_to_parse(text: str) -> None:
    """A text is a condition or is refused at a column of it, by the one typed error."""
    for symbols in (None, ("AAPL",), ("AAPL", "IBM")):
        try:
            found = parse(text, symbols)
        except InvalidExpression as error:
            refused = error
        else:
            assert found.text == text
            continue
        assert 1 <= refused.column <= len(text) + 1
        assert f"column {refused.column}" in str(refused)


@law
@given(text=st.text(max_size=LONGEST + 20))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text at all is either a condition or a typed refusal with its column."""
    try_to_parse(text)


@law
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=40), glue=st.sampled_from(["", " "]))
def test_no_shuffle_of_its_own_words_breaks_the_parser(pieces: list[str], glue: str) -> None:
    """Texts made of the language's own words and signs reach every rule of the grammar."""
    try_to_parse(glue.join(pieces))


@law
@given(tree=conditions(("AAPL", "MSFT")), data=st.data())
def test_a_torn_condition_breaks_nothing(tree: Tree, data: st.DataObject) -> None:
    """A good condition with a piece cut out of it is good or refused."""
    text = text_of(tree)
    parse(text, ("AAPL", "MSFT"))
    start = data.draw(st.integers(0, len(text)))
    try_to_parse(text[:start] + text[start + data.draw(st.integers(1, 8)) :])


def scanned(run: Run, tree: Tree) -> list[int]:
    """The decisions before which a condition holds, by looking at every one; not at the first."""
    simulation = Simulation(run.panel, run.rules)
    state, result = simulation.start(simulation.initial())
    peak = max([run.rules.cash, *result.equity.tolist()])
    before = None
    if not state.done:
        before = Seat(run.panel, simulation.observe(state), peak, run.rules.cash, None, None)
    found = []
    while not state.done:
        state, result = simulation.step(state, run.decisions.get(state.decided, HOLD))
        if state.done:
            break
        peak = max([peak, *result.equity.tolist()])
        seat = Seat(run.panel, simulation.observe(state), peak, run.rules.cash, result, before)
        if true_of(tree, seat):
            found.append(state.decided)
        before = seat._replace(before=None)
    return found


def watched(run: Run, text: str, chunk: int) -> tuple[list[int], int, str]:
    """The decisions at which a breakpoint stops the run, its hits, and the run's digest."""
    progress = Progress(Simulation(run.panel, run.rules))
    progress.take(*progress.simulation.start(progress.state))
    breaks = Breakpoints((Breakpoint(1, text),))
    decide = Stepping(lambda observation: run.decisions.get(observation.step))
    stops = []
    while not progress.state.done:
        advanced, hits = breaks.advance(decide, progress, progress.state.decided + chunk)
        assert advanced.fault is None
        progress.take(advanced.state, advanced.result)
        stops += [hit.step for hit in hits]
        assert all(hit.step == progress.state.decided for hit in hits)
    return stops, breaks.points[0].hits, progress.digest


def unwatched(run: Run) -> str:
    """The digest of the run that nothing looks at."""
    progress = Progress(Simulation(run.panel, run.rules))
    progress.take(*progress.simulation.start(progress.state))
    advanced = progress.simulation.advance(
        progress.state, lambda observation: run.decisions.get(observation.step), run.panel.steps
    )
    progress.take(advanced.state, advanced.result)
    return progress.digest


@settings(law, max_examples=150)
@given(run=runs(), data=st.data(), chunk=st.integers(1, 20))
def test_a_breakpoint_stops_where_a_scan_finds_it_and_changes_nothing(
    run: Run, data: st.DataObject, chunk: int
) -> None:
    """On random runs and conditions: hits are those of a plain scan, digests those without."""
    tree = data.draw(conditions(run.panel.symbols))
    stops, hits, digest = watched(run, text_of(tree), chunk)
    assert stops == scanned(run, tree)
    assert hits == len(stops)
    assert digest == unwatched(run)
