"""The run screen as a debugger, in a real terminal: charts that can be read, and the past."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.terminal.conftest import SIZES, Books, OpenDeck, Shell
from tests.terminal.deck import Deck
from tui import format as fmt

WINDOW = ("--symbols", "AAPL", "--start", "2008-01-02", "--end", "2008-06-30")


def finished(shell: Shell, books: Books) -> str:
    """A strategy's run with a handful of fills."""
    shell.run("run", "sma_cross", *WINDOW, "-p", "fast=3", "-p", "slow=8", "--name", "done",
              "--no-baselines")  # fmt: skip
    (run_id,) = books.one("SELECT run_id FROM runs WHERE name = 'done'")
    return str(run_id)


def right_part(line: str, width: int) -> str:
    """The columns of the chart in a line of the screen at that width."""
    return line[: width // 2] if width >= 150 else line


@pytest.mark.parametrize("size", SIZES)
def test_every_fill_can_be_read_in_the_chart(
    deck: OpenDeck, shell: Shell, books: Books, size: tuple[int, int]
) -> None:
    """From fill to fill: its mark is in the chart, side, size and price in the first line."""
    run_id = finished(shell, books)
    fills = books.rows(
        "SELECT side, quantity, price, step_index FROM fills WHERE run_id = ? ORDER BY fill_id",
        run_id,
    )
    assert len(fills) > 5
    app = deck(run_id, size=size)
    app.sees("completed", "step 124/124", "AAPL")
    for side, quantity, price, step in reversed(fills):
        app.press("[")
        text = app.sees(
            "◀ past",
            f"step {step}/124",
            f"{side} {fmt.quantity(quantity)} @ {fmt.price(price)}",
        )
        mark = "▲" if side == "buy" else "▼"
        chart = [right_part(line, size[0]) for line in text.splitlines()]
        said = f"{side} {fmt.quantity(quantity)} @"
        header = next(y for y, line in enumerate(chart) if said in line)
        assert any(mark in line for line in chart[header + 1 :])
    app.press("0")
    app.loses("◀ past")


@pytest.mark.parametrize("size", SIZES)
def test_stops_and_limits_stand_as_lines_with_their_names(
    deck: OpenDeck, shell: Shell, books: Books, tmp_path: Path, size: tuple[int, int]
) -> None:
    """An entry with a stop and a limit on a tape: broken lines with side, size and price."""
    tape = tmp_path / "bracket.jsonl"
    orders = [
        {"symbol": "AAPL", "side": "buy", "quantity": 30},
        {"symbol": "AAPL", "side": "sell", "quantity": 30, "order_type": "stop",
         "stop_price": 165.0, "time_in_force": "gtc", "oco_group": "out"},
        {"symbol": "AAPL", "side": "sell", "quantity": 30, "order_type": "limit",
         "limit_price": 205.0, "time_in_force": "gtc", "oco_group": "out"},
    ]  # fmt: skip
    tape.write_text(json.dumps({"step": 2, "orders": orders}) + "\n")
    shell.run("run", f"tape:{tape}", *WINDOW, "--name", "done", "--no-baselines")
    (run_id,) = books.one("SELECT run_id FROM runs WHERE name = 'done'")
    (closed,) = books.one("SELECT max(closed_step) FROM orders WHERE run_id = ?", run_id)
    app = deck(run_id, size=size)
    app.sees("completed")
    app.press("@")
    app.sees("Go to a step or a date")
    app.type(str(closed - 1))
    app.sees("shows step")
    app.press("enter")
    text = app.sees("sell stop 30 @ 165.00", "sell limit 30 @ 205.00", "avg cost @")
    for words in ("sell stop 30", "sell limit 30", "avg cost"):
        assert "╌╌╌" in next(line for line in text.splitlines() if words in line)
    app.press("0")
    app.loses("sell stop 30 @ 165.00")


@pytest.mark.parametrize("size", SIZES)
def test_the_past_holds_nothing_of_the_future(
    deck: OpenDeck, shell: Shell, books: Books, size: tuple[int, int]
) -> None:
    """A value that comes later is nowhere on the screen while one looks back."""
    run_id = finished(shell, books)
    rows = books.rows("SELECT step_index, equity FROM equity WHERE run_id = ?", run_id)
    app = deck(run_id, size=size)
    app.sees("completed", "step 124/124", f"equity ${rows[-1][1]:,.2f}")
    app.press("@")
    app.sees("Go to a step or a date")
    app.type("59")
    app.sees("shows step 59")
    app.press("enter")
    text = app.sees("◀ past", "step 59/124", f"equity ${rows[59][1]:,.2f}")
    assert f"{rows[-1][1]:,.2f}" not in text
    later = {f"{equity:,.2f}" for step, equity in rows if step >= 60}
    earlier = {f"{equity:,.2f}" for step, equity in rows if step < 60}
    assert not any(value in text for value in later - earlier)
    assert "completed" not in text
    assert not re.search(r"2008-0[4-6]", text)


def test_the_values_under_the_mouse_are_read(deck: OpenDeck, shell: Shell, books: Books) -> None:
    """Pointing at a candle shows its bar in the first line; leaving shows the newest again."""
    run_id = finished(shell, books)
    app = deck(run_id, size=(80, 24))
    text = app.sees("completed", "2008-06-30", "AAPL 167")
    last = first_line_of_chart(text)
    point(app, 20, 10)
    app.waiting(lambda shown: first_line_of_chart(shown) != last, "the values of another bar")
    found = re.search(r"(2008-\d\d-\d\d)\s*$", first_line_of_chart(app.text))
    assert found is not None
    assert found[1] < "2008-06-30"


def first_line_of_chart(text: str) -> str:
    """The line with the symbol, its values and their date."""
    return next(line for line in text.splitlines() if line.startswith("AAPL "))


def point(app: Deck, column: int, row: int) -> None:
    """Move the mouse there."""
    app._write(f"\x1b[<35;{column};{row}M".encode())


def test_ascii_charts(deck: OpenDeck, shell: Shell, books: Books) -> None:
    """With STEPDECK_ASCII the charts are drawn with ASCII alone."""
    run_id = finished(shell, books)
    with Deck(run_id, size=(80, 24), env={"STEPDECK_ASCII": "1"}) as app:
        text = app.sees("completed", "AAPL")
        chart = text.splitlines()[3:-3]
        assert all(line.replace("–", "-").isascii() for line in chart), text


def test_no_color_keeps_every_word(deck: OpenDeck, shell: Shell, books: Books) -> None:
    """Without colours the past is still said, and marks still tell buys from sells."""
    run_id = finished(shell, books)
    with Deck(run_id, size=(80, 24), env={"NO_COLOR": "1"}) as app:
        app.sees("completed")
        app.press(",")
        app.sees("◀ past", "step 123/124")
        app.press("[")
        app.finds(r"(▲ buy|▼ sell) [\d,]+ @ [\d.]+")
