"""Every setting with its origin; changing one writes ``config.toml``."""

from __future__ import annotations

import os
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from engine.errors import StepdeckError
from tui import config_file, keys
from tui.keys import Place
from tui.messages import Tick
from tui.safe import safe_line
from tui.screens.asking import AskDialog
from tui.screens.base import ActionButton, DeckScreen
from tui.viewmodel import settings_rows
from tui.viewmodel.settings_rows import Item
from tui.widgets.table import DeckTable


class SettingsScreen(DeckScreen):
    """A list of settings and keys. What the environment says cannot be changed here."""

    places: ClassVar = (Place.SETTINGS, Place.LIST)
    BINDINGS = keys.bindings(Place.SETTINGS)
    AUTO_FOCUS = "DeckTable"

    def __init__(self) -> None:
        super().__init__()
        self._items: dict[str, Item] = {}

    def compose_deck(self) -> ComposeResult:
        shown = self.deck.keys
        yield Static("", id="settings-head", classes="screen-title", markup=False)
        yield DeckTable(settings_rows.COLUMNS, id="settings-list")
        yield Static("", id="settings-said", classes="line-said", markup=False)
        with Horizontal(classes="buttons"):
            for name in ("edit", "reset", "copy"):
                yield ActionButton(f"settings.{name}", shown)

    def on_mount(self) -> None:
        path = safe_line(self.deck.settings.config_path)
        self.query_one("#settings-head", Static).update(Content(f"Settings  ·  {path}"))
        self._show()

    def on_screen_resume(self) -> None:
        self.deck.poller.show((), None)

    def show_tick(self, tick: Tick) -> None:
        """Nothing here is of the ledger."""

    def _show(self) -> None:
        self._items = {one.row_key: one for one in settings_rows.items(self.deck.settings)}
        table = self.query_one("#settings-list", DeckTable)
        table.set_rows(settings_rows.row(item) for item in self._items.values())
        self._say()

    @property
    def _item(self) -> Item | None:
        return self._items.get(self.query_one("#settings-list", DeckTable).cursor_key or "")

    def _say(self) -> None:
        item = self._item
        if item is not None:
            text = f"{item.help}  {item.origin}: {item.text or 'none'}"
            self.query_one("#settings-said", Static).update(Content(safe_line(text)))
        self.refresh_keys()

    def on_deck_table_highlighted(self) -> None:
        self._say()

    def on_deck_table_opened(self) -> None:
        self.action_edit()

    def allows(self, action: str) -> bool | None:
        """Whether an action works on what is shown now."""
        item = self._item
        if action == "edit":
            return None if item is None or item.overruled else True
        if action == "reset":
            return True if item is not None and item.in_file else None
        return True

    def action_edit(self) -> None:
        """Ask for another value."""
        item = self._item
        if item is None or item.overruled:
            if item is not None:
                self.deck.say(f"{item.origin} says so and beats the file: change it there")
            return
        themes = frozenset(self.deck.available_themes)
        when = "at once" if (item.table or item.key) in settings_rows.NOW else "at the next start"

        def check(text: str) -> str:
            settings_rows.read(item, text, self.deck.settings, themes)
            return f"takes effect {when}"

        def answered(text: str | None) -> None:
            if text is not None:
                self._change(item, settings_rows.read(item, text, self.deck.settings, themes))

        self.deck.push_screen(
            AskDialog(item.key, [item.help], check, answer=item.text, yes="Write"), answered
        )

    def action_reset(self) -> None:
        """Take the setting out of the file."""
        item = self._item
        if item is not None and item.in_file:
            self._change(item, None)

    def _change(self, item: Item, value: object | None) -> None:
        path = self.deck.settings.config_path
        try:
            made = config_file.change(path, item.key, value, os.environ, item.table)
            # What the command line named stays named.
            made = made.named(self.deck.settings)
            self.deck.take_settings(made)
        except StepdeckError as error:
            self.deck.show_error("write the settings", error)
            return
        self._show()
        self.deck.say(f"written: {path}")

    def action_copy(self) -> None:
        """Copy the setting as a line of the file."""
        item = self._item
        if item is not None:
            self.deck.copy_to_clipboard(safe_line(item.line))
            self.deck.say(f"copied {item.line}")

    def leave(self) -> None:
        """Back."""
        self.dismiss()
