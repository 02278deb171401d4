"""Cancelling, marking, filtering, sorting and help, by keys and by the mouse."""

from __future__ import annotations

import pytest

from tests.terminal.conftest import SIZES, Books, OpenDeck, Shell

ROWS = ("AAPL trend", "buy the dips", "strongest two", "by hand")


def order_of_rows(shown: str) -> list[str]:
    """The demo's runs in the order of their rows."""
    at = {name: shown.find(f" {name} ") for name in ROWS}
    return sorted((name for name in ROWS if at[name] >= 0), key=lambda name: at[name])


@pytest.mark.parametrize("size", SIZES)
def test_cancel_by_key_and_by_mouse(deck: OpenDeck, books: Books, size: tuple[int, int]) -> None:
    """One run is cancelled by ``x`` and ``y``, one by real clicks; the others go on."""
    app = deck("demo", "--db", books.path, size=size)
    app.sees("4 running", *ROWS)
    app.press("j", "x")
    # Pressed at one go: the question is about the row the cursor was moved to.
    second = order_of_rows(app.sees("Cancel this run?"))[1]
    app.sees(f"{second} (")
    app.press("n")
    app.loses("Cancel this run?")
    assert books.status(second) == "running"
    app.press("x")
    app.sees("Cancel this run?", f"{second} (")
    app.press("y")
    app.finds(rf"✗? ?cancelled +{second}")
    assert books.status(second) == "cancelled"

    other = next(name for name in ("strongest two", "AAPL trend") if name != second)
    app.click(other)
    app.finds(rf"▌.*{other}")
    app.click("x Cancel")
    app.sees("Cancel this run?", f"{other} (")
    app.click("Cancel the run")
    app.finds(rf"cancelled +{other}")
    assert books.status(other) == "cancelled"
    reason = "SELECT end_reason FROM runs WHERE status = 'cancelled'"
    assert books.rows(reason) == [("cancelled_by_user",)] * 2
    app.sees("2 running", "2 cancelled")


def test_mark_two_and_cancel_both(deck: OpenDeck, books: Books) -> None:
    """``space`` marks two rows, ``x`` asks about both, the others are left alone."""
    app = deck("demo", "--db", books.path)
    rows = order_of_rows(app.sees("4 running", *ROWS))
    app.press("space", "space")
    app.sees("2 marked")
    app.press("x")
    app.sees("Cancel 2 runs?", *(f"{name} (" for name in rows[:2]))
    app.press("y")
    app.sees("2 cancelled", "2 running")
    app.loses("marked")
    assert [books.status(name) for name in rows] == ["cancelled"] * 2 + ["running"] * 2


def test_filter_narrows_and_sort_turns(deck: OpenDeck, shell: Shell, books: Books) -> None:
    """``/`` leaves the rows that pass, says what is wrong in it, esc clears it; ``s`` sorts."""
    window = ("--symbols", "IBM", "--end", "2000-06-30")
    for name in ("beta", "gamma", "alpha"):
        shell.run("run", "buy_and_hold", *window, "--name", name)
    app = deck()
    app.finds(r"(?s)alpha.*gamma.*beta")
    app.press("/")
    app.type("name:gam")
    app.sees("gamma", "1 of 3 shown")
    app.loses("alpha", "beta")
    app.press("ctrl+u")
    app.type("nothing:1")
    app.sees("✗", "no field 'nothing'")
    app.press("esc")
    app.loses("no field", "of 3 shown")
    app.finds(r"(?s)alpha.*gamma.*beta")
    # From the age column around to status, then to the name.
    app.press("s", "s")
    app.finds(r"Name ?▴")
    app.finds(r"(?s)alpha.*beta.*gamma")
    app.click("Name")
    app.finds(r"Name ?▾")
    app.finds(r"(?s)gamma.*beta.*alpha")


def test_help_lists_the_keys_of_the_place(deck: OpenDeck) -> None:
    """``?`` shows the keys that work where one is, in the list and in a run; esc closes it."""
    app = deck("demo")
    app.sees("by hand")
    app.press("?")
    app.sees("Keys here", "Fill in the form of a new run", "Cancel the marked runs")
    app.press("lone esc")
    app.loses("Keys here")
    app.press("enter")
    app.sees("1/3")
    app.press("?")
    app.sees("Keys here", "One step on; by hand it holds")
    assert "Fill in the form of a new run" not in app.text
    app.press("q")
    app.loses("Keys here")
