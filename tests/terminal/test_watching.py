"""``stepdeck watch``: a ledger that another process writes, followed read-only."""

from __future__ import annotations

import re

from tests.terminal.conftest import Books, OpenDeck, Shell


def test_watch_follows_and_refuses(deck: OpenDeck, shell: Shell, books: Books, slow: str) -> None:
    """Rows move as another process writes; keys that would write are refused with a line."""
    shell.run("run", "buy_and_hold", "--symbols", "IBM", "--end", "2000-03-31", "--name", "old")
    writer = shell.start("run", slow, "--symbols", "IBM", "--name", "other")
    app = deck("watch")
    app.sees("watching only")
    app.finds(r"▶ running +other")
    pattern = re.compile(r"other .* (\d+)/3269")

    def step(shown: str) -> int:
        found = pattern.search(shown)
        return int(found[1]) if found else -1

    first = step(app.waiting(lambda shown: step(shown) > 0, "a step of the other run"))
    app.waiting(lambda shown: step(shown) > first, "its row moving")
    for key, label in (("n", "New"), ("p", "Pause"), ("x", "Cancel"), ("R", "Take up")):
        app.press(key)
        app.sees(f"{label} refused: watching only")
    assert "New run" not in app.text
    app.press("g")
    app.finds(r"▌.*other")
    app.press("enter")
    app.sees("▶ running  other")
    for key, label in ((".", "Step"), ("space", "Play"), ("x", "Cancel"), ("+", "Faster")):
        app.press(key)
        app.sees(f"{label} refused: watching only")
    app.press("esc")
    app.finds(r"▶ running +other")

    app.press("q")
    # Nothing is live here, so nothing is asked.
    assert app.leaves() == 0
    assert app.restored
    assert books.rows("SELECT * FROM commands") == []
    assert writer.poll() is None
    assert books.status("other") == "running"


def test_another_process_is_obeyed(deck: OpenDeck, shell: Shell, books: Books, slow: str) -> None:
    """The app shows and cancels a run that another process owns."""
    shell.start("run", slow, "--symbols", "IBM", "--name", "other")
    app = deck(size=(160, 50))
    app.finds(r"▶ running +other .* elsewhere")
    app.press("p")
    app.finds(r"paused +other")
    assert books.status("other") == "paused"
    app.press("p")
    app.finds(r"▶ running +other")
    app.press("enter")
    app.finds(r"▶ running +other .* owner elsewhere")
    app.press("esc")
    app.finds(r"▌ +▶ running +other")
    app.press("x")
    app.sees("Cancel this run?", "other (")
    app.press("y")
    app.finds(r"cancelled +other")
    assert books.status("other") == "cancelled"
