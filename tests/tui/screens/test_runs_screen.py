"""The list of runs: what it shows and what its keys and buttons do."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, Select

from engine.errors import RunNotFound
from tests.tui.screens.kit import at_once, create, deck, on_top, reach, screen_text, until
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.compare import CompareScreen
from tui.screens.dialogs import ConfirmDialog, QuitDialog
from tui.screens.export import ExportDialog
from tui.screens.new_run import NewRunScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.widgets.table import DeckTable


def table_of(app: StepdeckApp) -> DeckTable:
    return app.query_one("#runs", DeckTable)


def names(app: StepdeckApp) -> list[str]:
    return [row.cells[1].text for row in table_of(app).rows]


async def go_to(app: StepdeckApp, name: str) -> str:
    """Put the cursor on the run of that name; its id."""
    table = table_of(app)
    key = next(row.key for row in table.rows if row.cells[1].text == name)
    table.move_to_key(key)
    return key


async def test_it_lists_every_run_newest_first(gateway: Gateway) -> None:
    """All runs of the ledger, without baselines."""
    async with deck(gateway) as (app, _):
        assert names(app) == [
            "on hold", "by hand", "buy_and_hold", "has a bug", "dip buyer", "top five",
            "trend apple",
        ]  # fmt: skip
        assert "3 completed" in screen_text(app)
        assert "1 failed" in screen_text(app)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status:completed", ["dip buyer", "top five", "trend apple"]),
        ("sma symbol:AAPL", ["trend apple"]),
        ("status:done -status:completed", ["buy_and_hold", "has a bug"]),
        ("tag:nightly", ["dip buyer"]),
    ],
)
async def test_filter(gateway: Gateway, text: str, expected: list[str]) -> None:
    """Typed after a slash; esc takes it away."""
    async with deck(gateway) as (app, pilot):
        await pilot.press("slash", *text.replace(":", "\0").replace("\0", ":"))
        assert names(app) == expected
        assert f"{len(expected)} of 7 shown" in screen_text(app)
        await pilot.press("escape")
        assert len(names(app)) == 7


async def test_a_filter_that_is_wrong_says_so_and_keeps_the_last_good_one(
    gateway: Gateway,
) -> None:
    """Half a term never empties the list."""
    async with deck(gateway) as (app, pilot):
        app.query_one("#filter", Input).value = "dip"
        await pilot.pause()
        app.query_one("#filter", Input).value = "dip nosuch:x"
        await pilot.pause()
        assert names(app) == ["dip buyer"]
        assert "there is no field 'nosuch'" in screen_text(app)


async def test_letters_typed_into_the_filter_are_no_commands(gateway: Gateway) -> None:
    """n, p, x, q and ? are text while one types."""
    async with deck(gateway) as (app, pilot):
        await pilot.press("slash", *"npxq?:")
        assert app.query_one("#filter", Input).value == "npxq?:"
        assert on_top(app, RunsScreen)


async def test_sort_by_key_and_by_click_on_a_title(gateway: Gateway) -> None:
    """s takes the next column, a click on a title that one, and again turns it around."""
    async with deck(gateway) as (app, pilot):
        await pilot.press("s")
        assert table_of(app).sort == ("status", False)
        assert names(app)[0] != "trend apple"
        await pilot.press("s")
        assert names(app) == sorted(names(app))
        x = screen_text(app).splitlines()[2].index("Name")
        await pilot.click("#runs", offset=(x, 0))
        assert names(app) == sorted(names(app), reverse=True)


async def test_preview_follows_the_cursor(gateway: Gateway) -> None:
    """The highlighted run's end, positions and last decision stand below."""
    async with deck(gateway) as (app, pilot):
        run_id = await go_to(app, "has a bug")
        await until(pilot, lambda: run_id in screen_text(app))
        assert "ZeroDivisionError" in screen_text(app)
        await go_to(app, "by hand")
        await until(pilot, lambda: "AAPL  200 " in screen_text(app))


async def test_enter_opens_the_run_and_esc_comes_back(gateway: Gateway) -> None:
    """The list stands where it was."""
    async with deck(gateway) as (app, pilot):
        run_id = await go_to(app, "top five")
        await pilot.press("enter")
        assert isinstance(app.screen, RunScreen)
        assert app.screen.run_id == run_id
        await pilot.press("escape")
        assert table_of(app).cursor_key == run_id


