"""Settings: environment beats ``config.toml`` beats default, and each value knows its origin.

``TABLE`` is the one list of them: key in the file, variable, default and check. A bad value is an
error that names the variable or the key, never a silent default.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import platformdirs

from engine.errors import InvalidOption
from engine.runs.limits import Limits

APP: Final = "stepdeck"
COST_PROFILES: Final = ("none", "us-equity", "sec", "taf", "sec,taf")


class _Bad(Exception):
    """A value that is none; carries what would be right."""


def _count(value: object) -> int:
    number = _seconds(value)
    if number != int(number):
        raise _Bad("a whole number, 0 or more")
    return int(number)


def _seconds(value: object) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(str(value))
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise _Bad("a number, 0 or more")
    return number


def _positive_seconds(value: object) -> float:
    number = _seconds(value)
    if number == 0:
        raise _Bad("a number of seconds above 0")
    return number


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    try:
        return words[str(value).strip().lower()]
    except KeyError:
        raise _Bad("1 or 0") from None


def _no_color(value: object) -> bool:
    # no-color.org: present and not empty means no colour, whatever it says.
    return value if isinstance(value, bool) else value != ""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Bad("text")
    return value


def _path(value: object) -> Path:
    return Path(_text(value)).expanduser()


def _costs(value: object) -> str:
    if value not in COST_PROFILES:
        raise _Bad(f"one of {' | '.join(COST_PROFILES)}")
    return str(value)


def _keymap(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        isinstance(keys, str) and keys.strip() for keys in value.values()
    ):
        raise _Bad('a table of binding ids and keys, such as "runs.new" = "n"')
    return {str(name): str(keys) for name, keys in value.items()}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its key in the file, its variable (None: the file alone), default and check."""

    key: str
    variable: str | None
    default: Any
    check: Callable[[object], Any]
    help: str


