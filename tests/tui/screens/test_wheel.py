"""Whose turn it is: taking over, handing back, undo, rewind, fork, and going on to something."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets import Input, Select

from engine.errors import StepdeckError
from tests.tui.screens.kit import create, deck, on_top, reach, screen_text, until
from tests.tui.screens.test_looking_back import at, shows
from tests.tui.screens.test_run_screen import by_name, manual, ready, rows, run_screen, told
from tui.gateway import Gateway
from tui.screens.dialogs import ConfirmDialog
from tui.screens.run import RunScreen
from tui.screens.ticket import TicketDialog


def crossing(gateway: Gateway) -> str:
    """A strategy's run that stands at its first step."""
    run_id = create(gateway, "sma_cross", symbols="AAPL", start="2008-01-02", paused=True)
    reach(gateway, run_id, "paused")
    return run_id


async def test_take_over_trade_and_hand_back(gateway: Gateway) -> None:
    """t gives the wheel to the person and back; the ledger says who decided what."""
    run_id = crossing(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: "step 10/" in screen_text(app))
        await pilot.press("t")
        await until(pilot, lambda: "taken over" in screen_text(app))
        assert "decision 10 is yours" in screen_text(app)
        assert "t Hand back" in screen_text(app)
        await pilot.press("b", *"5", "enter")
        await until(pilot, lambda: rows(app, "positions"))
        await pilot.press("h")
        await until(pilot, lambda: gateway.record(run_id).step_index == 13)
        await pilot.press("t")
        await until(pilot, lambda: "taken over" not in screen_text(app))
        await pilot.press("full_stop")
        await until(pilot, lambda: gateway.record(run_id).step_index == 14)
        sources = {row.step_index: row.decision_source for row in gateway.reader().steps(run_id)}
        assert sources[10] == sources[11] == "manual"
        await pilot.press("5")
        await until(pilot, lambda: [row[2] for row in rows(app, "decisions")][-1:] == ["manual"])


async def test_a_manual_run_cannot_be_handed_to_anybody(gateway: Gateway) -> None:
    """t does nothing in a run that is a person's from its beginning."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        assert run_screen(app).allows("take_over") is False
        await pilot.press("t")
        assert on_top(app, RunScreen)
        assert gateway.record(run_id).status == "running"


async def test_rewind_makes_the_past_the_present(gateway: Gateway) -> None:
    """w asks, y does it: the run stands there, what came after is discarded."""
    run_id = manual(gateway)
    gateway.step(run_id, 20)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("w")
        assert on_top(app, RunScreen)
        run_screen(app).look_at(15)
        await shows(app, pilot, 15)
        await pilot.press("w")
        assert on_top(app, ConfirmDialog)
        assert "6 later steps will be discarded" in screen_text(app)
        await pilot.press("n")
        assert gateway.record(run_id).step_index == 21
        await pilot.press("w", "y")
        await until(pilot, lambda: gateway.record(run_id).step_index == 15)
        await until(pilot, lambda: "step 14/" in screen_text(app) and at(app) is None)
        assert gateway.record(run_id).rewind_count == 1
        await pilot.press("h")
        await until(pilot, lambda: gateway.record(run_id).step_index == 16)


async def test_fork_here_opens_the_new_run(gateway: Gateway) -> None:
    """f at a moment of the past: a run with that past and its lineage; both are there."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        run_screen(app).look_at(200)
        await shows(app, pilot, 200)
        await pilot.press("f")
        await until(pilot, lambda: on_top(app, RunScreen) and run_screen(app).run_id != run_id)
        child = gateway.record(run_screen(app).run_id)
        assert (child.parent_run_id, child.forked_at_step) == (run_id, 199)
        await until(pilot, lambda: run_screen(app).record is not None)
        assert gateway.record(child.run_id).step_index == 200
        assert gateway.record(run_id).status == "completed"
        await pilot.press("full_stop")
        await until(pilot, lambda: gateway.record(child.run_id).step_index == 201)