async def test_buttons_do_what_their_keys_do(gateway: Gateway) -> None:
    """New and Open by mouse."""
    async with deck(gateway) as (app, pilot):
        await pilot.click("#runs-new")
        assert on_top(app, NewRunScreen)
        await pilot.press("escape")
        await pilot.click("#runs-open")
        assert on_top(app, RunScreen)


async def test_pause_and_go_on_by_key_and_by_button(gateway: Gateway) -> None:
    """p holds a running run; the button lets it go on; the ledger agrees each time."""
    run_id = create(gateway, "sma_cross", symbols="AAPL", speed="5", name="slow")
    reach(gateway, run_id, "running")
    async with deck(gateway) as (app, pilot):
        await go_to(app, "slow")
        await pilot.press("p")
        await until(pilot, lambda: gateway.record(run_id).status == "paused")
        await until(pilot, lambda: "paused" in table_of(app).rows[0].cells[0].text)
        await pilot.click("#runs-pause")
        await until(pilot, lambda: gateway.record(run_id).status == "running")


async def test_cancel_asks_and_esc_leaves_the_run_alone(gateway: Gateway) -> None:
    """x, then esc: nothing happens."""
    run_id = create(gateway, "sma_cross", symbols="AAPL", speed="5", name="slow")
    reach(gateway, run_id, "running")
    async with deck(gateway) as (app, pilot):
        await go_to(app, "slow")
        await pilot.press("x")
        assert on_top(app, ConfirmDialog)
        assert "slow (sma_cross)" in screen_text(app)
        await pilot.press("escape")
        assert on_top(app, RunsScreen)
        assert gateway.record(run_id).status == "running"


async def test_cancel_by_key(gateway: Gateway) -> None:
    """x, then y: the run is cancelled in the ledger and on the screen."""
    run_id = create(gateway, "sma_cross", symbols="AAPL", speed="5", name="slow")
    reach(gateway, run_id, "running")
    async with deck(gateway) as (app, pilot):
        await go_to(app, "slow")
        await pilot.press("x", "y")
        await until(pilot, lambda: "cancelled" in table_of(app).rows[0].cells[0].text)
        record = gateway.record(run_id)
        assert (record.status, record.end_reason) == ("cancelled", "cancelled_by_user")


async def test_cancel_by_mouse(gateway: Gateway) -> None:
    """The button, then the dialog's button."""
    run_id = create(gateway, "manual", symbols="AAPL", name="mine")
    reach(gateway, run_id, "running")
    async with deck(gateway) as (app, pilot):
        await go_to(app, "mine")
        await pilot.pause()
        await pilot.click("#runs-cancel")
        await pilot.click("#confirm-yes")
        await until(pilot, lambda: gateway.record(run_id).status == "cancelled")


async def test_acts_take_all_marked_runs(gateway: Gateway) -> None:
    """Two runs marked with space are cancelled together."""
    ids = [create(gateway, "manual", symbols="AAPL", name=f"m{i}") for i in range(3)]
    for run_id in ids:
        reach(gateway, run_id, "running")
    async with deck(gateway) as (app, pilot):
        table_of(app).move_to(0)
        await pilot.press("space", "space")
        assert set(table_of(app).marked) == set(ids[1:])
        await pilot.press("x")
        assert "Cancel 2 runs?" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: [gateway.record(i).status for i in ids[1:]] == ["cancelled"] * 2)
        assert gateway.record(ids[0]).status == "running"


async def test_take_up_an_interrupted_run(gateway: Gateway) -> None:
    """R takes it up where it stopped: paused stays paused."""
    async with deck(gateway) as (app, pilot):
        run_id = await go_to(app, "on hold")
        step = gateway.record(run_id).step_index
        await pilot.press("R")
        await until(pilot, lambda: gateway.record(run_id).status == "paused")
        assert gateway.record(run_id).step_index == step


async def test_keys_that_cannot_work_do_nothing(gateway: Gateway) -> None:
    """A completed run is neither paused nor cancelled, and nothing asks about it."""
    async with deck(gateway) as (app, pilot):
        run_id = await go_to(app, "top five")
        await pilot.press("p", "x", "R")
        assert on_top(app, RunsScreen)
        assert gateway.record(run_id).status == "completed"


async def test_watching_offers_nothing_that_writes(gateway: Gateway) -> None:
    """A ledger opened read-only: no New, Pause, Cancel, by key or by button."""
    watching = Gateway.open(gateway.path, write=False)
    async with deck(watching, read_only=True) as (app, pilot):
        await pilot.press("n", "x", "p")
        assert on_top(app, RunsScreen)
        assert not app.query_one("#runs-cancel").display
        assert "watching only" in screen_text(app)
        await pilot.press("enter")
        assert on_top(app, RunScreen)
    watching.close()


