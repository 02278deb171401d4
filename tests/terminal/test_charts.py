"""The charts in a real terminal: the values under the mouse, one window for both, 16 colours."""

from __future__ import annotations

import re

import pytest

from tests.terminal.conftest import SIZES, Books, OpenDeck, Shell
from tests.terminal.deck import Deck
from tests.terminal.test_debugger import WINDOW, point

WHEEL_UP = 64


def finished(shell: Shell, books: Books) -> str:
    """A strategy's run with its baselines."""
    shell.run("run", "sma_cross", *WINDOW, "-p", "fast=3", "-p", "slow=8", "--name", "done")
    (run_id,) = books.one("SELECT run_id FROM runs WHERE name = 'done'")
    return str(run_id)


def line_of_values(text: str) -> str:
    """What the equity chart says of the moment, its two lines as one."""
    lines = text.splitlines()
    first = next(
        y for y, line in enumerate(lines) if re.search(r"━━ equity [\d,.]+ .*step \d+", line)
    )
    return f"{lines[first]} {lines[first + 1]}"


def changes(app: Deck, before: str) -> None:
    """Wait until the chart tells the values of another moment."""
    app.waiting(lambda shown: line_of_values(shown) != before, "the values of another step")


@pytest.mark.parametrize("size", SIZES)
def test_the_values_of_every_curve_can_be_read(
    deck: OpenDeck, shell: Shell, books: Books, size: tuple[int, int]
) -> None:
    """Pointing at the equity: it, its drawdown and the baseline, as the ledger has them."""
    run_id = finished(shell, books)
    equity = [row[0] for row in books.rows(
        "SELECT equity FROM equity WHERE run_id = ? ORDER BY step_index", run_id)]  # fmt: skip
    baseline = [row[0] for row in books.rows(
        "SELECT e.equity FROM equity AS e JOIN runs AS r USING (run_id) WHERE r.baseline_of = ? "
        "AND r.strategy = 'buy_and_hold' ORDER BY e.step_index", run_id)]  # fmt: skip
    assert len(equity) == len(baseline) == 125
    app = deck(run_id, size=size)
    app.sees("completed")
    app.press("2")
    newest = line_of_values(app.sees("━━ equity", "step 124", "╍╍ buy and hold"))
    row = 10 if size[0] < 150 else 32
    for column in (9, 23, 40):
        point(app, column, row)
        changes(app, newest)
        newest = line_of_values(app.text)
        found = re.search(r"step (\d+)", newest)
        assert found is not None
        step = int(found[1])
        peak = max(100_000.0, *equity[: step + 1])
        depth = f"{(equity[step] / peak - 1) * 100:+.2f}%".replace("+0.00%", "0.00%")
        assert f"equity {equity[step]:,.2f}" in newest
        assert f"DD {depth}" in newest.replace("-0.00%", "0.00%")
        assert f"buy and hold {baseline[step]:,.2f}" in newest


def test_the_wheel_over_one_chart_zooms_both(deck: OpenDeck, shell: Shell, books: Books) -> None:
    """Above and beneath the same times stand on the axes, and Z brings all of them back."""
    run_id = finished(shell, books)
    app = deck(run_id, size=(160, 50))
    axes = re.compile(r"(?:\d* ?(?:Jan|Feb|Mar|Apr|May|Jun)\s+){2,}")

    def times(shown: str) -> list[str]:
        """The time axes of the two charts."""
        left = [line[1:80] for line in shown.splitlines()]
        return [" ".join(line.strip("│ ").split()) for line in left if axes.search(line)]

    whole = times(app.waiting(lambda shown: len(times(shown)) == 2, "both time axes"))
    assert whole[0] == whole[1]
    for _ in range(4):
        app._write(f"\x1b[<{WHEEL_UP};30;35M".encode())
    text = app.waiting(
        lambda shown: len(set(times(shown))) == 1 and times(shown) != whole, "another window"
    )
    assert len(times(text)) == 2
    app.press("Z")
    app.waiting(lambda shown: times(shown) == whole, "all of it again")


def test_sixteen_colours_keep_their_meaning(shell: Shell, books: Books) -> None:
    """On a terminal of sixteen gain is green, loss red, and the cursor's row stands out."""
    run_id = finished(shell, books)
    with Deck(size=(120, 36), env={"TERM": "xterm-16color", "COLORTERM": ""}) as app:
        app.sees("completed", "done")
        column, row = app._place("✓ completed")
        cells = app._screen.buffer[row]
        assert cells[column].fg in ("green", "brightgreen")
        (gain,) = books.one("SELECT total_return FROM runs WHERE run_id = ?", run_id)
        text = f"{gain * 100:+.2f}%"
        column, row = app._place(text)
        hue = "green" if gain > 0 else "red"
        assert app._screen.buffer[row][column].fg in (hue, f"bright{hue}")
        assert cells[30].bg not in ("default", "black")
        assert not re.search(rb"\x1b\[[0-9;]*(?:38|48);", bytes(app.raw))