async def test_undo_takes_back_the_last_decision_by_hand(gateway: Gateway) -> None:
    """u after a purchase: no position, one step back, and no question asked."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        assert run_screen(app).allows("undo") is False
        await pilot.press("b", *"9", "enter")
        await until(pilot, lambda: rows(app, "positions"))
        await pilot.press("u")
        await until(pilot, lambda: gateway.record(run_id).step_index == 1)
        await until(pilot, lambda: not rows(app, "positions"))
        await until(pilot, lambda: "took decision 0 back" in told(app))
        assert on_top(app, RunScreen)


async def test_a_strategys_own_step_is_not_undone(gateway: Gateway) -> None:
    """Only what a person decided is a person's to take back at a key."""
    run_id = crossing(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("full_stop")
        await until(pilot, lambda: "step 1/" in screen_text(app))
        assert run_screen(app).allows("undo") is False


@pytest.mark.parametrize(
    ("key", "stops"),
    [("right_square_bracket", "fill"), ("semicolon", "decision"), ("d", "session")],
)
async def test_from_now_a_live_run_goes_on_to_the_next_one(
    gateway: Gateway, key: str, stops: str
) -> None:
    """] ; and } let a strategy's run itself go on, and stop it there."""
    run_id = crossing(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press(key)
        await until(
            pilot,
            lambda: (
                gateway.record(run_id).step_index > 1 and gateway.record(run_id).status == "paused"
            ),
        )
        record, fills = gateway.record(run_id), gateway.reader().fills(run_id)
        if stops == "fill":
            assert fills[-1].step_index == record.step_index - 1
        elif stops == "session":
            assert record.step_index == 2
        else:
            assert [row.decision for row in gateway.reader().steps(run_id)] != []


async def test_go_to_a_step_ahead_lets_the_run_go_on(gateway: Gateway) -> None:
    """@ with a step that is still to come: by hand it holds until then."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("at", *"29")
        await until(pilot, lambda: "go on to step 29" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: gateway.record(run_id).step_index == 30)
        await pilot.press("J", *"2008-03-03", "enter")
        await until(pilot, lambda: "2008-03-03" in screen_text(app).splitlines()[0])


async def test_several_orders_in_one_decision(gateway: Gateway) -> None:
    """o, f6: an entry with a stop and a limit of one group, placed together."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("o", *"10", "f6")
        ticket = app.screen
        assert "1. buy 10 AAPL" in screen_text(app)
        ticket.query_one("#ticket-side", Select).value = "sell"
        ticket.query_one("#ticket-order", Select).value = "stop"
        ticket.query_one("#ticket-time", Select).value = "gtc"
        await pilot.pause()
        for name, text in (("size", "10"), ("stop", "150"), ("oco", "out")):
            ticket.query_one(f"#ticket-{name}", Input).value = text
        await pilot.press("f6")
        assert "2. sell 10 AAPL stop 150.00 gtc oco out" in screen_text(app)
        await pilot.press("f7")
        assert "2. sell" not in screen_text(app)
        ticket.query_one("#ticket-size", Input).value = "10"
        await pilot.pause()
        await pilot.press("f6")
        ticket.query_one("#ticket-order", Select).value = "limit"
        await pilot.pause()
        ticket.query_one("#ticket-size", Input).value = "10"
        ticket.query_one("#ticket-limit", Input).value = "250"
        await pilot.pause()
        assert "rests: limit 250.00" in screen_text(app)
        await pilot.press("f10")
        await until(pilot, lambda: len(rows(app, "orders")) == 3)
        orders = gateway.reader().orders(run_id)
        assert [order.status for order in orders] == ["filled", "resting", "resting"]
        assert [order.oco_group for order in orders] == [None, "out", "out"]
        await until(pilot, lambda: "sell stop 10 @ 150.00" in screen_text(app))


async def test_enter_at_the_heels_of_tab_is_not_the_fields_it_leaves(gateway: Gateway) -> None:
    """In the ticket tab and enter pressed at once open the list; no order is placed."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("o", *"10")
        kind = app.screen.query_one("#ticket-order", Select)
        for key in ("shift+tab", "enter"):
            # As a terminal sends them: the second does not wait for what comes of the first.
            app.post_message(events.Key(key, None))
        await until(pilot, lambda: kind.expanded)
        assert not gateway.reader().orders(run_id)


async def test_the_ticket_says_why_it_would_be_refused(gateway: Gateway) -> None:
    """Selling what is not held: the reason and the remedy, before anything is placed."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("s", *"10")
        await until(pilot, lambda: "rejected: no position" in screen_text(app))
        assert "hold the symbol before selling it" in screen_text(app)
        assert on_top(app, TicketDialog)


async def test_reverse_where_shorts_are_allowed(gateway: Gateway) -> None:
    """v turns a long position into as large a short one; without shorts there is no such key."""
    run_id = manual(gateway)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        assert run_screen(app).allows("reverse") is False
    shorts = create(
        gateway, "manual", symbols="AAPL", start="2008-01-02", end="2008-06-30", allow_short=True
    )
    reach(gateway, shorts, "running")
    async with deck(gateway, (80, 24), run_id=shorts) as (app, pilot):
        await ready(app, pilot)
        await pilot.press("b", *"8", "enter")
        await until(pilot, lambda: rows(app, "positions"))
        await pilot.press("v")
        await until(pilot, lambda: [row[1] for row in rows(app, "positions")] == ["-8"])


async def test_what_cannot_be_done_is_a_panel(gateway: Gateway) -> None:
    """A fork of a run whose bars are gone is refused with the cause; the app goes on."""
    run_id = by_name(gateway, "trend apple")
    with pytest.raises(StepdeckError):
        gateway.rewind(run_id, 3)
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        assert run_screen(app).allows("rewind") is False
        await pilot.press("comma", "w")
        assert on_top(app, RunScreen)
