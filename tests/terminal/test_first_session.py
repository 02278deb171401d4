"""What a new user does first: the demo, a run from the form, a run by hand."""

from __future__ import annotations

import re
from contextlib import closing

import pandas as pd
import pytest

from tests.terminal.conftest import SIZES, Books, OpenDeck, Shell
from tests.terminal.deck import Deck

MOVING = ("AAPL trend", "strongest two", "buy the dips")


def step_of(shown: str, name: str) -> int:
    """The step that the row of the run called ``name`` shows."""
    found = re.search(rf"{name}.* (\d+)/\d+ ", shown)
    return int(found[1]) if found else -1


def waits_for_step(deck: Deck, name: str, least: int) -> int:
    """Wait until the row shows at least that step; what it shows."""
    return step_of(
        deck.waiting(lambda shown: step_of(shown, name) >= least, f"step {least} of {name}"), name
    )


@pytest.mark.parametrize("size", SIZES)
def test_demo_moves_three_strategies_beside_one_by_hand(
    deck: OpenDeck, size: tuple[int, int]
) -> None:
    """``stepdeck demo`` shows three strategies moving over real bars, and one that waits."""
    app = deck("demo", size=size)
    app.sees("by hand", *MOVING)
    for name in MOVING:
        seen = waits_for_step(app, name, 2)
        assert waits_for_step(app, name, seen + 5) > seen
    # It has some bars to look back at, and then it waits.
    assert waits_for_step(app, "by hand", 62) == 62


@pytest.mark.parametrize("size", SIZES)
def test_run_from_the_form(deck: OpenDeck, books: Books, size: tuple[int, int]) -> None:
    """A run filled in at the form starts, moves on the screen and ends as the ledger says."""
    app = deck(size=size)
    app.sees("No runs yet")
    app.press("n")
    app.sees("New run", "ready: 5 symbols")
    # Back from the first field to the last ones: baseline, breakpoint, paused, speed, name.
    app.press(*["shift+tab"] * 4)
    app.type("40")
    app.finds(r"--speed\s+40")
    app.press("shift+tab")
    app.type("mine")
    app.finds(r"--name\s+mine")
    app.press(*["tab"] * 5)
    # The list of strategies opens by enter and finds what is typed.
    app.press("enter")
    app.sees("own file")
    app.type("mom")
    app.press("enter")
    app.sees("lookback", "every")
    app.press("tab")
    app.type("many")
    app.finds(r"lookback +many +✗ parameter lookback=many")
    app.press("enter")
    # Nothing starts while a field is wrong; the field that is has the cursor.
    app.press("ctrl+u")
    app.type("10")
    app.sees("✓ ready")
    app.press("tab")
    app.type("2")
    app.finds(r"-p lookback=10\s+-p\s+top=2")
    app.press("tab", "tab", "tab")
    app.type("AAPL,IBM,NOSUCH")
    app.sees("✗", "NOSUCH")
    app.press(*["backspace"] * 6)
    app.type("MSFT")
    app.sees("ready: 3 symbols: AAPL IBM MSFT")
    app.press("tab", "tab", "tab")
    app.type("2000-06-30")
    app.finds(r"--end\s+2000-06-30")
    app.sees("✓ ready: 3 symbols")
    assert books.rows("SELECT * FROM runs") == []
    app.press("ctrl+g")
    first = int(app.finds(r"running.*mine.*step (\d+)/85")[1])
    app.waiting(
        lambda shown: (
            (found := re.search(r"step (\d+)/85", shown)) is not None and int(found[1]) > first
        ),
        "the run moving",
    )
    app.finds(r"✓ completed.*step 85/85")
    strategy, status, equity, fills = books.one(
        "SELECT strategy, status, equity, num_fills FROM runs WHERE name = 'mine'"
    )
    assert (strategy, status) == ("momentum", "completed")
    assert fills > 0
    app.sees(f"equity ${equity:,.2f}")
    app.press("esc")
    app.finds(r"✓ completed +mine.* 85/85")
    app.press("q")
    assert app.leaves() == 0


def test_step_by_hand_while_another_run_writes(
    deck: OpenDeck, shell: Shell, books: Books, slow: str
) -> None:
    """A manual run is stepped, bought, sold and closed; the screen and SQLite say the same."""
    window = ("--symbols", "AAPL", "--start", "2007-01-03")
    run_id = shell.run("run", "manual", *window, "--name", "hand").strip()
    shell.start("run", slow, "--symbols", "IBM", "--name", "other")
    app = deck(run_id, size=(160, 50))
    app.sees("↯ interrupted  hand")
    app.press("R")
    app.sees("▶ running  hand", "step 0/1550", "AAPL 83.80")
    app.waiting(lambda _: books.step("other") > 0, "the other run writing")
    other = books.step("other")

    app.press(".")
    app.sees("step 1/1550")
    order(app, "b", "Buy AAPL", "100")
    app.sees("step 2/1550", "fills 1")
    app.press(".")
    app.sees("step 3/1550")
    order(app, "s", "Sell AAPL", "40")
    app.sees("step 4/1550", "fills 2")
    same_figures(app, books, run_id, fills=2, held=60)

    app.press("c")
    app.sees("step 5/1550", "fills 3", "Nothing held")
    same_figures(app, books, run_id, fills=3, held=0)
    sides = books.rows("SELECT side, quantity FROM fills WHERE run_id = ?", run_id)
    assert sides == [("buy", 100), ("sell", 40), ("sell", 60)]
    app.waiting(lambda _: books.step("other") > other, "the other run writing on")
    assert books.status("other") == "running"


def order(app: Deck, key: str, title: str, size: str) -> None:
    """Place an order by the short ticket, seeing each part of it first."""
    app.press(key)
    app.sees(title, "size")
    app.press("ctrl+u")
    app.type(size)
    app.sees(f"about {size}")
    app.press("enter")
    app.loses(title)


def same_figures(app: Deck, books: Books, run_id: str, *, fills: int, held: int) -> None:
    """What the run's screen shows is what SQLite and pandas read meanwhile."""
    step, equity, cash, num_fills = books.one(
        "SELECT step_index, equity, cash, num_fills FROM runs WHERE run_id = ?", run_id
    )
    assert num_fills == fills
    app.sees(f"step {step - 1}/1550", f"equity ${equity:,.2f}", f"cash ${cash:,.2f}")
    with closing(books.connect()) as conn:
        frame = pd.read_sql_query(
            "SELECT * FROM equity WHERE run_id = ? ORDER BY step_index", conn, params=(run_id,)
        )
        positions = pd.read_sql_query(
            "SELECT * FROM positions WHERE run_id = ?", conn, params=(run_id,)
        )
    assert len(frame) == step
    assert tuple(frame[["equity", "cash"]].iloc[-1]) == (equity, cash)
    if held:
        (row,) = positions.itertuples()
        assert (row.symbol, row.quantity) == ("AAPL", held)
        line = app.line_of(f"${row.market_value:,.2f}")
        assert re.search(rf"AAPL +{held} +{row.avg_cost:.2f} ", line)
    else:
        assert positions.empty
