"""The form of a new run: typed fields, refusals at the field, the command line, memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input, Static

from tests.tui.screens.kit import at_once, deck, on_top, reach, screen_text, until
from tui import memory
from tui.app import StepdeckApp
from tui.gateway import Gateway
from tui.screens.new_run import FieldRow, NewRunScreen
from tui.screens.run import RunScreen
from tui.screens.runs import RunsScreen
from tui.viewmodel.form import about


def form(app: StepdeckApp) -> NewRunScreen:
    assert isinstance(app.screen, NewRunScreen)
    return app.screen


def row(app: StepdeckApp, name: str) -> FieldRow:
    return next(row for row in form(app).query(FieldRow) if row.field.name == name)


def said(app: StepdeckApp, widget: str) -> str:
    return str(form(app).query_one(widget, Static).content)


async def open_form(app: StepdeckApp, pilot: Pilot[None]) -> None:
    await pilot.press("n")
    await until(pilot, lambda: "ready" in said(app, "#verdict"))


async def test_parameters_are_fields_with_type_default_and_help(empty: Gateway) -> None:
    """A strategy's parameters appear when it is chosen."""
    async with deck(empty, (160, 50)) as (app, pilot):
        await open_form(app, pilot)
        text = screen_text(app)
        assert "fast" in text
        assert "slow" in text
        assert row(app, "p.fast").field.default == "10"
        row(app, "strategy").set("momentum")
        await until(pilot, lambda: "lookback" in screen_text(app))
        assert "fast" not in [r.field.name for r in form(app).query(FieldRow)]


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("cash", "-5", "cash is -5"),
        ("cash", "lots", "give a number"),
        ("symbols", "AAPL,XXX", "no symbol 'XXX'"),
        ("start", "tomorrow", "give a date"),
        ("p__fast", "ten", "fast"),
        ("speed", "0", "speed"),
        ("source", "csv:/nowhere.csv", "nowhere"),
        ("slippage_bps", "-1", "slippage"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    empty: Gateway, field: str, value: str, wrong: str
) -> None:
    """Bad input is refused where it stands; Start does nothing and no row is made."""
    async with deck(empty, (160, 50)) as (app, pilot):
        await open_form(app, pilot)
        name = field.replace("__", ".").replace("_", "-")
        row(app, name).set(value)
        await until(pilot, lambda: row(app, name).wrong is not None)
        assert wrong in str(row(app, name).wrong)
        assert wrong in said(app, "#verdict")
        await pilot.press("ctrl+g")
        assert on_top(app, NewRunScreen)
        assert not empty.snapshot().rows
        row(app, name).set("")
        await until(pilot, lambda: row(app, name).wrong is None)


async def test_start_makes_the_run_that_the_command_line_names(empty: Gateway) -> None:
    """The run has the settings of the fields, and its screen opens."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        for name, value in {
            "strategy": "momentum", "symbols": "AAPL,MSFT,IBM", "start": "2010-01-04",
            "end": "2011-12-30", "cash": "50000", "costs": "none", "name": "from the form",
        }.items():  # fmt: skip
            row(app, name).set(value)
        await until(pilot, lambda: any(r.field.name == "p.top" for r in form(app).query(FieldRow)))
        row(app, "p.top").set("2")
        command = "stepdeck run momentum -p top=2 --symbols AAPL,MSFT,IBM --start 2010-01-04"
        await until(pilot, lambda: said(app, "#command").startswith(command))
        await until(pilot, lambda: "ready: 3 symbols" in said(app, "#verdict"))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: on_top(app, RunScreen))
        run_id = empty.resolve("@1")
        record = reach(empty, run_id, "completed")
        assert record.name == "from the form"
        assert record.initial_cash == 50_000.0
        assert record.symbols == ("AAPL", "MSFT", "IBM")
        assert record.config["params"]["top"] == 2
        assert record.config["rules"]["costs"]["profile"] == "none"


async def test_enter_in_a_field_starts(empty: Gateway) -> None:
    """As in any form."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        form(app).set_focus(row(app, "name").query_one("#field-name"))
        await pilot.press(*"hi", "enter")
        # What was typed last is not checked yet: enter waits for the verdict.
        await until(pilot, lambda: on_top(app, RunScreen))
        assert empty.record(empty.resolve("@1")).name == "hi"


async def test_start_by_mouse(empty: Gateway) -> None:
    """The button."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        await pilot.click("#form-start")
        await until(pilot, lambda: on_top(app, RunScreen))


async def test_the_command_line_is_copied_with_one_key(empty: Gateway) -> None:
    """What is copied is what is shown."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        row(app, "symbols").set("FB")
        await until(pilot, lambda: "--symbols FB" in said(app, "#command"))
        await pilot.press("ctrl+y")
        assert app.clipboard == "stepdeck run sma_cross --symbols FB"


