"""The settings as rows: what each is, where it comes from, and what may be put in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.errors import InvalidOption
from tui import keys
from tui.config_file import toml_value
from tui.keys import Keys
from tui.settings import TABLE, Settings, checked
from tui.widgets.table import Cell, Column, Row

COLUMNS: Final = (
    Column("key", "Setting", 26, most=40),
    Column("value", "Value", 24, most=60),
    Column("origin", "From", 14),
    Column("help", "What it is", 24, flexible=True, priority=1, most=72),
)
KEYMAP: Final = "keymap"
NOW: Final = frozenset({"theme", "currency", "costs", "ascii", KEYMAP})
"""What takes effect at once; the rest does when the app is started anew."""


@dataclass(frozen=True, slots=True)
class Item:
    """One line: a setting (``table`` None), or the keys of an action."""

    key: str
    value: object
    origin: str
    help: str
    table: str | None = None

    @property
    def row_key(self) -> str:
        """What the row goes by."""
        return f"{self.table or ''}.{self.key}"

    @property
    def text(self) -> str:
        """The value as it is typed."""
        if self.value is None:
            return ""
        if isinstance(self.value, bool):
            return "1" if self.value else "0"
        return f"{self.value:g}" if isinstance(self.value, float) else str(self.value)

    @property
    def in_file(self) -> bool:
        """Whether config.toml says it."""
        return self.origin == "config.toml"

    @property
    def overruled(self) -> bool:
        """Whether something beats what the file says."""
        return self.origin not in ("default", "config.toml")

    @property
    def line(self) -> str:
        """The line of config.toml that says it."""
        shown = f'"{self.key}"' if self.table else self.key
        return f"{shown} = {toml_value(self.value)}"


def items(settings: Settings) -> list[Item]:
    """Every setting, then the keys of every action."""
    found = [
        Item(one.key, settings.value(one.key), settings.origins[one.key], one.help)
        for one in TABLE
        if one.key != KEYMAP
    ]
    shown = Keys(settings.keymap)
    return found + [
        Item(
            action.id,
            settings.keymap.get(action.id, ", ".join(keys.show(key) for key in shown.of(action))),
            "config.toml" if action.id in settings.keymap else "default",
            f"{action.place.value}: {action.help}",
            KEYMAP,
        )
        for action in keys.ACTIONS
    ]


def row(item: Item) -> Row:
    """The item's cells."""
    role = "accent" if item.in_file else "attention" if item.overruled else "muted"
    value = item.text or ("none" if item.table else "–")
    return Row(
        item.row_key,
        (
            Cell(item.key if item.table is None else f"key {item.key}", "strong"),
            Cell(value, "text"),
            Cell(item.origin, role),
            Cell(item.help, "muted"),
        ),
    )


def read(item: Item, text: str, settings: Settings, themes: frozenset[str]) -> object:
    """The value typed, as the file will hold it.

    Raises ``InvalidOption`` as the command line would.
    """
    cleaned = text.strip()
    if item.table is not None:
        Keys({**settings.keymap, item.key: cleaned})
        if not cleaned:
            raise InvalidOption("no key yet", field=item.key, remedy="such as n, or ctrl+n")
        return cleaned
    value = checked(item.key, cleaned)
    if item.key == "theme" and value not in themes:
        raise InvalidOption(
            f"there is no theme {cleaned!r}",
            field="theme",
            remedy=f"one of {', '.join(sorted(themes))}",
        )
    return value
