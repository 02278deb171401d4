"""Settings: environment beats config.toml beats default; a bad value is named, never replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import InvalidOption
from engine.runs.limits import Limits
from tui.options import PROFILES
from tui.settings import COST_PROFILES, TABLE, load_settings, template


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_defaults(config: Path) -> None:
    """Without file and variables every value is the contract's default."""
    settings = load_settings({}, config)
    assert settings.limits == Limits()
    assert settings.costs == "us-equity"
    assert settings.db.name == "runs.db"
    assert set(settings.origins.values()) == {"default"}


def test_environment_beats_file_beats_default(config: Path) -> None:
    """Each value says where it came from."""
    config.write_text("max_active_runs = 3\nmax_active_runs_per_agent = 2\n[keymap]\nquit = 'Q'\n")
    settings = load_settings({"STEPDECK_MAX_ACTIVE_RUNS": "4"}, config)
    assert settings.limits.max_active_runs == 4
    assert settings.limits.max_active_runs_per_agent == 2
    assert settings.keymap == {"quit": "Q"}
    assert settings.origins["max_active_runs"] == "STEPDECK_MAX_ACTIVE_RUNS"
    assert settings.origins["max_active_runs_per_agent"] == "config.toml"
    assert settings.origins["currency"] == "default"


def test_an_empty_variable_is_unset(config: Path) -> None:
    """`STEPDECK_DB= stepdeck` asks for the default."""
    assert load_settings({"STEPDECK_DB": ""}, config).origins["db"] == "default"


def test_zero_disables_a_cap(config: Path) -> None:
    """0 is a value of its own."""
    assert load_settings({"STEPDECK_MAX_ACTIVE_RUNS": "0"}, config).limits.max_active_runs == 0


@pytest.mark.parametrize(
    ("env", "field"),
    [
        ({"STEPDECK_MAX_ACTIVE_RUNS": "1.5"}, "STEPDECK_MAX_ACTIVE_RUNS"),
        ({"STEPDECK_MAX_ACTIVE_RUNS": "nan"}, "STEPDECK_MAX_ACTIVE_RUNS"),
        ({"STEPDECK_REAPER_INTERVAL_SECONDS": "0"}, "STEPDECK_REAPER_INTERVAL_SECONDS"),
        ({"STEPDECK_DECISION_TIMEOUT_SECONDS": "soon"}, "STEPDECK_DECISION_TIMEOUT_SECONDS"),
        ({"STEPDECK_RECOVER_ON_START": "2"}, "STEPDECK_RECOVER_ON_START"),
    ],
)
def test_a_bad_variable_is_named(config: Path, env: dict[str, str], field: str) -> None:
    """The refusal names variable and value."""
    with pytest.raises(InvalidOption) as refusal:
        load_settings(env, config)
    assert refusal.value.field == field
    assert repr(next(iter(env.values()))) in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("max_active_runs = true\n", "max_active_runs", "a number"),
        ("costs = 'free'\n", "costs", "us-equity"),
        ("keymap = 3\n", "keymap", "table"),
        ("[keymap]\nquit = 1\n", "keymap", "table"),
        ("curency = '€'\n", "curency", "did you mean currency?"),
        ("wholly_other = 1\n", "wholly_other", "known are"),
        ("not toml", "config.toml", "not TOML"),
        ("db = ''\n", "db", "text"),
    ],
)
def test_a_bad_file_is_named(config: Path, text: str, field: str, said: str) -> None:
    """A wrong key or value in the file names the file and the key."""
    config.write_text(text)
    with pytest.raises(InvalidOption) as refusal:
        load_settings({}, config)
    assert refusal.value.field == field
    assert said in str(refusal.value)
    assert str(config) in str(refusal.value)


def uncommented(text: str) -> str:
    """The template with its settings taken out of the comments."""
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    return "\n".join(line for line in lines if " = " in line or line.startswith("["))


def test_the_template_holds_every_default(config: Path) -> None:
    """What the template shows, taken out of its comments, is what holds without it."""
    text = uncommented(template()).replace('theme = "…"\n', "")
    config.write_text(text)
    written = load_settings({}, config)
    plain: Any = load_settings({}, config.with_name("none.toml"))
    for setting in TABLE:
        if setting.key not in ("theme", "keymap"):
            assert written.value(setting.key) == plain.value(setting.key)
            assert written.origins[setting.key] == "config.toml"


def test_profiles_are_those_of_the_options() -> None:
    """A default that can be set can be given."""
    assert set(COST_PROFILES) == set(PROFILES)