async def test_an_empty_ledger_says_what_to_press(empty: Gateway) -> None:
    """The key of a new run and the command that makes one."""
    async with deck(empty, (80, 24)) as (app, pilot):
        assert "No runs yet" in screen_text(app)
        assert "n  fill in the form of a new run" in screen_text(app)
        await pilot.press("n")
        assert on_top(app, NewRunScreen)


async def test_runs_of_another_process_appear_and_move(gateway: Gateway) -> None:
    """What somebody else commits is on the screen without a key."""
    other = Gateway.open(gateway.path)
    async with deck(gateway) as (app, pilot):
        run_id = create(other, "manual", symbols="AAPL", name="theirs")
        await until(pilot, lambda: "theirs" in names(app))
        reach(other, run_id, "running")
        await until(pilot, lambda: table_of(app).rows[0].cells[12].text == "elsewhere")
        other.step(run_id, 7)
        await until(pilot, lambda: " 7/" in table_of(app).rows[0].cells[5].text)
    other.close()


async def test_quit_with_live_runs_asks_and_interrupts_by_default(gateway: Gateway) -> None:
    """q, enter: the run is left for a later session, and the app is gone."""
    run_id = create(gateway, "manual", symbols="AAPL", name="mine")
    reach(gateway, run_id, "running")
    async with deck(gateway) as (app, pilot):
        await pilot.press("q")
        assert on_top(app, QuitDialog)
        assert "mine (manual)" in screen_text(app)
        await pilot.press("escape")
        assert on_top(app, RunsScreen)
        await pilot.press("q", "enter")
    assert app.return_code == 0
    gateway.close()
    with Gateway.open(gateway.path, write=False).reader() as reader:
        assert reader.run(run_id).status == "interrupted"


async def test_quit_offers_to_wait_for_what_moves_alone(gateway: Gateway) -> None:
    """A run by hand comes to no end by itself: w is neither shown nor does it anything."""
    reach(gateway, create(gateway, "manual", symbols="AAPL"), "running")
    async with deck(gateway) as (app, pilot):
        await pilot.press("q")
        assert on_top(app, QuitDialog)
        assert "Wait" not in screen_text(app)
        assert "leaves it as it is" in screen_text(app)
        await pilot.press("w")
        assert on_top(app, QuitDialog)


async def test_quit_can_cancel_the_live_runs(gateway: Gateway) -> None:
    """q, c: cancelled before the app is gone."""
    run_id = create(gateway, "manual", symbols="AAPL")
    reach(gateway, run_id, "running")
    async with deck(gateway) as (app, pilot):
        await pilot.press("q", "c")
        await until(pilot, lambda: app.return_code is not None)
    assert gateway.record(run_id).status == "cancelled"


async def test_quit_can_wait_for_what_moves(gateway: Gateway) -> None:
    """q, w: the app goes when the moving run has completed; the one by hand is left."""
    moving = create(gateway, "sma_cross", symbols="FB", speed="400")
    waiting = create(gateway, "manual", symbols="AAPL")
    reach(gateway, waiting, "running")
    reach(gateway, moving, "running")
    async with deck(gateway) as (app, pilot):
        await pilot.press("q", "w")
        await until(pilot, lambda: app.return_code is not None)
    assert gateway.record(moving).status == "completed"
    assert gateway.record(waiting).status == "running"


async def test_quit_without_live_runs_does_not_ask(gateway: Gateway) -> None:
    """q alone."""
    async with deck(gateway) as (app, pilot):
        await pilot.press("q")
    assert app.return_code == 0


async def test_remapped_keys_work_and_are_shown(gateway: Gateway) -> None:
    """A keymap by id changes key, button and key bar together."""
    async with deck(gateway, keymap={"runs.new": "w"}) as (app, pilot):
        assert "w New" in screen_text(app)
        await pilot.press("n")
        assert on_top(app, RunsScreen)
        await pilot.press("w")
        assert on_top(app, NewRunScreen)


async def test_copy_takes_the_id(gateway: Gateway) -> None:
    """y puts the highlighted run's id on the clipboard."""
    async with deck(gateway) as (app, pilot):
        run_id = await go_to(app, "top five")
        await pilot.press("y")
        assert app.clipboard == run_id


