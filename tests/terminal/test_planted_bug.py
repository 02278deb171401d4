"""A new user finds a planted bug: stop, look back, fork, trade by hand, compare, export, mend."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from tests.terminal.conftest import SIZES, Books, OpenDeck
from tests.terminal.deck import Deck

# It keeps an RSI of up to twenty bars ago: right after a sale with a gain, when the RSI is high, it
# buys again for the low one that it remembers.
PLANTED = '''
from engine import Strategy, Target


class Dip(Strategy):
    """Buys what has fallen (a low RSI), sells with a gain."""

    low: float = 40.0
    gain: float = 0.05

    def __init__(self):
        self.rsi = 50.0

    def decide(self, obs):
        (symbol,) = obs.symbols
        if obs.step % 20 == 0:
            self.rsi = obs.indicator("rsi", 14)[0]
        held = obs.portfolio.positions.get(symbol)
        if held is None:
            return Target(symbol, 0.9) if self.rsi < self.low else None
        if obs.bar(symbol).close > held.avg_cost * (1 + self.gain):
            return Target(symbol, 0)
'''
MENDED = PLANTED.replace("if obs.step % 20 == 0:", "if True:")
CONDITION = 'bought and rsi["AAPL", 14] > 60'
LAST = 252


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_from_the_planted_bug_to_two_futures(
    deck: OpenDeck, books: Books, tmp_path: Path, size: tuple[int, int]
) -> None:
    """The whole walk by keys alone; the ledger and the files say what was done by whom."""
    file = tmp_path / "dip.py"
    file.write_text(PLANTED, "utf-8")
    app = deck(size=size)
    parent = from_the_form(app, books, file)
    stops_at_the_bug(app, books)
    stopped = books.step("planted") - 1
    looks_back_and_asks_why(app, stopped)
    child = forks_and_trades(app, books, parent, stopped)
    ledger_tells(books, parent, child, stopped)
    compares(app, books, parent, child, stopped)
    exports(app, books, parent, child, tmp_path)
    mends(app, books, file)
    app.press("q")
    assert app.leaves() == 0


def from_the_form(app: Deck, books: Books, file: Path) -> str:
    """A run of the file over a year, made paused; its id."""
    app.sees("No runs yet")
    app.press("n")
    app.sees("New run", "✓ ready")
    app.press("enter")
    app.sees("own file")
    app.type("own")
    app.press("enter")
    app.sees("FILE.py:Class")
    app.press("tab")
    app.type(f"{file}:Dip")
    app.sees("Buys what has fallen", "gain", "✓ ready")
    app.press("tab", "tab", "tab", "tab")
    app.type("AAPL")
    app.press("tab", "tab")
    app.type("2008-01-01")
    app.press("tab")
    app.type("2009-01-01")
    app.sees("✓ ready: 1 symbol: AAPL")
    # Back over the first field to the last ones: baseline, breakpoint, paused, speed, name.
    app.press(*["shift+tab"] * 11)
    app.press("enter")
    app.finds(r"paused +no +▲")
    app.type("yes")
    app.press("enter")
    app.finds(r"paused +yes +▼")
    app.press("shift+tab", "shift+tab")
    app.type("planted")
    app.finds(r"--name\s+planted")
    app.press("ctrl+g")
    app.finds(rf"paused.*planted.*step 0/{LAST}")
    return str(books.one("SELECT run_id FROM runs WHERE name = 'planted'")[0])


def stops_at_the_bug(app: Deck, books: Books) -> None:
    """A breakpoint written on its screen; the run plays at full speed and stands where it holds."""
    app.press("B")
    app.sees("No breakpoints")
    app.press("a")
    app.sees("stop where")
    app.type(CONDITION)
    app.sees('good: looks at bought, rsi["AAPL", 14]')
    app.press("enter")
    app.finds(r"● on +bought and rsi.*lasting +0")
    app.press("esc")
    app.sees("Play")
    app.press("space")
    app.sees(f"stopped at breakpoint 1: {CONDITION}")
    app.finds(rf"paused.*planted.*step \d\d+/{LAST}")
    symbol, side, at = books.one(
        "SELECT symbol, side, step_index FROM fills ORDER BY step_index DESC LIMIT 1"
    )
    assert (symbol, side, at) == ("AAPL", "buy", books.step("planted") - 1)


def looks_back_and_asks_why(app: Deck, stopped: int) -> None:
    """The reason of the order that should not be; a step back, what the strategy saw there."""
    decided = stopped - 1
    app.press("4")
    app.finds(rf"▌ +{decided} AAPL +▲ buy")
    app.press("enter")
    app.sees(f"Why: order {decided}-0", "The strategy decided: AAPL → 90%.")
    app.press("esc")
    app.loses("Why: order")
    app.press(",")
    shown = app.sees("◀ past", f"step {stopped - 1}/{LAST}", "f: fork")
    assert f"{decided} AAPL" not in shown, "the order is of the future"
    app.press("i")
    app.sees(f"What was seen at step {decided}", "said", "AAPL → 90%")
    app.press("esc")
    app.loses("What was seen")


def forks_and_trades(app: Deck, books: Books, parent: str, stopped: int) -> str:
    """A fork before the bad decision, taken over: orders by key and ticket, a rewind, the end."""
    app.press("f")
    app.sees("this is the fork")
    app.finds(rf"paused.*fork at {stopped - 1}.*step {stopped - 1}/{LAST}")
    (child,) = books.one("SELECT run_id FROM runs WHERE parent_run_id = ?", parent)
    app.press("t")
    app.sees("taken over", f"decision {stopped - 1} is yours")
    hold(app, stopped)
    # A mistake, and the wheel of time: it is taken out of the run and kept apart.
    order(app, "b", "500")
    app.sees(f"step {stopped + 1}/{LAST}")
    hold(app, stopped + 2)
    app.press(",", ",")
    app.sees("◀ past", f"step {stopped}/{LAST}")
    app.press("w")
    app.sees(f"Rewind the run to step {stopped}?", "2 later steps will be discarded.")
    app.press("y")
    app.loses("◀ past", "Rewind the run")
    app.sees(f"step {stopped}/{LAST}", f"decision {stopped} is yours", "taken over")
    order(app, "b", "100")
    app.sees(f"step {stopped + 1}/{LAST}")
    ticket(app)
    app.sees(f"step {stopped + 2}/{LAST}")
    app.press("@")
    app.sees("Go to a step or a date")
    app.type(str(LAST))
    app.sees("✓")
    app.press("enter")
    app.sees("stopped where it was sent", f"step {LAST}/{LAST}", f"decision {LAST} is yours")
    app.press("h")
    app.finds(rf"✓ completed.*step {LAST}/{LAST}")
    return str(child)


def hold(app: Deck, then: int) -> None:
    """Hold one step."""
    app.press("h")
    app.sees(f"step {then}/{LAST}")


def order(app: Deck, key: str, size: str) -> None:
    """An order by its key and the short ticket."""
    app.press(key)
    app.sees("decision", "size")
    app.type(size)
    app.sees(f"about {size}")
    app.press("enter")
    app.loses("about")


def ticket(app: Deck) -> None:
    """A limit order far below, good till cancelled, by the full ticket."""
    app.press("o")
    app.sees("side", "OCO group")
    app.type("10")
    app.sees("about 10")
    app.press("shift+tab", "enter")
    app.sees("stop-limit")
    app.type("lim")
    app.press("enter")
    app.sees("no limit price yet")
    app.press("tab", "tab", "tab")
    app.type("120")
    app.sees("about 10")
    app.press("tab", "enter")
    app.finds(r"lives +day +▲")
    app.type("until")
    app.press("enter")
    app.finds(r"lives +until cancelled")
    app.sees("rests: limit 120.00")
    app.press("f10")
    app.loses("OCO group")


def ledger_tells(books: Books, parent: str, child: str, stopped: int) -> None:
    """Lineage, who decided what, and what was discarded, as any other program reads them."""
    decided = stopped - 1
    lineage = books.one(
        "SELECT parent_run_id, forked_at_step, status FROM runs WHERE run_id = ?", child
    )
    assert lineage == (parent, decided, "completed")
    sources = dict(
        books.rows("SELECT step_index, decision_source FROM steps WHERE run_id = ?", child)
    )
    assert {sources[at] for at in sources if at < decided} <= {"strategy"}
    assert {sources[at] for at in sources if at >= decided} == {"manual"}
    # The same past to the last digit.
    past = "SELECT step_index, equity, cash FROM equity WHERE run_id = ? AND step_index <= ?"
    assert books.rows(past, child, decided) == books.rows(past, parent, decided)
    (discarded,) = books.rows(
        "SELECT symbol, side, quantity FROM discarded_fills WHERE run_id = ?", child
    )
    assert discarded == ("AAPL", "buy", 500)
    traded = books.rows(
        "SELECT side, quantity, order_type, time_in_force, status FROM orders "
        "WHERE run_id = ? AND step_index >= ? ORDER BY step_index",
        child,
        decided,
    )
    assert traded == [
        ("buy", 100, "market", "day", "filled"),
        ("buy", 10, "limit", "gtc", "filled"),
    ]
    assert books.rows("SELECT * FROM discarded_steps WHERE run_id = ?", parent) == []


def compares(app: Deck, books: Books, parent: str, child: str, stopped: int) -> None:
    """The parent from stop to stop to its end; both marked, and where they first differ."""
    app.press("esc")
    app.finds(rf"◀ past.*planted|paused.*planted +.*step {stopped}/")
    app.press("end")
    app.loses("◀ past")
    while books.status("planted") != "completed":
        # It does it again, and is stopped again.
        step = books.step("planted")
        app.press("space")
        app.waiting(
            lambda _, step=step: (  # type: ignore[misc]
                books.step("planted") > step and books.status("planted") in ("paused", "completed")
            ),
            "the next stop, or the end",
        )
    app.finds(rf"✓ completed.*planted.*step {LAST}/{LAST}")
    app.press("esc")
    app.sees("New", "Open", "Compare")
    app.press("g", "space", "j", "space")
    app.press("c")
    app.sees("Compare 2 runs")
    app.finds(rf"step {stopped - 1}")
    app.press("b")
    in_front = app.finds(rf"◀ past +(planted.*?) +step {stopped - 1}/")[1]
    app.press("esc")
    app.waiting(
        lambda shown: (
            (other := re.search(rf"◀ past +(planted.*?) +step {stopped - 1}/", shown))
            and other[1] != in_front
        ),
        "the same moment of the other run",
    )
    app.press("esc")
    app.sees("Compare 2 runs")
    app.press("esc")
    app.sees("New", "Open")


def exports(app: Deck, books: Books, parent: str, child: str, folder: Path) -> None:
    """Both into one folder; the files say what the ledger says."""
    app.press("e")
    app.sees("Export 2 runs")
    app.press("ctrl+u")
    app.type(str(folder / "out"))
    app.sees("writes 2 runs")
    app.press("enter")
    app.sees("written")
    for run_id in (parent, child):
        with (folder / "out" / run_id / "equity.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [float(row["equity"]) for row in rows] == [
            equity
            for (equity,) in books.rows(
                "SELECT equity FROM equity WHERE run_id = ? ORDER BY step_index", run_id
            )
        ]
        with (folder / "out" / run_id / "steps.csv").open(newline="") as file:
            deciders = {row["decision_source"] for row in csv.DictReader(file)}
        assert deciders == ({"strategy"} if run_id == parent else {"strategy", "manual"})


def mends(app: Deck, books: Books, file: Path) -> None:
    """The file mended; the run again, breakpoint and all, does not stop where it stopped."""
    file.write_text(MENDED, "utf-8")
    app.press("a")
    app.loses("●")
    app.press("G", "r")
    # It begins as the first one did: paused, with its breakpoint.
    app.finds(r"Ⅱ paused +planted +.* 0/")
    app.press("g", "enter")
    app.finds(rf"paused.*planted.*step 0/{LAST}")
    app.press("space")
    app.finds(rf"✓ completed.*planted.*step {LAST}/{LAST}")
    (before,), (after,) = books.rows(
        "SELECT metadata FROM runs WHERE name = 'planted' ORDER BY created_at"
    )
    (stopping,), (lasting,) = (json.loads(text)["breakpoints"] for text in (before, after))
    assert stopping["hits"] > 0
    assert (lasting["expression"], lasting["enabled"], lasting["hits"]) == (CONDITION, True, 0)
