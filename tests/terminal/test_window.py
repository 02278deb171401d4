"""The window's size changes under the app."""

from __future__ import annotations

from tests.terminal.conftest import OpenDeck


def test_resize_there_and_back(deck: OpenDeck) -> None:
    """Large, small, too small (one line says what is missing), and comfortable again."""
    app = deck("demo", size=(160, 50))
    app.sees("Strategy", "Steps/s", "Equity")
    app.resize(80, 24)
    app.loses("Steps/s")
    app.sees("AAPL trend", "q Quit")
    app.resize(40, 10)
    app.finds(r"too small: 20 more columns and 8 more\s+rows needed")
    assert "AAPL trend" not in app.text
    app.resize(120, 36)
    app.loses("too small")
    app.sees("AAPL trend", "Equity", "q Quit")


def test_resize_within_a_run(deck: OpenDeck) -> None:
    """A run's panels make room and come back; nothing of them shows in a window too small."""
    app = deck("demo", size=(160, 50))
    app.sees("AAPL trend")
    app.press("enter")
    app.sees("1 Price", "2 Equity", "3 Positions", "4 Orders", "5 Decisions", "6 Figures")
    app.finds(r"╭─ 6 Figures")
    app.resize(80, 24)
    app.waiting(lambda shown: "╭─ 6 Figures" not in shown, "one panel")
    app.resize(40, 10)
    app.waiting(
        lambda shown: "too small" in shown and "Price" not in shown and "Quit" not in shown,
        "the one line alone",
    )
    app.resize(120, 36)
    app.sees("╭─ 1 Price", "╭─ 2 Equity", "╭─ 3 Positions")
    app.resize(160, 50)
    app.sees("╭─ 6 Figures")
