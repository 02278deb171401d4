"""Changing config.toml: one line, and whatever else a person wrote stays."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidOption
from tui.config_file import change, toml_value, with_value
from tui.settings import template

WRITTEN = """\
# mine
theme = 'nord'   # at night
max_active_runs = 7

[keymap]
"runs.new" = "w"
"""


def test_the_line_of_the_key_changes_and_nothing_else() -> None:
    """Comments, order and other keys stay."""
    made = with_value(WRITTEN, "max_active_runs", 9)
    assert made == WRITTEN.replace("= 7", "= 9")


def test_a_new_key_goes_before_the_tables() -> None:
    """After a table's heading it would be a key of that table."""
    made = with_value(WRITTEN, "currency", "€")
    assert tomllib.loads(made) == {**tomllib.loads(WRITTEN), "currency": "€"}
    assert made.index("currency") < made.index("[keymap]")


def test_a_key_is_written_where_the_template_has_its_default() -> None:
    """Beneath the comment that explains it."""
    lines = with_value(template(), "costs", "none").splitlines()
    at = lines.index('costs = "none"')
    assert lines[at - 1].startswith("# costs =")


def test_a_key_is_taken_out() -> None:
    """And one that is not there is no error."""
    assert "theme" not in tomllib.loads(with_value(WRITTEN, "theme", None))
    assert with_value(WRITTEN, "costs", None) == WRITTEN


def test_keys_of_a_table() -> None:
    """Changed, added, taken out; the table is made where there is none."""
    assert tomllib.loads(with_value(WRITTEN, "runs.new", "n", "keymap"))["keymap"] == {
        "runs.new": "n"
    }
    assert tomllib.loads(with_value("", "runs.open", "o", "keymap")) == {
        "keymap": {"runs.open": "o"}
    }
    assert tomllib.loads(with_value(WRITTEN, "runs.open", "o", "keymap"))["keymap"] == {
        "runs.new": "w",
        "runs.open": "o",
    }
    assert "runs.new" not in with_value(WRITTEN, "runs.new", None, "keymap")


@pytest.mark.parametrize(
    "text", ['currency = """a\nb"""\n', "keymap = {\"runs.new\" = 'w'}\n", "theme = 'a'\nx y\n"]
)
def test_what_cannot_be_changed_line_by_line_is_refused(text: str) -> None:
    """A person has to, and the file stays as it is."""
    with pytest.raises(InvalidOption):
        with_value(with_value(text, "currency", "$"), "runs.new", "n", "keymap")


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    """Quotes, backslashes, control characters, whatever is typed."""
    assert tomllib.loads(f"a = {toml_value(text)}") == {"a": text}


def test_a_bad_value_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """It is refused with the words of the command line, before anything is written."""
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN, "utf-8")
    with pytest.raises(InvalidOption, match="max_active_runs"):
        change(path, "max_active_runs", -1, {})
    assert path.read_text("utf-8") == WRITTEN
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


def test_a_change_is_in_force_and_in_the_file(tmp_path: Path) -> None:
    """A file that is not there is made, with its folder."""
    path = tmp_path / "new" / "config.toml"
    made = change(path, "currency", "£", {})
    assert (made.currency, made.origins["currency"]) == ("£", "config.toml")
    assert tomllib.loads(path.read_text("utf-8")) == {"currency": "£"}
    made = change(path, "max_active_runs", 3, {"STEPDECK_MAX_ACTIVE_RUNS": "8"})
    assert made.limits.max_active_runs == 8