TABLE: Final[tuple[Setting, ...]] = (
    Setting(
        "db",
        "STEPDECK_DB",
        lambda: platformdirs.user_data_path(APP) / "runs.db",
        _path,
        "the ledger",
    ),
    Setting(
        "max_active_runs_per_agent",
        "STEPDECK_MAX_ACTIVE_RUNS_PER_AGENT",
        5,
        _count,
        "active runs an agent may have at a time; 0: no limit",
    ),
    Setting(
        "max_active_runs",
        "STEPDECK_MAX_ACTIVE_RUNS",
        100,
        _count,
        "active runs a ledger may have at a time; 0: no limit",
    ),
    Setting(
        "reaper_interval_seconds",
        "STEPDECK_REAPER_INTERVAL_SECONDS",
        60.0,
        _positive_seconds,
        "how often runs whose owner died are looked for",
    ),
    Setting(
        "heartbeat_stale_seconds",
        "STEPDECK_HEARTBEAT_STALE_SECONDS",
        300.0,
        _seconds,
        "silence after which an owner counts as dead where locks do not work; 0: never",
    ),
    Setting(
        "probe_locks",
        "STEPDECK_PROBE_LOCKS",
        True,
        _switch,
        "ask the kernel whether an owner lives; 0: by heartbeats, where a file system's locks lie",
    ),
    Setting(
        "recover_on_start",
        "STEPDECK_RECOVER_ON_START",
        True,
        _switch,
        "look for runs whose owner died when a writing command starts",
    ),
    Setting(
        "decision_timeout_seconds",
        "STEPDECK_DECISION_TIMEOUT_SECONDS",
        60.0,
        _positive_seconds,
        "how long an agent may take over a decision",
    ),
    Setting(
        "abandon_after_timeouts",
        "STEPDECK_ABANDON_AFTER_TIMEOUTS",
        10,
        _count,
        "decisions missed in a row after which an agent's run is cancelled; 0: never",
    ),
    Setting("costs", None, "us-equity", _costs, "the cost profile of runs that name none"),
    Setting("currency", None, "$", _text, "the sign shown before money"),
    Setting("theme", None, None, _text, "the app's theme; its command palette lists them"),
    Setting("no_color", "NO_COLOR", False, _no_color, "no colours"),
    Setting("ascii", "STEPDECK_ASCII", False, _switch, "draw charts with ASCII characters only"),
    Setting("keymap", None, {}, _keymap, "keys by binding id; the app's help lists the ids"),
)
_LIMITS: Final = frozenset(Limits.__slots__)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force.

    ``origins`` says for each key of ``TABLE`` where its value came from: ``default``,
    ``config.toml`` or the name of the variable. ``theme`` None is the app's own.
    """

    db: Path
    limits: Limits
    costs: str
    currency: str
    theme: str | None
    no_color: bool
    ascii: bool
    keymap: Mapping[str, str]
    config_path: Path
    log_path: Path
    origins: Mapping[str, str]

    def named(self, before: Settings) -> Settings:
        """These settings with the ledger that the command line named, if it did."""
        if before.origins["db"] != "--db":
            return self
        return replace(self, db=before.db, origins={**self.origins, "db": "--db"})

    def value(self, key: str) -> Any:
        """The value of a key of ``TABLE``."""
        return getattr(self.limits if key in _LIMITS else self, key)


def config_file() -> Path:
    """Where ``config.toml`` is looked for, whether it is there or not."""
    return platformdirs.user_config_path(APP) / "config.toml"


def log_file() -> Path:
    """The rotating log of what no person needs to see."""
    return platformdirs.user_log_path(APP) / "stepdeck.log"


def load_settings(env: Mapping[str, str], config_path: Path | None = None) -> Settings:
    """The settings of this environment and file (None: the platform's; it need not be there).

    Raises ``InvalidOption``: a file that is no TOML, an unknown key, a value of the wrong kind; its
    ``field`` is the variable or the key.
    """
    path = config_path if config_path is not None else config_file()
    written = _read(path)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in TABLE:
        given: object
        # An empty variable is how a shell unsets one for a single command.
        if setting.variable is not None and env.get(setting.variable):
            given, origin, named = env[setting.variable], setting.variable, setting.variable
        elif setting.key in written:
            given, origin, named = written[setting.key], "config.toml", f"{setting.key} in {path}"
        else:
            default = setting.default
            values[setting.key] = default() if callable(default) else default
            origins[setting.key] = "default"
            continue
        try:
            values[setting.key] = setting.check(given)
        except _Bad as wanted:
            raise InvalidOption(
                f"{named} is {given!r}",
                field=setting.key if origin == "config.toml" else named,
                remedy=f"it must be {wanted}",
            ) from None
        origins[setting.key] = origin
    limits = Limits(**{key: values.pop(key) for key in list(values) if key in _LIMITS})
    return Settings(limits=limits, config_path=path, log_path=log_file(), origins=origins, **values)


def checked(key: str, given: object) -> Any:
    """A value for a key of ``TABLE``, as it would be used. Raises ``InvalidOption``."""
    setting = next(one for one in TABLE if one.key == key)
    try:
        return setting.check(given)
    except _Bad as wanted:
        raise InvalidOption(
            f"{key} is {given!r}", field=key, remedy=f"it must be {wanted}"
        ) from None


def _read(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as file:
            written = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InvalidOption(
            f"cannot read the settings {path}: {error.strerror}", field="config.toml"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidOption(
            f"{path} is not TOML: {error}",
            field="config.toml",
            remedy="mend it, or move it away and make a new one with `stepdeck config init`",
        ) from error
    keys = [setting.key for setting in TABLE]
    for key in written:
        if key not in keys:
            close = get_close_matches(key, keys, n=1)
            raise InvalidOption(
                f"{path} has an unknown key {key!r}",
                field=key,
                remedy=f"did you mean {close[0]}?" if close else f"known are {', '.join(keys)}",
            )
    return written


def template() -> str:
    """A ``config.toml`` with every setting at its default, commented out."""
    lines = ["# stepdeck's settings. A variable of the environment beats what stands here."]
    for setting in TABLE:
        default = setting.default
        value = default() if callable(default) else default
        variable = f" (variable {setting.variable})" if setting.variable else ""
        lines += ["", f"# {setting.help}{variable}"]
        if setting.key == "keymap":
            lines += ["# [keymap]", '# "runs.new" = "n"']
        elif value is None:
            lines += [f'# {setting.key} = "…"']
        else:
            lines += [f"# {setting.key} = {_toml(value)}"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}"
    # A literal string keeps a path's backslashes as they are.
    return f"'{value}'"
