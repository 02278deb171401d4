"""Finding the bar where a strategy goes wrong: breakpoints from shell and deck, and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.terminal.conftest import SIZES, Books, OpenDeck, Shell

BUG = '''
from engine import Order, Strategy


class Stale(Strategy):
    """Buys what was cheap a month ago, and asks for more than it can pay."""

    def decide(self, obs):
        closes = obs.history("close", 22)[:, 0]
        if len(closes) == 22 and closes[0] == closes.min():
            return Order.buy(obs.symbols[0], 1_000_000)
'''


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_from_the_shell_to_the_reason(
    deck: OpenDeck, shell: Shell, books: Books, tmp_path: Path, size: tuple[int, int]
) -> None:
    """`run --break` stops at the first cut order; the deck takes it up, stops again, says why."""
    (tmp_path / "bug.py").write_text(BUG, "utf-8")
    shell.run(
        "run", f"{tmp_path / 'bug.py'}:Stale", "--symbols", "AAPL", "--name", "stale",
        "--no-baselines", "--break", 'cut("insufficient_cash")', "--db", books.path,
    )  # fmt: skip
    assert books.status("stale") == "interrupted"
    first = books.step("stale")
    app = deck("@1", "--db", books.path, size=size)
    app.sees("stale", "stopped at breakpoint 1", "insufficient_cash")
    app.press("R")
    app.finds(rf"paused.*stale.*step {first - 1}/")

    # A second condition, wrong at first, then mended under its caret.
    app.press("B")
    app.sees("Breakpoints", "● on", "lasting")
    app.press("a")
    app.sees("stop where")
    app.type("rejecton")
    app.sees("^", "there is no 'rejecton'; did you mean rejection?")
    app.press("backspace", "backspace")
    app.type("ion")
    app.sees("✓ good: looks at rejection")
    app.press("enter")
    app.finds(r"● on +rejection +lasting +0")
    app.press("esc")
    app.loses("● on")
    app.press("space")
    app.sees("stopped at breakpoint 2: rejection")
    app.finds(r"paused.*stale")
    assert books.step("stale") > first
    metadata, status = books.one("SELECT metadata, status FROM runs WHERE name = 'stale'")
    assert status == "paused"
    assert '"hits":1' in metadata

    # The order itself tells what happened.
    app.press("4")
    app.sees("rejected: insufficient cash")
    app.press("enter")
    app.sees("Why: order", "Seen", "The strategy decided: buy 1,000,000 AAPL")
    app.press("esc")
    app.loses("Why: order")
    app.press("q")
    app.sees("Interrupt")
    app.press("i")
    assert app.leaves() == 0
    assert books.status("stale") == "interrupted"