async def test_run_again_makes_a_run_of_the_same_settings(gateway: Gateway) -> None:
    """r: a new run with the configuration of the old one, to the same end."""
    async with deck(gateway) as (app, pilot):
        old = gateway.record(await go_to(app, "trend apple"))
        await pilot.press("r")
        await until(pilot, lambda: names(app).count("trend apple") == 2)
        new = reach(gateway, table_of(app).row_keys[0], "completed")
        assert new.run_id != old.run_id
        assert (new.config_hash, new.equity) == (old.config_hash, old.equity)
    assert gateway.settle(20)


async def test_delete_asks_and_takes_the_run_out(gateway: Gateway) -> None:
    """d, esc keeps it; d, y deletes it from the ledger and from the screen."""
    async with deck(gateway) as (app, pilot):
        run_id = await go_to(app, "dip buyer")
        await pilot.press("d")
        assert "Delete this run?" in screen_text(app)
        await pilot.press("escape")
        assert gateway.record(run_id).status == "completed"
        await pilot.press("d", "y")
        await until(pilot, lambda: "dip buyer" not in names(app))
        with pytest.raises(RunNotFound):
            gateway.record(run_id)


async def test_a_live_run_cannot_be_deleted(gateway: Gateway) -> None:
    """d does not even ask."""
    run_id = create(gateway, "manual", symbols="AAPL", name="mine")
    reach(gateway, run_id, "running")
    async with deck(gateway) as (app, pilot):
        await go_to(app, "mine")
        await pilot.press("d")
        assert on_top(app, RunsScreen)


async def test_export_writes_where_it_was_told(gateway: Gateway, tmp_path: Path) -> None:
    """e, a format, a path: the files are there; a place that is taken is refused at once."""
    target = tmp_path / "out"
    async with deck(gateway) as (app, pilot):
        await go_to(app, "trend apple")
        await pilot.press("e")
        assert isinstance(app.screen, ExportDialog)
        line = app.screen.query_one("#export-path", Input)
        line.value = str(tmp_path)
        await until(pilot, lambda: "✗" in screen_text(app))
        await pilot.press("enter")
        assert isinstance(app.screen, ExportDialog)
        line.value = str(target)
        await pilot.pause()
        await pilot.press("enter")
        await until(pilot, lambda: (target / "equity.csv").exists())
        assert on_top(app, RunsScreen)


async def test_several_runs_are_exported_under_their_ids(gateway: Gateway, tmp_path: Path) -> None:
    """Marked runs go into one folder, by mouse."""
    async with deck(gateway) as (app, pilot):
        ids = {await go_to(app, name) for name in ("trend apple", "top five")}
        for run_id in ids:
            table_of(app).toggle_mark(run_id)
        await pilot.press("e")
        app.screen.query_one("#export-format", Select).value = "tape"
        app.screen.query_one("#export-path", Input).value = str(tmp_path / "tapes")
        await pilot.pause()
        await pilot.click("#export-write")
        await until(pilot, lambda: {p.stem for p in (tmp_path / "tapes").glob("*.jsonl")} == ids)


async def test_compare_takes_the_marked_runs(gateway: Gateway) -> None:
    """c with two marked; with one alone there is nothing to hold it against."""
    async with deck(gateway) as (app, pilot):
        await go_to(app, "top five")
        await pilot.press("c")
        assert on_top(app, RunsScreen)
        await pilot.press("space", "space", "c")
        assert on_top(app, CompareScreen)
        await pilot.press("escape")
        assert table_of(app).mark_count == 2


async def test_copy_takes_the_ids_of_all_marked_runs(gateway: Gateway) -> None:
    """One a line, in the order shown."""
    async with deck(gateway) as (app, pilot):
        await pilot.press("a", "y")
        assert app.clipboard.splitlines() == list(table_of(app).row_keys)


async def test_keys_after_the_filter_reach_the_list_at_once(gateway: Gateway) -> None:
    """enter leaves the filter, and the key behind it is the list's, however fast it came."""
    async with deck(gateway) as (app, pilot):
        await pilot.press("slash", *"top")
        at_once(app, "enter", "space")
        await until(pilot, lambda: table_of(app).mark_count == 1)
        assert app.query_one("#filter", Input).value == "top"


async def test_how_many_pass_is_said_at_80_columns(gateway: Gateway) -> None:
    """The count stands first, where nothing cuts it off."""
    async with deck(gateway, (80, 24)) as (app, pilot):
        app.query_one("#filter", Input).value = "dip"
        await until(pilot, lambda: "1 of 7 shown" in screen_text(app).splitlines()[0])
