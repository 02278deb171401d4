"""Exporting what is looked at: a moment of the past, or the whole run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input, Select

from engine.errors import InvalidOption
from tests.tui.screens.kit import deck, screen_text, until
from tests.tui.screens.test_run_screen import by_name, ready, run_screen
from tui.export import export_run, read_tables
from tui.gateway import Gateway
from tui.screens.export import ExportDialog


def test_a_moment_holds_nothing_of_the_future(gateway: Gateway, tmp_path: Path) -> None:
    """Every table ends where the moment does, and orders are as they were then."""
    run_id = by_name(gateway, "trend apple")
    record, tables = read_tables(gateway, run_id, 300)
    assert record.step_index == len(tables["equity"].rows) == 300
    for table in tables.values():
        if "step_index" in table.columns:
            at = table.columns.index("step_index")
            assert all(row[at] < 300 for row in table.rows)
    whole = read_tables(gateway, run_id)[1]
    assert len(whole["equity"].rows) == 757
    assert 0 < len(tables["fills"].rows) < len(whole["fills"].rows)
    target = tmp_path / "run.json"
    export_run(gateway, run_id, "json", target, settled=300)
    document = json.loads(target.read_text("utf-8"))
    assert document["moment"] == {"step_index": 299}
    assert len(document["equity"]) == 300
    tape = tmp_path / "tape.jsonl"
    some = export_run(gateway, run_id, "tape", tape, settled=300)["decisions"]
    tape.unlink()
    assert some < export_run(gateway, run_id, "tape", tape)["decisions"]


def test_a_tear_sheet_is_of_the_whole_run(gateway: Gateway, tmp_path: Path) -> None:
    """A page of figures of a run that had not ended is refused in one line."""
    run_id = by_name(gateway, "trend apple")
    with pytest.raises(InvalidOption, match="of the whole run"):
        export_run(gateway, run_id, "html", tmp_path / "page.html", settled=300)
    assert not (tmp_path / "page.html").exists()


async def test_the_dialog_says_what_is_written(gateway: Gateway, tmp_path: Path) -> None:
    """In the past: up to the moment shown, unless the whole run is chosen; now: the whole run."""
    run_id = by_name(gateway, "trend apple")
    async with deck(gateway, (80, 24), run_id=run_id) as (app, pilot):
        await ready(app, pilot)
        screen = run_screen(app)
        await pilot.press("e")
        assert not app.screen.query("#export-what")
        assert "writes the whole run to" in screen_text(app)
        await pilot.press("escape")
        screen.look_at(300)
        await until(pilot, lambda: screen.shown and screen.shown.record.step_index == 300)
        await pilot.press("e")
        dialog = app.screen
        assert isinstance(dialog, ExportDialog)
        line = dialog.query_one("#export-path", Input)
        assert line.value.endswith(f"{run_id}-to-299")
        assert "up to the moment shown, step 299" in screen_text(app)
        dialog.query_one("#export-format", Select).value = "html"
        await until(pilot, lambda: "✗ html is of the whole run" in screen_text(app))
        dialog.query_one("#export-format", Select).value = "csv"
        line.value = str(tmp_path / "past")
        await until(pilot, lambda: "writes the run as it was at step 299" in screen_text(app))
        await pilot.press("enter")
        rows = tmp_path / "past" / "equity.csv"
        await until(pilot, rows.exists)
        assert len(rows.read_text("utf-8").splitlines()) == 301
        await pilot.press("e")
        app.screen.query_one("#export-what", Select).value = False
        app.screen.query_one("#export-path", Input).value = str(tmp_path / "whole")
        await until(pilot, lambda: "writes the whole run to" in screen_text(app))
        await pilot.press("enter")
        rows = tmp_path / "whole" / "equity.csv"
        await until(pilot, rows.exists)
        assert len(rows.read_text("utf-8").splitlines()) == 758