async def test_the_last_settings_are_remembered_and_can_be_reset(empty: Gateway) -> None:
    """The next form begins as the last one ended; f8 goes back to the defaults."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        row(app, "symbols").set("FB")
        row(app, "cash").set("777")
        await until(pilot, lambda: "ready: 1 symbol" in said(app, "#verdict"))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: on_top(app, RunScreen))
        await pilot.press("escape")
        await open_form(app, pilot)
        assert row(app, "symbols").value == "FB"
        assert row(app, "cash").value == "777"
        await pilot.press("f8")
        assert row(app, "symbols").value == ""
        assert row(app, "cash").value == ""


async def test_a_file_of_ones_own_shows_its_parameters(empty: Gateway, tmp_path: Path) -> None:
    """FILE.py:Class is read off the screen's thread; then its parameters are fields."""
    path = tmp_path / "mine.py"
    path.write_text(
        "from engine import Strategy\n\n\nclass Mine(Strategy):\n    '''Waits.'''\n\n"
        "    patience: int = 3\n\n    def decide(self, obs):\n        return None\n",
        "utf-8",
    )
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        row(app, "strategy").set("own file")
        await pilot.pause()
        row(app, "file").set(f"{path}:Mine")
        await until(
            pilot, lambda: any(r.field.name == "p.patience" for r in form(app).query(FieldRow))
        )
        await until(pilot, lambda: "ready" in said(app, "#verdict"))


async def test_a_strategy_file_that_breaks_is_said_at_the_field(
    empty: Gateway, tmp_path: Path
) -> None:
    """File and line, and the app stays up."""
    path = tmp_path / "bad.py"
    path.write_text("import nothing_of_that_name\n", "utf-8")
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        row(app, "strategy").set("own file")
        await pilot.pause()
        row(app, "file").set(f"{path}:Bad")
        await until(pilot, lambda: "bad.py" in str(row(app, "file").wrong))


async def test_nothing_is_wrong_before_anything_was_typed(empty: Gateway) -> None:
    """A field of one's own file is asked for, not refused; start goes there and says what for."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        row(app, "strategy").set("own file")
        await until(pilot, lambda: "still to fill in: file" in said(app, "#verdict"))
        assert row(app, "file").wrong is None
        assert not form(app).query_one("#verdict").has_class("-wrong")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: row(app, "file").wrong is not None)
        assert form(app).query_one("#verdict").has_class("-wrong")
        assert row(app, "file").has_focus_within
        assert not empty.snapshot().rows


async def test_what_was_typed_and_taken_out_again_is_refused(empty: Gateway) -> None:
    """A field that somebody was in is said to be wrong where it is."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        row(app, "strategy").set("own file")
        await until(pilot, lambda: "still to fill in: file" in said(app, "#verdict"))
        form(app).set_focus(row(app, "file").query_one(Input))
        await pilot.press("x", "backspace")
        await until(pilot, lambda: row(app, "file").wrong is not None)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids="{0[0]}x{0[1]}".format)
async def test_the_field_one_is_in_is_explained_in_full(
    empty: Gateway, size: tuple[int, int]
) -> None:
    """Its option, its whole help and its default stand beneath the form, wherever one goes."""
    async with deck(empty, size) as (app, pilot):
        await open_form(app, pilot)
        for one in [one for one in form(app).query(FieldRow) if one.display]:
            form(app).set_focus(one.query_one(f"#{one.field.widget_id}", Widget))
            wanted = about(one.field)
            await until(pilot, lambda wanted=wanted: said(app, "#about") == wanted)  # type: ignore[misc]
            shown = " ".join(screen_text(app).split())
            assert one.field.help in shown
            assert one.field.default in shown


async def test_esc_leaves_without_a_run(empty: Gateway) -> None:
    """Nothing is made and nothing remembered."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        await pilot.press("escape")
        assert on_top(app, RunsScreen)
        assert not empty.snapshot().rows
        assert memory.recall() == {}


async def test_keys_pressed_at_once_all_reach_their_fields(empty: Gateway) -> None:
    """tab, a digit, tab, a digit, faster than the screen draws."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        at_once(app, "tab", "5", "tab", "4", "0")
        await until(pilot, lambda: row(app, "p.slow").value == "40")
        assert row(app, "p.fast").value == "5"


async def test_arrows_between_fields_act_in_their_order(empty: Gateway) -> None:
    """Digits and arrows faster than the screen draws; a field one comes to is typed over."""
    async with deck(empty) as (app, pilot):
        await open_form(app, pilot)
        form(app).set_focus(row(app, "p.fast").query_one(Input))
        at_once(app, "5", "down", "4", "0", "up", "1")
        await until(pilot, lambda: row(app, "p.fast").value == "1")
        assert row(app, "p.slow").value == "40"


def test_a_memory_that_cannot_be_read_counts_as_empty(tmp_path: Path) -> None:
    """A broken state file never keeps the form from opening."""
    path = tmp_path / "form.json"
    for text in ("", "{", "[1]", '{"a": 1}'):
        path.write_text(text, "utf-8")
        assert memory.recall(path) == {}
    memory.remember({"symbols": "AAPL"}, path)
    assert memory.recall(path) == {"symbols": "AAPL"}
